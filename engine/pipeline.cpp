#include "engine/pipeline.hpp"

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include "engine/planted.hpp"

namespace sagorder {
namespace {

constexpr milliseconds kRetryFirst{200};  // wait of a throttled row, doubled for each attempt
constexpr milliseconds kRetryMax{10'000};
constexpr std::uint32_t kWindowFirst = 2;
constexpr std::size_t kCacheLine = 64;  // bytes
constexpr std::string_view kStopped = "the run stopped before it was sent";

nanoseconds doubled(milliseconds first, std::uint32_t times, milliseconds most) {
  nanoseconds wait = first;
  for (std::uint32_t i = 1; i < times && wait < most; ++i) wait *= 2;
  return std::min<nanoseconds>(wait, most);
}

/// Fills what an answer says into a record.
void describe(const Answer& answer, Record& record) {
  record.http_status = answer.http_status;
  record.order_id = answer.order_id;
  record.sag_id = answer.sag_id;
  record.request_id = answer.request_id;
  record.code = answer.code;
  record.message = answer.message;
  record.evidence = answer.body_head;
  if (answer.kind == AnswerKind::not_understood) {
    record.code = "NotUnderstood";
    record.message = "the answer names neither an OrderId nor an error code that can be relied on";
  }
}

void describe(const Fault& fault, Record& record) {
  record.code = name_of(fault.kind);
  record.message = fault.detail;
}

std::string words_of(const Answer& answer) {
  return answer.message.empty() ? answer.code : answer.code + ": " + answer.message;
}

RecordKind kind_of(Fate fate) {
  switch (fate) {
    case Fate::placed:
      return RecordKind::placed;
    case Fate::rejected:
      return RecordKind::rejected;
    case Fate::not_executed:
      return RecordKind::not_executed;
    case Fate::in_doubt:
      break;
  }
  return RecordKind::in_doubt;
}

}  // namespace

Pipeline::Pipeline(PipelineOptions options, Rows& rows, RequestWriter writer, ResultWriter results,
                   const NonceSource::Key& nonce_key)
    : options_(std::move(options)),
      rows_(rows),
      renewal_(options_.key_life ? Renewal(*options_.key_life) : Renewal()),
      results_(std::move(results)),
      nonces_(nonce_key),
      pacer_(options_.rate, options_.burst),
      allowance_(options_, rows, options_.sharing.has_value()),
      schedule_(options_.rate, options_.burst),
      lease_(options_.sharing.value_or(Sharing{}).lease, options_.rate),
      slots_(options_.max_in_flight + kReadAhead),
      queued_(slots_.size()),
      again_(slots_.size()),
      ready_(slots_.size()),
      connected_(slots_.size()),
      recent_order_ids_(kRecentOrderIds) {
  expect(options_.max_in_flight >= 1 && options_.max_in_flight <= kInFlightMax, "max_in_flight");
  expect(options_.connections >= 1 && options_.connections <= kConnectionsMax, "connections");
  expect(options_.sharing || rows_.count_of(State::intended) == 0,
         "open intents must be closed before a run");
  use_key(std::move(writer));
  window_ = std::min(kWindowFirst, options_.max_in_flight);
  free_.reserve(slots_.size());
  waiting_.reserve(slots_.size());
  wires_.reserve(slots_.size());
  for (Slot slot = static_cast<Slot>(slots_.size()); slot-- > 0;) free_.push_back(slot);
}

const Actions& Pipeline::resume(const Event& event, Moment now) {
  actions_.lines.clear();
  actions_.retire.clear();
  actions_.leave.clear();
  actions_.sends.clear();
  actions_.go.clear();
  actions_.go_until = SteadyTime::max();
  actions_.commit = {};
  actions_.wanted_orders = 0;
  actions_.wanted_range = false;
  actions_.lease.reset();
  actions_.ranges_over.clear();
  actions_.wake_at.reset();
  actions_.unplaced.clear();
  actions_.renew_key = false;
  actions_.cancel = false;
  actions_.notice.clear();
  std::visit([&](const auto& what) { on(what, now); }, event);
  advance(now);
  tally_.waits.turn(awaited(now), now.steady);
  return actions_;
}

// ------------------------------------------------------------------------------------- events

void Pipeline::on(const event::Started& /*started*/, Moment now) { allowance_.begin(now); }

void Pipeline::on(const event::OrderRead& read, Moment /*now*/) {
  const Row row = read.order->row;
  const bool wanted =
      rows_.state(row) == State::pending ||
      (planted(Planted::replay_after_restart) && rows_.state(row) == State::in_doubt);
  if (!wanted) {
    ++tally_.settled_before;
    return;
  }
  ++tally_.rows_read;
  expect(!free_.empty(), "more rows were read than there are slots");
  const Slot slot = free_.back();
  free_.pop_back();
  Held& held = slots_[slot];
  std::swap(held.order, *read.order);
  held.phase = Phase::queued;
  held.tries = 0;
  if (options_.sharing) ranges_.took();
  allowance_.line_up(held.order);
  queued_.push(slot);
}

void Pipeline::on(const event::InputEnded& /*ended*/, Moment now) {
  if (options_.sharing) ranges_.exhausted(now.steady);
  input_ended_ = !options_.sharing || ranges_.ended();
}

/// What was known of its rows is outdated: others may have tried them since.
void Pipeline::on(const event::RangeClaimed& claimed, Moment now) {
  expect(claimed.last.value <= rows_.count(), "a range has rows that the batch has not");
  const Range range{claimed.first, claimed.last};
  if (!ranges_.claimed(range, now.steady)) return;
  for (Row row = range.first; row <= range.last; ++row.value) rows_.forget(row);
  for (const Step& step : claimed.steps) {
    const bool follows = range.first <= step.row && step.row <= range.last && rows_.apply(step);
    expect(follows, "the ledger has a record of a range that cannot follow");
  }
  if (planted(Planted::open_intent_moves)) {
    for (Row row = range.first; row <= range.last; ++row.value) {
      if (rows_.state(row) != State::intended) continue;
      rows_.apply({RecordKind::not_executed, row, rows_.attempts(row)});
    }
  }
}

void Pipeline::on(const event::NoRange& none, Moment now) {
  ranges_.none(none.for_good, now.steady);
  input_ended_ = ranges_.ended();
}

void Pipeline::on(const event::Leased& leased, Moment now) {
  if (std::exchange(told_silent_, false)) actions_.notice = "the shared ledger answers again";
  lease_asked_at_.reset();
  lease_.granted(leased.tokens, leased.until, now.steady);
  if (leased.share) allowance_.share_granted(*leased.share, now.steady);
  pacer_.follow(leased.factor, leased.paused_for, now.steady);
}

void Pipeline::on(const event::LeaseFailed& failed, Moment now) {
  const std::string reason(failed.reason);
  if (!failed.for_good && !std::exchange(told_silent_, true)) {
    actions_.notice = "the shared ledger does not answer: " + reason +
                      "; nothing is sent without it, and it is asked again";
  }
  lease_asked_at_.reset();
  lease_.failed();
  allowance_.share_failed();
  slowed_ = slowed_ || pacer_.lowered() || pacer_.paused_until() > now.steady;
  if (!failed.for_good || planted(Planted::fenced_goes_on)) return;
  request_stop(Stop::fenced, "this host was taken for dead and is shut out: " + reason);
}

void Pipeline::on(const event::InputChanged& /*changed*/, Moment /*now*/) {
  input_ended_ = true;
  request_stop(Stop::input_changed, "the input changed while it was being read");
}

void Pipeline::on(const event::Committed& committed, Moment now) {
  expect(commit_under_way_, "a commit was reported that was not asked for");
  commit_under_way_ = false;
  ++tally_.commits;
  tally_.commit.add(now.steady - committing_since_);
  const bool dropped = !committed.refused.empty() && !planted(Planted::refused_is_sent);
  if (dropped) drop_refused(committed.refused);
  for (std::size_t i = 0; i < committing_.size; ++i) {
    const Record& record = committing_.records[i];
    if (planted(Planted::send_before_commit) && record.kind == RecordKind::intent) continue;
    expect(rows_.apply({record.kind, record.row, record.attempt}),
           "a record was committed that cannot follow");
    settled(committing_.slots[i], record, now);
  }
  committing_.size = 0;
}

void Pipeline::on(const event::CommitFailed& failed, Moment now) {
  if (planted(Planted::failed_commit_ignored)) return on(event::Committed{}, now);
  expect(commit_under_way_, "a commit failed that was not asked for");
  commit_under_way_ = false;
  request_stop(Stop::ledger_failed, std::string(failed.reason));
  keep_unrecorded(committing_);
  keep_unrecorded(gathering_);
  committing_.size = 0;
  gathering_.size = 0;
  // Whatever is not on the wire is let go: what is durable of it opens as in doubt at the next
  // start, and nothing more is sent.
  while (!ready_.empty()) ready_.pop();
  for (Slot slot = 0; slot < slots_.size(); ++slot) {
    const Phase phase = slots_[slot].phase;
    if (phase == Phase::intending || phase == Phase::ready || phase == Phase::settling) {
      leave_open(slot);
    }
  }
  leave_all();
}

void Pipeline::on(const event::Connected& connected, Moment /*now*/) {
  Held& held = slots_.at(connected.slot);
  if (held.phase == Phase::leaving) return;  // the word to leave crossed this one
  expect(held.phase == Phase::leased, "a connection was made for a row that asked for none");
  held.phase = Phase::connected;
  connected_.push(connected.slot);
}

void Pipeline::on(const event::Replied& replied, Moment now) {
  Held& held = slots_.at(replied.slot);
  expect(held.phase == Phase::sent, "a reply came for a row that is not on the wire");
  --on_wire_;
  connect_rounds_ = 0;
  ever_connected_ = true;
  fetch_next();
  reader_.read(*replied.reply, answer_);
  const std::uint64_t id_hash = std::hash<std::string_view>{}(answer_.order_id);
  __builtin_prefetch(&recent_order_id(id_hash));  // somewhere in half a MiB: counting meanwhile
  tally_.latency.add(now.steady - held.sent_at);
  tally_.since_due.add(now.steady - held.due_at);
  Verdict verdict = judge(answer_, held.first_sending);
  const bool repeated = verdict.fate == Fate::placed && is_repeated(id_hash);
  if (repeated) verdict.fate = Fate::in_doubt;
  const Key& key = *held.key;
  if (verdict.fate == Fate::placed && &key == keys_.back().get()) renewal_.proved();
  const bool retire = verdict.fate == Fate::in_doubt && !planted(Planted::reuse_after_doubt);
  if (retire) actions_.retire.push_back(replied.slot);
  held.wait = doubled(kRetryFirst, held.tries, kRetryMax);
  Record& record = gather(kind_of(verdict.fate), replied.slot, now);
  describe(answer_, record);
  if (repeated) {
    record.code = "RepeatedOrderId";
    record.message = "the answer gives an OrderId that another row of this run was given";
  }
  settle(replied.slot, verdict, record, now);
  if (verdict.effect == Effect::go_on) {
    pacer_.hinted(answer_.hint, now.steady);
    slowed_ = slowed_ || pacer_.paused_until() > now.steady;
  }
  react(verdict.effect, key, words_of(answer_), now);
}

void Pipeline::on(const event::Faulted& faulted, Moment now) {
  Held& held = slots_.at(faulted.slot);
  const Fault& fault = *faulted.fault;
  if (held.phase == Phase::sent) {
    --on_wire_;
    if (fault.bytes_accepted == 0) --tally_.sent;
  } else {
    expect(held.phase == Phase::leased || held.phase == Phase::leaving,
           "a fault came for a row that is not on the wire");
    expect(fault.bytes_accepted == 0, "a request was written before it was told to go");
    --leased_;
    if (held.phase == Phase::leased) keep_promise();
  }
  if (held.phase == Phase::leaving) return left(faulted.slot, now);
  ++tally_.faults;
  const Verdict verdict = judge(fault, held.first_sending);
  if (fault.bytes_accepted > 0) {
    ever_connected_ = true;
    connect_rounds_ = 0;
  }
  react(verdict.effect, *held.key, fault.detail, now);
  // The server's absence is not held against the row.
  if (verdict.effect == Effect::back_off) --held.tries;
  held.wait = nanoseconds(0);
  const bool no_answer_byte = fault.bytes_answered == 0 && fault.kind != FaultKind::cancelled;
  const bool first = held.first_sending || planted(Planted::replay_without_end);
  const bool replay = options_.replay == Replay::same_bytes && first &&
                      verdict.fate == Fate::in_doubt && no_answer_byte && stop_ == Stop::none &&
                      now.steady - held.sent_at <= kReplayAgeMax;
  if (replay) {
    plan_replay(faulted.slot, fault, now);
    return;
  }
  if (fault.bytes_accepted > 0) tally_.since_due.add(now.steady - held.due_at);
  Record& record = gather(kind_of(verdict.fate), faulted.slot, now);
  describe(fault, record);
  settle(faulted.slot, verdict, record, now);
}

void Pipeline::on(const event::AppendFailed& failed, Moment /*now*/) {
  lines_off_ = true;
  request_stop(Stop::output_failed, std::string(failed.reason));
}

void Pipeline::on(const event::KeyRenewed& renewed, Moment now) {
  if (renewal_.renewed({now.wall, renewed.expires_at})) return use_key(std::move(*renewed.writer));
  key_not_renewed("a key came that lives no longer than the one before", now);
}

void Pipeline::on(const event::KeyNotRenewed& failed, Moment now) {
  renewal_.failed(now.wall);
  key_not_renewed(failed.reason, now);
}

void Pipeline::on(const event::Tick& /*tick*/, Moment /*now*/) {}

void Pipeline::on(const event::Interrupted& /*interrupted*/, Moment /*now*/) {
  if (++interrupts_ == 1) {
    request_stop(Stop::interrupted, "interrupted");
    return;
  }
  actions_.cancel = true;
  if (stop_ >= Stop::abandoned) return;
  stop_ = Stop::abandoned;
  stop_detail_ = "interrupted, and the answers under way were given up";
}

// ------------------------------------------------------------------------- what can be done now

void Pipeline::advance(Moment now) {
  pacer_.recover(now.steady);
  wake_waiting(now);
  keep_deadline(now);
  if (stop_ != Stop::none) drop_unsent(now);
  if (!ledger_failed()) {
    ask_for_key(now);
    admit(now);
    if (stop_ != Stop::none) drop_unsent(now);  // a limit was met while admitting
    go_connected(now);
    send_ready(now);
  }
  if (options_.sharing) {
    want_range(now);
    want_lease(now);
    tell_silence(now);
  }
  want_orders();
  if (!ledger_failed()) start_commit(now);
  set_wake(now);
  check_finished();
}

void Pipeline::wake_waiting(Moment now) {
  const auto later = [this](Slot a, Slot b) { return slots_[a].not_before > slots_[b].not_before; };
  while (!waiting_.empty() && slots_[waiting_.front()].not_before <= now.steady) {
    std::pop_heap(waiting_.begin(), waiting_.end(), later);
    const Slot slot = waiting_.back();
    waiting_.pop_back();
    slots_[slot].phase = Phase::queued;
    allowance_.line_up(slots_[slot].order);
    again_.push(slot);
  }
}

/// Looked at before each admission and each sending of this moment. What is on the wire already is
/// waited for; a run that has nothing more to send does not mind.
void Pipeline::keep_deadline(Moment now) {
  if (stop_ != Stop::none || !allowance_.is_over(now)) return;
  const bool unsent = !queued_.empty() || !again_.empty() || !waiting_.empty() || !ready_.empty() ||
                      leased_ > leaving_;
  if (unsent) request_stop(Stop::not_after, "the time for sending is over");
}

/// The run stops: rows not yet intended are let go, intents not yet sent are taken back.
void Pipeline::drop_unsent(Moment now) {
  limited_ = false;
  for (Ring<Slot>* const line : {&queued_, &again_}) {
    while (!line->empty()) {
      allowance_.leave_line(slots_[line->front()].order);
      release(line->pop());
    }
  }
  for (const Slot slot : waiting_) release(slot);
  waiting_.clear();
  if (ledger_failed()) return;
  while (!ready_.empty()) not_sent(ready_.pop(), kStopped, now);
  leave_all();
}

/// Nothing that is held goes any more.
void Pipeline::leave_all() {
  while (!connected_.empty()) leave(connected_.pop(), kStopped);
  if (leased_ == leaving_) return;
  for (Slot slot = 0; slot < slots_.size(); ++slot) {
    if (slots_[slot].phase == Phase::leased) leave(slot, kStopped);
  }
}

void Pipeline::ask_for_key(Moment now) {
  if (stop_ != Stop::none || !more_to_admit() || !renewal_.due(now.wall)) return;
  renewal_.began();
  actions_.renew_key = true;
}

void Pipeline::admit(Moment now) {
  std::uint32_t window = connect_rounds_ > 0 ? 1 : std::min(window_, options_.max_in_flight);
  if (planted(Planted::more_in_flight)) window += kReadAhead / 2;
  limited_ = false;
  const bool signs = renewal_.signs(now.wall);
  while (signs && stop_ == Stop::none && in_flight_ < window && now.steady >= held_until_) {
    if (again_.empty() && queued_.empty()) return;
    Ring<Slot>& from = again_.empty() ? queued_ : again_;
    const Slot slot = from.front();
    limited_ = !may_admit(slots_[slot].order);
    if (limited_) return;
    if (options_.sharing && !lease_.has_room(now.steady)) return;
    const bool granted =
        (planted(Planted::retries_without_token) && !again_.empty()) || pacer_.admit(now.steady);
    if (!granted) return;
    from.pop();
    allowance_.leave_line(slots_[slot].order);
    intend(slot, now);
  }
}

/// What has its connection takes its token now, first come first: this is where the wire keeps the
/// rate.
void Pipeline::go_connected(Moment now) {
  while (!connected_.empty()) {
    const Slot slot = connected_.front();
    if (const std::string_view why = too_late(slots_[slot], now); !why.empty()) {
      leave(connected_.pop(), why);
      continue;
    }
    if (!has_token(now)) return;
    const bool granted = planted(Planted::token_before_connection) ||
                         (planted(Planted::retries_without_token) && slots_[slot].tries > 1) ||
                         pacer_.send(now.steady);
    if (!granted) return;
    go(connected_.pop(), now);
  }
}

void Pipeline::send_ready(Moment now) {
  const std::uint32_t wires = connect_rounds_ > 0 ? 1 : options_.connections;
  while (!ready_.empty() && on_wire_ + leased_ < wires && now.steady >= held_until_) {
    const Slot slot = ready_.front();
    if (const std::string_view why = too_late(slots_[slot], now); !why.empty()) {
      not_sent(ready_.pop(), why, now);
      continue;
    }
    if (!has_token(now, leased_)) return;  // those that are held take theirs first
    if (planted(Planted::token_before_connection) && !pacer_.send(now.steady)) return;
    // Held without a rate, too: the same bytes again, whose minute ends when they leave, and what
    // must not leave after a deadline, or a lease, for it may have to connect first.
    const bool at_once = pacer_.unlimited() && slots_[slot].first_sending && !options_.sharing &&
                         (!allowance_.has_deadline() || planted(Planted::late_request_connects));
    if (at_once) {
      pacer_.send(now.steady);
      send(ready_.pop(), now);
    } else if (planted(Planted::token_before_connection) ||
               pacer_.send_at(now.steady, leased_) <= now.steady + kLeaseAhead) {
      lease(ready_.pop(), now);
    } else {
      return;
    }
  }
}

/// While what was read is still being sent, so that the wires do not wait for the ledger.
void Pipeline::want_range(Moment now) {
  ranges_.take_over(actions_.ranges_over);
  const bool soon = queued_.size() < kReadAhead / 2;
  if (stop_ != Stop::none || !soon || !ranges_.wanted(now.steady)) return;
  ranges_.ask();
  actions_.wanted_range = true;
}

/// Rows wait to be admitted, or are intended and not sent.
bool Pipeline::needs_tokens() const {
  if (stop_ != Stop::none) return false;
  const bool in_vain = limited_ && allowance_.waits_for_share();
  return (!in_vain && (!queued_.empty() || !again_.empty())) || lease_.promised() > 0;
}

/// When the ledger is asked for a lease; SteadyTime::max(): it is.
SteadyTime Pipeline::ask_at(Moment now) const {
  return std::min(lease_.due_at(needs_tokens(), now.steady),
                  std::max(lease_.soonest(), allowance_.share_due_at(limited_)));
}

/// The next to be admitted, if a limit leaves no room for it.
const Order* Pipeline::blocked_order() const {
  if (!limited_) return nullptr;
  return &slots_[again_.empty() ? queued_.front() : again_.front()].order;
}

/// Also when it needs none, as long as something is under way: that this host lives is told by it.
void Pipeline::want_lease(Moment now) {
  if (stop_ == Stop::fenced || ledger_failed() || now.steady < ask_at(now)) return;
  LeaseWish wish;
  wish.tokens = lease_.ask(needs_tokens(), now.steady);
  wish.share = allowance_.ask_for_share(blocked_order(), now.steady);
  if (slowed_ && !planted(Planted::throttling_kept_to_self)) {
    wish.factor = pacer_.factor();
    wish.paused_for = std::max(pacer_.paused_until() - now.steady, nanoseconds(0));
  }
  slowed_ = false;
  lease_asked_at_ = now.steady;
  actions_.lease = wish;
}

/// When an ask that is under way is no longer waited for without a word.
SteadyTime Pipeline::silent_from() const {
  if (!lease_asked_at_ || told_silent_) return SteadyTime::max();
  return *lease_asked_at_ + std::max(options_.sharing->lease, kSilenceMin);
}

/// An ask may be under way for long, also while nothing is to be sent: somebody who looks on wants
/// to know what is waited for.
void Pipeline::tell_silence(Moment now) {
  if (now.steady < silent_from()) return;
  told_silent_ = true;
  actions_.notice =
      "the shared ledger does not answer; nothing is sent without it, and it is waited for";
}

/// Whether one may be sent now, where hosts share the rate, once `ahead` others were.
bool Pipeline::has_token(Moment now, std::uint32_t ahead) const {
  return !options_.sharing || lease_.tokens(now.steady) > ahead ||
         planted(Planted::sent_without_lease);
}

void Pipeline::promise_token() {
  if (options_.sharing) lease_.promise();
}

void Pipeline::keep_promise() {
  if (options_.sharing) lease_.keep_promise();
}

void Pipeline::want_orders() {
  if (stop_ != Stop::none || input_ended_ || (options_.sharing && !ranges_.reading())) return;
  const auto queued = static_cast<std::uint32_t>(queued_.size());
  const std::uint32_t room = kReadAhead > queued ? kReadAhead - queued : 0;
  actions_.wanted_orders = std::min(room, static_cast<std::uint32_t>(free_.size()));
}

bool Pipeline::more_to_admit() const {
  return !input_ended_ || !queued_.empty() || !again_.empty() || !waiting_.empty();
}

/// Rows that are read in this very turn will all be intended: the commit is for them, too.
bool Pipeline::more_come_at_once() const {
  const std::uint32_t window = std::min(window_, options_.max_in_flight);
  return actions_.wanted_orders > 0 && in_flight_ + kReadAhead <= window;
}

/// Enough intents are durable to feed every connection while a commit takes its time.
bool Pipeline::wires_are_supplied() const {
  return stop_ == Stop::none &&
         ready_.size() >= std::max(options_.connections, options_.max_in_flight / 4);
}

void Pipeline::start_commit(Moment now) {
  if (commit_under_way_ || gathering_.size == 0) return;
  const bool may_wait = more_come_at_once() || wires_are_supplied();
  if (may_wait && now.steady < gathering_since_ + kGatherMax) return;
  std::swap(gathering_, committing_);
  commit_under_way_ = true;
  committing_since_ = now.steady;
  actions_.commit = std::span<const Record>(committing_.records.data(), committing_.size);
}

void Pipeline::set_wake(Moment now) {
  const auto wake = [&](SteadyTime at) {
    const SteadyTime then = std::max(at, now.steady + nanoseconds(1));
    actions_.wake_at = actions_.wake_at ? std::min(*actions_.wake_at, then) : then;
  };
  if (ledger_failed()) return;
  const bool ends = allowance_.has_deadline() && !allowance_.is_over(now);
  if (ends && stop_ == Stop::none) wake(allowance_.over_at(now));
  const bool range_later = options_.sharing && ranges_.may_ask() && stop_ == Stop::none;
  if (range_later && queued_.size() < kReadAhead / 2) wake(ranges_.again_at());
  const bool asleep = waiting_.empty() || planted(Planted::waiting_not_woken);
  if (!asleep) wake(slots_[waiting_.front()].not_before);
  const bool held = now.steady < held_until_;
  const std::uint32_t wires = connect_rounds_ > 0 ? 1 : options_.connections;
  if (!commit_under_way_ && gathering_.size > 0) wake(gathering_since_ + kGatherMax);
  if (options_.sharing && stop_ != Stop::fenced) {
    const SteadyTime ask_at = this->ask_at(now);
    if (ask_at != SteadyTime::max()) wake(ask_at);
    if (silent_from() != SteadyTime::max()) wake(silent_from());
  }
  if (!connected_.empty() && has_token(now)) wake(pacer_.send_at(now.steady));
  if (!ready_.empty() && on_wire_ + leased_ < wires && has_token(now, leased_)) {
    const auto ahead = planted(Planted::token_before_connection) ? milliseconds(0) : kLeaseAhead;
    wake(held ? held_until_ : pacer_.send_at(now.steady, leased_) - ahead);
  }
  const std::uint32_t window = connect_rounds_ > 0 ? 1 : std::min(window_, options_.max_in_flight);
  const bool rows = (!queued_.empty() || !again_.empty()) && renewal_.signs(now.wall);
  if (stop_ == Stop::none && more_to_admit() && renewal_.next_at() != WallTime::max()) {
    wake(now.steady + (renewal_.next_at() - now.wall));
  }
  const bool room = !options_.sharing || lease_.has_room(now.steady);
  if (stop_ == Stop::none && rows && room && !limited_ && in_flight_ < window) {
    wake(held ? held_until_ : pacer_.admit_at(now.steady));
  }
}

/// What the next order to leave, or the end of the run, waits for.
WaitFor Pipeline::awaited(Moment now) const {
  if (now.steady < held_until_) return WaitFor::connection;
  if (options_.sharing && needs_tokens() && lease_.tokens(now.steady) == 0) {
    return lease_.holds(now.steady) ? WaitFor::rate : WaitFor::ledger;
  }
  const bool paced = !pacer_.unlimited() || pacer_.paused_until() > now.steady;
  const std::uint32_t window = std::min(window_, options_.max_in_flight);
  const bool rows = (!queued_.empty() || !again_.empty()) && renewal_.signs(now.wall);
  const bool admitted_later =
      rows && !limited_ && in_flight_ < window && paced && pacer_.admit_at(now.steady) > now.steady;
  if (admitted_later || !connected_.empty()) {  // connected: without its token yet
    const bool lowered = pacer_.lowered() || pacer_.paused_until() > now.steady;
    return lowered ? WaitFor::throttling : WaitFor::rate;
  }
  if (on_wire_ > 0 && on_wire_ + leased_ >= options_.connections) return WaitFor::answers;
  if (commit_under_way_ || gathering_.size > 0) return WaitFor::ledger;
  if (leased_ > 0) return WaitFor::connection;
  if (on_wire_ > 0) return WaitFor::answers;
  return waiting_.empty() ? WaitFor::input : WaitFor::throttling;
}

void Pipeline::check_finished() {
  const bool ended = input_ended_ || stop_ != Stop::none;
  const bool idle = in_flight_ == 0 && queued_.empty() && again_.empty() && waiting_.empty();
  expect(in_flight_ > 0 || (!commit_under_way_ && gathering_.size == 0),
         "a record is not durable, and no row is in flight that it belongs to");
  actions_.finished = ended && idle;
  // By now what was under way when the canary failed has come in.
  if (actions_.finished && stop_ == Stop::canary && !options_.sharing) {
    stop_detail_ = allowance_.canary_detail();
  }
  if (actions_.finished) std::ranges::sort(left_open_);
  if (actions_.finished && stop_ == Stop::none && set_aside_) {
    request_stop(Stop::max_attempts, "rows were refused for the rate, or found no connection, " +
                                         std::to_string(kAttemptsMax) + " times");
  }
}

// ------------------------------------------------------------------------------ an order's steps

/// Whether the run's limits leave room for this order; only when nothing is under way is a limit
/// final.
bool Pipeline::may_admit(const Order& order) {
  if (allowance_.has_room(order)) return true;
  const bool idle = in_flight_ == 0 && waiting_.empty();
  if (idle && allowance_.is_final(order)) stop_at(allowance_.met_by(order));
  return false;
}

/// Where a commit failed, what was let go may be durable, and open as in doubt.
std::optional<Share> Pipeline::spent() const {
  if (ledger_failed() || !allowance_.is_shared()) return std::nullopt;
  return allowance_.spent();
}

void Pipeline::intend(Slot slot, Moment now) {
  Held& held = slots_[slot];
  expect(held.phase == Phase::queued, "a row that is not waiting was admitted");
  expect(rows_.state(held.order.row) == State::pending || planted(Planted::replay_after_restart),
         "a row that is not pending was admitted");
  expect(in_flight_ < options_.max_in_flight || planted(Planted::more_in_flight),
         "more rows in flight than allowed");
  held.phase = Phase::intending;
  held.attempt = {rows_.attempts(held.order.row).value + 1};
  held.stamp = {now.wall, nonces_.next()};
  held.due_at = schedule_.next(now.steady);
  held.key = keys_.back().get();
  held.host = host_of(held.order);
  held.first_sending = true;
  held.replay_planned = false;
  ++held.tries;
  ++in_flight_;
  promise_token();
  allowance_.reserve(held.order);
  ++tally_.intents;
  Record& record = gather(RecordKind::intent, slot, now);
  record.nonce = held.stamp.nonce;
  if (planted(Planted::send_before_commit)) {
    rows_.apply({record.kind, record.row, record.attempt});
    settled(slot, record, now);
  }
}

/// Why it must not be sent any more; empty: it may.
std::string_view Pipeline::too_late(const Held& held, Moment now) {
  // An intent that waited too long, or a clock that jumped, would be refused as expired.
  const auto age = now.wall - held.stamp.at;
  if (age > kStampAgeMax || age < -kStampAgeMax) {
    return "its timestamp grew too old before it could be sent";
  }
  if (now.wall >= held.key->signs_until) return "its key ceased to sign before it could be sent";
  const bool late = !held.first_sending && now.steady - held.sent_at > kReplayAgeMax;
  return late ? "too late to send the same bytes again" : std::string_view();
}

void Pipeline::write_request(Held& held) {
  held.key->writer.write(held.order, hosts_[held.host].second, held.stamp, written_);
  if (!wires_.empty()) {
    held.wire = std::move(wires_.back());
    wires_.pop_back();
  }
  std::swap(held.wire, written_.bytes);
}

/// Its bytes will not be sent any more: their storage serves the next request. There are as many as
/// are on the wire, which a processor's cache holds; of all slots it would not.
void Pipeline::give_back_wire(Held& held) {
  if (held.wire.empty() || planted(Planted::retry_sends_old_bytes)) return;
  held.wire.clear();
  wires_.push_back(std::move(held.wire));
}

/// What is ready leaves when the answer at hand is judged, and lies somewhere in all slots: its
/// first look, in too_late, was 0.7 % of the program's time as perf samples it.
void Pipeline::fetch_next() const {
  if (ready_.empty()) return;
  const char* const next = reinterpret_cast<const char*>(&slots_[ready_.front()]);
  for (std::size_t at = 0; at < sizeof(Held); at += kCacheLine) __builtin_prefetch(next + at);
}

/// The request, written where it stays until its answer.
Send Pipeline::prepare(Slot slot, Moment now) {
  Held& held = slots_[slot];
  expect(held.phase == Phase::ready, "a row was to be sent whose intent is not durable");
  const State wanted = held.first_sending ? State::intended : State::in_doubt;
  expect(rows_.state(held.order.row) == wanted, "a row was to be sent that is already settled");
  const bool anew = held.first_sending && !(planted(Planted::retry_sends_old_bytes) &&
                                            held.tries > 1 && !held.wire.empty());
  if (anew) {
    write_request(held);
    held.sent_at = now.steady;
  }
  return {slot, endpoints_[held.host].get(), held.wire};
}

/// Sends without a rate: as soon as there is a connection.
void Pipeline::send(Slot slot, Moment now) {
  actions_.sends.push_back(prepare(slot, now));
  count_sent(slot);
}

void Pipeline::lease(Slot slot, Moment now) {
  actions_.sends.push_back(prepare(slot, now));
  actions_.sends.back().hold = true;
  slots_[slot].phase = Phase::leased;
  ++leased_;
}

void Pipeline::go(Slot slot, Moment now) {
  Held& held = slots_[slot];
  expect(held.phase == Phase::connected, "a row was to leave that has no connection");
  if (held.first_sending) held.sent_at = now.steady;
  if (options_.sharing && !planted(Planted::sent_without_lease)) {
    actions_.go_until = std::min(actions_.go_until, lease_.take(now.steady));
  }
  --leased_;
  count_sent(slot);
  actions_.go.push_back(slot);
}

void Pipeline::count_sent(Slot slot) {
  slots_[slot].phase = Phase::sent;
  ++on_wire_;
  keep_promise();
  expect(on_wire_ + leased_ <= options_.connections, "more requests under way than connections");
  ++tally_.sent;
}

void Pipeline::leave(Slot slot, std::string_view why) {
  Held& held = slots_[slot];
  expect(held.phase == Phase::leased || held.phase == Phase::connected, "nothing to leave");
  held.phase = Phase::leaving;
  held.why_left = why;
  ++leaving_;
  actions_.leave.push_back(slot);
}

/// Not a byte of it was offered to the connection, and none will be.
void Pipeline::left(Slot slot, Moment now) {
  --leaving_;
  if (!ledger_failed()) return not_sent(slot, slots_[slot].why_left, now);
  leave_open(slot);  // the intent opens as in doubt at the next start
}

/// Takes back what was recorded and not sent: no byte of it left, so an intent is pending again;
/// bytes that were to be sent once more leave the doubt as it is.
void Pipeline::not_sent(Slot slot, std::string_view why, Moment now) {
  Held& held = slots_[slot];
  const bool doubted = !held.first_sending;
  held.wait = nanoseconds(0);
  held.phase = Phase::settling;
  keep_promise();
  give_back_wire(held);
  Record& record = gather(doubted ? RecordKind::in_doubt : RecordKind::not_executed, slot, now);
  record.code = doubted ? "NotReplayed" : kCodeNotSent;
  record.message = why;
  if (doubted) count(Fate::in_doubt, held.order.row);
}

void Pipeline::settle(Slot slot, const Verdict& verdict, Record& record, Moment now) {
  Held& held = slots_[slot];
  held.phase = Phase::settling;
  give_back_wire(held);
  record.latency = std::chrono::duration_cast<milliseconds>(now.steady - held.sent_at);
  if (!ledger_failed()) {
    count(verdict.fate, held.order.row);
    if (planted(Planted::result_before_commit) && verdict.fate != Fate::not_executed) {
      results_.line(record, held.attempt, held.order.cells, actions_.lines);
    }
    return;
  }
  // The ledger is gone: say it, so that a person can write it down.
  keep_unrecorded(gathering_);
  gathering_.size = 0;
  leave_open(slot);
}

void Pipeline::plan_replay(Slot slot, const Fault& fault, Moment now) {
  Held& held = slots_[slot];
  held.replay_planned = true;
  held.phase = Phase::settling;
  Record& doubt = gather(RecordKind::in_doubt, slot, now);
  describe(fault, doubt);
  doubt.latency = std::chrono::duration_cast<milliseconds>(now.steady - held.sent_at);
  if (!planted(Planted::replay_not_recorded)) gather(RecordKind::replay, slot, now);
  ++tally_.replays;
}

/// What became of an attempt: for slow start, and for the limits of the run.
void Pipeline::count(Fate fate, Row row) {
  if (fate == Fate::in_doubt) {
    window_ = std::min(options_.max_in_flight, std::max(kWindowFirst, window_ / 4));
  } else if (fate != Fate::not_executed) {
    window_ = std::min(options_.max_in_flight, window_ + 1);
  }
  if (holds_canary_up(fate, row)) {
    request_stop(Stop::canary, "one of the batch's first orders is rejected or in doubt");
  }
  if (const auto met = allowance_.judge(fate)) stop_at(*met);
}

/// Of a batch that hosts share; else the allowance sees to it.
bool Pipeline::holds_canary_up(Fate fate, Row row) const {
  if (!options_.sharing || planted(Planted::canary_of_hosts_goes_on)) return false;
  const bool lost = fate == Fate::rejected || fate == Fate::in_doubt;
  return lost && row.value <= options_.sharing->canary_rows;
}

/// Takes the refused intents out of the commit, whose other records keep their order.
void Pipeline::drop_refused(std::span<const std::uint32_t> refused) {
  std::size_t kept = 0;
  std::size_t next = 0;
  for (std::size_t i = 0; i < committing_.size; ++i) {
    if (next < refused.size() && refused[next] == i) {
      claimed_elsewhere(committing_.slots[i], committing_.records[i]);
      ++next;
      continue;
    }
    std::swap(committing_.records[kept], committing_.records[i]);
    committing_.slots[kept++] = committing_.slots[i];
  }
  expect(next == refused.size(), "a record was refused that is not in the commit");
  committing_.size = kept;
}

/// The row leaves without a send and without a line. What it is to this host is what it would be to
/// a start: an open attempt, which is never sent again by itself.
void Pipeline::claimed_elsewhere(Slot slot, const Record& record) {
  expect(record.kind == RecordKind::intent, "a record was refused that is no intent");
  expect(rows_.apply({record.kind, record.row, record.attempt}),
         "an attempt was refused that cannot follow");
  ++tally_.elsewhere;
  --in_flight_;
  keep_promise();
  release(slot);
}

/// A record of this slot is durable now.
void Pipeline::settled(Slot slot, const Record& record, Moment now) {
  if (record.kind == RecordKind::intent) return make_ready(slot);
  if (record.kind == RecordKind::replay) return make_ready_again(slot);
  if (record.kind == RecordKind::not_executed) {
    tally_.breakdown.count(record.code, record.kind);
    return wait_or_drop(slot, record, now);
  }
  if (record.kind == RecordKind::in_doubt && slots_[slot].replay_planned) {
    // The replay record is behind it in the same commit.
    if (planted(Planted::replay_not_recorded)) make_ready_again(slot);
    return;
  }
  end(slot, record);
}

void Pipeline::make_ready(Slot slot) {
  slots_[slot].phase = Phase::ready;
  ready_.push(slot);
}

void Pipeline::make_ready_again(Slot slot) {
  Held& held = slots_[slot];
  held.replay_planned = false;
  held.first_sending = false;
  promise_token();
  if (planted(Planted::replay_signed_anew)) {
    held.stamp.nonce = nonces_.next();
    write_request(held);
  }
  make_ready(slot);
}

/// The row's outcome is durable: its line is handed out, its slot is free.
void Pipeline::end(Slot slot, const Record& record) {
  Held& held = slots_[slot];
  if (record.kind == RecordKind::placed) {
    ++tally_.placed;
    tally_.seats_placed += held.order.user_count;
    tally_.seat_months_placed += held.order.seat_months();
  } else if (record.kind == RecordKind::rejected) {
    ++tally_.rejected;
  } else {
    expect(record.kind == RecordKind::in_doubt, "a run wrote a record that is an operator's");
    ++tally_.in_doubt;
  }
  allowance_.settle(held.order, record.kind);
  tally_.breakdown.settle(held.order, record.kind);
  if (record.kind != RecordKind::placed) {
    tally_.breakdown.count(record.code, record.kind);
    actions_.unplaced.push_back(&record);
  }
  if (!lines_off_ && !planted(Planted::result_before_commit)) {
    results_.line(record, held.attempt, held.order.cells, actions_.lines);
    ++tally_.lines;
  }
  --in_flight_;
  release(slot);
}

void Pipeline::wait_or_drop(Slot slot, const Record& record, Moment now) {
  Held& held = slots_[slot];
  --in_flight_;
  if (stop_ != Stop::none || held.tries >= kAttemptsMax) {
    // One that was only taken back has no outcome that its own words would tell.
    if (record.code != kCodeNotSent) actions_.unplaced.push_back(&record);
    set_aside_ = set_aside_ || stop_ == Stop::none;
    // Its range would come again and again.
    if (set_aside_ && options_.sharing) {
      ranges_.want_no_more();
      input_ended_ = ranges_.ended();
    }
    release(slot);
    return;
  }
  allowance_.release(held.order);
  held.phase = Phase::waiting;
  held.not_before = now.steady + held.wait;
  waiting_.push_back(slot);
  std::push_heap(waiting_.begin(), waiting_.end(),
                 [this](Slot a, Slot b) { return slots_[a].not_before > slots_[b].not_before; });
}

void Pipeline::release(Slot slot) {
  Held& held = slots_[slot];
  expect(held.phase != Phase::free, "a slot was freed twice");
  const bool reserved = held.phase != Phase::queued && held.phase != Phase::waiting;
  if (reserved) allowance_.release(held.order);
  if (options_.sharing) ranges_.left(held.order.row);
  held.phase = Phase::free;
  free_.push_back(slot);
}

// --------------------------------------------------------------------- what it means for the run

/// @param key what the order was signed with
/// @param words the answer's or the fault's, for a person
void Pipeline::react(Effect effect, const Key& key, const std::string& words, Moment now) {
  switch (effect) {
    case Effect::go_on:
      return;
    case Effect::slow_down:  // answers only
      ++tally_.throttled;
      slowed_ = true;
      pacer_.throttled(answer_.hint, now.steady);
      return;
    case Effect::back_off:
      back_off(words, now);
      return;
    case Effect::check_clock:  // answers only
      check_clock(answer_, now);
      return;
    case Effect::renew_key:  // answers only
      key_refused(key, words, now);
      return;
    case Effect::stop_credentials:
      request_stop(Stop::credentials, words);
      return;
    case Effect::stop_payment:
      request_stop(Stop::payment, words);
      return;
    case Effect::stop_certificate:
      request_stop(Stop::certificate, words);
      return;
  }
}

/// One round of failed connections counts once, however many rows met it.
void Pipeline::back_off(const std::string& words, Moment now) {
  if (now.steady < held_until_) return;
  ++connect_rounds_;
  held_until_ = now.steady + doubled(kBackoffFirst, connect_rounds_, kBackoffMax);
  const std::uint32_t most = ever_connected_ ? kConnectRoundsMax : kConnectRoundsFirst;
  if (connect_rounds_ >= most) {
    request_stop(Stop::unreachable, words);
    return;
  }
  const auto wait = std::chrono::duration_cast<milliseconds>(held_until_ - now.steady);
  actions_.notice = words + "; trying again in " + std::to_string(wait.count()) + " ms (" +
                    std::to_string(connect_rounds_) + " of " + std::to_string(most) + ")";
}

/// From now on. Keys that no row in flight has are forgotten.
void Pipeline::use_key(RequestWriter writer) {
  std::erase_if(keys_, [this](const auto& key) {
    return std::ranges::none_of(slots_, [&](const Held& held) {
      const bool in_flight =
          held.phase != Phase::free && held.phase != Phase::queued && held.phase != Phase::waiting;
      return in_flight && held.key == key.get();
    });
  });
  keys_.push_back(std::make_unique<Key>(Key{std::move(writer), renewal_.signs_until()}));
  std::vector<Secret> secrets;
  for (const auto& key : keys_)
    std::ranges::move(key->writer.secrets(), std::back_inserter(secrets));
  reader_.hide(std::move(secrets));
}

/// An answer called the key expired. It is the answer to many rows at once, and one is enough.
void Pipeline::key_refused(const Key& key, const std::string& words, Moment now) {
  const bool known = &key != keys_.back().get() || !renewal_.signs(now.wall);
  if (known) return;
  if (!renewal_.refused(now.wall)) return request_stop(Stop::credentials, words);
  keys_.back()->signs_until = renewal_.signs_until();
  actions_.notice = words + "; nothing more is signed with this key, another one is asked for";
}

void Pipeline::key_not_renewed(std::string_view reason, Moment now) {
  if (!renewal_.signs(now.wall)) {
    return request_stop(Stop::credentials,
                        "the key signs no more, and no other came: " + std::string(reason));
  }
  const auto whole = [&](WallTime then) {
    return std::to_string(std::chrono::ceil<seconds>(then - now.wall).count()) + " s";
  };
  actions_.notice = "the key was not renewed: " + std::string(reason) + "; it signs for " +
                    whole(renewal_.signs_until()) + " more; trying again in " +
                    whole(renewal_.next_at());
}

void Pipeline::check_clock(const Answer& answer, Moment now) {
  if (!answer.server_at) {
    request_stop(Stop::clock, answer.code + ", and the server sent no Date to compare with");
    return;
  }
  const auto skew = std::chrono::duration_cast<seconds>(now.wall - *answer.server_at);
  if (skew <= kClockSkewMax && skew >= -kClockSkewMax) return;
  const std::string amount = std::to_string(skew.count() < 0 ? -skew.count() : skew.count());
  request_stop(Stop::clock, answer.code + ": this machine's clock is " + amount + " s " +
                                (skew.count() < 0 ? "behind" : "ahead of") + " the server's");
}

/// Whether another row of this run was given this OrderId. An answer that belongs to the request
/// before it would show so, and with it a connection on which answers and requests are out of step.
bool Pipeline::is_repeated(std::uint64_t id_hash) {
  const std::uint64_t kept = id_hash | 1U;  // 0: nothing there
  std::uint64_t& place = recent_order_id(id_hash);
  if (place == kept) return !planted(Planted::repeated_order_id_believed);
  place = kept;
  return false;
}

/// Where the hash of such an OrderId is kept.
std::uint64_t& Pipeline::recent_order_id(std::uint64_t id_hash) {
  return recent_order_ids_[(id_hash >> 1U) % kRecentOrderIds];
}

/// A room for one record in the next commit; its strings are empty, their storage is reused.
Record& Pipeline::gather(RecordKind kind, Slot slot, Moment now) {
  const Held& held = slots_[slot];
  expect(gathering_.size < 2 * static_cast<std::size_t>(options_.max_in_flight) ||
             planted(Planted::more_in_flight),
         "more records gathered than rows in flight can need");
  if (gathering_.size == gathering_.records.size()) {
    gathering_.records.emplace_back();
    gathering_.slots.emplace_back();
  }
  if (gathering_.size == 0) gathering_since_ = now.steady;
  Record& record = gathering_.records[gathering_.size];
  gathering_.slots[gathering_.size] = slot;
  ++gathering_.size;
  record.kind = kind;
  record.row = held.order.row;
  record.attempt = held.attempt;
  record.at = now.wall;
  record.http_status = 0;
  record.latency = milliseconds(0);
  for (std::string* text : {&record.order_id, &record.sag_id, &record.request_id, &record.code,
                            &record.message, &record.evidence}) {
    text->clear();
  }
  return record;
}

void Pipeline::keep_unrecorded(const Batch& batch) {
  for (std::size_t i = 0; i < batch.size; ++i) {
    const RecordKind kind = batch.records[i].kind;
    const bool outcome =
        kind == RecordKind::placed || kind == RecordKind::rejected || kind == RecordKind::in_doubt;
    if (outcome) unrecorded_.push_back(batch.records[i]);
  }
}

/// The ledger failed: what becomes of the slot's attempt is not recorded.
void Pipeline::leave_open(Slot slot) {
  left_open_.push_back(slots_[slot].order.row);
  --in_flight_;
  release(slot);
}

/// The index of the order's host, made known at its first order.
std::size_t Pipeline::host_of(const Order& order) {
  for (std::size_t i = 0; i < hosts_.size(); ++i) {
    if (options_.endpoint || hosts_[i].first == order.region_id) return i;
  }
  expect(endpoints_.size() < kEndpointsMax, "more regions than a run can have");
  const Endpoint endpoint =
      options_.endpoint ? *options_.endpoint : default_endpoint(order.region_id);
  hosts_.emplace_back(order.region_id, host_header(endpoint));
  endpoints_.push_back(std::make_unique<Endpoint>(endpoint));
  return hosts_.size() - 1;
}

void Pipeline::stop_at(const LimitMet& met) {
  limit_too_small_ = met.too_small;
  request_stop(met.stop, met.detail);
}

void Pipeline::request_stop(Stop stop, std::string detail) {
  // The first reason stands, but a broken ledger or output outweighs every other.
  const bool graver = stop >= Stop::output_failed && stop > stop_;
  if (stop_ != Stop::none && !graver) return;
  stop_ = stop;
  stop_detail_ = std::move(detail);
}

}  // namespace sagorder
