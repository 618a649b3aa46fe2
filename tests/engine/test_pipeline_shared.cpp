// What a pipeline does that shares its batch with other hosts.
#include <gtest/gtest.h>

#include <vector>

#include "tests/engine/allocations.hpp"
#include "tests/engine/by_hand.hpp"
#include "tests/engine/world.hpp"

namespace sagorder::testing {
namespace {

std::string joined(const std::vector<std::string>& lines) {
  std::string all;
  for (const auto& line : lines) all += line + "\n";
  return all;
}

// --- what another host had claimed

TEST(PipelineShared, ARefusedIntentIsNotSentAndHasNoLine) {
  ByHand run;
  run.read(1);  // a commit of its own
  run.read(2);
  run.read(3);
  run.read(4);
  run.commit();
  const std::vector<std::uint32_t> refused = {0};
  ASSERT_EQ(run.actions->commit.size(), 1U) << "of row 2: two rows are in flight at first";
  run.tell(event::Committed{refused});
  EXPECT_TRUE(run.actions->sends.empty());
  EXPECT_TRUE(run.actions->lines.empty());
  EXPECT_EQ(run.state(2), State::intended) << "an open attempt, of another";
  EXPECT_EQ(run.pipeline.in_flight(), 2U) << "its place is row 3's";
  EXPECT_EQ(run.pipeline.tally().elsewhere, 1U);
  EXPECT_EQ(run.read(2).commit.size(), 0U) << "read again it is not tried again";
  EXPECT_EQ(run.pipeline.tally().settled_before, 1U);
}

TEST(PipelineShared, WhatIsBesideARefusedIntentGoesOn) {
  World world(60, 1);
  world.is_claimed = [](std::uint64_t n) { return n % 3 == 0; };
  EXPECT_TRUE(world.run());
  world.check();
  EXPECT_TRUE(world.violations.empty()) << joined(world.violations);
  EXPECT_EQ(world.elsewhere.size(), 20U);
  EXPECT_EQ(world.count(State::placed), 40U);
  EXPECT_EQ(world.count(State::intended), 20U);
  EXPECT_EQ(world.lines.size(), 40U);
  EXPECT_EQ(world.requests, 40U);
  EXPECT_EQ(world.pipeline->tally().elsewhere, 20U);
}

TEST(PipelineShared, RefusalsAmongFaultsOfEveryKindKeepThePromises) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    World world(30, seed);
    world.options.replay = seed % 2 == 0 ? Replay::same_bytes : Replay::never;
    if (seed % 3 == 0) world.options.rate = {50, seconds(1)};
    world.is_claimed = [&](std::uint64_t) { return world.chance() % 4 == 0; };
    world.server = [&](std::uint64_t) {
      constexpr Does kDoes[] = {Does::order,    Does::order,      Does::lose_answer,
                                Does::throttle, Does::fail_after, Does::refuse_connect};
      return kDoes[world.chance() % std::size(kDoes)];
    };
    EXPECT_TRUE(world.run());
    world.check();
    ASSERT_TRUE(world.violations.empty()) << "seed " << seed << "\n" << joined(world.violations);
    EXPECT_EQ(world.count(State::intended), world.elsewhere.size());
  }
}

TEST(PipelineShared, OnlyIntentsCanBeRefused) {
  ByHand run;
  run.place(run.send(1), "1001");
  const std::vector<std::uint32_t> refused = {0};
  EXPECT_THROW(run.tell(event::Committed{refused}), BrokenPromise);
}

TEST(PipelineShared, ARefusalOutsideTheCommitIsAContradiction) {
  ByHand run;
  run.read(1);
  const std::vector<std::uint32_t> refused = {1};
  EXPECT_THROW(run.tell(event::Committed{refused}), BrokenPromise);
}

TEST(PipelineShared, RefusalsAllocateNothingOnceTheBuffersHaveGrown) {
  ByHand run;
  const std::vector<std::uint32_t> refused = {0};
  Order order;
  order.region_id = "cn-shanghai";
  order.period = 1;
  order.user_count = 1;
  const auto refuse = [&](std::uint64_t row) {
    order.row = {row};
    run.tell(event::OrderRead{&order});
    const auto before = allocations_on_this_thread();
    run.tell(event::Committed{refused});
    return allocations_on_this_thread() - before;
  };
  for (std::uint64_t row = 1; row <= 150; ++row) refuse(row);
  for (std::uint64_t row = 151; row <= 300; ++row) EXPECT_EQ(refuse(row), 0U) << row;
}

// --- rows that come in ranges

