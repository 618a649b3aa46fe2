// A run as those see it who show it (progress, metrics). The engine counts; here is where to look.
// To be looked at between two events, on the loop's thread.
#pragma once

#include <cstdint>

#include "engine/life.hpp"
#include "engine/rate.hpp"
#include "engine/tally.hpp"

namespace sagorder::io {

struct RunView {
  const Rows& rows;         ///< of the whole batch, whichever run settled them
  const Tally& tally;       ///< of this run alone
  const Pacer& pacer;       ///< the rate, as it is now
  std::uint64_t total = 0;  ///< rows of the batch that can be ordered: all but the invalid ones

  [[nodiscard]] std::uint64_t settled_in_batch() const {
    return rows.count_of(State::placed) + rows.count_of(State::rejected) +
           rows.count_of(State::in_doubt);
  }
  [[nodiscard]] std::uint64_t settled_in_run() const {
    return tally.placed + tally.rejected + tally.in_doubt;
  }
};

}  // namespace sagorder::io
