#include "io/sqlite.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <optional>

#include "io/ledger.hpp"
#include "temporary_directory.hpp"

namespace sagorder::io {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

class SqliteTest : public testing::Test {
 protected:
  SqliteTest() {
    database_.path = "orders.ledger";
    EXPECT_EQ(sqlite3_open(":memory:", &database_.handle), SQLITE_OK);
    database_.run("CREATE TABLE pair(number INTEGER, text TEXT)", "make a table");
  }
  ~SqliteTest() override { EXPECT_EQ(sqlite3_close(database_.handle), SQLITE_OK); }

  Database database_;
};

TEST_F(SqliteTest, GivesBackWhatWasBound) {
  {
    const Statement insert(database_, "INSERT INTO pair(number, text) VALUES(?1, ?2)");
    insert.bind(1, std::int64_t{-7});
    insert.bind(2, std::string_view("seven\0teen", 10));
    insert.execute("write a pair");
    insert.bind(1, std::int64_t{8});
    insert.bind(2, std::string_view());
    insert.execute("write a pair");
  }
  const Statement select(database_, "SELECT number, text, text IS NULL FROM pair ORDER BY number");
  ASSERT_TRUE(select.step("read the pairs"));
  EXPECT_EQ(select.number(0), -7);
  EXPECT_EQ(select.text(1), std::string_view("seven\0teen", 10));
  ASSERT_TRUE(select.step("read the pairs"));
  EXPECT_EQ(select.number(0), 8);
  EXPECT_EQ(select.text(1), "");
  EXPECT_EQ(select.number(2), 1);
  EXPECT_FALSE(select.step("read the pairs"));
  EXPECT_EQ(database_.number("SELECT count(*) FROM pair"), 2);
  EXPECT_EQ(database_.number("SELECT number FROM pair WHERE number > 8"), 0);
}

TEST_F(SqliteTest, AStatementThatMovedIsFinishedOnce) {
  std::optional<Statement> held;
  {
    Statement made(database_, "SELECT 5");
    held.emplace(std::move(made));
  }
  ASSERT_TRUE(held->step("read five"));
  EXPECT_EQ(held->number(0), 5);
}

TEST_F(SqliteTest, AnErrorNamesTheFileTheAimAndTheCause) {
  EXPECT_THAT([&] { database_.run("INSERT INTO nowhere VALUES(1)", "write a fact"); },
              ThrowsMessage<LedgerError>(HasSubstr(
                  "orders.ledger: cannot write a fact: no such table: nowhere (SQLite 1)")));
  EXPECT_THAT([&] { Statement(database_, "SELECT nothing FROM pair"); },
              ThrowsMessage<LedgerError>(HasSubstr("orders.ledger: cannot read its tables")));
}

TEST(Sqlite, AUriBearsAnyPath) {
  EXPECT_EQ(sqlite_uri("/a/b.ledger"), "file:/a/b.ledger");
  EXPECT_EQ(sqlite_uri("/a?b#c%d e"), "file:/a%3Fb%23c%25d e");
}

TEST(Sqlite, APathFollowsTheLinksOfItsDirectoryAlone) {
  const TemporaryDirectory directory;
  const std::filesystem::path root = std::filesystem::canonical(directory.path());
  std::filesystem::create_directory(root / "real");
  std::filesystem::create_directory_symlink(root / "real", root / "link");
  std::filesystem::create_symlink(root / "elsewhere", root / "real/ledger");
  EXPECT_EQ(sqlite_path((root / "link/ledger").string()), (root / "real/ledger").string());
  EXPECT_THAT([&] { sqlite_path((root / "none/ledger").string()); },
              ThrowsMessage<LedgerError>(HasSubstr("cannot find its directory")));
}

}  // namespace
}  // namespace sagorder::io
