#include "tests/simulation/hosts/oracle.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engine/result.hpp"
#include "tests/simulation/hosts/ledger.hpp"

namespace sagorder::simulation::hosts {
namespace {

constexpr std::uint64_t kFirstId = 200'000'000'000'001;
constexpr double kRounding = 1e-6;  // tokens

}  // namespace

void Oracle::violate(std::string_view invariant, std::string text) {
  trace_.tell("VIOLATION {}: {}", invariant, text);
  if (violations_.size() < 8) violations_.push_back({std::string(invariant), std::move(text)});
}

void Oracle::durable(const Record& record, Life life) {
  trace_.tell("durable: row {} {} (attempt {}) {}{} of life {}", record.row.value,
              name_of(record.kind), record.attempt.value, record.code, record.order_id, life);
  const auto key = std::pair(record.row.value, record.attempt.value);
  if (record.kind == RecordKind::intent) {
    const std::string nonce(record.nonce.view());
    nonces_[key] = nonce;
    attempts_[nonce] = {static_cast<std::uint32_t>(record.row.value), life};
  } else if (record.kind == RecordKind::replay) {
    attempts_[nonces_[key]].replayed = true;
  }
  count_spent(record, life);
  if (record.row.value > plan_.canary_rows) return;
  if (record.kind == RecordKind::placed || record.kind == RecordKind::resolved_placed) {
    placed_.insert(record.row.value);
  } else if (record.kind == RecordKind::rejected || record.kind == RecordKind::in_doubt) {
    lost_[life].insert(record.row.value);
  } else {
    lost_[life].erase(record.row.value);  // it is tried again
  }
}

void Oracle::count_spent(const Record& record, Life life) {
  const Share order{1, record.row.value, record.row.value};
  if (record.kind == RecordKind::intent) {
    const std::uint32_t run = runs_.at(life);
    whose_[record.row.value] = run;
    if ((spent_[run] += order).fits_in(plan_.limits)) return;
    violate("S13", fmt::format("run {} has spent {} orders, {} seats", run, spent_[run].orders,
                               spent_[run].seats));
  } else if (record.kind == RecordKind::not_executed || record.kind == RecordKind::rejected ||
             record.kind == RecordKind::resolved_not_placed) {
    spent_[whose_.at(record.row.value)] -= order;
  }
}

/// A run ends before it has spent all only with its last row.
void Oracle::judge_runs() {
  const Share seats_free{plan_.limits.orders, kNoLimit, kNoLimit};
  if (!plan_.faultless || plan_.limits != seats_free || spent_.empty()) return;
  const std::uint32_t last = spent_.rbegin()->first;
  for (const auto& [run, spent] : spent_) {
    if (run == last || spent.orders == plan_.limits.orders) continue;
    violate("S13", fmt::format("run {} ends with {} orders", run, spent.orders));
  }
}

void Oracle::served(Life life, Time asked_at) {
  const auto found = pauses_.find(life);
  if (found == pauses_.end() || asked_at <= found->second.from) return;
  const Time lease = nanoseconds(plan_.terms.lease).count();
  quiet_.push_back({clock_.now() + lease, found->second.until});
  pauses_.erase(found);
}

void Oracle::leased(Life life, std::uint32_t tokens, Time asked_at) {
  const bool unlimited = plan_.options.rate.unlimited();
  tokens_[life].push_back(
      {unlimited ? UINT32_MAX : tokens, asked_at + nanoseconds(plan_.terms.lease).count()});
}

void Oracle::written(Life life, std::uint32_t row, std::string_view nonce) {
  ++requests_;
  const auto found = attempts_.find(nonce);
  if (found == attempts_.end() || found->second.life != life || found->second.row != row) {
    violate("S2", fmt::format("a byte of row {} leaves without a claim of life {}", row, life));
  } else if (++found->second.writes > (found->second.replayed ? 2U : 1U)) {
    violate("S2", fmt::format("a copy of row {} leaves, and no record of it is durable", row));
  }
  judge_lease(life, row);
  judge_rate();
  judge_canary(life, row, found != attempts_.end() && found->second.writes > 1);
  const Time now = clock_.now();
  for (const Span& quiet : quiet_) {
    if (quiet.covers(now)) violate("S7", fmt::format("row {} leaves in a pause of all hosts", row));
  }
  if (fenced_.count(life) > 0) violate("S8", fmt::format("row {} leaves a fenced host", row));
}

void Oracle::judge_lease(Life life, std::uint32_t row) {
  for (Tokens& tokens : tokens_[life]) {
    if (tokens.count == 0 || clock_.now() >= tokens.until) continue;
    --tokens.count;
    return;
  }
  violate("S4", fmt::format("row {} leaves life {} without a lease", row, life));
}

void Oracle::judge_rate() {
  const RateLimit& rate = plan_.options.rate;
  if (rate.unlimited()) return;
  const double elapsed = static_cast<double>(clock_.now() - level_at_) / 1e9;
  level_ = std::max(0.0, level_ - elapsed * rate.per_second()) + 1;
  level_at_ = clock_.now();
  const double over = level_ - static_cast<double>(plan_.options.burst);
  if (over > kRounding) {
    violate("S5", fmt::format("the wire is {:.3f} tokens over the account's rate", over));
  }
}

void Oracle::judge_canary(Life life, std::uint32_t row, bool copy) {
  if (row > plan_.canary_rows && placed_.size() < plan_.canary_rows) {
    violate("S12", fmt::format("row {} leaves before the canary is placed", row));
  }
  if (!copy && !lost_[life].empty()) {
    violate("S12",
            fmt::format("row {} leaves life {}, which knows that the canary is lost", row, life));
  }
}

void Oracle::line(Life life, std::uint32_t row, State durable) {
  if (fenced_.count(life) > 0) return;
  if (++lines_[row] > 1) violate("S10", fmt::format("row {} has two lines", row));
  if (!status_of(durable)) violate("S10", fmt::format("row {} has a line and no outcome", row));
}

std::uint64_t Oracle::executed(std::uint32_t row) {
  std::uint64_t count = 0;
  for (const auto& [other, ids] : ids_) count += ids.size();
  std::vector<std::uint64_t>& ids = ids_[row];
  ids.push_back(kFirstId + count);
  if (ids.size() > 1) violate("S1", fmt::format("row {} is executed {} times", row, ids.size()));
  return ids.back();
}

std::optional<std::uint64_t> Oracle::id_of(std::uint32_t row) const {
  const auto found = ids_.find(row);
  if (found == ids_.end()) return std::nullopt;
  return found->second.front();
}

void Oracle::judge_end(const Ledger& ledger) {
  judge_runs();
  std::map<std::uint64_t, std::string> placed_as;
  std::set<Life> lives;
  for (const Record& record : ledger.records()) {
    if (!record.order_id.empty()) placed_as[record.row.value] = record.order_id;
  }
  for (std::uint32_t row = 1; row <= plan_.rows; ++row) {
    const State state = ledger.rows().state({row});
    const auto id = id_of(row);
    if (state == State::intended) lives.insert(ledger.holder({row}));
    if (state == State::pending && !ledger.is_canary_lost())
      violate("S9", fmt::format("row {} is pending in the end", row));
    if (id && (state == State::rejected || state == State::pending)) {
      violate("S3", fmt::format("row {} is executed and {}", row, name_of(state)));
    }
    if (state == State::placed && (!id || placed_as[row] != std::to_string(*id))) {
      violate("S3", fmt::format("row {} is placed as {}", row, placed_as[row]));
    }
  }
  for (const Life life : lives) {
    if (ledger.open_of(life) > plan_.options.max_in_flight) {
      violate("S6", fmt::format("life {} leaves {} open intents", life, ledger.open_of(life)));
    }
  }
}

}  // namespace sagorder::simulation::hosts
