#include "io/postgres_hosts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "io/postgres_seen.hpp"
#include "io/postgres_timeline.hpp"
#include "io/settings.hpp"

namespace sagorder::io {
namespace {

constexpr milliseconds kAskPatience{3'000};  // for an answer; then a host says that it has none

// A host is not alive: it left, was fenced, or was not heard of for its life ($3, milliseconds). A
// range that this host has, and was not told of ($5: those it was), is as good as free.
constexpr const char* kClaimRange = R"sql(
WITH chosen AS (
  SELECT r."first" FROM sagorder.range AS r LEFT JOIN sagorder.host AS h ON h.id = r.host
  WHERE r.run = $1 AND NOT r.done AND r."first" <= $4
    AND (r.host IS NULL OR (r.host = $2 AND r."first" <> ALL ($5)) OR h.left_at IS NOT NULL OR h.fenced_at IS NOT NULL
         OR h.heartbeat_at < clock_timestamp() - $3 * interval '1 millisecond')
  ORDER BY r.host IS NOT NULL, r."first" LIMIT 1 FOR UPDATE OF r SKIP LOCKED)
UPDATE sagorder.range AS r SET host = $2 FROM chosen
WHERE r.run = $1 AND r."first" = chosen."first"
  AND EXISTS (SELECT FROM sagorder.host AS h, sagorder.run AS b WHERE h.id = $2 AND b.id = $1
    AND h.fenced_at IS NULL AND (h.run_number = b.number OR NOT b.bound))
RETURNING r."first", r."last")sql";

// Whether a range is done, by the last records of its rows: how many have one, less those that it
// lets be tried again (not_executed, resolved_not_placed), and those that are under way at another
// host that is alive. $1 run, $2 this host, $3 a host's life, $4 rows that are no orders.
constexpr const char* kIsDone = R"sql((
  SELECT count(*) FILTER (WHERE last.kind NOT IN (1, 7) AND (last.kind <> 0 OR last.host = $2
      OR h.left_at IS NOT NULL OR h.fenced_at IS NOT NULL
      OR h.heartbeat_at < clock_timestamp() - $3 * interval '1 millisecond'))
    >= r."last" - r."first" + 1 - $4
  FROM (SELECT DISTINCT ON ("row") "row", kind, host FROM (
          SELECT "row", seq, 0 AS kind, host FROM sagorder.attempt
          WHERE run = $1 AND "row" BETWEEN r."first" AND r."last"
          UNION ALL
          SELECT "row", seq, kind, host FROM sagorder.outcome
          WHERE run = $1 AND "row" BETWEEN r."first" AND r."last" AND kind <> 5) AS every
        ORDER BY "row", seq DESC) AS last LEFT JOIN sagorder.host AS h ON h.id = last.host))sql";

// The heartbeat and the bucket in one statement, on the database's clock. The bucket is
// engine/account's arithmetic: `level` are tokens that were given and that time has not paid for.
// Rows are locked in one order by all: run, host, rate. Of a run that is bound by limits a host of
// an earlier one gets nothing.
constexpr const char* kLease = R"sql(
WITH beat AS (
  UPDATE sagorder.host AS h SET heartbeat_at = clock_timestamp() FROM sagorder.run AS r
  WHERE h.id = $2 AND r.id = $1 AND h.fenced_at IS NULL AND h.left_at IS NULL
    AND (h.run_number = r.number OR NOT r.bound) AND NOT EXISTS (
      SELECT FROM sagorder.fact WHERE run = $1 AND name = 'failover' AND value <> '')
  RETURNING h.id),
bucket AS MATERIALIZED (
  SELECT r.*, greatest(clock_timestamp(), r.at) AS now
  FROM sagorder.rate AS r, beat WHERE r.account = $3 FOR UPDATE OF r),
passed AS (
  SELECT *, extract(epoch FROM now - at)::float8 AS elapsed,
    (per_second = $4::float8 AND capacity = $5::float8)
      OR at < now - $11 * interval '1 millisecond' AS agreed FROM bucket),
paid AS (
  SELECT *, greatest(0, level - per_second * factor * elapsed) AS left_level,
    least(greatest($8::float8, $7::float8),
      CASE WHEN now >= paused_until THEN least(1, factor + $6::float8 * elapsed) ELSE factor END)
      AS new_factor,
    greatest(paused_until, now + $9 * interval '1 microsecond') AS new_pause FROM passed
  WHERE agreed),
