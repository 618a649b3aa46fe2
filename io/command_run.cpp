#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "engine/projection.hpp"
#include "io/batches.hpp"
#include "io/commands.hpp"
#include "io/credentials.hpp"
#include "io/driver.hpp"
#include "io/kill_point.hpp"
#include "io/ledger_sqlite.hpp"
#include "io/process.hpp"
#include "io/results_file.hpp"
#include "io/summary.hpp"

namespace sagorder::io {
namespace {

using nlohmann::json;

constexpr std::uint64_t kWarningsShown = 10;  // of a run; `check` shows them all

std::string absolute(const std::string& path) {
  return path == "-" ? "standard input" : std::filesystem::weakly_canonical(path).string();
}

std::string endpoint_text(const std::optional<Endpoint>& endpoint) {
  if (!endpoint) return "by RegionId";
  const bool literal = endpoint->host.find(':') != std::string::npos;
  return (literal ? "[" + endpoint->host + "]" : endpoint->host) + ":" +
         std::to_string(endpoint->port);
}

/// A run, step by step; each step may refuse (throws), and until `drive` nothing is sent.
class Run {
 public:
  Run(const Settings& settings, Log& log)
      : settings_(settings),
        log_(log),
        input_(settings.input, std::filesystem::absolute(settings.output).parent_path().string()),
        proposed_ledger_(settings.ledger == settings.output + ".ledger"
                             ? ""
                             : " --ledger " + shell_quoted(settings.ledger)) {}

  ExitCode perform() {
    validate_input();
    if (settings_.dry_run) return show_dry_run();
    try {
      prepare();
    } catch (...) {
      if (results_) results_->remove_if_unused();
      throw;
    }
    drive();
    return conclude();
  }

 private:
  /// Made when it is needed: a dry run remembers nothing.
  Batches& batches() {
    if (!batches_) batches_.emplace(Batches::default_directory());
    return *batches_;
  }

  /// Whatever can refuse does so before a ledger is made.
  void prepare() {
    kill_point("start:validated");
    refuse_bad_paths();
    open_existing_ledger();
    kill_point("start:ledger-opened");
    refuse_if_ordered_before();
    replay();
    kill_point("start:replayed");
    close_open_intents();
    refuse_other_settings();
    kill_point("start:before-results");
    compare_results();
    kill_point("start:results-compared");
    if (left_.orders > 0) {
      credentials_ = find_credentials(settings_.profile);
      log_.info("credentials from the " + credentials_.source);
      tls_.emplace(settings_.ca_file);
      confirm();
    }
    make_ledger();
    kill_point("start:ledger-ready");
    repair_results();
    kill_point("start:results-ready");
  }

  // --- before anything is written

  void validate_input() {
    std::uint64_t warnings = 0;
    validation_ = validate(input_, settings_.intake, [&](const Complaint& complaint) {
      if (complaint.severity == Severity::warning && ++warnings > kWarningsShown) return;
      tell("{}\n", printable(to_string(complaint, input_.name())));
    });
    if (warnings > kWarningsShown) {
      tell("{}: {} more warnings; `sagorder check` lists them all\n", input_.name(),
           warnings - kWarningsShown);
    }
    const bool skip = settings_.skip_invalid && validation_.readable;
    if (validation_.errors == 0 || skip) return;
    throw Refusal(ExitCode::input,
                  fmt::format("{}: {} error{}; nothing was sent", input_.name(), validation_.errors,
                              validation_.errors == 1 ? "" : "s"),
                  validation_.readable
                      ? "mend the rows, or leave them out with --skip-invalid"
                      : "mend the file; `sagorder check` lists everything that is wrong with it");
  }

