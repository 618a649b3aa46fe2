#include <fmt/format.h>

#include <fcntl.h>

#include "io/commands.hpp"
#include "io/file.hpp"
#include "io/ledger_sqlite.hpp"

namespace sagorder::io {
namespace {

/// Whether a run holds the ledger now. Asked before the ledger is opened, for closing a descriptor
/// of it later would drop SQLite's locks.
bool is_running(const std::string& path) {
  const Fd file = open_private(path, O_RDONLY);
  return !try_lock(file, path);
}

void print_doubts(Ledger& ledger, const Rows& rows) {
  fmt::print("\nin doubt (may have been ordered; never sent again by itself):\n");
  fmt::print("{:>9}  {:<24}  {:<20}  {}\n", "Row", "since", "code", "what is known");
  // The last record of a row that is still in doubt is the one that counts; earlier ones of the
  // same row are printed too, in their order, for they are part of its story.
  ledger.outcomes([&](const Record& record) {
    if (record.kind != RecordKind::in_doubt || rows.state(record.row) != State::in_doubt) return;
    fmt::print("{:>9}  {:<24}  {:<20}  {}\n", record.row.value, timestamp(record.at),
               printable(record.code), printable(record.message));
  });
  for (const Row row : rows.open_intents()) {
    fmt::print("{:>9}  {:<24}  {:<20}  {}\n", row.value, "-", "Intended",
               "an attempt was begun and its outcome is not recorded");
  }
}

}  // namespace

ExitCode status_command(const Settings& settings, Log& /*log*/) {
  const std::string& path = settings.ledger;
  FileIdentity identity;
  if (!identity_of(path, identity)) {
    throw Refusal(ExitCode::usage, path + ": there is no such ledger",
                  "give the results file of a run that was begun, or its --ledger");
  }
  const bool running = is_running(path);
  const auto ledger = SqliteLedger::open_for_reading(path);
  const Facts facts = ledger->facts();
  const Rows rows = replay_rows(*ledger, rows_of(facts, path), path);
  const std::string command = fact(facts, kFactCommand, path);
  const bool usual = path == settings.output + ".ledger";
  const std::string named = usual ? "" : " --ledger " + shell_quoted(path);

  fmt::print("input     {}\n", printable(fact(facts, kFactInputPath, path)));
  fmt::print("begun     {}\n", fact(facts, kFactCreatedAt, path));
  fmt::print("rows      {:>9}\n", rows.count());
  fmt::print("placed    {:>9}\n", rows.count_of(State::placed));
  fmt::print("rejected  {:>9}\n", rows.count_of(State::rejected));
  fmt::print("in doubt  {:>9}\n", rows.count_of(State::in_doubt));
  fmt::print("{:<9} {:>9}\n", running ? "under way" : "open", rows.count_of(State::intended));
  fmt::print("not sent  {:>9}\n", rows.count_of(State::pending));
  const bool doubts =
      rows.count_of(State::in_doubt) > 0 || (!running && rows.count_of(State::intended) > 0);
  if (doubts) print_doubts(*ledger, rows);

  fmt::print("\n");
  if (running) {
    fmt::print("a run is going on; it holds the ledger\n");
  } else if (rows.count_of(State::pending) + rows.count_of(State::intended) > 0) {
    fmt::print("to go on:\n  {}\n", printable(command));
  } else {
    fmt::print("nothing is left to send\n");
  }
  if (doubts && !running) {
    fmt::print(
        "when you know what became of a row in doubt:\n"
        "  sagorder resolve {0} --row N --placed ORDERID\n"
        "  sagorder resolve {0} --row N --not-placed --because 'what shows it'\n",
        printable(shell_quoted(settings.output) + named));
  }
  return ExitCode::all_placed;
}

}  // namespace sagorder::io
