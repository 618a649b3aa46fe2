#include "engine/stop.hpp"

#include <array>

namespace sagorder {

std::string_view name_of(Stop stop) {
  static constexpr std::array<std::string_view, 20> kNames = {
      "none",          "interrupted", "max_orders",   "max_seats",     "max_seat_months",
      "canary",        "not_after",   "max_failures", "max_doubts",    "max_attempts",
      "unreachable",   "credentials", "clock",        "payment",       "certificate",
      "input_changed", "fenced",      "abandoned",    "output_failed", "ledger_failed"};
  return kNames[static_cast<std::size_t>(stop)];
}

}  // namespace sagorder