  /// Found now, and not when the money is spent.
  void refuse_bad_paths() const {
    const std::string directory = directory_of(settings_.output);
    if (!std::filesystem::is_directory(directory)) {
      throw OutputError("--output " + settings_.output + ": there is no directory " + directory +
                        "; make it first");
    }
    if (!settings_.summary.empty()) Replacement probe(settings_.summary);
    if (settings_.ca_file.empty()) return;
    try {
      open_to_read(settings_.ca_file);
    } catch (const FileError& error) {
      throw Refusal(ExitCode::usage,
                    std::string("cannot load trust anchors: --ca-file ") + error.what(), "");
    }
  }

  ExitCode show_dry_run() {
    AccessKey key{"<AccessKeyId>", Secret("not a secret"), Secret()};
    try {
      key = find_credentials(settings_.profile).key;
    } catch (const CredentialsError& error) {
      tell("no credentials were found; the request is shown with a stand-in\n");
    }
    const RequestWriter writer(settings_.scheme, settings_.method, key);
    NonceSource::Key nonce_key{};
    fill_random(nonce_key);
    NonceSource nonces(nonce_key);
    bool shown = false;
    for_each_row(input_, settings_.intake, [&](const Order& order, bool valid, const auto&) {
      if (!valid || std::exchange(shown, true)) return;
      const Endpoint endpoint =
          settings_.endpoint ? *settings_.endpoint : default_endpoint(order.region_id);
      fmt::print("row {} would go to {}:{}\n\n{}\n", order.row.value, endpoint.host, endpoint.port,
                 writer.explain(order, host_header(endpoint), {now().wall, nonces.next()}));
    });
    fmt::print("{} orders, {} seats, {} seat-months; no connection was opened\n",
               validation_.totals.orders, validation_.totals.seats, validation_.totals.seat_months);
    return ExitCode::all_placed;
  }

  void open_existing_ledger() {
    FileIdentity identity;
    if (!identity_of(settings_.ledger, identity)) return;
    ledger_ = std::make_unique<SqliteLedger>(settings_.ledger);
    facts_ = ledger_->facts();
    if (facts_.empty()) return;
    if (fact(facts_, kFactInputSha256, settings_.ledger) != input_.sha256()) {
      throw Refusal(ExitCode::input,
                    fmt::format("{}: its content is not what {} was begun with ({}); nothing was "
                                "sent",
                                input_.name(), settings_.ledger,
                                fact(facts_, kFactInputPath, settings_.ledger)),
                    fmt::format("put the input back as it was. To order more rows, or mended ones, "
                                "make a file of those rows alone and give it another --output: a "
                                "row that is in both files is bought twice\n"
                                "`sagorder status {}` says what this batch has ordered",
                                shell_quoted(settings_.output) + proposed_ledger_));
    }
  }

  void refuse_if_ordered_before() {
    if (settings_.again) return;
    const auto found = facts_.find(kFactLedgerId);
    const std::string ledger_id = found == facts_.end() ? "" : found->second;
    if (const auto before = batches().find(input_.sha256(), ledger_id)) refuse_as_before(*before);
    if (!ledger_id.empty()) refuse_if_copied(ledger_id);
  }

  /// A copy of a ledger does not know what the other copy sent, or is about to. A ledger that was
  /// moved is no copy: then there is none where it was, and it knows the last run.
  void refuse_if_copied(const std::string& ledger_id) {
    FileIdentity ours;
    identity_of(settings_.ledger, ours);
    for (const Batch& batch : batches().all_of(input_.sha256())) {
      if (batch.ledger_id != ledger_id) continue;
      if (is_later_run(batch, known_runs())) refuse_as_older(batch);
      FileIdentity other;
      if (identity_of(batch.ledger, other) && other != ours) refuse_as_before(batch);
    }
  }

  [[nodiscard]] std::vector<std::string> known_runs() const {
    std::vector<std::string> known;
    for (const std::string_view name : {kFactRun, kFactRunBefore}) {
      const auto found = facts_.find(name);
      if (found != facts_.end()) known.push_back(found->second);
    }
    return known;
  }