given AS (
  SELECT *, CASE WHEN new_pause > now THEN 0 WHEN $4::float8 = 0 THEN $10
                 ELSE least($10, greatest(0, floor($5::float8 - left_level)))::bigint END AS tokens
  FROM paid),
drawn AS (
  UPDATE sagorder.rate AS r SET level = given.left_level + given.tokens, at = given.now,
    factor = given.new_factor, paused_until = given.new_pause, per_second = $4::float8,
    capacity = $5::float8
  FROM given WHERE r.account = given.account RETURNING given.*)
SELECT drawn.tokens, drawn.new_factor,
  (extract(epoch FROM greatest(interval '0', drawn.new_pause - drawn.now)) * 1e6)::bigint
FROM drawn)sql";

constexpr const char* kLimits = R"sql(
SELECT orders, seats, seat_months, number FROM sagorder.run WHERE id = $1 FOR NO KEY UPDATE)sql";

// What this host ($2) holds, its run, and whether another one that lives holds what it has not
// spent. $1 batch, $3 a host's life, $4 the run.
constexpr const char* kHolding = R"sql(
SELECT h.orders, h.seats, h.seat_months, h.run_number, EXISTS (
    SELECT FROM sagorder.host AS o WHERE o.run = $1 AND o.id <> $2 AND o.run_number = $4
      AND o.left_at IS NULL AND o.fenced_at IS NULL
      AND o.heartbeat_at >= clock_timestamp() - $3 * interval '1 millisecond'
      AND (o.orders, o.seats, o.seat_months) <> (o.spent_orders, o.spent_seats, o.spent_seat_months))
FROM sagorder.host AS h WHERE h.id = $2)sql";

// Of a host ($2) and in the sum of all, which are of one run. $3: which ask of this host it is.
constexpr const char* kWriteShare = R"sql(
WITH before AS (
  SELECT h.* FROM sagorder.host AS h, sagorder.run AS r
  WHERE r.id = $1 AND h.id = $2 AND h.run_number = r.number AND h.asked < $3
    AND h.left_at IS NULL AND h.fenced_at IS NULL),
sum AS (
  UPDATE sagorder.run AS r SET orders = r.orders - before.orders + $4,
    seats = r.seats - before.seats + $5, seat_months = r.seat_months - before.seat_months + $6
  FROM before WHERE r.id = $1)
UPDATE sagorder.host AS h SET asked = $3, orders = $4, seats = $5, seat_months = $6,
  spent_orders = $7, spent_seats = $8, spent_seat_months = $9
FROM before WHERE h.id = before.id)sql";

/// A transaction, taken back unless it is committed. Of a process that stands still in the middle
/// of it the server takes it back, for others wait for the rows that it has locked.
class Transaction {
 public:
  Transaction(Postgres& database, std::string_view what) : database_(database), what_(what) {
    database_.run("BEGIN", what_);
  }
  ~Transaction() {
    if (committed_ || database_.lost()) return;
    try {
      database_.run("ROLLBACK", what_);
    } catch (const LedgerError&) {
      return;  // the next statement says why
    }
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit() {
    database_.run("COMMIT", what_);
    committed_ = true;
  }

 private:
  Postgres& database_;
  std::string_view what_;
  bool committed_ = false;
};

std::int64_t as_signed(std::uint64_t number) { return static_cast<std::int64_t>(number); }
std::uint64_t as_unsigned(std::int64_t number) { return static_cast<std::uint64_t>(number); }

/// The first columns of a row.
Share share_in(const PgRows& rows) {
  return {as_unsigned(rows.number(0, 0)), as_unsigned(rows.number(0, 1)),
          as_unsigned(rows.number(0, 2))};
}

/// What looks through all records of a batch is waited for as long as a commit.
class Patiently {
 public:
  explicit Patiently(Postgres& database) : database_(database) {
    database_.wait_for(kAnswerPatience);
  }
  ~Patiently() { database_.wait_for(kAskPatience); }
  Patiently(const Patiently&) = delete;
  Patiently& operator=(const Patiently&) = delete;

 private:
  Postgres& database_;
};

/// A number with a fraction, as text that is read back as the same.
std::string exactly(double number) { return fmt::format("{}", number); }

}  // namespace

PostgresHosts::PostgresHosts(const DatabaseAddress& address, std::string name, std::int64_t run,
                             std::int64_t host, milliseconds life, Check check)
    : database_(address, Postgres::Use::writing),
      run_(run),
      host_(host),
      life_(life),
      check_(std::move(check)) {
  database_.call_it(std::move(name));
  begin();
  database_.wait_for(kAskPatience);
}

