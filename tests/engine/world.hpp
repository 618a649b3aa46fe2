// A small world around the pipeline: a ledger, a results file, a server and two clocks, all in
// memory and all drawn from one seed. It can fail at any step and crash at any moment.
//
// The server is the oracle. A row's UserCount is its number, so what was executed can be told by
// row without believing anything that the pipeline says.
#pragma once

#include <algorithm>
#include <ctime>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engine/account.hpp"
#include "engine/pipeline.hpp"

namespace sagorder::testing {

enum class Does {
  order,           // executes and answers
  order_numeric,   // the same, OrderId as a bare number
  lose_answer,     // executes, the answer is lost
  drop_request,    // bytes were accepted, nothing was executed
  refuse_connect,  // not a byte was accepted
  throttle,        // refused for the rate
  reject,          // refused for what the row says
  fail_after,      // executes and answers InternalError
  html_after,      // executes and answers HTML
  wrong_secret,    // refused for the signature
  payment,         // refused for the balance
  nonce_used,      // refused as a copy
  repeat_id,       // executes, and answers with the OrderId of the answer before
  throttle_long,   // refused for the rate, with a hint of 100 or 400 s
  expired,         // timestamp refused, the clocks agree
  expired_skewed,  // timestamp refused, the server's clock is an hour ahead
};

struct Exchange {
  Slot slot = 0;
  std::string wire;
  std::uint64_t row = 0;
  Does does = Does::order;
  bool leaving = false;  // held, and told to leave
};

inline const std::string kSecret = "testsecret";  // the server's errors echo it

class World {
 public:
  World(std::uint64_t rows, std::uint64_t seed) : rows_total(rows), chance(seed) {
    options.endpoint = Endpoint{"localhost", 443};
    options.rate = {0, seconds(1)};
    options.connections = 4;
    options.max_in_flight = 8;
    options.max_doubts = 1'000'000;
    options.max_failures = {1'000'000, false};
  }

  // --- what a test sets
  std::uint64_t rows_total;
  std::mt19937_64 chance;
  PipelineOptions options;
  std::function<Does(std::uint64_t request)> server = [](std::uint64_t) { return Does::order; };
  std::function<bool(std::uint64_t commit)> commit_fails = [](std::uint64_t) { return false; };
  /// Whether another host turns out to have claimed it; the insert is the claim.
  std::function<bool(std::uint64_t intent)> is_claimed = [](std::uint64_t) { return false; };
  std::function<bool(std::uint64_t append)> append_fails = [](std::uint64_t) { return false; };
  std::uint64_t range_rows = 0;  // in a range, of a batch that is shared; 0: it is not
  /// Whether the ledger cannot be asked, while the batch is shared.
  std::function<bool(std::uint64_t ask)> ask_fails = [](std::uint64_t) { return false; };
  std::uint64_t crash_at_step = 0;      // 0: never
  std::uint64_t interrupt_at_step = 0;  // 0: never
  bool shuffled = true;                 // replies and commits end in any order
  std::uint64_t handshake_ends_in = 3;  // of a held request: one step in so many

  // --- what a test looks at
  std::vector<Record> ledger;                                  // durable records
  std::map<std::uint64_t, std::string> lines;                  // results file, by row
  std::map<std::uint64_t, std::vector<std::string>> executed;  // OrderIds by row
  std::vector<SteadyTime> sent_at;
  std::set<std::string> nonces;
  std::uint64_t retired = 0;         // connections not trusted any more
  std::uint64_t held = 0, left = 0;  // requests that were held; that left without a byte
  std::uint64_t requests = 0, commits = 0, intents = 0, appends = 0, steps = 0;
  std::set<std::uint64_t> elsewhere;  // rows that another host claimed
  std::uint64_t rows_over = 0;        // of the ranges that were told to be over
  std::uint64_t asks = 0;             // for leases
  std::uint32_t in_flight_seen = 0, on_wire_seen = 0;
  std::vector<std::string> violations;
  std::unique_ptr<Rows> rows;
  std::unique_ptr<Pipeline> pipeline;
  bool crashed = false;

