#include "engine/entry.hpp"

#include <algorithm>

#include "engine/planted.hpp"

namespace sagorder {

std::optional<Obstacle> judge_hold(const Hold& hold) {
  if (planted(Planted::second_process_let_in)) return std::nullopt;
  if (hold.locked_by_another || hold.made_by_another) return Obstacle::held;
  return std::nullopt;
}

std::optional<Obstacle> judge_input(const BegunLedger& ledger, std::string_view input_sha256) {
  if (ledger.input_sha256.empty() || ledger.input_sha256 == input_sha256) return std::nullopt;
  if (planted(Planted::changed_input_let_in)) return std::nullopt;
  return Obstacle::other_input;
}

std::optional<BatchInTheWay> judge_memory(std::span<const RememberedBatch> remembered,
                                          const BegunLedger& ledger, bool again) {
  if (again || remembered.empty()) return std::nullopt;
  const auto ours = [&](const RememberedBatch& batch) {
    return !ledger.id.empty() && batch.ledger_id == ledger.id;
  };
  // A batch that is remembered itself goes on, whatever else was ordered.
  const auto found = std::ranges::find_if(remembered, ours);
  if (planted(Planted::other_output_let_in) && found == remembered.end()) return std::nullopt;
  if (found == remembered.end()) return BatchInTheWay{Obstacle::ordered_before, 0};
  const auto place = static_cast<std::size_t>(found - remembered.begin());
  if (!knows_run(ledger, found->run)) return BatchInTheWay{Obstacle::older_copy, place};
  if (found->stands_there) return BatchInTheWay{Obstacle::copied, place};
  return std::nullopt;
}

std::optional<Obstacle> judge_setting(const Rows& rows, std::string_view before,
                                      std::string_view now) {
  const bool untouched = rows.count_of(State::pending) == rows.count();
  if (untouched || before == now) return std::nullopt;
  return Obstacle::other_setting;
}

bool knows_run(const BegunLedger& ledger, std::string_view run) {
  if (planted(Planted::older_ledger_let_in)) return true;
  return run.empty() || std::ranges::find(ledger.runs, run) != ledger.runs.end();
}

}  // namespace sagorder
