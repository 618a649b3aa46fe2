#include "engine/rate.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace sagorder {
namespace {

SteadyTime at(nanoseconds since) { return SteadyTime(seconds(1000) + since); }

TEST(Rate, ReadsWhatTheCommandLineGives) {
  EXPECT_EQ(parse_rate("10/s")->count, 10U);
  EXPECT_EQ(parse_rate("10/s")->window, seconds(1));
  EXPECT_EQ(parse_rate("200/60s")->window, seconds(60));
  EXPECT_EQ(parse_rate("5/m")->window, seconds(60));
  EXPECT_EQ(parse_rate("5/2m")->window, seconds(120));
  EXPECT_EQ(parse_rate("7")->count, 7U);
  EXPECT_TRUE(parse_rate("unlimited")->unlimited());
  for (const char* bad : {"", "0", "0/s", "-1/s", "1.5/s", "10/", "10/x", "10/0s", "10 /s", "10/s ",
                          "1000001/s", "1/86401s", "1/18446744073709551615h", "s", "/s"}) {
    EXPECT_FALSE(parse_rate(bad).has_value()) << bad;
  }
  EXPECT_EQ(to_string(*parse_rate("10")), "10/s");
  EXPECT_EQ(to_string(*parse_rate("3/m")), "3/60s");
}

TEST(Rate, DefaultBurstIsOneAndTenMillisecondsWorth) {
  EXPECT_EQ(default_burst({10, seconds(1)}), 1U);
  EXPECT_EQ(default_burst({49, seconds(1)}), 1U);
  EXPECT_EQ(default_burst({100, seconds(1)}), 2U);
  EXPECT_EQ(default_burst({1000, seconds(1)}), 11U);
  EXPECT_EQ(default_burst({200, seconds(60)}), 1U);
}

TEST(Rate, BucketGivesBurstThenOneEachInterval) {
  TokenBucket bucket(milliseconds(100), 3);
  const SteadyTime start = at(nanoseconds(0));
  EXPECT_TRUE(bucket.take(start));
  EXPECT_TRUE(bucket.take(start));
  EXPECT_TRUE(bucket.take(start));
  EXPECT_FALSE(bucket.take(start));
  EXPECT_EQ(bucket.ready_at(), start + milliseconds(100));
  EXPECT_FALSE(bucket.take(start + milliseconds(99)));
  EXPECT_TRUE(bucket.take(start + milliseconds(100)));
  EXPECT_FALSE(bucket.take(start + milliseconds(100)));
}

/// The promise: in any half-open window [t, t + W) at most burst + W / interval tokens.
void check_windows(const std::vector<SteadyTime>& sent, double per_ns, double burst) {
  for (std::size_t i = 0; i < sent.size(); ++i) {
    for (std::size_t j = i; j < sent.size(); ++j) {
      // The smallest half-open window that holds i..j is just longer than their distance.
      const double window = static_cast<double>((sent[j] - sent[i]).count());
      const double count = static_cast<double>(j - i + 1);
      ASSERT_LE(count, burst + window * per_ns + 1e-6) << "from " << i << " to " << j;
    }
  }
}

// Whatever mixture of moments, throttling, hints and recovery: the wire keeps the bucket.
TEST(Rate, WireNeverExceedsBurstPlusRateTimesTime) {
  const std::uint64_t base = std::random_device{}();
  for (std::uint64_t round = 0; round < 60; ++round) {
    const std::uint64_t seed = base + round;
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 chance(seed);
    const RateLimit rate{1 + chance() % 500, seconds(1 + static_cast<int>(chance() % 20))};
    const std::uint64_t burst = 1 + chance() % 20;
    Pacer pacer(rate, burst);
    const auto step = nanoseconds(rate.window.count() / static_cast<std::int64_t>(rate.count));
    std::vector<SteadyTime> sent;
    std::uint64_t admitted = 0;
    SteadyTime now = at(nanoseconds(0));
    while (sent.size() < 400) {
      now += nanoseconds(static_cast<std::int64_t>(chance() % 3 == 0 ? 0 : chance()) %
                         (3 * step.count()));
      if (now < at(nanoseconds(0))) now = at(nanoseconds(0));
      if (chance() % 50 == 0) now += step * static_cast<int>(chance() % 60);  // a stall
      pacer.recover(now);
      while (pacer.admit(now)) ++admitted;
      if (chance() % 4 == 0) continue;  // the commit is slow: what was admitted bunches up
      while (admitted > 0 && pacer.send(now)) {
        sent.push_back(now);
        --admitted;
      }
      if (chance() % 40 == 0) {
        RateHint hint;
        if (chance() % 2 == 0) hint.retry_after = milliseconds(chance() % 50);
        pacer.throttled(hint, now);
      }
    }
    check_windows(sent, static_cast<double>(rate.count) / static_cast<double>(rate.window.count()),
                  static_cast<double>(burst));
  }
}

TEST(Rate, KeepsTheAskedRateOverTime) {
  for (const std::uint64_t count : {10U, 1000U, 20'000U}) {
    Pacer pacer({count, seconds(1)}, default_burst({count, seconds(1)}));
    SteadyTime now = at(nanoseconds(0));
    std::uint64_t sent = 0;
    while (now < at(seconds(10))) {
      while (pacer.admit(now) && pacer.send(now)) ++sent;
      now = std::max(pacer.admit_at(now), now + nanoseconds(1));
    }
    EXPECT_NEAR(static_cast<double>(sent), static_cast<double>(count) * 10.0,
                static_cast<double>(count) * 0.05 + 1);
  }
}

// A timer wakes a little late each time; what is late is caught up with, not lost.
TEST(Rate, KeepsTheAskedRateThoughEachWakeUpIsLate) {
  constexpr nanoseconds kLate(60'000);
  for (const std::uint64_t count : {10U, 49U, 50U, 100U, 199U, 1000U, 5000U}) {
    Pacer pacer({count, seconds(1)}, default_burst({count, seconds(1)}));
    SteadyTime now = at(seconds(0));
    std::uint64_t sent = 0;
    while (now < at(seconds(10))) {
      while (pacer.admit(now) && pacer.send(now)) ++sent;
      now = std::max(pacer.admit_at(now), now) + kLate;
    }
    const double asked = static_cast<double>(count) * 10.0;
    const double burst = static_cast<double>(default_burst({count, seconds(1)}));
    EXPECT_GE(static_cast<double>(sent), asked * 0.995) << count;
    EXPECT_LE(static_cast<double>(sent), asked + burst) << count;
  }
}

TEST(Rate, ThrottlingHalvesOnceARoundAndClimbsBack) {
  Pacer pacer({100, seconds(1)}, 1);
  const SteadyTime start = at(nanoseconds(0));
  pacer.throttled({}, start);
  EXPECT_NEAR(pacer.current_rate(), 50, 1);
  pacer.throttled({}, start + milliseconds(10));
  EXPECT_NEAR(pacer.current_rate(), 50, 1);
  pacer.throttled({}, start + milliseconds(1500));
  EXPECT_LT(pacer.current_rate(), 40);
  for (int second = 2; second < 40; ++second) {
    pacer.recover(start + seconds(second));
    EXPECT_LE(pacer.current_rate(), 100.0001);
  }
  EXPECT_FALSE(pacer.lowered());
  EXPECT_NEAR(pacer.current_rate(), 100, 0.001);
}

TEST(Rate, PausesAsLongAsHinted) {
  Pacer pacer({100, seconds(1)}, 1);
  const SteadyTime start = at(nanoseconds(0));
  RateHint hint;
  hint.retry_after = milliseconds(700);
  pacer.throttled(hint, start);
  EXPECT_FALSE(pacer.admit(start + milliseconds(699)));
  EXPECT_FALSE(pacer.send(start + milliseconds(699)));
  EXPECT_EQ(pacer.admit_at(start), start + milliseconds(700));
  EXPECT_TRUE(pacer.admit(start + milliseconds(700)));
}

TEST(Rate, AGoodAnswerThatSaysNothingRemainsPausesToo) {
  Pacer pacer({100, seconds(1)}, 1);
  const SteadyTime start = at(nanoseconds(0));
  RateHint hint;
  hint.remain = 0;
  hint.time_left = milliseconds(2000);
  pacer.hinted(hint, start);
  EXPECT_FALSE(pacer.admit(start + milliseconds(1999)));
  EXPECT_TRUE(pacer.admit(start + milliseconds(2000)));
  hint.remain = 3;
  pacer.hinted(hint, start + seconds(3));
  EXPECT_TRUE(pacer.admit(start + seconds(3)));
}

TEST(Rate, UnlimitedIsLimitedByWhatWasMeasuredOnceThrottled) {
  Pacer pacer({0, seconds(1)}, 1);
  SteadyTime now = at(nanoseconds(0));
  for (int i = 0; i < 3000; ++i) {  // 1000 a second
    EXPECT_TRUE(pacer.send(now));
    now += milliseconds(1);
  }
  EXPECT_EQ(pacer.current_rate(), 0);
  pacer.throttled({}, now);
  EXPECT_NEAR(pacer.current_rate(), 500, 60);
  EXPECT_TRUE(pacer.lowered());
  for (int second = 1; second < 60; ++second) pacer.recover(now + seconds(second));
  EXPECT_FALSE(pacer.lowered());
  EXPECT_TRUE(pacer.send(now + seconds(60)));
}

}  // namespace
}  // namespace sagorder
