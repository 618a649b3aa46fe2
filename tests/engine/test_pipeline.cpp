#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/engine/world.hpp"

namespace sagorder::testing {
namespace {

std::string joined(const std::vector<std::string>& lines) {
  std::string all;
  for (const auto& line : lines) all += line + "\n";
  return all;
}

TEST(Pipeline, PlacesEachRowOnceAndNothingTwice) {
  World world(100, 1);
  EXPECT_TRUE(world.run());
  world.check();
  EXPECT_TRUE(world.violations.empty()) << joined(world.violations);
  EXPECT_EQ(world.requests, 100U);
  EXPECT_EQ(world.count(State::placed), 100U);
  EXPECT_EQ(world.lines.size(), 100U);
  EXPECT_EQ(world.pipeline->stop(), Stop::none);
  EXPECT_LE(world.in_flight_seen, world.options.max_in_flight);
  EXPECT_EQ(world.on_wire_seen, world.options.connections);
  EXPECT_LT(world.commits, 200U) << "intents and outcomes must share commits";
}

TEST(Pipeline, AFinishedBatchSendsNothing) {
  World world(20, 2);
  EXPECT_TRUE(world.run());
  EXPECT_TRUE(world.run());
  EXPECT_EQ(world.requests, 20U);
  EXPECT_EQ(world.pipeline->tally().settled_before, 20U);
}

TEST(Pipeline, AnEmptyBatchFinishes) {
  World world(0, 3);
  EXPECT_TRUE(world.run());
  EXPECT_EQ(world.requests, 0U);
}

// --- what each thing that can happen to an exchange leads to

struct Happening {
  Does does;
  State state;
  std::uint64_t requests;  // for one row, when it happens to the first request only
  Stop stop;
};

class PipelineHappening : public ::testing::TestWithParam<Happening> {};

TEST_P(PipelineHappening, LeadsToItsState) {
  const Happening& happening = GetParam();
  World world(1, 4);
  world.server = [&](std::uint64_t n) { return n == 1 ? happening.does : Does::order; };
  EXPECT_TRUE(world.run());
  world.check();
  EXPECT_TRUE(world.violations.empty()) << joined(world.violations);
  EXPECT_EQ(world.rows->state({1}), happening.state);
  EXPECT_EQ(world.requests, happening.requests);
  EXPECT_EQ(world.pipeline->stop(), happening.stop);
  EXPECT_EQ(world.lines.size(), status_of(happening.state) ? 1U : 0U);
}

INSTANTIATE_TEST_SUITE_P(
    All, PipelineHappening,
    ::testing::Values(Happening{Does::order, State::placed, 1, Stop::none},
                      Happening{Does::order_numeric, State::placed, 1, Stop::none},
                      Happening{Does::lose_answer, State::in_doubt, 1, Stop::none},
                      Happening{Does::drop_request, State::in_doubt, 1, Stop::none},
                      Happening{Does::refuse_connect, State::placed, 2, Stop::none},
                      Happening{Does::throttle, State::placed, 2, Stop::none},
                      Happening{Does::reject, State::rejected, 1, Stop::none},
                      Happening{Does::fail_after, State::in_doubt, 1, Stop::none},
                      Happening{Does::html_after, State::in_doubt, 1, Stop::none},
                      Happening{Does::wrong_secret, State::pending, 1, Stop::credentials},
                      Happening{Does::payment, State::in_doubt, 1, Stop::payment},
                      Happening{Does::nonce_used, State::in_doubt, 1, Stop::none},
                      Happening{Does::throttle_long, State::placed, 2, Stop::none},
                      Happening{Does::expired, State::placed, 2, Stop::none},
                      Happening{Does::expired_skewed, State::pending, 1, Stop::clock}));

TEST(Pipeline, RecordsNoSecretThatTheServerEchoes) {
  World world(1, 4);
  world.server = [](std::uint64_t) { return Does::reject; };
  EXPECT_TRUE(world.run());
  EXPECT_EQ(world.ledger.back().message, "m ***");
  EXPECT_EQ(world.ledger.back().evidence.find(kSecret), std::string::npos);
}

// --- stops

TEST(Pipeline, AWrongSecretStopsBeforeTheBatchMeetsIt) {
  World world(1000, 5);
  world.server = [](std::uint64_t) { return Does::wrong_secret; };
  EXPECT_TRUE(world.run());
  EXPECT_EQ(world.pipeline->stop(), Stop::credentials);
  EXPECT_LE(world.requests, 2U);
  EXPECT_EQ(world.count(State::pending), 1000U);
  world.server = [](std::uint64_t) { return Does::order; };  // the secret is mended
  EXPECT_TRUE(world.run());
  world.check();
  EXPECT_EQ(world.count(State::placed), 1000U);
  EXPECT_TRUE(world.violations.empty()) << joined(world.violations);
}

TEST(Pipeline, TooManyDoubtsStopTheRun) {
  World world(1000, 6);
  world.options.max_doubts = 10;
  world.server = [](std::uint64_t) { return Does::fail_after; };
  EXPECT_TRUE(world.run());
  EXPECT_EQ(world.pipeline->stop(), Stop::max_doubts);
  EXPECT_GE(world.count(State::in_doubt), 10U);
  EXPECT_LE(world.count(State::in_doubt), 11U) << "slow start keeps two in flight";
}

TEST(Pipeline, RefusalsInARowStopTheRun) {
  World world(1000, 7);
  world.options.max_failures = {5, false};
  world.server = [](std::uint64_t) { return Does::reject; };
  EXPECT_TRUE(world.run());
  EXPECT_EQ(world.pipeline->stop(), Stop::max_failures);
  EXPECT_GE(world.count(State::rejected), 5U);
  EXPECT_LE(world.count(State::rejected), 5U + world.options.max_in_flight);
}

TEST(Pipeline, AShareOfRefusalsStopsTheRun) {
  World world(1000, 8);
  world.options.max_failures = {30, true};
  world.server = [](std::uint64_t n) { return n % 2 == 0 ? Does::reject : Does::order; };
  EXPECT_TRUE(world.run());
  EXPECT_EQ(world.pipeline->stop(), Stop::max_failures);
  EXPECT_LE(world.requests, kFailureShareFrom + world.options.max_in_flight);

  World below(1000, 9);
  below.options.max_failures = {60, true};
  below.server = [](std::uint64_t n) { return n % 2 == 0 ? Does::reject : Does::order; };
  EXPECT_TRUE(below.run());
  EXPECT_EQ(below.pipeline->stop(), Stop::none);
}

TEST(Pipeline, MaxOrdersIsExactAndTheSameCommandGoesOn) {
  World world(50, 10);
  world.options.max_orders = 7;
  for (std::uint64_t run = 1; run <= 7; ++run) {
    EXPECT_TRUE(world.run());
    EXPECT_EQ(world.pipeline->stop(), Stop::max_orders);
    EXPECT_EQ(world.requests, run * 7);
  }
  EXPECT_TRUE(world.run());
  EXPECT_EQ(world.requests, 50U);
  EXPECT_EQ(world.pipeline->stop(), Stop::none);
  EXPECT_TRUE(world.violations.empty()) << joined(world.violations);
}

TEST(Pipeline, ExactlyMaxOrdersRowsIsNoStop) {
  World world(7, 11);
  world.options.max_orders = 7;
  EXPECT_TRUE(world.run());
  EXPECT_EQ(world.pipeline->stop(), Stop::none);
  EXPECT_EQ(world.requests, 7U);
}

TEST(Pipeline, DoubtsCountAsSpentAndRefusalsDoNot) {
  World world(50, 12);
  world.options.max_orders = 4;
  world.server = [](std::uint64_t n) {
    if (n <= 2) return Does::reject;
    return n <= 4 ? Does::fail_after : Does::order;
  };
  EXPECT_TRUE(world.run());
  EXPECT_EQ(world.pipeline->stop(), Stop::max_orders);
  EXPECT_EQ(world.count(State::rejected), 2U);
  EXPECT_EQ(world.count(State::in_doubt) + world.count(State::placed), 4U);
}

TEST(Pipeline, MaxSeatsIsNeverExceeded) {
  World world(50, 13);  // row n has n seats: 1 + 2 + ... + 9 = 45
  world.options.max_seats = 50;
  EXPECT_TRUE(world.run());
  EXPECT_EQ(world.pipeline->stop(), Stop::max_seats);
  EXPECT_EQ(world.count(State::placed), 9U);
  EXPECT_EQ(world.pipeline->tally().seats_placed, 45U);
}

TEST(Pipeline, MaxSeatMonthsIsNeverExceeded) {
  World world(50, 13);  // row n has n seats, for a month
  world.options.max_seat_months = 50;
  EXPECT_TRUE(world.run());
  EXPECT_EQ(world.pipeline->stop(), Stop::max_seat_months);
  EXPECT_EQ(world.pipeline->tally().seat_months_placed, 45U);
}

// --- the canary

TEST(Pipeline, TheRestFollowsACanaryThatIsPlaced) {
  World world(50, 21);
  world.options.canary = 3;
  EXPECT_TRUE(world.run());
  EXPECT_EQ(world.pipeline->stop(), Stop::none);
  EXPECT_EQ(world.count(State::placed), 50U);
  EXPECT_TRUE(world.violations.empty()) << joined(world.violations);
}

TEST(Pipeline, ACanaryThatIsNotPlacedStopsTheRunAndEveryRunAfterIt) {
  for (const Does does : {Does::reject, Does::fail_after, Does::lose_answer}) {
    World world(50, 22);
    world.options.canary = 3;
    world.server = [&](std::uint64_t n) { return n == 2 ? does : Does::order; };
    EXPECT_TRUE(world.run());
    EXPECT_EQ(world.pipeline->stop(), Stop::canary);
    EXPECT_LE(world.requests, 3U);
    const std::uint64_t before = world.requests;
    world.server = [](std::uint64_t) { return Does::order; };
    EXPECT_TRUE(world.run());
    EXPECT_EQ(world.pipeline->stop(), Stop::canary);
    EXPECT_EQ(world.requests, before);
    world.options.canary = 0;  // an operator's decision
    EXPECT_TRUE(world.run());
    EXPECT_EQ(world.pipeline->stop(), Stop::none);
    EXPECT_EQ(world.count(State::placed), 49U);
    world.check();
    EXPECT_TRUE(world.violations.empty()) << joined(world.violations);
  }
}

TEST(Pipeline, TheStopTellsHowTheCanaryEnded) {
  World world(50, 23);
  world.options.canary = 4;
  world.shuffled = false;
  world.server = [](std::uint64_t n) { return n == 3 ? Does::reject : Does::order; };
  EXPECT_TRUE(world.run());
  EXPECT_EQ(world.pipeline->stop_detail(),
            "of the batch's orders so far " + std::to_string(world.count(State::placed)) +
                " are placed, 1 rejected, 0 in doubt; --canary 4 lets the rest go only if the "
                "first 4 are placed and no row is rejected or in doubt");
  EXPECT_GE(world.count(State::placed), 2U);
}

TEST(Pipeline, AThrottledCanaryIsTriedAgain) {
  World world(20, 24);
  world.options.canary = 2;
  world.server = [](std::uint64_t n) { return n <= 3 ? Does::throttle : Does::order; };
  EXPECT_TRUE(world.run());
  EXPECT_EQ(world.pipeline->stop(), Stop::none);
  EXPECT_EQ(world.count(State::placed), 20U);
  EXPECT_TRUE(world.violations.empty()) << joined(world.violations);
}

TEST(Pipeline, ACanaryCrashedAtEveryStepGoesOnOnlyIfItWasPlaced) {
  for (std::uint64_t step = 1; step <= 60; ++step) {
    World world(12, 25 + step);
    world.options.canary = 3;
    world.crash_at_step = step;
    const bool ended = world.run();
    world.crash_at_step = 0;
    EXPECT_TRUE(world.run());
    const bool doubts = world.count(State::in_doubt) > 0;
    const bool held = doubts && world.count(State::pending) > 0;
    EXPECT_EQ(world.pipeline->stop(), held ? Stop::canary : Stop::none) << step;
    EXPECT_TRUE(doubts || world.count(State::placed) == 12U) << step;
    if (ended) {
      EXPECT_EQ(world.count(State::placed), 12U);
    }
    world.check();
    EXPECT_TRUE(world.violations.empty()) << step << "\n" << joined(world.violations);
  }
}

TEST(Pipeline, ACanaryHoldsAmongFaultsOfEveryKind) {
  constexpr Does kFaults[] = {Does::lose_answer, Does::drop_request, Does::refuse_connect,
                              Does::throttle,    Does::reject,       Does::fail_after,
                              Does::html_after};
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    World world(15, seed);
    world.options.canary = 1 + seed % 5;
    if (seed % 3 == 0) world.options.replay = Replay::same_bytes;
    if (seed % 4 == 0) world.options.rate = {50, seconds(1)};
    world.server = [&](std::uint64_t) {
      return world.chance() % 5 == 0 ? kFaults[world.chance() % std::size(kFaults)] : Does::order;
    };
    for (int life = 0; life < 3; ++life) {
      world.crash_at_step = life < 2 ? 1 + world.chance() % 60 : 0;
      world.run();
    }
    world.check();
    EXPECT_TRUE(world.violations.empty()) << seed << "\n" << joined(world.violations);
  }
}

// --- the deadline

TEST(Pipeline, NothingIsSentAfterTheDeadlineAndTheSameCommandGoesOn) {
  World world(100, 26);
  world.options.rate = {10, seconds(1)};
  int stopped = 0;
  for (;; ++stopped) {
    ASSERT_LT(stopped, 1000);
    world.options.not_after = world.in(seconds(3));
    EXPECT_TRUE(world.run());
    EXPECT_EQ(world.count(State::placed), world.sent_at.size()) << "what was sent is waited for";
    if (world.pipeline->stop() == Stop::none) break;
    EXPECT_EQ(world.pipeline->stop(), Stop::not_after);
    const std::size_t before = world.sent_at.size();
    world.options.not_after = world.in(seconds(0));
    EXPECT_TRUE(world.run());
    EXPECT_EQ(world.pipeline->stop(), Stop::not_after) << "it is past";
    EXPECT_EQ(world.sent_at.size(), before);
  }
  EXPECT_GT(stopped, 2);
  EXPECT_EQ(world.sent_at.size(), 100U);
  world.check();
  EXPECT_TRUE(world.violations.empty()) << joined(world.violations);
}

TEST(Pipeline, ADeadlineThatComesWhenAllIsSentStopsNothing) {
  World world(20, 27);
  world.options.not_after = world.in(milliseconds(1));
  std::uint64_t reached = 0;
  for (; world.pipeline == nullptr || world.pipeline->stop() != Stop::none; ++reached) {
    ASSERT_LT(reached, 1000U);
    world.options.not_after = world.in(milliseconds(3));
    EXPECT_TRUE(world.run());
  }
  EXPECT_GT(reached, 1U) << "the deadline came before the end, too";
  EXPECT_EQ(world.count(State::placed), 20U);
  EXPECT_TRUE(world.violations.empty()) << joined(world.violations);
}

TEST(Pipeline, ADeadlineHoldsAmongFaultsOfEveryKind) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    World world(40, seed);
    world.options.rate = seed % 2 == 0 ? RateLimit{0, seconds(1)} : RateLimit{200, seconds(1)};
    if (seed % 3 == 0) world.options.replay = Replay::same_bytes;
    world.handshake_ends_in = 1 + seed % 8;
    world.server = [&](std::uint64_t) {
      constexpr Does kFaults[] = {Does::lose_answer, Does::refuse_connect, Does::throttle,
                                  Does::fail_after};
      return world.chance() % 6 == 0 ? kFaults[world.chance() % std::size(kFaults)] : Does::order;
    };
    for (int life = 0; life < 3; ++life) {
      world.options.not_after = world.in(milliseconds(world.chance() % 200));
      world.crash_at_step = life == 1 ? 1 + world.chance() % 60 : 0;
      world.run();
    }
    world.check();
    EXPECT_TRUE(world.violations.empty()) << seed << "\n" << joined(world.violations);
  }
}

