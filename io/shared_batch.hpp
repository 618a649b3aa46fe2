// What a run needs of io when hosts share its batch: commits that are claims, and everything that
// the pipeline asks the shared ledger for, on threads that may wait in the loop's place.
//
//   commit      on the ledger's thread. Whatever becomes of a connection, it returns only when it
//               is known which intents are this host's: until then not a byte of them leaves
//   lease, claim_range, end_range
//               on a thread of their own, one at a time, leases first. A lease that failed is told;
//               ranges are asked for again until there is an answer
//   leave       the last: what is over is given back, and what is left of the limits, and the host
//               is at work no more
//
// Nothing is decided here. What comes back is told on the asking thread, for the loop to post.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "engine/life.hpp"
#include "engine/moment.hpp"
#include "engine/ranges.hpp"
#include "io/shared_ledger.hpp"

namespace sagorder::io {

inline constexpr milliseconds kAskAgainFirst{50};
inline constexpr milliseconds kAskAgainMax{1'000};
inline constexpr seconds kLeavePatience{5};  ///< for what is left to be told at the end
inline constexpr seconds kEndPatience{3};    ///< for all of it, where a person wants it to end

/// What all hosts of a batch go by.
struct SharedTerms {
  BucketTerms bucket;
  milliseconds lease{0};
  Share limits = {kNoLimit, kNoLimit, kNoLimit};  ///< of what a run buys
  std::uint64_t canary_rows = 0;   ///< the first rows, among which are --canary orders; 0: none
  std::vector<Row> left_out = {};  ///< rows that are no orders, ascending
  [[nodiscard]] std::uint64_t left_out_of(const Range& range) const;
};

namespace news {
/// A lease, and until when by this host's clock: counted from before it was asked for.
struct Leased {
  LeaseAnswer answer;
  SteadyTime until;
};
struct NotLeased {
  std::string reason;
  bool for_good = false;
  bool records_lost = false;  ///< for good, too
};
/// Something for a person.
struct Said {
  std::string text;
};
}  // namespace news

using SharedNews = std::variant<RangeAnswer, news::Leased, news::NotLeased, news::Said>;

class SharedBatch {
 public:
  using Tell = std::function<void(SharedNews)>;

  /// The ledger must outlive it, and is asked by nobody else but for what is said of `commit`.
  /// `tell` must not throw.
  SharedBatch(SharedLedger& ledger, SharedTerms terms, Tell tell);
  ~SharedBatch();
  SharedBatch(const SharedBatch&) = delete;
  SharedBatch& operator=(const SharedBatch&) = delete;

  /// Told as news::Leased or news::NotLeased.
  void lease(const LeaseAsk& ask);
  /// Told as RangeAnswer. A range of which no row is left to be tried is ended by itself.
  void claim_range();
  void end_range(const Range& range);

  /// Blocks; of one thread at a time. Throws LedgerError if the records are refused for good, or it
  /// was given up before it was known what became of them.
  /// @return the indices of intents that are another host's
  std::vector<std::uint32_t> commit(std::span<const Record> records);
  /// Nothing is asked again any more: a commit of which nothing is known fails.
  void give_up();
  /// The same, and kEndPatience from now nothing is waited for: whatever has no answer then fails.
  void end_waiting();

  /// Once the run is over. Waits for the asking thread, at most for about kLeavePatience.
  /// @param spent as SharedLedger::leave
  void leave(const std::optional<Share>& spent = std::nullopt);

 private:
  struct Asked {
    enum class What : std::uint8_t { lease, claim, end };
    What what;
    LeaseAsk lease = {};
    Range range = {};
  };

  void ask(Asked asked);
  void work();
  bool serve(const Asked& asked);
  void serve_lease(const LeaseAsk& ask);
  void serve_claim();
  [[nodiscard]] bool is_tried(const ClaimedRange& range) const;
  void say_goodbye();
  [[nodiscard]] bool lease_is_next() const;
  [[nodiscard]] bool is_given_up();
  /// @return false: it is over
  bool wait_before_asking_again(milliseconds wait);

  SharedLedger& ledger_;
  const SharedTerms terms_;
  Tell tell_;
  bool canary_passed_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Asked> asked_;
  bool given_up_ = false;
  bool leaving_ = false;  // what is asked already is served, and then it is left
  bool closing_ = false;  // nothing is served any more
  SteadyTime leave_by_{};
  std::optional<Share> spent_;  // by then
  std::thread thread_;          // last: it starts when all else is in place
};

}  // namespace sagorder::io