/// A pipeline that shares its batch, and has asked for rows and a lease. Without a rate.
class Sharing : public ByHand {
 public:
  explicit Sharing(const PipelineOptions& options = shared()) : ByHand(options) {
    EXPECT_TRUE(actions->wanted_range);
    grant();
  }
  static PipelineOptions shared() {
    PipelineOptions options = fixed_endpoint();
    options.sharing = sagorder::Sharing{};
    return options;
  }
  const Actions& claim(std::uint64_t first, std::uint64_t last, std::span<const Step> steps = {}) {
    return tell(event::RangeClaimed{{first}, {last}, steps});
  }
  const Actions& end_range() { return tell(event::InputEnded{}); }
  /// Grants all that was asked for.
  const Actions& grant() {
    EXPECT_TRUE(actions->lease.has_value());
    const std::uint32_t tokens = actions->lease ? actions->lease->tokens : 0;
    return tell(event::Leased{tokens, steady + kLeaseLength});
  }
  const Actions& cannot_ask() { return tell(event::LeaseFailed{"no route to host", false}); }
  const Actions& pass(nanoseconds span) {
    steady += span;
    wall += std::chrono::duration_cast<milliseconds>(span);
    return tell(event::Tick{});
  }
  const Actions& connect(Slot slot) { return tell(event::Connected{slot}); }
  /// Reads a row and makes its intent durable. @return the slot that has its connection and leaves
  Slot send(std::uint64_t row) {
    const Slot slot = hold(row);
    EXPECT_EQ(connect(slot).go, std::vector<Slot>{slot});
    return slot;
  }
  /// The same, up to the connection.
  Slot hold(std::uint64_t row) {
    read(row);
    commit();
    EXPECT_EQ(actions->sends.size(), 1U);
    EXPECT_TRUE(actions->sends.at(0).hold);
    return actions->sends.at(0).slot;
  }
  /// Reads a row, and has it placed and recorded.
  void place_whole(std::uint64_t row) {
    place(send(row), std::to_string(1000 + row));
    commit();
  }
};

TEST(PipelineShared, RowsAreReadOutOfClaimedRangesAlone) {
  Sharing run;
  EXPECT_EQ(run.actions->wanted_orders, 0U);
  run.tell(event::Tick{});
  EXPECT_FALSE(run.actions->wanted_range) << "asked once";
  run.claim(11, 12);
  EXPECT_FALSE(run.actions->wanted_range);
  EXPECT_GT(run.actions->wanted_orders, 0U);
  run.read(11);
  run.read(12);
  run.end_range();
  EXPECT_TRUE(run.actions->wanted_range) << "the next one is claimed while this one is sent";
  EXPECT_EQ(run.actions->wanted_orders, 0U);
  EXPECT_FALSE(run.actions->finished);
}

TEST(PipelineShared, TheRunIsFinishedWhenThereIsNoRangeForGoodAndNothingUnderWay) {
  Sharing run;
  run.claim(1, 1);
  const Slot slot = run.send(1);
  run.end_range();
  run.tell(event::NoRange{true});
  EXPECT_FALSE(run.actions->finished);
  run.place(slot, "1001");
  EXPECT_FALSE(run.actions->finished);
  run.commit();
  EXPECT_TRUE(run.actions->finished);
  EXPECT_EQ(run.pipeline.stop(), Stop::none);
}

TEST(PipelineShared, WhereThereIsNoRangeNowItIsAskedAgain) {
  Sharing run;
  run.tell(event::NoRange{false});
  EXPECT_FALSE(run.actions->finished);
  EXPECT_FALSE(run.actions->wanted_range);
  ASSERT_EQ(run.actions->wake_at, run.steady + kRangeWaitFirst);
  run.steady = *run.actions->wake_at;
  run.tell(event::Tick{});
  EXPECT_TRUE(run.actions->wanted_range);
}

TEST(PipelineShared, ARangeIsOverWhenNothingOfItIsUnderWay) {
  Sharing run;
  run.claim(1, 2);
  const Slot slot = run.send(1);
  run.end_range();
  EXPECT_TRUE(run.actions->ranges_over.empty());
  run.claim(3, 3);
  run.place_whole(3);
  run.end_range();
  ASSERT_EQ(run.actions->ranges_over.size(), 1U);
  EXPECT_EQ(run.actions->ranges_over[0].first.value, 3U);
  run.place(slot, "1001");
  EXPECT_TRUE(run.actions->ranges_over.empty()) << "its outcome is not durable";
  run.commit();
  ASSERT_EQ(run.actions->ranges_over.size(), 1U);
  EXPECT_EQ(run.actions->ranges_over[0].last.value, 2U);
}

TEST(PipelineShared, OfARangeTakenOverOpenIntentsAreLeftAlone) {
  Sharing run;
  const Step steps[] = {{RecordKind::intent, {1}, {1}},       {RecordKind::intent, {2}, {1}},
                        {RecordKind::not_executed, {2}, {1}}, {RecordKind::intent, {3}, {1}},
                        {RecordKind::placed, {3}, {1}},       {RecordKind::intent, {4}, {1}},
                        {RecordKind::in_doubt, {4}, {1}}};
  run.claim(1, 4, steps);
  for (const std::uint64_t row : {1U, 3U, 4U}) {
    run.read(row);
    EXPECT_TRUE(run.actions->commit.empty()) << row;
  }
  run.read(2);
  ASSERT_EQ(run.actions->commit.size(), 1U);
  EXPECT_EQ(run.actions->commit[0].row.value, 2U);
  EXPECT_EQ(run.actions->commit[0].attempt.value, 2U) << "claimed by insert like any other";
}

