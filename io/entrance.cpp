#include "io/entrance.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>

#include "io/database_address.hpp"
#include "io/driver.hpp"
#include "io/file.hpp"
#include "io/going_on.hpp"
#include "io/kill_point.hpp"
#include "io/ledger_place.hpp"
#include "io/own_file.hpp"
#include "io/postgres_timeline.hpp"
#include "io/results_file.hpp"
#include "io/run_history.hpp"

namespace sagorder::io {
namespace {

/// One that failed for its endpoint or certificate is nothing to be followed blindly.
std::string end_of_last_run(const Facts& facts) {
  const auto found = facts.find(kFactRuns);
  const auto runs = runs_known(found == facts.end() ? "" : found->second);
  if (runs.empty() || !runs.back().end || runs.back().end->stop == name_of(Stop::none)) return {};
  const RunEnd& end = *runs.back().end;
  return fmt::format(" (it stopped: {}, with exit code {})", words_of(end), end.exit_code);
}

std::string id_of(const Facts& facts) {
  const auto found = facts.find(kFactLedgerId);
  return found == facts.end() ? "" : found->second;
}

constexpr std::string_view kOrAgain =
    "\nor, if every order is to be placed a second time, add --again";

/// The last one first.
std::vector<std::string> runs_of(const Facts& facts) {
  std::vector<std::string> known;
  for (const std::string_view name : {kFactRun, kFactRunBefore}) {
    const auto found = facts.find(name);
    if (found != facts.end()) known.push_back(found->second);
  }
  for (const auto& [name, value] : facts) {
    if (name.starts_with(kFactRunOfHost)) known.push_back(value);
  }
  return known;
}

}  // namespace

std::string ledger_option(const Settings& settings) {
  return settings.ledger == settings.output + ".ledger"
             ? ""
             : " --ledger " + operand_quoted(settings.ledger);
}

Batches& Entrance::batches() {
  if (!batches_) batches_.emplace(Batches::default_directory());
  return *batches_;
}

void Entrance::refuse_bad_paths() const {
  const std::string directory = directory_of(settings_.output);
  if (!std::filesystem::is_directory(directory)) {
    throw OutputError("--output " + settings_.output + ": there is no directory " + directory +
                      "; make it first");
  }
  Batches::default_directory();  // throws if there is no place for the memory
  if (!settings_.summary.empty()) refuse_bad_place(OwnFile::summary, settings_.summary);
  if (!settings_.metrics.empty()) refuse_bad_place(OwnFile::metrics, settings_.metrics);
  if (settings_.ca_file.empty()) return;
  try {
    open_to_read(settings_.ca_file);
  } catch (const FileError& error) {
    throw Refusal(ExitCode::usage,
                  std::string("cannot load trust anchors: --ca-file ") + error.what(), "");
  }
}

void Entrance::refuse_other_input(const Facts& facts) const {
  if (facts.empty()) return;
  const std::string digest = fact(facts, kFactInputSha256, settings_.ledger);
  if (!judge_input({.id = {}, .input_sha256 = digest, .runs = {}}, input_.sha256())) return;
  throw Refusal(
      ExitCode::input,
      fmt::format("{}: its content is not what {} was begun with ({}); nothing was "
                  "sent",
                  input_.name(), settings_.ledger, fact(facts, kFactInputPath, settings_.ledger)),
      fmt::format("put the input back as it was, and have it read as it was (--encoding, "
                  "--delimiter). To order more rows, or mended ones, "
                  "make a file of those rows alone and give it another --output: a "
                  "row that is in both files is bought twice\n"
                  "`sagorder status {}` says what this batch has ordered",
                  operand_quoted(settings_.output) + ledger_option(settings_)));
}

void Entrance::refuse_if_ordered_before(const Facts& facts) {
  if (settings_.again) return;
  refuse_after_failover(facts);
  const std::string id = id_of(facts);
  const std::vector<std::string> runs = runs_of(facts);
  for (const std::string& digest : digests()) {
    const std::vector<Batch> before = batches().all_of(digest);
    const auto found = judge_memory(remembered(before, id),
                                    {.id = id, .input_sha256 = {}, .runs = runs}, settings_.again);
    if (found) refuse(found->obstacle, before[found->place]);
  }
}

/// Known of by the ledger alone; whoever says --again has looked. Nothing is proposed that orders a
/// row of which nobody has looked whether it was ordered.
void Entrance::refuse_after_failover(const Facts& facts) const {
  const std::string missing = commits_missing(facts);
  if (missing.empty()) return;
  throw Refusal(ExitCode::input,
                fmt::format("{}: {}: the last orders may be forgotten; nothing was sent",
                            settings_.ledger, missing),
                std::string(kAfterFailover) +
                    "\nonly if there is none, add --again, once, and the batch goes on");
}

bool Entrance::go_on_after_failover(SharedLedger& ledger, Facts& facts) const {
  if (!settings_.again || commits_missing(facts).empty()) return false;
  facts[std::string(kFactFailover)].clear();
  ledger.set_facts({{std::string(kFactFailover), ""}});
  return true;
}

/// What a batch is known by: its text, and, where that is not the file's own, the bytes of the
/// file. The same bytes read in another encoding are another text, and the same orders.
std::vector<std::string> Entrance::digests() const {
  std::vector<std::string> all = {input_.sha256()};
  if (!input_.file_sha256().empty()) all.push_back(input_.file_sha256());
  return all;
}

/// A copy of a ledger does not know what the other copy sent, or is about to. A ledger that was
/// moved is no copy: then there is none where it was.
std::vector<RememberedBatch> Entrance::remembered(const std::vector<Batch>& batches,
                                                  std::string_view ledger_id) const {
  FileIdentity ours;
  identity_of(settings_.ledger, ours);
  std::vector<RememberedBatch> views = views_of(batches);
  for (std::size_t i = 0; i < views.size(); ++i) {
    FileIdentity other;
    views[i].stands_there =
        views[i].ledger_id == ledger_id && identity_of(batches[i].ledger, other) && other != ours;
  }
  return views;
}

void Entrance::refuse(Obstacle obstacle, const Batch& batch) const {
  if (obstacle == Obstacle::older_copy) refuse_as_older(batch);
  refuse_as_before(batch);
}

void Entrance::refuse_as_older(const Batch& last) const {
  const bool database = is_database(settings_.ledger);
  throw Refusal(
      ExitCode::input,
      fmt::format("{}: is an older copy of a ledger{}: a run of this batch that it knows "
                  "nothing of was begun with {}; nothing was sent",
                  settings_.ledger, database ? "" : ", or its -wal file is missing", last.ledger),
      fmt::format("put the later ledger back{}; an older one would order again what it "
                  "has forgotten",
                  database ? "" : ", with its -wal file"));
}

void Entrance::refuse_as_before(const Batch& before) const {
  throw Refusal(ExitCode::input,
                fmt::format("{}: the same content was ordered before, begun {}, with results in "
                            "{} and ledger {}; nothing was sent",
                            input_.name(), before.started_at, before.output, before.ledger),
                way_on(before));
}

/// `status` cannot tell of a ledger that is not there, so nobody is sent to ask it.
std::string Entrance::way_on(const Batch& before) const {
  if (is_database(before.ledger)) return way_to(before);
  std::error_code unsure;  // what cannot be looked at may be there
  const auto status = std::filesystem::status(before.ledger, unsure);
  if (status.type() == std::filesystem::file_type::not_found) {
    return fmt::format(
        "its ledger {} is missing: put it back, with its -wal file\n"
        "without it nobody knows which rows were ordered, and --again orders every row a second "
        "time: look in the console first",
        before.ledger);
  }
  if (before.ledger == absolute(settings_.ledger)) {
    return fmt::format("that ledger is no longer the one it was; put it back{}", kOrAgain);
  }
  return way_to(before);
}

std::string Entrance::way_to(const Batch& before) {
  const std::string usual = before.output + ".ledger";
  const std::string ledger =
      before.ledger == usual ? "" : " --ledger " + operand_quoted(before.ledger);
  return fmt::format("see how it stands and go on with it:  sagorder status {}{}{}",
                     operand_quoted(before.output), ledger, kOrAgain);
}

void Entrance::refuse_if_different(const Rows& rows, const Facts& facts, std::string_view name,
                                   const std::string& value, std::string_view option) const {
  const std::string before = fact(facts, name, settings_.ledger);
  if (!judge_setting(rows, before, value)) return;
  throw Refusal(ExitCode::input,
                fmt::format("{} is '{}', but rows of this batch were sent with '{}'; nothing was "
                            "sent",
                            option, value, before),
                "the last command of this batch" + end_of_last_run(facts) +
                    " was:  " + fact(facts, kFactCommand, settings_.ledger));
}

void Entrance::refuse_if_made_meanwhile(const Ledger& ledger) const {
  // One that another process made meanwhile was not replayed: nothing may be sent from it.
  if (judge_hold({.made_by_another = !ledger.created()})) refuse_as_made_meanwhile();
}

void Entrance::refuse_if_there_by_now() const {
  if (judge_hold({.made_by_another = is_ledger_there(settings_, input_.sha256())})) {
    refuse_as_made_meanwhile();
  }
}

void Entrance::refuse_as_made_meanwhile() const {
  throw LedgerBusy(settings_.ledger + ": another sagorder made it while this one was starting");
}

/// Between the two a crash leaves the memory at a run that the ledger knows as the one before.
void Entrance::remember(Ledger& ledger, const Facts& facts) {
  const std::string id = fact(facts, kFactLedgerId, settings_.ledger);
  const std::vector<std::string> known = runs_of(facts);
  std::string last = known.empty() ? "" : known.front();
  new_batch_ = true;
  for (const Batch& batch : batches().all_of(input_.sha256())) {
    if (batch.ledger_id != id) continue;
    new_batch_ = false;
    if (knows_run({.id = id, .input_sha256 = {}, .runs = known}, batch.run)) last = batch.run;
  }
  const std::string run = random_hex();
  kill_point("remember:before");
  ledger.set_facts({{std::string(kFactRun), run}, {std::string(kFactRunBefore), last}});
  kill_point("remember:run-drawn");
  const Batch batch{absolute(settings_.output), absolute(ledger.place()), id,
                    timestamp(now().wall),      settings_.command_line,   run};
  if (!input_.file_sha256().empty()) {
    Batch by_bytes = batch;
    by_bytes.run.clear();  // which run was last is told by the text's entry alone
    const auto before = batches().remember(input_.file_sha256(), by_bytes, settings_.again, known);
    if (before) refuse(before->obstacle, before->batch);
  }
  const auto before = batches().remember(input_.sha256(), batch, settings_.again, known);
  kill_point("remember:after");
  if (before) refuse(before->obstacle, before->batch);
}

/// Hosts of one machine have one memory: what another remembered meanwhile stands in the ledger by
/// then, for it is drawn there first.
void Entrance::remember_as_host(SharedLedger& ledger) {
  const std::string run = random_hex();
  kill_point("database:before-remembering");
  ledger.set_facts({{std::string(kFactRunOfHost) + std::to_string(ledger.host()), run}});
  kill_point("database:run-drawn");
  Facts facts = ledger.facts();
  Batch batch{absolute(settings_.output),
              absolute(ledger.place()),
              fact(facts, kFactLedgerId, settings_.ledger),
              timestamp(now().wall),
              settings_.command_line,
              run};
  for (const std::string& digest : digests()) {
    std::size_t known = 0;  // runs: as long as they become more, another host may have come first
    while (const auto before = batches().remember(digest, batch, settings_.again, runs_of(facts))) {
      if (runs_of(facts).size() == known) refuse(before->obstacle, before->batch);
      known = runs_of(facts).size();
      facts = ledger.facts();
    }
    batch.run.clear();  // which run was last is told by the text's entry alone
  }
  kill_point("database:remembered");
}

void Entrance::forget(const Facts& facts) {
  if (!new_batch_) return;
  kill_point("end:before-forgotten");
  for (const std::string& digest : digests()) {
    batches().forget(digest, fact(facts, kFactLedgerId, settings_.ledger));
  }
  kill_point("end:forgotten");
}

}  // namespace sagorder::io
