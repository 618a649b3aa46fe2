#include "io/postgres_seen.hpp"

#include <fmt/format.h>

namespace sagorder::io {
namespace {

// $2: a host's life in milliseconds.
constexpr const char* kHostColumns =
    "h.id, h.name, h.process, (extract(epoch FROM h.begun_at) * 1000)::bigint, "
    "(extract(epoch FROM h.heartbeat_at) * 1000)::bigint, h.left_at IS NULL AND h.fenced_at IS "
    "NULL AND h.heartbeat_at >= clock_timestamp() - $2 * interval '1 millisecond', "
    "h.fenced_at IS NOT NULL, h.left_at IS NOT NULL";
constexpr int kHostColumnsCount = 8;

constexpr const char* kOpen =
    "sagorder.attempt AS a WHERE a.run = $1 AND NOT EXISTS (SELECT FROM sagorder.outcome AS o "
    "WHERE o.run = $1 AND o.\"row\" = a.\"row\" AND o.attempt = a.number)";

std::int64_t as_signed(std::uint64_t number) { return static_cast<std::int64_t>(number); }
std::uint64_t as_unsigned(std::int64_t number) { return static_cast<std::uint64_t>(number); }

milliseconds life_of(Postgres& database, std::int64_t run) {
  return read_host_life(database, run).value_or(kHostLife);
}

HostSeen host_of(const PgRows& rows, int row, int column, milliseconds life) {
  HostSeen host;
  host.life = life;
  host.id = rows.number(row, column);
  host.host = {std::string(rows.text(row, column + 1)), rows.number(row, column + 2)};
  host.begun = WallTime(milliseconds(rows.number(row, column + 3)));
  host.heartbeat = WallTime(milliseconds(rows.number(row, column + 4)));
  host.alive = rows.is_true(row, column + 5);
  host.fenced = rows.is_true(row, column + 6);
  host.left = rows.is_true(row, column + 7);
  return host;
}

/// Of rows that begin with a row and an attempt's number, and go on with kHostColumns.
std::vector<OpenIntent> open_of(const PgRows& rows, milliseconds life) {
  std::vector<OpenIntent> open;
  open.reserve(static_cast<std::size_t>(rows.count()));
  for (int i = 0; i < rows.count(); ++i) {
    open.push_back({Row{as_unsigned(rows.number(i, 0))},
                    Attempt{static_cast<std::uint32_t>(rows.number(i, 1))},
                    host_of(rows, i, 2, life)});
  }
  return open;
}

}  // namespace

std::optional<milliseconds> read_host_life(Postgres& database, std::int64_t run) {
  const PgRows said = database.query(
      "SELECT value::bigint FROM sagorder.fact WHERE run = $1 AND name = $2",
      PgValues().number(run).text(kFactHostLife), "ask how long a host is waited for");
  if (said.count() == 0) return std::nullopt;
  return milliseconds(said.number(0, 0));
}

std::vector<Step> read_steps(Postgres& database, std::int64_t run, Row row) {
  const PgRows rows = database.query_prepared(
      "read_steps",
      "SELECT * FROM (SELECT 0 AS kind, \"row\", number, seq FROM sagorder.attempt WHERE run = $1 "
      "AND \"row\" = $2 UNION ALL SELECT kind, \"row\", attempt, seq FROM "
      "sagorder.outcome WHERE run = $1 AND \"row\" = $2) AS every ORDER BY seq",
      PgValues().number(run).number(as_signed(row.value)), "read the records of a row");
  std::vector<Step> steps;
  steps.reserve(static_cast<std::size_t>(rows.count()));
  for (int i = 0; i < rows.count(); ++i) {
    const std::int64_t kind = rows.number(i, 0);
    if (kind < 0 || kind >= kRecordKinds) {
      throw LedgerError(database.name() + ": is damaged: a record of an unknown kind");
    }
    steps.push_back({static_cast<RecordKind>(kind), Row{as_unsigned(rows.number(i, 1))},
                     Attempt{static_cast<std::uint32_t>(rows.number(i, 2))}});
  }
  return steps;
}

std::vector<HostSeen> read_hosts(Postgres& database, std::int64_t run) {
  const milliseconds life = life_of(database, run);
  static const std::string kSql = fmt::format(
      "SELECT {}, (SELECT count(*) FROM {} AND a.host = h.id) FROM sagorder.host AS h "
      "WHERE h.run = $1 ORDER BY h.id",
      kHostColumns, kOpen);
  const PgRows rows = database.query(kSql.c_str(), PgValues().number(run).number(life.count()),
                                     "ask which hosts are at work");
  std::vector<HostSeen> hosts;
  hosts.reserve(static_cast<std::size_t>(rows.count()));
  for (int i = 0; i < rows.count(); ++i) {
    hosts.push_back(host_of(rows, i, 0, life));
    hosts.back().open_intents = as_unsigned(rows.number(i, kHostColumnsCount));
  }
  return hosts;
}

std::vector<OpenIntent> read_open_intents(Postgres& database, std::int64_t run) {
  const milliseconds life = life_of(database, run);
  static const std::string kSql = fmt::format(
      "SELECT a.\"row\", a.number, {} FROM (SELECT a.* FROM {}) AS a JOIN sagorder.host "
      "AS h ON h.id = a.host ORDER BY a.\"row\"",
      kHostColumns, kOpen);
  return open_of(database.query(kSql.c_str(), PgValues().number(run).number(life.count()),
                                "read what is under way"),
                 life);
}

std::optional<OpenIntent> read_under_way(Postgres& database, std::int64_t run, Row row) {
  const milliseconds life = life_of(database, run);
  // The last record of the row: an intent, or that the bytes are to be sent once more (replay).
  static const std::string kSql = fmt::format(
      "SELECT last.\"row\", last.number, {} FROM (SELECT * FROM (SELECT 0 AS kind, \"row\", "
      "number, host, seq FROM sagorder.attempt WHERE run = $1 AND \"row\" = $3 UNION ALL SELECT "
      "kind, \"row\", attempt, host, seq FROM sagorder.outcome WHERE run = $1 AND \"row\" = $3) "
      "AS every ORDER BY seq DESC LIMIT 1) AS last JOIN sagorder.host AS h ON h.id = last.host "
      "WHERE last.kind IN (0, 5)",
      kHostColumns);
  const auto open = open_of(
      database.query(kSql.c_str(),
                     PgValues().number(run).number(life.count()).number(as_signed(row.value)),
                     "read what is under way"),
      life);
  return open.empty() ? std::nullopt : std::optional(open.front());
}

/// Under a lock that no commit of the host's goes beside: what it commits is there by then, or is
/// refused. The heartbeat is looked at under the same lock.
bool fence_host(Postgres& database, std::int64_t run, std::int64_t host) {
  constexpr std::string_view kWhat = "fence a host";
  const milliseconds life = life_of(database, run);
  const PgValues which = PgValues().number(host).number(run);
  database.run("BEGIN", kWhat);
  database.query("SELECT FROM sagorder.host WHERE id = $1 AND run = $2 FOR UPDATE", which, kWhat);
  const PgRows fenced = database.query(
      "UPDATE sagorder.host SET fenced_at = coalesce(fenced_at, clock_timestamp()) WHERE id = $1 "
      "AND run = $2 AND (left_at IS NOT NULL OR fenced_at IS NOT NULL OR heartbeat_at < "
      "clock_timestamp() - $3 * interval '1 millisecond') RETURNING id",
      PgValues(which).number(life.count()), kWhat);
  database.run("COMMIT", kWhat);
  return fenced.count() == 1;
}

}  // namespace sagorder::io
