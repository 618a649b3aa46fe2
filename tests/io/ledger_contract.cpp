#include "tests/io/ledger_contract.hpp"

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/io/temporary_directory.hpp"

namespace sagorder::io {
namespace {

using enum RecordKind;

TEST_P(LedgerContract, NewOneIsEmpty) {
  const TemporaryDirectory directory;
  const auto ledger = GetParam().open(directory / "l");
  EXPECT_TRUE(ledger->facts().empty());
  EXPECT_TRUE(steps_of(*ledger).empty());
  EXPECT_EQ(ledger->outcome_of(Row{1}), std::nullopt);
  ledger->outcomes([](const Record&) { FAIL(); });
}

TEST_P(LedgerContract, FactsAreKeptAndOverwritten) {
  const TemporaryDirectory directory;
  {
    const auto ledger = GetParam().open(directory / "l");
    ledger->set_facts({{"ledger_id", "0123"}, {"rows", "7"}, {"empty", ""}});
    ledger->set_facts({{"rows", "8"}, {"text", "line\nwith 'quotes' and \xC3\xA9"}});
  }
  const auto ledger = GetParam().open(directory / "l");
  const Facts expected = {{"ledger_id", "0123"},
                          {"rows", "8"},
                          {"empty", ""},
                          {"text", "line\nwith 'quotes' and \xC3\xA9"}};
  EXPECT_EQ(ledger->facts(), expected);
}

TEST_P(LedgerContract, ReplaysEveryKindInTheOrderOfCommits) {
  const TemporaryDirectory directory;
  const std::vector<std::vector<Record>> groups = {
      {record_of(intent, 1), record_of(intent, 2)},
      {record_of(not_executed, 1), record_of(in_doubt, 2)},
      {record_of(intent, 1, 2), record_of(replay, 2), record_of(intent, 3)},
      {record_of(rejected, 1, 2), record_of(resolved_placed, 2), record_of(placed, 3)},
      {record_of(intent, 4)},
      {record_of(in_doubt, 4)},
      {record_of(resolved_not_placed, 4)},
  };
  const std::vector<std::string> expected = {
      "intent 1 1", "intent 2 1",   "not_executed 1 1",       "in_doubt 2 1",        "intent 1 2",
      "replay 2 1", "intent 3 1",   "rejected 1 2",           "resolved_placed 2 1", "placed 3 1",
      "intent 4 1", "in_doubt 4 1", "resolved_not_placed 4 1"};
  {
    const auto ledger = GetParam().open(directory / "l");
    for (const auto& group : groups) ledger->commit(group);
    EXPECT_EQ(steps_of(*ledger), expected);
  }
  const auto ledger = GetParam().open(directory / "l");
  EXPECT_EQ(steps_of(*ledger), expected);
  ledger->commit(std::vector{record_of(intent, 4, 2)});
  EXPECT_EQ(steps_of(*ledger).back(), "intent 4 2");
}

TEST_P(LedgerContract, LastOutcomeOfARowIsWhole) {
  const TemporaryDirectory directory;
  const auto ledger = GetParam().open(directory / "l");
  Record doubt = record_of(in_doubt, 5);
  doubt.code = "ServiceUnavailable";
  doubt.message = "try again";
  doubt.evidence = "<html>\n502";
  ledger->commit(std::vector{record_of(intent, 5), record_of(intent, 6)});
  EXPECT_EQ(ledger->outcome_of(Row{5}), std::nullopt);
  ledger->commit(std::vector{doubt});
  ledger->commit(std::vector{placed_of(6), record_of(replay, 5)});

  // What is recorded before bytes are sent again is no outcome.
  const auto of_5 = ledger->outcome_of(Row{5});
  ASSERT_TRUE(of_5.has_value());
  EXPECT_EQ(of_5->kind, in_doubt);
  EXPECT_EQ(of_5->code, doubt.code);
  EXPECT_EQ(of_5->message, doubt.message);
  EXPECT_EQ(of_5->evidence, doubt.evidence);
  EXPECT_EQ(of_5->order_id, "");
  EXPECT_EQ(of_5->http_status, 0);

  const auto of_6 = ledger->outcome_of(Row{6});
  ASSERT_TRUE(of_6.has_value());
  EXPECT_EQ(of_6->row, Row{6});
  EXPECT_EQ(of_6->attempt, Attempt{1});
  EXPECT_EQ(of_6->at, placed_of(6).at);
  EXPECT_EQ(of_6->order_id, "20576");
  EXPECT_EQ(of_6->sag_id, "sag-6");
  EXPECT_EQ(of_6->request_id, placed_of(6).request_id);
  EXPECT_EQ(of_6->http_status, 200);
  EXPECT_EQ(of_6->latency, milliseconds(123));
  EXPECT_EQ(ledger->outcome_of(Row{7}), std::nullopt);
}

TEST_P(LedgerContract, IntentsComeBackWithTimeAndNonce) {
  const TemporaryDirectory directory;
  const auto ledger = GetParam().open(directory / "l");
  Record given = record_of(intent, 7);
  given.at = WallTime(milliseconds(1'767'323'045'678));
  given.nonce.hex.fill('a');
  ledger->commit(std::vector{record_of(intent, 3), given});
  std::vector<Record> seen;
  ledger->intents([&](const Record& record) { seen.push_back(record); });
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[1].row, given.row);
  EXPECT_EQ(seen[1].attempt, given.attempt);
  EXPECT_EQ(seen[1].at, given.at);
  EXPECT_EQ(seen[1].nonce, given.nonce);
}

TEST_P(LedgerContract, OutcomesComeInTheOrderOfCommits) {
  const TemporaryDirectory directory;
  const auto ledger = GetParam().open(directory / "l");
  for (const std::uint64_t row : {3U, 1U, 2U}) {
    ledger->commit(std::vector{record_of(intent, row)});
    ledger->commit(std::vector{placed_of(row)});
  }
  std::vector<std::uint64_t> rows;
  ledger->outcomes([&](const Record& record) {
    EXPECT_EQ(record.order_id, placed_of(record.row.value).order_id);
    rows.push_back(record.row.value);
  });
  EXPECT_EQ(rows, (std::vector<std::uint64_t>{3, 1, 2}));
}

TEST_P(LedgerContract, GoesOnAfterOutcomesWereLookedUp) {
  const TemporaryDirectory directory;
  const auto ledger = GetParam().open(directory / "l");
  ledger->commit(std::vector{record_of(intent, 1)});
  EXPECT_EQ(ledger->outcome_of(Row{1}), std::nullopt);
  ledger->commit(std::vector{placed_of(1), record_of(intent, 2)});
  EXPECT_EQ(ledger->outcome_of(Row{1})->kind, placed);
  EXPECT_EQ(steps_of(*ledger).size(), 3U);
}

TEST_P(LedgerContract, VisitorMayEndTheReplay) {
  const TemporaryDirectory directory;
  const auto ledger = GetParam().open(directory / "l");
  ledger->commit(std::vector{record_of(intent, 1), record_of(intent, 2)});
  EXPECT_THROW(ledger->replay([](const Step&) { throw LedgerError("row 1 cannot be"); }),
               LedgerError);
  ledger->commit(std::vector{record_of(intent, 3)});
  EXPECT_EQ(steps_of(*ledger).size(), 3U);
}

TEST_P(LedgerContract, IsHeldByOneProcess) {
  const TemporaryDirectory directory;
  auto ledger = GetParam().open(directory / "l");
  const auto in_another_process = [&] {
    const pid_t child = ::fork();
    if (child == 0) {
      int code = 1;
      try {
        GetParam().open(directory / "l");
        code = 0;
      } catch (const LedgerBusy& busy) {
        code = has(busy.what(), GetParam().called(directory / "l")) ? 75 : 2;
      } catch (...) {
        code = 3;
      }
      ::_exit(code);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WEXITSTATUS(status);
  };
  EXPECT_EQ(in_another_process(), 75);
  ledger->commit(std::vector{record_of(intent, 1)});
  EXPECT_EQ(in_another_process(), 75);
  ledger.reset();
  EXPECT_EQ(in_another_process(), 0);
}

/// Commits as fast as it can, and says through the pipe how many groups are durable.
[[noreturn]] void commit_until_killed(Ledger& ledger, int pipe) {
  std::uint64_t row = 0;
  while (true) {
    std::vector<Record> group;
    for (int i = 0; i < 10; ++i) group.push_back(record_of(intent, ++row));
    ledger.commit(group);
    if (::write(pipe, &row, sizeof row) != sizeof row) ::_exit(1);
  }
}

TEST_P(LedgerContract, KeepsWhatItSaidWasDurableWhenKilled) {
  const TemporaryDirectory directory;
  for (int round = 0; round < 5; ++round) {
    const std::string path = directory / std::to_string(round);
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) commit_until_killed(*GetParam().open(path), ends[1]);
    ::close(ends[1]);
    std::uint64_t durable = 0;
    for (int group = 0; group < 40 * (round + 1); ++group) {
      ASSERT_EQ(::read(ends[0], &durable, sizeof durable), ssize_t{sizeof durable});
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    while (::read(ends[0], &durable, sizeof durable) == sizeof durable) {
    }
    ::close(ends[0]);

    const auto ledger = GetParam().open(path);
    const auto steps = steps_of(*ledger);
    EXPECT_GE(steps.size(), durable);
    EXPECT_EQ(steps.size() % 10, 0U) << "half a group";
    EXPECT_EQ(steps.back(), "intent " + std::to_string(steps.size()) + " 1");
  }
}

}  // namespace
}  // namespace sagorder::io
