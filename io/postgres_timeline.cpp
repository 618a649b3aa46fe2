#include "io/postgres_timeline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace sagorder::io {
namespace {

constexpr std::string_view kWaits = " waits for a standby";
constexpr std::string_view kWhat = "note which server keeps it";

/// Up to the next /, which goes, too.
std::string_view cut_part(std::string_view& text) {
  const std::string_view part = text.substr(0, text.find('/'));
  text.remove_prefix(std::min(part.size() + 1, text.size()));
  return part;
}

}  // namespace

PostgresTimeline::PostgresTimeline(Postgres& database) {
  // The first eight digits of a log's name are its timeline.
  const PgRows now = database.query(
      "SELECT (SELECT system_identifier FROM pg_control_system()), "
      "left(pg_walfile_name(pg_current_wal_lsn()), 8), 'sagorder.attempt'::regclass::oid, "
      "current_setting('synchronous_standby_names') <> ''",
      "ask which server it is");
  cluster_ = now.text(0, 0);
  timeline_ = now.text(0, 1);
  tables_ = now.number(0, 2);
  waits_ = now.is_true(0, 3);
}

PostgresTimeline::PostgresTimeline(std::string_view fact) : waits_(fact.ends_with(kWaits)) {
  if (waits_) fact.remove_suffix(kWaits.size());
  cluster_ = cut_part(fact);
  timeline_ = cut_part(fact);
  std::from_chars(fact.data(), fact.data() + fact.size(), tables_);
}

std::string PostgresTimeline::fact() const {
  return fmt::format("{}/{}{}", name(), tables_, waits_ ? kWaits : "");
}

std::string PostgresTimeline::why_forgetful(const PostgresTimeline& later) const {
  if (later.cluster_ != cluster_ || (tables_ != 0 && later.tables_ != tables_)) {
    return "its tables were restored from a copy, which lacks what was written since";
  }
  if (later.timeline_ == timeline_ || waits_) return {};
  return fmt::format("its server failed over ({} to {}) to a standby that no commit had waited for",
                     name(), later.name());
}

void PostgresTimeline::note(Postgres& database, std::int64_t run, std::string_view digest) const {
  constexpr const char* kSet =
      "INSERT INTO sagorder.fact(run, name, value) VALUES ($1, $2, $3) "
      "ON CONFLICT (run, name) DO UPDATE SET value = excluded.value";
  const auto of_run = [run] { return PgValues().number(run); };
  database.run("BEGIN", kWhat);
  const PgRows batch = database.query(
      "SELECT FROM sagorder.run WHERE id = $1 AND input_sha256 = $2 FOR NO KEY UPDATE",
      of_run().text(digest), kWhat);
  if (batch.count() == 0) refuse_as_forgetful(database, "the batch is not there any more");
  const PgRows known =
      database.query("SELECT value FROM sagorder.fact WHERE run = $1 AND name = $2",
                     of_run().text(kFactServer), kWhat);
  if (known.count() > 0) {
    const std::string why = PostgresTimeline(known.text(0, 0)).why_forgetful(*this);
    if (!why.empty()) {
      database.query(
          "INSERT INTO sagorder.fact(run, name, value) SELECT $1, $2, $3 WHERE EXISTS (SELECT FROM "
          "sagorder.fact WHERE run = $1 AND name NOT IN ($4, 'host_life')) "
          "ON CONFLICT (run, name) DO UPDATE SET value = excluded.value",
          of_run().text(kFactFailover).text(why).text(kFactServer), kWhat);
    }
  }
  database.query(kSet, of_run().text(kFactServer).text(fact()), kWhat);
  database.run("COMMIT", kWhat);
}

std::string PostgresTimeline::look(Postgres& database, std::int64_t run) {
  const PgRows known = database.query(
      "SELECT value FROM sagorder.fact WHERE run = $1 AND name = $2 AND NOT pg_is_in_recovery()",
      PgValues().number(run).text(kFactServer), "ask which server kept it");
  if (known.count() == 0) return {};
  return PostgresTimeline(known.text(0, 0)).why_forgetful(PostgresTimeline(database));
}

std::string commits_missing(const Facts& facts) {
  const auto found = facts.find(kFactFailover);
  return found == facts.end() ? std::string() : found->second;
}

void mark_forgetful(Postgres& database, std::int64_t run, std::string_view digest,
                    std::string_view why) {
  database.query(
      "INSERT INTO sagorder.fact AS f (run, name, value) SELECT id, $3, $4 FROM sagorder.run "
      "WHERE id = $1 AND input_sha256 = $2 "
      "ON CONFLICT (run, name) DO UPDATE SET value = excluded.value WHERE f.value = ''",
      PgValues().number(run).text(digest).text(kFactFailover).text(why),
      "mark that records are missing");
}

void refuse_as_forgetful(const Postgres& database, std::string_view why) {
  throw RecordsLost(fmt::format(
      "{}: {}: the last orders may be forgotten. Nothing more is sent, by whichever host, before "
      "somebody has looked",
      database.name(), why));
}

}  // namespace sagorder::io