Postgres& PostgresHosts::ready() {
  if (database_.lost()) {
    const std::string name = database_.name();
    checked_ = false;
    database_.connect_again();
    database_.call_it(name);
  }
  if (!checked_) check_(database_);
  checked_ = true;
  return database_;
}

void PostgresHosts::begin() {
  constexpr std::string_view kWhat = "join the hosts that are at work";
  Transaction transaction(database_, kWhat);
  database_.query("SELECT FROM sagorder.run WHERE id = $1 FOR NO KEY UPDATE", of_run(), kWhat);
  const milliseconds life = read_host_life(database_, run_).value_or(life_);
  const PgRows others = database_.query(
      "SELECT count(*) FROM sagorder.host WHERE run = $1 AND id <> $2 AND left_at IS NULL AND "
      "fenced_at IS NULL AND heartbeat_at >= clock_timestamp() - $3 * interval '1 millisecond'",
      of_run().number(host_).number(life.count()), kWhat);
  first_ = others.number(0, 0) == 0;
  if (!first_ && life != life_) refuse_life(life);
  if (first_) {
    database_.query(
        "INSERT INTO sagorder.fact(run, name, value) VALUES ($1, $2, $3) "
        "ON CONFLICT (run, name) DO UPDATE SET value = excluded.value",
        of_run().text(kFactHostLife).text(std::to_string(life_.count())), kWhat);
    database_.query(
        "UPDATE sagorder.run SET orders = 0, seats = 0, seat_months = 0, "
        "number = number + 1, terms = NULL, bound = false WHERE id = $1",
        of_run(), kWhat);
    static const std::string kSql = fmt::format(
        "UPDATE sagorder.range AS r SET host = NULL, done = {} WHERE r.run = $1", kIsDone);
    database_.wait_for(kReadingPatience);
    database_.query(kSql.c_str(), of_run().number(host_).number(life_.count()).number(0), kWhat);
  }
  database_.query(
      "UPDATE sagorder.host SET heartbeat_at = clock_timestamp(), left_at = NULL WHERE id = $1",
      PgValues().number(host_), kWhat);
  transaction.commit();
}

void PostgresHosts::refuse_life(milliseconds life) const {
  throw OtherTerms(fmt::format(
      "{}: the hosts that are at work with it go by --host-life {}, and this one was told {}",
      database_.name(), in_words(life), in_words(life_)));
}

void PostgresHosts::replace(std::span<const std::int64_t> hosts) {
  ready().query(
      "UPDATE sagorder.host SET left_at = clock_timestamp() WHERE run = $1 AND id = ANY ($2) AND "
      "id <> $3 AND left_at IS NULL",
      of_run().numbers(hosts).number(host_), "take the place of a process that ended");
  begin();
  database_.wait_for(kAskPatience);
}

void PostgresHosts::make_ranges(std::uint64_t rows, std::uint64_t canary) {
  constexpr std::string_view kWhat = "make the ranges of its rows";
  // Whoever makes them holds the batch's row: others wait, and then find them.
  Transaction transaction(ready(), kWhat);
  database_.query("SELECT FROM sagorder.run WHERE id = $1 FOR NO KEY UPDATE", of_run(), kWhat);
  database_.query(
      "INSERT INTO sagorder.range(run, \"first\", \"last\") SELECT $1, r.low, r.high FROM ("
      "SELECT 1 AS low, least($3, $2) AS high WHERE $3 > 0 UNION ALL "
      "SELECT b, least(b + $4 - 1, $2) FROM generate_series(least($3, $2) + 1, $2, $4) AS b) AS r "
      "WHERE NOT EXISTS (SELECT FROM sagorder.range WHERE run = $1)",
      of_run()
          .number(as_signed(rows))
          .number(as_signed(canary))
          .number(as_signed(range_rows(rows))),
      kWhat);
  if (canary > 0) cut_canary(as_signed(canary));
  transaction.commit();
}

