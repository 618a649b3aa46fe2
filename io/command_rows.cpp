// `rows`: the rows of one status as an input file of their own, out of the original input.
//
// The cells come from the input itself, never from the results: there a cell that a spreadsheet
// would run has got a ' in front, and whether it had one before cannot be told.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <optional>

#include "io/commands.hpp"
#include "io/file.hpp"
#include "io/ledger_place.hpp"
#include "io/standing.hpp"
#include "io/work_shown.hpp"

namespace sagorder::io {
namespace {

constexpr std::size_t kWriteBytes = 64 * 1024;  // gathered before a write

/// Where the lines go: a new file, or standard output.
class Sink {
 public:
  explicit Sink(const std::string& path) : path_(path) {
    if (!path.empty()) file_.emplace(path);
  }
  void line(const std::vector<std::string_view>& cells) {
    csv::append_record(text_, cells);
    if (text_.size() >= kWriteBytes) flush();
  }
  void close() {
    flush();
    if (!file_) {
      if (std::fflush(stdout) == 0) return;
      throw FileError("standard output: cannot write to it", 0);
    }
    if (file_->take_free_name()) return;
    throw Refusal(ExitCode::usage, path_ + ": is there already, and is left as it is",
                  "name a file that is not there, or remove it first");
  }

 private:
  void flush() {
    if (file_) {
      write_all(file_->file(), text_, file_->name());
    } else if (std::fwrite(text_.data(), 1, text_.size(), stdout) != text_.size()) {
      throw FileError("standard output: cannot write to it", 0);
    }
    text_.clear();
  }

  std::string path_;
  std::optional<Replacement> file_;
  std::string text_;
};

bool is_wanted(RowsOf status, State state, bool valid) {
  switch (status) {
    case RowsOf::rejected:
      return state == State::rejected;
    case RowsOf::in_doubt:
      return state == State::in_doubt || state == State::intended;
    case RowsOf::not_sent:
      return state == State::pending && valid;
    case RowsOf::invalid:
      return state == State::pending && !valid;
  }
  return false;
}

/// `again.csv` to `again-results.csv`, beside it.
std::string results_beside(const std::string& path) {
  const std::filesystem::path file(path);
  return (file.parent_path() / (file.stem().string() + "-results.csv")).string();
}

/// The run that takes the file. The columns of --set are written out in it, so none is set, not
/// even by a file of settings.
std::string command_to_order(const Settings& settings, const IntakeOptions& options) {
  const std::string file = settings.rows_output.empty() ? "ROWS.csv" : settings.rows_output;
  std::string command = settings.program + " run " + operand_quoted(file) + " --output " +
                        operand_quoted(results_beside(file));
  for (const std::string& name : options.carry) command += " --carry " + shell_quoted(name);
  if (!options.set.empty()) command += " --set ''";
  return command;
}

void say_what_it_is(const Settings& settings, std::uint64_t count, const IntakeOptions& options) {
  const RowsOf status = settings.rows_of;
  tell("{} row{}\n", count, count == 1 ? "" : "s");
  if (count > 0 && (status == RowsOf::rejected || status == RowsOf::invalid)) {
    tell(
        "mended, they are ordered by this and the other options of the batch, such as --endpoint:\n"
        "  {}\n",
        printable(command_to_order(settings, options)));
  }
  if (status == RowsOf::in_doubt && count > 0) {
    tell(
        "warning: each of these rows may have been ordered already; the file is for looking at.\n"
        "  Never give it to `sagorder run`: that would buy a second time whatever was bought.\n"
        "  `sagorder reconcile` and `sagorder resolve` settle rows in doubt\n");
  } else if (status == RowsOf::not_sent && count > 0) {
    tell(
        "warning: these rows are still those of their batch, whose own command goes on with them.\n"
        "  Given to `sagorder run` as a file of their own they are ordered by both: choose one\n");
  }
}

}  // namespace

ExitCode rows_command(const Settings& settings, Log& /*log*/) {
  const std::string& path = settings.ledger;
  const auto [ledger, running] = look_at_ledger(settings);
  if (running) {
    throw LedgerBusy(path + ": a run is going on, and what becomes of the rows is not known yet");
  }
  const Facts facts = ledger->facts();
  WorkShown shown;
  const std::uint64_t count_of_rows = rows_of(facts, path);
  const Rows rows = replay_rows(*ledger, count_of_rows, path, shown.replaying(path, count_of_rows));

  Original original = open_original(settings, facts, rows, shown.reading("the batch's input"));
  if (settings.rows_output.empty()) {  // the rows may go to the same terminal
    shown.hide();
    original.file->watch(nullptr);
  }
  Sink sink(settings.rows_output);
  const auto& columns = original.validation.columns;
  sink.line({columns.begin(), columns.end()});
  std::uint64_t count = 0;
  std::vector<std::string_view> cells;
  pass_again(*original.file, original.options, [&](const Order& order, bool valid, const auto&) {
    if (!is_wanted(settings.rows_of, rows.state(order.row), valid)) return;
    cells.clear();
    for (std::size_t i = 0; i < order.cells.size(); ++i) cells.push_back(order.cells[i]);
    sink.line(cells);
    ++count;
  });
  sink.close();
  shown.hide();
  say_what_it_is(settings, count, original.options);
  return ExitCode::all_placed;
}

}  // namespace sagorder::io
