#include "io/driver.hpp"

#include <openssl/rand.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <deque>
#include <thread>

#include "io/exit_code.hpp"
#include "io/kill_point.hpp"
#include "io/ledger_thread.hpp"
#include "io/process.hpp"
#include "io/range_rows.hpp"

namespace sagorder::io {
namespace asio = boost::asio;

Moment now() {
  return {std::chrono::steady_clock::now(),
          std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now())};
}

void fill_random(std::span<std::uint8_t> bytes) {
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
    throw std::runtime_error("the system gives no random bytes");
  }
}

std::string random_hex() {
  std::array<std::uint8_t, 16> bytes{};
  fill_random(bytes);
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const std::uint8_t byte : bytes) {
    hex += kDigits[byte >> 4U];
    hex += kDigits[byte & 15U];
  }
  return hex;
}

namespace {

constexpr milliseconds kProgressEvery{100};

bool is_ignored(int signal) {
  struct sigaction current = {};
  return sigaction(signal, nullptr, &current) == 0 && current.sa_handler == SIG_IGN;
}

/// A completion that crosses threads: the views of a Reply, owned.
struct Mail {
  explicit Mail(const Completion& completion)
      : slot(completion.slot), connected(completion.connected()) {
    if (connected) return;
    if (completion.fault != nullptr) {
      fault = *completion.fault;
      failed = true;
      return;
    }
    const Reply& reply = *completion.reply;
    status = reply.status;
    surplus = reply.surplus;
    const std::string_view views[] = {
        reply.body,        reply.content_type,    reply.date,
        reply.retry_after, reply.rate_limit_user, reply.rate_limit_user_api};
    for (std::size_t i = 0; i < std::size(views); ++i) texts[i] = views[i];
  }
  [[nodiscard]] Reply reply() const {
    return {status, texts[0], texts[1], texts[2], texts[3], texts[4], texts[5], surplus};
  }
  std::uint32_t slot;
  bool connected;
  bool failed = false;
  int status = 0;
  bool surplus = false;
  std::array<std::string, 6> texts;
  Fault fault;
};

}  // namespace

class Driver::Loop {
 public:
  explicit Loop(DriverParts parts)
      : parts_(std::move(parts)),
        view_{parts_.rows, parts_.pipeline.tally(), parts_.pipeline.pacer(), parts_.rows_total},
        intake_(parts_.intake),
        wake_(context_),
        progress_timer_(context_),
        grace_timer_(context_),
        signals_(context_, SIGINT, SIGTERM) {
    if (!is_ignored(SIGHUP)) signals_.add(SIGHUP);  // ignored from the start: nohup
    if (parts_.shared != nullptr) {
      range_rows_.emplace(parts_.input, parts_.intake);
    } else {
      parts_.input.rewind();
      read_header();
    }
    start_pools();
  }

  ~Loop() {
    for (const auto& worker : workers_) worker->own.stop();  // an exception may have left work
    join_workers();
  }

  void run() {
    listen_for_signals();
    parts_.progress.update(view_, now().steady);
    if (parts_.metrics_listener != nullptr) {
      metrics_server_.emplace(context_, *parts_.metrics_listener, parts_.metrics_text);
    }
    write_metrics_if_due();
    show_progress_later();
    share();
    // Handed over, not shared: the exception then belongs to one thread at a time.
    LedgerThread thread(way_to_commit(), [this](std::exception_ptr error) {
      asio::post(context_, [this, error = std::move(error)] { committed(error); });
    });
    ledger_thread_ = &thread;
    const Last last{shared_};  // goes before the thread, which may be waiting for an answer
    dispatch(event::Started{});
    context_.run();
    kill_point("run:last-event");
    if (shared_) leave();
    parts_.progress.finish(view_, now().steady);
    close_pools();
    kill_point("run:connections-closed");
  }

  [[nodiscard]] bool canary_failed() const { return canary_failed_; }
  [[nodiscard]] SteadyTime waiting_ends() const { return waiting_ends_; }
  [[nodiscard]] const std::string& records_lost() const { return records_lost_; }

