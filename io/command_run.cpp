#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "engine/complaints.hpp"
#include "io/approval.hpp"
#include "io/choices.hpp"
#include "io/commands.hpp"
#include "io/credentials.hpp"
#include "io/driver.hpp"
#include "io/entrance.hpp"
#include "io/going_on.hpp"
#include "io/kill_point.hpp"
#include "io/ledger_place.hpp"
#include "io/membership.hpp"
#include "io/metrics.hpp"
#include "io/noted_signals.hpp"
#include "io/outcome_log.hpp"
#include "io/process.hpp"
#include "io/references.hpp"
#include "io/refused_run.hpp"
#include "io/results_file.hpp"
#include "io/results_repair.hpp"
#include "io/routes.hpp"
#include "io/run_history.hpp"
#include "io/standing.hpp"
#include "io/summary.hpp"
#include "io/work_shown.hpp"

namespace sagorder::io {
namespace {

using nlohmann::json;

constexpr milliseconds kLockAskedEvery{200};
constexpr milliseconds kInterruptSeenIn{20};
constexpr std::string_view kNotSeen = "what other hosts did could not be read";
constexpr seconds kLookBackPatience{10};

/// As long as it lives, the progress gives way to the lines of the log.
class GivingWay {
 public:
  GivingWay(Log& log, Progress& progress) : log_(log), progress_(progress) {
    log_.before_line([&progress] { progress.hide(); });
  }
  ~GivingWay() {
    progress_.hide();
    log_.before_line(nullptr);
  }
  GivingWay(const GivingWay&) = delete;
  GivingWay& operator=(const GivingWay&) = delete;

 private:
  Log& log_;
  Progress& progress_;
};

/// For those who watch runs. What cannot be written is said, unless it is why the run was refused.
void tell_watchers(const Settings& settings, WallTime begun, const Ending& ending, Log& log) {
  const std::vector<std::string> troubles =
      leave_word(RefusedRun{settings.output, settings.ledger, settings.summary, settings.metrics,
                            log.run(), settings.rate, begun, now().wall, ending});
  for (const std::string& each : troubles) {
    if (each != ending.what) log.warning(each);
  }
}

/// A run, step by step; each step may refuse (throws), and until `drive` nothing is sent.
class Run {
 public:
  Run(const Settings& settings, Log& log)
      : settings_(settings),
        log_(log),
        progress_(settings.quiet ? ProgressMode::none : settings.progress,
                  is_terminal(STDERR_FILENO), [] { return terminal_width(STDERR_FILENO); }),
        giving_way_(log_, progress_),
        input_(settings.input, std::filesystem::absolute(settings.output).parent_path().string(),
               reading(), reading_of(settings)),
        entrance_(settings, input_),
        approval_(settings),
        references_(directory_of(settings.output)) {
    if (settings.not_after) not_after_ = settings.not_after->from(now().wall);
    progress_.expect_at_most(settings.limits.max_orders);
  }

  ExitCode perform() {
    validate_input();
    if (settings_.dry_run) return show_dry_run();
    prepare_when_free();
    drive();
    return conclude();
  }

  /// Whether an attempt may be durable: from then on nothing is as if there had been no run.
  [[nodiscard]] bool has_begun() const { return begun_first_; }

 private:
  /// The first that is done: the log learns of the run, and the progress how it is to speak.
  OrdersFile::Watch reading() {
    log_.set_run(random_hex().substr(0, kRunIdDigits));
    if (log_.format() == LogFormat::json) {
      progress_.tell_through([this](const std::string& message, const std::string& members) {
        log_.event(LogLevel::info, "progress", message, members);
      });
    } else {
      progress_.say_through([this](const std::string& line) { log_.line(LogLevel::info, line); },
                            log_.run());
    }
    return [this](std::uint64_t bytes, std::uint64_t of) {
      const std::string what = reading_of_file(settings_.input);
      look_up(what);
      progress_.work(what, bytes, of, now().steady);
    };
  }

  /// Prepares, and if another run holds the batch, again and again until --wait-lock is over. Each
  /// time from the ledger on, for it is another one by then.
  void prepare_when_free() {
    const SteadyTime until = now().steady + settings_.wait_lock;
    for (bool told = false;; told = true) {
      try {
        return prepare();
      } catch (const LedgerBusy& busy) {
        take_back();
        if (now().steady >= until) throw;
        if (!told) log_.info(fmt::format("{}; waiting for it to end", busy.what()));
      } catch (...) {
        take_back();
        throw;
      }
      signals_.wait(kLockAskedEvery);
      look_up("waiting for another run of this batch to end");
    }
  }

  /// Wherever it may take a while before the first order. @param doing what is being done
  void look_up(const std::string& doing) const {
    if (signals_.interrupted()) refuse_as_interrupted();
    if (status_asked()) log_.asked(doing + "; this run has sent nothing so far");
  }