TEST(PipelineShared, WhatWasKnownOfAClaimedRangeIsForgotten) {
  Sharing run;
  run.claim(1, 1);
  run.read(1);
  const std::vector<std::uint32_t> refused = {0};
  run.tell(event::Committed{refused});
  run.end_range();
  ASSERT_EQ(run.state(1), State::intended);
  ASSERT_TRUE(run.actions->wanted_range);
  const Step steps[] = {{RecordKind::intent, {1}, {1}}, {RecordKind::not_executed, {1}, {1}}};
  run.claim(1, 1, steps);
  run.read(1);
  ASSERT_EQ(run.actions->commit.size(), 1U) << "the other host was refused for the rate, and died";
  EXPECT_EQ(run.actions->commit[0].attempt.value, 2U);
}

TEST(PipelineShared, ARangeThatThisHostStillHasInItsSlotsIsNotReadAgain) {
  Sharing run;
  run.claim(1, 2);
  run.read(1);
  run.end_range();
  run.claim(1, 2);
  EXPECT_EQ(run.actions->wanted_orders, 0U);
  EXPECT_EQ(run.state(1), State::pending);
  run.commit();
  EXPECT_EQ(run.actions->sends.size(), 1U) << "what is in a slot goes on";
  EXPECT_GT(run.actions->wake_at, run.steady) << "and another range is asked for later";
}

TEST(PipelineShared, ARecordThatCannotFollowIsAContradiction) {
  Sharing run;
  const Step steps[] = {{RecordKind::placed, {1}, {1}}};
  EXPECT_THROW(run.claim(1, 1, steps), BrokenPromise);
}

TEST(PipelineShared, ARecordOfARowOutsideTheRangeIsAContradiction) {
  for (const std::uint64_t row : {1U, 4U}) {
    Sharing run;
    const Step steps[] = {{RecordKind::intent, {row}, {1}}};
    EXPECT_THROW(run.claim(2, 3, steps), BrokenPromise) << row;
  }
}

/// Row 1, which is read, is throttled each time, until it was tried as often as may be.
void try_too_often(Sharing& run) {
  for (std::uint32_t k = 0; k < kAttemptsMax; ++k) {
    run.commit();
    ASSERT_EQ(run.actions->sends.size(), 1U) << k;
    const Slot slot = run.actions->sends[0].slot;
    run.connect(slot);
    run.refuse(slot, "Throttling.User");
    run.commit();
    run.pass(seconds(60));
    if (run.actions->finished) break;
    const bool wanted_range = run.actions->wanted_range;
    run.grant();
    if (wanted_range) run.tell(event::NoRange{false});
  }
}

TEST(PipelineShared, ARowTriedTooOftenEndsTheRunOfThisHost) {
  Sharing run;
  run.claim(1, 1);
  run.read(1);
  run.end_range();
  run.tell(event::NoRange{false});
  try_too_often(run);
  EXPECT_TRUE(run.actions->finished);
  EXPECT_EQ(run.pipeline.stop(), Stop::max_attempts);
}

TEST(PipelineShared, OneTriedTooOftenWhileItsRangeIsReadEndsTheRunBehindIt) {
  Sharing run;
  run.claim(1, 2);
  run.read(1);
  try_too_often(run);
  EXPECT_FALSE(run.actions->finished) << "row 2 of the range is this host's";
  run.place_whole(2);
  EXPECT_FALSE(run.actions->finished);
  run.end_range();
  EXPECT_FALSE(run.actions->wanted_range);
  EXPECT_TRUE(run.actions->finished);
  EXPECT_EQ(run.pipeline.stop(), Stop::max_attempts);
}

TEST(PipelineShared, AStoppedRunClaimsNothing) {
  Sharing run;
  run.tell(event::NoRange{false});
  run.interrupt();
  EXPECT_TRUE(run.actions->finished);
  run.pass(seconds(60));
  EXPECT_FALSE(run.actions->wanted_range);
}

PipelineOptions with_canary() {
  PipelineOptions options = Sharing::shared();
  options.sharing->canary_rows = 4;
  return options;
}

