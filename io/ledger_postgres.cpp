#include "io/ledger_postgres.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <mutex>
#include <utility>
#include <vector>

#include "io/kill_point.hpp"
#include "io/postgres.hpp"
#include "io/postgres_hosts.hpp"
#include "io/postgres_schema.hpp"
#include "io/postgres_seen.hpp"
#include "io/postgres_timeline.hpp"

namespace sagorder::io {
namespace {

constexpr int kHoldPatienceMs = 2'000;  // the server may take a moment to notice a killed holder
constexpr std::string_view kAlone = "pg_advisory_lock";
constexpr std::string_view kTogether = "pg_advisory_lock_shared";
constexpr std::string_view kLockNotAvailable = "55P03";
constexpr std::size_t kNamedDigits = 12;  // of a batch, in messages
constexpr int kOrdinalBits = 20;
static_assert(kGroupMax == std::size_t{1} << kOrdinalBits);
constexpr int kFetched = 8'192;  // records in one answer

// One statement for the whole group. Where another process serves the session all of a sudden,
// nothing is written.
constexpr const char* kCommit = R"sql(
WITH place AS MATERIALIZED (
  SELECT nextval('sagorder.commit_number') << 20 AS base WHERE pg_backend_pid() = $3),
begun AS (
  INSERT INTO sagorder.attempt(run, "row", number, host, seq, at_ms, nonce)
  SELECT $1, a."row", a.number, $2, place.base + a.ordinal, a.at_ms, a.nonce
  FROM place, unnest($4, $5, $6, $7, $8) AS a("row", number, ordinal, at_ms, nonce)),
told AS (
  INSERT INTO sagorder.outcome(run, "row", seq, kind, attempt, host, at_ms, http_status,
    latency_ms, order_id, sag_id, request_id, code, message, evidence)
  SELECT $1, o."row", place.base + o.ordinal, o.kind, o.attempt, $2, o.at_ms, o.http_status,
    o.latency_ms, o.order_id, o.sag_id, o.request_id, o.code, o.message, o.evidence
  FROM place, unnest($9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
    AS o("row", attempt, ordinal, at_ms, kind, http_status, latency_ms, order_id, sag_id,
         request_id, code, message, evidence))
SELECT count(*) FROM place)sql";

// The same, but an intent that is there already is left out. Those that were written are told by
// their places in the group. By rows, so that two hosts never wait for each other in a circle.
// Who fences a host waits for what it is about to write, and nothing is written afterwards. Nor is
// anything in other tables than those that the host joined, for they were restored from a copy; and
// no intent in a batch of which records are missing, whoever noticed it.
constexpr const char* kClaim = R"sql(
WITH allowed AS MATERIALIZED (
  SELECT id FROM sagorder.host WHERE id = $2 AND fenced_at IS NULL FOR KEY SHARE),
place AS MATERIALIZED (
  SELECT nextval('sagorder.commit_number') << 20 AS base FROM allowed
  WHERE pg_backend_pid() = $3 AND 'sagorder.attempt'::regclass::oid::bigint = $22
    AND (cardinality($4) = 0 OR NOT EXISTS (
      SELECT FROM sagorder.fact WHERE run = $1 AND name = 'failover' AND value <> ''))),
begun AS (
  INSERT INTO sagorder.attempt(run, "row", number, host, seq, at_ms, nonce)
  SELECT $1, a."row", a.number, $2, place.base + a.ordinal, a.at_ms, a.nonce
  FROM place, unnest($4, $5, $6, $7, $8) AS a("row", number, ordinal, at_ms, nonce)
  ORDER BY a."row", a.number ON CONFLICT DO NOTHING RETURNING seq),
told AS (
  INSERT INTO sagorder.outcome(run, "row", seq, kind, attempt, host, at_ms, http_status,
    latency_ms, order_id, sag_id, request_id, code, message, evidence)
  SELECT $1, o."row", place.base + o.ordinal, o.kind, o.attempt, $2, o.at_ms, o.http_status,
    o.latency_ms, o.order_id, o.sag_id, o.request_id, o.code, o.message, o.evidence
  FROM place, unnest($9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
    AS o("row", attempt, ordinal, at_ms, kind, http_status, latency_ms, order_id, sag_id,
         request_id, code, message, evidence))
SELECT coalesce(begun.seq - place.base, -1) FROM place LEFT JOIN begun ON true ORDER BY 1)sql";

// Of a group that may be durable, and is as a whole or not at all: the places of its intents that
// are there, by their nonces, and -1 if one of its other records is there.
constexpr const char* kFind = R"sql(
SELECT a.ordinal FROM unnest($3, $4, $5, $6) AS a("row", number, ordinal, nonce)
JOIN sagorder.attempt AS there
  ON there.run = $1 AND there."row" = a."row" AND there.number = a.number AND there.nonce = a.nonce
UNION ALL
SELECT -1 WHERE EXISTS (
  SELECT FROM unnest($7, $8, $9, $10) AS o("row", attempt, at_ms, kind)
  JOIN sagorder.outcome AS there ON there.run = $1 AND there."row" = o."row" AND there.host = $2
    AND there.attempt = o.attempt AND there.at_ms = o.at_ms AND there.kind = o.kind)
ORDER BY 1)sql";

// A host's own session holds this lock: whoever has it knows that no other session of the host is
// left that could still write.
constexpr std::int64_t kHostLock = 0x7361676f;  // "sago"
constexpr const char* kEndOldSession =
    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND "
    "objsubid = 2 AND classid::bigint = $1 AND objid::bigint = $2 AND database = (SELECT oid FROM "
    "pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()";

/// What a moment's disorder of the server leads to: it shuts down, has no room, or is no longer the
/// primary. By class of the SQLSTATE.
bool is_passing(std::string_view sqlstate) {
  for (const std::string_view beginning : {"08", "25006", "40", "53", "55", "57"}) {
    if (sqlstate.starts_with(beginning)) return true;
  }
  return false;
}

constexpr std::string_view kOutcomeColumns =
    "kind, \"row\", attempt, at_ms, http_status, latency_ms, order_id, sag_id, request_id, code, "
    "message, evidence";

bool is_kind(std::int64_t number) { return number >= 0 && number < kRecordKinds; }

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "an unnamed host";
}

