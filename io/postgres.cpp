#include "io/postgres.hpp"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>

#include "io/ledger.hpp"

namespace sagorder::io {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Types by their numbers, which PostgreSQL never changes (catalog/pg_type.dat).
constexpr std::uint32_t kInt8 = 20;
constexpr std::uint32_t kText = 25;
constexpr std::uint32_t kInt8Array = 1016;
constexpr std::uint32_t kTextArray = 1009;

constexpr int kBinary = 1;
constexpr std::string_view kConnecting = "connect";
constexpr std::string_view kNoAnswer = "the server does not answer in time";
constexpr std::string_view kWaitEnded = "it is waited for no longer";
constexpr std::string_view kNoSslmode = "prefer";  // what libpq takes where nobody said anything

/// Big endian, as the protocol has it.
template <class Number>
void append(std::string& bytes, Number value) {
  for (int shift = 8 * (static_cast<int>(sizeof value) - 1); shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>((value >> shift) & 0xff));
  }
}

void append_array_header(std::string& bytes, bool has_null, std::uint32_t type, std::size_t size) {
  append(bytes, std::uint32_t{size > 0 ? 1U : 0U});  // dimensions
  append(bytes, std::uint32_t{has_null ? 1U : 0U});
  append(bytes, type);
  if (size == 0) return;
  append(bytes, static_cast<std::uint32_t>(size));
  append(bytes, std::uint32_t{1});  // the first index
}

/// The bytes of the character at the beginning of `text`; 0: it is none that PostgreSQL takes.
std::size_t character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first == 0) return 0;
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool too_long = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool surrogate = first == 0xed && byte(1) > 0x9f;
  const bool too_high = first == 0xf4 && byte(1) > 0x8f;
  return too_long || surrogate || too_high ? 0 : size;
}

void append_text(std::string& bytes, std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  while (!text.empty()) {
    const std::size_t size = character(text);
    if (size > 0) {
      bytes.append(text.substr(0, size));
    } else {
      const auto byte = static_cast<unsigned char>(text.front());
      bytes.append("\\x").append({kDigits[byte >> 4], kDigits[byte & 15]});
    }
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
}

/// On one line, without the end that libpq gives it.
std::string one_line(const char* text) {
  std::string line = text == nullptr ? "" : text;
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.pop_back();
  for (std::size_t at = line.find('\n'); at != std::string::npos; at = line.find('\n', at)) {
    const std::size_t next = line.find_first_not_of(" \t\n", at);
    line.replace(at, next - at, "; ");
  }
  return line;
}

using Options = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;

std::string option(const Options& options, std::string_view keyword) {
  for (const PQconninfoOption* each = options.get(); each && each->keyword; ++each) {
    if (keyword == each->keyword) return each->val == nullptr ? "" : each->val;
  }
  return {};
}

bool is_this_machine(std::string_view host) {
  return host.empty() || host.starts_with('/') || host.starts_with('@') || host == "localhost" ||
         host.starts_with("127.") || host == "::1";
}

/// Of a list with commas.
bool are_this_machine(std::string_view hosts) {
  while (true) {
    const std::size_t comma = hosts.find(',');
    if (!is_this_machine(hosts.substr(0, comma))) return false;
    if (comma == std::string_view::npos) return true;
    hosts.remove_prefix(comma + 1);
  }
}

bool says_sslmode(const std::string& uri) {
  const char* const variable = std::getenv("PGSSLMODE");
  if (variable != nullptr && *variable != '\0') return true;
  return !option(Options(PQconninfoParse(uri.c_str(), nullptr), &PQconninfoFree), "sslmode")
              .empty();
}

/// Several servers that may be the one, each list divided by commas; empty: as the address says.
struct Servers {
  std::string host, hostaddr, port;

  [[nodiscard]] std::ptrdiff_t count() const {
    return 1 + std::max(std::ranges::count(host, ','), std::ranges::count(hostaddr, ','));
  }
  /// The second becomes the first, and the first the last.
  void turn() {
    for (std::string* const list : {&host, &hostaddr, &port}) {
      const std::size_t comma = list->find(',');
      if (comma == std::string::npos) continue;  // one for all
      *list = list->substr(comma + 1) + "," + list->substr(0, comma);
    }
  }
};

/// @param sslmode nullptr: as the address, the environment and the service say
PGconn* begin_connection(const std::string& uri, const char* sslmode, const Servers& servers) {
  // The first are what the address may overrule, the last what it may not.
  const std::array keywords = {"fallback_application_name",
                               "sslmode",
                               "dbname",
                               "client_encoding",
                               "host",
                               "hostaddr",
                               "port",
                               static_cast<const char*>(nullptr)};
  const std::array values = {"sagorder",           sslmode,
                             uri.c_str(),          "UTF8",
                             servers.host.c_str(), servers.hostaddr.c_str(),
                             servers.port.c_str(), static_cast<const char*>(nullptr)};
  PGconn* const connection = PQconnectStartParams(keywords.data(), values.data(), 1);
  // By itself libpq writes what a server remarks to standard error.
  PQsetNoticeProcessor(
      connection, [](void*, const char*) {}, nullptr);
  return connection;
}

/// A server's remark.
/// @param into what is kept of warnings, a std::string
void hear(void* into, const PGresult* remark) {
  const char* const severity = PQresultErrorField(remark, PG_DIAG_SEVERITY_NONLOCALIZED);
  if (severity == nullptr || std::string_view(severity) != "WARNING") return;
  static_cast<std::string*>(into)->assign(one_line(PQresultErrorMessage(remark)));
}

constexpr const char* kAbout = R"sql(
SELECT pg_backend_pid(), current_setting('server_version_num'), current_setting('server_version'),
  pg_encoding_to_char(encoding), pg_is_in_recovery(), current_setting('fsync') = 'on',
  current_setting('full_page_writes') = 'on'
FROM pg_database WHERE datname = current_database())sql";