TEST(PipelineShared, ACanaryThatIsLostStopsTheHostThatHasIt) {
  for (const bool doubt : {false, true}) {
    Sharing run(with_canary());
    run.claim(1, 4);
    for (std::uint64_t row = 1; row <= 4; ++row) run.read(row);
    run.commit();
    ASSERT_EQ(run.actions->sends.size(), 1U) << "with its commit the next one begins";
    const Slot slot = run.actions->sends[0].slot;
    run.commit();
    run.connect(slot);
    doubt ? run.fault(slot, FaultKind::reset, 400) : run.refuse(slot, "InvalidParameter");
    EXPECT_EQ(run.pipeline.stop(), Stop::canary);
    run.fault(run.actions->leave.at(0), FaultKind::cancelled, 0);
    run.commit();
    run.commit();
    EXPECT_TRUE(run.actions->finished) << "what is left of it is not sent";
    EXPECT_EQ(run.pipeline.tally().sent, 1U);
    EXPECT_EQ(run.pipeline.stop_detail(),
              "one of the batch's first orders is rejected or in doubt");
  }
}

TEST(PipelineShared, WhatIsBehindTheCanaryMayBeLost) {
  Sharing run(with_canary());
  run.claim(5, 9);
  run.refuse(run.send(5), "InvalidParameter");
  run.commit();
  EXPECT_EQ(run.pipeline.stop(), Stop::none);
}

TEST(PipelineShared, EveryRowOfEveryRangeIsPlacedAndEveryRangeIsOver) {
  for (const std::uint64_t rows : {1U, 7U, 64U, 100U}) {
    World world(200, rows);
    world.range_rows = rows;
    EXPECT_TRUE(world.run());
    world.check();
    EXPECT_TRUE(world.violations.empty()) << joined(world.violations);
    EXPECT_EQ(world.count(State::placed), 200U);
    EXPECT_EQ(world.rows_over, 200U);
    EXPECT_EQ(world.requests, 200U);
  }
}

TEST(PipelineShared, RangesAmongFaultsOfEveryKindKeepThePromises) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    World world(30, seed);
    world.range_rows = 1 + seed % 9;
    if (seed % 3 == 0) world.options.rate = {50, seconds(1)};
    world.is_claimed = [&](std::uint64_t) { return world.chance() % 8 == 0; };
    world.server = [&](std::uint64_t) {
      constexpr Does kDoes[] = {Does::order,    Does::order,      Does::lose_answer,
                                Does::throttle, Does::fail_after, Does::refuse_connect};
      return kDoes[world.chance() % std::size(kDoes)];
    };
    world.interrupt_at_step = seed % 5 == 0 ? 40 : 0;
    EXPECT_TRUE(world.run());
    world.check();
    ASSERT_TRUE(world.violations.empty()) << "seed " << seed << "\n" << joined(world.violations);
  }
}

// --- the lease

TEST(PipelineShared, WithoutALeaseNothingIsIntended) {
  ByHand run(Sharing::shared());
  ASSERT_TRUE(run.actions->lease.has_value());
  run.tell(event::RangeClaimed{{1}, {2}, {}});
  run.read(1);
  EXPECT_TRUE(run.actions->commit.empty());
  run.tell(event::Leased{0, run.steady + kLeaseLength});
  EXPECT_EQ(run.actions->commit.size(), 1U);
}

TEST(PipelineShared, AnIntentThatIsDurableAfterTheLeaseWaitsForTheNextOne) {
  Sharing run;
  run.claim(1, 1);
  run.read(1);
  run.pass(kLeaseLength);
  ASSERT_TRUE(run.actions->lease.has_value());
  const Actions& after = run.tell(event::Committed{});
  EXPECT_TRUE(after.sends.empty());
  run.tell(event::Leased{0, run.steady + kLeaseLength});
  EXPECT_EQ(run.actions->sends.size(), 1U);
}

TEST(PipelineShared, AHostThatStoodStillAsksBeforeItSends) {
  Sharing run;
  run.claim(1, 1);
  const Slot slot = run.hold(1);
  run.steady += seconds(40);  // no event came meanwhile: the process stood still
  EXPECT_TRUE(run.connect(slot).go.empty());
  ASSERT_TRUE(run.actions->lease.has_value());
  run.grant();
  EXPECT_EQ(run.actions->go, std::vector<Slot>{slot});
}

TEST(PipelineShared, AnAnswerThatWaitedWhileTheHostStoodStillIsNoLease) {
  Sharing run;
  run.claim(1, 1);
  const Slot slot = run.hold(1);
  run.pass(kLeaseLength);
  ASSERT_TRUE(run.actions->lease.has_value());
  const SteadyTime until = run.steady + kLeaseLength;
  run.connect(slot);
  run.steady += seconds(40);
  run.tell(event::Leased{0, until});
  EXPECT_TRUE(run.actions->go.empty());
  ASSERT_TRUE(run.actions->lease.has_value()) << "it asks again at once";
  run.grant();
  EXPECT_EQ(run.actions->go, std::vector<Slot>{slot});
}

