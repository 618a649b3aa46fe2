// Commits on a thread of their own, so that the loop never waits for the disk.
//
// One group is under way at a time. `done` is called on the ledger's thread when it is durable
// (nullptr) or failed; the caller posts it into its loop. The destructor waits for the group under
// way and its `done`.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <span>
#include <thread>

#include "engine/life.hpp"
#include "io/ledger.hpp"

namespace sagorder::io {

class LedgerThread {
 public:
  using Commit = std::function<void(std::span<const Record>)>;
  using Done = std::function<void(std::exception_ptr)>;

  /// While this object lives, `ledger` is used by nobody else. `done` must not throw.
  LedgerThread(Ledger& ledger, Done done);
  /// The same with another way to commit: it blocks, and throws if it failed.
  LedgerThread(Commit commit, Done done);
  ~LedgerThread();
  LedgerThread(const LedgerThread&) = delete;
  LedgerThread& operator=(const LedgerThread&) = delete;

  /// The records stay where and as they are until `done`. Ends the program if the group before is
  /// still under way; it may be called from within `done`.
  void commit(std::span<const Record> records);

 private:
  void work();

  Commit commit_;
  Done done_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::span<const Record> group_;
  bool waiting_ = false;  // a group is handed over and not yet durable or failed
  bool closing_ = false;
  std::thread thread_;  // last: it starts when all else is in place
};

}  // namespace sagorder::io
