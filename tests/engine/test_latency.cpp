#include "engine/latency.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace sagorder {
namespace {

std::uint64_t counted(const std::vector<Latencies::Bar>& bars) {
  std::uint64_t sum = 0;
  for (const Latencies::Bar& bar : bars) sum += bar.count;
  return sum;
}

TEST(Latencies, OfNothingAreZero) {
  const Latencies latencies;
  EXPECT_EQ(latencies.count(), 0U);
  EXPECT_EQ(latencies.min(), milliseconds(0));
  EXPECT_EQ(latencies.quantile(0.99), milliseconds(0));
  EXPECT_TRUE(latencies.bars(10).empty());
}

TEST(Latencies, QuantilesAreExactBelowTwoSeconds) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 random(seed);
    Latencies latencies;
    std::vector<std::int64_t> all(1 + random() % 500);
    for (std::int64_t& ms : all) {
      ms = static_cast<std::int64_t>(random() % 2048);
      latencies.add(milliseconds(ms));
    }
    std::ranges::sort(all);
    for (const std::size_t percent : {1U, 50U, 90U, 99U, 100U}) {
      const std::size_t rank = std::max<std::size_t>((all.size() * percent + 99) / 100, 1);
      ASSERT_EQ(latencies.quantile(static_cast<double>(percent) / 100).count(), all[rank - 1])
          << "seed " << seed << " p" << percent;
    }
    EXPECT_EQ(latencies.min().count(), all.front());
    EXPECT_EQ(latencies.max().count(), all.back());
  }
}

TEST(Latencies, QuantilesAreWithinAThousandthAbove) {
  for (std::int64_t ms = 2048; ms < (1 << 24); ms += ms / 97) {
    Latencies latencies;
    latencies.add(milliseconds(ms));
    latencies.add(milliseconds(1 << 25));
    const std::int64_t found = latencies.quantile(0.5).count();
    ASSERT_GE(found, ms);
    ASSERT_LE(static_cast<double>(found), static_cast<double>(ms) * 1.001) << ms;
  }
}

TEST(Latencies, WhatNoFileShouldHoldIsCountedAllTheSame) {
  Latencies latencies;
  latencies.add(milliseconds(-5));
  latencies.add(milliseconds(std::numeric_limits<std::int64_t>::max()));
  EXPECT_EQ(latencies.count(), 2U);
  EXPECT_EQ(latencies.min(), milliseconds(0));
  EXPECT_GT(latencies.quantile(1), std::chrono::hours(24 * 365));
  EXPECT_EQ(counted(latencies.bars(10)), 2U);
}

TEST(Latencies, BarsAreOfOneRoundWidthAndHoldAll) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    std::mt19937_64 random(seed);
    Latencies latencies;
    const std::uint64_t base = random() % 5000;
    const std::uint64_t spread = 1 + random() % (std::uint64_t{1} << (random() % 20));
    for (int i = 0; i < 1000; ++i) {
      latencies.add(milliseconds(static_cast<std::int64_t>(base + random() % spread)));
    }
    const auto bars = latencies.bars(40);
    ASSERT_EQ(counted(bars), 1000U) << seed;
    const std::size_t closed = bars.size() - (bars.back().open ? 1 : 0);
    ASSERT_LE(closed, 40U) << seed;
    const auto width = bars.front().to - bars.front().from;
    ASSERT_LE(bars.front().from, latencies.min());
    ASSERT_GT(bars.back().to, latencies.max()) << seed;
    for (std::size_t i = 0; i < closed; ++i) {
      ASSERT_EQ(bars[i].to - bars[i].from, width) << seed;
      if (i > 0) {
        ASSERT_EQ(bars[i].from, bars[i - 1].to) << seed;
      }
    }
    std::int64_t factor = width.count();
    while (factor % 10 == 0) factor /= 10;
    ASSERT_TRUE(factor == 1 || factor == 2 || factor == 5) << width.count();
  }
}

TEST(Latencies, AFewLongOnesShareTheOpenBar) {
  Latencies latencies;
  for (int i = 0; i < 999; ++i) latencies.add(milliseconds(10 + i % 10));
  latencies.add(milliseconds(60'000));
  const auto bars = latencies.bars(40);
  ASSERT_EQ(bars.size(), 11U);
  EXPECT_EQ(bars.front().from, milliseconds(10));
  EXPECT_EQ(bars.front().count, 100U);
  EXPECT_TRUE(bars.back().open);
  EXPECT_EQ(bars.back().from, milliseconds(20));
  EXPECT_EQ(bars.back().count, 1U);
}

TEST(Latencies, OneLatencyIsOneBar) {
  Latencies latencies;
  latencies.add(milliseconds(7));
  const auto bars = latencies.bars(40);
  ASSERT_EQ(bars.size(), 1U);
  EXPECT_EQ(bars[0].from, milliseconds(7));
  EXPECT_EQ(bars[0].to, milliseconds(8));
  EXPECT_FALSE(bars[0].open);
}

}  // namespace
}  // namespace sagorder
