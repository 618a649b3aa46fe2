#include "io/postgres.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include "io/ledger.hpp"
#include "tests/io/test_server.hpp"

namespace sagorder::io {
namespace {

constexpr auto kWriting = Postgres::Use::writing;

std::string refusal_of(const std::string& uri) {
  return complaint_of<LedgerError>([&] { Postgres({uri, ""}, kWriting); });
}

TEST(Postgres, CarriesValuesAsTheyAre) {
  Postgres database({server_address(), ""}, kWriting);
  const std::int64_t least = std::numeric_limits<std::int64_t>::min();
  const std::string_view texts[] = {"it's \"one\"\\{}", "", "\xC3\xA9"};
  const std::int64_t numbers[] = {-1, 0, least};
  const PgRows rows = database.query(
      "SELECT $1, $2, n, t, t IS NULL FROM unnest($3, $4) AS a(n, t)",
      PgValues().number(least).text("one\ntwo").numbers(numbers).texts(texts), "ask");
  ASSERT_EQ(rows.count(), 3);
  for (int i = 0; i < 3; ++i) {
    const auto place = static_cast<std::size_t>(i);
    EXPECT_EQ(rows.number(i, 0), least);
    EXPECT_EQ(rows.text(i, 1), "one\ntwo");
    EXPECT_EQ(rows.number(i, 2), numbers[place]);
    EXPECT_EQ(rows.text(i, 3), texts[place]);
    EXPECT_EQ(rows.is_true(i, 4), texts[place].empty());
  }
  const PgRows none = database.query("SELECT unnest($1)", PgValues().numbers({}), "ask");
  EXPECT_EQ(none.count(), 0);
}

TEST(Postgres, WritesOutWhatNoTextCanHold) {
  Postgres database({server_address(), ""}, kWriting);
  const auto kept = [&](std::string_view text) {
    return std::string(database.query("SELECT $1", PgValues().text(text), "ask").text(0, 0));
  };
  EXPECT_EQ(kept(std::string_view("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(kept("\xff\xC3"), "\\xff\\xc3");
  EXPECT_EQ(kept("\xC0\x80 \xED\xA0\x80 \xF4\x90\x80\x80"),
            "\\xc0\\x80 \\xed\\xa0\\x80 \\xf4\\x90\\x80\\x80");
  EXPECT_EQ(kept("\xE0\xA0\x80\xF0\x9F\x98\x80\xEF\xBF\xBD"),
            "\xE0\xA0\x80\xF0\x9F\x98\x80\xEF\xBF\xBD");
}

TEST(Postgres, GoesOnAfterARefusedStatement) {
  Postgres database({server_address(), ""}, kWriting);
  const std::string complaint =
      complaint_of<LedgerError>([&] { database.query("SELECT nothing", "count them"); });
  EXPECT_TRUE(has(complaint, server_address() + ": cannot count them: ")) << complaint;
  EXPECT_TRUE(has(complaint, "\"nothing\"")) << complaint;
  EXPECT_EQ(database.state_of_failure(), "42703");
  EXPECT_FALSE(database.lost());
  EXPECT_EQ(database.query("SELECT 7", "ask").number(0, 0), 7);
}

TEST(Postgres, DoesNotWaitForEver) {
  Postgres database({server_address(), ""}, kWriting);
  database.wait_for(std::chrono::milliseconds(50));
  const std::string complaint =
      complaint_of<LedgerError>([&] { database.query("SELECT pg_sleep(3)", "sleep"); });
  EXPECT_TRUE(has(complaint, "in time")) << complaint;
  EXPECT_TRUE(database.lost());
  EXPECT_THROW(database.query("SELECT 1", "ask"), LedgerError);
}

TEST(Postgres, IsLostForGoodOnceItIs) {
  Postgres database({server_address(), ""}, kWriting);
  ask(server_address(),
      "SELECT pg_terminate_backend(" + std::to_string(database.backend()) + ", 10000)");
  EXPECT_THROW(database.query("SELECT 1", "ask"), LedgerError);
  EXPECT_TRUE(database.lost());
  EXPECT_TRUE(has(complaint_of<LedgerError>([&] { database.query("SELECT 1", "ask"); }), "lost"));
}

TEST(Postgres, SetsItsSessionItself) {
  const TestDatabase database("");
  const std::string alter = "ALTER DATABASE " + database.name() + " SET ";
  ask(server_address(), alter + "synchronous_commit = off");
  ask(server_address(), alter + "idle_session_timeout = '1h'");
  ask(server_address(), alter + "idle_in_transaction_session_timeout = 0");
  ask(server_address(), alter + "idle_in_transaction_session_timeout = 0");
  EXPECT_EQ(database.ask("SHOW synchronous_commit"), "on");
  EXPECT_EQ(database.ask("SHOW idle_session_timeout"), "0");
  EXPECT_EQ(database.ask("SHOW idle_in_transaction_session_timeout"), "2s");
  EXPECT_EQ(database.ask("SHOW idle_in_transaction_session_timeout"), "2s");
  EXPECT_EQ(database.ask("SHOW search_path"), "pg_catalog");
  Postgres reading(database.address(), Postgres::Use::reading);
  EXPECT_THROW(reading.run("CREATE TABLE public.x(y int)", "write"), LedgerError);
}

TEST(Postgres, RefusesWhatCannotKeepALedger) {
  const TestDatabase latin("ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
  const std::string of_latin = refusal_of(latin.uri());
  EXPECT_TRUE(has(of_latin, "LATIN1")) << of_latin;
  EXPECT_TRUE(has(of_latin, "createdb")) << of_latin;

  const TestDatabase plain;
  const auto set_fsync = [&](const std::string& to) {
    Postgres reading(plain.address(), Postgres::Use::reading);
    reading.run("SET default_transaction_read_only = off", "set");
    reading.run("ALTER SYSTEM SET fsync = " + to, "set");
    reading.run("SELECT pg_reload_conf()", "set");
    while (reading.query("SHOW fsync", "ask").text(0, 0) != to) std::this_thread::yield();
  };
  set_fsync("off");
  const std::string forgetful = refusal_of(plain.uri());
  set_fsync("on");
  EXPECT_TRUE(has(forgetful, "fsync")) << forgetful;
  EXPECT_EQ(refusal_of(plain.uri()), "");
}

TEST(Postgres, RefusesAPooler) {
  const std::string complaint = refusal_of(address_from("SAGORDER_TEST_POOLER"));
  EXPECT_TRUE(has(complaint, "pooler")) << complaint;
  EXPECT_TRUE(has(complaint, "transaction mode")) << complaint;
  EXPECT_TRUE(has(complaint, "connect to the server itself")) << complaint;
}

/// Speaks with whoever connects as a server without TLS does. @return what came after that
class PlainServer {
 public:
  PlainServer() : listening_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const named = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listening_.get(), named, size), 0);
    EXPECT_EQ(::listen(listening_.get(), 4), 0);
    EXPECT_EQ(::getsockname(listening_.get(), named, &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { work(); });
  }
  ~PlainServer() { stop(); }
  PlainServer(const PlainServer&) = delete;
  PlainServer& operator=(const PlainServer&) = delete;

  [[nodiscard]] std::string port() const { return std::to_string(port_); }
  /// The bytes of the request that named user and database; 0: it was never sent.
  ssize_t told() {
    stop();
    return told_;
  }

 private:
  void stop() {
    ::shutdown(listening_.get(), SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
  }
  void work() {
    while (true) {
      const Fd client(::accept(listening_.get(), nullptr, nullptr));
      if (!client.open()) return;
      std::array<char, 1024> bytes{};
      if (::read(client.get(), bytes.data(), 8) != 8) continue;  // "TLS?"
      EXPECT_EQ(::send(client.get(), "N", 1, MSG_NOSIGNAL), 1);
      told_ = std::max(told_, ::read(client.get(), bytes.data(), bytes.size()));
    }
  }

  Fd listening_;
  std::uint16_t port_ = 0;
  ssize_t told_ = 0;
  std::thread thread_;
};

TEST(Postgres, PassesAHostByThatSwallowsEverything) {
  const TemporaryDirectory folder;
  const Fd silent(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un place{};
  place.sun_family = AF_UNIX;
  (folder / ".s.PGSQL.5433").copy(place.sun_path, sizeof place.sun_path - 1);
  ASSERT_EQ(::bind(silent.get(), reinterpret_cast<sockaddr*>(&place), sizeof place), 0);
  ASSERT_EQ(::listen(silent.get(), 4), 0);
  std::string alone = server_address() + "&connect_timeout=2";
  const std::size_t host = alone.find("host=") + 5;
  std::string first = alone;
  first.insert(host, folder.path() + ",");
  alone.replace(host, alone.find('&', host) - host, folder.path());
  EXPECT_EQ(refusal_of(first + "&port=5433,5432"), "");
  EXPECT_TRUE(has(refusal_of(alone + "&port=5433"), "does not answer in time"));
}

TEST(Postgres, AServerElsewhereHasToProveWhoItIs) {
  const Variable unset("PGSSLMODE", nullptr);
  const auto told = [](const std::string& host, const std::string& more) {
    PlainServer server;
    const std::string address =
        "postgresql://user@" + host + ":" + server.port() + "/db?hostaddr=127.0.0.1" + more;
    const std::string complaint = refusal_of(address);
    EXPECT_NE(complaint, "");
    const bool sent = server.told() > 0;
    EXPECT_EQ(has(complaint, "No sslmode was given"), !sent) << complaint;
    return sent;
  };
  EXPECT_FALSE(told("db.example", ""));
  EXPECT_TRUE(told("db.example", "&sslmode=disable"));
  EXPECT_TRUE(told("db.example", "&sslmode=prefer"));
  EXPECT_TRUE(told("localhost", ""));
  const Variable prefer("PGSSLMODE", "prefer");
  EXPECT_TRUE(told("db.example", ""));
}

}  // namespace
}  // namespace sagorder::io
