// `reconcile`: asks the account what became of the rows in doubt. engine/reconcile judges; here are
// the ledger, the input and the network that it judges by.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "engine/reconcile.hpp"
#include "io/commands.hpp"
#include "io/credentials.hpp"
#include "io/driver.hpp"
#include "io/going_on.hpp"
#include "io/hosts_seen.hpp"
#include "io/ledger_place.hpp"
#include "io/lister.hpp"
#include "io/query_client.hpp"
#include "io/settlement.hpp"
#include "io/standing.hpp"

namespace sagorder::io {
namespace {

constexpr std::size_t kTermsMax = 1'000;  // placed rows whose terms are kept to calibrate by

class Reconciliation {
 public:
  Reconciliation(const Settings& settings, Log& log) : settings_(settings), log_(log) {}

  ExitCode perform() {
    open();
    read_doubts();
    if (doubts_.empty()) {
      fmt::print("no row is in doubt\n");
      return ExitCode::all_placed;
    }
    fill_terms();
    const WallTime at = now().wall;
    const bool too_early = std::ranges::all_of(
        doubts_, [&](const auto& each) { return at < each.second.at + kSafeTime; });
    // Nothing to ask for: an answer could only be misread.
    const Gathered gathered = too_early ? Gathered{} : gather(at);
    const std::vector<Ruling> rulings = judge(gathered, at, too_early);
    show(rulings);
    return conclude(rulings, gathered);
  }

 private:
  void open() {
    const std::string& path = settings_.ledger;
    SharedLedger* shared = nullptr;
    if (settings_.apply) {
      settlement_.emplace(settings_);
      shared = settlement_->shared();
    } else {
      LedgerSeen seen = look_at_ledger(settings_);
      reading_ = std::move(seen.ledger);
      shared = dynamic_cast<SharedLedger*>(reading_.get());
      if (shared == nullptr && seen.running) throw LedgerBusy(path + ": a run is going on");
    }
    // What they have under way would be taken for somebody else's.
    if (shared != nullptr) refuse_while_hosts_work(*shared);
    facts_ = ledger().facts();
    rows_.emplace(replay_rows(ledger(), rows_of(facts_, path), path));
  }

  Ledger& ledger() { return settlement_ ? settlement_->ledger() : *reading_; }

  [[nodiscard]] bool is_doubt(Row row) const {
    const State state = rows_->state(row);
    return state == State::in_doubt || state == State::intended;
  }

  /// What is in doubt, and what is explained: an OrderId on a row that is placed.
  void read_doubts() {
    ledger().intents([&](const Record& intent) {
      if (!is_doubt(intent.row)) return;
      Doubt& doubt = doubts_[intent.row];
      doubt = {};
      doubt.row = intent.row;
      doubt.at = intent.at;  // of the last attempt
    });
    ledger().replay([&](const Step& step) {
      const auto doubt = doubts_.find(step.row);
      if (step.kind == RecordKind::replay && doubt != doubts_.end()) doubt->second.replayed = true;
    });
    WallTime first = WallTime::max();
    for (const auto& [row, doubt] : doubts_) first = std::min(first, window_of(doubt).begin);
    ledger().outcomes([&](const Record& record) {
      const bool is_placed =
          record.kind == RecordKind::placed || record.kind == RecordKind::resolved_placed;
      if (is_placed && rows_->state(record.row) == State::placed) {
        explained_[record.order_id] = {record.sag_id, {}, true};
        if (record.at >= first && calibrating_.size() < kTermsMax) {
          calibrating_[record.row] = record.order_id;
        }
      }
    });
    for (const std::string& path : settings_.explained_by) explain_by(path);
  }

  void explain_by(const std::string& path) {
    const auto other = look_at_other_ledger(path);
    const Rows rows = replay_rows(*other, rows_of(other->facts(), path), path);
    if (rows.count_of(State::in_doubt) + rows.count_of(State::intended) > 0) rivals_ = true;
    other->outcomes([&](const Record& record) {
      if (record.order_id.empty() || rows.state(record.row) != State::placed) return;
      explained_.try_emplace(record.order_id, Explained{record.sag_id, {}, false});
    });
  }

  /// The terms of the doubts, and of placed rows to calibrate by, are in the input.
  void fill_terms() {
    const Original original = open_original(settings_, facts_, *rows_);
    pass_again(*original.file, original.options, [&](const Order& order, bool, const auto&) {
      const auto doubt = doubts_.find(order.row);
      if (doubt != doubts_.end()) {
        doubt->second.region_id = order.region_id;
        doubt->second.user_count = order.user_count;
        doubt->second.data_plan = order.data_plan;
        doubt->second.period = order.period;
        doubt->second.auto_pay = order.auto_pay;
      }
      const auto placed = calibrating_.find(order.row);
      if (placed == calibrating_.end()) return;
      explained_[placed->second].terms =
          Terms{order.region_id, order.user_count, order.data_plan, order.period};
    });
  }

