#include "io/postgres_schema.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "engine/life.hpp"
#include "io/ledger.hpp"
#include "tests/io/test_server.hpp"

namespace sagorder::io {
namespace {

constexpr auto kWriting = Postgres::Use::writing;

TEST(PostgresSchema, IsMadeOnce) {
  const TestDatabase database;
  Postgres connection(database.address(), kWriting);
  EXPECT_FALSE(has_schema(connection));
  migrate(connection);
  EXPECT_TRUE(has_schema(connection));
  const std::string made = database.ask("SELECT oid FROM pg_class WHERE relname = 'attempt'");
  migrate(connection);
  EXPECT_EQ(database.ask("SELECT oid FROM pg_class WHERE relname = 'attempt'"), made);
  EXPECT_EQ(database.ask("SELECT version FROM sagorder.version"), std::to_string(kSchemaVersion));
}

TEST(PostgresSchema, IsMadeOnceByManyAtOnce) {
  const TestDatabase database;
  std::atomic<int> ready = 0;
  std::atomic<int> failed = 0;
  std::vector<std::thread> threads;
  constexpr int kAtOnce = 6;
  for (int i = 0; i < kAtOnce; ++i) {
    threads.emplace_back([&] {
      Postgres connection(database.address(), kWriting);
      for (++ready; ready < kAtOnce;) std::this_thread::yield();
      try {
        migrate(connection);
      } catch (const LedgerError& error) {
        ++failed;
        ADD_FAILURE() << error.what();
      }
    });
  }
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(database.ask("SELECT count(*) FROM sagorder.version"), "1");
}

TEST(PostgresSchema, IsBroughtFromTheFirstVersionToThisOne) {
  const TestDatabase database;
  Postgres connection(database.address(), kWriting);
  migrate(connection);
  connection.run(
      "INSERT INTO sagorder.run(input_sha256, orders) VALUES ('a', 7); DROP TABLE sagorder.plan; "
      "ALTER TABLE sagorder.run DROP number, DROP terms, DROP bound; ALTER TABLE sagorder.host "
      "DROP "
      "run_number, DROP asked, DROP orders, DROP seats, DROP seat_months, DROP spent_orders, DROP "
      "spent_seats, DROP spent_seat_months; UPDATE sagorder.version SET version = 1",
      "pretend");
  migrate(connection);
  EXPECT_EQ(database.ask("SELECT version FROM sagorder.version"), std::to_string(kSchemaVersion));
  EXPECT_EQ(database.ask("SELECT orders FROM sagorder.run WHERE number = 0 AND NOT bound"), "7");
  EXPECT_EQ(database.ask("SELECT count(*) FROM sagorder.plan"), "0");
}

TEST(PostgresSchema, NamesTheKindsAsTheEngineDoes) {
  const TestDatabase database;
  Postgres connection(database.address(), kWriting);
  migrate(connection);
  const PgRows kinds = connection.query("SELECT id, name FROM sagorder.kind ORDER BY id", "look");
  ASSERT_EQ(kinds.count(), kRecordKinds);
  for (int i = 0; i < kRecordKinds; ++i) {
    EXPECT_EQ(kinds.number(i, 0), i);
    EXPECT_EQ(kinds.text(i, 1), name_of(static_cast<RecordKind>(i)));
  }
}

TEST(PostgresSchema, RefusesANewerOne) {
  const TestDatabase database;
  Postgres connection(database.address(), kWriting);
  migrate(connection);
  const std::string newer = std::to_string(kSchemaVersion + 1);
  connection.run("UPDATE sagorder.version SET version = " + newer, "pretend");
  for (const auto& look : {std::function<void()>([&] { migrate(connection); }),
                           std::function<void()>([&] { has_schema(connection); })}) {
    const std::string complaint = complaint_of<LedgerError>(look);
    EXPECT_TRUE(has(complaint, "version " + newer)) << complaint;
    EXPECT_TRUE(has(complaint, database.uri())) << complaint;
  }
}

TEST(PostgresSchema, LeavesForeignTablesAlone) {
  const TestDatabase database;
  Postgres connection(database.address(), kWriting);
  connection.run("CREATE SCHEMA sagorder; CREATE TABLE sagorder.kept(x int)", "pretend");
  EXPECT_TRUE(has(complaint_of<LedgerError>([&] { migrate(connection); }), "no ledger's"));
  connection.run("CREATE TABLE sagorder.version(version int)", "pretend");
  EXPECT_TRUE(has(complaint_of<LedgerError>([&] { migrate(connection); }), "does not say"));
  EXPECT_EQ(database.ask("SELECT count(*) FROM pg_tables WHERE schemaname = 'sagorder'"), "2");
}

}  // namespace
}  // namespace sagorder::io