  /// One process from start to its end or its crash. @return false if it crashed.
  bool run() {
    steps = 0;
    start();
    while (!finished_) {
      ++steps;
      if (steps == crash_at_step) {
        crash();
        return false;
      }
      if (steps == interrupt_at_step) act(pipeline->resume(event::Interrupted{}, now()));
      if (finished_) break;
      if (steps > 1'000'000) {
        violations.push_back("the run does not end");
        return true;
      }
      step();
    }
    return true;
  }

  /// Runs until the batch is through or nothing more changes.
  void run_to_the_end(int starts_max) {
    for (int i = 0; i < starts_max; ++i) {
      if (run() && pipeline->stop() == Stop::none) break;
      crash_at_step = 0;
    }
    check();
  }

  /// The two promises, by the oracle.
  void check() {
    Rows state(rows_total);
    std::map<std::uint64_t, std::string> placed_as;
    for (const Record& record : ledger) {
      if (!state.apply({record.kind, record.row, record.attempt}))
        fail("illegal record", record.row);
      if (record.kind == RecordKind::placed) placed_as[record.row.value] = record.order_id;
    }
    std::set<std::string> ids;
    for (std::uint64_t n = 1; n <= rows_total; ++n) {
      const State is = state.state({n});
      const auto found = executed.find(n);
      const std::size_t times = found == executed.end() ? 0 : found->second.size();
      if (times > 1) fail("ordered twice", {n});
      if (times == 1 && is != State::placed && is != State::in_doubt && is != State::intended) {
        fail("ordered and forgotten", {n});
      }
      if (is == State::placed && (times == 0 || found->second[0] != placed_as[n])) {
        fail("placed with another OrderId", {n});
      }
      if (is == State::placed && !ids.insert(placed_as[n]).second) fail("OrderId twice", {n});
    }
  }

  [[nodiscard]] std::uint64_t count(State state) const { return rows->count_of(state); }

  /// As the world's clock says it.
  [[nodiscard]] WallTime in(milliseconds span) const { return wall() + span; }

 private:
  void fail(const std::string& what, Row row) {
    violations.push_back(what + ": row " + std::to_string(row.value));
  }

  void start() {
    crashed = false;
    finished_ = false;
    next_row_ = 1;
    last_row_ = range_rows > 0 ? 0 : rows_total;
    range_asked_ = false;
    wish_.reset();
    leases_.clear();
    if (range_rows > 0) share();
    exchanges_.clear();
    connecting_.clear();
    connected_.clear();
    found_open_.clear();
    wanted_ = 0;
    append_broke_ = false;
    commit_ = {};
    rows = std::make_unique<Rows>(rows_total);
    for (const Record& record : ledger) {
      if (!rows->apply({record.kind, record.row, record.attempt})) fail("replay", record.row);
    }
    found_rejected_ = rows->count_of(State::rejected);
    found_in_doubt_ = rows->count_of(State::in_doubt) + rows->count_of(State::intended);
    for (Record& record : open_as_in_doubt(*rows, wall())) {
      rows->apply({record.kind, record.row, record.attempt});
      ledger.push_back(record);
    }
    for (const Record& record : ledger) {  // the projection, caught up with
      if (status_of(rows->state(record.row)) && lines.count(record.row.value) == 0) {
        lines[record.row.value] = "caught up";
      }
    }
    NonceSource::Key key{};
    for (auto& byte : key) byte = static_cast<std::uint8_t>(chance());
    AccessKey access{"testid", Secret(kSecret), Secret()};
    pipeline = std::make_unique<Pipeline>(
        options, *rows, RequestWriter(Scheme::acs3_hmac_sha256, Method::post, access),
        ResultWriter(ResultFormat::csv, {"UserCount"}), key);
    act(pipeline->resume(event::Started{}, now()));
  }

  void crash() {
    crashed = true;
    // What was on its way to the disk may have arrived; what was on its way to the server, too.
    if (!commit_.empty() && chance() % 2 == 0) make_durable();
    for (const Exchange& exchange : exchanges_) {
      const bool executes = exchange.does == Does::order || exchange.does == Does::lose_answer ||
                            exchange.does == Does::fail_after;
      if (executes && chance() % 2 == 0) execute(exchange);
    }
    pipeline.reset();
  }

  /// Once may be true: a token can be due a nanosecond from now.
  void look_for_spinning() {
    const bool at_once = wake_at_ && *wake_at_ <= steady_ + nanoseconds(1);
    woken_at_once_ = at_once ? woken_at_once_ + 1 : 0;
    if (woken_at_once_ == 2) violations.push_back("asks to be woken at once again: it would spin");
  }

