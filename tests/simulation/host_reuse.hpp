// Whether a connection may serve again: what io's pool asks before each use.
#pragma once

#include "tests/simulation/clock.hpp"

namespace sagorder::simulation {

struct Kept {
  bool whole = false;  ///< its last answer was whole, asked for no close, no byte behind it
  Time idle_for = 0;
  bool ended = false;  ///< an end of file or a reset is seen
  bool dirty = false;  ///< bytes are seen that nobody asked for
};

inline constexpr Time kIdleMax = 5 * kSecond;

constexpr bool may_serve_again(const Kept& kept) {
  return kept.whole && kept.idle_for < kIdleMax && !kept.ended && !kept.dirty;
}

}  // namespace sagorder::simulation
