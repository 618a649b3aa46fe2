#include "engine/share.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <random>
#include <vector>

#include "engine/expect.hpp"
#include "engine/lease.hpp"

namespace sagorder {

void PrintTo(const Share& share, std::ostream* out) {
  *out << share.orders << " orders, " << share.seats << " seats, " << share.seat_months;
}

namespace {

constexpr SteadyTime kNow{seconds(1000)};
constexpr Share kOne{1, 10, 120};  // an order
constexpr Share kNone{};
constexpr Share kPlenty{kNoLimit, kNoLimit, kNoLimit};

Share orders(std::uint64_t count) { return kOne * count; }

// --- the book's arithmetic

TEST(Share, IsGrantedInWholeOrNotBeyondWhatIsHeld) {
  const ShareAsk ask{orders(1), orders(2), orders(3), orders(8)};
  EXPECT_EQ(granted(ask, kPlenty), orders(8));
  EXPECT_EQ(granted(ask, orders(3)), orders(3)) << "just the next order";
  EXPECT_EQ(granted(ask, orders(3) - Share{0, 1, 0}), orders(2)) << "a seat is lacking";
  EXPECT_EQ(granted(ask, kNone), orders(2)) << "what it holds it holds";
}

TEST(Share, OfWhatIsLeftHalfIsGranted) {
  const ShareAsk ask{kNone, kNone, orders(1), orders(100)};
  EXPECT_EQ(granted(ask, {60, kNoLimit, kNoLimit}), (Share{30, 1'000, 12'000}));
  EXPECT_EQ(granted(ask, {3, kNoLimit, kNoLimit}).orders, 2U);
  EXPECT_EQ(granted(ask, {1, kNoLimit, kNoLimit}).orders, 1U) << "or what the next order needs";
  const ShareAsk more{orders(10), orders(10), orders(10), orders(100)};
  EXPECT_EQ(granted(more, {20, kNoLimit, kNoLimit}).orders, 15U) << "of what it does not hold";
}

// --- one host's holding

/// A host that asks as the pipeline does.
struct Host {
  Holding holding;
  Share spent;
  Share under_way;
  Share waiting;
  SteadyTime now = kNow;