  [[noreturn]] void refuse_as_older(const Batch& last) const {
    throw Refusal(
        ExitCode::input,
        fmt::format("{}: is an older copy of a ledger, or its -wal file is missing: a run "
                    "of this batch that it knows nothing of was begun with {}; nothing was "
                    "sent",
                    settings_.ledger, last.ledger),
        "put the later ledger back, with its -wal file; an older one would order again "
        "what it has forgotten");
  }

  [[noreturn]] void refuse_as_before(const Batch& before) const {
    const bool gone = before.ledger == absolute(settings_.ledger);
    const std::string usual = before.output + ".ledger";
    const std::string ledger =
        before.ledger == usual ? "" : " --ledger " + shell_quoted(before.ledger);
    throw Refusal(ExitCode::input,
                  fmt::format("{}: the same content was ordered before, begun {}, with results in "
                              "{} and ledger {}; nothing was sent",
                              input_.name(), before.started_at, before.output, before.ledger),
                  (gone ? "that ledger is no longer the one it was; put it back"
                        : "see how it stands and go on with it:  sagorder status " +
                              shell_quoted(before.output) + ledger) +
                      "\nor, if every order is to be placed a second time, add --again");
  }

  void replay() {
    rows_ =
        std::make_unique<Rows>(ledger_ ? replay_rows(*ledger_, validation_.rows, settings_.ledger)
                                       : Rows(validation_.rows));
  }

  /// Counts what is left, and refuses what would make the rest of the batch another one.
  void refuse_other_settings() {
    left_ = validation_.totals;
    if (rows_->count_of(State::pending) == rows_->count()) return;
    left_ = {};
    pass([&](const Order& order, bool valid, const auto&) {
      if (valid && rows_->state(order.row) == State::pending) left_.add(order);
    });
    refuse_if_different(kFactEndpoint, endpoint_text(settings_.endpoint), "--endpoint");
    refuse_if_different(kFactSet, set_text(), "--set");
    refuse_if_different(kFactColumns, json(validation_.columns).dump(), "--set or --carry");
  }

  void refuse_if_different(std::string_view name, const std::string& value,
                           std::string_view option) const {
    const std::string before = fact(facts_, name, settings_.ledger);
    if (before == value) return;
    throw Refusal(
        ExitCode::input,
        fmt::format("{} is '{}', but rows of this batch were sent with '{}'; nothing was "
                    "sent",
                    option, value, before),
        "the last command of this batch was:  " + fact(facts_, kFactCommand, settings_.ledger));
  }

  [[nodiscard]] std::string set_text() const {
    json set = json::object();
    for (const auto& [name, value] : settings_.intake.set) set[name] = value;
    return set.dump();
  }

  void confirm() {
    if (settings_.yes && settings_.quiet) return;
    tell(
        "{} of {} orders are left to place at {}: {} seats, {} seat-months, {} paid at "
        "once{}\n",
        left_.orders, validation_.totals.orders, endpoint_text(settings_.endpoint), left_.seats,
        left_.seat_months, left_.auto_pay, limits_text());
    if (settings_.yes) return;
    if (!is_terminal(STDIN_FILENO) || settings_.input == "-") {
      throw Refusal(ExitCode::usage, "orders cost money, and there is no terminal to ask",
                    "add --yes to place them without being asked");
    }
    tell("Type 'yes' to place them: ");
    std::fflush(stderr);
    std::string answer;
    if (!std::getline(std::cin, answer)) tell("\n");
    if (answer == "yes") return;
    throw Refusal(ExitCode::usage, "not confirmed; nothing was sent",
                  "to place the orders, type yes in full, or give --yes");
  }

  [[nodiscard]] std::string limits_text() const {
    std::string text;
    if (settings_.max_orders) {
      text += fmt::format("; this run places at most {} (--max-orders)", *settings_.max_orders);
    }
    if (settings_.max_seats) {
      text += fmt::format("; this run buys at most {} seats (--max-seats)", *settings_.max_seats);
    }
    return text;
  }

