#include "engine/stop.hpp"

#include <algorithm>
#include <array>

namespace sagorder {
namespace {

constexpr std::size_t kCount = 21;

constexpr std::array<std::string_view, kCount> kNames = {
    "none",          "interrupted", "max_orders",   "max_seats",     "max_seat_months",
    "canary",        "not_after",   "max_failures", "max_doubts",    "max_attempts",
    "unreachable",   "credentials", "clock",        "payment",       "certificate",
    "input_changed", "fenced",      "abandoned",    "output_failed", "ledger_failed",
    "records_lost"};

constexpr std::array<std::string_view, kCount> kWords = {"it came to its end",
                                                         "interrupted",
                                                         "--max-orders",
                                                         "--max-seats",
                                                         "--max-seat-months",
                                                         "--canary",
                                                         "--not-after",
                                                         "--max-failures",
                                                         "--max-doubts",
                                                         "too many attempts",
                                                         "endpoint unreachable",
                                                         "credentials",
                                                         "clock",
                                                         "payment",
                                                         "certificate",
                                                         "input changed",
                                                         "other hosts took over",
                                                         "interrupted twice",
                                                         "results not written",
                                                         "ledger not written",
                                                         "records lost"};

}  // namespace

std::string_view name_of(Stop stop) { return kNames[static_cast<std::size_t>(stop)]; }

std::optional<Stop> stop_of(std::string_view name) {
  const auto* const found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Stop>(found - kNames.begin());
}

std::string_view words_of(Stop stop) { return kWords[static_cast<std::size_t>(stop)]; }

}  // namespace sagorder
