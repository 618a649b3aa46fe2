// What seldom happens, told to the pipeline by hand: stops and what crosses them, a ledger that
// fails, clocks that disagree, answers cut short. tests/engine/world.hpp does the same at random
// and judges the whole.
#include <gtest/gtest.h>

#include "engine/pipeline.hpp"
#include "tests/engine/by_hand.hpp"

namespace sagorder::testing {
namespace {

// --- when a commit begins

/// One connection and many rows: places one row after the other, each commit done at once, until
/// one is placed whose record is not committed at once, because others are durable and can be sent.
class Supplied : public ByHand {
 public:
  Supplied() : ByHand(one_connection()) {
    for (std::uint64_t row = 1; row <= 10; ++row) read(row);
    commit();
    while (!actions->sends.empty() && order_id_ < 10) {
      const Slot slot = actions->sends[0].slot;
      while (!actions->commit.empty()) commit();
      place(slot, std::to_string(++order_id_));
      if (actions->commit.empty()) return;
    }
    ADD_FAILURE() << "each record was committed at once";
  }
  static PipelineOptions one_connection() {
    PipelineOptions options = fixed_endpoint();
    options.connections = 1;
    options.max_in_flight = 8;
    return options;
  }
  const Actions& place_next() {
    return place(actions->sends.at(0).slot, std::to_string(++order_id_));
  }

