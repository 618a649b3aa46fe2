// What a host may spend of limits that hosts share: orders, seats and seat-months.
//
// The ledger keeps a book of what each host holds: what it has spent (placed or in doubt), what it
// has under way, and what it may still begin. The sum of what all hold never exceeds a limit, and a
// host intends no order that does not fit in what it holds by an answer of the ledger's:
//
//   held before it asked <= its own spending, whatever becomes of the ask <= held by the book
//
// An ask says totals and no differences. So one whose answer was lost does no harm: the book may
// have given more than this host knows of, until the next ask says all of it anew. Asks are
// numbered, and one that comes late, behind another, changes nothing.
//
// A host that has no room for its next order gives back what it does not need for what is under
// way, and asks for room for that order and for more: all that its next order needs, or nothing. So
// no two hosts keep from each other what neither can use. Of what is left it is given half at most,
// and what the next order needs. Where there is not enough it asks again with its heartbeat, as
// long as it or a live host may still give something back, for what is under way may turn out not
// to be executed. After that the limit is met.
#pragma once

#include <cstdint>

#include "engine/moment.hpp"
#include "engine/order.hpp"

namespace sagorder {

inline constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 62;
/// So many times what was read ahead is asked for, where it is used up within a heartbeat.
inline constexpr std::uint64_t kShareFactorMax = 64;

struct Share {
  std::uint64_t orders = 0;
  std::uint64_t seats = 0;
  std::uint64_t seat_months = 0;

  bool operator==(const Share&) const = default;
  /// In each of them; anything in kNoLimit.
  [[nodiscard]] bool fits_in(const Share& most) const {
    const auto fits = [](std::uint64_t number, std::uint64_t limit) {
      return number <= limit || limit == kNoLimit;
    };
    return fits(orders, most.orders) && fits(seats, most.seats) &&
           fits(seat_months, most.seat_months);
  }
  Share& operator+=(const Share& other);
  Share& operator-=(const Share& other);
};
inline Share operator+(Share share, const Share& other) { return share += other; }
inline Share operator-(Share share, const Share& other) { return share -= other; }
Share operator*(const Share& share, std::uint64_t times);
/// In each of them.
Share most_of(const Share& one, const Share& other);
Share least_of(const Share& one, const Share& other);

/// What one order spends.
Share share_of(const Order& order);

/// What a host says and asks for. Totals, none above the next one: spent <= held <= least <=
/// wanted.
struct ShareAsk {
  Share spent;   ///< for good: placed or in doubt
  Share held;    ///< that it keeps: what it has spent and under way, and perhaps more
  Share least;   ///< else no more than `held`
  Share wanted;  ///< at most
};

/// What a host holds then.
struct ShareGrant {
  Share held;
  Share most;                  ///< that it could hold: the limits, less what the others hold
  bool more_may_come = false;  ///< a live host holds what it has not spent
};

/// The book's arithmetic. @param most as ShareGrant::most
Share granted(const ShareAsk& ask, const Share& most);

/// What this host holds, and when it asks for more.
class Holding {
 public:
  [[nodiscard]] const Share& held() const { return held_; }
  /// As the last answer had it.
  [[nodiscard]] const Share& most() const { return most_; }

  /// When to ask for rows that wait, beside the lease's own times.
  /// @param blocked the next of them has no room
  [[nodiscard]] SteadyTime due_at(const Share& used, const Share& waiting, bool blocked) const;
  /// The last ask for room led to none, so nothing else is needed until the next one.
  [[nodiscard]] bool is_refused() const { return refused_; }

  /// Whether there is something to say with a lease that is asked for now, and what.
  /// @param spent for good  @param used that, and what is under way
  /// @param next what the next order spends, if one waits  @param waiting all that wait
  [[nodiscard]] bool has_to_say(const Share& spent, const Share& used, const Share& waiting,
                                bool blocked, SteadyTime now) const;
  ShareAsk ask(const Share& spent, const Share& used, const Share& next, const Share& waiting,
               bool blocked, SteadyTime now);
  void granted(const ShareGrant& grant, SteadyTime now);
  void failed();

  /// Nobody will give back what this order would need.
  /// @param spent for good; nothing is under way
  [[nodiscard]] bool is_final(const Share& spent, const Share& next) const;

 private:
  void ask_for_more(const Share& used, const Share& next, const Share& waiting, bool blocked,
                    SteadyTime now);

  Share held_;
  Share most_;
  ShareAsk asked_;
  bool asking_ = false;
  bool wants_more_ = false;    // the last ask
  bool refused_ = false;       // an ask that was blocked
  bool more_may_come_ = true;  // as the last answer had it
  Share told_;                 // as spent
  SteadyTime told_at_ = SteadyTime::min();
  SteadyTime more_at_ = SteadyTime::min();   // of the last ask for more; min: never
  SteadyTime again_at_ = SteadyTime::min();  // after one that gave nothing
  std::uint64_t factor_ = 1;
};

}  // namespace sagorder