/// The number of a batch's lock, out of its digest.
std::int64_t lock_of(std::string_view digest) {
  std::uint64_t number = 0;
  std::from_chars(digest.data(), digest.data() + 16, number, 16);
  return static_cast<std::int64_t>(number);
}
/// Of the lock that who settles rows has besides.
std::int64_t settling_lock_of(std::string_view digest) { return ~lock_of(digest); }

/// A group by columns, as the statement takes it. The storage is used again.
struct Columns {
  enum Text : std::uint8_t { order_id, sag_id, request_id, code, message, evidence };

  struct Numbers {
    std::vector<std::int64_t> row, attempt, ordinal, at;
    void clear() {
      for (auto* each : {&row, &attempt, &ordinal, &at}) each->clear();
    }
    void add(const Record& record, std::size_t place) {
      row.push_back(static_cast<std::int64_t>(record.row.value));
      attempt.push_back(record.attempt.value);
      ordinal.push_back(static_cast<std::int64_t>(place));
      at.push_back(record.at.time_since_epoch().count());
    }
    void bind(PgValues& values) const {
      values.numbers(row).numbers(attempt).numbers(ordinal).numbers(at);
    }
  };

  Numbers begun;
  std::vector<std::string_view> nonce;
  Numbers told;
  std::vector<std::int64_t> kind, http_status, latency;
  std::array<std::vector<std::string_view>, 6> texts;

  void take(std::span<const Record> records) {
    begun.clear();
    told.clear();
    for (auto* each : {&kind, &http_status, &latency}) each->clear();
    for (auto& each : texts) each.clear();
    nonce.clear();
    for (std::size_t i = 0; i < records.size(); ++i) add(records[i], i);
  }

  void add(const Record& record, std::size_t place) {
    if (record.kind == RecordKind::intent) {
      begun.add(record, place);
      nonce.push_back(record.nonce.view());
      return;
    }
    told.add(record, place);
    kind.push_back(static_cast<std::int64_t>(record.kind));
    http_status.push_back(record.http_status);
    latency.push_back(record.latency.count());
    texts[order_id].push_back(record.order_id);
    texts[sag_id].push_back(record.sag_id);
    texts[request_id].push_back(record.request_id);
    texts[code].push_back(record.code);
    texts[message].push_back(record.message);
    texts[evidence].push_back(record.evidence);
  }

  void bind(PgValues& values) const {
    begun.bind(values);
    values.texts(nonce);
    told.bind(values);
    values.numbers(kind).numbers(http_status).numbers(latency);
    for (const auto& each : texts) values.texts(each);
  }
};

/// @param places of the intents that are there, and -1
std::vector<std::uint32_t> refused_of(std::span<const Record> records, const PgRows& places) {
  std::vector<bool> there(records.size());
  for (int i = 0; i < places.count(); ++i) {
    if (places.number(i, 0) >= 0) there[static_cast<std::size_t>(places.number(i, 0))] = true;
  }
  std::vector<std::uint32_t> refused;
  for (std::uint32_t i = 0; i < records.size(); ++i) {
    if (records[i].kind == RecordKind::intent && !there[i]) refused.push_back(i);
  }
  return refused;
}

/// The places of those that are there (kFind).
PgRows find_records(Postgres& database, std::int64_t run, std::int64_t host,
                    std::span<const Record> records) {
  Columns columns;
  columns.take(records);
  PgValues values;
  values.number(run).number(host);
  values.numbers(columns.begun.row).numbers(columns.begun.attempt).numbers(columns.begun.ordinal);
  values.texts(columns.nonce);
  values.numbers(columns.told.row).numbers(columns.told.attempt).numbers(columns.told.at);
  values.numbers(columns.kind);
  return database.query_prepared("find", kFind, values, "look records up");
}

}  // namespace

struct PostgresLedger::State {
  State(const DatabaseAddress& at, Postgres::Use use)
      : address(at), database(at, use), reading(use == Postgres::Use::reading) {
    database.heed(end_of_waiting);
  }

  EndOfWaiting end_of_waiting;
  DatabaseAddress address;
  Postgres database;
  bool reading;
  bool created = false;
  bool failed = false;
  bool whole = true;  // the session: it has the locks of one that works
  int readers = 0;    // cursors that are open
  std::int64_t run = 0;
  std::int64_t host = 0;
  std::string digest;
  Columns columns;
  std::mutex last_mutex;
  std::optional<Record> last;              // that this host was told to be durable
  std::unique_ptr<PostgresHosts> hosts;    // of a batch that is shared
  std::optional<PostgresTimeline> server;  // that keeps it

  bool find(const BatchWanted& wanted);
  bool find_by_digest(const std::string& beginning);
  bool find_by_output(const std::string& output);
  [[noreturn]] void refuse_several(const PgRows& batches) const;
  void take(std::int64_t id, std::string_view whole_digest);
  void make();
  void hold(std::string_view lock);
  void hold_settling();
  bool try_hold(std::string_view lock, std::int64_t number);
  void hold_as_host();
  void return_to_work();
  std::optional<std::vector<std::uint32_t>> find_group(std::span<const Record> records);
  void remember_last(std::span<const Record> records, std::span<const std::uint32_t> refused);
  void refuse_if_last_is_lost(Postgres& at);
  void outlive_the_server();
  [[noreturn]] void refuse_claim();
  [[noreturn]] void refuse_as_fenced() const;
  [[noreturn]] void refuse_as_held();
  PgValues bound(std::span<const Record> records);
  void commit(const PgValues& values);
  void register_host();
  void meet_server();
  [[nodiscard]] bool held_alone();
  void require_writable() const;
  void refuse_if_warned() const;
  void write(const std::function<void()>& act);
  PgRows about_run(const char* sql, std::string_view what) {
    return database.query(sql, PgValues().number(run), what);
  }
  void each(const std::string& sql, std::string_view what,
            const std::function<void(const PgRows&, int)>& visit);
  [[nodiscard]] Record outcome(const PgRows& rows, int row) const;
  [[nodiscard]] RecordKind kind(std::int64_t number) const;
};