TEST(Pipeline, AnUnreachableEndpointEndsTheRunAndLeavesEveryRowPending) {
  World world(100, 14);
  world.server = [](std::uint64_t) { return Does::refuse_connect; };
  EXPECT_TRUE(world.run());
  EXPECT_EQ(world.pipeline->stop(), Stop::unreachable);
  EXPECT_LE(world.requests, 2 * kConnectRoundsFirst);
  EXPECT_EQ(world.count(State::pending), 100U);
  EXPECT_TRUE(world.lines.empty());
}

TEST(Pipeline, AnOutageIsRiddenOut) {
  World world(100, 15);
  world.server = [](std::uint64_t n) {
    return n > 20 && n <= 32 ? Does::refuse_connect : Does::order;
  };
  EXPECT_TRUE(world.run());
  world.check();
  EXPECT_EQ(world.pipeline->stop(), Stop::none);
  EXPECT_EQ(world.count(State::placed), 100U);
}

TEST(Pipeline, ConnectionsThatFailTogetherCountOnce) {
  World world(200, 23);
  world.options.connections = 16;
  world.options.max_in_flight = 32;
  world.server = [](std::uint64_t n) {
    return n > 100 && n <= 126 ? Does::refuse_connect : Does::order;
  };
  EXPECT_TRUE(world.run());
  EXPECT_EQ(world.pipeline->stop(), Stop::none);
  EXPECT_EQ(world.count(State::placed), 200U);
}

