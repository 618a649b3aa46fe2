#include <fmt/format.h>

#include <filesystem>
#include <map>

#include "io/commands.hpp"
#include "io/ledger_sqlite.hpp"
#include "io/standing.hpp"

namespace sagorder::io {
namespace {

void print_counts(const Rows& rows, const Counts& counts, bool running) {
  const auto line = [](const char* name, std::uint64_t number, const char* note = "") {
    fmt::print("{:<9} {:>9}{}\n", name, number, note);
  };
  line("rows", rows.count());
  line("placed", rows.count_of(State::placed));
  line("rejected", rows.count_of(State::rejected));
  line("in doubt", counts.in_doubt);
  if (running) line("under way", rows.count_of(State::intended));
  if (counts.invalid > 0) line("invalid", counts.invalid, "  left out");
  line("not sent", counts.not_sent);
}

/// A doubt's request left, if it did, soon after its intent: that is the time to look for.
void print_doubts(SqliteLedger& ledger, const Rows& rows) {
  struct Doubt {
    WallTime begun;
    std::string code{kCodeInterrupted};
    std::string message = "an attempt was begun and its outcome is not recorded";
  };
  const auto is_doubt = [&](Row row) {
    return rows.state(row) == State::in_doubt || rows.state(row) == State::intended;
  };
  std::map<std::uint64_t, Doubt> doubts;
  ledger.intents([&](const Record& intent) {
    if (is_doubt(intent.row)) doubts[intent.row.value].begun = intent.at;
  });
  ledger.outcomes([&](const Record& record) {
    if (record.kind != RecordKind::in_doubt || !is_doubt(record.row)) return;
    doubts[record.row.value].code = record.code;
    doubts[record.row.value].message = record.message;
  });
  fmt::print("\nin doubt (may have been ordered; never sent again by itself):\n");
  fmt::print("{:>9}  {:<24}  {:<18}  {}\n", "Row", "attempt begun", "Code", "what is known");
  for (const auto& [row, doubt] : doubts) {
    fmt::print("{:>9}  {:<24}  {:<18}  {}\n", row, timestamp(doubt.begun), printable(doubt.code),
               printable(doubt.message));
  }
}

void print_what_next(const Settings& settings, const Counts& counts, const Facts& facts) {
  fmt::print("\n");
  if (counts.not_sent > 0) {
    const std::string here = std::filesystem::current_path().string();
    fmt::print("to go on:\n  {}\n", printable(go_on_command(facts, settings.ledger, here)));
  } else {
    fmt::print("nothing is left to send\n");
  }
  if (counts.in_doubt == 0) return;
  fmt::print("the account can be asked what became of them:\n  {}\n",
             printable(command_for("reconcile", settings)));
  fmt::print(
      "when you know what became of a row in doubt (this is final, so look twice):\n"
      "  {0} --row N --placed ORDERID\n"
      "  {0} --row N --not-placed --because 'what shows it'\n",
      printable(command_for("resolve", settings)));
}

}  // namespace

ExitCode status_command(const Settings& settings, Log& /*log*/) {
  const std::string& path = settings.ledger;
  refuse_missing_ledger(path);
  const bool running = is_running(path);
  const auto ledger = SqliteLedger::open_for_reading(path);
  const Facts facts = ledger->facts();
  const Rows rows = replay_rows(*ledger, rows_of(facts, path), path);
  const Counts counts = count(rows, facts, running);

  fmt::print("input     {}\n", printable(fact(facts, kFactInputPath, path)));
  fmt::print("begun     {}\n", fact(facts, kFactCreatedAt, path));
  print_counts(rows, counts, running);
  if (counts.in_doubt > 0) print_doubts(*ledger, rows);
  if (running) {
    fmt::print("\na run is going on; it holds the ledger\n");
  } else {
    print_what_next(settings, counts, facts);
  }
  return ExitCode::all_placed;
}

}  // namespace sagorder::io
