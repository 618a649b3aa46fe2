#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/report.hpp"
#include "io/commands.hpp"
#include "io/driver.hpp"
#include "io/file.hpp"
#include "io/going_on.hpp"
#include "io/ledger_place.hpp"
#include "io/own_file.hpp"
#include "io/report_page.hpp"
#include "io/results_file.hpp"
#include "io/results_lines.hpp"
#include "io/run_history.hpp"
#include "io/shared_ledger.hpp"
#include "io/standing.hpp"

namespace sagorder::io {
namespace {

/// The cells of the input that a report looks at, wherever they stand.
class ReportColumns {
 public:
  explicit ReportColumns(const std::vector<std::string>& columns) : columns_(columns) {}
  [[nodiscard]] std::string_view of(const Cells& cells, std::string_view name) const {
    const auto found = std::ranges::find(columns_, name);
    if (found == columns_.end()) return {};
    return cells[static_cast<std::size_t>(found - columns_.begin())];
  }

 private:
  const std::vector<std::string>& columns_;
};

constexpr std::size_t kMessageCell = 6;  // of kResultColumns
static_assert(kResultColumns[kMessageCell] == "Message");

/// @return what is to be said of the results, if they are not all there; empty: nothing
std::string read_results(const std::string& path, const std::vector<std::string>& columns,
                         Report& report) {
  if (path.empty()) {
    return "no results were named, so regions, seats and rows that were left out as invalid are "
           "not shown; `sagorder results` writes them";
  }
  FileIdentity identity;
  if (!identity_of(path, identity)) {
    return path +
           ": there is no such results file, so regions, seats and rows that were left out "
           "as invalid are not shown; the same run writes it anew";
  }
  const Fd file = open_private(path, O_RDONLY);
  const ResultFormat format = result_format_of(path);
  const ReportColumns input(columns);
  Cells own;
  Cells cells;
  const LinesEnd end = for_each_line(
      file, path, ResultScanner(format, columns),
      [&](const ResultKey& key, bool header, std::string_view line) {
        if (header || !decode_line(format, columns, line, own, cells)) return;
        report.see_line({key.row, key.status, own[kMessageCell], input.of(cells, "RegionId"),
                         input.of(cells, "UserCount"), input.of(cells, "Period")});
      });
  if (end.what != ResultScan::not_ours) return {};
  return path + ": is damaged, or not the results of this ledger, after " +
         std::to_string(end.lines) +
         " lines; regions and seats are those of these lines. The same run writes it anew";
}

std::vector<RunStart> starts_of(const Facts& facts) {
  const auto found = facts.find(kFactRuns);
  return found == facts.end() ? std::vector<RunStart>() : run_starts_of(found->second);
}

std::vector<std::string> columns_of(const Facts& facts, const std::string& path) {
  const auto columns = nlohmann::json::parse(fact(facts, kFactColumns, path), nullptr, false);
  const bool texts = columns.is_array() && std::ranges::all_of(columns, [](const auto& each) {
                       return each.is_string();
                     });
  if (!texts) throw LedgerError(path + ": does not say what columns its input had");
  return columns.get<std::vector<std::string>>();
}

void read_records(Ledger& ledger, Report& report, const std::string& path) {
  ledger.records([&](const Record& record) {
    if (report.see(record)) return;
    throw LedgerError(path + ": row " + std::to_string(record.row.value) + " has a record (" +
                      std::string(name_of(record.kind)) + ", attempt " +
                      std::to_string(record.attempt.value) +
                      ") that cannot follow from those before it; the ledger is damaged");
  });
}

ReportFrame frame_of(const Settings& settings, const Facts& facts, const Report& report,
                     bool running) {
  const std::string& path = settings.ledger;
  const Counts counts = count(report.rows(), facts, running);
  ReportFrame frame;
  frame.made = now().wall;
  frame.running = running;
  frame.results = settings.output.empty() ? "" : absolute(settings.output);
  frame.ledger = absolute(path);
  frame.input = fact(facts, kFactInputPath, path);
  frame.endpoint = fact(facts, kFactEndpoint, path);
  frame.begun = fact(facts, kFactCreatedAt, path);
  frame.in_doubt = counts.in_doubt;
  frame.invalid = counts.invalid;
  frame.not_sent = counts.not_sent;
  // A page is read anywhere.
  if (counts.not_sent > 0 && !running) {
    const GoingOn found = going_on(facts, report.rows(), path, "", frame.made);
    if (found.once_looked) {
      frame.notes.push_back(found.why);
    } else {
      frame.go_on_command = (found.new_plan.empty() ? "" : found.new_plan + " && ") + found.command;
    }
  }
  Settings anywhere = settings;
  anywhere.output = frame.results;
  anywhere.ledger = frame.ledger;
  frame.status_command = command_for("status", anywhere);
  frame.reconcile_command = command_for("reconcile", anywhere);
  frame.resolve_command = command_for("resolve", anywhere);
  return frame;
}

}  // namespace

ExitCode report_command(const Settings& settings, Log& /*log*/) {
  const std::string& path = settings.ledger;
  const auto [ledger, running] = look_at_ledger(settings);
  refuse_bad_place(OwnFile::report, settings.report);
  const Facts facts = ledger->facts();
  // Of hosts that share a batch each has a file of its own.
  if (dynamic_cast<SharedLedger*>(ledger.get()) == nullptr) {
    refuse_other_results(settings, fact(facts, kFactOutputPath, path));
  }
  Report report(rows_of(facts, path), starts_of(facts));
  read_records(*ledger, report, path);
  report.close(running);
  const std::string note = read_results(settings.output, columns_of(facts, path), report);
  ReportFrame frame = frame_of(settings, facts, report, running);
  if (!note.empty()) frame.notes.push_back(note);
  const std::string page = to_page(report, frame);
  replace_file(settings.report, [&](const Fd& file) { write_all(file, page, settings.report); });
  fmt::print("{}: {} rows, {} placed, {} in doubt; open it in a browser\n",
             printable(settings.report), report.rows().count(),
             report.rows().count_of(State::placed), report.in_doubt());
  return ExitCode::all_placed;
}

}  // namespace sagorder::io
