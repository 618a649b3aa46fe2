#include "io/settlement.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "io/driver.hpp"
#include "io/hosts_seen.hpp"
#include "io/kill_point.hpp"
#include "io/ledger_place.hpp"
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
void close_open_intents(Ledger& ledger, Rows& rows) {
  const std::vector<Record> records = open_as_in_doubt(rows, now().wall);
  if (records.empty()) return;
  ledger.commit(records);
  for (const Record& record : records) rows.apply({record.kind, record.row, record.attempt});
}

std::vector<std::string> columns_of(const Facts& facts, const std::string& path) {
  return nlohmann::json::parse(fact(facts, kFactColumns, path)).get<std::vector<std::string>>();
}

/// When the lines of these rows were finished, as the results have it.
/// @param rows filled; what has no line stays empty
void find_finished(const ResultsFile& results, const std::vector<std::string>& columns,
                   std::map<Row, std::string>& rows) {
  constexpr std::size_t kFinishedCell = 10;
  static_assert(kResultColumns[kFinishedCell] == "FinishedAt");
  Cells own;
  Cells cells;
  for_each_line(open_private(results.path(), O_RDONLY), results.path(),
                ResultScanner(results.format(), columns),
                [&](const ResultKey& key, bool header, std::string_view line) {
                  const auto found = header ? rows.end() : rows.find(key.row);
                  if (found == rows.end()) return;
                  if (decode_line(results.format(), columns, line, own, cells)) {
                    found->second = own[kFinishedCell];
                  }
                });
}

}  // namespace

Settlement::Settlement(const Settings& settings)
    : place_(settings.ledger),
      ledger_(open_to_settle(settings)),
      shared_(dynamic_cast<SharedLedger*>(ledger_.get())),
      facts_(ledger_->facts()),
      rows_(replay_rows(*ledger_, rows_of(facts_, settings.ledger), settings.ledger)),
      columns_(columns_of(facts_, settings.ledger)),
      rows_command_(command_for("rows", settings)) {
  // Results that another batch wrote must not get a line out of this ledger. Of hosts each has a
  // file of its own: there it is the line itself that is looked at.
  if (shared_ == nullptr) {
    refuse_other_results(settings, fact(facts_, kFactOutputPath, settings.ledger));
  }
  if (!settings.output.empty()) {
    results_.emplace(settings.output, columns_);
    const ResultsFile::Scan scan = results_->scan([](const ResultKey&) {});
    if (scan.content == ResultsFile::Content::foreign) {
      throw OutputError(settings.output + ": is not the results file of this ledger");
    }
  }
  if (shared_ != nullptr) return;
  kill_point("resolve:before-intents-closed");
  close_open_intents(*ledger_, rows_);
  kill_point("resolve:intents-closed");
}

bool Settlement::is_doubt(Row row) const {
  if (row.value < 1 || row.value > rows_.count()) return false;
  const State state = rows_.state(row);
  return state == State::in_doubt || (shared_ != nullptr && state == State::intended);
}

std::uint64_t Settlement::in_doubt() {
  std::uint64_t count = rows_.count_of(State::in_doubt);
  if (shared_ == nullptr) return count;
  for (const OpenIntent& open : shared_->open_intents()) {
    if (!open.host.alive && rows_.state(open.row) == State::intended) ++count;
  }
  return count;
}

namespace {

[[noreturn]] void refuse_as_under_way(const OpenIntent& open) {
  throw Refusal(
      ExitCode::busy,
      fmt::format("row {} is under way on {}, which is alive: it may still tell what became of it; "
                  "nothing was recorded",
                  open.row.value, to_text(open.host)),
      fmt::format("wait for its answer, or end that host; it is taken for dead {} seconds after it "
                  "was last heard of",
                  std::chrono::duration_cast<seconds>(open.host.life).count()));
}

}  // namespace

void Settlement::refuse_while_under_way(Row row) {
  if (shared_ == nullptr) return;
  const auto open = shared_->under_way(row);
  if (open && open->host.alive) refuse_as_under_way(*open);
}

