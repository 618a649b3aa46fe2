// Which rows of a batch that hosts share are this host's to try.
//
//   asked -> claimed (its rows are read) -> exhausted -> over (nothing of it is in a slot any more)
//      \-> none: asked again after a wait, or for good: there will be no other
//
// A range is asked for when the one before it is exhausted, so that a few may be held at a time.
// Whether one that is over is done, only the ledger can say: rows of it may be another host's, or
// may not have been tried as the run stopped. It may come again, to this host, too; so after ranges
// without a row to try the next is asked for after waits that grow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/moment.hpp"
#include "engine/order.hpp"

namespace sagorder {

/// Rows of the input, both ends included.
struct Range {
  Row first;
  Row last;
};

inline constexpr std::size_t kRangesHeldMax = 16;
inline constexpr milliseconds kRangeWaitFirst{10};
inline constexpr milliseconds kRangeWaitMax{1'000};

class Ranges {
 public:
  /// Whether the next one is to be asked for now.
  [[nodiscard]] bool wanted(SteadyTime now) const { return may_ask() && now >= again_at_; }
  /// Whether it will be asked for as time passes, and when.
  [[nodiscard]] bool may_ask() const {
    return !asked_ && !reading_ && !ended_ && held_.size() < kRangesHeldMax;
  }
  [[nodiscard]] SteadyTime again_at() const { return again_at_; }
  /// Whether rows are to be read.
  [[nodiscard]] bool reading() const { return reading_; }
  /// No other is asked for, and none is read.
  [[nodiscard]] bool ended() const { return ended_ && !reading_; }

  void ask() { asked_ = true; }
  /// @return whether its rows are to be read. Not if no more are wanted: then it is over. Nor if
  /// this host holds it already, because others took it for dead meanwhile and gave back what it
  /// still has in slots: then it is over once, when the rows in them are.
  bool claimed(const Range& range, SteadyTime now);
  void none(bool for_good, SteadyTime now);
  void exhausted(SteadyTime now);
  /// No other is wanted, whatever there is.
  void want_no_more() { ended_ = true; }

  /// A row of the one that is read went into a slot.
  void took();
  /// Its slot is free again.
  void left(Row row);
  /// Appends those that are over, and forgets them.
  void take_over(std::vector<Range>& over);

 private:
  struct Held {
    Range range;
    std::uint64_t under_way = 0;  // rows in slots
    bool exhausted = false;
    [[nodiscard]] bool over() const { return exhausted && under_way == 0; }
  };
  [[nodiscard]] bool holds(const Range& range) const;
  void wait(SteadyTime now);

  std::vector<Held> held_;  // none overlaps another; the last is the one that is read
  bool asked_ = false;
  bool reading_ = false;
  bool ended_ = false;
  bool fruitless_ = true;       // the one that is read gave no row so far
  bool some_are_over_ = false;  // to be taken
  milliseconds wait_ = kRangeWaitFirst;
  SteadyTime again_at_ = SteadyTime::min();
};

}  // namespace sagorder