bool PostgresLedger::State::find(const BatchWanted& wanted) {
  if (!has_schema(database)) return false;
  const std::string& digest_wanted = wanted.digest.empty() ? address.batch : wanted.digest;
  return digest_wanted.empty() ? find_by_output(wanted.output) : find_by_digest(digest_wanted);
}

bool PostgresLedger::State::find_by_digest(const std::string& beginning) {
  const PgRows batches = database.query(
      "SELECT id, input_sha256, created_at, '' FROM sagorder.run "
      "WHERE starts_with(input_sha256, $1) ORDER BY id LIMIT 11",
      PgValues().text(beginning), "look for the batch");
  if (batches.count() == 0) return false;
  if (batches.count() > 1) refuse_several(batches);
  take(batches.number(0, 0), batches.text(0, 1));
  return true;
}

/// The batch whose results these are; where there is one batch alone, that one.
bool PostgresLedger::State::find_by_output(const std::string& output) {
  const PgRows all = database.query(
      "SELECT id, input_sha256, created_at, coalesce(value, '') FROM sagorder.run LEFT JOIN "
      "sagorder.fact ON fact.run = id AND name = 'output_path' ORDER BY id",
      "look for the batch");
  if (all.count() == 0) return false;
  std::optional<int> found;
  for (int i = 0; i < all.count(); ++i) {
    if (all.count() > 1 && all.text(i, 3) != output) continue;
    if (found) refuse_several(all);
    found = i;
  }
  if (!found) refuse_several(all);
  take(all.number(*found, 0), all.text(*found, 1));
  return true;
}

void PostgresLedger::State::refuse_several(const PgRows& batches) const {
  constexpr int kListed = 10;
  std::string text = address.uri + ": has several batches, and it cannot be told which is meant:";
  for (int i = 0; i < batches.count() && i < kListed; ++i) {
    text += "\n  #" + std::string(batches.text(i, 1).substr(0, kNamedDigits)) + " of " +
            std::string(batches.text(i, 2)) + " " + std::string(batches.text(i, 3));
  }
  throw SeveralBatches(text);
}

void PostgresLedger::State::take(std::int64_t id, std::string_view whole_digest) {
  run = id;
  digest = whole_digest;
  database.call_it(address.uri + "#" + digest.substr(0, kNamedDigits));
}

void PostgresLedger::State::make() {
  constexpr std::string_view kWhat = "make the batch";
  database.run("BEGIN", kWhat);
  const PgRows made = database.query(
      "INSERT INTO sagorder.run(input_sha256) VALUES ($1) ON CONFLICT DO NOTHING RETURNING id",
      PgValues().text(digest), kWhat);
  if (made.count() == 0) {  // one that shares it was quicker
    database.run("ROLLBACK", kWhat);
    find({.digest = digest});
    return;
  }
  take(made.number(0, 0), std::string(digest));
  add_partitions(database, run);
  kill_point("database:before-tables");
  database.run("COMMIT", kWhat);
  kill_point("database:tables-made");
  created = true;
}

/// So that there is one session at a time that writes for this host.
void PostgresLedger::State::hold_as_host() {
  constexpr std::string_view kWhat = "lock its host";
  const PgValues number = PgValues().number(kHostLock).number(host);
  database.run("SET lock_timeout = " + std::to_string(kHoldPatienceMs), kWhat);
  database.query(kEndOldSession, number, "end the session before");
  database.query("SELECT pg_advisory_lock($1::int, $2::int)", number, kWhat);
  database.run("SET lock_timeout = 0", kWhat);
}

/// The lock is the session's: it goes with it, however it ends.
/// @return false: it is held
bool PostgresLedger::State::try_hold(std::string_view lock, std::int64_t number) {
  constexpr std::string_view kWhat = "lock the batch";
  database.run("SET lock_timeout = " + std::to_string(kHoldPatienceMs), kWhat);
  try {
    database.query(fmt::format("SELECT {}($1)", lock).c_str(), PgValues().number(number), kWhat);
  } catch (const LedgerError&) {
    if (database.state_of_failure() != kLockNotAvailable) throw;
    return false;
  }
  database.run("SET lock_timeout = 0", kWhat);
  return true;
}

void PostgresLedger::State::hold(std::string_view lock) {
  if (!try_hold(lock, lock_of(digest))) refuse_as_held();
}

void PostgresLedger::State::hold_settling() {
  if (try_hold(kAlone, settling_lock_of(digest))) return;
  throw LedgerBusy(database.name() + ": another sagorder is settling rows of this batch");
}

void PostgresLedger::State::refuse_as_held() {
  const PgRows holder = database.query(
      "SELECT name, process, begun_at FROM sagorder.run JOIN sagorder.host ON host.id = run.holder "
      "WHERE input_sha256 = $1",
      PgValues().text(digest), "ask who holds the batch");
  const std::string who = holder.count() == 0 ? "another host"
                                              : std::string(holder.text(0, 0)) + " (process " +
                                                    std::string(holder.text(0, 1)) + ", since " +
                                                    std::string(holder.text(0, 2)) + ")";
  throw LedgerBusy(address.uri + "#" + digest.substr(0, kNamedDigits) +
                   ": another sagorder is at work with this batch: " + who);
}

