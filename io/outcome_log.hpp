// Rows that a run did not place, as lines of its log:
//
//   `warning  a row was rejected  row=3 code=QuotaExceeded why="..."`
//
// So many of each kind, and at the end how many more there were: the results have all of them, and
// a log is not flooded. Where a person watches, the counts of the progress and of the summary do,
// and nothing is written.
#pragma once

#include <array>
#include <cstdint>

#include "engine/life.hpp"
#include "io/log.hpp"

namespace sagorder::io {

class OutcomeLog {
 public:
  static constexpr std::uint64_t kLinesMax = 20;  ///< of one kind

  /// @param log outlives it
  explicit OutcomeLog(Log& log) : log_(log) {}

  /// @param record rejected, in_doubt, or not_executed of a row that the run gives up
  void tell(const Record& record);

  /// How many more there were; the run is over.
  void tell_rest();

 private:
  Log& log_;
  std::array<std::uint64_t, kRecordKinds> seen_{};
};

}  // namespace sagorder::io
