#include "io/shared_batch.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "io/kill_point.hpp"
#include "io/process.hpp"

namespace sagorder::io {
namespace {

SteadyTime steady_now() { return std::chrono::steady_clock::now(); }

milliseconds longer(milliseconds wait) { return std::min(2 * wait, kAskAgainMax); }

}  // namespace

std::uint64_t SharedTerms::left_out_of(const Range& range) const {
  const auto first = std::ranges::lower_bound(left_out, range.first);
  const auto behind = std::ranges::upper_bound(left_out, range.last);
  return static_cast<std::uint64_t>(behind - first);
}

SharedBatch::SharedBatch(SharedLedger& ledger, SharedTerms terms, Tell tell)
    : ledger_(ledger),
      terms_(std::move(terms)),
      tell_(std::move(tell)),
      canary_passed_(terms_.canary_rows == 0) {
  const SignalsBlocked blocked;
  thread_ = std::thread([this] { work(); });
}

SharedBatch::~SharedBatch() {
  give_up();
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

// -------------------------------------------------------------------------------------- asking

void SharedBatch::lease(const LeaseAsk& ask) { this->ask({Asked::What::lease, ask, {}}); }

void SharedBatch::claim_range() { ask({Asked::What::claim, {}, {}}); }

void SharedBatch::end_range(const Range& range) { ask({Asked::What::end, {}, range}); }

/// A lease goes before all else: it is what is waited for.
void SharedBatch::ask(Asked asked) {
  {
    const std::lock_guard lock(mutex_);
    if (asked.what == Asked::What::lease) {
      asked_.push_front(asked);
    } else {
      asked_.push_back(asked);
    }
  }
  wake_.notify_all();
}

void SharedBatch::work() {
  milliseconds wait = kAskAgainFirst;
  while (true) {
    Asked next;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return !asked_.empty() || leaving_ || closing_; });
      if (closing_) return;
      if (asked_.empty()) break;
      next = asked_.front();
      asked_.pop_front();
      if (leaving_ && next.what != Asked::What::end) continue;  // nobody waits for it
    }
    if (serve(next)) {
      wait = kAskAgainFirst;
      continue;
    }
    {  // again, but behind a lease that was asked for meanwhile
      const std::lock_guard lock(mutex_);
      asked_.insert(asked_.begin() + (lease_is_next() ? 1 : 0), next);
    }
    if (!wait_before_asking_again(wait)) return;
    wait = longer(wait);
  }
  say_goodbye();
}

/// @return false: there was no answer
bool SharedBatch::serve(const Asked& asked) {
  if (asked.what == Asked::What::lease) {
    serve_lease(asked.lease);
    return true;
  }
  try {
    if (asked.what == Asked::What::claim) {
      serve_claim();
    } else {
      ledger_.end_range(asked.range.first, terms_.left_out_of(asked.range));
    }
    return true;
  } catch (const LedgerError&) {
    return false;  // the lease tells of it
  }
}

void SharedBatch::serve_lease(const LeaseAsk& ask) {
  const SteadyTime before = steady_now();
  try {
    kill_point("database:before-lease");
    const LeaseAnswer answer = ledger_.lease(terms_.bucket, ask);
    tell_(news::Leased{answer, before + terms_.lease});
  } catch (const Fenced& fenced) {
    tell_(news::NotLeased{fenced.what(), true, false});
  } catch (const RecordsLost& lost) {
    tell_(news::NotLeased{lost.what(), true, true});
  } catch (const LedgerError& error) {
    tell_(news::NotLeased{error.what(), false, false});
  }
}

void SharedBatch::serve_claim() {
  while (true) {
    const std::uint64_t canary = canary_passed_ ? 0 : terms_.canary_rows;
    const std::uint64_t left_out = terms_.left_out_of({Row{1}, Row{canary}});
    RangeAnswer answer = ledger_.claim_range(canary, left_out);
    if (answer.range && canary > 0 && answer.range->first.value > canary) canary_passed_ = true;
    kill_point("database:range-claimed");
    // One in which nothing is left to be tried needs no pass over the input.
    const bool in_vain =
        answer.range && is_tried(*answer.range) &&
        ledger_.end_range(answer.range->first,
                          terms_.left_out_of({answer.range->first, answer.range->last}));
    if (!in_vain) return tell_(std::move(answer));
  }
}

/// By its records no row of it is left that may be tried now.
bool SharedBatch::is_tried(const ClaimedRange& range) const {
  const std::uint64_t rows = range.last.value - range.first.value + 1;
  std::uint64_t begun = terms_.left_out_of({range.first, range.last});
  for (const Step& step : range.steps) {
    if (step.kind == RecordKind::intent) ++begun;
    const bool again =
        step.kind == RecordKind::not_executed || step.kind == RecordKind::resolved_not_placed;
    if (again) --begun;
  }
  return begun >= rows;
}

/// With mutex_ held.
bool SharedBatch::lease_is_next() const {
  return !asked_.empty() && asked_.front().what == Asked::What::lease;
}

bool SharedBatch::wait_before_asking_again(milliseconds wait) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, wait, [this] { return closing_ || given_up_ || lease_is_next(); });
  return !closing_ && !given_up_ && (!leaving_ || steady_now() < leave_by_);
}

// ------------------------------------------------------------------------------------- commits

std::vector<std::uint32_t> SharedBatch::commit(std::span<const Record> records) {
  std::string reason;
  try {
    return ledger_.claim(records);
  } catch (const AnswerLost& lost) {
    reason = lost.what();
  }
  if (is_given_up()) throw LedgerError(reason);
  tell_(news::Said{"a commit was not answered, and is looked up before anything of it is sent: " +
                   reason});
  for (milliseconds wait = kAskAgainFirst;; wait = longer(wait)) {
    {
      std::unique_lock lock(mutex_);
      if (wake_.wait_for(lock, wait, [this] { return given_up_; })) throw LedgerError(reason);
    }
    try {
      return ledger_.claim_again(records);
    } catch (const AnswerLost& lost) {
      reason = lost.what();
    }
  }
}

void SharedBatch::give_up() {
  {
    const std::lock_guard lock(mutex_);
    given_up_ = true;
  }
  wake_.notify_all();
}

void SharedBatch::end_waiting() {
  ledger_.end_waiting_at(steady_now() + kEndPatience);
  give_up();
}

bool SharedBatch::is_given_up() {
  const std::lock_guard lock(mutex_);
  return given_up_;
}

// ------------------------------------------------------------------------------------- leaving

void SharedBatch::leave(const std::optional<Share>& spent) {
  {
    const std::lock_guard lock(mutex_);
    leaving_ = true;
    spent_ = spent;
    leave_by_ = steady_now() + kLeavePatience;
  }
  wake_.notify_all();
  thread_.join();
}

/// What it cannot say any more, others learn by its silence.
void SharedBatch::say_goodbye() {
  kill_point("database:before-leaving");
  try {
    ledger_.leave(spent_);
  } catch (const LedgerError&) {
    return;
  }
  kill_point("database:left");
}

}  // namespace sagorder::io