  [[nodiscard]] PoolCounters counters() const {
    PoolCounters sum;
    for (const auto& worker : workers_) {
      const PoolCounters& one = worker->pool->counters();
      sum.connects += one.connects;
      sum.handshakes_resumed += one.handshakes_resumed;
      sum.reused += one.reused;
      sum.discarded += one.discarded;
      sum.bytes_written += one.bytes_written;
      sum.bytes_read += one.bytes_read;
    }
    return sum;
  }

 private:
  /// A loop for connections: this one, or one with a thread of its own.
  struct Worker {
    asio::io_context own;
    std::optional<asio::executor_work_guard<asio::io_context::executor_type>> guard;
    std::unique_ptr<Pool> pool;
    std::uint32_t under_way = 0;  // counted by the driver
    std::thread thread;
  };

  // --- connections

  void start_pools() {
    const std::uint32_t count = std::min(parts_.threads, parts_.pool.connections);
    PoolOptions options = parts_.pool;
    options.connections = (parts_.pool.connections + count - 1) / count;
    options.wait_for_word = count > 1;  // the answer is judged on another thread
    owner_.resize(kInFlightMax + kReadAhead, 0);
    for (std::uint32_t i = 0; i < count; ++i) {
      workers_.push_back(std::make_unique<Worker>());
      Worker& worker = *workers_.back();
      if (count == 1) {
        worker.pool = std::make_unique<Pool>(context_, parts_.tls, options,
                                             [this](const Completion& c) { completed(c); });
        return;
      }
      worker.guard.emplace(worker.own.get_executor());
      worker.pool = std::make_unique<Pool>(
          worker.own, parts_.tls, options, [this](const Completion& completion) {
            asio::post(context_, [this, mail = std::make_shared<Mail>(completion)] {
              if (mail->connected) return completed({.slot = mail->slot});
              const Reply reply = mail->reply();
              completed({mail->slot, mail->failed ? nullptr : &reply,
                         mail->failed ? &mail->fault : nullptr});
            });
          });
      worker.thread = std::thread([&worker] { worker.own.run(); });
    }
  }

  [[nodiscard]] bool threaded() const { return workers_.front()->thread.joinable(); }

  void send(const Send& send) {
    std::size_t least = 0;
    for (std::size_t i = 1; i < workers_.size(); ++i) {
      if (workers_[i]->under_way < workers_[least]->under_way) least = i;
    }
    Worker& worker = *workers_[least];
    ++worker.under_way;
    owner_[send.slot] = static_cast<std::uint16_t>(least);
    if (!threaded()) {
      if (worker.pool->send(send.slot, *send.endpoint, send.wire, send.hold)) {
        connected_.push_back(send.slot);
      }
      return;
    }
    asio::post(worker.own, [this, &worker, send] {
      if (!worker.pool->send(send.slot, *send.endpoint, send.wire, send.hold)) return;
      asio::post(context_, [this, slot = send.slot] { completed({.slot = slot}); });
    });
  }

  /// leave, keep or retire, in the loop of the slot's connection: in the order of these calls
  /// and of `send`.
  void tell(Slot slot, void (Pool::*word)(Slot)) {
    Worker& worker = *workers_[owner_[slot]];
    if (threaded()) {
      asio::post(worker.own, [pool = worker.pool.get(), slot, word] { (pool->*word)(slot); });
    } else {
      (worker.pool.get()->*word)(slot);
    }
  }

  void go(Slot slot, SteadyTime until) {
    Worker& worker = *workers_[owner_[slot]];
    if (threaded()) {
      asio::post(worker.own, [pool = worker.pool.get(), slot, until] { pool->go(slot, until); });
    } else {
      worker.pool->go(slot, until);
    }
  }

  void completed(const Completion& completion) {
    if (completion.connected()) return dispatch(event::Connected{completion.slot});
    kill_point("reply:before-judged");
    --workers_[owner_[completion.slot]]->under_way;
    if (completion.reply != nullptr) {
      dispatch(event::Replied{completion.slot, completion.reply}, completion.slot);
    } else {
      dispatch(event::Faulted{completion.slot, completion.fault});
    }
  }