  void step() {
    if (range_asked_ && chance() % 4 == 0) return finish_claim();
    if (wish_ && chance() % 4 == 0) return finish_ask();
    const std::size_t choices = exchanges_.size() + connecting_.size() + (commit_.empty() ? 0 : 1);
    if (choices == 0 || (wake_at_ && chance() % 8 == 0)) {
      if (wake_at_) {
        steady_ = std::max(steady_, *wake_at_);
        act(pipeline->resume(event::Tick{}, now()));
        look_for_spinning();
      } else if (choices == 0 && !range_asked_ && !wish_) {
        violations.push_back("nothing is under way and nothing will be");
        finished_ = true;
      }
      return;
    }
    steady_ += microseconds_(chance() % 2000);
    const std::size_t pick = shuffled ? chance() % choices : 0;
    if (pick < exchanges_.size()) {
      finish(pick);
    } else if (pick < exchanges_.size() + connecting_.size()) {
      if (chance() % handshake_ends_in == 0) finish_connect(pick - exchanges_.size());
    } else {
      finish_commit();
    }
  }

  void finish_claim() {
    range_asked_ = false;
    if (chance() % 8 == 0) return act(pipeline->resume(event::NoRange{false}, now()));
    if (last_row_ == rows_total) return act(pipeline->resume(event::NoRange{true}, now()));
    next_row_ = last_row_ + 1;
    last_row_ = std::min(last_row_ + range_rows, rows_total);
    std::vector<Step> steps;
    for (const Record& record : ledger) {
      const bool of_it = next_row_ <= record.row.value && record.row.value <= last_row_;
      if (of_it) steps.push_back({record.kind, record.row, record.attempt});
    }
    act(pipeline->resume(event::RangeClaimed{{next_row_}, {last_row_}, steps}, now()));
  }

  void share() {
    options.sharing = Sharing{};
    options.burst = default_shared_burst(options.rate, options.sharing->lease);
    const AccountTerms terms{options.rate, options.burst, options.sharing->lease};
    account_.emplace(terms, steady_.time_since_epoch());
  }

  void finish_ask() {
    const LeaseWish wish = *wish_;
    wish_.reset();
    if (ask_fails(++asks)) {
      return act(pipeline->resume(event::LeaseFailed{"no route", false}, now()));
    }
    const LeaseGrant grant = account_->lease(wish, steady_.time_since_epoch());
    const SteadyTime until = asked_at_ + options.sharing->lease;
    leases_.push_back({options.rate.unlimited() ? UINT32_MAX : grant.tokens, until});
    act(pipeline->resume(event::Leased{grant.tokens, until, grant.factor, grant.paused_for},
                         now()));
  }

  void use_lease(std::uint64_t row) {
    if (!options.sharing) return;
    for (auto& [tokens, until] : leases_) {
      if (tokens == 0 || until <= steady_) continue;
      --tokens;
      return;
    }
    fail("sent without a lease", {row});
  }

  void finish_commit() {
    ++commits;
    if (commit_fails(commits)) {
      if (chance() % 2 == 0) make_durable();  // a failed commit may be durable all the same
      commit_ = {};
      act(pipeline->resume(event::CommitFailed{"disk"}, now()));
      return;
    }
    const std::vector<std::uint32_t> refused = make_durable();
    commit_ = {};
    act(pipeline->resume(event::Committed{refused}, now()));
  }

  /// @return the indices of what another host had claimed; its own intents stand there
  std::vector<std::uint32_t> make_durable() {
    std::vector<std::uint32_t> refused;
    for (std::uint32_t i = 0; i < commit_.size(); ++i) {
      ledger.push_back(commit_[i]);
      if (commit_[i].kind != RecordKind::intent || !is_claimed(++intents)) continue;
      refused.push_back(i);
      elsewhere.insert(commit_[i].row.value);
      ledger.back().nonce.hex.fill('f');
    }
    return refused;
  }

  std::string execute(const Exchange& exchange) {
    auto& ids = executed[exchange.row];
    ids.push_back(std::to_string(200'000'000'000'000 + exchange.row * 100 + ids.size()));
    if (exchange.does != Does::repeat_id) last_id_ = ids.back();
    return ids.back();
  }