// What a server, a database or a role may have set otherwise. A client that is gone without a word
// has to be noticed by the server within half a minute, else it would hold its batch. One that
// falls silent within a transaction, stopped or cut off, holds rows that every host's lease locks:
// its session ends before their patience does.
constexpr const char* kSettings = R"sql(
SET synchronous_commit = on; SET search_path = pg_catalog; SET statement_timeout = 0;
SET lock_timeout = 0; SET idle_session_timeout = 0;
SET idle_in_transaction_session_timeout = 2000;
SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 4;
SET tcp_user_timeout = 30000; SET jit = off; SET standard_conforming_strings = on;
SET bytea_output = hex; SET DateStyle = 'ISO'; SET TimeZone = 'UTC';
SET default_transaction_isolation = 'read committed'; SET default_transaction_read_only = )sql";

}  // namespace

PgValues& PgValues::number(std::int64_t value) {
  Value& added = values_.emplace_back(Value{kInt8, {}});
  append(added.bytes, value);
  return *this;
}

PgValues& PgValues::text(std::string_view value) {
  append_text(values_.emplace_back(Value{kText, {}}).bytes, value);
  return *this;
}

PgValues& PgValues::numbers(std::span<const std::int64_t> values) {
  std::string& bytes = values_.emplace_back(Value{kInt8Array, {}}).bytes;
  append_array_header(bytes, false, kInt8, values.size());
  for (const std::int64_t value : values) {
    append(bytes, std::uint32_t{sizeof value});
    append(bytes, value);
  }
  return *this;
}

PgValues& PgValues::texts(std::span<const std::string_view> values) {
  std::string& bytes = values_.emplace_back(Value{kTextArray, {}}).bytes;
  append_array_header(bytes, true, kText, values.size());
  std::string text;
  for (const std::string_view value : values) {
    if (value.empty()) {
      append(bytes, ~std::uint32_t{0});  // NULL
      continue;
    }
    text.clear();
    append_text(text, value);
    append(bytes, static_cast<std::uint32_t>(text.size()));
    bytes += text;
  }
  return *this;
}

PgValues::Bound::Bound(const PgValues& values)
    : formats(values.values_.size(), kBinary), count(static_cast<int>(values.values_.size())) {
  for (const Value& value : values.values_) {
    types.push_back(value.type);
    bytes.push_back(value.bytes.data());
    lengths.push_back(static_cast<int>(value.bytes.size()));
  }
}

void PgRows::clear(pg_result* result) { PQclear(result); }

int PgRows::count() const { return PQntuples(result_.get()); }

std::string_view PgRows::text(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column),
          static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

std::int64_t PgRows::number(int row, int column) const {
  return std::strtoll(PQgetvalue(result_.get(), row, column), nullptr, 10);
}

Postgres::Postgres(const DatabaseAddress& address, Use use)
    : address_(address), use_(use), name_(address.uri) {
  try {
    connect();
    set_up(use);
  } catch (...) {
    PQfinish(connection_);
    throw;
  }
}

Postgres::~Postgres() { PQfinish(connection_); }

