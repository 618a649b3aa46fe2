#include "engine/timeline.hpp"

#include <algorithm>

namespace sagorder {
namespace {

// Each divides the next, so that buckets merge whole.
constexpr std::array<milliseconds, 13> kWidths = {milliseconds(100),
                                                  milliseconds(200),
                                                  seconds(1),
                                                  seconds(2),
                                                  seconds(10),
                                                  seconds(30),
                                                  std::chrono::minutes(1),
                                                  std::chrono::minutes(5),
                                                  std::chrono::minutes(10),
                                                  std::chrono::minutes(30),
                                                  std::chrono::hours(1),
                                                  std::chrono::hours(6),
                                                  std::chrono::hours(24)};
constexpr milliseconds kSlack{1'000};
constexpr double kOrdersInBucket = 10;

std::size_t first_step(const RateLimit& limit) {
  if (limit.unlimited()) return 0;
  const double wanted_ms = kOrdersInBucket * 1000 / limit.per_second();
  std::size_t step = 0;
  while (step + 1 < kWidths.size() && static_cast<double>(kWidths[step].count()) < wanted_ms) {
    ++step;
  }
  return step;
}

}  // namespace

Timeline::Timeline(WallTime begin, const RateLimit& limit)
    : begin_(begin), step_(first_step(limit)) {}

milliseconds Timeline::width() const { return kWidths.at(step_); }

void Timeline::add(WallTime at, Happening what) {
  constexpr auto kBuckets = static_cast<std::int64_t>(kBucketsMax);
  // Times come out of a file: a difference of any two could overflow.
  if (at < begin_ - kSlack || at >= begin_ + kBuckets * kWidths.back()) {
    ++outside_;
    return;
  }
  const milliseconds since = std::max(at - begin_, milliseconds(0));
  while (since / width() >= kBuckets) widen();
  const auto bucket = static_cast<std::size_t>(since / width());
  if (bucket >= buckets_.size()) buckets_.resize(bucket + 1);
  ++buckets_[bucket][static_cast<std::size_t>(what)];
}

void Timeline::widen() {
  const auto factor = static_cast<std::size_t>(kWidths.at(step_ + 1) / kWidths.at(step_));
  ++step_;
  std::vector<Bucket> merged((buckets_.size() + factor - 1) / factor);
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    for (std::size_t what = 0; what < kHappenings; ++what) {
      merged[i / factor][what] += buckets_[i][what];
    }
  }
  buckets_ = std::move(merged);
}

}  // namespace sagorder
