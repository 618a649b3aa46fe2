// When a key that lives for a while is renewed, and until when it signs. Wall clock alone, for that
// is how its end is told; no jitter, for one process has one key.
//
//   from ------------ signs -------------+------- signs, renewal due ------+--- signs no more ---
//   end
//                                      due_at                        signs_until
//
// Due a quarter of its life before its end, 15 minutes at most: time for many attempts. Signs no
// more a sixteenth of its life before its end, 10 s at most: a request takes its time on the way,
// and clocks differ. After an attempt that failed the next one comes after 1 s, then after twice as
// long each time, 60 s at most, and one when the key has just ceased to sign.
#pragma once

#include <cstdint>

#include "engine/moment.hpp"

namespace sagorder {

inline constexpr milliseconds kRenewAheadMax{15 * 60 * 1'000};
inline constexpr int kRenewAheadShare = 4;  ///< of its life
inline constexpr milliseconds kKeyMarginMax{10 * 1'000};
inline constexpr int kKeyMarginShare = 16;
inline constexpr milliseconds kRenewWaitFirst{1'000};
inline constexpr milliseconds kRenewWaitMax{60'000};

/// From when it was fetched until it expires.
struct KeyLife {
  WallTime from;
  WallTime until;
};

class Renewal {
 public:
  /// A key that cannot be renewed, and of whose end nothing is known.
  Renewal() = default;
  explicit Renewal(const KeyLife& life) { start(life); }

  [[nodiscard]] bool renewable() const { return renewable_; }
  /// Whether something may be signed with it now.
  [[nodiscard]] bool signs(WallTime now) const { return now < signs_until_; }
  [[nodiscard]] WallTime signs_until() const { return signs_until_; }
  [[nodiscard]] WallTime expires_at() const { return expires_at_; }
  /// When the next attempt is to begin; WallTime::max(): one is under way, or none is to be made.
  [[nodiscard]] WallTime next_at() const { return under_way_ ? WallTime::max() : next_at_; }
  [[nodiscard]] bool due(WallTime now) const { return now >= next_at(); }

  void began() { under_way_ = true; }
  /// The attempt failed. Of one after whose failure the key does not sign, no more is hoped for.
  void failed(WallTime now);
  /// @return false: it lives no longer than the one before, so that counts as a failure
  bool renewed(const KeyLife& life);

  /// A server called the key expired. Nothing is signed with it any more, and the next attempt is
  /// due at once. @return false: it was itself fetched for that reason, and no order went well with
  /// it; to fetch another one would not help
  bool refused(WallTime now);
  /// An order was placed with it.
  void proved() { for_refusal_ = false; }

 private:
  void start(const KeyLife& life);

  bool renewable_ = false;
  bool under_way_ = false;
  bool is_refused_ = false;
  bool for_refusal_ = false;  // fetched because the one before was refused, and not proved yet
  WallTime expires_at_ = WallTime::max();
  WallTime signs_until_ = WallTime::max();
  WallTime next_at_ = WallTime::max();
  milliseconds wait_ = kRenewWaitFirst;
};

}  // namespace sagorder