TEST(Pipeline, TheServersAbsenceIsNotHeldAgainstARow) {
  World world(2, 24);
  world.options.connections = world.options.max_in_flight = 1;
  world.server = [](std::uint64_t n) {
    return n > 1 && n <= 4 + kAttemptsMax ? Does::refuse_connect : Does::order;
  };
  EXPECT_TRUE(world.run());
  EXPECT_EQ(world.pipeline->stop(), Stop::none);
  EXPECT_EQ(world.count(State::placed), 2U);
}

TEST(Pipeline, ThrottledWithoutEndSetsTheRowsAside) {
  World world(3, 16);
  world.server = [](std::uint64_t) { return Does::throttle; };
  EXPECT_TRUE(world.run());
  EXPECT_EQ(world.pipeline->stop(), Stop::max_attempts);
  EXPECT_EQ(world.requests, 3U * kAttemptsMax);
  EXPECT_EQ(world.count(State::pending), 3U);
}

TEST(Pipeline, AnInterruptLeavesNoDoubt) {
  World world(200, 17);
  world.interrupt_at_step = 60;
  EXPECT_TRUE(world.run());
  world.check();
  EXPECT_EQ(world.pipeline->stop(), Stop::interrupted);
  EXPECT_EQ(world.count(State::in_doubt), 0U);
  EXPECT_EQ(world.count(State::intended), 0U);
  EXPECT_GT(world.count(State::pending), 0U);
  world.interrupt_at_step = 0;
  EXPECT_TRUE(world.run());
  world.check();
  EXPECT_EQ(world.count(State::placed), 200U);
  EXPECT_TRUE(world.violations.empty()) << joined(world.violations);
}

