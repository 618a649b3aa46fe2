#include "engine/renewal.hpp"

#include <gtest/gtest.h>

namespace sagorder {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

constexpr WallTime kFrom{milliseconds{1'767'323'045'000}};

KeyLife of(milliseconds length, WallTime from = kFrom) { return {from, from + length}; }

TEST(Renewal, KeyWithoutAnEndIsNeverRenewed) {
  Renewal key;
  EXPECT_FALSE(key.renewable());
  EXPECT_TRUE(key.signs(kFrom + hours(24 * 3650)));
  EXPECT_EQ(key.next_at(), WallTime::max());
  EXPECT_FALSE(key.due(kFrom + hours(24 * 3650)));
  EXPECT_FALSE(key.refused(kFrom)) << "there is no other key to be had";
}

TEST(Renewal, IsDueAQuarterOfTheLifeBeforeItsEndAndFifteenMinutesAtMost) {
  EXPECT_EQ(Renewal(of(hours(6))).next_at(), kFrom + hours(6) - minutes(15));
  EXPECT_EQ(Renewal(of(hours(1))).next_at(), kFrom + minutes(45));
  EXPECT_EQ(Renewal(of(minutes(20))).next_at(), kFrom + minutes(15));
  EXPECT_EQ(Renewal(of(seconds(4))).next_at(), kFrom + seconds(3));
  const Renewal key(of(hours(1)));
  EXPECT_FALSE(key.due(kFrom + minutes(45) - milliseconds(1)));
  EXPECT_TRUE(key.due(kFrom + minutes(45)));
}

TEST(Renewal, SignsUntilShortlyBeforeItsEnd) {
  EXPECT_EQ(Renewal(of(hours(1))).signs_until(), kFrom + hours(1) - seconds(10));
  EXPECT_EQ(Renewal(of(seconds(16))).signs_until(), kFrom + seconds(15));
  const Renewal key(of(hours(1)));
  EXPECT_TRUE(key.signs(kFrom + minutes(50)));
  EXPECT_FALSE(key.signs(kFrom + hours(1) - seconds(10)));
}

TEST(Renewal, OneThatExpiredBeforeItCameSignsNothingAndIsDue) {
  const Renewal key({kFrom, kFrom - seconds(5)});
  EXPECT_FALSE(key.signs(kFrom));
  EXPECT_TRUE(key.due(kFrom));
}

TEST(Renewal, OneAttemptAtATime) {
  Renewal key(of(hours(1)));
  key.began();
  EXPECT_FALSE(key.due(kFrom + hours(2)));
  EXPECT_EQ(key.next_at(), WallTime::max());
}

TEST(Renewal, FailedAttemptsWaitTwiceAsLongEachTime) {
  Renewal key(of(hours(1)));
  WallTime now = kFrom + minutes(45);
  for (const int wait : {1, 2, 4, 8, 16, 32, 60, 60}) {
    key.began();
    key.failed(now);
    EXPECT_EQ(key.next_at(), now + seconds(wait));
    now = key.next_at();
  }
}

TEST(Renewal, OneMoreAttemptWhenTheKeyHasJustCeasedToSign) {
  Renewal key(of(hours(1)));
  const WallTime now = key.signs_until() - milliseconds(300);
  key.began();
  key.failed(now);
  EXPECT_EQ(key.next_at(), key.signs_until());
  key.began();
  key.failed(key.signs_until());
  EXPECT_EQ(key.next_at(), key.signs_until() + seconds(2));
}

TEST(Renewal, NewKeyBeginsANewLife) {
  Renewal key(of(hours(1)));
  key.began();
  key.failed(kFrom + minutes(45));
  key.began();
  ASSERT_TRUE(key.renewed(of(hours(1), kFrom + minutes(46))));
  EXPECT_EQ(key.next_at(), kFrom + minutes(46 + 45));
  EXPECT_EQ(key.expires_at(), kFrom + minutes(46 + 60));
  key.began();
  key.failed(kFrom + minutes(91));
  EXPECT_EQ(key.next_at(), kFrom + minutes(91) + seconds(1)) << "the waits begin anew";
}

TEST(Renewal, TheSameKeyAgainIsAFailedAttempt) {
  Renewal key(of(hours(1)));
  key.began();
  EXPECT_FALSE(key.renewed({kFrom + minutes(45), kFrom + hours(1)}));
  EXPECT_EQ(key.next_at(), kFrom + minutes(45) + seconds(1));
  EXPECT_TRUE(key.signs(kFrom + minutes(45)));
}

TEST(Renewal, RefusedKeySignsNoMoreAndIsRenewedAtOnce) {
  Renewal key(of(hours(1)));
  ASSERT_TRUE(key.refused(kFrom + minutes(5)));
  EXPECT_FALSE(key.signs(kFrom + minutes(5)));
  EXPECT_TRUE(key.due(kFrom + minutes(5)));
  key.began();
  ASSERT_TRUE(key.renewed(of(hours(1), kFrom + minutes(6))));
  EXPECT_TRUE(key.signs(kFrom + minutes(6)));
}

TEST(Renewal, AfterARefusalAShorterLifeIsTaken) {
  Renewal key(of(hours(1)));
  ASSERT_TRUE(key.refused(kFrom));
  key.began();
  EXPECT_TRUE(key.renewed(of(minutes(30))));
  EXPECT_EQ(key.expires_at(), kFrom + minutes(30));
}

TEST(Renewal, KeyThatReplacedARefusedOneIsNotReplacedForThatUnlessAnOrderWentWell) {
  Renewal key(of(hours(1)));
  ASSERT_TRUE(key.refused(kFrom));
  ASSERT_TRUE(key.renewed(of(hours(2))));
  EXPECT_FALSE(key.refused(kFrom + minutes(1)));
  key.proved();
  EXPECT_TRUE(key.refused(kFrom + minutes(1)));
}

TEST(Renewal, KeyThatWasRenewedInTimeMayBeRefusedOnce) {
  Renewal key(of(hours(1)));
  ASSERT_TRUE(key.renewed(of(hours(2))));
  EXPECT_TRUE(key.refused(kFrom + minutes(1)));
}

}  // namespace
}  // namespace sagorder
