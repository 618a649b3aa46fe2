#include "engine/ranges.hpp"

#include <algorithm>

#include "engine/expect.hpp"
#include "engine/planted.hpp"

namespace sagorder {

bool Ranges::holds(const Range& range) const {
  const auto its = std::find_if(held_.begin(), held_.end(), [&](const Held& held) {
    return held.range.first <= range.last && range.first <= held.range.last;
  });
  if (its == held_.end()) return false;
  expect(its->range.first == range.first && its->range.last == range.last, "ranges overlap");
  return true;
}

bool Ranges::claimed(const Range& range, SteadyTime now) {
  expect(asked_, "a range came that was not asked for");
  expect(range.first.value >= 1 && range.first <= range.last, "a range without rows");
  asked_ = false;
  if (holds(range) && !planted(Planted::held_range_read_again)) {
    wait(now);
    return false;
  }
  held_.push_back({range, 0, ended_});
  some_are_over_ = some_are_over_ || ended_;
  reading_ = !ended_;
  fruitless_ = true;
  return reading_;
}

void Ranges::none(bool for_good, SteadyTime now) {
  expect(asked_, "no range came, and none was asked for");
  asked_ = false;
  ended_ = ended_ || for_good;
  wait(now);
}

void Ranges::exhausted(SteadyTime now) {
  expect(reading_, "a range is exhausted that is not read");
  reading_ = false;
  held_.back().exhausted = true;
  some_are_over_ = some_are_over_ || held_.back().over();
  if (fruitless_) return wait(now);
  wait_ = kRangeWaitFirst;
}

void Ranges::wait(SteadyTime now) {
  again_at_ = now + wait_;
  wait_ = std::min(2 * wait_, kRangeWaitMax);
}

void Ranges::took() {
  expect(reading_, "a row came, and no range is read");
  fruitless_ = false;
  ++held_.back().under_way;
}

void Ranges::left(Row row) {
  const auto its = std::find_if(held_.rbegin(), held_.rend(), [&](const Held& held) {
    return held.range.first <= row && row <= held.range.last && held.under_way > 0;
  });
  expect(its != held_.rend(), "a row left that is of no range");
  --its->under_way;
  some_are_over_ = some_are_over_ || its->over();
}

void Ranges::take_over(std::vector<Range>& over) {
  if (!some_are_over_) return;
  some_are_over_ = false;
  for (const Held& held : held_) {
    if (held.over()) over.push_back(held.range);
  }
  std::erase_if(held_, [](const Held& held) { return held.over(); });
}

}  // namespace sagorder