TEST(Pipeline, AnOrderIdGivenTwiceIsADoubtAndItsConnectionIsRetired) {
  World world(20, 26);
  world.shuffled = false;
  world.server = [](std::uint64_t n) { return n == 10 ? Does::repeat_id : Does::order; };
  EXPECT_TRUE(world.run());
  world.check();
  EXPECT_TRUE(world.violations.empty()) << joined(world.violations);
  EXPECT_EQ(world.count(State::in_doubt), 1U);
  EXPECT_EQ(world.count(State::placed), 19U);
  EXPECT_EQ(world.retired, 1U);
}

// --- the rate on the wire

TEST(Pipeline, TheWireKeepsTheBucketRetriesIncluded) {
  World world(300, 18);
  world.options.rate = {50, seconds(1)};
  world.options.burst = 5;
  world.server = [](std::uint64_t n) {
    if (n % 7 == 0) return Does::throttle;
    return n % 11 == 0 ? Does::reject : Does::order;
  };
  EXPECT_TRUE(world.run());
  const auto& sent = world.sent_at;
  for (std::size_t i = 0; i < sent.size(); ++i) {
    for (std::size_t j = i; j < sent.size(); ++j) {
      const double window = std::chrono::duration<double>(sent[j] - sent[i]).count();
      ASSERT_LE(static_cast<double>(j - i + 1), 5 + 50 * window + 1e-6);
    }
  }
}