  void finish(std::size_t pick) {
    const Exchange exchange = exchanges_[pick];
    exchanges_.erase(exchanges_.begin() + static_cast<std::ptrdiff_t>(pick));
    const std::string rid = R"("RequestId":"B35789C0-A570-4C2F-96D6-2B46FBB9D64A")";
    const auto error = [&](int status, const std::string& code, std::string_view hint = {},
                           std::optional<seconds> skew = std::nullopt) {
      const std::string date = skew ? http_date(*skew) : std::string();
      reply(exchange.slot, status,
            "{" + rid + R"(,"Code":")" + code + R"(","Message":"m )" + kSecret + "\"}", hint, date);
    };
    switch (exchange.does) {
      case Does::order:
        return reply(exchange.slot, 200,
                     "{" + rid + R"(,"OrderId":")" + execute(exchange) + R"("})");
      case Does::order_numeric:
        return reply(exchange.slot, 200, "{" + rid + R"(,"OrderId":)" + execute(exchange) + "}");
      case Does::lose_answer:
        execute(exchange);
        return fault(exchange.slot, FaultKind::reset, 400);
      case Does::drop_request:
        return fault(exchange.slot, FaultKind::closed, 400);
      case Does::refuse_connect:
        return fault(exchange.slot, FaultKind::connect_failed, 0);
      case Does::throttle:
        return error(400, "Throttling.User");
      case Does::reject:
        return error(400, "SAG.InvalidUserCount");
      case Does::fail_after:
        execute(exchange);
        return error(403, "InternalError");
      case Does::html_after:
        execute(exchange);
        return reply(exchange.slot, 200, "<html>ok</html>");
      case Does::wrong_secret:
        return error(400, "SignatureDoesNotMatch");
      case Does::payment:
        return error(400, "InsufficientBalance");
      case Does::repeat_id:
        execute(exchange);
        return reply(exchange.slot, 200, "{" + rid + R"(,"OrderId":")" + last_id_ + R"("})");
      case Does::nonce_used:
        return error(400, "SignatureNonceUsed");
      case Does::throttle_long:
        return error(400, "Throttling.User", chance() % 2 == 0 ? "100000" : "400000");
      case Does::expired:
        return error(400, "InvalidTimeStamp.Expired", {}, seconds(0));
      case Does::expired_skewed:
        return error(400, "InvalidTimeStamp.Expired", {}, seconds(3600));
    }
  }

  void reply(Slot slot, int status, const std::string& body, std::string_view hint = {},
             std::string_view date = {}) {
    Reply reply;
    reply.status = status;
    reply.body = body;
    reply.retry_after = hint;
    reply.date = date;
    act(pipeline->resume(event::Replied{slot, &reply}, now()));
  }

  /// The server's Date header, off by `skew`.
  [[nodiscard]] std::string http_date(seconds skew) const {
    const auto at = std::chrono::system_clock::to_time_t(wall() + skew);
    char text[64];
    std::tm parts{};
    gmtime_r(&at, &parts);
    std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return text;
  }

  void fault(Slot slot, FaultKind kind, std::uint64_t accepted) {
    const Fault fault{kind, accepted, 0, "detail"};
    act(pipeline->resume(event::Faulted{slot, &fault}, now()));
  }

  /// Does what the pipeline says, and goes on feeding it rows as long as it wants some.
  void act(const Actions& first) {
    perform(first);
    while (wanted_ > 0 || append_broke_ || !found_open_.empty()) {
      if (!found_open_.empty()) {
        const Exchange exchange = found_open_.back();
        found_open_.pop_back();
        const bool left_meanwhile =
            std::any_of(connecting_.begin(), connecting_.end(),
                        [&](const Exchange& each) { return each.slot == exchange.slot; });
        if (!left_meanwhile) connected_.push_back(exchange);
        perform(pipeline->resume(event::Connected{exchange.slot}, now()));
      } else if (append_broke_) {
        append_broke_ = false;
        perform(pipeline->resume(event::AppendFailed{"disk full"}, now()));
      } else if (next_row_ <= last_row_) {
        fill_order(next_row_++);
        perform(pipeline->resume(event::OrderRead{&order_}, now()));
      } else {
        perform(pipeline->resume(event::InputEnded{}, now()));
      }
    }
  }