TEST(PipelineShared, WithoutTheLedgerItFallsSilentSaysSoAndGoesOnByItself) {
  Sharing run;
  run.claim(1, 1);
  const Slot slot = run.hold(1);
  run.pass(kLeaseLength);
  run.cannot_ask();
  EXPECT_NE(run.actions->notice.find("no route to host"), std::string::npos);
  EXPECT_TRUE(run.connect(slot).go.empty());
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(run.actions->wake_at.has_value());
    EXPECT_LE(*run.actions->wake_at - run.steady, kLeaseRetryMax);
    run.pass(*run.actions->wake_at - run.steady);
    ASSERT_TRUE(run.actions->lease.has_value());
    run.cannot_ask();
    EXPECT_TRUE(run.actions->notice.empty()) << "it was said";
    EXPECT_TRUE(run.actions->go.empty());
  }
  run.pass(*run.actions->wake_at - run.steady);
  run.grant();
  EXPECT_EQ(run.actions->notice, "the shared ledger answers again");
  EXPECT_EQ(run.actions->go, std::vector<Slot>{slot});
  EXPECT_EQ(run.pipeline.stop(), Stop::none);
}

TEST(PipelineShared, AHostWithNothingToSendSaysOnceThatTheLedgerIsSilent) {
  Sharing run;
  run.claim(1, 1);
  run.send(1);
  run.end_range();
  run.pass(kHeartbeat);
  ASSERT_TRUE(run.actions->lease.has_value()) << "and it is not answered";
  for (nanoseconds waited{0}; waited < kSilenceMin;) {
    EXPECT_TRUE(run.actions->notice.empty());
    ASSERT_TRUE(run.actions->wake_at.has_value()) << "nothing else comes";
    const nanoseconds wait = *run.actions->wake_at - run.steady;
    run.pass(wait);
    waited += wait;
  }
  EXPECT_NE(run.actions->notice.find("does not answer"), std::string::npos);
  run.pass(seconds(10));
  EXPECT_TRUE(run.actions->notice.empty()) << "it was said";
  run.cannot_ask();
  EXPECT_TRUE(run.actions->notice.empty()) << "it was said";
  ASSERT_TRUE(run.actions->lease.has_value()) << "it is asked again at once";
  run.grant();
  EXPECT_EQ(run.actions->notice, "the shared ledger answers again");
}

TEST(PipelineShared, AnIntentThatGrewTooOldWithoutALeaseIsTakenBack) {
  Sharing run;
  run.claim(1, 1);
  const Slot slot = run.hold(1);
  run.pass(kLeaseLength);
  run.connect(slot);
  run.pass(kStampAgeMax);
  EXPECT_EQ(run.actions->leave, std::vector<Slot>{slot});
  run.fault(slot, FaultKind::cancelled, 0);
  ASSERT_EQ(run.actions->commit.size(), 1U);
  EXPECT_EQ(run.actions->commit[0].kind, RecordKind::not_executed);
  EXPECT_EQ(run.actions->commit[0].code, "NotSent");
}

TEST(PipelineShared, AFencedHostStopsForGood) {
  Sharing run;
  run.claim(1, 3);
  const Slot sent = run.send(1);
  const Slot held = run.hold(2);
  run.pass(kLeaseLength);
  ASSERT_TRUE(run.actions->lease.has_value());
  run.tell(event::LeaseFailed{"fenced by another host", true});
  EXPECT_EQ(run.pipeline.stop(), Stop::fenced);
  EXPECT_NE(run.pipeline.stop_detail().find("fenced by another host"), std::string::npos);
  EXPECT_EQ(run.actions->leave, std::vector<Slot>{held});
  run.fault(held, FaultKind::cancelled, 0);
  run.commit();
  run.pass(seconds(60));
  EXPECT_FALSE(run.actions->lease.has_value()) << "it does not ask again";
  run.place(sent, "1001");
  EXPECT_FALSE(run.actions->finished) << "what it sent is recorded";
  run.commit();
  EXPECT_TRUE(run.actions->finished);
  EXPECT_EQ(run.state(1), State::placed);
  EXPECT_EQ(run.state(2), State::pending);
}

TEST(PipelineShared, ThatItLivesIsToldWhileAnAnswerIsAwaited) {
  Sharing run;
  run.claim(1, 1);
  run.send(1);
  run.end_range();
  run.tell(event::NoRange{true});
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(run.actions->wake_at.has_value());
    EXPECT_LE(*run.actions->wake_at - run.steady, kHeartbeat);
    run.pass(*run.actions->wake_at - run.steady);
    ASSERT_TRUE(run.actions->lease.has_value());
    EXPECT_EQ(run.actions->lease->tokens, 0U);
    run.grant();
  }
}

PipelineOptions with_rate() {
  PipelineOptions options = Sharing::shared();
  options.rate = {10, seconds(1)};
  options.burst = 8;
  return options;
}

TEST(PipelineShared, NoMoreAreIntendedThanThereAreTokens) {
  Sharing run(with_rate());
  run.claim(1, 9);
  for (std::uint64_t row = 1; row <= 9; ++row) run.read(row);
  run.commit();
  run.commit();
  EXPECT_EQ(run.pipeline.in_flight(), 2U) << "as many as were asked for at first";
  run.pass(kLeaseLength);
  run.tell(event::Leased{0, run.steady + kLeaseLength});
  EXPECT_EQ(run.pipeline.in_flight(), 2U);
}

