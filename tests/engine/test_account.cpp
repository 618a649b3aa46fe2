#include "engine/account.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <vector>

namespace sagorder {
namespace {

constexpr RateLimit kTen{10, seconds(1)};
constexpr nanoseconds kNow = seconds(1'000'000);

LeaseWish wish(std::uint32_t tokens) { return {tokens, 1.0, {}}; }

TEST(Account, GivesAtOnceTheBurstLessALeaseOfTheRate) {
  Account account({kTen, 8, milliseconds(500)}, kNow);
  EXPECT_EQ(account.lease(wish(100), kNow).tokens, 3U) << "8 - 10/s x 0.5 s";
  EXPECT_EQ(account.lease(wish(1), kNow).tokens, 0U);
  EXPECT_EQ(account.lease(wish(1), kNow + milliseconds(99)).tokens, 0U);
  EXPECT_EQ(account.lease(wish(5), kNow + milliseconds(101)).tokens, 1U);
  EXPECT_EQ(account.lease(wish(2), kNow + seconds(100)).tokens, 2U);
  EXPECT_EQ(account.lease(wish(5), kNow + seconds(100)).tokens, 1U) << "no more was saved up";
}

TEST(Account, AClockThatIsSetBackGivesNothing) {
  Account account({kTen, 8, milliseconds(500)}, kNow);
  EXPECT_EQ(account.lease(wish(3), kNow).tokens, 3U);
  EXPECT_EQ(account.lease(wish(3), kNow - seconds(100)).tokens, 0U);
  EXPECT_EQ(account.lease(wish(3), kNow).tokens, 0U) << "nor when it is back";
}

TEST(Account, WithoutARateItGivesWhatIsWished) {
  Account account({{0, seconds(1)}, 1, milliseconds(500)}, kNow);
  EXPECT_EQ(account.lease(wish(1'000'000), kNow).tokens, 1'000'000U);
  EXPECT_EQ(account.lease({5, 0.5, seconds(2)}, kNow).tokens, 0U);
  EXPECT_EQ(account.lease(wish(5), kNow + seconds(1)).paused_for, seconds(1));
  EXPECT_EQ(account.lease(wish(5), kNow + seconds(2)).tokens, 5U);
}

TEST(Account, ThrottlingThatOneHostSawSlowsAll) {
  Account account({kTen, 10, milliseconds(500)}, kNow);
  EXPECT_EQ(account.lease(wish(5), kNow).tokens, 5U);
  LeaseGrant grant = account.lease({5, 0.5, seconds(1)}, kNow);
  EXPECT_EQ(grant.tokens, 0U);
  EXPECT_EQ(grant.factor, 0.5);
  EXPECT_EQ(grant.paused_for, seconds(1));
  grant = account.lease(wish(1), kNow + milliseconds(400));
  EXPECT_EQ(grant.factor, 0.5) << "another host is told";
  EXPECT_EQ(grant.paused_for, milliseconds(600));
  EXPECT_EQ(account.lease(wish(100), kNow + seconds(1)).tokens, 5U) << "5/s paid for the five";
  EXPECT_NEAR(account.lease(wish(0), kNow + seconds(3)).factor, 0.63, 0.01) << "it climbs back";
  EXPECT_EQ(account.lease(wish(0), kNow + seconds(60)).factor, 1.0);
  EXPECT_EQ(account.lease({0, 0.0, {}}, kNow + seconds(60)).factor, kFactorMin);
}

TEST(Account, ABurstThatIsTooSmallIsRefusedWithWhatWouldDo) {
  EXPECT_EQ(complaint_of({kTen, 1, milliseconds(500)}),
            "a burst of 1 is too small for 10/s leased for 500 ms at a time; 6 would do");
  EXPECT_EQ(complaint_of({kTen, 3, milliseconds(500)}),
            "a burst of 3 is too small for 10/s leased for 500 ms at a time; 6 would do, or a "
            "lease of 200 ms");
  EXPECT_EQ(complaint_of({kTen, 6, milliseconds(500)}), std::nullopt);
  EXPECT_EQ(complaint_of({kTen, 3, milliseconds(200)}), std::nullopt);
  EXPECT_EQ(complaint_of({{0, seconds(1)}, 1, milliseconds(500)}), std::nullopt);
}

TEST(Account, WhatWouldDoDoes) {
  for (const std::uint64_t count : {1U, 3U, 10U, 333U, 1'000'000U}) {
    for (const seconds window : {seconds(1), seconds(7), seconds(3'600)}) {
      const RateLimit rate{count, window};
      for (const milliseconds lease : {kLeaseLengthMin, kLeaseLength, kLeaseLengthMax}) {
        const std::uint64_t least = least_burst(rate, lease);
        EXPECT_EQ(complaint_of({rate, least, lease}), std::nullopt);
        EXPECT_TRUE(complaint_of({rate, least - 1, lease}).has_value());
        EXPECT_EQ(complaint_of({rate, default_shared_burst(rate, lease), lease}), std::nullopt);
        EXPECT_EQ(complaint_of({rate, least, longest_lease(rate, least)}), std::nullopt);
      }
    }
  }
}

// --- hosts that share it

using Time = std::int64_t;  // ns

/// A host with a clock of its own, which stands still and dies.
struct Host {
  Lease lease;
  Time clock_off = 0;
  Time paused_until = 0;
  Time served_at = -1;  // by the database, of the ask that is under way; -1: none, or it was
  Time answer_at = -1;  // of the ask that is under way; -1: none
  SteadyTime asked_at{};
  LeaseWish wish{};
  LeaseGrant granted{};
  bool lost = false;
  bool eager = true;
};

/// Hosts that ask, use, stand still and die at random; and what they used, by true time.
class Crowd {
 public:
  Crowd(const AccountTerms& terms, std::size_t hosts, std::uint64_t seed)
      : terms_(terms), chance_(seed), account_(terms, nanoseconds(db_off_)) {
    for (std::size_t i = 0; i < hosts; ++i) hosts_.push_back(born());
  }

  void live(Time until, bool faults) {
    faults_ = faults;
    for (; now_ < until; now_ += below(4'000'000)) {
      Host& host = hosts_[static_cast<std::size_t>(below(static_cast<Time>(hosts_.size())))];
      if (faults_ && one_in(2'000)) host = born();
      if (faults_ && one_in(300)) host.paused_until = now_ + below(3'000'000'000);
      serve();
      if (now_ >= host.paused_until) turn(host);
    }
  }

  [[nodiscard]] double most_over() const { return most_over_; }
  [[nodiscard]] std::uint64_t used() const { return used_; }

 private:
  Host born() {
    Host host{Lease(terms_.lease, terms_.rate)};
    host.clock_off = below(1'000'000'000'000);
    host.eager = one_in(2);
    return host;
  }
  Time below(Time n) { return static_cast<Time>(chance_() % static_cast<std::uint64_t>(n)); }
  bool one_in(Time n) { return below(n) == 0; }
  [[nodiscard]] SteadyTime clock_of(const Host& host) const {
    return SteadyTime(nanoseconds(now_ + host.clock_off));
  }

  void serve() {
    for (Host& host : hosts_) {
      if (host.served_at < 0 || host.served_at > now_) continue;
      host.served_at = -1;
      host.granted = account_.lease(host.wish, nanoseconds(db_off_ + now_));
    }
  }

  void turn(Host& host) {
    const SteadyTime now = clock_of(host);
    if (host.answer_at >= 0 && now_ >= host.answer_at && host.served_at < 0) {
      host.answer_at = -1;
      if (host.lost) {
        host.lease.failed();
      } else {
        host.lease.granted(host.granted.tokens, host.asked_at + terms_.lease, now);
      }
    }
    const bool keeps_some = !host.eager && one_in(2);
    while (!keeps_some && host.lease.tokens(now) > 0) {
      host.lease.take(now);
      use();
    }
    if (now >= host.lease.due_at(true, now)) ask(host, now);
  }

  /// The database serves it somewhere between the question and the answer.
  void ask(Host& host, SteadyTime now) {
    LeaseWish wish;
    wish.tokens = host.lease.ask(true, now);
    if (faults_ && one_in(200)) wish = {wish.tokens, 0.5, nanoseconds(below(300'000'000))};
    host.asked_at = now;
    host.wish = wish;
    host.served_at = now_ + below(faults_ && one_in(20) ? 800'000'000 : 5'000'000);
    host.lost = faults_ && one_in(20);
    host.answer_at = host.served_at + below(5'000'000);
  }

  /// How far the uses of some window are over burst + rate x window.
  void use() {
    ++used_;
    const double elapsed = static_cast<double>(now_ - used_at_) / 1e9;
    level_ = std::max(0.0, level_ - elapsed * terms_.rate.per_second()) + 1;
    used_at_ = now_;
    most_over_ = std::max(most_over_, level_ - static_cast<double>(terms_.burst));
  }

  AccountTerms terms_;
  std::mt19937_64 chance_;
  Time db_off_ = 77'000'000'000;
  Time now_ = 0;
  Account account_;
  std::vector<Host> hosts_;
  bool faults_ = false;
  double level_ = 0;
  Time used_at_ = 0;
  double most_over_ = -1e9;
  std::uint64_t used_ = 0;
};

AccountTerms any_terms(std::uint64_t seed) {
  constexpr std::array<std::uint64_t, 4> kCounts = {3, 20, 150, 1'000};
  constexpr std::array<milliseconds, 3> kLengths = {milliseconds(100), milliseconds(500),
                                                    milliseconds(2'000)};
  AccountTerms terms{{kCounts[seed % 4], seconds(1)}, 0, kLengths[seed % 3]};
  terms.burst = seed % 5 == 0 ? least_burst(terms.rate, terms.lease)
                              : default_shared_burst(terms.rate, terms.lease);
  return terms;
}

TEST(Account, AllHostsTogetherKeepTheBucketInEveryWindow) {
  double closest = -1e9;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const AccountTerms terms = any_terms(seed);
    Crowd crowd(terms, 1 + seed % 4, seed);
    crowd.live(20'000'000'000, true);
    ASSERT_LE(crowd.most_over(), 1e-6) << "seed " << seed;
    closest = std::max(closest, crowd.most_over());
  }
  EXPECT_GT(closest, -2) << "no window came near the limit: nothing was tried";
}

TEST(Account, HostsInGoodHealthUseMostOfTheRate) {
  for (std::uint64_t seed = 1; seed <= 24; ++seed) {
    const AccountTerms terms = any_terms(seed);
    if (seed % 5 == 0) continue;  // the least burst gives one at a time
    Crowd crowd(terms, 1 + seed % 4, seed);
    crowd.live(20'000'000'000, false);
    EXPECT_GT(static_cast<double>(crowd.used()), 20 * 0.8 * terms.rate.per_second()) << seed;
  }
}

}  // namespace
}  // namespace sagorder