// Handshakes that end together must not let requests leave together.
TEST(Pipeline, TheWireKeepsTheBucketHoweverLongConnectionsTake) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world(60, seed);
    world.options.rate = {20, seconds(1)};
    world.options.burst = 1 + seed % 3;
    world.options.connections = 16;
    world.options.max_in_flight = 32;
    world.handshake_ends_in = seed % 4 == 0 ? 400 : 3;
    EXPECT_TRUE(world.run());
    world.check();
    ASSERT_TRUE(world.violations.empty()) << joined(world.violations);
    EXPECT_EQ(world.count(State::placed), 60U);
    EXPECT_EQ(world.held, 60U);
    const auto& sent = world.sent_at;
    for (std::size_t i = 0; i < sent.size(); ++i) {
      for (std::size_t j = i; j < sent.size(); ++j) {
        const double window = std::chrono::duration<double>(sent[j] - sent[i]).count();
        ASSERT_LE(static_cast<double>(j - i + 1),
                  static_cast<double>(world.options.burst) + 20 * window + 1e-6);
      }
    }
  }
}

TEST(Pipeline, WhatIsHeldWhenTheRunStopsIsTakenBack) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world(30, seed);
    world.options.rate = {500, seconds(1)};
    world.options.burst = 2;
    world.options.connections = 8;
    world.interrupt_at_step = 20 + seed;
    world.handshake_ends_in = 20;
    EXPECT_TRUE(world.run());
    world.check();
    ASSERT_TRUE(world.violations.empty()) << joined(world.violations);
    EXPECT_EQ(world.pipeline->stop(), Stop::interrupted);
    EXPECT_EQ(world.count(State::in_doubt), 0U);
    EXPECT_EQ(world.count(State::intended), 0U);
    EXPECT_EQ(world.count(State::placed) + world.count(State::pending), 30U);
    world.interrupt_at_step = 0;
    EXPECT_TRUE(world.run());
    world.check();
    ASSERT_TRUE(world.violations.empty()) << joined(world.violations);
    EXPECT_EQ(world.count(State::placed), 30U);
  }
}