TEST(PipelineShared, ARowThatFoundNoConnectionGivesItsTokenBack) {
  Sharing run(with_rate());
  run.claim(1, 9);
  Slot slot = run.hold(1);
  for (int i = 0; i < 2; ++i) {  // as often as there are tokens
    run.fault(slot, FaultKind::connect_failed, 0);
    run.commit();
    run.pass((1 + i) * kBackoffFirst);
    ASSERT_EQ(run.actions->commit.size(), 1U) << i;
    run.commit();
    ASSERT_EQ(run.actions->sends.size(), 1U) << i;
    slot = run.actions->sends[0].slot;
  }
  EXPECT_EQ(run.connect(slot).go, std::vector<Slot>{slot});
}

TEST(PipelineShared, ThrottlingIsToldWithTheNextAskAndFollowed) {
  Sharing run(with_rate());
  run.claim(1, 2);
  const Slot slot = run.send(1);
  run.refuse(slot, "Throttling.User");
  run.commit();
  run.pass(milliseconds(50));
  run.read(2);
  if (!run.actions->lease) run.pass(milliseconds(500));
  ASSERT_TRUE(run.actions->lease.has_value());
  EXPECT_EQ(run.actions->lease->factor, 0.5);
  run.grant();
  run.pass(seconds(1));
  ASSERT_TRUE(run.actions->lease.has_value());
  EXPECT_EQ(run.actions->lease->factor, 1.0) << "told once";
  run.tell(event::Leased{0, run.steady + kLeaseLength, 0.125, seconds(3)});
  EXPECT_EQ(run.pipeline.pacer().factor(), 0.125) << "another host saw worse";
  EXPECT_EQ(run.pipeline.pacer().paused_until(), run.steady + seconds(3));
}

TEST(PipelineShared, WhatCouldNotBeToldIsToldAgain) {
  Sharing run(with_rate());
  run.claim(1, 1);
  run.refuse(run.send(1), "Throttling.User");
  run.commit();
  run.pass(seconds(1));
  ASSERT_TRUE(run.actions->lease.has_value());
  run.cannot_ask();
  run.pass(seconds(2));
  ASSERT_TRUE(run.actions->lease.has_value());
  EXPECT_LT(run.actions->lease->factor, 1.0);
}

TEST(PipelineShared, APauseIsToldAgainWhereTheAnswerToTheAskIsNotKnown) {
  Sharing run(with_rate());
  run.pass(kHeartbeat);
  run.tell(event::Leased{0, run.steady + kLeaseLength, 1.0, seconds(10)});
  run.claim(1, 1);
  run.read(1);
  run.pass(seconds(1));
  ASSERT_TRUE(run.actions->lease.has_value());
  EXPECT_EQ(run.actions->lease->paused_for, nanoseconds(0)) << "the ledger knows";
  run.cannot_ask();
  run.pass(seconds(2));
  ASSERT_TRUE(run.actions->lease.has_value());
  EXPECT_EQ(run.actions->lease->paused_for, seconds(7)) << "or knew, before it failed over";
}

TEST(PipelineShared, AHostWhoseCommitFailedAsksForNoLease) {
  Sharing run;
  run.claim(1, 2);
  const Slot slot = run.send(1);
  run.read(2);
  run.tell(event::CommitFailed{"no route to host"});
  run.pass(kHeartbeat);
  EXPECT_FALSE(run.actions->lease.has_value());
  run.place(slot, "1001");
  EXPECT_TRUE(run.actions->finished);
  EXPECT_EQ(run.pipeline.stop(), Stop::ledger_failed);
}

// --- limits of all hosts together

/// Grants what is asked for of the limits, and the tokens.
const Actions& give(Sharing& run, const Share& held, const Share& most, bool more_may_come) {
  EXPECT_TRUE(run.actions->lease && run.actions->lease->share);
  const std::uint32_t tokens = run.actions->lease->tokens;
  return run.tell(event::Leased{tokens, run.steady + kLeaseLength, 1.0, nanoseconds(0),
                                ShareGrant{held, most, more_may_come}});
}

PipelineOptions of_three_orders() {
  PipelineOptions options = Sharing::shared();
  options.max_orders = 3;
  return options;
}

/// Passes to when the ledger is asked next.
void pass_to_ask(Sharing& run) {
  for (int i = 0; i < 10 && !(run.actions->lease && run.actions->lease->share); ++i) {
    if (run.actions->lease) run.grant();
    if (run.actions->lease) continue;
    ASSERT_TRUE(run.actions->wake_at);
    run.pass(*run.actions->wake_at - run.steady);
  }
}

constexpr Share of_one_seat(std::uint64_t orders) { return {orders, orders, orders}; }

