#include "engine/tally.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

namespace sagorder {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::minutes;

TEST(Histogram, OfNothingIsZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.quantile(0.5), nanoseconds(0));
  EXPECT_EQ(histogram.max(), nanoseconds(0));
}

TEST(Histogram, OfOneIsThatOne) {
  for (const std::int64_t ns : {0L, 1L, 63L, 64L, 1023L, 1024L, 1'000'000L, 4'000'000'000'000L}) {
    Histogram histogram;
    histogram.add(nanoseconds(ns));
    EXPECT_EQ(histogram.count(), 1U);
    for (const double share : {0.0, 0.5, 1.0}) {
      EXPECT_EQ(histogram.quantile(share), nanoseconds(ns)) << ns;
    }
  }
}

TEST(Histogram, IsWithinASixteenth) {
  for (std::int64_t ns = 1000; ns < nanoseconds(minutes(70)).count(); ns += ns / 97) {
    Histogram histogram;
    histogram.add(nanoseconds(ns));
    histogram.add(hours(2));
    const auto found = histogram.quantile(0.5).count();
    ASSERT_GE(found, ns);
    ASSERT_LE(static_cast<double>(found), static_cast<double>(ns) * 1.0625 + 64) << ns;
  }
}

TEST(Histogram, QuantilesAreThoseOfTheSortedValues) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    std::mt19937_64 random(seed);
    Histogram histogram;
    std::vector<std::int64_t> all(1 + random() % 2000);
    for (std::int64_t& ns : all) {
      ns = static_cast<std::int64_t>((1000 + random() % 1000) << (random() % 30));
      histogram.add(nanoseconds(ns));
    }
    std::ranges::sort(all);
    for (const std::size_t percent : {1U, 50U, 90U, 99U, 100U}) {
      const std::size_t rank = std::max<std::size_t>((all.size() * percent + 99) / 100, 1);
      const auto exact = static_cast<double>(all[rank - 1]);
      const auto found =
          static_cast<double>(histogram.quantile(static_cast<double>(percent) / 100.0).count());
      ASSERT_GE(found, exact) << "seed " << seed << " p" << percent;
      ASSERT_LE(found, exact * 1.0625 + 64) << "seed " << seed << " p" << percent;
    }
    ASSERT_EQ(histogram.max().count(), all.back()) << "seed " << seed;
  }
}

TEST(Histogram, SumsAndCountsBelowPowersOfTwo) {
  Histogram histogram;
  std::int64_t sum = 0;
  for (const std::int64_t ns :
       {0L, 1023L, 1024L, 2047L, 2048L, 1'000'000L, (1L << 41) - 1, 1L << 43}) {
    histogram.add(nanoseconds(ns));
    sum += ns;
  }
  EXPECT_EQ(histogram.sum().count(), sum);
  EXPECT_EQ(histogram.below_power_of_two(10), 2U);
  EXPECT_EQ(histogram.below_power_of_two(11), 4U);
  EXPECT_EQ(histogram.below_power_of_two(12), 5U);
  EXPECT_EQ(histogram.below_power_of_two(20), 6U);
  EXPECT_EQ(histogram.below_power_of_two(41), 7U);
}

TEST(Histogram, CountsWhatIsOutOfRange) {
  Histogram histogram;
  histogram.add(nanoseconds(-5));
  EXPECT_EQ(histogram.quantile(1.0), nanoseconds(0));
  histogram.add(microseconds(1));
  EXPECT_LE(histogram.quantile(0.5), nanoseconds(64));
  histogram.add(hours(100));
  EXPECT_EQ(histogram.count(), 3U);
  EXPECT_EQ(histogram.quantile(1.0), hours(100));
  EXPECT_EQ(histogram.max(), hours(100));
}

}  // namespace
}  // namespace sagorder