/// What the host recorded before it was fenced counts; after that it records nothing.
void Settlement::take_from_its_host(Row row) {
  const auto open = shared_->under_way(row);
  if (open && (open->host.alive || !shared_->fence(open->host.id))) refuse_as_under_way(*open);
  kill_point("database:host-fenced");
  rows_.forget(row);
  for (const Step& step : shared_->steps(row)) {
    if (rows_.apply(step)) continue;
    throw LedgerError(place_ + ": row " + std::to_string(row.value) +
                      " has records that do not follow from each other; the ledger is damaged");
  }
}

/// Of the batch's hosts each has a file of its own, at whatever path: what shows that a file is one
/// of them is the moment at which a row's line was finished, or begun where nobody told its end.
void Settlement::refuse_lines_of_others(std::span<const Resolution> resolutions) {
  if (!results_ || shared_ == nullptr) return;
  std::map<Row, std::string> lines;
  for (const Resolution& each : resolutions) lines[each.row];
  find_finished(*results_, columns_, lines);
  ledger_->records([&](const Record& record) {
    const auto line = lines.find(record.row);
    if (line != lines.end() && line->second == timestamp(record.at)) line->second.clear();
  });
  for (const auto& [row, finished] : lines) {
    if (finished.empty()) continue;
    throw Refusal(ExitCode::usage,
                  fmt::format("{}: its line of row {} is none that this ledger knows; nothing was "
                              "recorded",
                              results_->path(), row.value),
                  "name the results of this batch, or none: `sagorder results` writes them anew");
  }
}

void Settlement::refuse_unless_there(Row row) const {
  if (row.value >= 1 && row.value <= rows_.count()) return;
  throw Refusal(ExitCode::usage,
                "the batch has " + std::to_string(rows_.count()) + " rows, and no row " +
                    std::to_string(row.value),
                "`sagorder status` lists the rows in doubt");
}

/// What an operator said is a record like any other: none is ever taken back, for what was sent
/// since may rest on it. What to do about a slip is for people.
void Settlement::refuse_second_thoughts(const Record& said) const {
  const std::string row = "row " + std::to_string(said.row.value);
  const State state = rows_.state(said.row);
  if (said.kind == RecordKind::resolved_placed && state == State::placed) {
    throw Refusal(ExitCode::usage,
                  row + " was resolved at " + timestamp(said.at) + ", as placed as " +
                      said.order_id + "; that is final",
                  "it is never ordered again, whatever its number. If the number is wrong, note "
                  "the right one beside the results,\nand settle other rows of the same terms by "
                  "hand: reconcile takes that order for nobody's");
  }
  if (said.kind != RecordKind::resolved_not_placed || state != State::pending) return;
  throw Refusal(ExitCode::usage,
                row + " was resolved at " + timestamp(said.at) + ", as not placed (" +
                    printable(said.message) + "); that is final, and the next run orders it",
                "if it was placed after all, do not give the batch's `run` again. Write the rows "
                "that are left to a file, take this one\nout of it, and order that file with an "
                "output of its own:  " +
                    rows_command_ + " --status not_sent -o rest.csv");
}

void Settlement::refuse_unless_in_doubt(Row row) const {
  if (is_doubt(row)) return;
  if (const auto last = ledger_->outcome_of(row)) refuse_second_thoughts(*last);
  throw Refusal(ExitCode::usage,
                "row " + std::to_string(row.value) + " is " +
                    std::string(name_of(rows_.state(row))) +
                    "; only a row in doubt can be resolved",
                "`sagorder status` lists the rows in doubt");
}

/// An order is one row's. A number given by mistake would leave the other order forgotten.
void Settlement::refuse_if_taken(const Resolution& resolution) {
  if (!resolution.placed) return;
  ledger_->outcomes([&](const Record& record) {
    const bool placed =
        record.kind == RecordKind::placed || record.kind == RecordKind::resolved_placed;
    if (!placed || record.order_id != resolution.order_id || record.row == resolution.row) return;
    throw Refusal(ExitCode::usage,
                  "OrderId " + resolution.order_id + " is row " + std::to_string(record.row.value) +
                      "'s already",
                  "each order is one row's; look up the number again");
  });
}

