#include "io/ledger_postgres.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

#include "tests/io/ledger_contract.hpp"
#include "tests/io/test_server.hpp"

namespace sagorder::io {
namespace {

using enum RecordKind;

/// 64 hex digits, others for each text.
std::string digest_of(const std::string& text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string digest;
  for (std::uint64_t word = 0; digest.size() < kDigestDigits; ++word) {
    std::size_t hash = std::hash<std::string>()(text + std::to_string(word));
    for (int i = 0; i < 16; ++i, hash >>= 4) digest.push_back(kDigits[hash & 15]);
  }
  return digest;
}

/// One database for all of the contract, as for a host's batches.
const DatabaseAddress& contract_database() {
  static const DatabaseAddress kAddress = [] {
    ask(server_address(), "CREATE DATABASE contract");
    return DatabaseAddress{with_database(server_address(), "contract"), ""};
  }();
  return kAddress;
}

INSTANTIATE_TEST_SUITE_P(Postgres, LedgerContract,
                         testing::Values(LedgerMaker{"postgres",
                                                     [](const std::string& path) {
                                                       return std::make_unique<PostgresLedger>(
                                                           contract_database(), digest_of(path));
                                                     },
                                                     [](const std::string& path) {
                                                       return "#" + digest_of(path).substr(0, 12);
                                                     }}),
                         [](const auto& chosen) { return chosen.param.name; });

TEST(PostgresLedger, IsNewOnce) {
  const TestDatabase database;
  const std::string digest = digest_of("x");
  EXPECT_EQ(PostgresLedger::open_if_there(database.address(), {.digest = digest}), nullptr);
  EXPECT_EQ(database.ask("SELECT count(*) FROM pg_namespace WHERE nspname = 'sagorder'"), "0")
      << "looking makes nothing";
  EXPECT_TRUE(PostgresLedger(database.address(), digest).created());
  EXPECT_FALSE(PostgresLedger(database.address(), digest).created());
  EXPECT_EQ(PostgresLedger::open_if_there(database.address(), {.digest = digest_of("y")}), nullptr);
  const auto there = PostgresLedger::open_if_there(database.address(), {.digest = digest});
  ASSERT_NE(there, nullptr);
  EXPECT_EQ(there->place(), database.uri() + "#" + digest.substr(0, 12));
}

TEST(PostgresLedger, FailsWithWordsOfWhatToDo) {
  const TestDatabase database;
  PostgresLedger ledger(database.address(), digest_of("x"));
  ledger.commit(std::vector{record_of(intent, 1)});
  const std::string complaint =
      complaint_of<LedgerError>([&] { ledger.commit(std::vector{record_of(intent, 1)}); });
  EXPECT_TRUE(has(complaint, ledger.place() + ": cannot commit")) << complaint;
  EXPECT_THROW(ledger.commit(std::vector{record_of(intent, 2)}), LedgerError);
  EXPECT_THROW(ledger.set_facts({}), LedgerError);
  EXPECT_EQ(steps_of(ledger).size(), 1U);
}

TEST(PostgresLedger, SaysWhoHoldsABatch) {
  const TestDatabase database;
  const PostgresLedger ledger(database.address(), digest_of("x"));
  const PostgresLedger another(database.address(), digest_of("y"));
  const std::string complaint =
      complaint_of<LedgerBusy>([&] { PostgresLedger(database.address(), digest_of("x")); });
  std::array<char, 256> name{};
  ASSERT_EQ(::gethostname(name.data(), name.size() - 1), 0);
  EXPECT_TRUE(has(complaint, name.data())) << complaint;
  EXPECT_TRUE(has(complaint, "process " + std::to_string(::getpid()))) << complaint;
}

TEST(PostgresLedger, ReadingHoldsNothingAndChangesNothing) {
  const TestDatabase database;
  const BatchWanted wanted{.digest = digest_of("x")};
  EXPECT_EQ(PostgresLedger::open_for_reading(database.address(), wanted), nullptr);
  auto ledger = std::make_unique<PostgresLedger>(database.address(), wanted.digest);
  ledger->commit(std::vector{record_of(intent, 1)});
  const auto reader = PostgresLedger::open_for_reading(database.address(), wanted);
  EXPECT_TRUE(reader->held());
  EXPECT_EQ(steps_of(*reader).size(), 1U);
  EXPECT_THROW(reader->commit(std::vector{record_of(intent, 2)}), LedgerError);
  EXPECT_THROW(reader->set_facts({}), LedgerError);
  ledger.reset();
  while (reader->held()) std::this_thread::yield();
  const PostgresLedger other(database.address(), digest_of("y"));
  EXPECT_FALSE(reader->held()) << "another batch's lock";
}

TEST(PostgresLedger, IsFoundByItsResults) {
  const TestDatabase database;
  const auto found = [&](const std::string& output, const std::string& batch = "") {
    const auto ledger =
        PostgresLedger::open_for_reading({database.uri(), batch}, {.output = output});
    return ledger == nullptr ? "" : ledger->facts().at("ledger_id");
  };
  PostgresLedger(database.address(), digest_of("x"))
      .set_facts({{"ledger_id", "x"}, {"output_path", "/data/x.csv"}});
  EXPECT_EQ(found("/elsewhere.csv"), "x") << "the only one";
  PostgresLedger(database.address(), digest_of("y"))
      .set_facts({{"ledger_id", "y"}, {"output_path", "/data/y.csv"}});
  EXPECT_EQ(found("/data/x.csv"), "x");
  EXPECT_EQ(found("/data/y.csv"), "y");
  EXPECT_EQ(found("/data/y.csv", digest_of("x").substr(0, 8)), "x");
  EXPECT_EQ(found("/data/y.csv", digest_of("z").substr(0, 8)), "");
  const std::string complaint =
      complaint_of<SeveralBatches>([&] { static_cast<void>(found("/elsewhere.csv")); });
  EXPECT_TRUE(has(complaint, "#" + digest_of("y").substr(0, 12))) << complaint;
  EXPECT_TRUE(has(complaint, "/data/x.csv")) << complaint;
  PostgresLedger(database.address(), digest_of("z")).set_facts({{"output_path", "/data/y.csv"}});
  EXPECT_THROW(static_cast<void>(found("/data/y.csv")), SeveralBatches);
}

TEST(PostgresLedger, GivesEveryRecordWholeInTheOrderOfCommits) {
  const TestDatabase database;
  PostgresLedger ledger(database.address(), digest_of("x"));
  Record doubt = record_of(in_doubt, 2);
  doubt.evidence = std::string("<html>\0\xff", 8);
  ledger.commit(std::vector{record_of(intent, 1), record_of(intent, 2)});
  ledger.commit(std::vector{placed_of(1), doubt, record_of(replay, 2), record_of(intent, 3)});
  std::vector<std::string> kinds;
  std::vector<Record> seen;
  ledger.records([&](const Record& record) {
    kinds.emplace_back(name_of(record.kind));
    seen.push_back(record);
  });
  EXPECT_EQ(kinds, (std::vector<std::string>{"intent", "intent", "placed", "in_doubt", "replay",
                                             "intent"}));
  ASSERT_EQ(seen.size(), 6U);
  EXPECT_EQ(seen[0].nonce, record_of(intent, 1).nonce);
  EXPECT_EQ(seen[0].at, doubt.at);
  EXPECT_EQ(seen[2].order_id, placed_of(1).order_id);
  EXPECT_EQ(seen[2].latency, milliseconds(123));
  EXPECT_EQ(seen[2].nonce, Nonce());
  EXPECT_EQ(seen[3].evidence, "<html>\\x00\\xff");
}

TEST(PostgresLedger, KeepsReferences) {
  const TestDatabase database;
  PostgresLedger ledger(database.address(), digest_of("x"));
  using References = std::vector<std::pair<Row, std::string>>;
  ledger.add_references(References{{Row{7}, "seven"}, {Row{2}, "two"}});
  ledger.add_references(References{{Row{7}, "SEVEN"}, {Row{1}, "it's \"one\""}});
  References all;
  ledger.references([&](Row row, std::string_view text) { all.emplace_back(row, text); });
  EXPECT_EQ(all, (References{{Row{1}, "it's \"one\""}, {Row{2}, "two"}, {Row{7}, "SEVEN"}}));
}

TEST(PostgresLedger, ShowsPeopleEachRow) {
  const TestDatabase database;
  PostgresLedger ledger(database.address(), digest_of("x"));
  ledger.commit(std::vector{record_of(intent, 1), record_of(intent, 2), record_of(intent, 3)});
  ledger.commit(std::vector{placed_of(1), record_of(not_executed, 3), record_of(in_doubt, 2)});
  ledger.commit(std::vector{record_of(replay, 2), record_of(intent, 3, 2)});
  EXPECT_EQ(database.ask("SELECT string_agg(concat_ws(' ', \"row\", state, attempts, order_id), "
                         "', ' ORDER BY \"row\") FROM sagorder.orders"),
            "1 placed 1 20571, 2 in_doubt 1, 3 intended 2");
}

TEST(PostgresLedger, ReadsMoreThanOneAnswerHolds) {
  const TestDatabase database;
  PostgresLedger ledger(database.address(), digest_of("x"));
  std::vector<Record> group;
  for (std::uint64_t row = 1; row <= 20'000; ++row) group.push_back(record_of(intent, row));
  ledger.commit(group);
  std::uint64_t last = 0;
  ledger.replay([&](const Step& step) {
    EXPECT_EQ(step.row.value, ++last);
    if (last == 10'000) {
      EXPECT_EQ(ledger.outcome_of(Row{1}), std::nullopt) << "within";
      EXPECT_THROW(ledger.commit(group), LedgerError);
      // Longer than a session may be silent within a transaction that writes.
      std::this_thread::sleep_for(std::chrono::milliseconds(2'200));
    }
  });
  EXPECT_EQ(last, 20'000U);
  ledger.commit(std::vector{record_of(intent, 30'000)});
}

/// What a commit says, and what the next start finds, when the connection is cut around it.
void cut_a_commit(Relay::Cut cut, std::size_t durable) {
  const TestDatabase database;
  Relay relay;
  PostgresLedger ledger(relay.to(database), digest_of("x"));
  ledger.commit(std::vector{record_of(intent, 1)});
  relay.cut(cut);
  const std::string complaint =
      complaint_of<LedgerError>([&] { ledger.commit(std::vector{record_of(intent, 2)}); });
  EXPECT_TRUE(has(complaint, "is not known")) << complaint;
  EXPECT_THROW(ledger.commit(std::vector{record_of(intent, 3)}), LedgerError) << "never retried";
  EXPECT_THROW(ledger.set_facts({}), LedgerError);
  PostgresLedger next(database.address(), digest_of("x"));
  EXPECT_EQ(steps_of(next).size(), durable);
}

TEST(PostgresLedger, ALostRequestIsAnUnknownCommit) { cut_a_commit(Relay::Cut::before_request, 1); }

TEST(PostgresLedger, ALostAnswerIsAnUnknownCommit) { cut_a_commit(Relay::Cut::before_answer, 2); }

TEST(PostgresLedger, TellsOfAServerThatMayHaveForgotten) {
  const TestDatabase database;
  const auto facts_after = [&](const std::string& server) {
    database.ask("UPDATE sagorder.fact SET value = '" + server + "' WHERE name = 'server'");
    return PostgresLedger(database.address(), digest_of("x")).facts();
  };
  PostgresLedger(database.address(), digest_of("x"));
  const std::string now = database.ask("SELECT value FROM sagorder.fact WHERE name = 'server'");
  const std::string cluster = now.substr(0, now.find('/'));
  const std::string tables = now.substr(now.rfind('/'));
  EXPECT_TRUE(facts_after(cluster + "/00000000" + tables).empty()) << "nothing was begun";
  PostgresLedger(database.address(), digest_of("x")).set_facts({{"ledger_id", "x"}});
  EXPECT_EQ(facts_after(cluster + "/00000000" + tables + " waits for a standby").size(), 1U);
  EXPECT_EQ(facts_after(now.substr(0, now.rfind('/'))).size(), 1U) << "an older program's";
  const Facts facts = facts_after(cluster + "/00000000" + tables);
  EXPECT_TRUE(has(facts.at("failover"), "failed over (" + cluster + "/00000000 to "))
      << facts.at("failover");
  EXPECT_EQ(facts.size(), 2U);
  EXPECT_EQ(PostgresLedger(database.address(), digest_of("x")).facts(), facts) << "once";
}

/// What is restored has whoever waited for commits lost what was committed since.
TEST(PostgresLedger, TellsOfTablesThatWereRestored) {
  const TestDatabase database;
  PostgresLedger(database.address(), digest_of("x")).set_facts({{"ledger_id", "x"}});
  const std::string now = database.ask("SELECT value FROM sagorder.fact WHERE name = 'server'");
  const std::size_t tables = now.rfind('/');
  for (const std::string& before : {"1" + now, now.substr(0, tables) + "/1"}) {
    database.ask("DELETE FROM sagorder.fact WHERE name = 'failover'");
    database.ask("UPDATE sagorder.fact SET value = '" + before +
                 " waits for a standby' WHERE name = 'server'");
    const Facts facts = PostgresLedger(database.address(), digest_of("x")).facts();
    ASSERT_TRUE(facts.contains("failover")) << before;
    EXPECT_TRUE(has(facts.at("failover"), "restored from a copy")) << facts.at("failover");
  }
}

/// The server commits here all the same, and says so by a warning alone.
TEST(PostgresLedger, ACommitThatItsStandbyMayLackIsUnknown) {
  const TestDatabase database;
  PostgresLedger ledger(database.address(), digest_of("x"));
  const auto wait_for_standby = [&](const std::string& named) {
    Postgres other(database.address(), Postgres::Use::writing);
    other.run("ALTER SYSTEM SET synchronous_standby_names = '" + named + "'", "set");
    other.run("SELECT pg_reload_conf()", "set");
    while (other.query("SHOW synchronous_standby_names", "ask").text(0, 0) != named) {
      std::this_thread::yield();
    }
  };
  wait_for_standby("nobody");
  std::string complaint;
  std::uint64_t row = 0;
  std::thread thread([&] {  // the server's processes hear of it one by one: a first commit may pass
    while (complaint.empty()) {
      ++row;
      complaint =
          complaint_of<LedgerError>([&] { ledger.commit(std::vector{record_of(intent, row)}); });
    }
  });
  const char* const kEndWait =
      "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
  while (database.ask(kEndWait) == "0") std::this_thread::yield();
  thread.join();
  wait_for_standby("");
  EXPECT_TRUE(has(complaint, "synchronous replication")) << complaint;
  EXPECT_TRUE(has(complaint, "Nothing more is sent")) << complaint;
  EXPECT_THROW(ledger.commit(std::vector{record_of(intent, row + 1)}), LedgerError);
  EXPECT_EQ(steps_of(ledger).size(), row) << "it is here, if not there";
}

TEST(PostgresLedger, WritesNothingWithoutItsSession) {
  const TestDatabase database;
  PostgresLedger ledger(database.address(), digest_of("x"));
  database.ask(
      "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
      "AND datname = current_database()");
  EXPECT_THROW(ledger.commit(std::vector{record_of(intent, 1)}), LedgerError);
  EXPECT_EQ(database.ask("SELECT count(*) FROM sagorder.attempt"), "0");
}

}  // namespace
}  // namespace sagorder::io