/// The first rows are one range, so that one host has them, also where an earlier run's canary was
/// another one. No host has taken one of these ranges: each cuts them before it does, and all go by
/// one canary.
void PostgresHosts::cut_canary(std::int64_t canary) {
  constexpr std::string_view kWhat = "make a range of the first rows";
  const PgRows cut = database_.query(
      "DELETE FROM sagorder.range WHERE run = $1 AND \"first\" <= $2 AND NOT EXISTS (SELECT FROM "
      "sagorder.range WHERE run = $1 AND \"first\" = 1 AND \"last\" = $2) RETURNING \"last\"",
      of_run().number(canary), kWhat);
  if (cut.count() == 0) return;
  std::int64_t last = canary;
  for (int i = 0; i < cut.count(); ++i) last = std::max(last, cut.number(i, 0));
  database_.query(
      "INSERT INTO sagorder.range(run, \"first\", \"last\") SELECT $1, 1, $2 UNION ALL "
      "SELECT $1, $2 + 1, $3 WHERE $3 > $2",
      of_run().number(canary).number(last), kWhat);
}

bool PostgresHosts::has_run_begun() {
  const Patiently patiently(ready());
  return database_
      .query(
          "SELECT EXISTS (SELECT FROM sagorder.host AS h JOIN sagorder.run AS r ON h.run = r.id "
          "WHERE r.id = $1 AND h.run_number = r.number AND EXISTS ("
          "SELECT FROM sagorder.attempt AS a WHERE a.run = $1 AND a.host = h.id))",
          of_run(), "ask whether the run has begun")
      .is_true(0, 0);
}

/// A row of it was rejected or is in doubt, or its host died while it was under way.
bool PostgresHosts::has_canary_failed(std::uint64_t canary) {
  const PgRows failed = database_.query_prepared(
      "canary_failed",
      "SELECT EXISTS (SELECT FROM sagorder.orders AS o WHERE run = $1 AND \"row\" <= $2 AND state "
      "IN ('rejected', 'in_doubt')) OR EXISTS (SELECT FROM sagorder.attempt AS a JOIN "
      "sagorder.host AS h ON h.id = a.host WHERE a.run = $1 AND a.\"row\" <= $2 AND NOT EXISTS ("
      "SELECT FROM sagorder.outcome AS o WHERE o.run = $1 AND o.\"row\" = a.\"row\" AND "
      "o.attempt = a.number) AND (h.left_at IS NOT NULL OR h.fenced_at IS NOT NULL OR "
      "h.heartbeat_at < clock_timestamp() - $3 * interval '1 millisecond'))",
      of_run().number(as_signed(canary)).number(life_.count()), "look at the first rows");
  return failed.is_true(0, 0);
}

RangeAnswer PostgresHosts::claim_range(std::uint64_t canary, std::uint64_t left_out) {
  constexpr std::string_view kWhat = "take a range of rows";
  ready();
  std::int64_t furthest = as_signed(kNoLimit);
  if (canary > 0) {
    const PgRows placed = database_.query(
        "SELECT count(DISTINCT \"row\") FROM sagorder.outcome "
        "WHERE run = $1 AND \"row\" <= $2 AND kind IN (2, 6)",
        of_run().number(as_signed(canary)), kWhat);
    if (as_unsigned(placed.number(0, 0)) + left_out < canary) furthest = as_signed(canary);
    if (furthest <= as_signed(canary) && has_canary_failed(canary)) {
      return {std::nullopt, true, true};
    }
  }
  const PgRows claimed = database_.query_prepared(
      "claim_range", kClaimRange,
      of_run().number(host_).number(life_.count()).number(furthest).numbers(held_), kWhat);
  if (claimed.count() == 0) {
    const PgRows left = database_.query(
        "SELECT EXISTS (SELECT FROM sagorder.range WHERE run = $1 AND NOT done)", of_run(), kWhat);
    return {std::nullopt, !left.is_true(0, 0), false};
  }
  const std::int64_t first = claimed.number(0, 0);
  const std::int64_t last = claimed.number(0, 1);
  RangeAnswer answer;
  answer.range =
      ClaimedRange{Row{as_unsigned(first)}, Row{as_unsigned(last)}, steps_of(first, last)};
  if (std::ranges::find(held_, first) == held_.end()) held_.push_back(first);
  return answer;
}

std::vector<Step> PostgresHosts::steps_of(std::int64_t first, std::int64_t last) {
  const PgRows rows = database_.query_prepared(
      "steps_of",
      "SELECT * FROM (SELECT 0 AS kind, \"row\", number, seq FROM sagorder.attempt WHERE run = $1 "
      "AND \"row\" BETWEEN $2 AND $3 UNION ALL SELECT kind, \"row\", attempt, seq FROM "
      "sagorder.outcome WHERE run = $1 AND \"row\" BETWEEN $2 AND $3) AS every ORDER BY seq",
      of_run().number(first).number(last), "read the records of a range");
  std::vector<Step> steps;
  steps.reserve(static_cast<std::size_t>(rows.count()));
  for (int i = 0; i < rows.count(); ++i) {
    const std::int64_t kind = rows.number(i, 0);
    if (kind < 0 || kind >= kRecordKinds) {
      throw LedgerError(database_.name() + ": is damaged: a record of an unknown kind");
    }
    steps.push_back({static_cast<RecordKind>(kind), Row{as_unsigned(rows.number(i, 1))},
                     Attempt{static_cast<std::uint32_t>(rows.number(i, 2))}});
  }
  return steps;
}

