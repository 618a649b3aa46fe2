// What a run may still spend, and when it has seen enough to stop.
//
//   reserve   an order is about to be intended: it counts as spent, for it may turn out so
//   spend     its outcome is durable, placed or in doubt: it stays spent
//   release   nothing of it is under way any more; what was not spent may be ordered again
//   judge     what became of an attempt: too many doubts or refusals stop the run
//
// Every limit is one of this run, not of the batch: the same command again may spend as much
// again. A limit on what is bought is never exceeded, and final only when nothing is under way that
// might still give something back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/order.hpp"
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
};

/// What stops a run, and a sentence for people.
struct LimitMet {
  Stop stop = Stop::none;
  std::string detail;
};

class Allowance {
 public:
  explicit Allowance(const Limits& limits) : limits_(limits) {}

  /// Whether this order may be intended now. What is under way counts as spent.
  [[nodiscard]] bool has_room(const Order& order) const;
  /// The limit that leaves no room for it, once nothing is under way.
  [[nodiscard]] LimitMet met_by(const Order& order) const;

  void reserve(const Order& order) { reserved_.add(order); }
  void release(const Order& order) { reserved_.take_away(order); }
  void spend(const Order& order) { spent_.add(order); }

  /// Counts what became of an attempt. @return the limit that is met by it
  std::optional<LimitMet> judge(Fate fate);

 private:
  struct Sum {
    std::uint64_t orders = 0;
    std::uint64_t seats = 0;
    std::uint64_t seat_months = 0;
    void add(const Order& order);
    void take_away(const Order& order);
  };
  std::optional<LimitMet> judge_refusals();

  Limits limits_;
  Sum reserved_;                // under way
  Sum spent_;                   // placed or in doubt
  std::uint64_t answered_ = 0;  // placed, rejected or in doubt
  std::uint64_t refusals_ = 0;
  std::uint32_t refusals_in_a_row_ = 0;
  std::uint32_t doubts_ = 0;
};

}  // namespace sagorder
