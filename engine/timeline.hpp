// Events counted over time, in a bounded number of buckets however long it goes on: when the last
// bucket is full the buckets are merged into wider ones. Widths are those that people count in.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "engine/moment.hpp"
#include "engine/rate.hpp"

namespace sagorder {

/// What happened to an attempt.
enum class Happening : std::uint8_t {
  begun,
  placed,
  refused,  ///< rejected, or not executed and pending again
  in_doubt,
};
inline constexpr std::size_t kHappenings = 4;

class Timeline {
 public:
  static constexpr std::size_t kBucketsMax = 360;
  using Bucket = std::array<std::uint64_t, kHappenings>;  ///< a count for each Happening

  /// @param limit buckets begin as wide as ten orders at this rate take, so that a bucket says
  /// something about the rate; and no finer than 100 ms
  Timeline(WallTime begin, const RateLimit& limit);

  /// Up to a second before the begin counts in the first bucket.
  void add(WallTime at, Happening what);

  [[nodiscard]] WallTime begin() const { return begin_; }
  [[nodiscard]] milliseconds width() const;
  [[nodiscard]] const std::vector<Bucket>& buckets() const { return buckets_; }
  /// Events before the begin, or so long after it that no width reaches them: a clock was off.
  [[nodiscard]] std::uint64_t outside() const { return outside_; }

 private:
  void widen();

  WallTime begin_;
  std::size_t step_ = 0;  // of the widths
  std::vector<Bucket> buckets_;
  std::uint64_t outside_ = 0;
};

}  // namespace sagorder
