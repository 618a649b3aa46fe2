// Why a run ends before its last row.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sagorder {

/// From `output_failed` on, one outweighs every reason before it.
enum class Stop : std::uint8_t {
  none,
  interrupted,
  max_orders,
  max_seats,
  max_seat_months,
  canary,     ///< one of the first orders was not placed
  not_after,  ///< the time for sending is over
  max_failures,
  max_doubts,
  max_attempts,  ///< rows were throttled or failed to connect too often; they stay pending
  unreachable,
  credentials,
  clock,
  payment,
  certificate,
  input_changed,
  fenced,     ///< another host was told that this one is dead: its rows may be settled elsewhere
  abandoned,  ///< second interrupt: answers under way are not waited for
  output_failed,
  ledger_failed,
  records_lost,  ///< the ledger lacks what was durable in it: an older copy took its place
};
/// For programs: summaries in JSON, and ledgers.
std::string_view name_of(Stop stop);
std::optional<Stop> stop_of(std::string_view name);

/// For people, behind `stopped: `. A limit is called by its option.
std::string_view words_of(Stop stop);

}  // namespace sagorder