 private:
  std::uint64_t order_id_ = 0;
};

TEST(PipelineByHand, WhileTheWiresAreSuppliedRecordsGatherForAMoment) {
  Supplied run;
  EXPECT_EQ(run.actions->sends.size(), 1U) << "what is durable is sent meanwhile";
  EXPECT_EQ(run.actions->wake_at, run.steady + kGatherMax);
  run.steady += kGatherMax - nanoseconds(1);
  run.tell(event::Tick{});
  EXPECT_TRUE(run.actions->commit.empty());
  run.steady += nanoseconds(1);
  run.tell(event::Tick{});
  EXPECT_FALSE(run.actions->commit.empty());
}

TEST(PipelineByHand, TheCommitBeginsWhenTheWiresCouldRunDry) {
  Supplied run;
  std::size_t placed = 1;
  for (; run.actions->commit.empty() && placed < 8; ++placed) run.place_next();
  EXPECT_GT(placed, 1U);
  EXPECT_GE(run.actions->commit.size(), placed) << "and all that gathered is in it";
  EXPECT_EQ(run.actions->sends.size(), 1U) << "before they ran dry";
}

/// A window so wide that a whole read-ahead has room in it besides.
class WideWindow : public ByHand {
 public:
  WideWindow() : ByHand(wide()) {
    while (next_row <= 2 * kReadAhead) {
      read(next_row);
      if (actions->commit.empty()) wait();
      commit();
      place(actions->sends.at(0).slot, std::to_string(next_row++));
      if (actions->commit.empty()) wait();
      commit();
    }
  }
  static PipelineOptions wide() {
    PipelineOptions options = fixed_endpoint();
    options.connections = 4 * kReadAhead;
    options.max_in_flight = 4 * kReadAhead;
    return options;
  }
  const Actions& wait() {
    steady += kGatherMax;
    return tell(event::Tick{});
  }
  std::uint64_t next_row = 1;
};

TEST(PipelineByHand, RowsReadInOneTurnShareACommit) {
  WideWindow run;
  std::size_t read = 0;
  for (; run.actions->commit.empty() && read < 4 * kReadAhead; ++read) run.read(run.next_row++);
  EXPECT_GT(read, kReadAhead);
  EXPECT_EQ(run.actions->commit.size(), read);
}

TEST(PipelineByHand, RowsThatDoNotComeAreNotWaitedForLong) {
  WideWindow run;
  run.read(run.next_row++);
  EXPECT_TRUE(run.actions->commit.empty());
  EXPECT_EQ(run.actions->wake_at, run.steady + kGatherMax);
  EXPECT_EQ(run.wait().commit.size(), 1U);
}

TEST(PipelineByHand, TheLastRowsAreNotWaitedForAtAll) {
  WideWindow run;
  run.read(run.next_row++);
  EXPECT_EQ(run.tell(event::InputEnded{}).commit.size(), 1U);
}

TEST(PipelineByHand, AStopWaitsForNoOtherRecords) {
  Supplied run;
  run.interrupt();
  EXPECT_FALSE(run.actions->commit.empty());
}

// --- what is not sent any more

TEST(PipelineByHand, OfAChangedInputNothingMoreIsSent) {
  ByHand run;
  run.read(1);
  run.tell(event::InputChanged{});
  EXPECT_EQ(run.pipeline.stop(), Stop::input_changed);
  EXPECT_EQ(run.pipeline.stop_detail(), "the input changed while it was being read");
  run.commit();  // the intent, which is taken back
  EXPECT_TRUE(run.actions->sends.empty());
  ASSERT_EQ(run.actions->commit.size(), 1U);
  EXPECT_EQ(run.actions->commit[0].kind, RecordKind::not_executed);
  EXPECT_EQ(run.actions->commit[0].code, "NotSent");
  EXPECT_FALSE(run.actions->finished);
  run.commit();
  EXPECT_TRUE(run.actions->finished);
  EXPECT_EQ(run.state(1), State::pending);
}

TEST(PipelineByHand, ARowThatWasReadBeforeTheStopWasHeardOfStaysPending) {
  ByHand run;
  run.interrupt();
  run.read(1);
  EXPECT_TRUE(run.actions->commit.empty());
  EXPECT_TRUE(run.actions->finished);
  EXPECT_EQ(run.pipeline.tally().rows_read, 1U);
  EXPECT_EQ(run.state(1), State::pending);
}

TEST(PipelineByHand, AConnectionThatCrossesTheWordToLeaveCarriesNothing) {
  ByHand run(ByHand::with_rate());
  const Slot slot = run.send(1);
  EXPECT_TRUE(run.actions->sends[0].hold);
  run.interrupt();
  EXPECT_EQ(run.actions->leave, std::vector<Slot>{slot});
  run.tell(event::Connected{slot});
  EXPECT_TRUE(run.actions->go.empty());
  EXPECT_TRUE(run.actions->leave.empty()) << "it was told once";
  run.fault(slot, FaultKind::cancelled, 0);
  ASSERT_EQ(run.actions->commit.size(), 1U);
  EXPECT_EQ(run.actions->commit[0].kind, RecordKind::not_executed);
  run.commit();
  EXPECT_TRUE(run.actions->finished);
  EXPECT_EQ(run.pipeline.tally().sent, 0U);
}

TEST(PipelineByHand, ARowThatWaitsForItsNextAttemptIsLetGo) {
  ByHand run;
  run.refuse(run.send(1), "InvalidTimeStamp.Expired");  // the clocks agree: it is tried again
  run.commit();
  EXPECT_TRUE(run.actions->wake_at);
  EXPECT_FALSE(run.actions->finished);
  run.interrupt();
  EXPECT_FALSE(run.actions->wake_at);
  EXPECT_TRUE(run.actions->finished);
  EXPECT_EQ(run.state(1), State::pending);
}

/// Nothing is sent after a minute from the clock's beginning.
PipelineOptions within_a_minute() {
  PipelineOptions options = ByHand::fixed_endpoint();
  options.not_after = WallTime(milliseconds(1'767'323'045'000)) + seconds(60);
  return options;
}

TEST(PipelineByHand, ARowThatWaitsForItsNextAttemptIsLetGoAtTheDeadline) {
  for (const seconds late : {seconds(0), seconds(10)}) {
    SCOPED_TRACE(late.count());  // it waits on, and its wait is over in the same moment
    ByHand run(within_a_minute());
    const Slot slot = run.send(1);
    run.tell(event::Connected{slot});
    const milliseconds almost(59'999);
    run.steady += almost;
    run.wall += almost;
    run.refuse(slot, "InvalidTimeStamp.Expired");
    run.commit();
    ASSERT_TRUE(run.actions->wake_at);
    run.steady += milliseconds(1) + late;
    run.wall += milliseconds(1) + late;
    run.tell(event::Tick{});
    EXPECT_EQ(run.pipeline.stop(), Stop::not_after);
    EXPECT_TRUE(run.actions->finished);
    EXPECT_EQ(run.state(1), State::pending);
  }
}

TEST(PipelineByHand, ARunThatStopsIsNotWokenForItsDeadline) {
  ByHand run(within_a_minute());
  const Slot slot = run.send(1);
  run.tell(event::Connected{slot});
  EXPECT_EQ(run.actions->wake_at, run.steady + seconds(60));
  run.interrupt();
  EXPECT_EQ(run.actions->wake_at, std::nullopt);
  EXPECT_FALSE(run.actions->finished) << "an answer is waited for";
}

TEST(PipelineByHand, AHeldRequestThatFindsNoConnectionIsTriedAgain) {
  ByHand run(ByHand::with_rate());
  run.fault(run.send(1), FaultKind::connect_failed, 0);
  EXPECT_EQ(run.actions->notice, "detail; trying again in 100 ms (1 of 5)");
  run.commit();
  ASSERT_TRUE(run.actions->wake_at);
  run.steady = *run.actions->wake_at;
  ASSERT_EQ(run.tell(event::Tick{}).commit.size(), 1U);
  EXPECT_EQ(run.actions->commit[0].kind, RecordKind::intent);
  EXPECT_EQ(run.actions->commit[0].attempt, Attempt{2});
  EXPECT_EQ(run.commit().sends.size(), 1U);
}

TEST(PipelineByHand, ARefusedCertificateIsShownNoRequest) {
  ByHand run;
  const Slot slot = run.send(1);
  run.fault(slot, FaultKind::certificate_refused, 0);
  EXPECT_EQ(run.pipeline.stop(), Stop::certificate);
  EXPECT_EQ(run.pipeline.stop_detail(), "detail");
  run.commit();
  EXPECT_TRUE(run.actions->finished);
  EXPECT_EQ(run.state(1), State::pending);
}

TEST(PipelineByHand, WhatIsNoOrderIsToldOnceItIsDurable) {
  ByHand run;
  run.refuse(run.send(1), "QuotaExceeded");
  EXPECT_TRUE(run.actions->unplaced.empty()) << "not durable yet";
  run.commit();
  ASSERT_EQ(run.actions->unplaced.size(), 1U);
  EXPECT_EQ(run.actions->unplaced[0]->row, Row{1});
  EXPECT_EQ(run.actions->unplaced[0]->kind, RecordKind::rejected);
  EXPECT_EQ(run.actions->unplaced[0]->code, "QuotaExceeded");
  run.place(run.send(2), "17");
  run.commit();
  EXPECT_TRUE(run.actions->unplaced.empty()) << "an order, and the one before was told";
}

TEST(PipelineByHand, ARefusalThatEndsTheRunIsToldAndWhatIsTakenBackIsNot) {
  ByHand run;
  const Slot slot = run.send(1);
  run.read(2);
  run.refuse(slot, "SignatureDoesNotMatch");
  std::vector<std::string> codes;
  for (int commits = 0; commits < 4 && !run.actions->finished; ++commits) {
    run.commit();
    for (const Record* const each : run.actions->unplaced) codes.push_back(each->code);
  }
  EXPECT_TRUE(run.actions->finished);
  EXPECT_EQ(run.state(2), State::pending);
  EXPECT_EQ(codes, std::vector<std::string>{"SignatureDoesNotMatch"});
}

TEST(PipelineByHand, AStampFromTheFutureIsNotSent) {
  for (const seconds back : {kStampAgeMax, kStampAgeMax + seconds(1)}) {
    SCOPED_TRACE(back.count());
    ByHand run;
    run.read(1);
    run.wall -= back;  // somebody sets the clock
    run.commit();
    if (back <= kStampAgeMax) {
      EXPECT_EQ(run.actions->sends.size(), 1U);
      continue;
    }
    EXPECT_TRUE(run.actions->sends.empty());
    ASSERT_EQ(run.actions->commit.size(), 1U);
    EXPECT_EQ(run.actions->commit[0].code, "NotSent");
    run.commit();  // it is pending again, and intended with the clock as it is now
    ASSERT_EQ(run.actions->commit.size(), 1U);
    EXPECT_EQ(run.actions->commit[0].kind, RecordKind::intent);
    EXPECT_EQ(run.actions->commit[0].at, run.wall);
    EXPECT_EQ(run.commit().sends.size(), 1U);
  }
}

// --- interrupts

TEST(PipelineByHand, TheSecondInterruptGivesUpTheAnswersUnderWay) {
  ByHand run;
  const Slot slot = run.send(1);
  EXPECT_FALSE(run.interrupt().cancel) << "the first waits for them";
  EXPECT_EQ(run.pipeline.stop(), Stop::interrupted);
  EXPECT_TRUE(run.interrupt().cancel);
  EXPECT_EQ(run.pipeline.stop(), Stop::abandoned);
  const std::string detail = run.pipeline.stop_detail();
  EXPECT_TRUE(run.interrupt().cancel) << "who asks again is not ignored";
  EXPECT_EQ(run.pipeline.stop(), Stop::abandoned);
  EXPECT_EQ(run.pipeline.stop_detail(), detail);
  EXPECT_FALSE(run.actions->finished);
  run.fault(slot, FaultKind::cancelled, 400);
  run.commit();
  EXPECT_TRUE(run.actions->finished);
  EXPECT_EQ(run.state(1), State::in_doubt);
}

TEST(PipelineByHand, InterruptsDoNotHideThatTheLedgerFailed) {
  ByHand run;
  const Slot slot = run.send(1);
  run.read(2);
  run.tell(event::CommitFailed{"disk"});
  run.interrupt();
  EXPECT_TRUE(run.interrupt().cancel);
  EXPECT_EQ(run.pipeline.stop(), Stop::ledger_failed);
  EXPECT_EQ(run.pipeline.stop_detail(), "disk");
  run.fault(slot, FaultKind::cancelled, 400);
  EXPECT_TRUE(run.actions->finished);
  ASSERT_EQ(run.pipeline.unrecorded().size(), 1U);
  EXPECT_EQ(run.pipeline.unrecorded()[0].kind, RecordKind::in_doubt);
}

// --- the ledger fails

TEST(PipelineByHand, AfterAFailedCommitWhatIsReadyIsNotSentAndItsIntentStays) {
  PipelineOptions options = ByHand::fixed_endpoint();
  options.connections = 1;
  ByHand run(options);
  run.place(run.send(1), "1001");  // a good answer: three may be in flight now
  run.commit();
  const Slot slot = run.send(2);
  run.read(3);
  run.commit();
  EXPECT_TRUE(run.actions->sends.empty()) << "there is one connection";
  ASSERT_EQ(run.read(4).commit.size(), 1U);
  run.tell(event::CommitFailed{"disk"});
  EXPECT_EQ(run.pipeline.in_flight(), 1U) << "what is on the wire";
  run.place(slot, "1002");
  EXPECT_TRUE(run.actions->sends.empty());
  EXPECT_TRUE(run.actions->finished);
  EXPECT_EQ(run.state(3), State::intended) << "the next start opens it as in doubt";
  EXPECT_EQ(run.state(4), State::pending);
  EXPECT_EQ(run.pipeline.left_open(), (std::vector<Row>{{2}, {3}, {4}})) << "all of them are named";
}

TEST(PipelineByHand, AfterAFailedCommitWhatIsHeldLeavesAndItsIntentStays) {
  ByHand run(ByHand::with_rate());
  const Slot slot = run.send(1);
  run.steady += seconds(1);
  ASSERT_EQ(run.read(2).commit.size(), 1U);
  run.tell(event::CommitFailed{"disk"});
  EXPECT_EQ(run.actions->leave, std::vector<Slot>{slot});
  EXPECT_FALSE(run.actions->finished);
  run.fault(slot, FaultKind::cancelled, 0);
  EXPECT_TRUE(run.actions->commit.empty());
  EXPECT_TRUE(run.actions->finished);
  EXPECT_EQ(run.state(1), State::intended) << "the next start opens it as in doubt";
  EXPECT_EQ(run.pipeline.left_open(), (std::vector<Row>{{1}, {2}}));
}

TEST(PipelineByHand, ARefusalThatCannotBeRecordedIsTold) {
  ByHand run;
  const Slot slot = run.send(1);
  run.read(2);
  run.refuse(slot, "InvalidUserCount");  // gathers behind the commit that fails
  run.tell(event::CommitFailed{"disk"});
  ASSERT_EQ(run.pipeline.unrecorded().size(), 1U);
  EXPECT_EQ(run.pipeline.unrecorded()[0].kind, RecordKind::rejected);
  EXPECT_EQ(run.pipeline.unrecorded()[0].row, Row{1});
  EXPECT_TRUE(run.actions->finished);
}

// --- which reason stands

TEST(PipelineByHand, TheFirstReasonStands) {
  ByHand interrupted;
  const Slot slot = interrupted.send(1);
  interrupted.interrupt();
  interrupted.refuse(slot, "SignatureDoesNotMatch");
  EXPECT_EQ(interrupted.pipeline.stop(), Stop::interrupted);

  ByHand refused;
  refused.refuse(refused.send(1), "SignatureDoesNotMatch");
  EXPECT_EQ(refused.pipeline.stop_detail(), "SignatureDoesNotMatch: m");
  refused.interrupt();
  EXPECT_EQ(refused.pipeline.stop(), Stop::credentials);
}

TEST(PipelineByHand, ABrokenOutputOutweighsTheFirstReasonAndABrokenLedgerBoth) {
  ByHand run;
  run.read(1);
  run.interrupt();
  run.tell(event::AppendFailed{"results"});
  EXPECT_EQ(run.pipeline.stop(), Stop::output_failed);
  run.tell(event::CommitFailed{"ledger"});
  EXPECT_EQ(run.pipeline.stop(), Stop::ledger_failed);
  run.tell(event::AppendFailed{"results"});
  EXPECT_EQ(run.pipeline.stop(), Stop::ledger_failed);
  EXPECT_EQ(run.pipeline.stop_detail(), "ledger");
}

// A row that waits for its next attempt may still fit where the next one does not.
TEST(PipelineByHand, ALimitIsFinalOnlyWhenNoRowWaits) {
  PipelineOptions options = ByHand::fixed_endpoint();
  options.max_seats = 10;
  ByHand run(options);
  run.refuse(run.send(1), "InvalidTimeStamp.Expired");  // the clocks agree: it is tried again
  run.commit();
  ASSERT_TRUE(run.actions->wake_at);
  const SteadyTime again_at = *run.actions->wake_at;
  run.place(run.send(2, 9), "1002");
  run.commit();
  run.read(3, 5);
  EXPECT_EQ(run.pipeline.stop(), Stop::none);
  EXPECT_EQ(run.actions->wake_at, again_at);
  run.tell(event::InputEnded{});
  EXPECT_FALSE(run.actions->finished);

  run.steady = again_at;
  run.tell(event::Tick{});
  run.commit();
  ASSERT_EQ(run.actions->sends.size(), 1U);
  run.place(run.actions->sends[0].slot, "1001");
  run.commit();
  EXPECT_EQ(run.state(1), State::placed);
  EXPECT_EQ(run.pipeline.stop(), Stop::max_seats);
  EXPECT_EQ(run.pipeline.stop_detail(), "row 3 is for 5 seats, and 0 of 10 are left");
  EXPECT_TRUE(run.actions->finished);
}

// A request that has to connect may get its connection after the deadline: it is held, even without
// a rate, and leaves without a byte.
TEST(PipelineByHand, WhatIsHeldAtTheDeadlineIsTakenBack) {
  PipelineOptions options = ByHand::fixed_endpoint();
  options.not_after = WallTime(milliseconds(1'767'323'045'000)) + seconds(2);
  ByHand run(options);
  run.read(1);
  run.commit();
  ASSERT_EQ(run.actions->sends.size(), 1U);
  const Slot slot = run.actions->sends[0].slot;
  EXPECT_TRUE(run.actions->sends[0].hold);
  EXPECT_EQ(run.actions->wake_at, run.steady + seconds(2));
  run.steady += seconds(2);
  run.wall -= seconds(3600);  // a clock that is set back gains no time
  run.tell(event::Connected{slot});
  EXPECT_TRUE(run.actions->go.empty());
  ASSERT_EQ(run.actions->leave.size(), 1U);
  EXPECT_EQ(run.pipeline.stop(), Stop::not_after);
  run.fault(slot, FaultKind::cancelled, 0);
  run.commit();
  EXPECT_TRUE(run.actions->finished);
  EXPECT_EQ(run.state(1), State::pending);
}

TEST(PipelineByHand, AnIntentThatIsDurableAfterTheDeadlineIsTakenBack) {
  PipelineOptions options = ByHand::fixed_endpoint();
  options.not_after = WallTime(milliseconds(1'767'323'045'000)) + seconds(2);
  ByHand run(options);
  run.read(1);
  run.wall += seconds(2);
  run.commit();
  EXPECT_TRUE(run.actions->sends.empty());
  EXPECT_EQ(run.pipeline.stop(), Stop::not_after);
  run.commit();
  EXPECT_EQ(run.state(1), State::pending);
  EXPECT_TRUE(run.actions->finished);
}

TEST(PipelineByHand, ADeadlineThatPassesWhileAnswersAreAwaitedIsNotWokenFor) {
  PipelineOptions options = ByHand::fixed_endpoint();
  options.not_after = WallTime(milliseconds(1'767'323'045'000)) + seconds(2);
  ByHand run(options);
  run.read(1);
  run.commit();
  const Slot slot = run.actions->sends.at(0).slot;
  run.tell(event::Connected{slot});
  EXPECT_EQ(run.actions->go.size(), 1U);
  run.tell(event::InputEnded{});
  run.steady += seconds(3);
  run.wall += seconds(3);
  run.tell(event::Tick{});
  EXPECT_EQ(run.actions->wake_at, std::nullopt);
  EXPECT_EQ(run.pipeline.stop(), Stop::none);
  run.place(slot, "1001");
  run.commit();
  EXPECT_TRUE(run.actions->finished);
  EXPECT_EQ(run.pipeline.stop(), Stop::none);
}

TEST(PipelineByHand, OnlyAThrottlingAnswerLowersTheRate) {
  ByHand run;
  run.place(run.send(1), "1001");
  run.commit();
  EXPECT_FALSE(run.pipeline.pacer().lowered());
  run.refuse(run.send(2), "Throttling.User");
  EXPECT_TRUE(run.pipeline.pacer().lowered());
  EXPECT_EQ(run.pipeline.tally().throttled, 1U);
}

TEST(PipelineByHand, TheTallyTellsWhatRowsEndedAs) {
  ByHand run;
  run.place(run.send(1, 7), "1001");
  run.commit();
  run.refuse(run.send(2), "InvalidUserCount");
  run.commit();
  run.refuse(run.send(3), "InternalError");
  run.commit();
  const Tally& tally = run.pipeline.tally();
  EXPECT_EQ(tally.placed, 1U);
  EXPECT_EQ(tally.seats_placed, 7U);
  EXPECT_EQ(tally.rejected, 1U);
  EXPECT_EQ(tally.in_doubt, 1U);
  EXPECT_EQ(tally.lines, 3U);
}

// --- clocks

TEST(PipelineByHand, ARefusedTimestampIsHeldAgainstTheClockThatIsOff) {
  const auto stop_at = [](std::string_view date) {
    ByHand run;
    run.refuse(run.send(1), "InvalidTimeStamp.Expired", date);
    run.commit();
    EXPECT_EQ(run.state(1), State::pending);
    EXPECT_EQ(run.actions->finished, run.pipeline.stop() == Stop::clock);
    return run.pipeline.stop_detail();
  };
  EXPECT_EQ(stop_at(kNow), "");
  EXPECT_EQ(stop_at(kHourAfter),
            "InvalidTimeStamp.Expired: this machine's clock is 3600 s behind the server's");
  EXPECT_EQ(stop_at(kHourBefore),
            "InvalidTimeStamp.Expired: this machine's clock is 3600 s ahead of the server's");
  EXPECT_EQ(stop_at(""), "InvalidTimeStamp.Expired, and the server sent no Date to compare with");
}

// --- the same bytes

PipelineOptions replaying(PipelineOptions options) {
  options.replay = Replay::same_bytes;
  return options;
}

TEST(PipelineByHand, TheSameBytesAreSentAgainOnlyIfNoByteOfAnAnswerCame) {
  using Kinds = std::vector<RecordKind>;
  const auto kinds_after = [](FaultKind kind, std::uint64_t answered, bool interrupted = false) {
    ByHand run(replaying(ByHand::fixed_endpoint()));
    const Slot slot = run.send(1);
    if (interrupted) run.interrupt();
    Kinds kinds;
    for (const Record& record : run.fault(slot, kind, 400, answered).commit) {
      kinds.push_back(record.kind);
    }
    run.commit();
    EXPECT_EQ(run.state(1), State::in_doubt);
    EXPECT_EQ(run.actions->sends.size(), kinds.size() - 1);
    return kinds;
  };
  EXPECT_EQ(kinds_after(FaultKind::reset, 0), (Kinds{RecordKind::in_doubt, RecordKind::replay}));
  EXPECT_EQ(kinds_after(FaultKind::reset, 1), (Kinds{RecordKind::in_doubt}));
  EXPECT_EQ(kinds_after(FaultKind::cancelled, 0), (Kinds{RecordKind::in_doubt}));
  EXPECT_EQ(kinds_after(FaultKind::reset, 0, true), (Kinds{RecordKind::in_doubt}));
}

// A connection may take its time: the minute is judged when the bytes leave.
TEST(PipelineByHand, TheSameBytesAreHeldAndDoNotLeaveTooLate) {
  for (const seconds waited : {seconds(59), seconds(61)}) {
    ByHand run(replaying(ByHand::fixed_endpoint()));
    const Slot slot = run.send(1);
    run.fault(slot, FaultKind::reset, 400);
    run.commit();
    ASSERT_EQ(run.actions->sends.size(), 1U);
    EXPECT_TRUE(run.actions->sends[0].hold) << "without a rate too";
    run.steady += waited;
    run.wall += waited;
    run.tell(event::Connected{slot});
    const bool leaves = waited <= kReplayAgeMax;
    EXPECT_EQ(run.actions->go.size(), leaves ? 1U : 0U);
    EXPECT_EQ(run.actions->leave.size(), leaves ? 0U : 1U);
  }
}

TEST(PipelineByHand, WhatCertainlyDidNotExecuteIsSentAnewAndNotAsTheSameBytes) {
  ByHand run(replaying(ByHand::fixed_endpoint()));
  run.fault(run.send(1), FaultKind::closed_before_write, 0);
  ASSERT_EQ(run.actions->commit.size(), 1U);
  EXPECT_EQ(run.actions->commit[0].kind, RecordKind::not_executed);
  run.commit();
  ASSERT_EQ(run.actions->commit.size(), 1U);
  EXPECT_EQ(run.actions->commit[0].kind, RecordKind::intent);
  EXPECT_EQ(run.pipeline.tally().replays, 0U);
}

// It decides how long a copy may be sent, and it is what a person waits for.
TEST(PipelineByHand, TheTimeOfACopyCountsFromTheFirstSending) {
  ByHand run(replaying(ByHand::with_rate()));
  const Slot slot = run.send(1);
  run.tell(event::Connected{slot});
  EXPECT_EQ(run.actions->go, std::vector<Slot>{slot});
  run.steady += seconds(2);
  run.fault(slot, FaultKind::reset, 400);
  run.commit();
  ASSERT_EQ(run.actions->sends.size(), 1U);
  run.tell(event::Connected{slot});
  EXPECT_EQ(run.actions->go, std::vector<Slot>{slot});
  run.steady += seconds(3);
  run.place(slot, "1001");
  ASSERT_EQ(run.actions->commit.size(), 1U);
  EXPECT_EQ(run.actions->commit[0].kind, RecordKind::placed);
  EXPECT_EQ(run.actions->commit[0].latency, seconds(5));
}

// --- where to

TEST(PipelineByHand, WithoutAFixedEndpointEachRegionHasItsOwn) {
  ByHand run(ByHand::by_region());
  std::vector<const Endpoint*> endpoints;
  std::uint64_t row = 0;
  for (const std::string region : {"cn-shanghai", "eu-central-1", "cn-shanghai"}) {
    run.read(++row, 1, region);
    run.commit();
    ASSERT_EQ(run.actions->sends.size(), 1U);
    const Send& send = run.actions->sends[0];
    const std::string host = "smartag." + region + ".aliyuncs.com";
    EXPECT_EQ(*send.endpoint, (Endpoint{host, 443}));
    EXPECT_NE(send.wire.find("\r\nhost: " + host + "\r\n"), std::string_view::npos) << send.wire;
    endpoints.push_back(send.endpoint);
    run.place(send.slot, std::to_string(1000 + row));
    run.commit();
  }
  EXPECT_EQ(endpoints[0], endpoints[2]) << "one endpoint, one pool of connections";
}

// ------------------------------------------------------------------------- what it tells of time

TEST(PipelineByHand, LatencyIsMeasuredFromTheSendingAndFromTheMomentWhenItWasDue) {
  ByHand run;
  run.steady += seconds(1);
  run.read(1);
  run.steady += seconds(2);
  const Slot slot = run.commit().sends.at(0).slot;
  run.steady += milliseconds(500);
  run.place(slot, "1");
  const Tally& tally = run.pipeline.tally();
  EXPECT_EQ(tally.latency.max(), milliseconds(500)) << "the service time";
  EXPECT_EQ(tally.since_due.max(), milliseconds(2500)) << "from its intent, for there is no rate";
}

TEST(PipelineByHand, AStalledServerShowsInAllThatItKeptWaiting) {
  PipelineOptions options = ByHand::with_rate();  // one each 100 ms
  options.connections = 1;
  ByHand run(options);
  const auto exchange = [&](std::uint64_t row, milliseconds takes) {
    run.read(row);
    const Slot slot = run.commit().sends.at(0).slot;
    EXPECT_EQ(run.tell(event::Connected{slot}).go.size(), 1U);
    run.steady += takes;
    run.place(slot, std::to_string(row));
    run.commit();
  };
  exchange(1, seconds(10));
  for (std::uint64_t row = 2; row <= 11; ++row) exchange(row, milliseconds(100));
  const Tally& tally = run.pipeline.tally();
  EXPECT_EQ(tally.latency.count(), 11U);
  EXPECT_LT(tally.latency.quantile(0.9), milliseconds(110)) << "one slow answer in eleven hides";
  EXPECT_GT(tally.since_due.quantile(0.1), milliseconds(9'900)) << "ten seconds that all lost";
}

TEST(PipelineByHand, AnExchangeWithoutAnswerCountsInTheTimeSinceItWasDue) {
  ByHand run;
  const Slot slot = run.send(1);
  run.steady += seconds(60);
  run.fault(slot, FaultKind::timed_out, 100);
  EXPECT_EQ(run.pipeline.tally().latency.count(), 0U);
  EXPECT_EQ(run.pipeline.tally().since_due.max(), seconds(60));
}

TEST(PipelineByHand, TimeIsPutDownToWhatWasWaitedFor) {
  PipelineOptions options = ByHand::with_rate();
  ByHand run(options);
  const auto awaited = [&] { return run.pipeline.tally().waits.now(); };
  EXPECT_EQ(awaited(), WaitFor::input);
  run.read(1);
  EXPECT_EQ(awaited(), WaitFor::ledger);
  run.steady += milliseconds(3);
  const Slot slot = run.commit().sends.at(0).slot;
  EXPECT_EQ(awaited(), WaitFor::connection);
  run.steady += milliseconds(20);
  run.tell(event::Connected{slot});
  EXPECT_EQ(awaited(), WaitFor::answers);
  run.steady += milliseconds(7);
  run.read(2);
  EXPECT_EQ(awaited(), WaitFor::rate) << "its token comes 100 ms after the first one";
  run.steady += milliseconds(30);
  run.place(slot, "1");
  EXPECT_EQ(awaited(), WaitFor::rate) << "and no commit makes it come earlier";
  run.commit();
  run.steady += milliseconds(40);
  run.tell(event::Tick{});
  EXPECT_EQ(awaited(), WaitFor::ledger);
  const Waits& waits = run.pipeline.tally().waits;
  EXPECT_EQ(waits.of(WaitFor::ledger), milliseconds(3));
  EXPECT_EQ(waits.of(WaitFor::connection), milliseconds(20));
  EXPECT_EQ(waits.of(WaitFor::answers), milliseconds(7));
  EXPECT_EQ(waits.of(WaitFor::rate), milliseconds(70));
  EXPECT_EQ(waits.all(), milliseconds(100));
  EXPECT_EQ(run.pipeline.tally().commit.max(), milliseconds(3));
}

TEST(PipelineByHand, ThrottlingIsWaitedForUnderItsOwnName) {
  ByHand run;
  const Slot slot = run.send(1);
  run.refuse(slot, "Throttling.User");
  run.commit();
  EXPECT_EQ(run.pipeline.tally().waits.now(), WaitFor::throttling);
}

TEST(PipelineByHand, AQuotaThatIsUsedUpIsThrottlingThoughNothingWasRefused) {
  ByHand run;
  const Slot slot = run.send(1);
  const std::string body = R"({"RequestId":"R","OrderId":"1"})";
  Reply reply;
  reply.status = 200;
  reply.body = body;
  reply.rate_limit_user = "Limit:10,Remain:0,TimeLeft:500";
  run.tell(event::Replied{slot, &reply});
  run.commit();
  run.read(2);
  EXPECT_TRUE(run.actions->commit.empty());
  EXPECT_EQ(run.actions->wake_at, run.steady + milliseconds(500));
  EXPECT_EQ(run.pipeline.tally().waits.now(), WaitFor::throttling);
}

TEST(PipelineByHand, AnEndpointThatIsNotThereIsWaitedForAsAConnection) {
  ByHand run;
  run.fault(run.send(1), FaultKind::connect_failed, 0);
  EXPECT_EQ(run.pipeline.tally().waits.now(), WaitFor::connection);
}

TEST(PipelineByHand, OutcomesAreCountedByRegionAndByCode) {
  ByHand run(ByHand::fixed_endpoint());
  run.place(run.send(1, 5), "1");
  run.commit();
  run.refuse(run.send(2, 10), "QuotaExceeded");
  run.commit();
  run.fault(run.send(3, 15), FaultKind::timed_out, 100);
  run.commit();
  const Breakdown& breakdown = run.pipeline.tally().breakdown;
  ASSERT_EQ(breakdown.regions().size(), 1U);
  const Breakdown::Region& region = breakdown.regions()[0];
  EXPECT_EQ(region.region_id, "cn-shanghai") << "though they went to one endpoint";
  EXPECT_EQ(region.placed + region.rejected + region.in_doubt, 3U);
  EXPECT_EQ(region.seats_placed, 5U);
  ASSERT_EQ(breakdown.codes().size(), 2U);
  EXPECT_EQ(breakdown.codes()[0].code, "QuotaExceeded");
  EXPECT_EQ(breakdown.codes()[0].rejected, 1U);
  EXPECT_EQ(breakdown.codes()[1].code, name_of(FaultKind::timed_out));
  EXPECT_EQ(breakdown.codes()[1].in_doubt, 1U);
}

// --- keys that are renewed

/// A run whose first key lives for an hour from the clock's beginning.
class Renewing : public ByHand {
 public:
  Renewing() : ByHand(options()) {}

  void pass(milliseconds time) {
    steady += time;
    wall += time;
  }
  const Actions& tick() { return tell(event::Tick{}); }
  /// Another key, good for an hour from now.
  const Actions& renew(const std::string& id, const std::string& secret = "another-secret") {
    RequestWriter writer(Scheme::acs3_hmac_sha256, Method::post, {id, Secret(secret), Secret()});
    return tell(event::KeyRenewed{&writer, wall + std::chrono::hours(1)});
  }
  const Actions& fail(std::string_view reason) { return tell(event::KeyNotRenewed{reason}); }
  [[nodiscard]] bool sent_with(std::string_view id) const {
    const std::string credential = "Credential=" + std::string(id) + ",";
    return actions->sends.size() == 1 &&
           actions->sends[0].wire.find(credential) != std::string_view::npos;
  }

 private:
  static PipelineOptions options() {
    PipelineOptions made = fixed_endpoint();
    constexpr WallTime kBegin{milliseconds(1'767'323'045'000)};
    made.key_life = KeyLife{kBegin, kBegin + std::chrono::hours(1)};
    return made;
  }
};

using std::chrono::minutes;

TEST(PipelineKeys, AnotherIsAskedForOnceWhenItIsDue) {
  Renewing run;
  EXPECT_FALSE(run.actions->renew_key);
  EXPECT_EQ(run.actions->wake_at, run.steady + minutes(45));
  run.pass(minutes(45));
  EXPECT_TRUE(run.tick().renew_key);
  EXPECT_FALSE(run.tick().renew_key);
  EXPECT_EQ(run.actions->wake_at, std::nullopt) << "there is nothing to wake up for meanwhile";
  run.renew("second");
  EXPECT_EQ(run.actions->wake_at, run.steady + minutes(45));
  run.pass(minutes(45));
  EXPECT_TRUE(run.tick().renew_key);
}

TEST(PipelineKeys, NoneIsAskedForWhenNothingIsLeftToAdmit) {
  Renewing run;
  const Slot slot = run.send(1);
  run.tell(event::InputEnded{});
  run.pass(minutes(50));
  EXPECT_FALSE(run.tick().renew_key);
  run.fault(slot, FaultKind::closed_before_write, 0);
  EXPECT_TRUE(run.commit().renew_key) << "the row will be signed again";
}

TEST(PipelineKeys, RowKeepsTheKeyOfItsIntent) {
  Renewing run;
  run.read(1);
  run.pass(seconds(1));
  run.renew("second");
  run.commit();
  EXPECT_TRUE(run.sent_with("testid"));
  run.send(2);
  EXPECT_TRUE(run.sent_with("second"));
}

TEST(PipelineKeys, RowWhoseKeyCeasedToSignIsTakenBackAndSignedByTheNext) {
  Renewing run;
  run.pass(minutes(59));
  run.read(1);
  const Nonce first = run.actions->commit[0].nonce;
  run.pass(minutes(1));
  run.commit();
  EXPECT_TRUE(run.actions->sends.empty());
  ASSERT_EQ(run.actions->commit.size(), 1U);
  EXPECT_EQ(run.actions->commit[0].kind, RecordKind::not_executed);
  EXPECT_EQ(run.actions->commit[0].code, "NotSent");
  run.commit();
  EXPECT_EQ(run.state(1), State::pending);
  EXPECT_TRUE(run.actions->commit.empty()) << "nothing is admitted without a key";
  EXPECT_EQ(run.actions->wake_at, std::nullopt);
  run.renew("second");
  ASSERT_EQ(run.actions->commit.size(), 1U);
  EXPECT_NE(run.actions->commit[0].nonce.view(), first.view());
  run.commit();
  EXPECT_TRUE(run.sent_with("second"));
}

TEST(PipelineKeys, NothingIsAdmittedWithAKeyThatCeasedToSign) {
  Renewing run;
  run.pass(minutes(60) - seconds(10));
  run.read(1);
  EXPECT_TRUE(run.actions->commit.empty());
  EXPECT_EQ(run.pipeline.stop(), Stop::none);
  run.renew("second");
  EXPECT_EQ(run.actions->commit.size(), 1U);
}

TEST(PipelineKeys, FailedAttemptIsToldAndMadeAgainWhileTheKeySigns) {
  Renewing run;
  run.pass(minutes(45));
  run.tick();
  run.fail("STS is away");
  EXPECT_NE(run.actions->notice.find("STS is away"), std::string::npos);
  EXPECT_NE(run.actions->notice.find("trying again in 1 s"), std::string::npos)
      << run.actions->notice;
  EXPECT_EQ(run.actions->wake_at, run.steady + seconds(1));
  run.send(1);
  run.pass(seconds(1));
  EXPECT_TRUE(run.tick().renew_key);
  EXPECT_EQ(run.pipeline.stop(), Stop::none);
}

TEST(PipelineKeys, FailureWithoutAKeyThatSignsStopsTheRun) {
  Renewing run;
  const Slot slot = run.send(1);
  run.pass(minutes(60));
  run.read(2);
  run.fail("STS is away");
  EXPECT_EQ(run.pipeline.stop(), Stop::credentials);
  EXPECT_NE(run.pipeline.stop_detail().find("STS is away"), std::string::npos);
  EXPECT_FALSE(run.actions->finished) << "an answer is waited for";
  run.place(slot, "1001");
  run.commit();
  EXPECT_TRUE(run.actions->finished);
  EXPECT_EQ(run.state(1), State::placed);
  EXPECT_EQ(run.state(2), State::pending);
  EXPECT_FALSE(run.tick().renew_key);
}

TEST(PipelineKeys, TheSameKeyAgainIsAFailedAttempt) {
  Renewing run;
  run.pass(minutes(45));
  run.tick();
  RequestWriter writer(Scheme::acs3_hmac_sha256, Method::post,
                       {"testid", Secret("testsecret"), Secret()});
  run.tell(event::KeyRenewed{&writer, run.wall + minutes(15)});
  EXPECT_NE(run.actions->notice.find("no longer"), std::string::npos) << run.actions->notice;
  EXPECT_EQ(run.actions->wake_at, run.steady + seconds(1));
}

TEST(PipelineKeys, RefusedAsExpiredIsRenewedAndTheRowGoesOn) {
  Renewing run;
  const Slot slot = run.send(1);
  run.refuse(slot, "InvalidSecurityToken.Expired");
  EXPECT_TRUE(run.actions->renew_key);
  EXPECT_EQ(run.pipeline.stop(), Stop::none);
  ASSERT_EQ(run.actions->commit.size(), 1U);
  EXPECT_EQ(run.actions->commit[0].kind, RecordKind::not_executed);
  run.commit();
  run.read(2);
  EXPECT_TRUE(run.actions->commit.empty()) << "nothing is admitted meanwhile";
  run.renew("second");
  ASSERT_EQ(run.actions->commit.size(), 1U);
  run.commit();
  EXPECT_TRUE(run.sent_with("second"));
}

TEST(PipelineKeys, RefusalThatLeavesADoubtLeavesItAndRenewsTheKey) {
  Renewing run;
  const Slot slot = run.send(1);
  const std::string body = R"({"Code":"InvalidSecurityToken.Expired","RequestId":"R"})";
  Reply reply;
  reply.status = 500;
  reply.body = body;
  run.tell(event::Replied{slot, &reply});
  EXPECT_TRUE(run.actions->renew_key);
  EXPECT_EQ(run.actions->commit[0].kind, RecordKind::in_doubt);
}

TEST(PipelineKeys, RefusalsOfTheKeyBeforeSayNothingOfThisOne) {
  Renewing run;
  run.read(1);
  run.read(2);
  run.commit();
  std::vector<Slot> slots{run.actions->sends.at(0).slot};
  if (run.actions->sends.size() == 2) slots.push_back(run.actions->sends[1].slot);
  run.commit();
  if (!run.actions->sends.empty()) slots.push_back(run.actions->sends[0].slot);
  ASSERT_EQ(slots.size(), 2U);
  run.refuse(slots[0], "InvalidSecurityToken.Expired");
  EXPECT_TRUE(run.actions->renew_key);
  run.renew("second");
  EXPECT_FALSE(run.refuse(slots[1], "InvalidSecurityToken.Expired").renew_key);
  EXPECT_EQ(run.pipeline.stop(), Stop::none);
}

TEST(PipelineKeys, OneThatReplacedARefusedKeyAndIsRefusedTooStopsTheRun) {
  Renewing run;
  run.refuse(run.send(1), "InvalidSecurityToken.Expired");
  run.commit();
  run.pass(seconds(1));
  run.renew("second");
  run.commit();
  ASSERT_EQ(run.actions->sends.size(), 1U);
  run.refuse(run.actions->sends[0].slot, "InvalidSecurityToken.Expired");
  EXPECT_FALSE(run.actions->renew_key);
  EXPECT_EQ(run.pipeline.stop(), Stop::credentials);
}

TEST(PipelineKeys, OneThatPlacedAnOrderMayBeReplacedAgain) {
  Renewing run;
  run.refuse(run.send(1), "InvalidSecurityToken.Expired");
  run.commit();
  run.pass(seconds(1));
  run.renew("second");
  run.commit();
  ASSERT_EQ(run.actions->sends.size(), 1U);
  run.place(run.actions->sends[0].slot, "1001");
  run.commit();
  run.refuse(run.send(2), "InvalidSecurityToken.Expired");
  EXPECT_TRUE(run.actions->renew_key);
  EXPECT_EQ(run.pipeline.stop(), Stop::none);
}

/// Two rows that are on the wire at once. @return their slots
std::vector<Slot> send_two(Renewing& run) {
  run.read(1);
  run.read(2);
  std::vector<Slot> slots;
  while (slots.size() < 2 && run.pipeline.in_flight() > 0) {
    run.commit();
    for (const Send& send : run.actions->sends) slots.push_back(send.slot);
  }
  EXPECT_EQ(slots.size(), 2U);
  return slots;
}

TEST(PipelineKeys, OneAnswerIsEnoughToRefuseAKey) {
  Renewing run;
  const std::vector<Slot> slots = send_two(run);
  EXPECT_TRUE(run.refuse(slots.at(0), "InvalidSecurityToken.Expired").renew_key);
  EXPECT_NE(run.actions->notice, "");
  EXPECT_FALSE(run.refuse(slots.at(1), "InvalidSecurityToken.Expired").renew_key);
  EXPECT_EQ(run.actions->notice, "") << "it was told";
  EXPECT_EQ(run.pipeline.stop(), Stop::none);
}

TEST(PipelineKeys, AnOrderOfTheKeyBeforeProvesNothingOfThisOne) {
  Renewing run;
  const std::vector<Slot> slots = send_two(run);
  run.refuse(slots.at(0), "InvalidSecurityToken.Expired");
  run.commit();
  run.pass(seconds(1));
  run.renew("second");
  run.commit();
  ASSERT_EQ(run.actions->sends.size(), 1U);
  const Slot again = run.actions->sends[0].slot;
  run.place(slots.at(1), "1001");  // signed with the first
  run.commit();
  EXPECT_FALSE(run.refuse(again, "InvalidSecurityToken.Expired").renew_key);
  EXPECT_EQ(run.pipeline.stop(), Stop::credentials);
}

TEST(PipelineKeys, KeysOfAllRowsInFlightAreKept) {
  Renewing run;
  const Slot first = run.send(1);
  run.pass(seconds(1));
  run.renew("second", "second-secret");
  run.send(2);
  run.pass(seconds(1));
  run.renew("third", "third-secret");
  const std::string body =
      R"({"Code":"Unheard","Message":"testsecret second-secret third-secret","RequestId":"R"})";
  Reply reply;
  reply.status = 400;
  reply.body = body;
  run.tell(event::Replied{first, &reply});
  ASSERT_EQ(run.actions->commit.size(), 1U);
  EXPECT_EQ(run.actions->commit[0].message, "*** *** ***");
}

TEST(PipelineKeys, RefusalOfAKeyThatCannotBeRenewedStopsTheRun) {
  ByHand run;
  run.refuse(run.send(1), "InvalidSecurityToken.Expired");
  EXPECT_EQ(run.pipeline.stop(), Stop::credentials);
  EXPECT_FALSE(run.actions->renew_key);
}

TEST(PipelineKeys, SecretOfEveryKeyInUseIsHidden) {
  Renewing run;
  const Slot first = run.send(1);
  run.pass(seconds(1));
  run.renew("second", "second-secret");
  const std::string body =
      R"({"Code":"Unheard","Message":"testsecret, second-secret","RequestId":"R"})";
  Reply reply;
  reply.status = 400;
  reply.body = body;
  run.tell(event::Replied{first, &reply});
  ASSERT_EQ(run.actions->commit.size(), 1U);
  EXPECT_EQ(run.actions->commit[0].message, "***, ***");
}

}  // namespace
}  // namespace sagorder::testing