// --- sending the same bytes again

TEST(Pipeline, ReplayEndsADoubtByAnOrderIdOnly) {
  World lost(1, 19);  // executed, answer lost: the copy meets the nonce rule
  lost.options.replay = Replay::same_bytes;
  lost.server = [](std::uint64_t n) { return n == 1 ? Does::lose_answer : Does::order; };
  EXPECT_TRUE(lost.run());
  lost.check();
  EXPECT_EQ(lost.requests, 2U);
  EXPECT_EQ(lost.rows->state({1}), State::in_doubt);
  EXPECT_EQ(lost.lines.size(), 1U);

  World dropped(1, 20);  // never arrived: the copy is the first to arrive
  dropped.options.replay = Replay::same_bytes;
  dropped.server = [](std::uint64_t n) { return n == 1 ? Does::drop_request : Does::order; };
  EXPECT_TRUE(dropped.run());
  dropped.check();
  EXPECT_EQ(dropped.requests, 2U);
  EXPECT_EQ(dropped.rows->state({1}), State::placed);
  EXPECT_TRUE(lost.violations.empty() && dropped.violations.empty());
  EXPECT_EQ(dropped.nonces.size(), 1U) << "the same bytes, so the same nonce";
}

TEST(Pipeline, TheSameBytesAreSentOnceMoreAndNoMore) {
  World world(1, 25);
  world.options.replay = Replay::same_bytes;
  world.server = [](std::uint64_t) { return Does::drop_request; };
  EXPECT_TRUE(world.run());
  EXPECT_EQ(world.requests, 2U);
  EXPECT_EQ(world.rows->state({1}), State::in_doubt);
  EXPECT_TRUE(world.violations.empty()) << joined(world.violations);
}

