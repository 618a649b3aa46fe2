// What a run may still spend, and when it has seen enough to stop.
//
//   reserve   an order is about to be intended: it counts as spent, for it may turn out so
//   settle    its outcome is durable: placed or in doubt, it stays spent
//   release   nothing of it is under way any more; what was not spent may be ordered again
//   judge     what became of an attempt: too many doubts or refusals stop the run
//
// Every limit is one of this run, not of the batch: the same command again may spend as much
// again. A limit on what is bought is never exceeded, and final only when nothing is under way that
// might still give something back. Where hosts share a batch, so they share these limits: room is
// what this host holds of them (engine/share).
//
// The canary is of the batch. Its first orders go alone; the rest goes once so many are placed, and
// not at all while one is rejected or in doubt. What the ledger says counts, of every row that an
// earlier run sent: a run begins with no row rejected or in doubt, or sends nothing. What comes
// after its canary has passed is judged by the other limits alone.
//
// The deadline is over by whichever clock says so first: the wall clock, or the steady one, which
// was told at the beginning how long it is until then. A clock that is set back gains no time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/life.hpp"
#include "engine/moment.hpp"
#include "engine/order.hpp"
#include "engine/planted.hpp"
#include "engine/share.hpp"
#include "engine/stop.hpp"
#include "engine/verdict.hpp"

namespace sagorder {

/// A limit on failures in a row (`percent` false) or on their share of the run's settled rows.
struct FailureLimit {
  std::uint32_t value = 25;
  bool percent = false;
};

inline constexpr std::uint64_t kFailureShareFrom = 20;  ///< rows settled before N% is judged

/// Of one run; nullopt: none.
struct Limits {
  std::optional<std::uint64_t> max_orders;  ///< placed, or in doubt
  std::optional<std::uint64_t> max_seats;
  std::optional<std::uint64_t> max_seat_months;
  FailureLimit max_failures;
  std::uint32_t max_doubts = 10;
  std::uint64_t canary = 0;           ///< orders of the batch that go first; 0: none
  std::optional<WallTime> not_after;  ///< from then on nothing is sent
};

/// What may be bought by them; kNoLimit: any number.
[[nodiscard]] Share most_by(const Limits& limits);

/// What stops a run, and a sentence for people.
struct LimitMet {
  Stop stop = Stop::none;
  std::string detail;
  bool too_small = false;  ///< for the order at hand, also in a run that begins anew
};

class Allowance {
 public:
  /// @param rows states as replayed, for the canary
  /// @param shared the limits of what is bought are those of all hosts together
  Allowance(const Limits& limits, const Rows& rows, bool shared = false);

  /// Once, before anything is sent.
  void begin(Moment now);

  /// Whether this order may be intended now. What is under way counts as spent.
  [[nodiscard]] bool has_room(const Order& order) const;
  /// Whether there will be none for it, once nothing is under way here.
  [[nodiscard]] bool is_final(const Order& order) const {
    return !holding_ || holding_->is_final(spent_, share_of(order));
  }
  /// The limit that leaves no room for it then.
  [[nodiscard]] LimitMet met_by(const Order& order) const;

  void reserve(const Order& order) { reserved_ += share_of(order); }
  void release(const Order& order) { reserved_ -= share_of(order); }
  void settle(const Order& order, RecordKind outcome);

  // --- limits that hosts share; without them nothing of this does anything

  [[nodiscard]] bool is_shared() const { return holding_.has_value(); }
  /// An order waits to be admitted, and does no more.
  void line_up(const Order& order) {
    if (holding_) waiting_ += share_of(order);
  }
  void leave_line(const Order& order) {
    if (holding_) waiting_ -= share_of(order);
  }
  /// When to ask for more, beside the lease's own times. @param blocked there is no room for the
  /// next order
  [[nodiscard]] SteadyTime share_due_at(bool blocked) const;
  /// What is said and asked for with a lease that is asked for now. @param next if it is blocked
  std::optional<ShareAsk> ask_for_share(const Order* next, SteadyTime now);
  void share_granted(const ShareGrant& grant, SteadyTime now);
  void share_failed() {
    if (holding_) holding_->failed();
  }
  /// Nothing but what this host or another one gives back leads to room for the next order.
  [[nodiscard]] bool waits_for_share() const { return holding_ && holding_->is_refused(); }
  /// Of what this host holds it gives back all but this, once nothing is under way.
  [[nodiscard]] const Share& spent() const { return spent_; }

  /// Counts what became of an attempt. @return the limit that is met by it
  std::optional<LimitMet> judge(Fate fate);

  /// How the canary stands, for people.
  [[nodiscard]] std::string canary_detail() const;

  [[nodiscard]] bool has_deadline() const { return limits_.not_after.has_value(); }
  [[nodiscard]] bool is_over(Moment now) const;
  /// When it will be over, as it looks now; there is a deadline.
  [[nodiscard]] SteadyTime over_at(Moment now) const;

 private:
  [[nodiscard]] Share under_way() const {
    return planted(Planted::under_way_is_free) ? Share{} : reserved_;
  }
  [[nodiscard]] const Share& room() const { return holding_ ? holding_->held() : most_; }
  [[nodiscard]] std::uint64_t not_placed() const;
  [[nodiscard]] bool canary_passed() const {
    return limits_.canary == 0 || (placed_ >= limits_.canary && not_placed() == 0);
  }
  [[nodiscard]] bool canary_failed() const { return limits_.canary > 0 && not_placed() > 0; }
  [[nodiscard]] bool canary_has_room() const;
  std::optional<LimitMet> judge_refusals();

  Limits limits_;
  Share most_;                      // that may be spent by the limits
  std::optional<Holding> holding_;  // of limits that hosts share
  Share waiting_;                   // likewise: read, or to be tried again
  Share reserved_;                  // under way
  Share spent_;                     // placed or in doubt
  std::uint64_t answered_ = 0;      // placed, rejected or in doubt
  std::uint64_t refusals_ = 0;
  std::uint32_t refusals_in_a_row_ = 0;
  std::uint32_t doubts_ = 0;

  std::uint64_t placed_;    // of the batch, by the ledger and since
  std::uint64_t rejected_;  // likewise, until the canary has passed
  std::uint64_t doubted_;
  SteadyTime over_at_{};
};

}  // namespace sagorder