  // --- the files

  void make_ledger() {
    if (!ledger_) {
      ledger_ = std::make_unique<SqliteLedger>(settings_.ledger);
      // One that another process made meanwhile was not replayed: nothing may be sent from it.
      if (!ledger_->created()) {
        throw LedgerBusy(settings_.ledger +
                         ": another sagorder made it while this one was starting");
      }
    }
    Facts changed;
    if (facts_.empty()) {
      changed = {{std::string(kFactLedgerId), random_hex()},
                 {std::string(kFactInputSha256), input_.sha256()},
                 {std::string(kFactRows), std::to_string(validation_.rows)},
                 {std::string(kFactCreatedAt), timestamp(now().wall)}};
    }
    changed[std::string(kFactInputPath)] = absolute(settings_.input);
    changed[std::string(kFactOutputPath)] = absolute(settings_.output);
    changed[std::string(kFactColumns)] = json(validation_.columns).dump();
    changed[std::string(kFactEndpoint)] = endpoint_text(settings_.endpoint);
    changed[std::string(kFactSet)] = set_text();
    changed[std::string(kFactInvalid)] = std::to_string(validation_.invalid);
    changed[std::string(kFactDirectory)] = std::filesystem::current_path().string();
    changed[std::string(kFactCommand)] = settings_.command_line;
    ledger_->set_facts(changed);
    for (const auto& [name, value] : changed) facts_[name] = value;
  }

  void close_open_intents() {
    const std::vector<Record> records = open_as_in_doubt(*rows_, now().wall);
    if (records.empty()) return;
    kill_point("start:before-intents-closed");
    ledger_->commit(records);
    kill_point("start:intents-closed");
    for (const Record& record : records) rows_->apply({record.kind, record.row, record.attempt});
    log_.warning(fmt::format(
        "rows under way when the last run ended: {}; they are in doubt and are not sent again",
        records.size()));
  }

  /// What the results file says, against what the ledger says.
  void compare_results() {
    results_ = std::make_unique<ResultsFile>(settings_.output, validation_.columns);
    projection_.emplace(*rows_);
    mark_invalid_rows(*projection_);
    scan_ = results_->scan([&](const ResultKey& key) { projection_->see(key); });
    if (scan_.content == ResultsFile::Content::foreign) {
      throw OutputError(settings_.output +
                        ": is there already and is not the results file of this batch; move it "
                        "away or choose another --output");
    }
    if (scan_.content == ResultsFile::Content::broken) projection_->see_broken();
    if (projection_->repair() != Repair::refuse) return;
    throw LedgerError(fmt::format(
        "{}: has a line of row {}, of which the ledger {} knows nothing: the ledger lost records "
        "or is not the one that belongs to it. Nothing was sent. Put the ledger back; or, to order "
        "everything a second time, choose another --output",
        settings_.output, projection_->unknown_row().value_or(Row{}).value, settings_.ledger));
  }

  /// Makes the results file the projection of the ledger again, before anything is sent.
  void repair_results() {
    if (scan_.torn_bytes > 0) results_->cut_torn_tail();
    kill_point("repair:before");
    if (projection_->repair() == Repair::append) {
      log_.info(fmt::format("lines missing in the results, added now: {}", projection_->missing()));
      write_lines([&](Row row) { return projection_->lacks_line(row); },
                  [&](std::string_view lines) { results_->append(lines); });
      kill_point("repair:lines-added");
    } else if (projection_->repair() == Repair::rebuild) {
      log_.warning("the results file does not agree with the ledger; it is written anew");
      results_->rebuild(
          [&](const ResultsFile::Sink& sink) { write_lines([](Row) { return true; }, sink); });
      kill_point("repair:rebuilt");
    }
    projection_.reset();  // a byte a row
  }

  void mark_invalid_rows(Projection& projection) {
    if (validation_.invalid == 0) return;
    pass([&](const Order& order, bool valid, const auto&) {
      if (!valid) projection.mark_invalid(order.row);
    });
  }

