#include "io/ledger_thread.hpp"

#include <cstdlib>
#include <utility>

#include "io/process.hpp"

namespace sagorder::io {

LedgerThread::LedgerThread(Ledger& ledger, Done done)
    : LedgerThread([&ledger](std::span<const Record> group) { ledger.commit(group); },
                   std::move(done)) {}

LedgerThread::LedgerThread(Commit commit, Done done)
    : commit_(std::move(commit)), done_(std::move(done)) {
  const SignalsBlocked blocked;
  thread_ = std::thread([this] { work(); });
}

LedgerThread::~LedgerThread() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void LedgerThread::commit(std::span<const Record> records) {
  {
    const std::lock_guard lock(mutex_);
    // A second group would overtake the first, or be forgotten: no order may go out after that.
    if (waiting_) std::abort();
    group_ = records;
    waiting_ = true;
  }
  wake_.notify_one();
}

void LedgerThread::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return waiting_ || closing_; });
    if (!waiting_) return;
    const std::span<const Record> group = group_;
    lock.unlock();
    std::exception_ptr failure;
    try {
      commit_(group);
    } catch (...) {
      failure = std::current_exception();
    }
    // Free for the next group before `done` is called, since that may hand it over.
    lock.lock();
    waiting_ = false;
    lock.unlock();
    done_(std::move(failure));
    lock.lock();
  }
}

}  // namespace sagorder::io
