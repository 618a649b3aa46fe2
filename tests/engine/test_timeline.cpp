#include "engine/timeline.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace sagorder {
namespace {

constexpr WallTime kBegin{seconds(1'700'000'000)};
constexpr RateLimit kUnlimited{0, seconds(1)};

std::uint64_t sum_of(const Timeline& timeline, Happening what) {
  std::uint64_t sum = 0;
  for (const auto& bucket : timeline.buckets()) sum += bucket.at(static_cast<std::size_t>(what));
  return sum;
}

TEST(Timeline, BeginsWithBucketsThatHoldTenOrders) {
  const auto width = [](std::uint64_t count, seconds window) {
    return Timeline(kBegin, RateLimit{count, window}).width();
  };
  EXPECT_EQ(Timeline(kBegin, kUnlimited).width(), milliseconds(100));
  EXPECT_EQ(width(1000, seconds(1)), milliseconds(100));
  EXPECT_EQ(width(50, seconds(1)), milliseconds(200));
  EXPECT_EQ(width(10, seconds(1)), seconds(1));
  EXPECT_EQ(width(9, seconds(1)), seconds(2));
  EXPECT_EQ(width(1, seconds(60)), seconds(600));
  EXPECT_EQ(width(1, seconds(86'400)), std::chrono::hours(24));
}

TEST(Timeline, CountsEachHappeningInItsBucket) {
  Timeline timeline(kBegin, kUnlimited);
  timeline.add(kBegin, Happening::begun);
  timeline.add(kBegin + milliseconds(99), Happening::begun);
  timeline.add(kBegin + milliseconds(100), Happening::placed);
  timeline.add(kBegin + milliseconds(250), Happening::in_doubt);
  timeline.add(kBegin + milliseconds(250), Happening::refused);
  const auto& buckets = timeline.buckets();
  ASSERT_EQ(buckets.size(), 3U);
  EXPECT_EQ(buckets[0], (Timeline::Bucket{2, 0, 0, 0}));
  EXPECT_EQ(buckets[1], (Timeline::Bucket{0, 1, 0, 0}));
  EXPECT_EQ(buckets[2], (Timeline::Bucket{0, 0, 1, 1}));
}

TEST(Timeline, WidensAndLosesNothing) {
  Timeline timeline(kBegin, kUnlimited);
  std::uint64_t added = 0;
  milliseconds before = timeline.width();
  for (milliseconds at{0}; at < std::chrono::hours(24 * 300); at += at / 50 + milliseconds(7)) {
    timeline.add(kBegin + at, Happening::begun);
    ++added;
    ASSERT_LE(timeline.buckets().size(), Timeline::kBucketsMax);
    ASSERT_EQ(timeline.width() % before, milliseconds(0));
    ASSERT_EQ(sum_of(timeline, Happening::begun), added);
    before = timeline.width();
  }
  EXPECT_EQ(timeline.width(), std::chrono::hours(24));
  EXPECT_EQ(timeline.outside(), 0U);
}

TEST(Timeline, AWiderBucketHoldsWhatItsPartsHeld) {
  Timeline timeline(kBegin, RateLimit{10, seconds(1)});  // a second each
  for (int at = 0; at < 10; ++at) timeline.add(kBegin + seconds(at), Happening::placed);
  timeline.add(kBegin + seconds(Timeline::kBucketsMax), Happening::placed);  // 2 s each
  timeline.add(kBegin + seconds(2 * Timeline::kBucketsMax), Happening::placed);
  EXPECT_EQ(timeline.width(), seconds(10));
  EXPECT_EQ(timeline.buckets().at(0).at(1), 10U);
  EXPECT_EQ(timeline.buckets().at(36).at(1), 1U);
  EXPECT_EQ(timeline.buckets().at(72).at(1), 1U);
}

TEST(Timeline, WhatAClockSaysWrongIsOutside) {
  Timeline timeline(kBegin, kUnlimited);
  timeline.add(kBegin - seconds(1), Happening::begun);  // within what clocks may differ
  EXPECT_EQ(timeline.outside(), 0U);
  EXPECT_EQ(timeline.buckets().at(0).at(0), 1U);
  timeline.add(kBegin - milliseconds(1001), Happening::begun);
  timeline.add(kBegin + std::chrono::hours(24 * 360), Happening::begun);
  timeline.add(WallTime(milliseconds(std::numeric_limits<std::int64_t>::max())), Happening::begun);
  timeline.add(WallTime(milliseconds(std::numeric_limits<std::int64_t>::min())), Happening::begun);
  EXPECT_EQ(timeline.outside(), 4U);
  EXPECT_EQ(sum_of(timeline, Happening::begun), 1U);
  EXPECT_EQ(timeline.width(), milliseconds(100));
}

}  // namespace
}  // namespace sagorder