bool PostgresHosts::end_range(Row first, std::uint64_t left_out) {
  static const std::string kSql = fmt::format(
      "UPDATE sagorder.range AS r SET host = NULL, done = {} WHERE r.run = $1 AND r.\"first\" = $5 "
      "AND r.host = $2 RETURNING done",
      kIsDone);
  constexpr std::string_view kWhat = "give a range of rows back";
  // Locked by a statement of its own: what is settled while that waits is seen by the next one.
  Postgres& database = ready();
  Transaction transaction(database, kWhat);
  database.query("SELECT FROM sagorder.range WHERE run = $1 AND \"first\" = $2 FOR UPDATE",
                 of_run().number(as_signed(first.value)), kWhat);
  const PgRows ended = database.query_prepared("end_range", kSql.c_str(),
                                               of_run()
                                                   .number(host_)
                                                   .number(life_.count())
                                                   .number(as_signed(left_out))
                                                   .number(as_signed(first.value)),
                                               kWhat);
  transaction.commit();
  std::erase(held_, as_signed(first.value));
  return ended.count() == 1 && ended.is_true(0, 0);
}

LeaseAnswer PostgresHosts::lease(const BucketTerms& terms, const LeaseAsk& ask) {
  constexpr std::string_view kWhat = "lease orders of the account's rate";
  LeaseAnswer answer;
  if (ask.share) answer.share = share(*ask.share, ask.limits);
  PgValues values = of_run();
  values.number(host_).text(terms.account);
  values.text(exactly(terms.per_second)).text(exactly(terms.capacity));
  values.text(exactly(terms.climb_per_second)).text(exactly(terms.factor_min));
  values.text(exactly(ask.factor));
  values.number(std::chrono::ceil<std::chrono::microseconds>(ask.paused_for).count());
  values.number(ask.tokens).number(life_.count());
  ready();
  PgRows given = database_.query_prepared("lease", kLease, values, kWhat);
  if (given.count() == 0) {  // the account's first, or it is refused
    database_.query(
        "INSERT INTO sagorder.rate(account, level, at, per_second, capacity) VALUES "
        "($1, 0, clock_timestamp(), $2::float8, $3::float8) ON CONFLICT DO NOTHING",
        PgValues()
            .text(terms.account)
            .text(exactly(terms.per_second))
            .text(exactly(terms.capacity)),
        kWhat);
    given = database_.query_prepared("lease", kLease, values, kWhat);
  }
  if (given.count() == 0) refuse_lease(terms);
  answer.tokens = static_cast<std::uint32_t>(given.number(0, 0));
  answer.factor = std::strtod(std::string(given.text(0, 1)).c_str(), nullptr);
  answer.paused_for = std::chrono::microseconds(given.number(0, 2));
  return answer;
}

void PostgresHosts::refuse_lease(const BucketTerms& terms) {
  const PgRows why = database_.query(
      "SELECT (SELECT fenced_at IS NULL AND left_at IS NULL FROM sagorder.host WHERE id = $1), "
      "(SELECT concat(per_second, '/s, and ', capacity, ' at once') FROM sagorder.rate WHERE "
      "account = $2), (SELECT value FROM sagorder.fact WHERE run = $3 AND name = 'failover'), "
      "EXISTS (SELECT FROM sagorder.host AS h JOIN sagorder.run AS r ON h.run = r.id "
      "WHERE h.id = $1 AND r.bound AND h.run_number <> r.number)",
      PgValues().number(host_).text(terms.account).number(run_), "ask why there is no lease");
  if (!why.text(0, 2).empty()) refuse_as_forgetful(database_, why.text(0, 2));
  if (!why.is_true(0, 0)) {
    throw Fenced(database_.name() +
                 ": this host was fenced: it was not heard of for so long that others took it for "
                 "dead, and settled what it had under way. It sends nothing more; the same command "
                 "begins anew");
  }
  if (why.is_true(0, 3)) refuse_as_of_earlier_run();
  throw OtherTerms(database_.name() + ": other hosts share the account at " +
                   std::string(why.text(0, 1)) + ", and this one was told " +
                   exactly(terms.per_second) + "/s, and " + exactly(terms.capacity) +
                   " at once; give all of them the same --rate and --burst");
}

