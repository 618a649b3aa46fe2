// How fast: a token bucket as arithmetic on `now`, and the reaction to throttling.
//
// The bucket is a GCRA: its whole state is one number, the theoretical arrival time. `now` is an
// argument; nothing waits here. Throttling halves the rate and pauses as long as the gateway
// hints; the rate then climbs back to what was asked for, never above it.
//
// A Pacer has two buckets of the same rate in series. `admit` gates intents, so that a slow rate
// holds none open; `send` is taken at the moment when the bytes can leave, so that the wire keeps
// burst + rate x time in any window, retries included, whatever commits and handshakes bunch up.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/moment.hpp"
#include "engine/response.hpp"

namespace sagorder {

/// `count` orders in each `window`; count 0 means unlimited.
struct RateLimit {
  std::uint64_t count = 10;
  nanoseconds window = seconds(1);
  [[nodiscard]] bool unlimited() const { return count == 0; }
  [[nodiscard]] double per_second() const;     ///< 0: unlimited
  [[nodiscard]] nanoseconds interval() const;  ///< between two orders, rounded up; 0: unlimited
};

inline constexpr std::uint64_t kRateCountMax = 1'000'000;  ///< orders a window
inline constexpr seconds kRateWindowMax{86'400};
inline constexpr std::uint64_t kBurstMax = 1'000'000;
inline constexpr double kFactorMin = 1.0 / 64;   ///< throttling lowers the rate no further
inline constexpr double kClimbPerSecond = 0.05;  ///< back, of the asked (or measured) rate

/// `10/s`, `200/60s`, `5/m`, `5`, `unlimited`. nullopt: not a rate.
std::optional<RateLimit> parse_rate(std::string_view text);
std::string to_string(const RateLimit& rate);

/// The burst when none is asked for: one, and ten milliseconds' worth (rounded) on top. Without the
/// latter, what each wake-up comes late would be lost for good: half a per cent at 100/s.
std::uint64_t default_burst(const RateLimit& rate);

/// In any half-open window of length W at most burst + rate * W tokens are taken.
class TokenBucket {
 public:
  /// @param interval between tokens; 0: unlimited
  TokenBucket(nanoseconds interval, std::uint64_t burst);
  bool take(SteadyTime now);
  /// When the next token can be had (now or earlier: at once).
  [[nodiscard]] SteadyTime ready_at() const;
  /// When the token behind the next `ahead` ones can be had, if those are taken as soon as can be.
  [[nodiscard]] SteadyTime ready_at(SteadyTime now, std::uint32_t ahead) const;
  /// Changes the rate from now on; tokens saved up beyond the new burst are lost.
  void set_interval(nanoseconds interval, SteadyTime now);

 private:
  nanoseconds interval_;
  std::int64_t burst_;
  SteadyTime arrival_{};  // theoretical arrival time of the next token
};

class Pacer {
 public:
  Pacer(const RateLimit& rate, std::uint64_t burst);

  bool admit(SteadyTime now);
  bool send(SteadyTime now);
  [[nodiscard]] SteadyTime admit_at(SteadyTime now) const;  ///< earliest moment for admit
  /// Earliest moment for send once `ahead` others were sent.
  [[nodiscard]] SteadyTime send_at(SteadyTime now, std::uint32_t ahead = 0) const;

  /// A throttling answer: halve (once for all answers of one round), pause as hinted.
  void throttled(const RateHint& hint, SteadyTime now);
  /// Hints of a good answer: nothing remains, so wait for the next window.
  void hinted(const RateHint& hint, SteadyTime now);
  /// What throttling that another host saw makes of the account's rate: never more than it is here.
  void follow(double factor, nanoseconds pause, SteadyTime now);
  /// Climbs back; call it now and then (any frequency).
  void recover(SteadyTime now);

  /// Orders a second now; 0: unlimited.
  [[nodiscard]] double current_rate() const;
  /// Orders a second as asked for; 0: unlimited.
  [[nodiscard]] double asked_rate() const;
  [[nodiscard]] bool lowered() const;
  /// Current rate / asked rate; 1 without a rate, for what was measured is this host's alone.
  [[nodiscard]] double factor() const { return interval_.count() > 0 ? factor_ : 1.0; }
  [[nodiscard]] bool unlimited() const { return interval_.count() == 0 && !lowered(); }
  [[nodiscard]] SteadyTime paused_until() const { return paused_until_; }

 private:
  void set_factor(double factor, SteadyTime now);
  nanoseconds interval_;  // of the asked rate; 0: unlimited
  double factor_ = 1.0;   // current rate / asked rate (unlimited: / base_)
  double base_ = 0;       // unlimited: the rate measured when throttling began
  TokenBucket admit_;
  TokenBucket send_;
  SteadyTime paused_until_{};
  SteadyTime lowered_at_{};
  SteadyTime recovered_at_{};
  SteadyTime window_begin_{};       // for measuring the rate when unlimited
  std::uint64_t window_count_ = 0;  // sends since window_begin_
  double measured_ = 0;
};

}  // namespace sagorder
