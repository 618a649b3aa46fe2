#include "engine/tally.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace sagorder {

namespace {

// The first 16 buckets share the first 2^10 ns; each further 16 share a power of two, up to 2^42.
constexpr int kFirstBits = 10;
constexpr int kStepBits = 4;

std::size_t bucket_of(std::uint64_t ns) {
  const int bits = std::max(static_cast<int>(std::bit_width(ns)) - 1, kFirstBits - 1);
  const int octave = bits - kFirstBits + 1;  // 0: below 2^10
  const int shift = kFirstBits - kStepBits + std::max(octave - 1, 0);
  const std::uint64_t step = (ns >> static_cast<unsigned>(shift)) & 15U;
  const std::size_t bucket = 16 * static_cast<std::size_t>(octave) + step;
  return std::min<std::size_t>(bucket, Histogram::kBuckets - 1);
}

std::uint64_t upper_bound(std::size_t bucket) {
  const std::size_t octave = bucket / 16;
  const std::uint64_t step = bucket % 16 + 1;
  if (octave == 0) return step << (kFirstBits - kStepBits);
  return (16 + step) << (kFirstBits - kStepBits + octave - 1);
}

}  // namespace

void Histogram::add(nanoseconds duration) {
  const nanoseconds counted = std::max(duration, nanoseconds(0));
  ++buckets_[bucket_of(static_cast<std::uint64_t>(counted.count()))];
  ++count_;
  max_ = std::max(max_, counted);
  sum_ += counted;
}

std::uint64_t Histogram::below_power_of_two(int power) const {
  const std::size_t end = 16 * static_cast<std::size_t>(power - kFirstBits + 1);
  std::uint64_t below = 0;
  for (std::size_t bucket = 0; bucket < end; ++bucket) below += buckets_.at(bucket);
  return below;
}

nanoseconds Histogram::quantile(double share) const {
  if (count_ == 0) return nanoseconds(0);
  const double wanted = std::ceil(std::clamp(share, 0.0, 1.0) * static_cast<double>(count_));
  const std::uint64_t rank =
      std::clamp<std::uint64_t>(static_cast<std::uint64_t>(wanted), 1, count_);
  std::uint64_t passed = 0;
  std::size_t bucket = 0;
  while ((passed += buckets_[bucket]) < rank) ++bucket;
  // The last bucket has no end of its own; and no quantile is above the longest.
  if (bucket + 1 == kBuckets) return max_;
  return std::min(nanoseconds(static_cast<std::int64_t>(upper_bound(bucket))), max_);
}

}  // namespace sagorder