  [[nodiscard]] Share used() const { return spent + under_way; }
  [[nodiscard]] bool blocked() const {
    return waiting != kNone && !(used() + kOne).fits_in(holding.held());
  }
  [[nodiscard]] SteadyTime due_at() const { return holding.due_at(used(), waiting, blocked()); }
  [[nodiscard]] bool has_to_say() const {
    return holding.has_to_say(spent, used(), waiting, blocked(), now);
  }
  ShareAsk ask() {
    return holding.ask(spent, used(), blocked() ? kOne : kNone, waiting, blocked(), now);
  }
  void begin(std::uint64_t count) {
    under_way += orders(count);
    waiting -= orders(count);
  }
  void place(std::uint64_t count) {
    under_way -= orders(count);
    spent += orders(count);
  }
  [[nodiscard]] bool is_final() const { return holding.is_final(spent, kOne); }
};

/// One for which four orders wait, and which was granted as much as is said.
Host host_of_four(const Share& held, const Share& room = kPlenty) {
  Host host;
  host.waiting = orders(4);
  host.ask();
  host.holding.granted({held, room, false}, host.now);
  return host;
}

TEST(Holding, ItAsksForWhatWaitsAndSpendsItOnlyOnceItIsGranted) {
  Host host;
  EXPECT_FALSE(host.has_to_say()) << "nothing waits";
  host.waiting = orders(5);
  EXPECT_LE(host.due_at(), host.now);
  const ShareAsk ask = host.ask();
  EXPECT_EQ(ask.held, kNone);
  EXPECT_EQ(ask.least, orders(1));
  EXPECT_EQ(ask.wanted, orders(5));
  EXPECT_EQ(host.holding.held(), kNone) << "not before the answer";
  EXPECT_EQ(host.due_at(), SteadyTime::max()) << "one ask at a time";
  EXPECT_THROW(host.ask(), BrokenPromise);
  host.holding.granted({orders(4), orders(9), true}, host.now);
  EXPECT_EQ(host.holding.held(), orders(4));
}

TEST(Holding, AnAskWithoutAnAnswerIsSaidAgainAsTotals) {
  Host host;
  host.waiting = orders(5);
  host.ask();
  host.holding.failed();
  EXPECT_EQ(host.holding.held(), kNone) << "the book may have it, this host does not";
  const ShareAsk again = host.ask();
  EXPECT_EQ(again.held, kNone);
  EXPECT_EQ(again.wanted, orders(5));
}

TEST(Holding, ItAsksBeforeItRunsDryAndForMoreIfThatWasSoon) {
  Host host = host_of_four(orders(4));
  EXPECT_EQ(host.due_at(), SteadyTime::max()) << "all that wait have room";
  host.begin(2);
  host.waiting += orders(2);
  EXPECT_LE(host.due_at(), host.now);
  EXPECT_FALSE(host.blocked());
  host.now += milliseconds(100);
  const ShareAsk ask = host.ask();
  EXPECT_EQ(ask.held, orders(4)) << "it goes on meanwhile";
  EXPECT_EQ(ask.least, orders(4));
  EXPECT_EQ(ask.wanted, orders(2 + 2 * 4)) << "twice as much at a time";
  host.begin(2);
  host.holding.granted({orders(10), kPlenty, false}, host.now);
  host.now += kHeartbeat;
  host.begin(2);
  host.waiting += orders(10);
  EXPECT_EQ(host.ask().wanted, orders(6 + 10)) << "that lasted long enough";
}

TEST(Holding, WithoutRoomItGivesBackWhatItDoesNotNeedForWhatIsUnderWay) {
  Host host = host_of_four({4, 39, 480});
  host.begin(3);
  ASSERT_TRUE(host.blocked()) << "a seat is lacking";
  const ShareAsk ask = host.ask();
  EXPECT_EQ(ask.held, orders(3));
  EXPECT_EQ(ask.least, orders(4));
  EXPECT_EQ(host.holding.held(), orders(3)) << "whatever becomes of the ask";
}

TEST(Holding, RefusedItAsksAgainWithItsHeartbeat) {
  Host host;
  host.waiting = orders(4);
  host.ask();
  host.holding.granted({kNone, kNone, true}, host.now);
  EXPECT_TRUE(host.holding.is_refused());
  EXPECT_EQ(host.due_at(), host.now + kHeartbeat);
  EXPECT_FALSE(host.has_to_say());
  host.now += kHeartbeat;
  EXPECT_TRUE(host.has_to_say());
  host.ask();
  host.holding.granted({orders(1), orders(1), false}, host.now);
  EXPECT_FALSE(host.holding.is_refused());
}

TEST(Holding, ALimitIsMetWhenNobodyHoldsWhatMayComeBack) {
  Host host = host_of_four(orders(2), orders(2));
  host.begin(2);
  host.now += kHeartbeat;
  host.ask();
  host.holding.granted({orders(2), orders(2), false}, host.now);
  EXPECT_TRUE(host.holding.is_refused());
  EXPECT_FALSE(host.is_final()) << "what is under way may be rejected";
  host.place(2);
  EXPECT_TRUE(host.is_final());
  const auto ask = [&](bool more_may_come) {
    host.now += kHeartbeat;
    host.ask();
    EXPECT_FALSE(host.is_final()) << "it is asked";
    host.holding.granted({orders(2), orders(2), more_may_come}, host.now);
  };
  ask(true);
  EXPECT_FALSE(host.is_final()) << "another host has something under way";
  ask(false);
  EXPECT_TRUE(host.is_final());
  EXPECT_FALSE(host.holding.is_final(host.spent, orders(2))) << "another order is asked for anew";
  host.now += kHeartbeat;
  host.ask();
  host.holding.failed();
  EXPECT_FALSE(host.is_final()) << "who knows";
}

TEST(Holding, WhatHasNoMoreUseIsGivenBack) {
  Host host = host_of_four(orders(8));
  host.begin(4);
  EXPECT_EQ(host.due_at(), SteadyTime::max()) << "not for its own sake";
  EXPECT_TRUE(host.has_to_say()) << "with a heartbeat";
  const ShareAsk ask = host.ask();
  EXPECT_EQ(ask.held, orders(4));
  EXPECT_EQ(ask.wanted, orders(4));
  EXPECT_EQ(host.holding.held(), orders(4));
  host.holding.granted({orders(4), kPlenty, false}, host.now);
  EXPECT_FALSE(host.has_to_say());
}

TEST(Holding, WhatIsSpentIsToldForOthersToKnow) {
  Host host = host_of_four(orders(8));
  host.begin(2);
  host.place(1);
  EXPECT_FALSE(host.has_to_say()) << "a moment ago";
  host.now += kHeartbeat;
  EXPECT_TRUE(host.has_to_say());
  EXPECT_EQ(host.ask().spent, orders(1));
  EXPECT_EQ(host.holding.held(), orders(8)) << "and nothing else";
}

TEST(Holding, AnAskWithoutAnAnswerIsMadeGoodThoughNothingIsNeededAnyMore) {
  Host host;
  host.waiting = orders(4);
  host.ask();
  host.waiting = kNone;  // they are another host's
  host.holding.failed();
  EXPECT_FALSE(host.has_to_say()) << "not at once";
  host.now += kHeartbeat;
  ASSERT_TRUE(host.has_to_say()) << "others wait for what the book may have granted";
  EXPECT_EQ(host.ask().wanted, kNone);
  host.holding.granted({kNone, kPlenty, false}, host.now);
  EXPECT_FALSE(host.has_to_say());
}

TEST(Holding, LessThanIsHeldIsAContradiction) {
  Host host;
  EXPECT_THROW(host.holding.granted({}, host.now), BrokenPromise) << "not asked for";
  host.waiting = orders(4);
  host.ask();
  host.holding.granted({orders(4), kPlenty, false}, host.now);
  host.begin(2);
  host.waiting += orders(4);
  host.ask();
  EXPECT_THROW(host.holding.granted({orders(3), kPlenty, false}, host.now), BrokenPromise);
}

// --- many of them

/// The book of a ledger, which numbers asks.
struct Book {
  struct Entry {
    Share held;
    Share spent;
    std::uint64_t asked = 0;
  };
  Share limits;
  std::vector<Entry> entries;