void PostgresHosts::refuse_as_of_earlier_run() const {
  throw Fenced(
      database_.name() +
      ": this host was not heard of for so long that others took it for dead, and began a "
      "new run of the batch, whose limits are not its own. It sends nothing more; the same "
      "command joins them");
}

/// One after the other by the batch's row, in a transaction: what the others hold is what they hold
/// now. Who came late, behind a later ask of its own, changes nothing, and is told what nobody
/// reads.
ShareGrant PostgresHosts::share(const ShareAsk& ask, const Share& limits) {
  constexpr std::string_view kWhat = "ask for a share of the limits";
  Postgres& database = ready();
  ++asked_;
  Transaction transaction(database, kWhat);
  const PgRows run = database.query_prepared("limits", kLimits, of_run(), kWhat);
  const PgRows hosts = database.query_prepared(
      "holding", kHolding, of_run().number(host_).number(life_.count()).number(run.number(0, 3)),
      kWhat);
  if (run.count() == 0 || hosts.count() == 0) {
    throw LedgerError(database.name() + ": the batch was removed meanwhile");
  }
  if (hosts.number(0, 3) != run.number(0, 3)) refuse_as_of_earlier_run();
  // Where a server forgot what it had granted, more may be held than the limits allow.
  const Share others = share_in(run) - share_in(hosts);
  ShareGrant grant;
  grant.most = limits - least_of(limits, others);
  grant.held = granted(ask, grant.most);
  grant.more_may_come = hosts.is_true(0, 4);
  write_share(grant.held, ask.spent, kWhat);
  transaction.commit();
  return grant;
}

void PostgresHosts::write_share(const Share& held, const Share& spent, std::string_view what) {
  PgValues values = of_run();
  values.number(host_).number(asked_);
  for (const Share& each : {held, spent}) {
    values.number(as_signed(each.orders)).number(as_signed(each.seats));
    values.number(as_signed(each.seat_months));
  }
  database_.query_prepared("write_share", kWriteShare, values, what);
}

/// What was said by a host of the run before, which is over, is no more.
std::string PostgresHosts::agree(const std::string& terms, bool bound) {
  constexpr std::string_view kWhat = "agree with the other hosts";
  Postgres& database = ready();
  Transaction transaction(database, kWhat);
  const PgRows agreed = database.query(
      "UPDATE sagorder.run SET bound = CASE WHEN terms IS NULL THEN $3::int = 1 ELSE bound END, "
      "terms = coalesce(terms, $2) WHERE id = $1 RETURNING terms",
      of_run().text(terms).number(bound ? 1 : 0), kWhat);
  std::string first(agreed.text(0, 0));
  if (first == terms) {
    database.query(
        "UPDATE sagorder.host AS h SET run_number = r.number, orders = 0, seats = 0, seat_months = "
        "0, spent_orders = 0, spent_seats = 0, spent_seat_months = 0 FROM sagorder.run AS r WHERE "
        "h.id = $2 AND r.id = $1 AND h.run_number <> r.number",
        of_run().number(host_), kWhat);
  }
  transaction.commit();
  return first;
}

std::vector<HostSeen> PostgresHosts::hosts() {
  const Patiently patiently(ready());
  return read_hosts(database_, run_);
}

std::vector<OpenIntent> PostgresHosts::open_intents() {
  const Patiently patiently(ready());
  return read_open_intents(database_, run_);
}

bool PostgresHosts::fence(std::int64_t host) { return fence_host(ready(), run_, host); }

void PostgresHosts::leave(const std::optional<Share>& spent) {
  constexpr std::string_view kWhat = "leave the batch";
  if (spent) {
    Transaction transaction(ready(), kWhat);
    database_.query("SELECT FROM sagorder.run WHERE id = $1 FOR NO KEY UPDATE", of_run(), kWhat);
    ++asked_;
    write_share(*spent, *spent, kWhat);
    transaction.commit();
  }
  ready().query("UPDATE sagorder.range SET host = NULL WHERE run = $1 AND host = $2 AND NOT done",
                of_run().number(host_), kWhat);
  held_.clear();
  database_.query("UPDATE sagorder.host SET left_at = clock_timestamp() WHERE id = $1",
                  PgValues().number(host_), kWhat);
}

}  // namespace sagorder::io
