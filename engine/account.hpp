// The account's bucket, of which hosts lease tokens: one state for all of them, on one clock, which
// is the database's. The statement that the shared ledger runs is a transcription of `lease`.
//
// The promise: in any window of length W all hosts together use at most burst + rate x W tokens.
// A token that is taken now may be used at any moment of its lease, so what was taken up to a lease
// ago and what is taken now may leave together. So the bucket gives at most
//
//   burst - rate x lease
//
// at once: then in W at most that + rate x (W + lease) tokens can be used, which is the promise. A
// burst that leaves less than one token is refused, with the least that would do.
//
// What throttling one host saw lowers the rate and pauses all; the rate climbs back as a host's own
// does (engine/rate).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/lease.hpp"
#include "engine/moment.hpp"
#include "engine/rate.hpp"

namespace sagorder {

struct AccountTerms {
  RateLimit rate;
  std::uint64_t burst = 1;
  milliseconds lease = kLeaseLength;
  /// What the bucket can give at once; below 1: nothing ever.
  [[nodiscard]] double capacity() const;
};

/// The least burst that leaves a token to lease.
std::uint64_t least_burst(const RateLimit& rate, milliseconds lease);
/// The burst when none is asked for: as much again, so that hosts can ask twice a lease.
std::uint64_t default_shared_burst(const RateLimit& rate, milliseconds lease);
/// The longest lease that this burst allows, whole milliseconds; 0: none.
milliseconds longest_lease(const RateLimit& rate, std::uint64_t burst);
/// What is wrong with the terms, and what would do; nullopt: nothing.
std::optional<std::string> complaint_of(const AccountTerms& terms);

/// What an ask leads to.
struct LeaseGrant {
  std::uint32_t tokens = 0;
  double factor = 1.0;        ///< of the rate, for all hosts now
  nanoseconds paused_for{0};  ///< nothing is sent for so long
};

class Account {
 public:
  /// @param now since any moment, by the one clock
  Account(const AccountTerms& terms, nanoseconds now);
  /// A clock that is set back gives nothing.
  LeaseGrant lease(const LeaseWish& wish, nanoseconds now);

 private:
  AccountTerms terms_;
  nanoseconds at_;    // of the last ask
  double level_ = 0;  // tokens given that time has not paid for yet
  double factor_ = 1.0;
  nanoseconds paused_until_;
};

}  // namespace sagorder