  ShareGrant ask(std::size_t host, const ShareAsk& ask, std::uint64_t number) {
    Share others;
    bool more = false;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (i == host) continue;
      others += entries[i].held;
      more = more || entries[i].held != entries[i].spent;
    }
    Entry& entry = entries[host];
    const ShareGrant grant{granted(ask, limits - others), limits - others, more};
    if (number > entry.asked) entry = {grant.held, ask.spent, number};
    return grant;
  }
};

TEST(Holding, WhateverIsLostOrLateNoLimitIsExceededAndAllOfItIsSpent) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    std::mt19937_64 chance(seed);
    const auto below = [&](std::uint64_t limit) { return chance() % limit; };
    const Share limits{20 + below(30), seed % 2 == 0 ? kNoLimit : 300 + below(300), kNoLimit};
    Book book{limits, std::vector<Book::Entry>(3)};
    std::vector<Host> hosts(3);
    struct Late {
      std::size_t host;
      ShareAsk ask;
      std::uint64_t number;
    };
    std::vector<Late> late;
    std::uint64_t number = 0;
    std::size_t ended = 0;
    for (int step = 0; step < 20'000 && ended < hosts.size(); ++step) {
      const std::size_t index = below(hosts.size());
      Host& host = hosts[index];
      host.now += milliseconds(below(200));
      if (host.waiting == kNone) host.waiting = orders(1 + below(8));
      while (!host.blocked() && host.waiting != kNone && below(3) > 0) host.begin(1);
      Share all;
      for (const Host& each : hosts) all += each.used();
      ASSERT_TRUE(all.fits_in(limits)) << "seed " << seed;
      if (host.under_way.orders > 0 && below(2) == 0) {
        if (below(4) == 0) {
          host.under_way -= kOne;  // rejected
        } else {
          host.place(1);
        }
      }
      if (!late.empty() && below(4) == 0) {
        book.ask(late.back().host, late.back().ask, late.back().number);
        late.pop_back();
      }
      ended = static_cast<std::size_t>(std::ranges::count_if(hosts, [](const Host& each) {
        return each.under_way == kNone && each.blocked() && each.is_final();
      }));
      if (!host.has_to_say()) continue;
      const ShareAsk ask = host.ask();
      ++number;
      const std::uint64_t luck = step < 2'000 ? below(8) : 7;
      if (luck == 0) {
        late.push_back({index, ask, number});
        host.holding.failed();
      } else if (luck == 1) {
        book.ask(index, ask, number);
        host.holding.failed();
      } else {
        host.holding.granted(book.ask(index, ask, number), host.now);
      }
    }
    Share all;
    for (const Host& each : hosts) all += each.spent;
    EXPECT_EQ(ended, hosts.size()) << "seed " << seed;
    EXPECT_FALSE((all + kOne).fits_in(limits)) << "seed " << seed << ": some of it is left";
  }
}

}  // namespace
}  // namespace sagorder