TEST(Pipeline, NeitherIntentsNorReplaysGoOutLate) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world(20, seed);
    world.options.replay = Replay::same_bytes;
    world.server = [&](std::uint64_t n) {
      if (n % 3 == 0) return Does::drop_request;
      return n % 4 == 0 ? Does::throttle_long : Does::order;
    };
    world.run_to_the_end(3);
    ASSERT_TRUE(world.violations.empty()) << joined(world.violations);
  }
}

TEST(Pipeline, ARefusalOfTheCopyLeavesTheDoubt) {
  World world(1, 21);
  world.options.replay = Replay::same_bytes;
  world.server = [](std::uint64_t n) { return n == 1 ? Does::drop_request : Does::reject; };
  EXPECT_TRUE(world.run());
  EXPECT_EQ(world.rows->state({1}), State::in_doubt);
}

// --- failing at every step

constexpr Does kAnything[] = {Does::order,       Does::order,        Does::order_numeric,
                              Does::lose_answer, Does::drop_request, Does::refuse_connect,
                              Does::throttle,    Does::reject,       Does::fail_after,
                              Does::html_after,  Does::nonce_used};

TEST(Pipeline, EveryExchangeInTurnMeetsEveryFault) {
  for (const Does does : kAnything) {
    for (std::uint64_t k = 1; k <= 12; ++k) {
      SCOPED_TRACE("fault " + std::to_string(static_cast<int>(does)) + " at request " +
                   std::to_string(k));
      World world(12, k);
      world.server = [&](std::uint64_t n) { return n == k ? does : Does::order; };
      world.run_to_the_end(3);
      ASSERT_TRUE(world.violations.empty()) << joined(world.violations);
      EXPECT_EQ(world.count(State::pending), 0U);
      EXPECT_EQ(world.lines.size(), 12U);
    }
  }
}

TEST(Pipeline, EveryCommitInTurnFails) {
  for (std::uint64_t k = 1;; ++k) {
    SCOPED_TRACE("commit " + std::to_string(k));
    World world(12, k);
    world.commit_fails = [&](std::uint64_t n) { return n == k; };
    const bool ended = world.run();
    ASSERT_TRUE(ended);
    if (world.commits < k) break;
    EXPECT_EQ(world.pipeline->stop(), Stop::ledger_failed);
    const std::uint64_t sent = world.requests;
    world.check();
    ASSERT_TRUE(world.violations.empty()) << joined(world.violations);
    EXPECT_EQ(world.requests, sent);
    world.run_to_the_end(2);
    ASSERT_TRUE(world.violations.empty()) << joined(world.violations);
    EXPECT_EQ(world.count(State::pending), 0U);
    EXPECT_LE(world.count(State::in_doubt), world.options.max_in_flight);
  }
}

TEST(Pipeline, AfterAFailedCommitNothingIsSentAndWhatCameBackIsTold) {
  World world(100, 22);
  std::uint64_t at_failure = 0;
  world.commit_fails = [&](std::uint64_t n) {
    if (n == 6) at_failure = world.requests;
    return n == 6;
  };
  EXPECT_TRUE(world.run());
  EXPECT_EQ(world.requests, at_failure);
  std::uint64_t in_ledger = 0;
  for (const Record& record : world.ledger) in_ledger += record.kind == RecordKind::placed ? 1 : 0;
  EXPECT_GE(world.pipeline->unrecorded().size() + in_ledger, world.executed.size());
}

