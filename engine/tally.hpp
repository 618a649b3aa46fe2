// What a run has counted so far: for progress, the summary and the exit code.
#pragma once

#include <array>
#include <cstdint>

#include "engine/breakdown.hpp"
#include "engine/moment.hpp"
#include "engine/waits.hpp"

namespace sagorder {

/// Counts of durations in buckets of 1/16 of a power of two: within 6.25 %, from 1 us to 70 min.
class Histogram {
 public:
  static constexpr int kBuckets = 16 * 33;
  void add(nanoseconds duration);
  /// @param share 0..1  @return the bucket's upper bound; 0 if nothing was counted
  [[nodiscard]] nanoseconds quantile(double share) const;
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] nanoseconds max() const { return max_; }
  [[nodiscard]] nanoseconds sum() const { return sum_; }
  /// How many were shorter than 2^power ns; exact. @param power 10 to 41
  [[nodiscard]] std::uint64_t below_power_of_two(int power) const;

 private:
  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0;
  nanoseconds max_{0};
  nanoseconds sum_{0};
};

/// Of this run, unless said otherwise.
struct Tally {
  std::uint64_t rows_read = 0;       ///< valid rows that the pipeline has seen
  std::uint64_t settled_before = 0;  ///< rows that earlier runs of this batch settled
  std::uint64_t placed = 0;
  std::uint64_t rejected = 0;
  std::uint64_t in_doubt = 0;
  std::uint64_t intents = 0;    ///< attempts begun
  std::uint64_t elsewhere = 0;  ///< of them: refused, for another host had claimed the row
  std::uint64_t sent = 0;       ///< requests under way or of which a byte left; replays included
  std::uint64_t throttled = 0;  ///< throttling answers
  std::uint64_t faults = 0;     ///< transport faults
  std::uint64_t replays = 0;    ///< identical bytes sent once more
  std::uint64_t commits = 0;
  std::uint64_t seats_placed = 0;
  std::uint64_t seat_months_placed = 0;
  std::uint64_t lines = 0;  ///< result lines handed out
  Histogram latency;        ///< service time: request handed to a connection until its answer
  /// From the moment when the rate wanted the attempt sent (engine/schedule) until its answer, or
  /// until it ended without one. Without a rate: from its intent.
  Histogram since_due;
  Histogram commit;     ///< a commit handed out until it is durable
  Waits waits;          ///< where the time went
  Breakdown breakdown;  ///< by region and by code
};

}  // namespace sagorder