void Postgres::connect_again() {
  PQfinish(connection_);
  connection_ = nullptr;
  prepared_.clear();
  given_up_ = false;
  try {
    connect();
    set_up(use_);
  } catch (...) {
    given_up_ = true;
    throw;
  }
}

/// To look its name up may take long by itself, so it is not begun.
void Postgres::connect() {
  if (is_to_end()) fail_lost(kConnecting, kWaitEnded);
  connection_ = begin_connection(address_.uri, nullptr, {});
  const Options options(PQconninfo(connection_), &PQconninfoFree);
  Servers servers = {option(options, "host"), option(options, "hostaddr"), option(options, "port")};
  const std::string& named = servers.host.empty() ? servers.hostaddr : servers.host;
  const bool unsaid = option(options, "sslmode") == kNoSslmode && !says_sslmode(address_.uri);
  const bool proof = unsaid && !are_this_machine(named);
  const char* const sslmode = proof ? "verify-full" : nullptr;
  if (proof) {  // nothing was told to anybody yet
    PQfinish(connection_);
    connection_ = begin_connection(address_.uri, sslmode, {});
  }
  const auto seconds = std::strtol(option(options, "connect_timeout").c_str(), nullptr, 10);
  const auto usual = std::min<milliseconds>(kConnectPatience, patience_);
  const auto patience = seconds > 0 ? std::chrono::seconds(seconds) : usual;
  try {
    // Where it does not block, libpq waits for ever for a server that swallows everything.
    for (auto left = servers.count(); !poll_connection(steady_clock::now() + patience);) {
      if (--left == 0) fail_lost(kConnecting, kNoAnswer);
      servers.turn();
      PQfinish(connection_);
      connection_ = begin_connection(address_.uri, sslmode, servers);
    }
  } catch (const LedgerError& error) {
    const std::string_view why = error.what();
    const bool about_proof = why.find("SSL") != why.npos || why.find("certificate") != why.npos;
    if (!proof || !about_proof) throw;
    throw LedgerError(std::string(error.what()) +
                      ". No sslmode was given, so a server elsewhere has to prove who it is: put "
                      "the certificate of its authority into ~/.postgresql/root.crt, or name it by "
                      "sslrootcert");
  }
  PQsetnonblocking(connection_, 1);
  PQsetNoticeReceiver(connection_, &hear, &warning_);
}

/// @return false: not by then
bool Postgres::poll_connection(steady_clock::time_point until) {
  PostgresPollingStatusType next = PGRES_POLLING_WRITING;
  if (PQstatus(connection_) == CONNECTION_BAD) next = PGRES_POLLING_FAILED;
  while (next != PGRES_POLLING_OK) {
    if (next == PGRES_POLLING_FAILED) {
      fail_lost(kConnecting, one_line(PQerrorMessage(connection_)));
    }
    if (!is_ready(next == PGRES_POLLING_WRITING, until, kConnecting)) return false;
    next = PQconnectPoll(connection_);
  }
  return true;
}

void Postgres::set_up(Use use) {
  const bool reading = use == Use::reading;
  const PgRows about = query(kAbout, "ask what server it is");
  if (about.count() != 1) fail("ask what server it is", "it gave no answer");
  backend_ = about.number(0, 0);
  refuse_unfit(about, use);
  refuse_pooler();
  run(std::string(kSettings) + (reading ? "on" : "off"), "set the session up");
}

void Postgres::refuse_unfit(const PgRows& about, Use use) const {
  constexpr std::string_view kWhat = "keep a ledger there";
  if (about.number(0, 1) < kServerVersionMin) {
    fail(kWhat,
         "the server is PostgreSQL " + std::string(about.text(0, 2)) + "; 15 or later is needed");
  }
  if (about.text(0, 3) != "UTF8") {
    fail(kWhat, "the database's encoding is " + std::string(about.text(0, 3)) +
                    "; make one with createdb -E UTF8 -T template0");
  }
  if (use == Use::reading) return;
  if (about.is_true(0, 4)) {
    fail(kWhat,
         "the server is a standby; name the primary, or several hosts with "
         "target_session_attrs=read-write");
  }
  if (!about.is_true(0, 5) || !about.is_true(0, 6)) {
    fail(kWhat,
         "its fsync or full_page_writes is off, so what it commits may be forgotten; "
         "an order that is forgotten is bought twice");
  }
}

