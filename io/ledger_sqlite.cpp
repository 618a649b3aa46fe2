#include "io/ledger_sqlite.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "engine/entry.hpp"
#include "io/file.hpp"
#include "io/kill_point.hpp"
#include "io/sqlite.hpp"

namespace sagorder::io {
namespace {

constexpr int kApplicationId = 0x5361676f;  // "Sago"
constexpr int kReaderPatienceMs = 10'000;
constexpr int kCheckpointPages = sooner(4096);  // 16 MiB of WAL between checkpoints
constexpr int kBusyMs = 10'000;                 // for a person's sqlite3 shell that holds the file

// The numbers in the file; `kind` in the file names them.
static_assert(static_cast<int>(RecordKind::intent) == 0);
static_assert(static_cast<int>(RecordKind::not_executed) == 1);
static_assert(static_cast<int>(RecordKind::placed) == 2);
static_assert(static_cast<int>(RecordKind::rejected) == 3);
static_assert(static_cast<int>(RecordKind::in_doubt) == 4);
static_assert(static_cast<int>(RecordKind::replay) == 5);
static_assert(static_cast<int>(RecordKind::resolved_placed) == 6);
static_assert(static_cast<int>(RecordKind::resolved_not_placed) == 7);

// What replay reads stands before the texts, so that it never follows a long row's overflow.
constexpr const char* kSchema = R"sql(
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE kind(id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
CREATE TABLE intent(
  seq INTEGER PRIMARY KEY, row INTEGER NOT NULL, attempt INTEGER NOT NULL,
  at_ms INTEGER NOT NULL, nonce TEXT NOT NULL) STRICT;
CREATE TABLE outcome(
  seq INTEGER PRIMARY KEY, kind INTEGER NOT NULL REFERENCES kind(id), row INTEGER NOT NULL,
  attempt INTEGER NOT NULL, at_ms INTEGER NOT NULL, http_status INTEGER, latency_ms INTEGER,
  order_id TEXT, sag_id TEXT, request_id TEXT, code TEXT, message TEXT, evidence TEXT) STRICT;
CREATE VIEW orders AS
SELECT last.row AS row,
  CASE WHEN o.seq IS NULL THEN 'intended'
       WHEN o.kind IN (2, 6) THEN 'placed'
       WHEN o.kind = 3 THEN 'rejected'
       WHEN o.kind = 4 THEN 'in_doubt'
       ELSE 'pending' END AS state,
  coalesce(o.attempt, i.attempt) AS attempts,
  o.order_id, o.sag_id, o.request_id, o.code, o.message, o.http_status, o.latency_ms,
  strftime('%Y-%m-%dT%H:%M:%SZ', coalesce(o.at_ms, i.at_ms) / 1000, 'unixepoch') AS at,
  o.evidence
FROM (SELECT row, max(seq) AS seq
      FROM (SELECT row, seq FROM intent
            UNION ALL SELECT row, seq FROM outcome WHERE kind <> 5)
      GROUP BY row) AS last
LEFT JOIN outcome AS o ON o.seq = last.seq
LEFT JOIN intent AS i ON i.seq = last.seq;
)sql";

constexpr const char* kOutcomeColumns =
    "kind, row, attempt, at_ms, http_status, latency_ms, order_id, sag_id, request_id, code, "
    "message, evidence";

std::int64_t number_of_at(WallTime at) { return at.time_since_epoch().count(); }

bool is_kind(std::int64_t number) { return number >= 0 && number < kRecordKinds; }

Nonce nonce_of(std::string_view hex) {
  Nonce nonce;
  if (hex.size() == nonce.hex.size()) hex.copy(nonce.hex.data(), hex.size());
  return nonce;
}

/// What an outcome says beyond its kind, row and attempt, from `column` on, in the order of the
/// table.
void read_outcome_texts(const Statement& from, int column, Record& record) {
  record.at = WallTime(milliseconds(from.number(column)));
  record.http_status = static_cast<int>(from.number(column + 1));
  record.latency = milliseconds(from.number(column + 2));
  record.order_id = from.text(column + 3);
  record.sag_id = from.text(column + 4);
  record.request_id = from.text(column + 5);
  record.code = from.text(column + 6);
  record.message = from.text(column + 7);
  record.evidence = from.text(column + 8);
}

}  // namespace

struct SqliteLedger::State {
  Fd lock;  // before `database` in life, behind it in death
  FileIdentity identity;
  std::string wal_path;
  FileIdentity wal_identity;
  Database database;
  bool reading = false;
  bool created = false;
  bool failed = false;
  std::int64_t seq = 0;  // of the last record
  int wal_pages = 0;
  int checkpoint_at = kCheckpointPages;  // of wal_pages
  bool renew = false;                    // a checkpoint has been made since the last commit
  std::function<void()> before_new_log;
  std::optional<Statement> begin, commit, insert_intent, insert_outcome, last_outcome;