/// Not among those that share it: who does, joins them (io/postgres_hosts).
void PostgresLedger::State::register_host() {
  const PgRows added = database.query(
      "WITH this AS (INSERT INTO sagorder.host(run, name, process, left_at) VALUES ($1, $2, $3, "
      "clock_timestamp()) RETURNING id) UPDATE sagorder.run SET holder = this.id FROM this WHERE "
      "run.id = $1 "
      "RETURNING this.id",
      PgValues().number(run).text(host_name()).number(::getpid()), "note who holds the batch");
  if (added.count() != 1) throw LedgerError(database.name() + ": the batch was removed meanwhile");
  host = added.number(0, 0);
}

/// Of a session in the place of another one, too: then it is this process that remembers.
void PostgresLedger::State::meet_server() {
  const PostgresTimeline now(database);
  now.note(database, run, digest);
  const std::string why = server ? server->why_forgetful(now) : "";
  if (!why.empty()) refuse_as_forgetful(database, why);  // and again, if it is asked again
  server = now;
}

bool PostgresLedger::State::held_alone() {
  const auto lock = static_cast<std::uint64_t>(lock_of(digest));
  const PgRows rows = database.query(
      "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND "
      "granted AND mode = 'ExclusiveLock' AND classid::bigint = $1 AND objid::bigint = $2 AND "
      "database = (SELECT oid FROM pg_database WHERE datname = current_database()))",
      PgValues()
          .number(static_cast<std::int64_t>(lock >> 32))
          .number(static_cast<std::int64_t>(lock & 0xffffffff)),
      "ask whether a run is going on");
  return rows.is_true(0, 0);
}

void PostgresLedger::State::require_writable() const {
  if (reading) throw LedgerError(database.name() + ": is open for reading only");
  if (failed) {
    throw LedgerError(database.name() +
                      ": an earlier commit failed; nothing more is written to it");
  }
  if (readers > 0) throw LedgerError(database.name() + ": cannot commit while it is read");
}

/// A server whose wait for its standby is ended by somebody's word has committed all the same, and
/// warns that the standby may not have it: after a failover it would be forgotten.
void PostgresLedger::State::refuse_if_warned() const {
  if (database.warning().empty()) return;
  throw AnswerLost(database.name() +
                   ": cannot commit as durably as the server was set to: " + database.warning() +
                   ". Nothing more is sent; the same command looks it up and goes on");
}

/// All of `act`, durable, or nothing ever after.
void PostgresLedger::State::write(const std::function<void()>& act) {
  require_writable();
  failed = true;  // until it is durable
  kill_point("database:before-commit");
  try {
    act();
    refuse_if_warned();
  } catch (const LedgerError& error) {
    if (!database.lost()) throw;
    throw AnswerLost(std::string(error.what()) +
                     ". Whether the last records are durable is not known, so nothing more is "
                     "sent; the same command looks it up and goes on");
  }
  kill_point("database:durable");
  failed = false;
}

/// Through a cursor, so that memory stays flat, and of one state of the tables. It locks nothing,
/// so `visit` may take its time.
void PostgresLedger::State::each(const std::string& sql, std::string_view what,
                                 const std::function<void(const PgRows&, int)>& visit) {
  const std::string cursor = "reading_" + std::to_string(readers);
  struct Open {
    State& state;
    ~Open() {
      state.database.wait_for(kAnswerPatience);
      if (--state.readers > 0 || state.database.lost()) return;
      try {
        state.database.run("ROLLBACK", "end reading");
      } catch (const LedgerError&) {
        state.failed = true;  // what is written next would be within what was read
      }
    }
  };
  if (readers == 0) {
    database.run(
        "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; "
        "SET LOCAL idle_in_transaction_session_timeout = 0",
        what);
  }
  ++readers;
  const Open open{*this};
  database.wait_for(kReadingPatience);
  database.run("DECLARE " + cursor + " NO SCROLL CURSOR FOR " + sql, what);
  const std::string fetch = "FETCH " + std::to_string(kFetched) + " FROM " + cursor;
  while (true) {
    const PgRows rows = database.query(fetch.c_str(), what);
    for (int row = 0; row < rows.count(); ++row) visit(rows, row);
    if (rows.count() < kFetched) break;
  }
  database.run("CLOSE " + cursor, what);
}

RecordKind PostgresLedger::State::kind(std::int64_t number) const {
  if (is_kind(number)) return static_cast<RecordKind>(number);
  throw LedgerError(database.name() + ": is damaged: a record of an unknown kind");
}

/// Of the columns that kOutcomeColumns names, the first ones of a row.
Record PostgresLedger::State::outcome(const PgRows& rows, int row) const {
  Record record;
  record.kind = kind(rows.number(row, 0));
  record.row = Row{static_cast<std::uint64_t>(rows.number(row, 1))};
  record.attempt = Attempt{static_cast<std::uint32_t>(rows.number(row, 2))};
  record.at = WallTime(milliseconds(rows.number(row, 3)));
  record.http_status = static_cast<int>(rows.number(row, 4));
  record.latency = milliseconds(rows.number(row, 5));
  record.order_id = rows.text(row, 6);
  record.sag_id = rows.text(row, 7);
  record.request_id = rows.text(row, 8);
  record.code = rows.text(row, 9);
  record.message = rows.text(row, 10);
  record.evidence = rows.text(row, 11);
  return record;
}

namespace {

Nonce nonce_of(std::string_view hex) {
  Nonce nonce;
  if (hex.size() == nonce.hex.size()) hex.copy(nonce.hex.data(), hex.size());
  return nonce;
}

/// `columns` of a run's attempts and, as if they were columns of those, `others` of its outcomes.
std::string both(std::int64_t run, std::string_view columns, std::string_view others) {
  const std::string number = std::to_string(run);
  return "SELECT * FROM (SELECT " + std::string(columns) +
         ", seq FROM sagorder.attempt WHERE run = " + number + " UNION ALL SELECT " +
         std::string(others) + ", seq FROM sagorder.outcome WHERE run = " + number +
         ") AS every ORDER BY seq";
}

}  // namespace