  void cancel_exchanges() {
    for (const auto& worker : workers_) {
      if (threaded()) {
        asio::post(worker->own, [pool = worker->pool.get()] { pool->close(); });
      } else {
        worker->pool->close();
      }
    }
  }

  void close_pools() {
    cancel_exchanges();
    join_workers();
    context_.restart();
    context_.run_for(milliseconds(100));  // lets goodbyes go out
  }

  void join_workers() {
    for (const auto& worker : workers_) {
      worker->guard.reset();
      if (worker->thread.joinable()) worker->thread.join();
    }
  }

  // --- the loop

  /// @param answered the slot of a whole exchange: its connection may wait for word
  void dispatch(const Event& event, std::optional<Slot> answered = std::nullopt) {
    const Moment turn = now();  // of the rows that are read in it, too
    perform(parts_.pipeline.resume(event, turn), answered);
    for (;;) {
      if (append_error_) {
        const std::string reason = *std::exchange(append_error_, std::nullopt);
        perform(parts_.pipeline.resume(event::AppendFailed{reason}, now()));
      } else if (!connected_.empty()) {
        const Slot slot = connected_.front();
        connected_.pop_front();
        perform(parts_.pipeline.resume(event::Connected{slot}, now()));
      } else if (wanted_ > 0) {
        read_one(turn);
      } else {
        break;
      }
    }
    if (finished_) end();
  }

  void perform(const Actions& actions, std::optional<Slot> answered = std::nullopt) {
    wanted_ = actions.wanted_orders;
    finished_ = actions.finished;
    if (!actions.notice.empty()) parts_.log.warning(actions.notice);
    for (const Range& range : actions.ranges_over) shared_->end_range(range);
    if (!actions.commit.empty()) commit(actions.commit);
    for (const Slot slot : actions.retire) tell(slot, &Pool::retire);
    const auto& retired = actions.retire;
    if (answered && threaded() &&
        std::find(retired.begin(), retired.end(), *answered) == retired.end()) {
      tell(*answered, &Pool::keep);
    }
    for (const Slot slot : actions.leave) tell(slot, &Pool::leave);
    for (const Send& one : actions.sends) {
      kill_point("request:before-handed-over");
      send(one);
    }
    for (const Slot slot : actions.go) {
      kill_point("request:before-let-go");
      go(slot, actions.go_until);
    }
    if (!actions.lines.empty()) append(actions.lines);
    for (const Record* const record : actions.unplaced) parts_.outcomes.tell(*record);
    if (actions.wanted_range) shared_->claim_range();
    if (actions.lease) lease(*actions.lease);
    if (actions.renew_key) renew_key();
    if (actions.wake_at) wake_at(*actions.wake_at);
    if (actions.cancel) {
      cancel_exchanges();
      if (shared_) end_waiting();
    }
  }

  // --- a batch that hosts share

  /// Whatever ends the loop: no commit is asked about any more.
  struct Last {
    std::optional<SharedBatch>& shared;
    ~Last() {
      if (shared) shared->give_up();
    }
  };

  void share() {
    if (parts_.shared == nullptr) return;
    shared_.emplace(*parts_.shared, parts_.terms, [this](SharedNews news) {
      asio::post(context_, [this, news = std::move(news)] {
        std::visit([this](const auto& what) { told(what); }, news);
      });
    });
  }

  /// On the ledger's thread.
  LedgerThread::Commit way_to_commit() {
    return [this](std::span<const Record> group) {
      prepare_commits();
      if (!shared_) return parts_.ledger.commit(group);
      refused_ = shared_->commit(group);
    };
  }

  /// Before the first one. A database may be silent then: the loop tells of it meanwhile, and hears
  /// an interrupt.
  void prepare_commits() {
    if (!parts_.before_first_commit) return;
    try {
      parts_.before_first_commit();
    } catch (...) {
      not_begun_ = true;
      throw;
    }
    parts_.before_first_commit = nullptr;
  }