  Gathered gather(WallTime at) {
    const TlsContext tls = tls_of(settings_);
    const Routes routes = find_routes(settings_);
    const Credentials credentials =
        obtain_key(key_choice(settings_), tls, settings_.scheme, routes,
                   {[this](const std::string& what) { log_.info(what); }, {}});
    log_.info("credentials from the " + credentials.describe());
    const auto say = [this](const std::string& text) { log_.info(text); };
    QueryClient client(tls, routes, settings_.scheme, settings_.method,
                       query_key(credentials, tls, settings_.scheme, routes, say),
                       settings_.request_timeout, settings_.connect_timeout);
    Lister lister(client, endpoints(), say);
    std::set<std::string> regions;
    from_ = WallTime::max();
    for (const auto& [row, doubt] : doubts_) {
      regions.insert(doubt.region_id);
      from_ = std::min(from_, window_of(doubt).begin - seconds(2));
    }
    return lister.gather(from_, at, regions, explained_);
  }

  /// Where the batch was sent to, unless another place is named.
  [[nodiscard]] Endpoints endpoints() const {
    std::optional<Endpoint> gateways = settings_.endpoint;
    if (!gateways) {
      gateways = parse_endpoint("https://" + fact(facts_, kFactEndpoint, settings_.ledger));
    }
    const Endpoint billing = gateways.value_or(default_billing_endpoint());
    return {settings_.billing_endpoint.value_or(billing), gateways};
  }

  std::vector<Ruling> judge(const Gathered& gathered, WallTime at, bool too_early) {
    std::vector<Doubt> doubts;
    for (const auto& [row, doubt] : doubts_) doubts.push_back(doubt);
    Evidence evidence;
    evidence.survey = survey(gathered.listed, explained_);
    evidence.listed = gathered.listed.orders.size();
    evidence.from = from_;
    evidence.to = std::min(at, gathered.as_of);
    evidence.as_of = too_early ? at : gathered.as_of;
    evidence.flaw = gathered.flaw;
    // Without a listing there is none to show the account by, and no need of one.
    return reconcile(doubts, evidence,
                     {settings_.sole_buyer, settings_.same_account || too_early, rivals_});
  }

  static void show(const std::vector<Ruling>& rulings) {
    fmt::print("{:>9}  {:<9}  {}\n", "Row", "verdict", "evidence");
    for (const Ruling& ruling : rulings) {
      fmt::print("{:>9}  {:<9}  {}\n", ruling.row.value, name_of(ruling.finding),
                 printable(ruling.because));
    }
  }

  ExitCode conclude(const std::vector<Ruling>& rulings, const Gathered& gathered) {
    std::vector<Resolution> resolutions;
    for (const Ruling& ruling : rulings) {
      const bool found = ruling.finding == Finding::found;
      if (!found && ruling.finding != Finding::absent) continue;
      resolutions.push_back({ruling.row, found, ruling.order_id, ruling.sag_id, ruling.because});
    }
    fmt::print("\n{} of {} rows in doubt can be settled\n", resolutions.size(), rulings.size());
    if (!resolutions.empty()) settle(resolutions);
    if (!gathered.flaw.empty()) return gathered.code;
    return resolutions.size() == rulings.size() ? ExitCode::all_placed : ExitCode::some_in_doubt;
  }

  void settle(const std::vector<Resolution>& resolutions) {
    if (!settlement_) {
      fmt::print(
          "nothing was written; the same command with --apply writes what is found or absent\n");
      return;
    }
    settlement_->settle(resolutions);
    if (settlement_->without_results()) settlement_->remove_if_unused();
    fmt::print("settled; in doubt now: {}\n", settlement_->in_doubt());
    if (settlement_->rows().count_of(State::pending) == 0) return;
    fmt::print("{}", to_text(going_on(facts_, settlement_->rows(), settings_.ledger,
                                      std::filesystem::current_path().string(), now().wall),
                             "to go on with the rows that are not sent"));
  }

  const Settings& settings_;
  Log& log_;
  std::optional<Settlement> settlement_;  // with --apply: holds the ledger throughout
  std::unique_ptr<Ledger> reading_;       // else
  Facts facts_;
  std::optional<Rows> rows_;
  std::map<Row, Doubt> doubts_;
  std::map<Row, std::string> calibrating_;  // placed rows to their OrderId
  ExplainedOrders explained_;
  bool rivals_ = false;  // another ledger has rows in doubt
  WallTime from_;
};

}  // namespace

ExitCode reconcile_command(const Settings& settings, Log& log) {
  return Reconciliation(settings, log).perform();
}

}  // namespace sagorder::io
