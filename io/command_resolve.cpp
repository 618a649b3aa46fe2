#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "io/commands.hpp"
#include "io/driver.hpp"
#include "io/file.hpp"
#include "io/kill_point.hpp"
#include "io/ledger_sqlite.hpp"
#include "io/results_file.hpp"
#include "io/standing.hpp"

namespace sagorder::io {
namespace {

Record record_of(const Resolution& resolution, Attempt attempt) {
  Record record;
  record.kind = resolution.placed ? RecordKind::resolved_placed : RecordKind::resolved_not_placed;
  record.row = resolution.row;
  record.attempt = attempt;
  record.at = now().wall;
  record.order_id = resolution.order_id;
  record.sag_id = resolution.sag_id;
  record.code = "Resolved";
  record.message = resolution.because;
  record.evidence = resolution.because;
  return record;
}

/// Commits and folds in what a crash left open, so that it can be resolved like any doubt.
void close_open_intents(SqliteLedger& ledger, Rows& rows) {
  const std::vector<Record> records = open_as_in_doubt(rows, now().wall);
  if (records.empty()) return;
  ledger.commit(records);
  for (const Record& record : records) rows.apply({record.kind, record.row, record.attempt});
}

void refuse_unless_there(const Rows& rows, Row row) {
  if (row.value >= 1 && row.value <= rows.count()) return;
  throw Refusal(ExitCode::usage,
                "the batch has " + std::to_string(rows.count()) + " rows, and no row " +
                    std::to_string(row.value),
                "`sagorder status` lists the rows in doubt");
}

void refuse_unless_in_doubt(const Rows& rows, Row row) {
  const State state = rows.state(row);
  if (state == State::in_doubt) return;
  throw Refusal(ExitCode::usage,
                "row " + std::to_string(row.value) + " is " + std::string(name_of(state)) +
                    "; only a row in doubt can be resolved",
                "`sagorder status` lists the rows in doubt");
}

/// An order is one row's. A number given by mistake would leave the other order forgotten.
void refuse_if_taken(Ledger& ledger, const Rows& rows, const Resolution& resolution) {
  if (!resolution.placed) return;
  ledger.outcomes([&](const Record& record) {
    const bool taken = record.order_id == resolution.order_id && record.row != resolution.row &&
                       rows.state(record.row) == State::placed;
    if (!taken) return;
    throw Refusal(ExitCode::usage,
                  "OrderId " + resolution.order_id + " is row " + std::to_string(record.row.value) +
                      "'s already",
                  "each order is one row's; look up the number again");
  });
}

/// Words that a script repeats may be about an attempt that is long settled.
void refuse_if_said_of_earlier(Ledger& ledger, const Record& said) {
  if (said.kind != RecordKind::resolved_not_placed) return;
  ledger.outcomes([&](const Record& record) {
    const bool same = record.row == said.row && record.kind == said.kind &&
                      record.message == said.message && record.attempt.value < said.attempt.value;
    if (!same) return;
    throw Refusal(ExitCode::usage,
                  "row " + std::to_string(said.row.value) +
                      ": the same words were said of attempt " +
                      std::to_string(record.attempt.value) + "; the doubt is now of attempt " +
                      std::to_string(said.attempt.value),
                  "look again, and say in --because what shows it of this attempt");
  });
}

/// The record of the same words, if they were said before: perhaps the results could not be written
/// then.
std::optional<Record> said_before(SqliteLedger& ledger, const Rows& rows, const Record& said) {
  const bool placed = said.kind == RecordKind::resolved_placed;
  if (rows.state(said.row) != (placed ? State::placed : State::pending)) return std::nullopt;
  auto last = ledger.outcome_of(said.row);
  const bool same = last && last->kind == said.kind && last->order_id == said.order_id &&
                    last->sag_id == said.sag_id && last->message == said.message;
  if (!same) last.reset();
  return last;
}

void update_results(ResultsFile& results, const Record& record, Attempt attempts,
                    const std::vector<std::string>& columns) {
  const ResultWriter writer(results.format(), columns);
  const bool placed = record.kind == RecordKind::resolved_placed;
  results.rewrite(
      [&](const ResultKey& key) {
        if (key.row != record.row) return ResultsFile::Fix::keep;
        return placed ? ResultsFile::Fix::replace : ResultsFile::Fix::drop;
      },
      [&](const ResultKey& /*key*/, const Cells& cells, std::string& out) {
        writer.line(record, attempts, cells, out);
      });
}

}  // namespace

ExitCode resolve_command(const Settings& settings, Log& /*log*/) {
  const std::string& path = settings.ledger;
  refuse_missing_ledger(path);
  SqliteLedger ledger(path);
  const Facts facts = ledger.facts();
  Rows rows = replay_rows(ledger, rows_of(facts, path), path);
  refuse_other_results(settings, fact(facts, kFactOutputPath, path));
  const auto columns =
      nlohmann::json::parse(fact(facts, kFactColumns, path)).get<std::vector<std::string>>();
  ResultsFile results(settings.output, columns);
  const ResultsFile::Scan scan = results.scan([](const ResultKey&) {});
  if (scan.content == ResultsFile::Content::foreign) {
    throw OutputError(settings.output + ": is not the results file of this ledger");
  }
  kill_point("resolve:before-intents-closed");
  close_open_intents(ledger, rows);
  kill_point("resolve:intents-closed");
  const Row row = settings.resolution.row;
  refuse_unless_there(rows, row);
  Record record = record_of(settings.resolution, rows.attempts(row));
  const auto before = said_before(ledger, rows, record);
  if (before) {
    record = *before;
  } else {
    refuse_unless_in_doubt(rows, row);
    refuse_if_taken(ledger, rows, settings.resolution);
    refuse_if_said_of_earlier(ledger, record);
    kill_point("resolve:before-commit");
    ledger.commit(std::span<const Record>(&record, 1));
    kill_point("resolve:committed");
    rows.apply({record.kind, record.row, record.attempt});
  }
  try {
    update_results(results, record, rows.attempts(row), columns);
  } catch (const OutputError& error) {
    throw OutputError(std::string(error.what()) + "; row " + std::to_string(row.value) +
                      " is resolved in the ledger; the same command again, or the next "
                      "`sagorder run`, writes its line");
  }
  kill_point("resolve:results-written");

  if (results.created()) {
    results.remove_if_unused();
    fmt::print("there is no results file {}; the next run writes it anew\n",
               printable(settings.output));
  }
  fmt::print("row {} is {}{}\n", row.value, before ? "already resolved: " : "",
             settings.resolution.placed ? "placed as " + settings.resolution.order_id
                                        : "not placed, and pending again");
  fmt::print("in doubt now: {}\n", rows.count_of(State::in_doubt));
  if (rows.count_of(State::pending) > 0) {
    fmt::print("to go on with the rows that are not sent:\n  {}\n",
               printable(fact(facts, kFactCommand, path)));
  }
  return ExitCode::all_placed;
}

}  // namespace sagorder::io
