#include "io/ledger_sqlite.hpp"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "tests/io/failing_disk.hpp"
#include "tests/io/ledger_contract.hpp"
#include "tests/io/temporary_directory.hpp"

namespace sagorder::io {
namespace {

namespace fs = std::filesystem;
using enum RecordKind;

INSTANTIATE_TEST_SUITE_P(Sqlite, LedgerContract,
                         testing::Values(LedgerMaker{"sqlite",
                                                     [](const std::string& path) {
                                                       return std::make_unique<SqliteLedger>(path);
                                                     }}),
                         [](const auto& chosen) { return chosen.param.name; });

/// Runs SQL as a person with the sqlite3 shell would. @return the first column of every row
std::vector<std::string> query(const std::string& path, const std::string& sql) {
  sqlite3* database = nullptr;
  EXPECT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
  std::vector<std::string> cells;
  char* error = nullptr;
  const auto take = [](void* into, int count, char** texts, char**) {
    std::string line;
    for (int i = 0; i < count; ++i)
      line += (i > 0 ? "|" : "") + std::string(texts[i] ? texts[i] : "");
    static_cast<std::vector<std::string>*>(into)->push_back(line);
    return 0;
  };
  EXPECT_EQ(sqlite3_exec(database, sql.c_str(), take, &cells, &error), SQLITE_OK)
      << (error ? error : "");
  sqlite3_close(database);
  return cells;
}

std::string refusal_of(const std::string& path) {
  return complaint_of<LedgerError>([&] { SqliteLedger ledger(path); });
}

TEST(SqliteLedger, IsPrivateWithItsLogAndIndex) {
  const TemporaryDirectory directory;
  const std::string path = directory / "l";
  SqliteLedger ledger(path);
  EXPECT_TRUE(ledger.created());
  ledger.commit(std::vector{record_of(intent, 1)});
  for (const char* suffix : {"", "-wal", "-shm"})
    EXPECT_EQ(mode_of(path + suffix), 0600U) << suffix;
}

TEST(SqliteLedger, IsNewOnce) {
  const TemporaryDirectory directory;
  EXPECT_TRUE(SqliteLedger(directory / "l").created());
  EXPECT_FALSE(SqliteLedger(directory / "l").created());
  EXPECT_EQ(directory.entries(), 1U) << "closed, it is one file";
}

using References = std::vector<std::pair<Row, std::string>>;

References references_of(SqliteLedger& ledger) {
  References all;
  ledger.references([&](Row row, std::string_view text) { all.emplace_back(row, text); });
  return all;
}

TEST(SqliteLedger, KeepsReferencesOnceThereAreSome) {
  const TemporaryDirectory directory;
  const std::string path = directory / "l";
  {
    SqliteLedger ledger(path);
    EXPECT_THROW(references_of(ledger), LedgerError) << "a ledger of an older program has none";
    ledger.add_references(References{});
    EXPECT_TRUE(references_of(ledger).empty());
    ledger.add_references(References{{Row{7}, "seven"}, {Row{2}, "two"}});
    ledger.add_references(References{{Row{7}, "SEVEN"}, {Row{1}, "it's \"one\""}});
  }
  const References expected{{Row{1}, "it's \"one\""}, {Row{2}, "two"}, {Row{7}, "SEVEN"}};
  EXPECT_EQ(references_of(*SqliteLedger::open_for_reading(path)), expected);
  SqliteLedger again(path);
  EXPECT_EQ(references_of(again), expected);
  again.commit(std::vector{record_of(intent, 1)});
}

TEST(SqliteLedger, TellsWhenItsLogBeginsAnew) {
  const TemporaryDirectory directory;
  const std::string path = directory / "l";
  SqliteLedger ledger(path);
  int told = 0;
  bool broken = false;
  ledger.before_new_log([&] {
    ++told;
    if (broken) throw std::runtime_error("no memory");
    ledger.set_facts({{"run", std::to_string(told)}});
  });
  Record record = record_of(in_doubt, 1);
  record.evidence = std::string(64 * 1024, 'x');
  const std::vector<Record> group(32, record);  // 2 MiB; a checkpoint comes after 16
  const auto commits_until = [&](int times) {
    int commits = 0;
    while (told < times && commits < 100) {
      ledger.commit(group);
      ++commits;
    }
    return commits;
  };
  EXPECT_GE(commits_until(1), 8);
  EXPECT_GE(commits_until(2), 8);
  EXPECT_EQ(ledger.facts().at("run"), "2");
  {
    const auto reader = SqliteLedger::open_for_reading(path);  // the log cannot begin anew
    EXPECT_GE(commits_until(3), 7);
    EXPECT_GE(commits_until(4), 7) << "not at every commit";
  }
  broken = true;
  EXPECT_THROW(commits_until(5), std::runtime_error);
  const std::size_t before = query(path, "SELECT seq FROM outcome").size();
  EXPECT_EQ(before % group.size(), 0U);
}

TEST(SqliteLedger, IsMadeAnewWhenItsMakingWasCutShort) {
  const TemporaryDirectory directory;
  put(directory / "empty", "");
  EXPECT_TRUE(SqliteLedger(directory / "empty").created());
  query(directory / "blank", "PRAGMA journal_mode=WAL");
  EXPECT_TRUE(SqliteLedger(directory / "blank").created());
}

TEST(SqliteLedger, LeavesForeignFilesAlone) {
  const TemporaryDirectory directory;
  put(directory / "text", std::string(5000, 'x'));
  EXPECT_TRUE(has(refusal_of(directory / "text"), "no sagorder ledger"));
  EXPECT_EQ(content_of(directory / "text"), std::string(5000, 'x'));
  query(directory / "other", "CREATE TABLE t(x)");
  EXPECT_TRUE(has(refusal_of(directory / "other"), "no sagorder ledger"));
  put(directory / "target", "");
  fs::create_symlink("target", directory / "link");
  EXPECT_TRUE(has(refusal_of(directory / "link"), "symbolic link"));
  EXPECT_EQ(fs::file_size(directory / "target"), 0U);
  EXPECT_TRUE(has(refusal_of(directory / "none/l"), "directory"));
}

TEST(SqliteLedger, OpensThroughALinkedDirectory) {
  const TemporaryDirectory directory;
  fs::create_directory(directory / "real");
  fs::create_directory_symlink("real", directory / "linked");
  SqliteLedger(directory / "linked/l").commit(std::vector{record_of(intent, 1)});
  SqliteLedger ledger(directory / "real/l");
  EXPECT_EQ(steps_of(ledger).size(), 1U);
}

TEST(SqliteLedger, RefusesANewerFormat) {
  const TemporaryDirectory directory;
  SqliteLedger(directory / "l").set_facts({});
  query(directory / "l", "PRAGMA user_version=2");
  const auto complaint = refusal_of(directory / "l");
  EXPECT_TRUE(has(complaint, "format 2")) << complaint;
  EXPECT_THROW(SqliteLedger::open_for_reading(directory / "l"), LedgerError);
}

TEST(SqliteLedger, FindsGapsAndDoubles) {
  const std::vector<std::pair<std::string, std::string>> damages = {
      {"DELETE FROM intent WHERE seq = 1", "record 1 is missing"},
      {"DELETE FROM outcome WHERE seq = 3", "record 3 is missing"},
      {"UPDATE outcome SET seq = 2 WHERE seq = 3", "record 2 is there twice"},
      {"UPDATE intent SET seq = 9 WHERE seq = 4", "record 4 is missing"},
      {"UPDATE outcome SET kind = 0 WHERE seq = 3", "record 3 is of an unknown kind"},
      {"UPDATE intent SET attempt = 4294967297 WHERE seq = 1", "record 1 has a row or an attempt"},
      {"UPDATE intent SET attempt = 0 WHERE seq = 1", "record 1 has a row or an attempt"},
      {"UPDATE outcome SET row = -1 WHERE seq = 3", "record 3 has a row or an attempt"},
      {"PRAGMA ignore_check_constraints=1; UPDATE outcome SET kind = 99", "unknown kind"},
      {"INSERT INTO intent VALUES(-1, 1, 1, 1, 'x')", "record 1 is missing"},
  };
  for (const auto& [sql, expected] : damages) {
    const TemporaryDirectory directory;
    {
      SqliteLedger ledger(directory / "l");
      ledger.commit(std::vector{record_of(intent, 1), record_of(intent, 2)});
      ledger.commit(std::vector{placed_of(1), record_of(intent, 3)});
    }
    query(directory / "l", sql);
    SqliteLedger ledger(directory / "l");
    const auto complaint = complaint_of<LedgerError>([&] { steps_of(ledger); });
    EXPECT_TRUE(has(complaint, expected)) << sql << ": " << complaint;
    EXPECT_TRUE(has(complaint, directory / "l")) << complaint;
  }
}

TEST(SqliteLedger, KindsAreNamedInTheFile) {
  const TemporaryDirectory directory;
  SqliteLedger(directory / "l").set_facts({});
  EXPECT_EQ(query(directory / "l", "SELECT name FROM kind ORDER BY id"),
            (std::vector<std::string>{"intent", "not_executed", "placed", "rejected", "in_doubt",
                                      "replay", "resolved_placed", "resolved_not_placed"}));
  query(directory / "l", "UPDATE kind SET name = 'placed' WHERE id = 4");
  EXPECT_TRUE(has(refusal_of(directory / "l"), "damaged"));
}

TEST(SqliteLedger, ShowsPeopleTheStateOfEachRow) {
  const TemporaryDirectory directory;
  {
    SqliteLedger ledger(directory / "l");
    std::vector<Record> records;
    for (std::uint64_t row = 1; row <= 8; ++row) records.push_back(record_of(intent, row));
    for (const auto& [row, kind] :
         std::vector<std::pair<std::uint64_t, RecordKind>>{{2, placed},
                                                           {3, rejected},
                                                           {4, in_doubt},
                                                           {5, not_executed},
                                                           {6, in_doubt},
                                                           {6, resolved_placed},
                                                           {7, in_doubt},
                                                           {7, resolved_not_placed},
                                                           {8, in_doubt},
                                                           {8, replay}}) {
      records.push_back(record_of(kind, row));
    }
    ledger.commit(records);
  }
  EXPECT_EQ(query(directory / "l", "SELECT row, state FROM orders ORDER BY row"),
            (std::vector<std::string>{"1|intended", "2|placed", "3|rejected", "4|in_doubt",
                                      "5|pending", "6|placed", "7|pending", "8|in_doubt"}));
  EXPECT_EQ(query(directory / "l", "SELECT at FROM orders WHERE row = 2").front(),
            "2019-05-20T08:01:02Z");
}

TEST(SqliteLedger, CanBeReadWhileARunHoldsIt) {
  const TemporaryDirectory directory;
  SqliteLedger ledger(directory / "l");
  ledger.set_facts({{"rows", "7"}});
  ledger.commit(std::vector{record_of(intent, 1)});
  const auto reader = SqliteLedger::open_for_reading(directory / "l");
  EXPECT_EQ(steps_of(*reader).size(), 1U);
  EXPECT_EQ(reader->facts().at("rows"), "7");
  ledger.commit(std::vector{placed_of(1)});
  EXPECT_EQ(steps_of(*reader).size(), 2U);
  EXPECT_EQ(reader->outcome_of(Row{1})->order_id, "20571");
  EXPECT_THROW(reader->commit(std::vector{record_of(intent, 2)}), LedgerError);
  EXPECT_THROW(reader->set_facts({}), LedgerError);
}

TEST(SqliteLedger, GivesEveryRecordWholeInTheOrderOfCommits) {
  const TemporaryDirectory directory;
  SqliteLedger ledger(directory / "l");
  Record doubt = record_of(in_doubt, 2);
  doubt.code = "closed";
  doubt.message = "before an answer";
  doubt.evidence = "HTTP/1.1";
  ledger.commit(std::vector{record_of(intent, 1), record_of(intent, 2)});
  ledger.commit(std::vector{placed_of(1), doubt, record_of(replay, 2), record_of(intent, 3)});
  ledger.commit(std::vector{record_of(resolved_not_placed, 2), record_of(intent, 2, 2)});
  std::vector<Record> seen;
  ledger.records([&](const Record& record) { seen.push_back(record); });
  std::vector<std::string> steps;
  for (const Record& record : seen) {
    steps.push_back(std::string(name_of(record.kind)) + " " + std::to_string(record.row.value) +
                    " " + std::to_string(record.attempt.value));
    EXPECT_EQ(record.at, doubt.at);
    EXPECT_EQ(record.nonce, record.kind == intent ? doubt.nonce : Nonce()) << steps.back();
    EXPECT_EQ(record.code, record.kind == in_doubt ? "closed" : "") << steps.back();
  }
  EXPECT_EQ(steps, steps_of(ledger));
  EXPECT_EQ(steps.size(), 8U);
  EXPECT_EQ(seen[2].order_id, placed_of(1).order_id);
  EXPECT_EQ(seen[2].request_id, placed_of(1).request_id);
  EXPECT_EQ(seen[2].latency, milliseconds(123));
  EXPECT_EQ(seen[2].http_status, 200);
  EXPECT_EQ(seen[3].message, "before an answer");
  EXPECT_EQ(seen[3].evidence, "HTTP/1.1");
}

TEST(SqliteLedger, ReadingCreatesNothing) {
  const TemporaryDirectory directory;
  EXPECT_THROW(SqliteLedger::open_for_reading(directory / "l"), LedgerError);
  EXPECT_EQ(directory.entries(), 0U);
  SqliteLedger(directory / "a?b#c%20").commit(std::vector{record_of(intent, 1), placed_of(1)});
  const std::string before = content_of(directory / "a?b#c%20");
  {
    const auto reader = SqliteLedger::open_for_reading(directory / "a?b#c%20");
    EXPECT_EQ(steps_of(*reader).size(), 2U);
    EXPECT_EQ(reader->outcome_of(Row{1})->order_id, "20571");
    EXPECT_EQ(directory.entries(), 1U);
  }
  EXPECT_EQ(directory.entries(), 1U);
  EXPECT_EQ(content_of(directory / "a?b#c%20"), before);
}

TEST(SqliteLedger, ReadsWhatAKilledRunLeftInItsLog) {
  const TemporaryDirectory directory;
  {
    SqliteLedger ledger(directory / "l");
    ledger.commit(std::vector{record_of(intent, 1)});
    for (const char* suffix : {"", "-wal"}) {
      fs::copy_file(directory / "l" + suffix, directory / "copy" + suffix);
    }
  }
  const auto reader = SqliteLedger::open_for_reading(directory / "copy");
  EXPECT_EQ(steps_of(*reader).size(), 1U);
}

TEST(SqliteLedger, NoticesThatItWasRemoved) {
  for (const char* suffix : {"", "-wal"}) {
    const TemporaryDirectory directory;
    SqliteLedger ledger(directory / "l");
    ledger.commit(std::vector{record_of(intent, 1)});
    fs::remove(directory / "l" + suffix);
    const auto complaint =
        complaint_of<LedgerError>([&] { ledger.commit(std::vector{record_of(intent, 2)}); });
    EXPECT_TRUE(has(complaint, "removed")) << complaint;
    EXPECT_THROW(ledger.commit(std::vector{record_of(intent, 3)}), LedgerError);
  }
}

TEST(SqliteLedger, NoticesThatItWasReplaced) {
  const TemporaryDirectory directory;
  SqliteLedger(directory / "other").set_facts({});
  SqliteLedger ledger(directory / "l");
  fs::rename(directory / "other", directory / "l");
  EXPECT_THROW(ledger.commit(std::vector{record_of(intent, 1)}), LedgerError);
}

TEST(SqliteLedger, SyncsEachCommit) {
  FailingDisk disk;
  const TemporaryDirectory directory;
  SqliteLedger ledger(directory / "l");
  for (std::uint64_t row = 1; row <= 10; ++row) {
    disk.heal();
    ledger.commit(std::vector{record_of(intent, row)});
    EXPECT_GE(disk.syncs(), 1);
  }
}

/// Commits rows one by one until one fails. @return how many are durable for sure
std::uint64_t commit_rows(Ledger& ledger, std::uint64_t count) {
  for (std::uint64_t row = 1; row <= count; ++row) {
    try {
      ledger.commit(std::vector{record_of(intent, row), placed_of(row)});
    } catch (const LedgerError&) {
      return row - 1;
    }
  }
  return count;
}

/// What must hold whichever step of the disk fails, and however.
void fail_one_step(FailingDisk& disk, const std::string& path, int step, int code,
                   std::uint64_t rows) {
  std::uint64_t durable = 0;
  {
    SqliteLedger ledger(path);
    disk.fail_at(step, code);
    durable = commit_rows(ledger, rows);
    if (!disk.failed()) return;
    EXPECT_LT(durable, rows) << "a failed step was passed over";
    const int steps = disk.steps();
    EXPECT_THROW(ledger.commit(std::vector{record_of(intent, 999)}), LedgerError);
    EXPECT_THROW(ledger.set_facts({{"a", "b"}}), LedgerError);
    EXPECT_EQ(disk.steps(), steps) << "the disk was asked again";
  }
  disk.heal();
  SqliteLedger ledger(path);
  const auto replayed = steps_of(ledger);
  EXPECT_GE(replayed.size(), 2 * durable);
  EXPECT_LE(replayed.size(), 2 * durable + 2);
  EXPECT_EQ(replayed.size() % 2, 0U) << "half a group";
}

TEST(SqliteLedger, KeepsItsWordWhicheverStepFails) {
  constexpr std::uint64_t kRows = 30;
  FailingDisk disk;
  for (const int code : {SQLITE_IOERR_FSYNC, SQLITE_IOERR_WRITE, SQLITE_FULL}) {
    for (int step = 1; step < 1000; ++step) {
      const TemporaryDirectory directory;
      fail_one_step(disk, directory / "l", step, code, kRows);
      if (HasFailure()) FAIL() << "step " << step << ", code " << code;
      if (disk.steps() > 0 && !disk.failed() && step > disk.steps()) break;
      ASSERT_LT(step, 999) << "the sequence never came to its end";
    }
  }
}

TEST(SqliteLedger, FailedCheckpointEndsCommits) {
  FailingDisk disk;
  const TemporaryDirectory directory;
  Record large = placed_of(1);
  large.message.assign(1'000'000, 'x');
  const std::vector<Record> group{large};
  // The log is moved into the file by one commit among many: find it and its last step, a sync.
  int commits = 0;
  SqliteLedger healthy(directory / "healthy");
  const auto size_before = fs::file_size(directory / "healthy");
  for (; fs::file_size(directory / "healthy") == size_before; ++commits) {
    ASSERT_LT(commits, 40) << "no checkpoint came";
    disk.heal();
    healthy.commit(group);
  }
  const int last = disk.steps();
  for (const int code : {SQLITE_IOERR_FSYNC, SQLITE_FULL}) {
    const TemporaryDirectory next;
    SqliteLedger failing(next / "l");
    for (int i = 1; i < commits; ++i) failing.commit(group);
    disk.fail_at(last, code);
    EXPECT_THROW(failing.commit(group), LedgerError);
    ASSERT_TRUE(disk.failed());
    EXPECT_THROW(failing.commit(group), LedgerError);
    disk.heal();
  }
}

}  // namespace
}  // namespace sagorder::io