/// A server tells each client the process that serves it. A pooler invents that number, for behind
/// it there may be another process for each transaction. Whether there is (as in transaction mode)
/// or not (in session mode) cannot be told for sure, so neither will do.
void Postgres::refuse_pooler() const {
  if (PQbackendPID(connection_) == backend_) return;
  fail(
      "keep a ledger there",
      "a connection pooler stands in front of the server (it is served by process " +
          std::to_string(backend_) + " and was told " + std::to_string(PQbackendPID(connection_)) +
          "). In transaction mode the lock of a batch is lost between two transactions; connect to "
          "the server itself");
}

bool Postgres::is_to_end() const { return end_ != nullptr && steady_clock::now() >= end_->at(); }

bool Postgres::lost() const { return given_up_; }

void Postgres::fail(std::string_view what, std::string_view why) const {
  throw LedgerError(name_ + ": cannot " + std::string(what) + ": " + std::string(why));
}

void Postgres::fail_lost(std::string_view what, std::string_view why) {
  given_up_ = true;
  fail(what, why);
}

void Postgres::wait_until_ready(bool to_write, steady_clock::time_point until,
                                std::string_view what) {
  if (!is_ready(to_write, until, what)) fail_lost(what, kNoAnswer);
}

/// @return false: not by then
bool Postgres::is_ready(bool to_write, steady_clock::time_point until, std::string_view what) {
  while (true) {
    if (is_to_end()) fail_lost(what, kWaitEnded);
    const auto left = std::chrono::ceil<milliseconds>(until - steady_clock::now());
    if (left <= milliseconds(0)) return false;
    const auto now = std::min(left, kWaitLookedAtEvery);
    struct pollfd socket = {PQsocket(connection_),
                            static_cast<short>(to_write ? POLLIN | POLLOUT : POLLIN), 0};
    const int ready = ::poll(&socket, 1, static_cast<int>(now.count()));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) fail_lost(what, "the connection cannot be waited for");
  }
}

PgRows Postgres::answer(bool sent, std::string_view what) {
  sqlstate_.clear();
  warning_.clear();
  if (!sent) fail_lost(what, one_line(PQerrorMessage(connection_)));
  const auto until = steady_clock::now() + patience_;
  std::optional<PgRows> last;
  std::string failure;
  for (int unsent = 1; unsent != 0;) {
    unsent = PQflush(connection_);
    if (unsent < 0) fail_lost(what, one_line(PQerrorMessage(connection_)));
    if (unsent == 0) break;
    wait_until_ready(true, until, what);
    if (PQconsumeInput(connection_) == 0) break;
  }
  while (true) {
    while (PQisBusy(connection_) != 0) {
      wait_until_ready(false, until, what);
      if (PQconsumeInput(connection_) == 0) break;
    }
    PGresult* const result = PQgetResult(connection_);
    if (result == nullptr) break;  // the server is ready for the next: what it said is final
    PgRows rows(result);
    const ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
      last.emplace(std::move(rows));
    } else if (failure.empty()) {
      failure = one_line(PQresultErrorMessage(result));
      const char* const state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
      sqlstate_ = state == nullptr ? "" : state;
      if (failure.empty()) failure = "the server gave no reason";
    }
  }
  if (PQstatus(connection_) == CONNECTION_BAD) {
    fail_lost(what, failure.empty() ? one_line(PQerrorMessage(connection_)) : failure);
  }
  if (!failure.empty()) fail(what, failure);
  if (!last) fail_lost(what, "the server gave no answer");
  return std::move(*last);
}

PgRows Postgres::query(const char* sql, const PgValues& values, std::string_view what) {
  if (given_up_) fail(what, "the connection was lost");
  const PgValues::Bound bound(values);
  return answer(
      PQsendQueryParams(connection_, sql, bound.count, bound.types.data(), bound.bytes.data(),
                        bound.lengths.data(), bound.formats.data(), 0) == 1,
      what);
}

void Postgres::run(const std::string& sql, std::string_view what) {
  if (given_up_) fail(what, "the connection was lost");
  answer(PQsendQuery(connection_, sql.c_str()) == 1, what);
}

PgRows Postgres::query_prepared(const char* name, const char* sql, const PgValues& values,
                                std::string_view what) {
  if (given_up_) fail(what, "the connection was lost");
  const PgValues::Bound bound(values);
  if (std::ranges::find(prepared_, name) == prepared_.end()) {
    answer(PQsendPrepare(connection_, name, sql, bound.count, bound.types.data()) == 1, what);
    prepared_.emplace_back(name);
  }
  return answer(PQsendQueryPrepared(connection_, name, bound.count, bound.bytes.data(),
                                    bound.lengths.data(), bound.formats.data(), 0) == 1,
                what);
}

}  // namespace sagorder::io