  [[noreturn]] static void refuse_as_interrupted() {
    throw Refusal(ExitCode::interrupted, "interrupted before the first order; nothing was sent",
                  "");
  }

  /// What `prepare` has made so far; nothing was sent, and nothing new is recorded.
  void take_back() {
    if (repair_) repair_->remove_if_unused();
    repair_.reset();
    results_.reset();
    rows_.reset();
    membership_.reset();
    shared_ = nullptr;
    ledger_.reset();
    facts_.clear();
  }

  /// Whatever can refuse does so before a ledger is made.
  void prepare() {
    kill_point("start:validated");
    entrance_.refuse_bad_paths();
    open_existing_ledger();
    kill_point("start:ledger-opened");
    entrance_.refuse_if_ordered_before(facts_);
    replay();
    kill_point("start:replayed");
    close_open_intents();
    refuse_other_settings();
    refuse_known_references();
    kill_point("start:before-results");
    repair_ = std::make_unique<ResultsRepair>(settings_, validation_, input_, *rows_);
    if (membership_) repair_->leave_to_others(membership_->own_rows(rows_->count()));
    compare_results();
    kill_point("start:results-compared");
    if (is_work_left()) {
      refuse_if_too_late();
      say_settings();
      keep_to_plan();
      listen_for_scrapers();
      tls_.emplace(tls_of(settings_));
      routes_ = find_routes(settings_);
      tell_proxy();
      credentials_ = obtain_key(key_choice(settings_), *tls_, settings_.scheme, routes_,
                                {[this](const std::string& what) {
                                   log_.info(what);
                                   doing_ = what;
                                 },
                                 [this] { look_up(doing_); }});
      log_.info("credentials from the " + credentials_.describe());
      confirm();
    }
    make_ledger();
    kill_point("start:ledger-ready");
    repair_->repair(*ledger_, log_);
    look_up("getting ready");
    results_ = repair_->take();
    repair_.reset();  // a byte a row
    kill_point("start:results-ready");
  }

  // --- before anything is written

  /// What no command line shows is said: which files and variables count, and which limits do not.
  void say_settings() {
    const Configuration& configuration = settings_.configuration;
    const std::string sources = configuration.sources();
    if (!sources.empty()) log_.info("settings from " + sources);
    for (const std::string_view limit :
         {"max-orders", "max-seats", "max-seat-months", "max-failures", "max-doubts"}) {
      for (const ConfiguredValue* each : configuration.overridden(limit)) {
        log_.info(std::string(limit) + " of " + each->where + " is overridden by " +
                  configuration.effective(limit)->where);
      }
    }
  }

  void validate_input() {
    Complaints complaints;
    validation_ = validate(
        input_, settings_.intake, [&](const Complaint& complaint) { complaints.add(complaint); },
        [&](const Order& order, const csv::Record& record, const Validation& so_far) {
          references_.see(order, record, so_far);
        });
    for (const Complaint& each : complaints.told()) tell_complaint(each);
    progress_.hide();
    if (const std::string text = recognition(input_); !text.empty()) log_.info(text);
    const bool skip = settings_.skip_invalid && validation_.readable;
    if (validation_.errors > 0 && !skip) {
      throw Refusal(ExitCode::input,
                    fmt::format("{}: {} error{}; nothing was sent", input_.name(),
                                validation_.errors, validation_.errors == 1 ? "" : "s"),
                    validation_.readable
                        ? "mend the rows, or leave them out with --skip-invalid"
                        : "mend the file; `sagorder check` lists everything that is wrong with it");
    }
    refuse_references(references_.repeated(severity_of_references()), "is that of another row",
                      "mend them: a Reference is what a row is called by, each by its own");
  }

  [[nodiscard]] Severity severity_of_references() const {
    return settings_.allow_repeated_references ? Severity::warning : Severity::error;
  }

  /// Not a row's own error, which --skip-invalid could leave out: of two equal ones neither is
  /// wrong by itself.
  void refuse_references(const std::vector<Complaint>& complaints, std::string_view what,
                         std::string_view advice) const {
    for (const Complaint& each : complaints) tell_complaint(each);
    if (complaints.empty() || settings_.allow_repeated_references) return;
    throw Refusal(ExitCode::input,
                  fmt::format("{}: rows whose Reference {}; nothing was sent", input_.name(), what),
                  fmt::format("{}\nor, if they are to be ordered all the same, add "
                              "--allow-repeated-references",
                              advice));
  }

