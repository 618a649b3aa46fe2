// `results`: the results of the whole batch as one file, out of its ledger, whoever placed the
// orders.
//
// What became of a row is in the ledger; its cells are in the input, which is read again.
#include <fcntl.h>
#include <fmt/format.h>

#include <map>

#include "io/commands.hpp"
#include "io/database_address.hpp"
#include "io/ledger_place.hpp"
#include "io/results_lines.hpp"
#include "io/results_repair.hpp"
#include "io/shared_ledger.hpp"
#include "io/standing.hpp"
#include "io/work_shown.hpp"

namespace sagorder::io {
namespace {

constexpr std::size_t kLinesCompared = 100;  // of a file that is to be replaced

/// Of an input that was named, where there may be several batches to choose from; else empty.
std::string digest_wanted(const Settings& settings, WorkShown& shown) {
  if (!is_database(settings.ledger) || settings.input.empty()) return {};
  OrdersFile file(settings.input, "", shown.reading(settings.input), reading_of(settings));
  csv::Record record;
  OrdersFile::Step step;
  do {
    step = file.next(record);
  } while (step.what == OrdersFile::What::record);
  return file.sha256();
}

/// Attempts that nobody is at any more and that have no outcome: in doubt, since they were begun.
std::map<Row, Record> interrupted_ones(Ledger& ledger, const Rows& rows, bool running) {
  std::map<Row, Record> records;
  const auto add = [&](Row row) {
    if (row.value > rows.count() || rows.state(row) != State::intended) return;
    records[row] = interrupted(row, rows.attempts(row), {});
  };
  if (auto* const shared = dynamic_cast<SharedLedger*>(&ledger)) {
    std::map<std::int64_t, bool> alive;
    for (const HostSeen& host : shared->hosts()) alive[host.id] = host.alive;
    for (const OpenIntent& open : shared->open_intents()) {
      if (!alive[open.host.id]) add(open.row);
    }
  } else if (!running) {
    for (const Row row : rows.open_intents()) add(row);
  }
  if (records.empty()) return records;
  ledger.intents([&](const Record& intent) {
    const auto found = records.find(intent.row);
    if (found != records.end()) found->second.at = intent.at;
  });
  return records;
}

/// The results of another batch may have the same columns. An order is one row's for good, so a few
/// lines tell.
void refuse_results_of_others(const std::string& path, const std::vector<std::string>& columns,
                              Ledger& ledger) {
  FileIdentity identity;
  if (!identity_of(path, identity)) return;
  std::map<Row, std::string> said;
  for_each_line(open_private(path, O_RDONLY), path, ResultScanner(result_format_of(path), columns),
                [&](const ResultKey& key, bool header, std::string_view) {
                  if (header || key.status != ResultStatus::placed) return;
                  if (said.size() < kLinesCompared) said[key.row] = key.order_id;
                });
  for (const auto& [row, order_id] : said) {
    const auto last = ledger.outcome_of(row);
    if (last && last->order_id == order_id) continue;
    throw OutputError(fmt::format(
        "{}: is there already and is not the results file of this batch (row {} is another order "
        "there); move it away or choose another --output",
        path, row.value));
  }
}

void write_results(const Settings& settings, Original& original, const Rows& rows, Ledger& ledger,
                   const std::map<Row, Record>& standing_in) {
  Settings as_ordered = settings;
  as_ordered.intake = original.options;
  ResultsRepair results(as_ordered, original.validation, *original.file, rows, standing_in);
  try {
    results.compare();
    results.rebuild(ledger);
  } catch (...) {
    results.remove_if_unused();
    throw;
  }
}

}  // namespace

ExitCode results_command(const Settings& settings, Log& /*log*/) {
  const std::string& path = settings.ledger;
  WorkShown shown;
  const auto [ledger, running] = look_at_ledger(settings, digest_wanted(settings, shown));
  const Facts facts = ledger->facts();
  const std::uint64_t count_of_rows = rows_of(facts, path);
  Rows rows = replay_rows(*ledger, count_of_rows, path, shown.replaying(path, count_of_rows));
  const auto standing_in = interrupted_ones(*ledger, rows, running);
  for (const auto& [row, record] : standing_in) {
    rows.apply({record.kind, record.row, record.attempt});
  }
  Original original = open_original(settings, facts, rows, shown.reading("the batch's input"));
  refuse_results_of_others(settings.output, original.validation.columns, *ledger);
  write_results(settings, original, rows, *ledger, standing_in);
  shown.hide();
  const Counts counts = count(rows, facts, true);
  fmt::print("{}: {} rows, {} placed, {} rejected, {} in doubt", printable(settings.output),
             rows.count(), rows.count_of(State::placed), rows.count_of(State::rejected),
             counts.in_doubt);
  if (counts.invalid > 0) fmt::print(", {} invalid", counts.invalid);
  if (rows.count_of(State::intended) > 0) {
    fmt::print(", {} under way", rows.count_of(State::intended));
  }
  fmt::print(", {} not sent\n", counts.not_sent);
  if (running) fmt::print("a run is going on: this is how it stood when the ledger was read\n");
  return ExitCode::all_placed;
}

}  // namespace sagorder::io