/// What a live host has under way may be that very order: when its answer came, two rows would have
/// one number, and the other order would be forgotten.
void Settlement::refuse_while_another_may_have_it(const Resolution& resolution) {
  if (!resolution.placed || shared_ == nullptr) return;
  for (const OpenIntent& open : shared_->open_intents()) {
    if (!open.host.alive || open.row == resolution.row) continue;
    throw Refusal(ExitCode::busy,
                  fmt::format("row {} is under way on {}, which is alive, and OrderId {} may be "
                              "that row's; nothing was recorded",
                              open.row.value, to_text(open.host), resolution.order_id),
                  "wait until the hosts have nothing under way (`sagorder status` lists them), and "
                  "give the same command again");
  }
}

/// Words that a script repeats may be about an attempt that is long settled.
void Settlement::refuse_if_said_of_earlier(const Record& said) {
  if (said.kind != RecordKind::resolved_not_placed) return;
  ledger_->outcomes([&](const Record& record) {
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
std::optional<Record> Settlement::said_before(const Record& said) {
  const bool placed = said.kind == RecordKind::resolved_placed;
  if (rows_.state(said.row) != (placed ? State::placed : State::pending)) return std::nullopt;
  auto last = ledger_->outcome_of(said.row);
  const bool same = last && last->kind == said.kind && last->order_id == said.order_id &&
                    last->sag_id == said.sag_id && last->message == said.message;
  if (!same) last.reset();
  return last;
}

Record Settlement::checked(const Resolution& resolution, Settled& settled) {
  refuse_unless_there(resolution.row);
  if (shared_ != nullptr) take_from_its_host(resolution.row);
  Record record = record_of(resolution, rows_.attempts(resolution.row));
  if (auto before = said_before(record)) {
    settled.before = true;
    return *before;
  }
  refuse_unless_in_doubt(resolution.row);
  // In this order: what is settled between the two is under way for the first look, and taken for
  // the second.
  refuse_while_another_may_have_it(resolution);
  refuse_if_taken(resolution);
  refuse_if_said_of_earlier(record);
  return record;
}

void Settlement::commit(const std::vector<Record>& records) {
  if (shared_ == nullptr) return ledger_->commit(records);
  std::vector<Record> all;
  for (const Record& record : records) {
    if (rows_.state(record.row) == State::intended) {
      all.push_back(interrupted(record.row, record.attempt, record.at));
      rows_.apply({RecordKind::in_doubt, record.row, record.attempt});
    }
    all.push_back(record);
  }
  shared_->settle(all);
}

std::vector<Settlement::Settled> Settlement::settle(std::span<const Resolution> resolutions) {
  refuse_lines_of_others(resolutions);
  std::vector<Settled> settled(resolutions.size());
  std::vector<Record> records;
  std::vector<Record> fresh;
  for (std::size_t i = 0; i < resolutions.size(); ++i) {
    records.push_back(checked(resolutions[i], settled[i]));
    if (!settled[i].before) fresh.push_back(records.back());
  }
  if (!fresh.empty()) {
    kill_point("resolve:before-commit");
    commit(fresh);
    kill_point("resolve:committed");
    for (const Record& record : fresh) rows_.apply({record.kind, record.row, record.attempt});
  }
  try {
    update_results(records);
  } catch (const OutputError& error) {
    const std::string which = records.size() == 1
                                  ? "row " + std::to_string(records.front().row.value) + " is"
                                  : std::to_string(records.size()) + " rows are";
    throw OutputError(std::string(error.what()) + "; " + which +
                      " resolved in the ledger; the same command again, or the next "
                      "`sagorder run`, writes its line");
  }
  kill_point("resolve:results-written");
  return settled;
}

void Settlement::update_results(const std::vector<Record>& records) {
  if (!results_) return;
  const ResultWriter writer(results_->format(), columns_);
  std::map<Row, const Record*> by_row;
  for (const Record& record : records) by_row[record.row] = &record;
  results_->rewrite(
      [&](const ResultKey& key) {
        const auto found = by_row.find(key.row);
        if (found == by_row.end()) return ResultsFile::Fix::keep;
        const bool placed = found->second->kind == RecordKind::resolved_placed;
        return placed ? ResultsFile::Fix::replace : ResultsFile::Fix::drop;
      },
      [&](const ResultKey& key, const Cells& cells, std::string& out) {
        writer.line(*by_row.at(key.row), rows_.attempts(key.row), cells, out);
      });
}

}  // namespace sagorder::io