  /// A goodbye that a silent database draws out is cut short by an interrupt, too.
  void leave() {
    context_.restart();
    listen_for_signals();
    std::optional<SignalsBlocked> blocked(std::in_place);
    const std::jthread goodbye([this, spent = parts_.pipeline.spent()] {
      shared_->leave(spent);
      asio::post(context_, [this] {
        signals_.cancel();
        context_.stop();
      });
    });
    blocked.reset();
    context_.run();
  }

  /// Whatever the database does, the process ends soon. Who interrupts again gains it no time.
  void end_waiting() {
    if (std::exchange(ending_, true)) return;
    shared_->end_waiting();
    waiting_ends_ = std::min(waiting_ends_, now().steady + kEndPatience);
    end_at_last(2 * kEndPatience, static_cast<int>(ExitCode::interrupted),
                "sagorder: ended, as the database was waited for long enough. What it has not "
                "recorded is in doubt,\nas `sagorder status` tells; the same command goes on\n");
  }

  void lease(const LeaseWish& wish) {
    LeaseAsk ask;
    ask.tokens = wish.tokens;
    ask.factor = wish.factor;
    ask.paused_for = wish.paused_for;
    ask.share = wish.share;
    ask.limits = parts_.terms.limits;
    shared_->lease(ask);
  }

  void told(const RangeAnswer& answer) {
    if (finished_) return;
    canary_failed_ = canary_failed_ || answer.canary_failed;
    if (!answer.range) return dispatch(event::NoRange{answer.for_good});
    const ClaimedRange& range = *answer.range;
    begun_range_ = {range.first, range.last};
    dispatch(event::RangeClaimed{range.first, range.last, range.steps});
  }

  void told(const news::Leased& leased) {
    if (finished_) return;
    const LeaseAnswer& answer = leased.answer;
    dispatch(
        event::Leased{answer.tokens, leased.until, answer.factor, answer.paused_for, answer.share});
  }

  void told(const news::NotLeased& failed) {
    if (failed.records_lost) records_lost_ = failed.reason;
    if (!finished_) dispatch(event::LeaseFailed{failed.reason, failed.for_good});
  }

  void told(const news::Said& said) { parts_.log.warning(said.text); }

  /// Asked for, and not waited for: the pipeline hears of it when it is there.
  void renew_key() {
    const KeyRenewal& key = parts_.key;
    if (!fetcher_) {
      fetcher_.emplace(context_, parts_.tls, key.sources, key.scheme, *parts_.pool.routes);
    }
    fetcher_->fetch([this](const KeyOutcome& outcome) {
      if (!outcome.key) return dispatch(event::KeyNotRenewed{outcome.why});
      const AccessKey& fetched = outcome.key->key;
      parts_.log.info("another key from the " + outcome.source + ", " +
                      describe_key(fetched, KeyLife{now().wall, outcome.key->expires_at}));
      RequestWriter writer(parts_.key.scheme, parts_.key.method, fetched);
      dispatch(event::KeyRenewed{&writer, outcome.key->expires_at});
    });
  }

  void append(const std::string& lines) {
    try {
      parts_.results.append(lines);
    } catch (const OutputError& error) {
      append_error_ = error.what();
    }
  }

  void commit(std::span<const Record> records) {
    kill_point("commit:before-handed-over");
    ledger_thread_->commit(records);
  }

  void committed(const std::exception_ptr& error) {
    if (!error) {
      kill_point("commit:before-told");
      dispatch(event::Committed{refused_});
      return;
    }
    if (not_begun_) std::rethrow_exception(error);
    try {
      std::rethrow_exception(error);
    } catch (const RecordsLost& lost) {
      records_lost_ = lost.what();
      dispatch(event::CommitFailed{lost.what()});
    } catch (const std::exception& reason) {
      dispatch(event::CommitFailed{reason.what()});
    }
  }

  void wake_at(SteadyTime at) {
    if (armed_ && *armed_ <= at) return;  // an early tick does no harm
    armed_ = at;
    wake_.expires_at(at);
    wake_.async_wait([this](const boost::system::error_code& error) {
      if (error || finished_) return;
      armed_.reset();
      dispatch(event::Tick{});
    });
  }

