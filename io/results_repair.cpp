#include "io/results_repair.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "io/driver.hpp"
#include "io/kill_point.hpp"

namespace sagorder::io {
namespace {

constexpr std::uint64_t kRowsRead = 1'024;  // at a time, of the ledger

std::string reasons(const std::vector<Complaint>& complaints) {
  std::string text;
  for (const Complaint& complaint : complaints) {
    if (complaint.severity != Severity::error) continue;
    text += (text.empty() ? "" : "; ") + complaint.text;
  }
  return text;
}

}  // namespace

ResultsRepair::ResultsRepair(const Settings& settings, const Validation& validation,
                             OrdersFile& input, const Rows& rows,
                             const std::map<Row, Record>& standing_in)
    : settings_(settings),
      validation_(validation),
      input_(input),
      rows_(rows),
      results_(std::make_unique<ResultsFile>(settings.output, validation.columns)),
      projection_(rows),
      standing_in_(standing_in) {}

void ResultsRepair::leave_to_others(const IsOurs& is_ours) {
  for (Row row{1}; row.value <= rows_.count(); ++row.value) {
    if (status_of(rows_.state(row)) && !is_ours(row)) projection_.mark_elsewhere(row);
  }
}

/// What the results file says, against what the ledger says.
void ResultsRepair::compare() {
  mark_invalid_rows();
  scan_ = results_->scan([&](const ResultKey& key) { projection_.see(key); });
  if (scan_.content == ResultsFile::Content::foreign) {
    throw OutputError(settings_.output +
                      ": is there already and is not the results file of this batch; move it "
                      "away or choose another --output");
  }
  if (scan_.content == ResultsFile::Content::broken) projection_.see_broken();
  if (projection_.repair() != Repair::refuse) return;
  throw LedgerError(fmt::format(
      "{}: has a line of row {}, of which the ledger {} knows nothing: the ledger lost records "
      "or is not the one that belongs to it. Nothing was sent. Put the ledger back as it was. "
      "Without it nobody knows which rows were ordered: look in the console, and order a file of "
      "those rows alone that were not, with an output of its own",
      settings_.output, projection_.unknown_row().value_or(Row{}).value, settings_.ledger));
}

void ResultsRepair::repair(Ledger& ledger, Log& log) {
  if (scan_.torn_bytes > 0) results_->cut_torn_tail();
  kill_point("repair:before");
  if (projection_.repair() == Repair::append) {
    const Written written = write_lines(
        ledger, [&](Row row) { return projection_.lacks_line(row); },
        [&](std::string_view lines) { results_->append(lines); });
    tell_added(written, log);
    kill_point("repair:lines-added");
  } else if (projection_.repair() == Repair::rebuild) {
    log.warning("the results file does not agree with the ledger; it is written anew");
    rebuild(ledger);
    kill_point("repair:rebuilt");
  }
}

void ResultsRepair::rebuild(Ledger& ledger) {
  results_->rebuild([&](const ResultsFile::Sink& sink) {
    write_lines(
        ledger, [&](Row row) { return projection_.is_due(row); }, sink);
  });
}

void ResultsRepair::mark_invalid_rows() {
  if (validation_.invalid == 0) return;
  pass_again(input_, settings_.intake, [&](const Order& order, bool valid, const auto&) {
    if (!valid) projection_.mark_invalid(order.row);
  });
}

/// A first run has nothing to mend: it only says what it leaves out.
void ResultsRepair::tell_added(const Written& written, Log& log) {
  if (written.invalid > 0) {
    log.info(fmt::format("rows left out as invalid: {}; the results say what is wrong with each",
                         written.invalid));
  }
  if (written.settled > 0) {
    log.info(fmt::format("lines missing in the results, added now: {}", written.settled));
  }
}

/// Lines of settled and invalid rows, in the order of the input, in blocks.
ResultsRepair::Written ResultsRepair::write_lines(Ledger& ledger,
                                                  const std::function<bool(Row)>& wanted,
                                                  const ResultsFile::Sink& sink) {
  constexpr std::size_t kBlock = 256 * 1024;
  const ResultWriter writer(results_->format(), validation_.columns);
  std::string lines;
  Written written;
  pass_again(input_, settings_.intake,
             [&](const Order& order, bool valid, const std::vector<Complaint>& complaints) {
               if (!wanted(order.row)) return;
               // What was ordered stays so, even if the row is invalid by today's options.
               if (const Record* const outcome = outcome_of(ledger, order.row)) {
                 writer.line(*outcome, rows_.attempts(order.row), order.cells, lines);
                 ++written.settled;
               } else if (!valid) {
                 ++written.invalid;
                 writer.invalid(order.row, reasons(complaints), now().wall, order.cells, lines);
               }
               if (lines.size() < kBlock) return;
               sink(lines);
               lines.clear();
             });
  if (!lines.empty()) sink(lines);
  return written;
}

/// Rows are asked for in ascending order, so they are read by the block. Hosts may be at work: what
/// is no settled row's record any more gives no line.
const Record* ResultsRepair::outcome_of(Ledger& ledger, Row row) {
  if (!status_of(rows_.state(row))) return nullptr;
  const auto stands_in = standing_in_.find(row);
  if (stands_in != standing_in_.end()) return &stands_in->second;
  if (row > known_to_) {
    known_to_ = Row{row.value + kRowsRead - 1};
    outcomes_ = ledger.outcomes_of(row, known_to_);
  }
  const auto found = std::ranges::lower_bound(outcomes_, row, {}, &Record::row);
  const bool settled = found != outcomes_.end() && found->row == row &&
                       found->kind != RecordKind::not_executed &&
                       found->kind != RecordKind::resolved_not_placed;
  return settled ? &*found : nullptr;
}

}  // namespace sagorder::io
