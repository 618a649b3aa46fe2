#include "engine/lease.hpp"

#include <gtest/gtest.h>

#include "engine/expect.hpp"

namespace sagorder {
namespace {

constexpr milliseconds kLength{500};
constexpr SteadyTime kNow{seconds(1000)};
constexpr RateLimit kRate{1'000, seconds(1)};

SteadyTime after(milliseconds span) { return kNow + span; }

/// Asks now and is granted what it asked for, at once.
std::uint32_t renew(Lease& lease, SteadyTime now) {
  const std::uint32_t tokens = lease.ask(true, now);
  lease.granted(tokens, now + kLength, now);
  return tokens;
}

TEST(Lease, WithoutATokenNothingIsSent) {
  Lease lease(kLength, kRate);
  EXPECT_FALSE(lease.holds(kNow));
  EXPECT_EQ(lease.tokens(kNow), 0U);
  EXPECT_THROW(lease.take(kNow), BrokenPromise);
}

TEST(Lease, ATokenIsUsedOnceAndBeforeItsEnd) {
  Lease lease(kLength, kRate);
  ASSERT_EQ(renew(lease, kNow), 2U);
  EXPECT_EQ(lease.tokens(after(milliseconds(499))), 2U);
  EXPECT_EQ(lease.tokens(after(kLength)), 0U) << "what was not used is nobody's";
  EXPECT_FALSE(lease.holds(after(kLength)));
  lease.take(kNow);
  lease.take(kNow);
  EXPECT_EQ(lease.tokens(kNow), 0U);
  EXPECT_TRUE(lease.holds(kNow));
  EXPECT_THROW(lease.take(kNow), BrokenPromise);
}

TEST(Lease, ItsLengthCountsFromBeforeItWasAsked) {
  Lease lease(kLength, kRate);
  lease.ask(true, kNow);
  const SteadyTime late = after(milliseconds(450));
  lease.granted(2, late + kLength, late);
  EXPECT_EQ(lease.tokens(late), 2U);
  EXPECT_EQ(lease.tokens(after(kLength)), 0U) << "whatever the answer says of its end";
}

TEST(Lease, AnAnswerThatComesAfterItsEndIsWorthNothing) {
  Lease lease(kLength, kRate);
  lease.ask(true, kNow);
  lease.granted(2, after(kLength), after(seconds(20)));
  EXPECT_EQ(lease.tokens(after(seconds(20))), 0U);
  EXPECT_FALSE(lease.holds(after(seconds(20))));
  EXPECT_LE(lease.due_at(true, after(seconds(20))), after(seconds(20)))
      << "it asks again before it sends";
}

TEST(Lease, EachGrantEndsByItself) {
  Lease lease(kLength, kRate);
  renew(lease, kNow);
  lease.take(kNow);
  renew(lease, after(milliseconds(100)));
  EXPECT_EQ(lease.tokens(after(milliseconds(100))), 4U);
  EXPECT_EQ(lease.tokens(after(milliseconds(500))), 3U) << "the first one's rest is gone";
  lease.take(after(milliseconds(500)));
  EXPECT_EQ(lease.tokens(after(milliseconds(500))), 2U);
  EXPECT_EQ(lease.tokens(after(milliseconds(600))), 0U);
}

TEST(Lease, HowManyAreAskedForFollowsWhatWasUsed) {
  Lease lease(kLength, kRate);
  std::uint32_t asked = 0;
  for (int i = 0; i < 20; ++i) {
    const SteadyTime now = after(milliseconds(50 * i));
    asked = renew(lease, now);
    while (lease.tokens(now) > 0) lease.take(now);
  }
  EXPECT_EQ(asked, 500U) << "what the rate gives in a lease's length, at most";
  asked = renew(lease, after(milliseconds(2'000)));
  EXPECT_EQ(asked, 500U);
  asked = renew(lease, after(milliseconds(4'000)));
  EXPECT_EQ(asked, 2U) << "nothing was used meanwhile";
}

TEST(Lease, IsAskedForAheadAndNotTooOften) {
  Lease lease(kLength, kRate);
  EXPECT_LE(lease.due_at(false, kNow), kNow) << "at first";
  renew(lease, kNow);
  EXPECT_EQ(lease.due_at(true, kNow), after(milliseconds(375))) << "before it ends";
  lease.take(kNow);
  EXPECT_EQ(lease.due_at(true, kNow), after(milliseconds(50))) << "half is used";
  EXPECT_LE(lease.due_at(true, after(milliseconds(50))), after(milliseconds(50)));
  EXPECT_EQ(lease.due_at(false, kNow), after(milliseconds(1'000))) << "to say that it lives";
  EXPECT_EQ(lease.ask(false, after(milliseconds(1'000))), 0U);
  EXPECT_EQ(lease.due_at(true, after(seconds(9))), SteadyTime::max()) << "one at a time";
  EXPECT_THROW(lease.ask(true, after(seconds(9))), BrokenPromise);
}

TEST(Lease, AsksInVainAndFailedOnesComeAfterLongerWaits) {
  Lease lease(kLength, kRate);
  SteadyTime now = kNow;
  for (const int wait : {100, 200, 250, 250}) {
    lease.ask(true, now);
    lease.granted(0, now + kLength, now);
    EXPECT_EQ(lease.due_at(true, now), now + milliseconds(wait));
    now += milliseconds(wait);
  }
  for (const int wait : {500, 1'000, 2'000, 2'000}) {
    lease.ask(true, now);
    lease.failed();
    EXPECT_EQ(lease.due_at(true, now), now + milliseconds(wait));
    now += milliseconds(wait);
  }
  renew(lease, now);
  while (lease.tokens(now) > 0) lease.take(now);
  EXPECT_EQ(lease.due_at(true, now), now + milliseconds(50));
}

TEST(Lease, AFailedAskTakesNothingAway) {
  Lease lease(kLength, kRate);
  renew(lease, kNow);
  lease.ask(true, after(milliseconds(400)));
  lease.failed();
  EXPECT_EQ(lease.tokens(after(milliseconds(499))), 2U);
  EXPECT_EQ(lease.tokens(after(milliseconds(500))), 0U);
}

TEST(Lease, ATokenIsPromisedToOneRow) {
  Lease lease(kLength, kRate);
  EXPECT_FALSE(lease.has_room(kNow));
  renew(lease, kNow);
  lease.promise();
  EXPECT_TRUE(lease.has_room(kNow));
  lease.promise();
  EXPECT_FALSE(lease.has_room(kNow));
  lease.take(kNow);
  lease.keep_promise();
  EXPECT_FALSE(lease.has_room(kNow)) << "the other one's";
  lease.keep_promise();
  EXPECT_TRUE(lease.has_room(kNow));
}

TEST(Lease, WithoutARateItIsALeaveToSend) {
  Lease lease(kLength, {0, seconds(1)});
  EXPECT_EQ(lease.tokens(kNow), 0U);
  EXPECT_EQ(renew(lease, kNow), 0U);
  for (int i = 0; i < 1'000; ++i) lease.take(kNow);
  EXPECT_GT(lease.tokens(after(milliseconds(499))), 0U);
  EXPECT_EQ(lease.tokens(after(kLength)), 0U);
  EXPECT_EQ(lease.due_at(true, kNow), after(milliseconds(375)));
}

TEST(Lease, MoreThanWasAskedForIsAContradiction) {
  Lease lease(kLength, kRate);
  lease.ask(true, kNow);
  EXPECT_THROW(lease.granted(3, after(kLength), kNow), BrokenPromise);
  Lease idle(kLength, kRate);
  EXPECT_THROW(idle.granted(0, after(kLength), kNow), BrokenPromise);
  EXPECT_THROW(idle.failed(), BrokenPromise);
}

}  // namespace
}  // namespace sagorder