  ~State();
  void open(int flags, const std::string& name);
  void configure() const;
  void check_or_create();
  void create();
  void check_format() const;
  void check_kinds() const;
  void prepare();
  void require_writable() const;
  void require_named() const;
  void insert(const Record& record);
  void transact(const std::function<void()>& write);
  void abandon() const;
  void checkpoint();
  void take_in_log();
  void index_outcomes();
  [[nodiscard]] Record read_outcome(const Statement& statement) const;
};

SqliteLedger::State::~State() {
  // After a failure nothing more is written, synced or tidied: the next start recovers the WAL.
  if (failed) {
    sqlite3_db_config(database.handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  }
  for (auto* held : {&begin, &commit, &insert_intent, &insert_outcome, &last_outcome}) {
    held->reset();
  }
  kill_point("ledger:before-close");
  sqlite3_close(database.handle);
  kill_point("ledger:closed");
}

void SqliteLedger::State::open(int flags, const std::string& name) {
  set_up_sqlite();
  const int code = sqlite3_open_v2(
      name.c_str(), &database.handle,
      flags | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  if (code != SQLITE_OK) database.fail("open the ledger");
  configure();
}

void SqliteLedger::State::configure() const {
  sqlite3* const handle = database.handle;
  sqlite3_busy_timeout(handle, kBusyMs);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
  // No mmap: an error of the disk would be a signal, not an error code.
  database.run(
      "PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0;"
      "PRAGMA cache_size=-2048; PRAGMA wal_autocheckpoint=0;",
      "configure SQLite");
}

void SqliteLedger::State::check_or_create() {
  // Killed while it was being made, the file may be a database without any table.
  const bool blank = database.number("SELECT count(*) FROM sqlite_schema") == 0 &&
                     database.number("PRAGMA application_id") == 0;
  if (blank) {
    create();
  } else {
    check_format();
    database.run("PRAGMA journal_mode=WAL", "switch to WAL");
  }
  check_kinds();
}

void SqliteLedger::State::create() {
  kill_point("ledger:empty");
  database.run("PRAGMA journal_mode=WAL", "switch to WAL");
  kill_point("ledger:in-wal-mode");
  database.run("BEGIN IMMEDIATE", "create its tables");
  database.run(kSchema, "create its tables");
  const Statement insert(database, "INSERT INTO kind(id, name) VALUES(?1, ?2)");
  for (int kind = 0; kind < kRecordKinds; ++kind) {
    insert.bind(1, std::int64_t{kind});
    insert.bind(2, name_of(static_cast<RecordKind>(kind)));
    insert.execute("create its tables");
  }
  const std::string marks = "PRAGMA application_id=" + std::to_string(kApplicationId) +
                            "; PRAGMA user_version=" + std::to_string(kLedgerFormat) + "; COMMIT";
  kill_point("ledger:before-tables");
  database.run(marks.c_str(), "create its tables");
  kill_point("ledger:tables-made");
  created = true;
}

void SqliteLedger::State::check_format() const {
  if (database.number("PRAGMA application_id") != kApplicationId) {
    throw LedgerError(database.path + ": is no sagorder ledger; it is left alone");
  }
  const std::int64_t format = database.number("PRAGMA user_version");
  if (format != kLedgerFormat) {
    throw LedgerError(database.path + ": is a ledger of format " + std::to_string(format) +
                      "; this sagorder knows format " + std::to_string(kLedgerFormat) +
                      ", use the one that made it");
  }
}

void SqliteLedger::State::check_kinds() const {
  const Statement select(database, "SELECT id, name FROM kind ORDER BY id");
  int count = 0;
  for (; select.step("read its tables"); ++count) {
    const std::int64_t id = select.number(0);
    if (!is_kind(id) || select.text(1) != name_of(static_cast<RecordKind>(id))) break;
  }
  if (count != kRecordKinds) {
    throw LedgerError(database.path + ": is damaged: its kinds of records are not the known ones");
  }
}

void SqliteLedger::State::prepare() {
  seq = std::max(database.number("SELECT max(seq) FROM intent"),
                 database.number("SELECT max(seq) FROM outcome"));
  if (reading) return;
  begin.emplace(database, "BEGIN IMMEDIATE");
  commit.emplace(database, "COMMIT");
  insert_intent.emplace(
      database, "INSERT INTO intent(seq, row, attempt, at_ms, nonce) VALUES(?1, ?2, ?3, ?4, ?5)");
  insert_outcome.emplace(database, std::string("INSERT INTO outcome(seq, ") + kOutcomeColumns +
                                       ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, "
                                       "?12, ?13)");
  sqlite3_wal_hook(
      database.handle,
      [](void* state, sqlite3*, const char*, int pages) {
        auto& self = *static_cast<State*>(state);
        if (pages < self.wal_pages) self.checkpoint_at = kCheckpointPages;  // it began anew
        self.wal_pages = pages;
        return SQLITE_OK;
      },
      this);
  wal_path = database.path + "-wal";
  if (!identity_of(wal_path, wal_identity)) {
    throw LedgerError(wal_path + ": is not there, though SQLite opened it");
  }
  sync_directory_of(database.path);
}

void SqliteLedger::State::require_writable() const {
  if (reading) throw LedgerError(database.path + ": is open for reading only");
  if (failed) {
    throw LedgerError(database.path + ": an earlier commit failed; nothing more is written to it");
  }
}

/// A record is durable only in a file that the next start will find.
void SqliteLedger::State::require_named() const {
  FileIdentity now;
  if (!identity_of(database.path, now) || now != identity) {
    throw LedgerError(database.path + ": the ledger was removed or replaced while running");
  }
  if (!identity_of(wal_path, now) || now != wal_identity) {
    throw LedgerError(wal_path + ": the ledger's log was removed while running");
  }
}

void SqliteLedger::State::insert(const Record& record) {
  ++seq;
  const auto row = static_cast<std::int64_t>(record.row.value);
  const std::int64_t attempt = record.attempt.value;
  if (record.kind == RecordKind::intent) {
    insert_intent->bind(1, seq);
    insert_intent->bind(2, row);
    insert_intent->bind(3, attempt);
    insert_intent->bind(4, number_of_at(record.at));
    insert_intent->bind(5, record.nonce.view());
    insert_intent->execute("write an intent");
    return;
  }
  insert_outcome->bind(1, seq);
  insert_outcome->bind(2, static_cast<std::int64_t>(record.kind));
  insert_outcome->bind(3, row);
  insert_outcome->bind(4, attempt);
  insert_outcome->bind(5, number_of_at(record.at));
  insert_outcome->bind(6, std::int64_t{record.http_status});
  insert_outcome->bind(7, static_cast<std::int64_t>(record.latency.count()));
  insert_outcome->bind(8, record.order_id);
  insert_outcome->bind(9, record.sag_id);
  insert_outcome->bind(10, record.request_id);
  insert_outcome->bind(11, record.code);
  insert_outcome->bind(12, record.message);
  insert_outcome->bind(13, record.evidence);
  insert_outcome->execute("write an outcome");
}

/// All of `write`, durable, or none and nothing ever after.
void SqliteLedger::State::transact(const std::function<void()>& write) {
  require_writable();
  if (std::exchange(renew, false) && before_new_log) before_new_log();
  failed = true;  // until it is durable
  try {
    kill_point("commit:before-begin");
    begin->execute("begin a commit");
    kill_point("commit:begun");
    write();
    kill_point("commit:written");
    commit->execute("commit");
    kill_point("commit:durable");
    require_named();
    checkpoint();
  } catch (const FileError& error) {
    abandon();
    throw LedgerError(error.what());
  } catch (...) {
    abandon();
    throw;
  }
  failed = false;
}

/// Ends a failed transaction, so that reading does not see what is not durable.
void SqliteLedger::State::abandon() const {
  for (const auto* held : {&begin, &commit, &insert_intent, &insert_outcome}) (**held).reset();
  sqlite3_exec(database.handle, "ROLLBACK", nullptr, nullptr, nullptr);
}

/// Moves what an earlier process left in the log into the file, before anything is built on it.
/// After a failed sync the system takes pages that never reached the disk for clean: they can be
/// read, a further sync says nothing of them, and only a fresh write makes them durable.
void SqliteLedger::State::take_in_log() {
  sqlite3_busy_timeout(database.handle, kReaderPatienceMs);
  kill_point("log:before-taken-in");
  const int code = sqlite3_wal_checkpoint_v2(database.handle, "main", SQLITE_CHECKPOINT_TRUNCATE,
                                             nullptr, nullptr);
  if ((code & 0xff) == SQLITE_BUSY) {
    throw LedgerBusy(database.path + ": somebody is reading it and does not end");
  }
  if (code != SQLITE_OK) database.fail("move its log into it");
  kill_point("log:taken-in");
}

/// Done here and not by SQLite itself, which would go on after an error of the disk.
void SqliteLedger::State::checkpoint() {
  if (wal_pages < checkpoint_at) return;
  checkpoint_at = wal_pages + kCheckpointPages;  // while a reader keeps the log from beginning anew
  renew = true;
  kill_point("checkpoint:before");
  const int code = sqlite3_wal_checkpoint_v2(database.handle, "main", SQLITE_CHECKPOINT_PASSIVE,
                                             nullptr, nullptr);
  if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY) database.fail("move its log into it");
  kill_point("checkpoint:after");
}

void SqliteLedger::State::index_outcomes() {
  if (last_outcome) return;
  if (!reading) {
    require_writable();
    kill_point("index:before");
    // Sorted in a file, since memory does not grow with the rows.
    database.run(
        "PRAGMA temp_store=FILE; CREATE INDEX IF NOT EXISTS outcome_row ON outcome(row);"
        "PRAGMA temp_store=MEMORY",
        "make an index of its rows");
    kill_point("index:made");
  }
  last_outcome.emplace(database, std::string("SELECT ") + kOutcomeColumns +
                                     " FROM outcome WHERE row = ?1 AND kind <> 5"
                                     " ORDER BY seq DESC LIMIT 1");
}

Record SqliteLedger::State::read_outcome(const Statement& statement) const {
  if (!is_kind(statement.number(0))) {
    throw LedgerError(database.path + ": is damaged: a record of an unknown kind");
  }
  Record record;
  record.kind = static_cast<RecordKind>(statement.number(0));
  record.row = Row{static_cast<std::uint64_t>(statement.number(1))};
  record.attempt = Attempt{static_cast<std::uint32_t>(statement.number(2))};
  read_outcome_texts(statement, 3, record);
  return record;
}

SqliteLedger::SqliteLedger(std::unique_ptr<State> state) : state_(std::move(state)) {}

namespace {

/// SQLite's log goes by the file's name: under a second name it would not be found.
void require_one_name(const Fd& file, const std::string& path) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw file_error(path, "look at it", errno);
  if (status.st_nlink <= 1) return;
  throw LedgerError(path + ": has a second name (a hard link); remove the other name first");
}

/// SQLite would remove such a link, or say no more than that it cannot open it.
void refuse_links_beside(const std::string& path) {
  for (const char* end : {"-wal", "-shm", "-journal"}) refuse_link(path + end);
}

}  // namespace

SqliteLedger::SqliteLedger(const std::string& path) : state_(std::make_unique<State>()) {
  State& state = *state_;
  state.database.path = sqlite_path(path);
  const std::string& name = state.database.path;
  try {
    state.lock = open_private(name, O_RDWR | O_CREAT);
    if (judge_hold({.locked_by_another = !try_lock(state.lock, name)})) {
      throw LedgerBusy(path + ": another sagorder is at work with this ledger");
    }
    state.identity = identity_of(state.lock, name);
    require_one_name(state.lock, name);
    refuse_links_beside(name);
    state.open(SQLITE_OPEN_READWRITE, name);
    state.check_or_create();
    state.take_in_log();
    int moved = 0;
    sqlite3_file_control(state.database.handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    FileIdentity named;
    if (moved != 0 || !identity_of(name, named) || named != state.identity) {
      throw LedgerError(name + ": was replaced while it was being opened");
    }
    state.prepare();
  } catch (const FileError& error) {
    throw LedgerError(error.what());
  }
}

std::unique_ptr<SqliteLedger> SqliteLedger::open_for_reading(const std::string& path) {
  auto state = std::make_unique<State>();
  const std::string name = sqlite_path(path);
  state->database.path = name;
  state->reading = true;
  struct stat status {};
  // Not opened here: closing that descriptor would drop the locks of SQLite in this process.
  if (::lstat(name.c_str(), &status) != 0) {
    throw LedgerError(file_error(name, "open the ledger", errno).what());
  }
  if (S_ISLNK(status.st_mode)) {
    throw LedgerError(name + ": is a symbolic link; name the file that it points to");
  }
  if (!S_ISREG(status.st_mode)) throw LedgerError(name + ": is not a regular file");
  if (status.st_size == 0) throw LedgerError(name + ": is no sagorder ledger; it is empty");
  // Without a log nobody has anything to say beyond the file: read it as it is, since SQLite would
  // make a log and its index beside it to read a file in WAL mode.
  const bool logged = ::stat((name + "-wal").c_str(), &status) == 0 && status.st_size > 0;
  if (logged) {
    state->open(SQLITE_OPEN_READONLY, name);
  } else {
    state->open(SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, sqlite_uri(name) + "?immutable=1");
  }
  state->check_format();
  state->check_kinds();
  state->prepare();
  return std::unique_ptr<SqliteLedger>(new SqliteLedger(std::move(state)));
}

SqliteLedger::~SqliteLedger() = default;

bool SqliteLedger::created() const { return state_->created; }

std::string SqliteLedger::place() const { return state_->database.path; }

Facts SqliteLedger::facts() {
  Facts facts;
  const Statement select(state_->database, "SELECT name, value FROM meta");
  while (select.step("read its facts")) {
    facts.emplace(std::string(select.text(0)), std::string(select.text(1)));
  }
  return facts;
}

void SqliteLedger::set_facts(const Facts& facts) {
  state_->require_writable();
  const Statement insert(state_->database,
                         "INSERT OR REPLACE INTO meta(name, value) VALUES(?1, coalesce(?2, ''))");
  kill_point("facts:before");
  state_->transact([&] {
    for (const auto& [name, value] : facts) {
      insert.bind(1, name);
      insert.bind(2, value);
      insert.execute("write a fact");
      kill_point("facts:one-written");
    }
  });
  kill_point("facts:durable");
}

void SqliteLedger::before_new_log(const std::function<void()>& renew) {
  state_->before_new_log = renew;
}

void SqliteLedger::commit(std::span<const Record> records) {
  state_->transact([&] {
    for (const Record& record : records) {
      state_->insert(record);
      kill_point("commit:record-written");
    }
  });
}

namespace {

/// The columns that both tables of a merge begin with.
constexpr int kSeqColumn = 0;
constexpr int kRowColumn = 1;
constexpr int kAttemptColumn = 2;

void require_row_and_attempt(const Database& database, std::int64_t seq, const Step& step,
                             std::int64_t attempt) {
  const auto row = static_cast<std::int64_t>(step.row.value);
  if (row >= 1 && attempt >= 1 && attempt <= UINT32_MAX) return;
  throw LedgerError(database.path + ": is damaged: record " + std::to_string(seq) +
                    " has a row or an attempt that cannot be");
}

/// Visits the records of both tables in the order of commits. Each statement's first columns are
/// seq, row and attempt; the outcomes' fourth is the kind.
void merge(const Database& database, const Statement& intents, const Statement& outcomes,
           const std::function<void(const Step&, const Statement& from)>& visit) {
  bool more_intents = intents.step("read its intents");
  bool more_outcomes = outcomes.step("read its outcomes");
  for (std::int64_t seq = 1; more_intents || more_outcomes; ++seq) {
    const bool intent = more_intents && intents.number(kSeqColumn) == seq;
    const bool outcome = more_outcomes && outcomes.number(kSeqColumn) == seq;
    if (intent == outcome) {  // neither has it, or both
      throw LedgerError(database.path + ": is damaged: record " + std::to_string(seq) +
                        (intent ? " is there twice" : " is missing"));
    }
    const Statement& from = intent ? intents : outcomes;
    const std::int64_t kind = intent ? 0 : from.number(3);
    if (!is_kind(kind) || (kind == 0) != intent) {
      throw LedgerError(database.path + ": is damaged: record " + std::to_string(seq) +
                        " is of an unknown kind");
    }
    const std::int64_t attempt = from.number(kAttemptColumn);
    const Step step{static_cast<RecordKind>(kind),
                    Row{static_cast<std::uint64_t>(from.number(kRowColumn))},
                    Attempt{static_cast<std::uint32_t>(attempt)}};
    require_row_and_attempt(database, seq, step, attempt);
    visit(step, from);
    (intent ? more_intents : more_outcomes) = from.step("read its records");
  }
}

}  // namespace

void SqliteLedger::replay(const std::function<void(const Step&)>& visit) {
  const Database& database = state_->database;
  const Snapshot snapshot(database);
  const Statement intents(database, "SELECT seq, row, attempt FROM intent ORDER BY seq");
  const Statement outcomes(database, "SELECT seq, row, attempt, kind FROM outcome ORDER BY seq");
  merge(database, intents, outcomes, [&](const Step& step, const Statement&) { visit(step); });
}

void SqliteLedger::add_references(std::span<const std::pair<Row, std::string>> references) {
  const Database& database = state_->database;
  state_->require_writable();
  database.run(
      "CREATE TABLE IF NOT EXISTS reference(row INTEGER PRIMARY KEY, value TEXT NOT NULL) STRICT",
      "make the table of References");
  const Statement insert(database, "INSERT OR REPLACE INTO reference(row, value) VALUES(?1, ?2)");
  state_->transact([&] {
    for (const auto& [row, value] : references) {
      insert.bind(1, static_cast<std::int64_t>(row.value));
      insert.bind(2, value);
      insert.execute("write a Reference");
    }
  });
}

void SqliteLedger::references(const std::function<void(Row, std::string_view)>& visit) {
  const Statement select(state_->database, "SELECT row, value FROM reference ORDER BY row");
  while (select.step("read its References")) {
    if (select.number(0) < 1) {
      throw LedgerError(state_->database.path + ": is damaged: a Reference of no row");
    }
    visit(Row{static_cast<std::uint64_t>(select.number(0))}, select.text(1));
  }
}

void SqliteLedger::records(const std::function<void(const Record&)>& visit) {
  const Database& database = state_->database;
  const Snapshot snapshot(database);
  const Statement intents(database,
                          "SELECT seq, row, attempt, at_ms, nonce FROM intent ORDER BY seq");
  const Statement outcomes(database,
                           "SELECT seq, row, attempt, kind, at_ms, http_status, latency_ms, "
                           "order_id, sag_id, request_id, code, message, evidence "
                           "FROM outcome ORDER BY seq");
  Record intent;  // each has what the other has not, and keeps its storage
  Record outcome;
  merge(database, intents, outcomes, [&](const Step& step, const Statement& from) {
    const bool begins = step.kind == RecordKind::intent;
    Record& record = begins ? intent : outcome;
    record.kind = step.kind;
    record.row = step.row;
    record.attempt = step.attempt;
    if (begins) {
      record.at = WallTime(milliseconds(from.number(3)));
      record.nonce = nonce_of(from.text(4));
    } else {
      read_outcome_texts(from, 4, record);
    }
    visit(record);
  });
}

std::optional<Record> SqliteLedger::outcome_of(Row row) {
  state_->index_outcomes();
  const Statement& select = *state_->last_outcome;
  select.reset();
  select.bind(1, static_cast<std::int64_t>(row.value));
  std::optional<Record> record;
  if (select.step("read an outcome")) record = state_->read_outcome(select);
  select.reset();
  return record;
}

void SqliteLedger::intents(const std::function<void(const Record&)>& visit) {
  const Statement select(state_->database,
                         "SELECT row, attempt, at_ms, nonce FROM intent ORDER BY seq");
  while (select.step("read its intents")) {
    Record record;
    record.row = {static_cast<std::uint64_t>(select.number(0))};
    record.attempt = {static_cast<std::uint32_t>(select.number(1))};
    record.at = WallTime(milliseconds(select.number(2)));
    record.nonce = nonce_of(select.text(3));
    visit(record);
  }
}

void SqliteLedger::outcomes(const std::function<void(const Record&)>& visit) {
  const Statement select(state_->database, std::string("SELECT ") + kOutcomeColumns +
                                               " FROM outcome WHERE kind <> 5 ORDER BY seq");
  while (select.step("read its outcomes")) visit(state_->read_outcome(select));
}

}  // namespace sagorder::io