  /// What other batches ordered, of the rows that are left.
  void refuse_known_references() {
    if (settings_.history.empty()) return;
    require_references(validation_, input_.name());
    const std::vector<std::string> ledgers = ledgers_in(settings_.history);
    if (ledgers.empty()) log_.warning(no_ledgers(settings_.history));
    const auto id = facts_.find(kFactLedgerId);
    refuse_references(
        references_.ordered_before(
            ledgers, [&](Row row) { return rows_->state(row) == State::pending; },
            severity_of_references(), settings_.ledger,
            id == facts_.end() ? std::string_view() : id->second),
        "was ordered before, or may have been",
        facts_.empty()
            ? "make a file of the other rows"
            : fmt::format("this batch has sent some of the other rows: order of `{} rows {}{} "
                          "--status not_sent` alone what is not named here",
                          settings_.program, operand_quoted(settings_.output),
                          ledger_option(settings_)));
  }

  void tell_complaint(const Complaint& complaint) const {
    const bool error = complaint.severity == Severity::error;
    const std::string line = std::to_string(complaint.at.line);
    const std::string column = std::to_string(complaint.at.column);
    const std::string row = std::to_string(complaint.row.value);
    log_.line(error ? LogLevel::error : LogLevel::warning, to_string(complaint, input_.name()),
              complaint.text,
              {{"file", input_.name()},
               {"line", line, true},
               {"column", column, true},
               {"row", row, true}});
  }