  /// Lines of settled and invalid rows, in the order of the input, in blocks.
  void write_lines(const std::function<bool(Row)>& wanted, const ResultsFile::Sink& sink) {
    constexpr std::size_t kBlock = 256 * 1024;
    const ResultWriter writer(results_->format(), validation_.columns);
    std::string lines;
    pass([&](const Order& order, bool valid, const std::vector<Complaint>& complaints) {
      if (!wanted(order.row)) return;
      // What was ordered stays so, even if the row is invalid by today's options.
      if (const auto outcome = outcome_of(order.row)) {
        writer.line(*outcome, rows_->attempts(order.row), order.cells, lines);
      } else if (!valid) {
        writer.invalid(order.row, reasons(complaints), now().wall, order.cells, lines);
      }
      if (lines.size() < kBlock) return;
      sink(lines);
      lines.clear();
    });
    if (!lines.empty()) sink(lines);
  }

  std::optional<Record> outcome_of(Row row) {
    if (!status_of(rows_->state(row))) return std::nullopt;
    return ledger_->outcome_of(row);
  }

  static std::string reasons(const std::vector<Complaint>& complaints) {
    std::string text;
    for (const Complaint& complaint : complaints) {
      if (complaint.severity != Severity::error) continue;
      text += (text.empty() ? "" : "; ") + complaint.text;
    }
    return text;
  }

  void pass(const std::function<void(const Order&, bool, const std::vector<Complaint>&)>& visit) {
    if (for_each_row(input_, settings_.intake, visit)) return;
    throw Refusal(ExitCode::input,
                  input_.name() + ": changed after it was validated; nothing was sent",
                  "put it back as it was, then the same command goes on");
  }

  // --- the orders

  /// Draws this run's token into the ledger, then remembers the batch with it. Between the two a
  /// crash leaves the memory at a run that the ledger knows as the one before.
  void remember_batch() {
    const std::string id = fact(facts_, kFactLedgerId, settings_.ledger);
    const std::vector<std::string> known = known_runs();
    std::string last = known.empty() ? "" : known.front();
    new_batch_ = true;
    for (const Batch& batch : batches().all_of(input_.sha256())) {
      if (batch.ledger_id != id) continue;
      new_batch_ = false;
      if (!is_later_run(batch, known)) last = batch.run;
    }
    const std::string run = random_hex();
    kill_point("remember:before");
    ledger_->set_facts({{std::string(kFactRun), run}, {std::string(kFactRunBefore), last}});
    kill_point("remember:run-drawn");
    const Batch batch{absolute(settings_.output), absolute(ledger_->path()), id,
                      timestamp(now().wall),      settings_.command_line,    run};
    const auto before = batches().remember(input_.sha256(), batch, settings_.again, known);
    kill_point("remember:after");
    if (!before) return;
    if (before->ledger_id == id) refuse_as_older(*before);
    refuse_as_before(*before);
  }

  PipelineOptions pipeline_options() const {
    PipelineOptions options;
    options.endpoint = settings_.endpoint;
    options.rate = settings_.rate;
    options.burst = settings_.burst;
    options.connections = settings_.connections;
    options.max_in_flight = settings_.max_in_flight;
    options.max_orders = settings_.max_orders;
    options.max_seats = settings_.max_seats;
    options.max_failures = settings_.max_failures;
    options.max_doubts = settings_.max_doubts;
    options.replay = settings_.replay;
    return options;
  }