PostgresLedger::PostgresLedger(std::unique_ptr<State> state) : state_(std::move(state)) {}
PostgresLedger::~PostgresLedger() = default;

PostgresLedger::PostgresLedger(const DatabaseAddress& address, const std::string& digest)
    : state_(std::make_unique<State>(address, Postgres::Use::writing)) {
  State& state = *state_;
  migrate(state.database);
  state.digest = digest;
  state.hold(kAlone);
  if (!state.find({.digest = digest})) state.make();
  state.register_host();
  state.meet_server();
}

std::unique_ptr<PostgresLedger> PostgresLedger::open_if_there(const DatabaseAddress& address,
                                                              const BatchWanted& wanted) {
  auto state = std::make_unique<State>(address, Postgres::Use::writing);
  if (!state->find(wanted)) return nullptr;
  migrate(state->database);
  state->hold(kAlone);
  state->register_host();
  state->meet_server();
  return std::unique_ptr<PostgresLedger>(new PostgresLedger(std::move(state)));
}

std::unique_ptr<PostgresLedger> PostgresLedger::open_to_share(const DatabaseAddress& address,
                                                              const std::string& digest,
                                                              milliseconds life) {
  auto state = std::make_unique<State>(address, Postgres::Use::writing);
  migrate(state->database);
  state->digest = digest;
  state->hold(kTogether);
  if (!state->find({.digest = digest})) state->make();
  state->register_host();
  state->meet_server();
  state->hold_as_host();
  state->hosts = std::make_unique<PostgresHosts>(
      address, state->database.name(), state->run, state->host, life,
      [&lost = *state](Postgres& at) { lost.refuse_if_last_is_lost(at); });
  state->hosts->heed(state->end_of_waiting);
  return std::unique_ptr<PostgresLedger>(new PostgresLedger(std::move(state)));
}

std::unique_ptr<PostgresLedger> PostgresLedger::open_to_settle(const DatabaseAddress& address,
                                                               const BatchWanted& wanted) {
  auto state = std::make_unique<State>(address, Postgres::Use::writing);
  if (!state->find(wanted)) return nullptr;
  migrate(state->database);
  state->hold(kTogether);
  state->hold_settling();
  state->register_host();
  return std::unique_ptr<PostgresLedger>(new PostgresLedger(std::move(state)));
}

std::unique_ptr<PostgresLedger> PostgresLedger::open_for_reading(const DatabaseAddress& address,
                                                                 const BatchWanted& wanted) {
  auto state = std::make_unique<State>(address, Postgres::Use::reading);
  if (!state->find(wanted)) return nullptr;
  return std::unique_ptr<PostgresLedger>(new PostgresLedger(std::move(state)));
}

bool PostgresLedger::held() {
  return std::ranges::any_of(hosts(), [](const HostSeen& host) { return host.alive; });
}

bool PostgresLedger::created() const { return state_->created; }

std::string PostgresLedger::place() const { return state_->database.name(); }

Facts PostgresLedger::facts() {
  // Which server it is on, and when its hosts are dead, is this ledger's own affair.
  const PgRows rows = state_->database.query(
      "SELECT name, value FROM sagorder.fact WHERE run = $1 AND name NOT IN ($2, $3)",
      PgValues().number(state_->run).text(kFactServer).text(kFactHostLife), "read its facts");
  Facts facts;
  for (int i = 0; i < rows.count(); ++i) facts.emplace(rows.text(i, 0), rows.text(i, 1));
  // Who looks on is told what the next run will find.
  const bool looks_on = !state_->server && !facts.empty() && commits_missing(facts).empty();
  if (!looks_on) return facts;
  const std::string why = PostgresTimeline::look(state_->database, state_->run);
  if (!why.empty()) facts[std::string(kFactFailover)] = why;
  return facts;
}

void PostgresLedger::set_facts(const Facts& facts) {
  std::vector<std::string_view> names;
  std::vector<std::string_view> values;
  for (const auto& [name, value] : facts) {
    names.push_back(name);
    values.push_back(value);
  }
  state_->write([&] {
    state_->database.query(
        "INSERT INTO sagorder.fact(run, name, value) SELECT $1, name, coalesce(value, '') "
        "FROM unnest($2, $3) AS f(name, value) "
        "ON CONFLICT (run, name) DO UPDATE SET value = excluded.value",
        PgValues().number(state_->run).texts(names).texts(values), "write its facts");
  });
}

PgValues PostgresLedger::State::bound(std::span<const Record> records) {
  if (records.size() > kGroupMax) {
    throw LedgerError(database.name() + ": a group of more than a million records");
  }
  columns.take(records);
  PgValues values;
  values.number(run).number(host).number(database.backend());
  columns.bind(values);
  return values;
}

void PostgresLedger::commit(std::span<const Record> records) {
  State& state = *state_;
  if (records.empty()) return state.require_writable();
  const PgValues values = state.bound(records);
  state.write([&] { state.commit(values); });
}

void PostgresLedger::State::commit(const PgValues& values) {
  const PgRows written = database.query_prepared("commit", kCommit, values, "commit");
  if (written.number(0, 0) == 1) return;
  throw LedgerError(database.name() +
                    ": another process of the server answers than the one that holds the lock: a "
                    "pooler stands in between. Nothing was written; connect to the server itself");
}

std::string PostgresLedger::caution() {
  // Whoever may not see what standbys there are sees that there are some.
  const PgRows followed = state_->database.query(
      "SELECT count(*) > 0 AND current_setting('synchronous_standby_names') = '' FROM "
      "pg_stat_replication",
      "ask who follows the server");
  if (!followed.is_true(0, 0)) return {};
  return "standbys follow the database's server, which waits for none of them: after a failover "
         "the "
         "last orders may be forgotten, and placed a second time; set synchronous_standby_names";
}