  void show_progress_later() {
    progress_timer_.expires_after(kProgressEvery);
    progress_timer_.async_wait([this](const boost::system::error_code& error) {
      if (error || finished_) return;
      parts_.progress.update(view_, now().steady);
      if (status_asked()) tell_status();
      write_metrics_if_due();
      show_progress_later();
    });
  }

  void write_metrics_if_due() {
    if (!parts_.write_metrics || now().steady < metrics_due_) return;
    parts_.write_metrics();
    metrics_due_ = now().steady + kMetricsEvery;
  }

  void tell_status() {
    const std::string awaited = what_is_awaited();
    parts_.log.asked(parts_.progress.line(view_, now().steady) +
                     (awaited.empty() ? "; nothing is under way" : "; waiting for " + awaited));
  }

  /// Empty: nothing is under way.
  [[nodiscard]] std::string what_is_awaited() const {
    if (parts_.pipeline.on_wire() > 0) return answers_awaited();
    const std::uint32_t rows = parts_.pipeline.in_flight();
    if (rows == 0) return {};
    return "the ledger to record " + std::to_string(rows) + (rows == 1 ? " row" : " rows");
  }

  [[nodiscard]] std::string answers_awaited() const {
    const std::size_t count = parts_.pipeline.on_wire();
    return std::to_string(count) + (count == 1 ? " answer" : " answers");
  }

  void listen_for_signals() {
    signals_.async_wait([this](const boost::system::error_code& error, int /*number*/) {
      if (error) return;
      if (finished_) return interrupt_goodbye();
      const bool first = !std::exchange(interrupted_, true);
      parts_.log.warning(first ? words_of_interrupt() : words_of_second_interrupt());
      listen_for_signals();
      if (first) {
        give_up_later();
      } else {
        grace_timer_.cancel();
      }
      interrupt();
    });
  }

  [[nodiscard]] std::string words_of_interrupt() const {
    const std::string awaited = what_is_awaited();
    if (awaited.empty()) {
      return std::string("interrupted: nothing more is sent, and nothing is under way") +
             (shared_ ? "; the database is told. Interrupt again to end without that" : "");
    }
    const bool answers = parts_.pipeline.on_wire() > 0;
    return "interrupted: nothing more is sent; waiting for " + awaited + ". Interrupt again to " +
           (answers ? "give them up as in doubt" : "end without it");
  }

  [[nodiscard]] std::string words_of_second_interrupt() const {
    const std::string awaited = what_is_awaited();
    if (awaited.empty()) return words_of_interrupt();
    const bool answers = parts_.pipeline.on_wire() > 0;
    return "interrupted again: " + std::string(answers ? "giving up " : "waiting for ") + awaited +
           (shared_ ? "; the database is waited for " + end_patience_text() : "");
  }

  static std::string end_patience_text() {
    return std::to_string(kEndPatience.count()) + " s more";
  }

  /// All orders are over, and the database does not hear of it.
  void interrupt_goodbye() {
    if (!shared_) return;
    parts_.log.warning("interrupted: the database is waited for " + end_patience_text());
    end_waiting();
    listen_for_signals();
  }

  void give_up_later() {
    if (!parts_.grace) return;
    if (shared_) {  // also where nothing is under way, and the goodbye alone is drawn out
      waiting_ends_ = now().steady + *parts_.grace + kEndPatience;
      parts_.shared->end_waiting_at(waiting_ends_);
    }
    grace_timer_.expires_after(*parts_.grace);
    grace_timer_.async_wait([this](const boost::system::error_code& error) {
      if (error || finished_) return;
      parts_.log.warning("--grace is over: giving up " + std::to_string(parts_.pipeline.on_wire()) +
                         " answers");
      interrupt();
    });
  }

  void interrupt() {
    kill_point("interrupt:before");
    dispatch(event::Interrupted{});
    kill_point("interrupt:after");
  }

  void end() {
    wake_.cancel();
    progress_timer_.cancel();
    grace_timer_.cancel();
    signals_.cancel();
    if (fetcher_) fetcher_->cancel();
    if (metrics_server_) metrics_server_->close();
    context_.stop();
  }

