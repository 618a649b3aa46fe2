#include "engine/ranges.hpp"

#include <gtest/gtest.h>

#include "engine/expect.hpp"

namespace sagorder {
namespace {

constexpr SteadyTime kNow{seconds(1000)};

std::vector<std::uint64_t> over(Ranges& ranges) {
  std::vector<Range> taken;
  ranges.take_over(taken);
  std::vector<std::uint64_t> firsts;
  for (const Range& range : taken) firsts.push_back(range.first.value);
  return firsts;
}

/// Claims a range and takes so many rows of it.
void claim(Ranges& ranges, std::uint64_t first, std::uint64_t last, int rows) {
  ranges.ask();
  EXPECT_TRUE(ranges.claimed({{first}, {last}}, kNow));
  for (int i = 0; i < rows; ++i) ranges.took();
  ranges.exhausted(kNow);
}

TEST(Ranges, AreOverInAnyOrder) {
  Ranges ranges;
  claim(ranges, 1, 10, 2);
  claim(ranges, 11, 20, 1);
  claim(ranges, 21, 30, 0);
  EXPECT_EQ(over(ranges), (std::vector<std::uint64_t>{21}));
  ranges.left({15});
  EXPECT_EQ(over(ranges), (std::vector<std::uint64_t>{11}));
  ranges.left({1});
  EXPECT_TRUE(over(ranges).empty());
  ranges.left({10});
  EXPECT_EQ(over(ranges), (std::vector<std::uint64_t>{1}));
  EXPECT_TRUE(over(ranges).empty());
}

TEST(Ranges, OneThatIsReadIsNotOverWhileItsRowsLeave) {
  Ranges ranges;
  ranges.ask();
  ranges.claimed({{1}, {10}}, kNow);
  ranges.took();
  ranges.left({1});
  EXPECT_TRUE(over(ranges).empty());
  ranges.exhausted(kNow);
  EXPECT_EQ(over(ranges).size(), 1U);
}

TEST(Ranges, AfterSomeWithoutARowTheWaitsGrowAndARowEndsThem) {
  Ranges ranges;
  milliseconds waited = kRangeWaitFirst;
  for (std::uint64_t first = 1; first <= 10; ++first) {
    claim(ranges, first, first, 0);
    EXPECT_EQ(ranges.again_at(), kNow + waited);
    EXPECT_FALSE(ranges.wanted(kNow));
    EXPECT_TRUE(ranges.wanted(kNow + waited));
    waited = std::min(2 * waited, kRangeWaitMax);
    over(ranges);
  }
  EXPECT_EQ(waited, kRangeWaitMax);
  claim(ranges, 100, 100, 1);
  EXPECT_TRUE(ranges.wanted(kNow + kRangeWaitMax));
  ranges.ask();
  ranges.none(false, kNow);
  EXPECT_EQ(ranges.again_at(), kNow + kRangeWaitFirst);
}

TEST(Ranges, NoMoreAreHeldThanTheLimit) {
  Ranges ranges;
  for (std::uint64_t i = 0; i < kRangesHeldMax; ++i) claim(ranges, i + 1, i + 1, 1);
  EXPECT_FALSE(ranges.may_ask());
  ranges.left({3});
  over(ranges);
  EXPECT_TRUE(ranges.may_ask());
}

TEST(Ranges, OneThatIsHeldIsNotTakenTwice) {
  Ranges ranges;
  claim(ranges, 5, 6, 1);
  ranges.ask();
  EXPECT_FALSE(ranges.claimed({{5}, {6}}, kNow));
  EXPECT_FALSE(ranges.reading());
  EXPECT_FALSE(ranges.wanted(kNow)) << "it would come again at once";
  EXPECT_TRUE(over(ranges).empty());
  ranges.left({5});
  EXPECT_EQ(over(ranges), (std::vector<std::uint64_t>{5})) << "once";
}

TEST(Ranges, OnesThatOverlapAreAContradiction) {
  for (const Range again : {Range{{1}, {5}}, Range{{6}, {9}}, Range{{1}, {9}}, Range{{6}, {6}}}) {
    Ranges ranges;
    claim(ranges, 5, 6, 1);
    ranges.ask();
    EXPECT_THROW(ranges.claimed(again, kNow), BrokenPromise);
  }
}

TEST(Ranges, EndWhenThereIsNoneForGoodOrNoneIsWanted) {
  Ranges first;
  first.ask();
  first.none(true, kNow);
  EXPECT_TRUE(first.ended());
  EXPECT_FALSE(first.may_ask());

  Ranges second;
  second.ask();
  second.claimed({{1}, {2}}, kNow);
  second.want_no_more();
  EXPECT_FALSE(second.ended()) << "the one that is read is read to its end";
  second.exhausted(kNow);
  EXPECT_TRUE(second.ended());

  Ranges third;
  third.ask();
  third.want_no_more();
  EXPECT_FALSE(third.claimed({{1}, {2}}, kNow)) << "it was asked for before";
  EXPECT_TRUE(third.ended());
  EXPECT_EQ(over(third), (std::vector<std::uint64_t>{1})) << "it is given back";
}

TEST(Ranges, WhatWasNotAskedForIsAContradiction) {
  Ranges ranges;
  EXPECT_THROW(ranges.claimed({{1}, {2}}, kNow), BrokenPromise);
  EXPECT_THROW(ranges.none(false, kNow), BrokenPromise);
  EXPECT_THROW(ranges.exhausted(kNow), BrokenPromise);
  EXPECT_THROW(ranges.took(), BrokenPromise);
  EXPECT_THROW(ranges.left({1}), BrokenPromise);
  ranges.ask();
  EXPECT_THROW(ranges.claimed({{2}, {1}}, kNow), BrokenPromise);
}

}  // namespace
}  // namespace sagorder
