#include <fcntl.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <map>

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

struct Counts {
  std::uint64_t in_doubt = 0;
  std::uint64_t invalid = 0;
  std::uint64_t not_sent = 0;
};

/// Without a run, an attempt that was begun and has no outcome is a doubt. Rows that were left out
/// as invalid have no records: they count as pending in the ledger.
Counts count(const Rows& rows, const Facts& facts, bool running) {
  Counts counts;
  const std::uint64_t open = rows.count_of(State::intended);
  counts.in_doubt = rows.count_of(State::in_doubt) + (running ? 0 : open);
  const auto invalid = facts.find(kFactInvalid);
  if (invalid != facts.end()) counts.invalid = std::strtoull(invalid->second.c_str(), nullptr, 10);
  const std::uint64_t pending = rows.count_of(State::pending);
  counts.not_sent = pending > counts.invalid ? pending - counts.invalid : 0;
  return counts;
}

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
    std::string code = "Interrupted";
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

/// The last command's paths are relative to where it was given.
std::string change_directory(const Facts& facts) {
  const auto found = facts.find(kFactDirectory);
  const bool here =
      found == facts.end() || found->second == std::filesystem::current_path().string();
  return here ? "" : "cd " + shell_quoted(found->second) + " && ";
}

void print_what_next(const Settings& settings, const Counts& counts, const Facts& facts) {
  fmt::print("\n");
  if (counts.not_sent > 0) {
    fmt::print("to go on:\n  {}\n",
               printable(change_directory(facts) + fact(facts, kFactCommand, settings.ledger)));
  } else {
    fmt::print("nothing is left to send\n");
  }
  if (counts.in_doubt == 0) return;
  const bool usual = settings.ledger == settings.output + ".ledger";
  const std::string ledger = usual ? "" : " --ledger " + shell_quoted(settings.ledger);
  fmt::print(
      "when you know what became of a row in doubt (this is final, so look twice):\n"
      "  sagorder resolve {0} --row N --placed ORDERID\n"
      "  sagorder resolve {0} --row N --not-placed --because 'what shows it'\n",
      printable(shell_quoted(settings.output) + ledger));
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