  // --- the input

  void read_header() {
    const OrdersFile::Step step = parts_.input.next(record_);
    complaints_.clear();
    changed_ = step.what != OrdersFile::What::record || !intake_.header(record_, complaints_);
  }

  /// One order of the range to the pipeline.
  void read_one_of_range(Moment turn) {
    if (begun_range_) {
      range_rows_->begin(*begun_range_);
      begun_range_.reset();
    }
    switch (range_rows_->next(order_)) {
      case RangeRows::What::order:
        return perform(parts_.pipeline.resume(event::OrderRead{&order_}, turn));
      case RangeRows::What::end:
        return perform(parts_.pipeline.resume(event::InputEnded{}, turn));
      case RangeRows::What::changed:
        return perform(parts_.pipeline.resume(event::InputChanged{}, turn));
      case RangeRows::What::passed:
        break;
    }
    wanted_ = 0;  // the loop has its turn, and then it is asked again
    if (std::exchange(passing_, true)) return;
    asio::post(context_, [this] {
      passing_ = false;
      if (!finished_) dispatch(event::Tick{});
    });
  }

  /// One record to the pipeline. Rows that --skip-invalid left out are no orders.
  void read_one(Moment turn) {
    if (range_rows_) return read_one_of_range(turn);
    const OrdersFile::Step step =
        changed_ ? OrdersFile::Step{OrdersFile::What::changed, {}} : parts_.input.next(record_);
    if (step.what == OrdersFile::What::end) {
      perform(parts_.pipeline.resume(event::InputEnded{}, turn));
    } else if (step.what != OrdersFile::What::record) {
      perform(parts_.pipeline.resume(event::InputChanged{}, turn));
    } else {
      complaints_.clear();
      if (!intake_.row(record_, order_, complaints_)) return;
      perform(parts_.pipeline.resume(event::OrderRead{&order_}, turn));
    }
  }

  DriverParts parts_;
  RunView view_;
  Intake intake_;
  csv::Record record_;
  Order order_;
  std::vector<Complaint> complaints_;
  bool changed_ = false;

  asio::io_context context_{1};
  asio::steady_timer wake_;
  asio::steady_timer progress_timer_;
  asio::steady_timer grace_timer_;
  asio::signal_set signals_;
  std::optional<KeyFetcher> fetcher_;  // made when a key is first renewed
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::uint16_t> owner_;  // of a slot's exchange: index into workers_
  LedgerThread* ledger_thread_ = nullptr;
  bool not_begun_ = false;  // what comes before the first commit failed; written by that thread

  std::optional<SharedBatch> shared_;  // these: of a batch that hosts share
  std::optional<RangeRows> range_rows_;
  std::optional<Range> begun_range_;    // claimed, and not read from yet
  std::vector<std::uint32_t> refused_;  // of the last commit; the ledger's thread fills it
  bool passing_ = false;                // rows before the range
  bool canary_failed_ = false;
  std::string records_lost_;  // in words

  std::optional<MetricsServer> metrics_server_;
  SteadyTime metrics_due_{};

  std::optional<SteadyTime> armed_;
  std::optional<std::string> append_error_;
  std::deque<Slot> connected_;  // held requests that found an open connection, not yet told
  std::uint32_t wanted_ = 0;
  bool finished_ = false;
  bool interrupted_ = false;
  SteadyTime waiting_ends_ = SteadyTime::max();  // for the database
  bool ending_ = false;  // the database is waited for no longer, in a moment
};

Driver::Driver(DriverParts parts) : loop_(std::make_unique<Loop>(std::move(parts))) {}
Driver::~Driver() = default;
void Driver::run() { loop_->run(); }
PoolCounters Driver::counters() const { return loop_->counters(); }
bool Driver::canary_failed() const { return loop_->canary_failed(); }
SteadyTime Driver::waiting_ends() const { return loop_->waiting_ends(); }

const std::string& Driver::records_lost() const { return loop_->records_lost(); }

}  // namespace sagorder::io