TEST(Pipeline, EveryAppendInTurnFails) {
  for (std::uint64_t k = 1;; ++k) {
    SCOPED_TRACE("append " + std::to_string(k));
    World world(12, k);
    world.append_fails = [&](std::uint64_t n) { return n == k; };
    ASSERT_TRUE(world.run());
    if (world.appends < k) break;
    EXPECT_EQ(world.pipeline->stop(), Stop::output_failed);
    EXPECT_EQ(world.appends, k) << "a results file that failed is not written to again";
    world.run_to_the_end(2);
    ASSERT_TRUE(world.violations.empty()) << joined(world.violations);
    EXPECT_EQ(world.lines.size(), 12U);
    EXPECT_EQ(world.count(State::placed), 12U) << "a broken results file costs no doubt";
  }
}

TEST(Pipeline, ACrashAtEveryStepForgetsNothing) {
  for (std::uint64_t k = 1;; ++k) {
    SCOPED_TRACE("crash at step " + std::to_string(k));
    World world(12, k);
    world.crash_at_step = k;
    const bool crashed = !world.run();
    world.check();
    ASSERT_TRUE(world.violations.empty()) << joined(world.violations);
    if (!crashed) break;
    world.crash_at_step = 0;
    world.run_to_the_end(2);
    ASSERT_TRUE(world.violations.empty()) << joined(world.violations);
    EXPECT_EQ(world.count(State::pending), 0U);
    EXPECT_LE(world.count(State::in_doubt), world.options.max_in_flight);
    EXPECT_EQ(world.lines.size(), 12U);
  }
}

// Everything at once: any fault at any request, any commit failing, crashes, restarts.
// SAGORDER_SEED repeats a run.
TEST(Pipeline, AnyMixtureKeepsThePromises) {
  const char* given = std::getenv("SAGORDER_SEED");
  const std::uint64_t base =
      given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  for (std::uint64_t n = 0; n < 300; ++n) {
    const std::uint64_t seed = base + n;
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 chance(seed);
    World world(5 + chance() % 40, seed);
    world.options.connections = 1 + static_cast<std::uint32_t>(chance() % 6);
    world.options.max_in_flight = 1 + static_cast<std::uint32_t>(chance() % 20);
    world.options.replay = chance() % 3 == 0 ? Replay::same_bytes : Replay::never;
    if (chance() % 3 == 0) world.options.rate = {1 + chance() % 1000, seconds(1)};
    const std::uint64_t calm = 1 + chance() % 6;
    world.server = [&](std::uint64_t) {
      return chance() % calm == 0 ? kAnything[chance() % std::size(kAnything)] : Does::order;
    };
    world.commit_fails = [&](std::uint64_t) { return chance() % 60 == 0; };
    world.append_fails = [&](std::uint64_t) { return chance() % 90 == 0; };
    for (int start = 0; start < 5; ++start) {
      world.crash_at_step = chance() % 2 == 0 ? 1 + chance() % 80 : 0;
      world.run();
      world.check();
      ASSERT_TRUE(world.violations.empty()) << joined(world.violations);
      ASSERT_LE(world.in_flight_seen, world.options.max_in_flight);
      ASSERT_LE(world.on_wire_seen, world.options.connections);
    }
    // Once the faults stop, every row ends.
    world.server = [](std::uint64_t) { return Does::order; };
    world.commit_fails = world.append_fails = [](std::uint64_t) { return false; };
    world.run_to_the_end(2);
    ASSERT_TRUE(world.violations.empty()) << joined(world.violations);
    EXPECT_EQ(world.count(State::pending) + world.count(State::intended), 0U);
    EXPECT_EQ(world.lines.size(), world.rows_total);
  }
}

}  // namespace
}  // namespace sagorder::testing
