#include "engine/allowance.hpp"

#include <gtest/gtest.h>

namespace sagorder {
namespace {

Order order_of(std::uint32_t seats, std::uint32_t months = 1) {
  Order order;
  order.row = {7};
  order.user_count = seats;
  order.period = months;
  return order;
}

/// An order that is placed, or in doubt: reserved, spent, and no more under way.
void buy(Allowance& allowance, const Order& order) {
  allowance.reserve(order);
  allowance.settle(order, RecordKind::placed);
  allowance.release(order);
}

TEST(Allowance, WithoutLimitsThereIsRoomForEverything) {
  Allowance allowance(Limits(), Rows(0));
  for (int i = 0; i < 100; ++i) buy(allowance, order_of(2'000'000'000, 2'000'000'000));
  EXPECT_TRUE(allowance.has_room(order_of(1)));
}

TEST(Allowance, WhatIsUnderWayCountsAsSpentUntilItIsGivenBack) {
  Limits limits;
  limits.max_orders = 2;
  Allowance allowance(limits, Rows(0));
  buy(allowance, order_of(1));
  allowance.reserve(order_of(1));
  EXPECT_FALSE(allowance.has_room(order_of(1)));
  allowance.release(order_of(1));
  EXPECT_TRUE(allowance.has_room(order_of(1)));
  buy(allowance, order_of(1));
  EXPECT_FALSE(allowance.has_room(order_of(1)));
  const LimitMet met = allowance.met_by(order_of(1));
  EXPECT_EQ(met.stop, Stop::max_orders);
  EXPECT_EQ(met.detail, "2 orders were placed or may have been, as allowed");
}

TEST(Allowance, SeatsFitExactlyOrNotAtAll) {
  Limits limits;
  limits.max_seats = 50;
  Allowance allowance(limits, Rows(0));
  buy(allowance, order_of(20, 12));
  EXPECT_TRUE(allowance.has_room(order_of(30, 36)));
  EXPECT_FALSE(allowance.has_room(order_of(31)));
  allowance.reserve(order_of(10));
  EXPECT_FALSE(allowance.has_room(order_of(30)));
  allowance.release(order_of(10));
  EXPECT_TRUE(allowance.has_room(order_of(30)));
  const LimitMet met = allowance.met_by(order_of(31));
  EXPECT_EQ(met.stop, Stop::max_seats);
  EXPECT_EQ(met.detail, "row 7 is for 31 seats, and 30 of 50 are left");
  EXPECT_FALSE(met.too_small) << "another run may buy them";
  EXPECT_TRUE(allowance.met_by(order_of(51)).too_small);
}

TEST(Allowance, SeatMonthsAreSeatsTimesMonths) {
  Limits limits;
  limits.max_seat_months = 240;
  Allowance allowance(limits, Rows(0));
  buy(allowance, order_of(10, 12));
  EXPECT_TRUE(allowance.has_room(order_of(10, 12)));
  EXPECT_TRUE(allowance.has_room(order_of(120, 1)));
  EXPECT_FALSE(allowance.has_room(order_of(11, 11)));
  allowance.reserve(order_of(1, 1));
  EXPECT_FALSE(allowance.has_room(order_of(10, 12)));
  allowance.release(order_of(1, 1));
  const LimitMet met = allowance.met_by(order_of(11, 11));
  EXPECT_EQ(met.stop, Stop::max_seat_months);
  EXPECT_EQ(met.detail, "row 7 is for 121 seat-months, and 120 of 240 are left");
  EXPECT_FALSE(met.too_small) << "another run may buy it";
  EXPECT_TRUE(allowance.met_by(order_of(241, 1)).too_small);
}

TEST(Allowance, DoubtsAreCountedAndOtherFatesAreNot) {
  Limits limits;
  limits.max_doubts = 2;
  Allowance allowance(limits, Rows(0));
  for (const Fate fate : {Fate::placed, Fate::rejected, Fate::not_executed}) {
    for (int i = 0; i < 5; ++i) EXPECT_FALSE(allowance.judge(fate));
  }
  EXPECT_FALSE(allowance.judge(Fate::in_doubt));
  EXPECT_FALSE(allowance.judge(Fate::placed));
  const auto met = allowance.judge(Fate::in_doubt);
  ASSERT_TRUE(met);
  EXPECT_EQ(met->stop, Stop::max_doubts);
  EXPECT_EQ(met->detail, "2 new rows in doubt");
}

TEST(Allowance, RefusalsInARowEndWithAGoodAnswer) {
  Limits limits;
  limits.max_failures = {3, false};
  Allowance allowance(limits, Rows(0));
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(allowance.judge(Fate::rejected));
  EXPECT_FALSE(allowance.judge(Fate::placed));
  EXPECT_FALSE(allowance.judge(Fate::rejected));
  EXPECT_FALSE(allowance.judge(Fate::not_executed));
  EXPECT_FALSE(allowance.judge(Fate::rejected));
  const auto met = allowance.judge(Fate::rejected);
  ASSERT_TRUE(met);
  EXPECT_EQ(met->stop, Stop::max_failures);
  EXPECT_EQ(met->detail, "3 refusals in a row");
}

TEST(Allowance, AShareIsJudgedOnceThereIsSomethingToJudge) {
  Limits limits;
  limits.max_failures = {50, true};
  Allowance allowance(limits, Rows(0));
  for (std::uint64_t i = 1; i < kFailureShareFrom; ++i) {
    EXPECT_FALSE(allowance.judge(Fate::rejected));
  }
  const auto met = allowance.judge(Fate::rejected);
  ASSERT_TRUE(met);
  EXPECT_EQ(met->detail, "more than 50% of the orders were refused");
}

// --- the canary

/// A batch with so many rows in each state, and more that are pending.
Rows batch(std::uint64_t placed, std::uint64_t rejected, std::uint64_t in_doubt) {
  Rows rows(100);
  std::uint64_t row = 0;
  const auto settle = [&](std::uint64_t count, RecordKind kind) {
    for (std::uint64_t i = 0; i < count; ++i) {
      ++row;
      EXPECT_TRUE(rows.apply({RecordKind::intent, {row}, {1}}));
      EXPECT_TRUE(rows.apply({kind, {row}, {1}}));
    }
  };
  settle(placed, RecordKind::placed);
  settle(rejected, RecordKind::rejected);
  settle(in_doubt, RecordKind::in_doubt);
  return rows;
}

Limits canary_of(std::uint64_t count) {
  Limits limits;
  limits.canary = count;
  return limits;
}

TEST(Allowance, TheCanaryGoesAloneUntilAllOfItIsPlaced) {
  Allowance allowance(canary_of(2), batch(0, 0, 0));
  allowance.reserve(order_of(1));
  EXPECT_TRUE(allowance.has_room(order_of(1)));
  allowance.reserve(order_of(1));
  EXPECT_FALSE(allowance.has_room(order_of(1)));
  EXPECT_FALSE(allowance.judge(Fate::placed));  // not durable yet
  EXPECT_FALSE(allowance.has_room(order_of(1)));
  allowance.settle(order_of(1), RecordKind::placed);
  allowance.release(order_of(1));
  EXPECT_FALSE(allowance.has_room(order_of(1)));
  allowance.settle(order_of(1), RecordKind::placed);
  allowance.release(order_of(1));
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(allowance.has_room(order_of(1)));
    allowance.reserve(order_of(1));
  }
  EXPECT_FALSE(allowance.judge(Fate::rejected));
  EXPECT_FALSE(allowance.judge(Fate::in_doubt));
  EXPECT_TRUE(allowance.has_room(order_of(1)));
}

TEST(Allowance, OneThatIsNotPlacedEndsTheCanary) {
  for (const Fate fate : {Fate::rejected, Fate::in_doubt}) {
    Allowance allowance(canary_of(3), batch(0, 0, 0));
    buy(allowance, order_of(1));
    const auto met = allowance.judge(fate);
    ASSERT_TRUE(met);
    EXPECT_EQ(met->stop, Stop::canary);
    EXPECT_FALSE(allowance.has_room(order_of(1)));
  }
}

TEST(Allowance, AnAttemptThatDidNotExecuteGivesItsPlaceInTheCanaryBack) {
  Allowance allowance(canary_of(1), batch(0, 0, 0));
  allowance.reserve(order_of(1));
  EXPECT_FALSE(allowance.judge(Fate::not_executed));
  allowance.release(order_of(1));
  EXPECT_TRUE(allowance.has_room(order_of(1)));
}

TEST(Allowance, TheLedgerTellsHowTheCanaryStands) {
  struct Case {
    std::uint64_t placed, rejected, in_doubt;
    bool room;
  };
  for (const Case& each :
       {Case{3, 0, 0, true}, Case{3, 5, 5, false}, Case{9, 1, 0, false}, Case{9, 0, 1, false},
        Case{2, 0, 0, true}, Case{2, 1, 0, false}, Case{2, 0, 1, false}, Case{0, 0, 3, false}}) {
    const Allowance allowance(canary_of(3), batch(each.placed, each.rejected, each.in_doubt));
    EXPECT_EQ(allowance.has_room(order_of(1)), each.room)
        << each.placed << " " << each.rejected << " " << each.in_doubt;
  }
  const LimitMet met = Allowance(canary_of(3), batch(2, 1, 0)).met_by(order_of(1));
  EXPECT_EQ(met.stop, Stop::canary);
  EXPECT_EQ(met.detail,
            "of the batch's orders so far 2 are placed, 1 rejected, 0 in doubt; --canary 3 lets "
            "the rest go only if the first 3 are placed and no row is rejected or in doubt");
}

// --- the deadline

constexpr WallTime kWall{milliseconds(1'767'323'045'000)};
constexpr SteadyTime kSteady{seconds(1000)};

TEST(Allowance, TheDeadlineIsOverByWhicheverClockSaysSoFirst) {
  Limits limits;
  limits.not_after = kWall + seconds(10);
  Allowance allowance(limits, Rows(0));
  allowance.begin({kSteady, kWall});
  EXPECT_FALSE(allowance.is_over({kSteady + milliseconds(9'999), kWall + milliseconds(9'999)}));
  EXPECT_TRUE(allowance.is_over({kSteady + seconds(10), kWall + seconds(10)}));
  EXPECT_TRUE(allowance.is_over({kSteady + seconds(10), kWall - seconds(3600)}));  // set back
  EXPECT_TRUE(allowance.is_over({kSteady, kWall + seconds(10)}));                  // set ahead
  EXPECT_EQ(allowance.over_at({kSteady, kWall}), kSteady + seconds(10));
  EXPECT_EQ(allowance.over_at({kSteady, kWall + seconds(4)}), kSteady + seconds(6));
  EXPECT_EQ(allowance.over_at({kSteady, kWall - seconds(4)}), kSteady + seconds(10));
}

TEST(Allowance, ADeadlineMayBeFarAwayOrPast) {
  Limits limits;
  limits.not_after = kWall + std::chrono::hours(24 * 365 * 8000);
  Allowance far_away(limits, Rows(0));
  far_away.begin({kSteady, kWall});
  EXPECT_FALSE(far_away.is_over({kSteady, kWall}));
  EXPECT_GT(far_away.over_at({kSteady, kWall}), kSteady + std::chrono::hours(24 * 365 * 99));
  limits.not_after = kWall - milliseconds(1);
  Allowance past(limits, Rows(0));
  past.begin({kSteady, kWall});
  EXPECT_TRUE(past.is_over({kSteady, kWall}));
  EXPECT_FALSE(Allowance(Limits(), Rows(0)).is_over({kSteady, kWall}));
}

}  // namespace
}  // namespace sagorder
