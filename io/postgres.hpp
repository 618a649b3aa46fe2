// libpq, as much of it as a ledger needs: what fails is a LedgerError that names the database, what
// was tried and the server's words.
//
// The connection does not block: it is waited for with a limit, so that a server or a network that
// stands still is a failure and no standstill. It is one session from beginning to end: libpq never
// connects again by itself, a connection that failed is not used again, and a pooler that gives
// each transaction another session is refused, for locks, settings and the order of commits are a
// session's.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/database_address.hpp"

struct pg_conn;
struct pg_result;

namespace sagorder::io {

inline constexpr int kServerVersionMin = 150000;  ///< PostgreSQL 15
/// For each host of an address, unless connect_timeout says otherwise or an answer gets less.
inline constexpr std::chrono::seconds kConnectPatience{10};
inline constexpr std::chrono::seconds kAnswerPatience{30};   ///< for each statement that writes
inline constexpr std::chrono::minutes kReadingPatience{10};  ///< for one that may sort all records
inline constexpr std::chrono::milliseconds kWaitLookedAtEvery{100};  ///< whether it is to end

/// When every wait for a server ends, whatever it is for. Said from any thread.
class EndOfWaiting {
 public:
  using Time = std::chrono::steady_clock::time_point;
  void set(Time at) { at_ = at.time_since_epoch().count(); }
  [[nodiscard]] Time at() const { return Time(Time::duration(at_.load())); }

 private:
  std::atomic<Time::rep> at_ = Time::max().time_since_epoch().count();
};

/// The values of a statement's parameters, in binary form.
class PgValues {
 public:
  PgValues& number(std::int64_t value);
  /// What a text cannot hold in PostgreSQL (no UTF-8, or a zero byte) is written as \xNN.
  PgValues& text(std::string_view value);
  PgValues& numbers(std::span<const std::int64_t> values);
  /// Empty texts are NULL.
  PgValues& texts(std::span<const std::string_view> values);

 private:
  friend class Postgres;
  /// As libpq takes them; as long as the values stay as they are.
  struct Bound {
    explicit Bound(const PgValues& values);
    std::vector<std::uint32_t> types;
    std::vector<const char*> bytes;
    std::vector<int> lengths;
    std::vector<int> formats;
    int count;
  };
  struct Value {
    std::uint32_t type = 0;
    std::string bytes;
  };
  std::vector<Value> values_;
};

/// The rows of one answer. Rows and columns count from 0.
class PgRows {
 public:
  explicit PgRows(pg_result* result) : result_(result, &PgRows::clear) {}
  [[nodiscard]] int count() const;
  [[nodiscard]] std::string_view text(int row, int column) const;
  /// 0 for NULL.
  [[nodiscard]] std::int64_t number(int row, int column) const;
  [[nodiscard]] bool is_true(int row, int column) const { return text(row, column) == "t"; }

 private:
  static void clear(pg_result* result);
  std::unique_ptr<pg_result, void (*)(pg_result*)> result_;
};

class Postgres {
 public:
  enum class Use : std::uint8_t { reading, writing };

  /// Connects, and looks whether the server can keep a ledger: its version and encoding, that it is
  /// no standby, that it syncs what it commits, and that no pooler stands in between. With no
  /// sslmode given, a server that is not on this machine has to prove who it is (verify-full).
  Postgres(const DatabaseAddress& address, Use use);
  ~Postgres();
  Postgres(const Postgres&) = delete;
  Postgres& operator=(const Postgres&) = delete;

  /// As messages call it: the address, or one of its batches.
  [[nodiscard]] const std::string& name() const { return name_; }
  void call_it(std::string name) { name_ = std::move(name); }

  /// One statement, a transaction of its own unless one is open. Returns once the server says that
  /// it is ready for the next, so what was committed is durable then.
  /// @param what in the infinitive, as in "cannot commit"
  PgRows query(const char* sql, const PgValues& values, std::string_view what);
  PgRows query(const char* sql, std::string_view what) { return query(sql, {}, what); }
  /// Several statements, divided by ;, without values.
  void run(const std::string& sql, std::string_view what);
  /// Prepares it at its first use; `name` is its own.
  PgRows query_prepared(const char* name, const char* sql, const PgValues& values,
                        std::string_view what);

  /// The SQLSTATE of the last failure; empty if the server gave none.
  [[nodiscard]] const std::string& state_of_failure() const { return sqlstate_; }
  /// What the server warned of as it carried out the last statement; empty: nothing.
  [[nodiscard]] const std::string& warning() const { return warning_; }
  /// No answer, or none any more: whether the last statement was carried out is not known.
  [[nodiscard]] bool lost() const;
  /// The number of the server's process behind this connection, as the server tells it.
  [[nodiscard]] std::int64_t backend() const { return backend_; }

  /// Another session in the place of one that was lost; nothing of the old one goes over: no lock,
  /// no transaction, no setting. If it throws, this one is lost, too.
  void connect_again();

  /// Nothing is waited for beyond that, from here on. It must outlive this.
  void heed(const EndOfWaiting& end) { end_ = &end; }
  /// How long an answer is waited for from here on.
  void wait_for(std::chrono::milliseconds patience) { patience_ = patience; }

 private:
  void connect();
  [[nodiscard]] bool is_to_end() const;
  bool poll_connection(std::chrono::steady_clock::time_point until);
  void set_up(Use use);
  void refuse_unfit(const PgRows& about, Use use) const;
  void refuse_pooler() const;
  PgRows answer(bool sent, std::string_view what);
  void wait_until_ready(bool to_write, std::chrono::steady_clock::time_point until,
                        std::string_view what);
  bool is_ready(bool to_write, std::chrono::steady_clock::time_point until, std::string_view what);
  [[noreturn]] void fail(std::string_view what, std::string_view why) const;
  [[noreturn]] void fail_lost(std::string_view what, std::string_view why);

  const DatabaseAddress address_;
  const Use use_;
  std::string name_;
  pg_conn* connection_ = nullptr;
  bool given_up_ = false;
  std::chrono::milliseconds patience_ = kAnswerPatience;
  const EndOfWaiting* end_ = nullptr;
  std::string sqlstate_;
  std::string warning_;
  std::int64_t backend_ = 0;
  std::vector<std::string> prepared_;
};

}  // namespace sagorder::io
