#include "io/postgres_timeline.hpp"

namespace sagorder::io {
namespace {

constexpr std::string_view kWaits = " waits for a standby";
constexpr std::string_view kWhat = "note which server keeps it";

}  // namespace

PostgresTimeline::PostgresTimeline(Postgres& database) {
  // The first eight digits of a log's name are its timeline.
  const PgRows now = database.query(
      "SELECT (SELECT system_identifier FROM pg_control_system()) || '/' || "
      "left(pg_walfile_name(pg_current_wal_lsn()), 8), "
      "current_setting('synchronous_standby_names') <> ''",
      "ask which server it is");
  name_ = now.text(0, 0);
  waits_ = now.is_true(0, 1);
}

PostgresTimeline::PostgresTimeline(const std::string& fact)
    : name_(fact), waits_(fact.ends_with(kWaits)) {
  if (waits_) name_.resize(name_.size() - kWaits.size());
}

std::string PostgresTimeline::fact() const { return name_ + std::string(waits_ ? kWaits : ""); }

void PostgresTimeline::note(Postgres& database, std::int64_t run) const {
  constexpr const char* kSet =
      "INSERT INTO sagorder.fact(run, name, value) VALUES ($1, $2, $3) "
      "ON CONFLICT (run, name) DO UPDATE SET value = excluded.value";
  const auto of_run = [run] { return PgValues().number(run); };
  database.run("BEGIN", kWhat);
  database.query("SELECT FROM sagorder.run WHERE id = $1 FOR NO KEY UPDATE", of_run(), kWhat);
  const PgRows known =
      database.query("SELECT value FROM sagorder.fact WHERE run = $1 AND name = $2",
                     of_run().text(kFactServer), kWhat);
  if (known.count() > 0) {
    const PostgresTimeline before{std::string(known.text(0, 0))};
    if (before.may_lack_commits(*this)) {
      database.query(
          "INSERT INTO sagorder.fact(run, name, value) SELECT $1, $2, $3 WHERE EXISTS (SELECT FROM "
          "sagorder.fact WHERE run = $1 AND name <> $4) "
          "ON CONFLICT (run, name) DO UPDATE SET value = excluded.value",
          of_run().text(kFactFailover).text(before.name_ + " to " + name_).text(kFactServer),
          kWhat);
    }
  }
  database.query(kSet, of_run().text(kFactServer).text(fact()), kWhat);
  database.run("COMMIT", kWhat);
}

}  // namespace sagorder::io