/// Row 1 of those up to @p last, which is for one seat and has its share, is on the wire.
Slot send_row_1(Sharing& run, std::uint64_t last, const Share& most) {
  run.claim(1, last);
  run.read(1);
  pass_to_ask(run);
  give(run, of_one_seat(1), most, false);
  run.commit();
  const Slot slot = run.actions->sends.at(0).slot;
  run.connect(slot);
  return slot;
}

TEST(PipelineShared, NothingIsIntendedBeforeAShareIsGranted) {
  Sharing run(of_three_orders());
  run.claim(1, 9);
  for (std::uint64_t row = 1; row <= 2; ++row) run.read(row);
  EXPECT_TRUE(run.actions->commit.empty());
  pass_to_ask(run);
  const ShareAsk ask = *run.actions->lease->share;
  EXPECT_EQ(ask.held, Share{});
  EXPECT_EQ(ask.least, of_one_seat(1));
  EXPECT_EQ(ask.wanted, of_one_seat(2));
  EXPECT_TRUE(run.actions->commit.empty());
  give(run, of_one_seat(1), of_one_seat(3), true);
  EXPECT_EQ(run.actions->commit.size(), 1U);
  EXPECT_EQ(run.pipeline.in_flight(), 1U);
}

TEST(PipelineShared, AnAskForAShareThatFailsGrantsNothing) {
  Sharing run(of_three_orders());
  run.claim(1, 9);
  run.read(1);
  pass_to_ask(run);
  run.cannot_ask();
  EXPECT_TRUE(run.actions->commit.empty());
  pass_to_ask(run);
  EXPECT_EQ(run.actions->lease->share->held, Share{}) << "the same again, as totals";
  give(run, of_one_seat(1), of_one_seat(3), true);
  EXPECT_EQ(run.actions->commit.size(), 1U);
}

TEST(PipelineShared, WhatWasNotExecutedIsSpentAgain) {
  Sharing run(of_three_orders());
  run.claim(1, 9);
  run.read(1);
  run.read(2);
  pass_to_ask(run);
  give(run, of_one_seat(1), of_one_seat(1), true);
  run.commit();
  run.connect(run.actions->sends.at(0).slot);
  run.refuse(0, "InvalidParameter");
  run.commit();
  ASSERT_EQ(run.actions->commit.size(), 1U) << "row 2 has the room of row 1, which was rejected";
  EXPECT_EQ(run.actions->commit[0].row.value, 2U);
}

TEST(PipelineShared, AHostWithoutAShareWaitsAsLongAsOneMayComeBack) {
  PipelineOptions options = with_rate();
  options.max_orders = 3;
  Sharing run(options);
  run.claim(1, 9);
  run.read(1);
  pass_to_ask(run);
  for (int i = 0; i < 5; ++i) {
    give(run, {}, {}, true);
    EXPECT_EQ(run.pipeline.stop(), Stop::none);
    ASSERT_TRUE(run.actions->wake_at);
    const SteadyTime before = run.steady;
    pass_to_ask(run);
    EXPECT_EQ(run.steady, before + kHeartbeat) << "with its heartbeat";
    EXPECT_EQ(run.actions->lease->tokens, 0U) << "it takes no token from the others";
  }
  give(run, {}, {}, false);
  EXPECT_EQ(run.pipeline.stop(), Stop::max_orders);
  EXPECT_EQ(run.pipeline.stop_detail(), "of 3 for all hosts none is left");
  EXPECT_TRUE(run.actions->finished);
  EXPECT_EQ(run.pipeline.spent(), Share{});
}

TEST(PipelineShared, AHostWithRowsUnderWayWaitsForThem) {
  Sharing run(of_three_orders());
  const Slot slot = send_row_1(run, 9, of_one_seat(1));
  run.read(2);
  pass_to_ask(run);
  give(run, of_one_seat(1), of_one_seat(1), false);
  EXPECT_EQ(run.pipeline.stop(), Stop::none) << "row 1 may be rejected";
  run.place(slot, "1001");
  EXPECT_EQ(run.pipeline.stop(), Stop::none);
  run.commit();
  EXPECT_EQ(run.pipeline.stop(), Stop::max_orders);
  EXPECT_EQ(run.pipeline.spent(), of_one_seat(1));
}

TEST(PipelineShared, ARowOfTooManySeatsIsNamedWithWhatIsLeft) {
  PipelineOptions options = Sharing::shared();
  options.max_seats = 50;
  Sharing run(options);
  run.claim(1, 9);
  run.read(1, 30);
  pass_to_ask(run);
  give(run, {}, {kNoLimit, 20, kNoLimit}, false);
  EXPECT_EQ(run.pipeline.stop(), Stop::max_seats);
  EXPECT_EQ(run.pipeline.stop_detail(), "row 1 is for 30 seats, and 20 of 50 are left");
  EXPECT_FALSE(run.pipeline.limit_too_small()) << "another run may buy them";
}

