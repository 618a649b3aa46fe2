#include "io/postgres_schema.hpp"

#include <fmt/format.h>

#include <array>

#include "engine/life.hpp"
#include "io/ledger.hpp"

namespace sagorder::io {
namespace {

constexpr std::int64_t kMigrationLock = 0x5361676f72646572;  // "Sagorder"

// The numbers in the tables; `kind` names them.
static_assert(static_cast<int>(RecordKind::intent) == 0);
static_assert(static_cast<int>(RecordKind::not_executed) == 1);
static_assert(static_cast<int>(RecordKind::placed) == 2);
static_assert(static_cast<int>(RecordKind::rejected) == 3);
static_assert(static_cast<int>(RecordKind::in_doubt) == 4);
static_assert(static_cast<int>(RecordKind::replay) == 5);
static_assert(static_cast<int>(RecordKind::resolved_placed) == 6);
static_assert(static_cast<int>(RecordKind::resolved_not_placed) == 7);

constexpr const char* kVersion1 = R"sql(
CREATE SCHEMA sagorder;
COMMENT ON SCHEMA sagorder IS 'what was or may have been ordered; keep it';
CREATE TABLE sagorder.version(version integer NOT NULL);
CREATE TABLE sagorder.kind(id smallint PRIMARY KEY, name text NOT NULL);
INSERT INTO sagorder.kind(id, name) VALUES (0, 'intent'), (1, 'not_executed'), (2, 'placed'),
  (3, 'rejected'), (4, 'in_doubt'), (5, 'replay'), (6, 'resolved_placed'),
  (7, 'resolved_not_placed');
CREATE SEQUENCE sagorder.commit_number;

CREATE TABLE sagorder.run(
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  input_sha256 text NOT NULL UNIQUE,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  holder integer,
  orders bigint NOT NULL DEFAULT 0, seats bigint NOT NULL DEFAULT 0,
  seat_months bigint NOT NULL DEFAULT 0);
COMMENT ON COLUMN sagorder.run.orders IS 'reserved of --max-orders by the hosts that are at work';
CREATE TABLE sagorder.fact(
  run integer NOT NULL REFERENCES sagorder.run ON DELETE CASCADE,
  name text NOT NULL, value text NOT NULL, PRIMARY KEY (run, name));
CREATE TABLE sagorder.reference(
  run integer NOT NULL REFERENCES sagorder.run ON DELETE CASCADE,
  "row" bigint NOT NULL, value text NOT NULL, PRIMARY KEY (run, "row"));
CREATE TABLE sagorder.host(
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run integer NOT NULL REFERENCES sagorder.run ON DELETE CASCADE,
  name text NOT NULL, process integer NOT NULL,
  begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  heartbeat_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  left_at timestamptz, fenced_at timestamptz);
CREATE TABLE sagorder.range(
  run integer NOT NULL REFERENCES sagorder.run ON DELETE CASCADE,
  "first" bigint NOT NULL, "last" bigint NOT NULL,
  host integer REFERENCES sagorder.host, done boolean NOT NULL DEFAULT false,
  PRIMARY KEY (run, "first"));
CREATE INDEX ON sagorder.range(run, "first") WHERE NOT done;
CREATE TABLE sagorder.rate(
  account text PRIMARY KEY,
  level double precision NOT NULL, at timestamptz NOT NULL,
  factor double precision NOT NULL DEFAULT 1,
  paused_until timestamptz NOT NULL DEFAULT '-infinity',
  per_second double precision NOT NULL, capacity double precision NOT NULL);

CREATE TABLE sagorder.attempt(
  run integer NOT NULL, "row" bigint NOT NULL, number integer NOT NULL,
  host integer NOT NULL, seq bigint NOT NULL, at_ms bigint NOT NULL, nonce text NOT NULL,
  PRIMARY KEY (run, "row", number)) PARTITION BY LIST (run);
CREATE TABLE sagorder.outcome(
  run integer NOT NULL, "row" bigint NOT NULL, seq bigint NOT NULL, kind smallint NOT NULL,
  attempt integer NOT NULL, host integer NOT NULL, at_ms bigint NOT NULL, http_status integer,
  latency_ms bigint, order_id text, sag_id text, request_id text, code text, message text,
  evidence text, PRIMARY KEY (run, "row", seq)) PARTITION BY LIST (run);

CREATE VIEW sagorder.orders AS
SELECT last.run, last.row,
  CASE WHEN last.kind = 0 THEN 'intended'
       WHEN last.kind IN (2, 6) THEN 'placed'
       WHEN last.kind = 3 THEN 'rejected'
       WHEN last.kind = 4 THEN 'in_doubt'
       ELSE 'pending' END AS state,
  last.attempt AS attempts, o.order_id, o.sag_id, o.request_id, o.code, o.message, o.http_status,
  o.latency_ms, to_timestamp(last.at_ms / 1000.0) AS at, h.name AS host, o.evidence
FROM (SELECT DISTINCT ON (run, "row") * FROM (
        SELECT run, "row", seq, 0 AS kind, number AS attempt, at_ms, host FROM sagorder.attempt
        UNION ALL
        SELECT run, "row", seq, kind, attempt, at_ms, host FROM sagorder.outcome WHERE kind <> 5
      ) AS every ORDER BY run, "row", seq DESC) AS last
LEFT JOIN sagorder.outcome AS o
  ON last.kind <> 0 AND o.run = last.run AND o.row = last.row AND o.seq = last.seq
LEFT JOIN sagorder.host AS h ON h.id = last.host;
)sql";

// A run of a batch lasts while hosts are at work: what they have in common, and what of the limits
// each of them holds (engine/share). Which batch used a plan stays known when that batch is
// removed.
constexpr const char* kVersion2 = R"sql(
ALTER TABLE sagorder.run
  ADD COLUMN number integer NOT NULL DEFAULT 0,
  ADD COLUMN terms text,
  ADD COLUMN bound boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN sagorder.run.number IS 'of the run that is or was going on, counted';
COMMENT ON COLUMN sagorder.run.terms IS 'what its hosts have in common; null: none has said it';
COMMENT ON COLUMN sagorder.run.bound IS 'by limits that are those of all its hosts together';
COMMENT ON COLUMN sagorder.run.orders IS 'of --max-orders, what its hosts hold';
ALTER TABLE sagorder.host
  ADD COLUMN run_number integer NOT NULL DEFAULT 0,
  ADD COLUMN asked bigint NOT NULL DEFAULT 0,
  ADD COLUMN orders bigint NOT NULL DEFAULT 0,
  ADD COLUMN seats bigint NOT NULL DEFAULT 0,
  ADD COLUMN seat_months bigint NOT NULL DEFAULT 0,
  ADD COLUMN spent_orders bigint NOT NULL DEFAULT 0,
  ADD COLUMN spent_seats bigint NOT NULL DEFAULT 0,
  ADD COLUMN spent_seat_months bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN sagorder.host.asked IS 'the last ask for a share of the limits, counted';
COMMENT ON COLUMN sagorder.host.orders IS 'that it holds: spent, under way, and may begin';
CREATE TABLE sagorder.plan(
  digest text PRIMARY KEY, ledger_id text NOT NULL, output text NOT NULL,
  used_at timestamptz NOT NULL DEFAULT clock_timestamp());
COMMENT ON TABLE sagorder.plan IS 'which batch used a plan of run --plan';
)sql";