  void perform(const Actions& actions) {
    in_flight_seen = std::max(in_flight_seen, pipeline->in_flight());
    on_wire_seen = std::max(on_wire_seen, pipeline->on_wire());
    retired += actions.retire.size();
    wanted_ = actions.wanted_orders;
    range_asked_ = range_asked_ || actions.wanted_range;
    if (actions.lease) {
      if (wish_) violations.push_back("two asks for a lease at a time");
      wish_ = actions.lease;
      asked_at_ = steady_;
    }
    for (const Range& over : actions.ranges_over)
      rows_over += over.last.value - over.first.value + 1;
    wake_at_ = actions.wake_at;
    finished_ = actions.finished;
    if (!actions.commit.empty()) {
      if (!commit_.empty()) violations.push_back("two commits at a time");
      commit_ = actions.commit;
    }
    for (const Slot slot : actions.leave) leave(slot);
    for (const Send& send : actions.sends) {
      Exchange exchange{send.slot, std::string(send.wire), 0, server(++requests), false};
      if (send.hold) {
        hold(exchange);
      } else {
        start_exchange(exchange);
      }
    }
    for (const Slot slot : actions.go) go(slot);
    if (!actions.lines.empty() && !append(actions.lines)) append_broke_ = true;
  }

  /// Some held requests find an open connection, the others have to connect.
  void hold(const Exchange& exchange) {
    ++held;
    const bool finds_one = exchange.does != Does::refuse_connect && chance() % 2 == 0;
    (finds_one ? found_open_ : connecting_).push_back(exchange);
  }

  void finish_connect(std::size_t pick) {
    const Exchange exchange = connecting_[pick];
    connecting_.erase(connecting_.begin() + static_cast<std::ptrdiff_t>(pick));
    if (exchange.leaving) {
      ++left;
      fault(exchange.slot, FaultKind::cancelled, 0);
    } else if (exchange.does == Does::refuse_connect) {
      fault(exchange.slot, FaultKind::connect_failed, 0);
    } else {
      connected_.push_back(exchange);
      act(pipeline->resume(event::Connected{exchange.slot}, now()));
    }
  }

  void go(Slot slot) {
    const auto found = std::find_if(connected_.begin(), connected_.end(),
                                    [&](const Exchange& each) { return each.slot == slot; });
    if (found == connected_.end()) {
      violations.push_back("a request was told to go that is not connected");
      return;
    }
    const Exchange exchange = *found;
    connected_.erase(found);
    start_exchange(exchange);
  }

  /// Its fault comes later, and may be crossed by the word that it is connected.
  void leave(Slot slot) {
    const auto is_it = [&](const Exchange& each) { return each.slot == slot; };
    for (auto* from : {&connecting_, &connected_, &found_open_}) {
      const auto found = std::find_if(from->begin(), from->end(), is_it);
      if (found == from->end()) continue;
      Exchange exchange = *found;
      exchange.leaving = true;
      if (from == &connecting_) {
        *found = exchange;
        return;
      }
      if (from == &connected_) from->erase(found);
      connecting_.push_back(exchange);
      return;
    }
    violations.push_back("a request was told to leave that is not held");
  }

  void fill_order(std::uint64_t row) {
    order_.row = {row};
    order_.region_id = "cn-shanghai";
    order_.period = 1;
    order_.user_count = static_cast<std::uint32_t>(row);
    order_.cells.clear();
    order_.cells.push_back(std::to_string(row));
  }

  bool append(const std::string& text) {
    ++appends;
    if (append_fails(appends)) return false;
    std::size_t begin = 0;
    while (begin < text.size()) {
      const std::size_t end = text.find('\n', begin);
      const std::uint64_t row = std::stoull(text.substr(begin));
      if (!lines.emplace(row, text.substr(begin, end - begin)).second) fail("line twice", {row});
      Rows durable(rows_total);
      for (const Record& record : ledger) durable.apply({record.kind, record.row, record.attempt});
      if (!status_of(durable.state({row}))) fail("line before its outcome was durable", {row});
      begin = end + 1;
    }
    return true;
  }

