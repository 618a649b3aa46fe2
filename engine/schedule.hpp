// When the rate wanted each attempt to leave: the first `burst` at once, then one each interval,
// whether or not the program kept up.
//
// A latency that is measured from there includes what an attempt waited behind a server that stood
// still. Measured from its own sending it would not: while nothing is answered nothing is sent, and
// the stall would be seen by the few requests that were under way (coordinated omission). The rate
// is a limit, so time that was lost is not made up for: it stays in the latency of all that follow.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/rate.hpp"

namespace sagorder {

class Schedule {
 public:
  Schedule(const RateLimit& rate, std::uint64_t burst)
      : interval_(rate.interval()), burst_(burst) {}

  /// The moment that the next attempt was due at; it begins now. Without a rate: now.
  SteadyTime next(SteadyTime now) {
    if (begun_++ == 0) first_ = now;
    if (interval_.count() == 0) return now;
    if (begun_ > burst_) due_after_first_ += interval_;
    return std::min(now, first_ + due_after_first_);
  }

 private:
  nanoseconds interval_;
  std::uint64_t burst_;
  std::uint64_t begun_ = 0;
  SteadyTime first_{};
  nanoseconds due_after_first_{0};
};

}  // namespace sagorder