  ExitCode show_dry_run() {
    keep_to_plan();
    const AccessKey key = key_without_asking();
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

  /// A key that is there, or a stand-in: nobody is asked for one, as no connection is opened.
  [[nodiscard]] AccessKey key_without_asking() const {
    try {
      const KeyPlaces places = find_key(key_choice(settings_));
      if (const auto known = known_key(places)) return known->key;
      log_.line(
          LogLevel::warning,
          fmt::format("a run would fetch a key from the {}; the request is shown with a stand-in",
                      places.sources.front().name));
    } catch (const CredentialsError& error) {
      log_.line(LogLevel::warning,
                "no credentials were found; the request is shown with a stand-in");
    }
    return {"<AccessKeyId>", Secret("not a secret"), Secret()};
  }

  void open_existing_ledger() {
    ledger_ = open_ledger_if_there(settings_, input_.sha256());
    if (!ledger_) return;
    become_member();
    facts_ = ledger_->facts();
    entrance_.refuse_other_input(facts_);
  }

  /// Where hosts share the batch, this one is among them from now on.
  void become_member() {
    shared_ = dynamic_cast<SharedLedger*>(ledger_.get());
    if (shared_ == nullptr) return;
    membership_.emplace(settings_, *shared_);
    if (const std::string caution = shared_->caution(); !caution.empty()) log_.warning(caution);
  }

  /// For this run, or, where another host has rows under way, perhaps.
  [[nodiscard]] bool is_work_left() const {
    const bool elsewhere =
        shared_ != nullptr && !shared_->was_first() && rows_->count_of(State::intended) > 0;
    return left_.orders > 0 || elsewhere;
  }

  void replay() {
    rows_ = std::make_unique<Rows>(
        ledger_ ? replay_rows(*ledger_, validation_.rows, settings_.ledger,
                              [this](std::uint64_t records) { tell_replaying(records); })
                : Rows(validation_.rows));
  }

  void tell_replaying(std::uint64_t records) {
    look_up("replaying " + settings_.ledger);
    progress_.work("replaying " + settings_.ledger, records,
                   records_about(validation_.rows, records), now().steady);
  }

  /// Counts what is left, and refuses what would make the rest of the batch another one.
  void refuse_other_settings() {
    left_ = validation_.totals;
    if (rows_->count_of(State::pending) == rows_->count()) return;
    left_ = {};
    pass_again(input_, settings_.intake, [&](const Order& order, bool valid, const auto&) {
      if (valid && rows_->state(order.row) == State::pending) left_.add(order);
    });
    refuse_if_different(kFactEndpoint, endpoint_text(settings_.endpoint), "--endpoint");
    refuse_if_different(kFactSet, set_text(), "--set");
    refuse_if_different(kFactColumns, json(validation_.columns).dump(), "--set or --carry");
  }

  void refuse_if_different(std::string_view name, const std::string& value,
                           std::string_view option) const {
    entrance_.refuse_if_different(*rows_, facts_, name, value, option);
  }

  [[nodiscard]] std::string set_text() const {
    json set = json::object();
    for (const auto& [name, value] : settings_.intake.set) set[name] = value;
    return set.dump();
  }

  void refuse_if_too_late() const {
    if (!not_after_ || now().wall < *not_after_) return;
    throw Refusal(ExitCode::limit,
                  fmt::format("--not-after {} is past; nothing was sent", timestamp(*not_after_)),
                  "give a later time, or leave it out");
  }

  void keep_to_plan() const {
    if (settings_.plan.empty()) return;
    approval_.keep_to(validation_, input_.sha256(), find_key(key_choice(settings_)), facts_, log_);
  }

  void tell_proxy() {
    const Endpoint to = settings_.endpoint.value_or(default_endpoint(kRegions.front()));
    const Proxy* const proxy = routes_.proxy_for(to);
    if (proxy == nullptr) return;
    log_.info("through the proxy " + text_of(proxy->at) + " (" + proxy->source + ")");
  }

  void confirm() {
    if (settings_.yes && settings_.quiet) return;
    log_.line(
        LogLevel::info,
        fmt::format("{} of {} orders are left to place at {}: {} seats, {} seat-months, {} "
                    "paid at once{}",
                    left_.orders, validation_.totals.orders, endpoint_text(settings_.endpoint),
                    left_.seats, left_.seat_months, left_.auto_pay, limits_text()));
    if (settings_.yes) return;
    if (!is_terminal(STDIN_FILENO) || settings_.input == "-") {
      throw Refusal(ExitCode::usage, "orders cost money, and there is no terminal to ask",
                    "add --yes to place them without being asked");
    }
    const auto answer =
        answer_to([this] { log_.question("Type 'yes' to place them: "); }, signals_.readable());
    if (!answer && log_.format() == LogFormat::text) tell("\n");
    if (signals_.interrupted()) refuse_as_interrupted();
    if (answer == "yes") return;
    throw Refusal(ExitCode::usage, "not confirmed; nothing was sent",
                  "to place the orders, type yes in full, or give --yes");
  }

  [[nodiscard]] std::string limits_text() const {
    const Limits& limits = settings_.limits;
    std::string text;
    if (limits.max_orders) {
      text += fmt::format("; this run places at most {} (--max-orders)", *limits.max_orders);
    }
    if (limits.max_seats) {
      text += fmt::format("; this run buys at most {} seats (--max-seats)", *limits.max_seats);
    }
    if (limits.max_seat_months) {
      text += fmt::format("; this run buys at most {} seat-months (--max-seat-months)",
                          *limits.max_seat_months);
    }
    if (limits.canary > 0) {
      text += fmt::format("; {} (--canary)", canary_text());
    }
    if (not_after_) text += fmt::format("; none after {} (--not-after)", timestamp(*not_after_));
    return text;
  }

  [[nodiscard]] std::string canary_text() const {
    const std::uint64_t canary = settings_.limits.canary;
    const std::uint64_t rejected = rows_->count_of(State::rejected);
    const std::uint64_t doubts = rows_->count_of(State::in_doubt);
    if (rejected + doubts > 0) {
      return fmt::format("nothing is sent, with {} rejected and {} in doubt", rejected, doubts);
    }
    const bool passed = rows_->count_of(State::placed) >= canary;
    return fmt::format("the first {} {}", canary,
                       passed ? "are placed" : "alone, until they are placed");
  }

  // --- the files

  void make_ledger() {
    if (!ledger_) {
      ledger_ = open_or_make_ledger(settings_, input_.sha256());
      become_member();
      if (shared_ == nullptr) entrance_.refuse_if_made_meanwhile(*ledger_);
    }
    if (shared_ != nullptr && settings_.again) say_again();
    if (membership_) join();
    Facts changed;
    if (facts_.empty()) changed = first_facts();
    changed[std::string(kFactInputPath)] = absolute(settings_.input);
    changed[std::string(kFactOutputPath)] = absolute(settings_.output);
    changed[std::string(kFactColumns)] = json(validation_.columns).dump();
    changed[std::string(kFactEndpoint)] = endpoint_text(settings_.endpoint);
    changed[std::string(kFactSet)] = set_text();
    changed[std::string(kFactEncoding)] = settings_.encoding;
    changed[std::string(kFactDelimiter)] = std::string(delimiter_name(settings_.delimiter));
    changed[std::string(kFactInvalid)] = std::to_string(validation_.invalid);
    changed[std::string(kFactDirectory)] = std::filesystem::current_path().string();
    changed[std::string(kFactCommand)] = settings_.command_line;
    changed[std::string(kFactGoingOn)] = going_on_fact(settings_);
    if (is_work_left()) {
      const auto with_this = [this](const std::string& runs) {
        return with_run(runs, {now().wall, settings_.rate}, log_.run());
      };
      if (shared_ == nullptr) {
        changed[std::string(kFactRuns)] = with_this(facts_[std::string(kFactRuns)]);
      } else {
        shared_->change_fact(std::string(kFactRuns), with_this);
      }
    }
    ledger_->set_facts(changed);
    keep_references(*ledger_, input_, settings_.intake, validation_);
    for (const auto& [name, value] : changed) facts_[name] = value;
  }

  /// What --again comes to where the same content is the same batch.
  void say_again() {
    if (entrance_.go_on_after_failover(*shared_, facts_)) {
      log_.warning(
          "--again: somebody has looked for the orders that may be missing" +
          std::string(is_work_left() ? "; the batch goes on" : "; nothing is left to send"));
    } else if (!is_work_left()) {
      log_.warning(
          "--again has nothing to order: every row of this batch is settled, and in a "
          "database the same content is the same batch");
    }
  }

  [[nodiscard]] Facts first_facts() const {
    return {{std::string(kFactLedgerId), random_hex()},
            {std::string(kFactInputSha256), input_.sha256()},
            {std::string(kFactRows), std::to_string(validation_.rows)},
            {std::string(kFactCreatedAt), timestamp(now().wall)}};
  }

  /// The other hosts, if there are any, and what all of them go by.
  void join() {
    Facts facts = first_facts();
    facts[std::string(kFactColumns)] = json(validation_.columns).dump();
    facts[std::string(kFactEndpoint)] = endpoint_text(settings_.endpoint);
    facts[std::string(kFactSet)] = set_text();
    facts[std::string(kFactCanary)] = std::to_string(settings_.limits.canary);
    facts[std::string(kFactBought)] = bought_text();
    facts[std::string(kFactAccount)] = account();
    facts_ = membership_->join(facts, {{kFactEndpoint, "--endpoint"},
                                       {kFactSet, "--set"},
                                       {kFactColumns, "--set or --carry"},
                                       {kFactCanary, "--canary", ExitCode::limit},
                                       {kFactBought, "limits of what is bought", ExitCode::limit}});
    if (!is_work_left()) return;
    terms_ = membership_->terms(facts_, rows_left_out(), validation_.rows);
    shared_->make_ranges(validation_.rows, terms_.canary_rows);
    membership_->agree(terms_);
  }

  /// The limits of what a run buys, for all hosts: `none`, or as they were given.
  [[nodiscard]] std::string bought_text() const {
    const Limits& limits = settings_.limits;
    std::string text;
    const auto add = [&](const char* option, const std::optional<std::uint64_t>& limit) {
      if (limit) text += fmt::format("{}{} {}", text.empty() ? "" : " ", option, *limit);
    };
    add("--max-orders", limits.max_orders);
    add("--max-seats", limits.max_seats);
    add("--max-seat-months", limits.max_seat_months);
    return text.empty() ? "none" : text;
  }

  /// Whose rate it is. A key that is fetched is another one each time: then it is the batch's.
  [[nodiscard]] std::string account() const {
    return credentials_.renewal.empty() && !credentials_.key.id.empty() ? credentials_.key.id
                                                                        : input_.sha256();
  }

  [[nodiscard]] std::vector<Row> rows_left_out() {
    std::vector<Row> rows;
    if (validation_.invalid == 0) return rows;
    pass_again(input_, settings_.intake, [&](const Order& order, bool valid, const auto&) {
      if (!valid) rows.push_back(order.row);
    });
    return rows;
  }

  /// Lines that no ledger explains may be those of a run that began a moment ago. Where hosts share
  /// the batch and it calls them its own, none of them goes on.
  void compare_results() {
    try {
      repair_->compare();
    } catch (const LedgerError&) {
      if (!ledger_) entrance_.refuse_if_there_by_now();
      if (membership_) membership_->tell_results_know_more();
      throw;
    }
  }

  /// Of a batch that is shared they stay as they are: they may be under way at another host, and
  /// what a dead one left is in doubt by itself.
  void close_open_intents() {
    if (shared_ != nullptr) return;
    const std::vector<Record> records = open_as_in_doubt(*rows_, now().wall);
    if (records.empty()) return;
    kill_point("start:before-intents-closed");
    ledger_->commit(records);
    kill_point("start:intents-closed");
    for (const Record& record : records) rows_->apply({record.kind, record.row, record.attempt});
    log_.warning(fmt::format(
        "rows under way when the last run ended: {}; they are in doubt and are not sent again",
        records.size()));
    for (const Record& record : records) outcomes_.tell(record);
  }

  // --- the orders

  /// Before the first send, and again whenever a checkpoint has brought the run's token into the
  /// ledger's file: a log that is lost later would be missed by nobody.
  void remember_batch() {
    if (membership_) membership_->reach();
    approval_.take(*ledger_, shared_, facts_);
    if (shared_ != nullptr) return entrance_.remember_as_host(*shared_);
    entrance_.remember(*ledger_, facts_);
    ledger_->before_new_log([this] { entrance_.remember(*ledger_, ledger_->facts()); });
  }

  PipelineOptions pipeline_options() const {
    PipelineOptions options;
    options.endpoint = settings_.endpoint;
    options.rate = settings_.rate;
    options.burst = settings_.burst;
    options.connections = settings_.connections;
    options.max_in_flight = settings_.max_in_flight;
    static_cast<Limits&>(options) = settings_.limits;
    options.not_after = not_after_;
    options.replay = settings_.replay;
    options.key_life = credentials_.life;
    if (shared_ != nullptr) {
      options.sharing = Sharing{settings_.lease, terms_.canary_rows};
      options.canary = 0;  // all hosts' together: the ranges keep it
    }
    return options;
  }

  void drive() {
    NonceSource::Key nonce_key{};
    fill_random(nonce_key);
    pipeline_ = std::make_unique<Pipeline>(
        pipeline_options(), *rows_,
        RequestWriter(settings_.scheme, settings_.method, credentials_.key),
        ResultWriter(results_->format(), validation_.columns), nonce_key);
    if (!is_work_left() || is_canary_lost()) return;
    order();
    signals_.take_over("sagorder: interrupted again; what was recorded is in the ledger\n");
  }

  void order() {
    input_.watch(nullptr);
    PoolOptions pool;
    pool.connections = settings_.connections;
    pool.request_timeout = settings_.request_timeout;
    pool.connect_timeout = settings_.connect_timeout;
    pool.routes = &routes_;
    const SteadyTime begin = now().steady;
    Driver driver(
        {*pipeline_,
         *rows_,
         *ledger_,
         input_,
         settings_.intake,
         *results_,
         *tls_,
         pool,
         settings_.threads,
         settings_.grace,
         {credentials_.renewal, settings_.scheme, settings_.method},
         validation_.totals.orders,
         progress_,
         log_,
         outcomes_,
         settings_.metrics.empty() ? std::function<void()>() : [this] { write_metrics({}); },
         listener_ ? &*listener_ : nullptr,
         [this] { return metrics({}); },
         [this] {
           remember_batch();
           begun_first_ = true;
         },
         shared_,
         terms_});
    signals_.hand_over();  // the driver has them
    if (signals_.interrupted()) {
      results_->remove_if_unused();
      refuse_as_interrupted();
    }
    if (settings_.threads == 1) network_now_ = [&driver] { return driver.counters(); };
    driver.run();
    elapsed_ = now().steady - begin;
    network_ = driver.counters();
    network_now_ = nullptr;
    listener_.reset();
    canary_failed_ = driver.canary_failed();
    waiting_ends_ = driver.waiting_ends();
    records_lost_ = driver.records_lost();
  }

  /// No run begins while a row of an earlier one is not placed. Of a run that has begun it is known
  /// that none was: what is not placed by now was tried in it, and the ranges keep its canary.
  bool is_canary_lost() {
    if (shared_ == nullptr || settings_.limits.canary == 0) return false;
    const std::uint64_t rejected = rows_->count_of(State::rejected);
    const std::uint64_t doubts =
        rows_->count_of(State::in_doubt) + rows_->count_of(State::intended);
    if (rejected + doubts == 0 || shared_->has_run_begun()) return false;
    canary_lost_ =
        fmt::format("{} rejected and {} in doubt of what earlier runs sent", rejected, doubts);
    return true;
  }

  // --- metrics

  /// Before anything is made: an address that is taken is a mistake to be told of at once.
  void listen_for_scrapers() {
    if (!settings_.metrics_listen || listener_) return;
    try {
      listener_ = listen_at(*settings_.metrics_listen);
    } catch (const FileError& error) {
      throw Refusal(ExitCode::usage, std::string("--metrics-listen: ") + error.what(),
                    "choose another port; 0 takes any that is free");
    }
    log_.info("metrics are at " + url_of(listener_->address));
  }

  /// @param over how it ended; nullopt: it goes on
  [[nodiscard]] std::string metrics(const std::optional<MetricsView::Over>& over) const {
    const RunView run{*rows_, pipeline_->tally(), pipeline_->pacer(), validation_.totals.orders};
    MetricsView view{run,  validation_.invalid, pipeline_->on_wire(), log_.run(), begun_,
                     over, std::nullopt};
    if (network_now_) view.network = network_now_();
    if (over) view.network = network_;
    return metrics_text(view);
  }

  /// What they miss is no reason to end a run, and is said once.
  void write_metrics(const std::optional<MetricsView::Over>& over) {
    try {
      io::write_metrics(settings_.metrics, metrics(over));
    } catch (const FileError& error) {
      if (!std::exchange(metrics_failed_, true)) log_.warning(error.what());
    }
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
    if (!records_lost_.empty()) {
      stop = Stop::records_lost;
      detail = records_lost_;
    }
    if ((canary_failed_ || !canary_lost_.empty()) && stop == Stop::none) stop = Stop::canary;
    if (shared_ != nullptr && stop == Stop::canary) detail = canary_detail();
    tell_unrecorded();
    outcomes_.tell_rest();
    look_back(stop, detail);
    const ExitCode code = exit_code_of(stop, *rows_, validation_.invalid);
    const WallTime ended = now().wall;
    record_end(stop, code, ended);
    const Tally& tally = pipeline_->tally();
    // Remembered a moment before the first send: if no byte left, nothing was ordered.
    const bool untouched = shared_ == nullptr || (is_untouched() && stop != Stop::records_lost);
    if (tally.sent == 0 && untouched) {
      entrance_.forget(facts_);
      approval_.give_back(shared_, facts_);
    }
    Summary summary{*rows_,           tally,      validation_, network_,   stop,
                    detail,           code,       elapsed_,    not_sent(), settings_.output,
                    settings_.ledger, "",         "",          "",         "",
                    settings_.rate,   log_.run(), begun_,      ended,      left_open()};
    const bool to_look_at = rows_->count_of(State::in_doubt) > 0 || !left_open().empty();
    if (to_look_at || stop == Stop::records_lost) {
      summary.status_command = command_for("status", settings_);
    }
    advise(summary);
    if (!settings_.quiet || stop != Stop::none) tell_summary(summary);
    if (!settings_.summary.empty()) {
      replace_file(settings_.summary,
                   [&](const Fd& file) { write_all(file, to_json(summary), settings_.summary); });
    }
    if (!settings_.metrics.empty()) {
      write_metrics(MetricsView::Over{ended, static_cast<int>(code)});
    }
    kill_point("end:told");
    return code;
  }

  [[nodiscard]] std::string canary_detail() const {
    if (!canary_lost_.empty()) return canary_lost_;
    return fmt::format("of the first {} orders of the batch one is rejected or in doubt",
                       settings_.limits.canary);
  }

  /// What the batch has come to, with what other hosts have done meanwhile. A run that cannot know
  /// it does not say that all is done.
  void look_back(Stop& stop, std::string& detail) {
    if (!membership_ || stop >= Stop::ledger_failed) return;
    try {
      see_what_others_did(stop != Stop::abandoned);
    } catch (const RecordsLost& lost) {
      stop = Stop::records_lost;
      detail = lost.what();
      return;
    } catch (const std::runtime_error& error) {
      const std::string reason = fmt::format("{}: {}", kNotSeen, error.what());
      if (stop == Stop::abandoned) return log_.warning(reason);
      stop = Stop::ledger_failed;
      detail = reason;
      return;
    }
    if (stop != Stop::none || not_sent() == 0) return;
    stop = Stop::max_attempts;
    detail = "rows became pending again while other hosts ended";
  }

  /// @param again it is asked for anew, as long as a server that recovers takes
  void see_what_others_did(bool again) {
    const SteadyTime until = std::min(now().steady + kLookBackPatience, waiting_ends_);
    const std::jthread ending(
        [this](const std::stop_token& over) { end_waiting_if_interrupted(over); });
    for (bool told = false;; told = true) {
      try {
        return membership_->look_back(*rows_, log_);
      } catch (const RecordsLost&) {
        throw;
      } catch (const std::runtime_error& error) {
        if (!again || now().steady >= until || signals_.interrupted()) throw;
        if (!told) {
          log_.warning(fmt::format("{}: {}; it is asked for again. Interrupt to end without it",
                                   kNotSeen, error.what()));
        }
      }
      signals_.wait(kLockAskedEvery);
    }
  }

  /// While the database is asked at the end, and may be silent.
  void end_waiting_if_interrupted(const std::stop_token& over) {
    while (!over.stop_requested() && !signals_.interrupted()) signals_.wait(kInterruptSeenIn);
    if (over.stop_requested()) return;
    log_.warning(
        fmt::format("interrupted: the database is waited for {} s more", kEndPatience.count()));
    shared_->end_waiting_at(std::min(now().steady + kEndPatience, waiting_ends_));
  }

  [[nodiscard]] std::uint64_t not_sent() const {
    const Tally& tally = pipeline_->tally();
    if (shared_ == nullptr) {
      return left_.orders - tally.placed - tally.rejected - tally.in_doubt - left_open().size();
    }
    // One whose intent's commit failed is pending, as far as this host knows.
    const auto unknown = static_cast<std::uint64_t>(std::ranges::count_if(
        left_open(), [this](Row row) { return rows_->state(row) == State::pending; }));
    const std::uint64_t pending = rows_->count_of(State::pending) - unknown;
    return pending - std::min(pending, validation_.invalid);
  }

  [[nodiscard]] const std::vector<Row>& left_open() const { return pipeline_->left_open(); }

  [[nodiscard]] bool is_untouched() const {
    return rows_->count_of(State::pending) == rows_->count();
  }

  void advise(Summary& summary) const {
    ByPlan plan;
    plan.planned = !settings_.plan.empty();
    plan.again = !pipeline_->limit_too_small();
    plan.shared = shared_ != nullptr;
    plan.expired = approval_.is_over(summary.ended);
    plan.from_now = settings_.not_after && settings_.not_after->counts_from_now();
    plan.limit_at = place_of(limit_option(summary.stop));
    summary.advice = advice_for(summary.stop, *rows_, plan);
    if (!left_open().empty()) {
      summary.advice.insert(
          0,
          "Rows that are not known are in doubt where their attempt was recorded: status lists "
          "them, reconcile or resolve settles them. ");
    }
    if (summary.not_sent == 0 && summary.stop == Stop::none) return;
    if (summary.stop == Stop::records_lost)
      return;  // no command goes on before somebody has looked
    const GoingOn next = going_on(settings_, summary.stop, *rows_, plan);
    summary.plan_command = next.new_plan;
    summary.next_command = next.command;
  }

  /// Where an option stands if not on the command line. @param option `--max-orders`, or empty
  [[nodiscard]] std::string place_of(const std::string& option) const {
    const auto* const value =
        option.empty() ? nullptr : settings_.configuration.effective(option.substr(2));
    return value == nullptr || value->layer == Layer::flag ? "" : value->where;
  }

  /// For `status`. What it cannot say any more does no harm to what is recorded of the rows.
  void record_end(Stop stop, ExitCode code, WallTime at) {
    if (left_.orders == 0 || stop >= Stop::ledger_failed) return;
    const std::string& runs = facts_[std::string(kFactRuns)];
    const RunEnd end{at, std::string(name_of(stop)), static_cast<int>(code)};
    try {
      if (shared_ != nullptr) {
        return shared_->change_fact(std::string(kFactRuns), [&](const std::string& before) {
          return with_end(before, log_.run(), end);
        });
      }
      ledger_->set_facts({{std::string(kFactRuns), with_end(runs, log_.run(), end)}});
    } catch (const LedgerError& error) {
      log_.warning(fmt::format("how this run ended could not be recorded: {}", error.what()));
    }
  }

  void tell_summary(const Summary& summary) {
    progress_.hide();
    const bool well = summary.exit_code == ExitCode::all_placed;
    const LogLevel level = well ? LogLevel::info : LogLevel::warning;
    if (log_.format() == LogFormat::text) {
      std::istringstream text(
          to_text(summary, log_.is_watched() ? terminal_width(STDERR_FILENO) : 0));
      for (std::string line; std::getline(text, line);) log_.line(level, line);
      return;
    }
    log_.event(level, "summary",
               fmt::format("{} placed, {} rejected, {} in doubt, {} not sent",
                           rows_->count_of(State::placed), rows_->count_of(State::rejected),
                           rows_->count_of(State::in_doubt), summary.not_sent),
               to_json(summary, -1));
  }

  /// Outcomes that came in after the ledger failed: this is the only place that names them.
  void tell_unrecorded() {
    for (const Record& record : pipeline_->unrecorded()) {
      log_.error("an outcome could not be recorded; note it down",
                 {{"row", std::to_string(record.row.value), true},
                  {"state", name_of(record.kind)},
                  {"OrderId", record.order_id},
                  {"code", record.code}});
    }
  }

  const Settings& settings_;
  Log& log_;
  Progress progress_;
  GivingWay giving_way_;
  OutcomeLog outcomes_{log_};
  const WallTime begun_ = now().wall;
  NotedSignals signals_;
  std::string doing_;
  OrdersFile input_;
  std::optional<WallTime> not_after_;
  Entrance entrance_;
  Approval approval_;
  Validation validation_;
  References references_;
  Credentials credentials_;
  std::unique_ptr<Ledger> ledger_;
  SharedLedger* shared_ = nullptr;  // the ledger, where hosts share the batch
  std::optional<Membership> membership_;
  SharedTerms terms_;
  bool begun_first_ = false;  // the first intents are on their way into the ledger
  SteadyTime waiting_ends_ = SteadyTime::max();  // for the database
  bool canary_failed_ = false;                   // of those that hosts share: one of its own rows
  std::string canary_lost_;   // likewise: by rows of earlier runs; empty: it is not
  std::string records_lost_;  // in words
  Facts facts_;
  std::unique_ptr<Rows> rows_;
  Totals left_;  // valid rows that are not settled
  std::optional<TlsContext> tls_;
  Routes routes_;
  std::unique_ptr<ResultsRepair> repair_;
  std::unique_ptr<ResultsFile> results_;
  std::unique_ptr<Pipeline> pipeline_;
  PoolCounters network_;
  std::function<PoolCounters()> network_now_;  // while one thread runs
  std::optional<Listener> listener_;
  bool metrics_failed_ = false;
  nanoseconds elapsed_{0};
};

}  // namespace

ExitCode run_command(const Settings& settings, Log& log) {
  const WallTime begun = now().wall;
  std::optional<Run> run;
  try {
    run.emplace(settings, log);
    return run->perform();
  } catch (...) {
    const bool refused = (!run || !run->has_begun()) && !settings.dry_run;
    run.reset();  // what it held is free
    if (refused) tell_watchers(settings, begun, ending_of(std::current_exception()), log);
    throw;
  }
}

}  // namespace sagorder::io