/// The ranges are locked first, whatever they say: who gives one back at this moment has done so
/// before, or sees these records.
void PostgresLedger::settle(std::span<const Record> records) {
  State& state = *state_;
  const PgValues values = state.bound(records);
  std::vector<std::int64_t> again;
  for (const Record& record : records) {
    if (record.kind != RecordKind::resolved_not_placed) continue;
    again.push_back(static_cast<std::int64_t>(record.row.value));
  }
  constexpr std::string_view kWhat = "commit";
  state.write([&] {
    state.database.run("BEGIN", kWhat);
    state.database.query(
        "UPDATE sagorder.range AS r SET done = false FROM unnest($2) AS again(\"row\") "
        "WHERE r.run = $1 AND again.\"row\" BETWEEN r.\"first\" AND r.\"last\"",
        PgValues().number(state.run).numbers(again), kWhat);
    state.commit(values);
    state.database.run("COMMIT", kWhat);
  });
}

std::vector<std::uint32_t> PostgresLedger::claim(std::span<const Record> records) {
  State& state = *state_;
  static_cast<void>(hosts_at_work());
  PgValues values = state.bound(records);
  values.number(state.server->tables());
  std::vector<std::uint32_t> refused;
  try {
    state.write([&] {
      const PgRows places = state.database.query_prepared("claim", kClaim, values, "commit");
      if (places.count() == 0) state.refuse_claim();
      refused = refused_of(records, places);
    });
  } catch (const Fenced&) {
    throw;
  } catch (const LedgerError& error) {
    if (!is_passing(state.database.state_of_failure())) throw;
    throw AnswerLost(error.what());
  }
  state.remember_last(records, refused);
  return refused;
}

std::vector<std::uint32_t> PostgresLedger::claim_again(std::span<const Record> records) {
  State& state = *state_;
  std::optional<std::vector<std::uint32_t>> refused;
  try {
    state.return_to_work();
    refused = state.find_group(records);
    if (refused) state.outlive_the_server();
  } catch (const Fenced&) {
    throw;
  } catch (const RecordsLost&) {
    throw;
  } catch (const std::runtime_error& error) {  // also as a command holds the batch for a moment
    throw AnswerLost(error.what());
  }
  state.failed = false;
  if (!refused) return claim(records);
  state.remember_last(records, *refused);
  return *refused;
}

/// A session like the one before, once that one is over.
void PostgresLedger::State::return_to_work() {
  const std::string name = database.name();
  whole = false;
  database.connect_again();
  database.call_it(name);
  refuse_if_last_is_lost(database);
  hold_as_host();
  hold(kTogether);
  meet_server();
  whole = true;
}

/// @return the refused ones of a group that is durable; nullopt: nothing of it is there
std::optional<std::vector<std::uint32_t>> PostgresLedger::State::find_group(
    std::span<const Record> records) {
  const PgRows places = find_records(database, run, host, records);
  if (places.count() == 0) return std::nullopt;
  return refused_of(records, places);
}

/// One record of a group stands for all, and for the groups before it.
void PostgresLedger::State::remember_last(std::span<const Record> records,
                                          std::span<const std::uint32_t> refused) {
  for (std::size_t i = records.size(); i-- > 0;) {
    if (std::ranges::binary_search(refused, static_cast<std::uint32_t>(i))) continue;
    const std::lock_guard lock(last_mutex);
    last = records[i];
    return;
  }
}

/// @param at a connection that was made anew, perhaps to another server than before
void PostgresLedger::State::refuse_if_last_is_lost(Postgres& at) {
  std::optional<Record> known;
  {
    const std::lock_guard lock(last_mutex);
    known = last;
  }
  if (!known || find_records(at, run, host, std::span(&*known, 1)).count() > 0) return;
  constexpr std::string_view kWhy =
      "records are missing that were durable: an older copy took its place, or a server that no "
      "commit had waited for";
  mark_forgetful(at, run, digest, kWhy);
  refuse_as_forgetful(at, kWhy);
}

/// Of a claim of which nothing was written: why.
void PostgresLedger::State::refuse_claim() {
  meet_server();
  const PgRows mark =
      database.query("SELECT value FROM sagorder.fact WHERE run = $1 AND name = $2",
                     PgValues().number(run).text(kFactFailover), "ask why nothing is written");
  if (mark.count() > 0 && !mark.text(0, 0).empty()) refuse_as_forgetful(database, mark.text(0, 0));
  refuse_as_fenced();
}

/// What is seen may be known to this server alone, if it went down before its standby had it: what
/// is committed behind it takes it along.
void PostgresLedger::State::outlive_the_server() {
  const PgRows beaten = database.query(
      "UPDATE sagorder.host SET heartbeat_at = clock_timestamp() WHERE id = $1 AND fenced_at IS "
      "NULL RETURNING id",
      PgValues().number(host), "make sure of a group");
  refuse_if_warned();
  if (beaten.count() == 0) refuse_as_fenced();
}

void PostgresLedger::State::refuse_as_fenced() const {
  throw Fenced(database.name() +
               ": this host was fenced, or another process of the server answers than before. "
               "Nothing was written, and nothing more is sent");
}

void PostgresLedger::connect_if_lost() {
  if (!state_->database.lost() && state_->whole) return;
  state_->return_to_work();
  state_->failed = false;
}

void PostgresLedger::end_waiting_at(SteadyTime at) { state_->end_of_waiting.set(at); }