constexpr std::array kVersions = {kVersion1, kVersion2};
static_assert(kVersions.size() == kSchemaVersion);

/// 0: there is no schema.
int version_of(Postgres& database) {
  constexpr std::string_view kWhat = "look at its tables";
  // By the tables of the catalogue: to_regclass may answer out of what was known before the lock.
  const PgRows known = database.query(
      "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = 'sagorder' AND tablename = "
      "'version'), EXISTS (SELECT FROM pg_namespace WHERE nspname = 'sagorder')",
      kWhat);
  const std::string tail = "; it is left alone. Name another database with --ledger";
  if (!known.is_true(0, 0)) {
    if (!known.is_true(0, 1)) return 0;
    throw LedgerError(database.name() + ": has a schema `sagorder` that is no ledger's" + tail);
  }
  const PgRows version = database.query("SELECT version FROM sagorder.version", kWhat);
  if (version.count() != 1) {
    throw LedgerError(database.name() + ": does not say of what version its tables are" + tail);
  }
  const auto number = static_cast<int>(version.number(0, 0));
  if (number > kSchemaVersion || number < 1) {
    throw LedgerError(database.name() + ": its tables are of version " + std::to_string(number) +
                      "; this sagorder knows version " + std::to_string(kSchemaVersion) +
                      ", use the one that made them");
  }
  return number;
}

}  // namespace

void migrate(Postgres& database) {
  if (version_of(database) == kSchemaVersion) return;
  constexpr std::string_view kWhat = "make its tables";
  database.run("BEGIN", kWhat);
  database.query("SELECT pg_advisory_xact_lock($1)", PgValues().number(kMigrationLock), kWhat);
  for (int version = version_of(database); version < kSchemaVersion; ++version) {
    database.run(kVersions[static_cast<std::size_t>(version)], kWhat);
    database.query("DELETE FROM sagorder.version", kWhat);
    database.query("INSERT INTO sagorder.version(version) VALUES ($1)",
                   PgValues().number(version + 1), kWhat);
  }
  database.run("COMMIT", kWhat);
}

bool has_schema(Postgres& database) { return version_of(database) > 0; }

/// Made apart and then attached: nobody who reads or writes other batches has to wait for it.
void add_partitions(Postgres& database, std::int64_t run) {
  for (const std::string_view table : {"sagorder.attempt", "sagorder.outcome"}) {
    const std::string part = fmt::format("{}_{}", table, run);
    database.run(fmt::format("CREATE TABLE {0} (LIKE {1} INCLUDING ALL);"
                             "ALTER TABLE {1} ATTACH PARTITION {0} FOR VALUES IN ({2})",
                             part, table, run),
                 "make the tables of a batch");
  }
}

}  // namespace sagorder::io
