#include "engine/schedule.hpp"

#include <gtest/gtest.h>

namespace sagorder {
namespace {

constexpr SteadyTime kBegin{seconds(100)};

TEST(Schedule, BeginsWithTheFirstAttemptAndABurst) {
  Schedule schedule(RateLimit{10, seconds(1)}, 3);
  const SteadyTime late = kBegin + seconds(60);
  EXPECT_EQ(schedule.next(kBegin), kBegin);
  EXPECT_EQ(schedule.next(late), kBegin);
  EXPECT_EQ(schedule.next(late), kBegin);
  EXPECT_EQ(schedule.next(late), kBegin + milliseconds(100));
  EXPECT_EQ(schedule.next(late), kBegin + milliseconds(200));
}

TEST(Schedule, TimeLostIsNotMadeUpFor) {
  Schedule schedule(RateLimit{10, seconds(1)}, 1);
  for (int i = 0; i < 50; ++i) {
    const SteadyTime on_time = kBegin + milliseconds(100) * i;
    EXPECT_EQ(schedule.next(on_time), on_time);
  }
  for (int i = 50; i < 100; ++i) {  // a stall of ten seconds before the 50th
    const SteadyTime on_time = kBegin + milliseconds(100) * i;
    EXPECT_EQ(schedule.next(on_time + seconds(10)), on_time);
  }
}

TEST(Schedule, NothingIsDueBeforeItsTime) {
  Schedule schedule(RateLimit{1, seconds(10)}, 1);
  schedule.next(kBegin);
  EXPECT_EQ(schedule.next(kBegin + seconds(1)), kBegin + seconds(1)) << "earlier than the rate";
}

TEST(Schedule, WithoutARateEachIsDueAtOnce) {
  Schedule schedule(RateLimit{0, seconds(1)}, 1);
  for (const auto ms : {0, 5, 1000}) {
    EXPECT_EQ(schedule.next(kBegin + milliseconds(ms)), kBegin + milliseconds(ms));
  }
}

}  // namespace
}  // namespace sagorder
