// Whether a batch may go on, by what the ledger, the input and the memory of batches say.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "tests/simulation/disk.hpp"

namespace sagorder::simulation {

enum class Entry : std::uint8_t { go_on, changed_input, ordered_before, older_copy };

/// An entry of a run that this ledger does not know.
inline bool is_later_run(const Remembered& entry, const LedgerFile& ledger) {
  return entry.run != 0 && entry.run != ledger.run && entry.run != ledger.run_before;
}

/// @param ledger with id 0 if there is none, or if it has no facts yet
inline Entry may_enter(const LedgerFile& ledger, std::uint64_t input,
                       std::span<const Remembered> memory) {
  if (ledger.id != 0 && ledger.input != input) return Entry::changed_input;
  const auto ours = [&](const Remembered& entry) {
    return entry.input == input && ledger.id != 0 && entry.ledger_id == ledger.id;
  };
  const auto same_input = [&](const Remembered& entry) { return entry.input == input; };
  const bool known = std::any_of(memory.begin(), memory.end(), ours);
  if (!known && std::any_of(memory.begin(), memory.end(), same_input)) {
    return Entry::ordered_before;
  }
  for (const Remembered& entry : memory) {
    if (ours(entry) && is_later_run(entry, ledger)) return Entry::older_copy;
  }
  return Entry::go_on;
}

}  // namespace sagorder::simulation
