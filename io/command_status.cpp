#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "io/commands.hpp"
#include "io/driver.hpp"
#include "io/going_on.hpp"
#include "io/hosts_seen.hpp"
#include "io/ledger_place.hpp"
#include "io/postgres_timeline.hpp"
#include "io/run_history.hpp"
#include "io/standing.hpp"

namespace sagorder::io {
namespace {

/// A doubt's request left, if it did, soon after its intent: that is the time to look for.
struct Doubt {
  WallTime begun;
  std::string code{kCodeInterrupted};
  std::string message = "an attempt was begun and its outcome is not recorded";
};
using Doubts = std::map<std::uint64_t, Doubt>;  // by row

/// Attempts that were begun, and that nobody is at any more, to what is known of them.
using Interrupted = std::map<std::uint64_t, std::string>;  // by row

/// Of a batch that hosts share, by their names.
struct Hosts {
  std::vector<HostSeen> all;
  Interrupted interrupted;
};

Hosts hosts_of(SharedLedger& ledger, const Rows& rows) {
  Hosts hosts{ledger.hosts(), {}};
  std::map<std::int64_t, bool> alive;
  for (const HostSeen& host : hosts.all) alive[host.id] = host.alive;
  for (const OpenIntent& open : ledger.open_intents()) {
    if (alive[open.host.id] || open.row.value > rows.count()) continue;
    if (rows.state(open.row) != State::intended) continue;  // begun after the rows were read
    hosts.interrupted[open.row.value] = "its host ended: " + to_text(open.host);
  }
  return hosts;
}

Interrupted all_open(const Rows& rows) {
  Interrupted interrupted;
  for (const Row row : rows.open_intents()) interrupted[row.value] = Doubt().message;
  return interrupted;
}

Doubts doubts_of(Ledger& ledger, const Rows& rows, const Interrupted& interrupted) {
  const auto is_doubt = [&](Row row) {
    return rows.state(row) == State::in_doubt || interrupted.contains(row.value);
  };
  Doubts doubts;
  for (const auto& [row, known] : interrupted) doubts[row].message = known;
  ledger.intents([&](const Record& intent) {
    if (is_doubt(intent.row)) doubts[intent.row.value].begun = intent.at;
  });
  ledger.outcomes([&](const Record& record) {
    if (record.kind != RecordKind::in_doubt || !is_doubt(record.row)) return;
    doubts[record.row.value].code = record.code;
    doubts[record.row.value].message = record.message;
  });
  return doubts;
}

/// All that is said, in either form.
struct Found {
  const Settings& settings;
  const Facts& facts;
  const Rows& rows;
  const Counts& counts;
  bool running;
  std::uint64_t under_way;
  const Doubts& doubts;
  const std::optional<Hosts>& hosts;  ///< nullopt: the ledger is a file
  const std::string& caution;         ///< of how it is kept; empty: none
  std::optional<RunKnown> last_run;   ///< of those that had something to send
  std::optional<GoingOn> go_on;       ///< nullopt: nothing is left to send, or a run goes on
};

// --- for people

void print_counts(const Found& found) {
  const auto line = [](const char* name, std::uint64_t number, const char* note = "") {
    fmt::print("{:<9} {:>9}{}\n", name, number, note);
  };
  const Rows& rows = found.rows;
  line("rows", rows.count());
  line("placed", rows.count_of(State::placed));
  line("rejected", rows.count_of(State::rejected));
  line("in doubt", found.counts.in_doubt);
  if (found.running) line("under way", found.under_way);
  if (found.counts.invalid > 0) line("invalid", found.counts.invalid, "  left out");
  line("not sent", found.counts.not_sent);
}

/// How the last run ended, if it could say so.
std::string last_run_text(const Found& found) {
  if (!found.last_run) return "not known: none had something to send, or it was an older program's";
  const RunKnown& run = *found.last_run;
  const std::string name = run.run.empty() ? "" : " (run " + printable(run.run) + ")";
  const std::string from = timestamp(run.start.begun);
  if (!run.end && found.running) return "since " + from + name;
  if (!run.end && run.run.empty()) return "begun " + from + "; how it ended is not known";
  if (!run.end) {
    return "begun " + from + name +
           "; how it ended is not recorded, so it was killed, or could not record it";
  }
  const std::string how = run.end->stop == name_of(Stop::none) ? "it came to its end"
                                                               : "stopped: " + words_of(*run.end);
  return fmt::format("{} to {}{}; {}, exit code {}", from, timestamp(run.end->at), name, how,
                     run.end->exit_code);
}

void print_doubts(const Doubts& doubts) {
  fmt::print("\nin doubt (may have been ordered; never sent again by itself):\n");
  fmt::print("{:>9}  {:<24}  {:<18}  {}\n", "Row", "attempt begun", "Code", "what is known");
  for (const auto& [row, doubt] : doubts) {
    fmt::print("{:>9}  {:<24}  {:<18}  {}\n", row, timestamp(doubt.begun), printable(doubt.code),
               printable(doubt.message));
  }
}

void print_what_next(const Found& found) {
  fmt::print("\n");
  if (found.running) {
    fmt::print("a run is going on{}\n", found.hosts ? "" : "; it holds the ledger");
    if (!found.hosts) return;
  }
  if (!found.running || (found.go_on && found.go_on->once_looked)) {
    fmt::print("{}", found.go_on ? to_text(*found.go_on, "to go on")
                                 : std::string("nothing is left to send\n"));
  }
  if (found.counts.in_doubt == 0) return;
  fmt::print("the account can be asked what became of them{}:\n  {}\n",
             found.running ? " once the run has ended" : "",
             printable(command_for("reconcile", found.settings)));
  fmt::print(
      "when you know what became of a row in doubt (this is final, so look twice):\n"
      "  {0} --row N --placed ORDERID\n"
      "  {0} --row N --not-placed --because 'what shows it'\n",
      printable(command_for("resolve", found.settings)));
}

void print(const Found& found) {
  const std::string& path = found.settings.ledger;
  fmt::print("input     {}\n", printable(fact(found.facts, kFactInputPath, path)));
  fmt::print("begun     {}\n", fact(found.facts, kFactCreatedAt, path));
  fmt::print("last run  {}\n", last_run_text(found));
  print_counts(found);
  if (found.hosts) fmt::print("\n{}", table_of(found.hosts->all));
  if (!found.caution.empty()) fmt::print("warning: {}\n", found.caution);
  if (found.counts.in_doubt > 0) print_doubts(found.doubts);
  print_what_next(found);
}

// --- for programs

using nlohmann::ordered_json;

ordered_json last_run_json(const std::optional<RunKnown>& run) {
  if (!run) return {};
  ordered_json json = {{"run", run->run},
                       {"begun_at", timestamp(run->start.begun)},
                       {"rate", to_string(run->start.limit)},
                       {"ended_at", nullptr},
                       {"stop", nullptr},
                       {"exit_code", nullptr}};
  if (!run->end) return json;
  json["ended_at"] = timestamp(run->end->at);
  json["stop"] = run->end->stop;
  json["exit_code"] = run->end->exit_code;
  return json;
}

ordered_json doubts_json(const Doubts& doubts) {
  ordered_json json = ordered_json::array();
  for (const auto& [row, doubt] : doubts) {
    json.push_back({{"row", row},
                    {"begun_at", timestamp(doubt.begun)},
                    {"code", printable(doubt.code)},
                    {"message", printable(doubt.message)}});
  }
  return json;
}

void print_json(const Found& found) {
  const std::string& path = found.settings.ledger;
  const Rows& rows = found.rows;
  ordered_json json;
  json["input"] = fact(found.facts, kFactInputPath, path);
  json["ledger"] = path;
  json["begun_at"] = fact(found.facts, kFactCreatedAt, path);
  json["running"] = found.running;
  json["last_run"] = last_run_json(found.last_run);
  json["rows"] = {{"all", rows.count()},
                  {"placed", rows.count_of(State::placed)},
                  {"rejected", rows.count_of(State::rejected)},
                  {"in_doubt", found.counts.in_doubt},
                  {"under_way", found.under_way},
                  {"invalid", found.counts.invalid},
                  {"not_sent", found.counts.not_sent}};
  if (found.hosts) json["hosts"] = json_of(found.hosts->all);
  if (found.hosts) json["caution"] = found.caution;
  json["doubts"] = doubts_json(found.doubts);
  const bool for_scripts = found.go_on && !found.go_on->once_looked;
  json["commits_missing"] = commits_missing(found.facts);
  json["plan_command"] = for_scripts ? found.go_on->new_plan : "";
  json["next_command"] = for_scripts ? found.go_on->command : "";
  const bool doubtful = found.counts.in_doubt > 0;
  json["reconcile_command"] = doubtful ? command_for("reconcile", found.settings) : "";
  json["resolve_command"] = doubtful ? command_for("resolve", found.settings) : "";
  fmt::print("{}\n", json.dump(2, ' ', false, ordered_json::error_handler_t::replace));
}

std::optional<RunKnown> last_run_of(const Facts& facts) {
  const auto found = facts.find(kFactRuns);
  if (found == facts.end()) return std::nullopt;
  const auto runs = runs_known(found->second);
  return runs.empty() ? std::nullopt : std::optional(runs.back());
}

}  // namespace

ExitCode status_command(const Settings& settings, Log& /*log*/) {
  const std::string& path = settings.ledger;
  const auto [ledger, running] = look_at_ledger(settings);
  const Facts facts = ledger->facts();
  const Rows rows = replay_rows(*ledger, rows_of(facts, path), path);
  auto* const shared = dynamic_cast<SharedLedger*>(ledger.get());
  const auto hosts = shared == nullptr ? std::nullopt : std::optional(hosts_of(*shared, rows));
  const std::string caution = shared == nullptr ? "" : shared->caution();
  const Interrupted interrupted =
      hosts ? hosts->interrupted : (running ? Interrupted() : all_open(rows));
  const Counts counts = count(rows, facts, std::uint64_t{interrupted.size()});
  const Doubts doubts = counts.in_doubt > 0 ? doubts_of(*ledger, rows, interrupted) : Doubts();
  const std::string here = std::filesystem::current_path().string();
  const bool left = (!running && counts.not_sent > 0) || !commits_missing(facts).empty();
  const Found found{
      settings,
      facts,
      rows,
      counts,
      running,
      rows.count_of(State::intended) - interrupted.size(),
      doubts,
      hosts,
      caution,
      last_run_of(facts),
      left ? std::optional(going_on(facts, rows, path, here, now().wall)) : std::nullopt};
  settings.json ? print_json(found) : print(found);
  return ExitCode::all_placed;
}

}  // namespace sagorder::io