  void drive() {
    NonceSource::Key nonce_key{};
    fill_random(nonce_key);
    pipeline_ = std::make_unique<Pipeline>(
        pipeline_options(), *rows_,
        RequestWriter(settings_.scheme, settings_.method, credentials_.key),
        ResultWriter(results_->format(), validation_.columns), nonce_key);
    if (left_.orders == 0) return;
    const bool terminal = is_terminal(STDERR_FILENO);
    Progress progress(settings_.quiet ? ProgressMode::none : settings_.progress, terminal,
                      [] { return terminal_width(STDERR_FILENO); });
    log_.before_line([&] { progress.hide(); });
    PoolOptions pool;
    pool.connections = settings_.connections;
    pool.request_timeout = settings_.request_timeout;
    pool.connect_timeout = settings_.connect_timeout;
    const SteadyTime begin = now().steady;
    Driver driver({*pipeline_, *ledger_, input_, settings_.intake, *results_, *tls_, pool,
                   settings_.threads, validation_.totals.orders, progress, log_,
                   [this] { remember_batch(); }});
    driver.run();
    elapsed_ = now().steady - begin;
    network_ = driver.counters();
    log_.before_line(nullptr);
  }

  // --- the end

  ExitCode conclude() {
    Stop stop = pipeline_->stop();
    std::string detail = pipeline_->stop_detail();
    try {
      results_->sync();
    } catch (const OutputError& error) {
      if (stop == Stop::none) {
        stop = Stop::output_failed;
        detail = error.what();
      }
    }
    tell_unrecorded();
    const ExitCode code = exit_code_of(stop, *rows_, validation_.invalid);
    const Tally& tally = pipeline_->tally();
    const std::uint64_t not_sent = left_.orders - tally.placed - tally.rejected - tally.in_doubt;
    // Remembered a moment before the first send: if no byte left, nothing was ordered.
    if (new_batch_ && tally.sent == 0) {
      kill_point("end:before-forgotten");
      batches().forget(input_.sha256(), fact(facts_, kFactLedgerId, settings_.ledger));
      kill_point("end:forgotten");
    }
    Summary summary{*rows_,
                    tally,
                    validation_,
                    network_,
                    stop,
                    detail,
                    code,
                    elapsed_,
                    not_sent,
                    settings_.output,
                    settings_.ledger,
                    "",
                    "",
                    advice_for(stop, *rows_)};
    if (rows_->count_of(State::in_doubt) > 0) {
      summary.status_command =
          "sagorder status " + shell_quoted(settings_.output) + proposed_ledger_;
    }
    if (not_sent > 0 || stop != Stop::none) summary.next_command = settings_.command_line;
    if (!settings_.quiet || stop != Stop::none) tell("{}", to_text(summary));
    if (!settings_.summary.empty()) {
      replace_file(settings_.summary,
                   [&](const Fd& file) { write_all(file, to_json(summary), settings_.summary); });
    }
    kill_point("end:told");
    return code;
  }

  /// Outcomes that came in after the ledger failed: this is the only place that names them.
  void tell_unrecorded() {
    for (const Record& record : pipeline_->unrecorded()) {
      log_.error("an outcome could not be recorded; note it down",
                 {{"row", std::to_string(record.row.value)},
                  {"state", name_of(record.kind)},
                  {"OrderId", record.order_id},
                  {"code", record.code}});
    }
  }

  const Settings& settings_;
  Log& log_;
  OrdersFile input_;
  std::string
      proposed_ledger_;  // ` --ledger PATH` for proposed commands, where it needs to be said
  std::optional<Batches> batches_;
  Validation validation_;
  Credentials credentials_;
  std::unique_ptr<SqliteLedger> ledger_;
  Facts facts_;
  std::unique_ptr<Rows> rows_;
  Totals left_;  // valid rows that are not settled
  std::optional<TlsContext> tls_;
  std::optional<Projection> projection_;
  ResultsFile::Scan scan_;
  bool new_batch_ = false;  // remembered by this run
  std::unique_ptr<ResultsFile> results_;
  std::unique_ptr<Pipeline> pipeline_;
  PoolCounters network_;
  nanoseconds elapsed_{0};
};

}  // namespace

ExitCode run_command(const Settings& settings, Log& log) { return Run(settings, log).perform(); }

}  // namespace sagorder::io
