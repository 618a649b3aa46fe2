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
  allowance.spend(order);
  allowance.release(order);
}

TEST(Allowance, WithoutLimitsThereIsRoomForEverything) {
  Allowance allowance{Limits()};
  for (int i = 0; i < 100; ++i) buy(allowance, order_of(2'000'000'000, 2'000'000'000));
  EXPECT_TRUE(allowance.has_room(order_of(1)));
}

TEST(Allowance, WhatIsUnderWayCountsAsSpentUntilItIsGivenBack) {
  Limits limits;
  limits.max_orders = 2;
  Allowance allowance(limits);
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
  Allowance allowance(limits);
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
}

TEST(Allowance, SeatMonthsAreSeatsTimesMonths) {
  Limits limits;
  limits.max_seat_months = 240;
  Allowance allowance(limits);
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
}

TEST(Allowance, DoubtsAreCountedAndOtherFatesAreNot) {
  Limits limits;
  limits.max_doubts = 2;
  Allowance allowance(limits);
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
  Allowance allowance(limits);
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
  Allowance allowance(limits);
  for (std::uint64_t i = 1; i < kFailureShareFrom; ++i) {
    EXPECT_FALSE(allowance.judge(Fate::rejected));
  }
  const auto met = allowance.judge(Fate::rejected);
  ASSERT_TRUE(met);
  EXPECT_EQ(met->detail, "more than 50% of the orders were refused");
}

}  // namespace
}  // namespace sagorder