  void start_exchange(Exchange exchange) {
    if (pipeline->stop() != Stop::none) violations.push_back("sent although the run stops");
    if (options.not_after && wall() >= *options.not_after) violations.push_back("sent too late");
    const std::size_t seats = exchange.wire.find("UserCount=");
    exchange.row = std::stoull(exchange.wire.substr(seats + 10));
    const std::string name = "x-acs-signature-nonce:";
    std::size_t at = exchange.wire.find(name) + name.size();
    while (exchange.wire[at] == ' ') ++at;
    const std::string nonce = exchange.wire.substr(at, 32);
    const auto intent = std::find_if(ledger.begin(), ledger.end(), [&](const Record& record) {
      return record.kind == RecordKind::intent && record.nonce.view() == nonce &&
             record.row.value == exchange.row;
    });
    const auto first = first_sent_.try_emplace(nonce, steady_);
    const bool again = !first.second;
    if (intent == ledger.end()) {
      fail("sent before its intent was durable", {exchange.row});
    } else if (!again && wall() - intent->at > kStampAgeMax) {
      fail("sent with a timestamp that is too old", {exchange.row});
    }
    if (!again) check_canary(exchange.row);
    if (elsewhere.count(exchange.row) > 0) fail("sent, and it is another host's", {exchange.row});
    use_lease(exchange.row);
    nonces.insert(nonce);
    if (again && options.replay == Replay::never) fail("a nonce twice", {exchange.row});
    if (again && steady_ - first.first->second > kReplayAgeMax) {
      fail("the same bytes sent again too late", {exchange.row});
    }
    // The gateway's nonce rule: a copy of what has reached it is refused.
    if (arrived_.count(nonce) > 0) exchange.does = Does::nonce_used;
    if (exchange.does != Does::refuse_connect && exchange.does != Does::drop_request) {
      arrived_.insert(nonce);
    }
    sent_at.push_back(steady_);
    exchanges_.push_back(exchange);
  }

  /// Until the ledger has so many placed, no more rows than those may be ordered.
  void check_canary(std::uint64_t row) {
    if (options.canary == 0) return;
    if (found_rejected_ + found_in_doubt_ > 0) fail("after the canary", {row});
    Rows state(rows_total);
    for (const Record& record : ledger) state.apply({record.kind, record.row, record.attempt});
    const std::uint64_t placed = state.count_of(State::placed);
    if (placed >= options.canary) return;
    if (placed + state.count_of(State::intended) > options.canary) fail("beyond the canary", {row});
    if (state.count_of(State::rejected) + found_in_doubt_ > 0) fail("after the canary", {row});
  }

  static nanoseconds microseconds_(std::uint64_t count) {
    return nanoseconds(static_cast<std::int64_t>(count) * 1000);
  }
  [[nodiscard]] WallTime wall() const {
    return WallTime(milliseconds(1'767'323'045'000)) +
           std::chrono::duration_cast<milliseconds>(steady_.time_since_epoch());
  }
  [[nodiscard]] Moment now() const { return {steady_, wall()}; }

  SteadyTime steady_{seconds(1000)};
  std::vector<Exchange> exchanges_;   // on the wire
  std::vector<Exchange> connecting_;  // held, with no connection yet, or leaving
  std::vector<Exchange> connected_;   // held, may be told to go
  std::vector<Exchange> found_open_;  // held, on an open connection, the pipeline not yet told
  std::span<const Record> commit_;
  std::optional<SteadyTime> wake_at_;
  int woken_at_once_ = 0;  // times in a row
  bool finished_ = false;
  std::uint32_t wanted_ = 0;
  bool append_broke_ = false;
  std::uint64_t next_row_ = 1;
  std::uint64_t last_row_ = 0;  // that may be read
  bool range_asked_ = false;
  std::optional<LeaseWish> wish_;  // an ask that is under way
  SteadyTime asked_at_;
  std::optional<Account> account_;
  std::vector<std::pair<std::uint32_t, SteadyTime>> leases_;
  std::uint64_t found_rejected_ = 0;  // at the start
  std::uint64_t found_in_doubt_ = 0;  // likewise
  std::string last_id_ = "200000000000000";
  std::set<std::string> arrived_;                 // nonces that the server has seen
  std::map<std::string, SteadyTime> first_sent_;  // by nonce
  Order order_;
};

}  // namespace sagorder::testing
