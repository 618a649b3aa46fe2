#include "engine/latency.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace sagorder {
namespace {

// The first 2048 buckets are a millisecond each; each further 1024 share a power of two, up to
// 2^24.
constexpr int kExactBits = 11;
constexpr std::uint64_t kExact = std::uint64_t{1} << kExactBits;
constexpr std::uint64_t kShare = kExact / 2;
constexpr int kTopBits = 24;
constexpr std::size_t kBuckets = kExact + kShare * (kTopBits - kExactBits);
constexpr double kBarsReach = 0.995;
constexpr milliseconds kLongest{std::int64_t{1} << 40};  // what a damaged file says may be anything

std::size_t bucket_of(std::uint64_t ms) {
  if (ms < kExact) return ms;
  const int shift = static_cast<int>(std::bit_width(ms)) - kExactBits;  // 1: up to 2 * kExact
  if (shift > kTopBits - kExactBits) return kBuckets - 1;
  return static_cast<std::size_t>(shift) * kShare + (ms >> static_cast<unsigned>(shift));
}

/// The longest that falls into a bucket, and the shortest.
std::int64_t longest_in(std::size_t bucket) {
  if (bucket < kExact) return static_cast<std::int64_t>(bucket);
  const std::size_t shift = bucket / kShare - 1;
  return static_cast<std::int64_t>(((bucket - shift * kShare + 1) << shift) - 1);
}
std::int64_t shortest_in(std::size_t bucket) {
  return bucket == 0 ? 0 : longest_in(bucket - 1) + 1;
}

/// 1, 2, 5, 10, 20, 50, ...: the first that is not below `least`.
std::int64_t round_width(std::int64_t least) {
  std::int64_t power = 1;
  while (power * 10 < least) power *= 10;
  for (const std::int64_t factor : {1, 2, 5}) {
    if (factor * power >= least) return factor * power;
  }
  return 10 * power;
}

}  // namespace

Latencies::Latencies() : buckets_(kBuckets) {}

void Latencies::add(milliseconds latency) {
  const milliseconds counted = std::clamp(latency, milliseconds(0), kLongest);
  ++buckets_[bucket_of(static_cast<std::uint64_t>(counted.count()))];
  min_ = count_ == 0 ? counted : std::min(min_, counted);
  max_ = std::max(max_, counted);
  ++count_;
}

milliseconds Latencies::quantile(double share) const {
  if (count_ == 0) return milliseconds(0);
  const double wanted = std::ceil(std::clamp(share, 0.0, 1.0) * static_cast<double>(count_));
  const auto rank = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(wanted), 1, count_);
  std::uint64_t passed = 0;
  std::size_t bucket = 0;
  while ((passed += buckets_[bucket]) < rank) ++bucket;
  if (bucket + 1 == kBuckets) return max_;  // it has no end of its own
  return std::clamp(milliseconds(longest_in(bucket)), min_, max_);
}

std::vector<Latencies::Bar> Latencies::bars(std::size_t most) const {
  if (count_ == 0) return {};
  const auto wanted = static_cast<std::int64_t>(most);
  const std::int64_t reach = quantile(kBarsReach).count();
  std::int64_t width = round_width((reach - min_.count()) / wanted + 1);
  // Where the bars begin depends on the width, and may cost one bar.
  if (reach / width - min_.count() / width >= wanted) width = round_width(width + 1);
  const std::int64_t first = min_.count() / width;
  const std::int64_t end = reach / width + 1;
  std::vector<Bar> bars;
  for (std::int64_t i = first; i < end; ++i) {
    bars.push_back({milliseconds(i * width), milliseconds((i + 1) * width)});
  }
  if (max_.count() >= end * width) {
    bars.push_back({milliseconds(end * width), max_ + milliseconds(1), 0, true});
  }
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    if (buckets_[bucket] == 0) continue;
    const std::int64_t at = std::clamp(shortest_in(bucket), min_.count(), max_.count());
    const auto bar = static_cast<std::size_t>(at / width - first);
    bars[std::min(bar, bars.size() - 1)].count += buckets_[bucket];
  }
  return bars;
}

}  // namespace sagorder