Facts PostgresLedger::add_facts(const Facts& facts) {
  std::vector<std::string_view> names;
  std::vector<std::string_view> values;
  for (const auto& [name, value] : facts) {
    names.push_back(name);
    values.push_back(value);
  }
  state_->write([&] {
    state_->database.query(
        "INSERT INTO sagorder.fact(run, name, value) SELECT $1, name, coalesce(value, '') "
        "FROM unnest($2, $3) AS f(name, value) ON CONFLICT DO NOTHING",
        PgValues().number(state_->run).texts(names).texts(values), "write its facts");
  });
  return this->facts();
}

void PostgresLedger::change_fact(
    const std::string& name, const std::function<std::string(const std::string& before)>& change) {
  constexpr std::string_view kWhat = "change its facts";
  State& state = *state_;
  state.write([&] {
    state.database.run("BEGIN", kWhat);
    state.about_run("SELECT FROM sagorder.run WHERE id = $1 FOR NO KEY UPDATE", kWhat);
    const PgRows before =
        state.database.query("SELECT value FROM sagorder.fact WHERE run = $1 AND name = $2",
                             PgValues().number(state.run).text(name), kWhat);
    const std::string after =
        change(before.count() == 0 ? std::string() : std::string(before.text(0, 0)));
    state.database.query(
        "INSERT INTO sagorder.fact(run, name, value) VALUES ($1, $2, $3) "
        "ON CONFLICT (run, name) DO UPDATE SET value = excluded.value",
        PgValues().number(state.run).text(name).text(after), kWhat);
    state.database.run("COMMIT", kWhat);
  });
}

std::optional<PlanUse> PostgresLedger::take_plan(const std::string& digest,
                                                 const std::string& ledger_id,
                                                 const std::string& output) {
  State& state = *state_;
  PlanUse use;
  state.write([&] {
    state.database.query(
        "INSERT INTO sagorder.plan(digest, ledger_id, output) VALUES ($1, $2, $3) "
        "ON CONFLICT DO NOTHING",
        PgValues().text(digest).text(ledger_id).text(output), "note the use of a plan");
    const PgRows taken = state.database.query(
        "SELECT ledger_id, output, to_char(used_at AT TIME ZONE 'UTC', "
        "'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') FROM sagorder.plan WHERE digest = $1",
        PgValues().text(digest), "ask who used a plan");
    if (taken.count() == 0) throw LedgerError(state.database.name() + ": forgot the use of a plan");
    use = {std::string(taken.text(0, 0)), state.address.uri, std::string(taken.text(0, 1)),
           std::string(taken.text(0, 2))};
  });
  if (use.ledger_id == ledger_id) return std::nullopt;
  return use;
}

/// A host that fell silent may come back: it counts. By the batch's row, so that who joins now
/// takes the plan afterwards.
bool PostgresLedger::give_back_plan(const std::string& digest) {
  constexpr std::string_view kWhat = "give a plan back";
  State& state = *state_;
  bool given_back = false;
  state.write([&] {
    state.database.run("BEGIN", kWhat);
    state.about_run("SELECT FROM sagorder.run WHERE id = $1 FOR NO KEY UPDATE", kWhat);
    given_back =
        state.database
            .query(
                "DELETE FROM sagorder.plan WHERE digest = $2 AND NOT EXISTS (SELECT FROM "
                "sagorder.attempt WHERE run = $1) AND NOT EXISTS (SELECT FROM sagorder.host "
                "WHERE run = $1 AND id <> $3 AND left_at IS NULL AND fenced_at IS NULL) "
                "RETURNING digest",
                PgValues().number(state.run).text(digest).number(state.host), kWhat)
            .count() > 0;
    state.database.run("COMMIT", kWhat);
  });
  return given_back;
}

PostgresHosts& PostgresLedger::hosts_at_work() const {
  if (state_->hosts) return *state_->hosts;
  throw LedgerError(state_->database.name() + ": is not open to be shared");
}

std::int64_t PostgresLedger::host() const { return state_->host; }

bool PostgresLedger::was_first() const { return hosts_at_work().was_first(); }

bool PostgresLedger::has_run_begun() { return hosts_at_work().has_run_begun(); }

void PostgresLedger::replace(std::span<const std::int64_t> hosts) {
  hosts_at_work().replace(hosts);
}

void PostgresLedger::make_ranges(std::uint64_t rows, std::uint64_t canary) {
  hosts_at_work().make_ranges(rows, canary);
}

RangeAnswer PostgresLedger::claim_range(std::uint64_t canary, std::uint64_t left_out) {
  return hosts_at_work().claim_range(canary, left_out);
}

bool PostgresLedger::end_range(Row first, std::uint64_t left_out) {
  return hosts_at_work().end_range(first, left_out);
}

LeaseAnswer PostgresLedger::lease(const BucketTerms& terms, const LeaseAsk& ask) {
  return hosts_at_work().lease(terms, ask);
}

std::string PostgresLedger::agree(const std::string& terms, bool bound) {
  return hosts_at_work().agree(terms, bound);
}

void PostgresLedger::tried_by(std::span<const std::int64_t> hosts,
                              const std::function<void(Row)>& visit) {
  std::string numbers;
  for (const std::int64_t host : hosts) {
    numbers += (numbers.empty() ? "" : ",") + std::to_string(host);
  }
  state_->each(fmt::format("SELECT \"row\" FROM (SELECT DISTINCT ON (\"row\") \"row\", host FROM "
                           "sagorder.attempt WHERE run = {} ORDER BY \"row\", number DESC) AS last "
                           "WHERE host IN ({})",
                           state_->run, numbers),
               "read whose rows are whose", [&](const PgRows& rows, int i) {
                 visit(Row{static_cast<std::uint64_t>(rows.number(i, 0))});
               });
}

/// One that holds the batch alone has no heartbeat: its lock says that it lives.
std::vector<HostSeen> PostgresLedger::hosts() {
  State& state = *state_;
  if (state.hosts) return state.hosts->hosts();
  std::vector<HostSeen> hosts = read_hosts(state.database, state.run);
  const PgRows holder =
      state.about_run("SELECT holder FROM sagorder.run WHERE id = $1", "ask who holds the batch");
  for (HostSeen& host : hosts) {
    if (host.left && host.id == holder.number(0, 0)) host.alive = state.held_alone();
  }
  return hosts;
}

