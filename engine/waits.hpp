// Where a run's time went: what the next order was waiting for, moment by moment. One thing at a
// time, so that the times add up to the run's.
#pragma once

#include <array>
#include <cstdint>
#include <numeric>
#include <string_view>

#include "engine/moment.hpp"

namespace sagorder {

enum class WaitFor : std::uint8_t {
  input,       ///< nothing that can be named: reading rows, and the beginning
  rate,        ///< a token of the rate that was asked for
  throttling,  ///< the gateway had it lowered or paused, or rows wait to be tried again
  connection,  ///< a handshake, or the wait after failed ones
  answers,     ///< every connection is taken, or nothing else is left to come
  ledger,      ///< a commit: an intent may not leave before it, an outcome frees its place after
};
inline constexpr std::size_t kWaits = 6;

constexpr std::string_view name_of(WaitFor what) {
  constexpr std::array<std::string_view, kWaits> kNames = {"input",      "rate",    "throttling",
                                                           "connection", "answers", "ledger"};
  return kNames.at(static_cast<std::size_t>(what));
}

class Waits {
 public:
  /// The time since the last call went to what was said then; from now on it goes to `what`.
  void turn(WaitFor what, SteadyTime now) {
    if (begun_) spent_[static_cast<std::size_t>(what_)] += now - since_;
    begun_ = true;
    what_ = what;
    since_ = now;
  }

  [[nodiscard]] nanoseconds of(WaitFor what) const {
    return spent_[static_cast<std::size_t>(what)];
  }
  [[nodiscard]] WaitFor now() const { return what_; }
  /// From the first call to the last.
  [[nodiscard]] nanoseconds all() const {
    return std::accumulate(spent_.begin(), spent_.end(), nanoseconds(0));
  }

 private:
  std::array<nanoseconds, kWaits> spent_{};
  SteadyTime since_{};
  WaitFor what_ = WaitFor::input;
  bool begun_ = false;
};

}  // namespace sagorder
