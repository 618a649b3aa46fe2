// Time as the engine knows it: two clocks that never mix, both handed in as arguments.
//
// The steady clock orders events and measures waits; the wall clock is what goes on the wire and
// into the ledger. Nothing in engine/ asks for either.
#pragma once

#include <chrono>
#include <cstdint>

namespace sagorder {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

/// A point of the monotonic clock, ns. Only differences mean anything.
using SteadyTime = std::chrono::time_point<std::chrono::steady_clock, nanoseconds>;

/// UTC, ms since 1970-01-01.
using WallTime = std::chrono::sys_time<milliseconds>;

/// "Now", read once by the driver for each event it hands in.
struct Moment {
  SteadyTime steady;
  WallTime wall;
};

}  // namespace sagorder