TEST(PipelineShared, WhatItHasNoUseForGoesBackWithAHeartbeat) {
  Sharing run(of_three_orders());
  run.claim(1, 2);
  run.read(1);
  run.read(2);
  pass_to_ask(run);
  give(run, of_one_seat(2), of_one_seat(3), false);
  run.commit();
  ASSERT_EQ(run.actions->sends.size(), 2U);
  const Slot held = run.actions->sends[1].slot;
  run.connect(run.actions->sends[0].slot);
  run.interrupt();
  run.fault(held, FaultKind::cancelled, 0);
  run.commit();
  pass_to_ask(run);
  ASSERT_TRUE(run.actions->lease && run.actions->lease->share);
  EXPECT_EQ(run.actions->lease->share->held, of_one_seat(1)) << "for what is on the wire";
  EXPECT_EQ(run.actions->lease->share->wanted, of_one_seat(1));
}

TEST(PipelineShared, ARowThatIsTriedAgainMayHaveToAskAgain) {
  Sharing run(of_three_orders());
  const Slot slot = send_row_1(run, 2, of_one_seat(3));
  run.steady += milliseconds(900);
  run.refuse(slot, "Throttling.User");
  run.commit();
  pass_to_ask(run);
  EXPECT_EQ(run.actions->lease->share->held, Share{}) << "nothing is under way, nothing waits";
  give(run, {}, of_one_seat(3), false);
  run.read(2, 5);
  pass_to_ask(run);
  EXPECT_EQ(run.actions->lease->share->least, (Share{1, 5, 5}));
  give(run, {}, of_one_seat(3), true);
  pass_to_ask(run);
  EXPECT_EQ(run.actions->lease->share->least, of_one_seat(1)) << "row 1 goes before row 2";
  give(run, of_one_seat(1), of_one_seat(3), false);
  ASSERT_EQ(run.actions->commit.size(), 1U);
  EXPECT_EQ(run.actions->commit[0].attempt.value, 2U);
}

TEST(PipelineShared, ARowThatWaitsForItsNextAttemptIsNotCutOffByOneWithoutRoom) {
  PipelineOptions options = Sharing::shared();
  options.max_seats = 50;
  Sharing run(options);
  run.claim(1, 2);
  run.read(1, 30);
  pass_to_ask(run);
  give(run, {1, 30, 30}, {kNoLimit, 50, kNoLimit}, false);
  run.commit();
  const Slot slot = run.actions->sends.at(0).slot;
  run.connect(slot);
  run.refuse(slot, "Throttling.User");
  run.commit();
  run.read(2, 60);
  pass_to_ask(run);
  give(run, {}, {kNoLimit, 50, kNoLimit}, false);
  EXPECT_EQ(run.pipeline.stop(), Stop::none) << "row 1 has room";
}

TEST(PipelineShared, OfAFailedLedgerNothingIsGivenBack) {
  Sharing run(of_three_orders());
  run.claim(1, 2);
  run.read(1);
  pass_to_ask(run);
  give(run, of_one_seat(1), of_one_seat(3), false);
  run.tell(event::CommitFailed{"no route to host"});
  EXPECT_TRUE(run.actions->finished);
  EXPECT_EQ(run.pipeline.spent(), std::nullopt) << "row 1 may be in doubt";
}

TEST(PipelineShared, WithoutLimitsNoShareIsAskedFor) {
  Sharing run;
  run.claim(1, 2);
  run.place_whole(1);
  run.pass(kHeartbeat);
  ASSERT_TRUE(run.actions->lease);
  EXPECT_FALSE(run.actions->lease->share);
  EXPECT_EQ(run.pipeline.spent(), std::nullopt);
}

TEST(PipelineShared, LeasesAmongFaultsOfEveryKindKeepThePromises) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    World world(30, seed);
    world.range_rows = 10;
    if (seed % 3 != 0) world.options.rate = {seed % 2 == 0 ? 5U : 200U, seconds(1)};
    world.options.replay = seed % 5 == 0 ? Replay::same_bytes : Replay::never;
    world.is_claimed = [&](std::uint64_t) { return world.chance() % 8 == 0; };
    world.ask_fails = [&](std::uint64_t) { return world.chance() % 4 == 0; };
    world.server = [&](std::uint64_t) {
      constexpr Does kDoes[] = {Does::order,    Does::order,      Does::lose_answer,
                                Does::throttle, Does::fail_after, Does::refuse_connect};
      return kDoes[world.chance() % std::size(kDoes)];
    };
    world.interrupt_at_step = seed % 7 == 0 ? 100 : 0;
    EXPECT_TRUE(world.run());
    world.check();
    ASSERT_TRUE(world.violations.empty()) << "seed " << seed << "\n" << joined(world.violations);
    EXPECT_TRUE(world.count(State::pending) == 0 || seed % 7 == 0) << seed;
  }
}

}  // namespace
}  // namespace sagorder::testing