std::vector<OpenIntent> PostgresLedger::open_intents() {
  if (state_->hosts) return state_->hosts->open_intents();
  return read_open_intents(state_->database, state_->run);
}

std::optional<OpenIntent> PostgresLedger::under_way(Row row) {
  return read_under_way(state_->database, state_->run, row);
}

std::vector<Step> PostgresLedger::steps(Row row) {
  return read_steps(state_->database, state_->run, row);
}

bool PostgresLedger::fence(std::int64_t host) {
  if (state_->hosts) return state_->hosts->fence(host);
  return fence_host(state_->database, state_->run, host);
}

void PostgresLedger::leave(const std::optional<Share>& spent) { hosts_at_work().leave(spent); }

void PostgresLedger::replay(const std::function<void(const Step&)>& visit) {
  State& state = *state_;
  state.each(
      both(state.run, "0 AS kind, \"row\", number", "kind, \"row\", attempt"), "read its records",
      [&](const PgRows& rows, int i) {
        visit({state.kind(rows.number(i, 0)), Row{static_cast<std::uint64_t>(rows.number(i, 1))},
               Attempt{static_cast<std::uint32_t>(rows.number(i, 2))}});
      });
}

std::optional<Record> PostgresLedger::outcome_of(Row row) {
  State& state = *state_;
  static const std::string kSql = "SELECT " + std::string(kOutcomeColumns) +
                                  " FROM sagorder.outcome WHERE run = $1 AND \"row\" = $2 AND "
                                  "kind <> 5 ORDER BY seq DESC LIMIT 1";
  const PgRows rows = state.database.query_prepared(
      "outcome_of", kSql.c_str(),
      PgValues().number(state.run).number(static_cast<std::int64_t>(row.value)), "read an outcome");
  if (rows.count() == 0) return std::nullopt;
  return state.outcome(rows, 0);
}

std::vector<Record> PostgresLedger::outcomes_of(Row first, Row last) {
  State& state = *state_;
  static const std::string kSql = "SELECT DISTINCT ON (\"row\") " + std::string(kOutcomeColumns) +
                                  " FROM sagorder.outcome WHERE run = $1 AND \"row\" BETWEEN $2 "
                                  "AND $3 AND kind <> 5 ORDER BY \"row\", seq DESC";
  const PgRows rows =
      state.database.query_prepared("outcomes_of", kSql.c_str(),
                                    PgValues()
                                        .number(state.run)
                                        .number(static_cast<std::int64_t>(first.value))
                                        .number(static_cast<std::int64_t>(last.value)),
                                    "read outcomes");
  std::vector<Record> records;
  records.reserve(static_cast<std::size_t>(rows.count()));
  for (int row = 0; row < rows.count(); ++row) records.push_back(state.outcome(rows, row));
  return records;
}

void PostgresLedger::intents(const std::function<void(const Record&)>& visit) {
  State& state = *state_;
  Record record;
  state.each("SELECT \"row\", number, at_ms, nonce FROM sagorder.attempt WHERE run = " +
                 std::to_string(state.run) + " ORDER BY seq",
             "read its intents", [&](const PgRows& rows, int i) {
               record.row = Row{static_cast<std::uint64_t>(rows.number(i, 0))};
               record.attempt = Attempt{static_cast<std::uint32_t>(rows.number(i, 1))};
               record.at = WallTime(milliseconds(rows.number(i, 2)));
               record.nonce = nonce_of(rows.text(i, 3));
               visit(record);
             });
}

void PostgresLedger::outcomes(const std::function<void(const Record&)>& visit) {
  State& state = *state_;
  state.each("SELECT " + std::string(kOutcomeColumns) + " FROM sagorder.outcome WHERE run = " +
                 std::to_string(state.run) + " AND kind <> 5 ORDER BY seq",
             "read its outcomes",
             [&](const PgRows& rows, int i) { visit(state.outcome(rows, i)); });
}

void PostgresLedger::records(const std::function<void(const Record&)>& visit) {
  State& state = *state_;
  constexpr int kNonceColumn = 12;
  state.each(both(state.run,
                  "0 AS kind, \"row\", number, at_ms, 0, 0::bigint, '', '', '', '', '', '', nonce",
                  std::string(kOutcomeColumns) + ", ''"),
             "read its records", [&](const PgRows& rows, int i) {
               Record record = state.outcome(rows, i);
               record.nonce = nonce_of(rows.text(i, kNonceColumn));
               visit(record);
             });
}

void PostgresLedger::add_references(std::span<const std::pair<Row, std::string>> references) {
  std::vector<std::int64_t> rows;
  std::vector<std::string_view> values;
  for (const auto& [row, value] : references) {
    rows.push_back(static_cast<std::int64_t>(row.value));
    values.push_back(value);
  }
  state_->write([&] {
    state_->database.query(
        "INSERT INTO sagorder.reference(run, \"row\", value) SELECT $1, r.\"row\", "
        "coalesce(r.value, '') FROM unnest($2, $3) AS r(\"row\", value) "
        "ON CONFLICT (run, \"row\") DO UPDATE SET value = excluded.value",
        PgValues().number(state_->run).numbers(rows).texts(values), "write References");
  });
}

void PostgresLedger::references(const std::function<void(Row, std::string_view)>& visit) {
  state_->each("SELECT \"row\", value FROM sagorder.reference WHERE run = " +
                   std::to_string(state_->run) + " ORDER BY \"row\"",
               "read its References", [&](const PgRows& rows, int i) {
                 visit(Row{static_cast<std::uint64_t>(rows.number(i, 0))}, rows.text(i, 1));
               });
}

}  // namespace sagorder::io
