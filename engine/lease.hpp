// What a host may send of an account's rate that hosts share, and until when.
//
// Tokens are leased from the account's bucket (engine/account) for a fraction of a second, which
// counts from before they were asked for: so this host sees their end first. A token that is not
// used by then is nobody's. Without a token nothing is sent: a host that cannot reach the ledger
// falls silent within its lease, and one that stood still has to ask again on waking.
//
//   asked -> granted: so many tokens, until then -> used one by one, or ended
//      \-> failed: asked again, after waits that grow
//
// How many are asked for follows what was used lately; rows that were admitted are promised one
// each. One ask is under way at a time. A host that needs none asks all the same, now and then, for
// none: that it lives is told by asking.
//
// Without a rate a lease has no tokens to count; under it as many may be sent as wanted.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "engine/moment.hpp"
#include "engine/rate.hpp"
#include "engine/share.hpp"

namespace sagorder {

inline constexpr milliseconds kLeaseLength{500};
inline constexpr milliseconds kLeaseLengthMin{50};
inline constexpr milliseconds kLeaseLengthMax{10'000};
inline constexpr milliseconds kHeartbeat{1'000};  ///< a host that needs nothing asks so often
inline constexpr milliseconds kLeaseRetryMax{2'000};
inline constexpr int kAsksInALease = 10;  ///< not more often than so many times in a lease's length
inline constexpr std::size_t kGrantsMax = 16;  ///< that have not ended

/// What a host asks the account's bucket for, and what it tells it.
struct LeaseWish {
  std::uint32_t tokens = 0;
  double factor = 1.0;        ///< below 1: a throttling answer lowered the rate to this share of it
  nanoseconds paused_for{0};  ///< nothing is to be sent for so long, as the gateway hinted
  std::optional<ShareAsk> share = {};  ///< of limits that hosts share
};

class Lease {
 public:
  /// @param rate the account's
  Lease(milliseconds length, const RateLimit& rate);

  /// When to ask, as it looks now; SteadyTime::max(): an ask is under way.
  /// @param needed rows wait to be sent, or to be admitted
  [[nodiscard]] SteadyTime due_at(bool needed, SteadyTime now) const;
  /// The first moment at which it may be asked, whatever is needed; SteadyTime::max(): as above.
  [[nodiscard]] SteadyTime soonest() const;
  /// It is asked. @return for how many tokens
  std::uint32_t ask(bool needed, SteadyTime now);
  /// @param until by this host's clock, from before it asked; never beyond the lease's length
  void granted(std::uint32_t tokens, SteadyTime until, SteadyTime now);
  void failed();

  /// Whether a lease holds, be there tokens left or not.
  [[nodiscard]] bool holds(SteadyTime now) const { return now < held_until_; }
  /// How many may be sent now.
  [[nodiscard]] std::uint32_t tokens(SteadyTime now) const { return tokens_beyond(now); }
  /// @return until when what takes it may leave
  SteadyTime take(SteadyTime now);

  /// Whether a row may be admitted: there is a token that is promised to none.
  [[nodiscard]] bool has_room(SteadyTime now) const { return tokens(now) > promised_; }
  [[nodiscard]] std::uint32_t promised() const { return promised_; }
  void promise() { ++promised_; }
  /// Its row was sent, or will not be.
  void keep_promise() { --promised_; }

 private:
  struct Grant {
    std::uint32_t tokens = 0;
    SteadyTime until;
  };
  [[nodiscard]] Grant& grant(std::size_t index) { return grants_[(first_ + index) % kGrantsMax]; }
  [[nodiscard]] const Grant& grant(std::size_t index) const {
    return grants_[(first_ + index) % kGrantsMax];
  }
  [[nodiscard]] std::uint32_t tokens_beyond(SteadyTime then) const;
  [[nodiscard]] bool enough(SteadyTime now) const;
  void drop_ended(SteadyTime now);

  nanoseconds length_;
  bool unlimited_;
  std::uint32_t most_;                    // tokens that a lease's length is worth
  std::array<Grant, kGrantsMax> grants_;  // a ring; the first ends first
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  SteadyTime held_until_ = SteadyTime::min();

  bool asking_ = false;
  SteadyTime asked_at_ = SteadyTime::min();  // min: never
  std::uint32_t asked_for_ = 0;
  std::uint32_t wanted_;    // so many are to be at hand
  std::uint32_t used_ = 0;  // since the last ask
  std::uint32_t promised_ = 0;
  nanoseconds spacing_;  // to the next ask
};

}  // namespace sagorder
