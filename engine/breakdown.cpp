#include "engine/breakdown.hpp"

#include <algorithm>

#include "engine/expect.hpp"

namespace sagorder {
namespace {

/// Regions begin alike and end differently: mostly the last character tells, without a call.
bool same_region(std::string_view a, std::string_view b) {
  return a.size() == b.size() && (a.empty() || (a.back() == b.back() && a == b));
}

}  // namespace

Breakdown::Breakdown() {
  regions_.reserve(kRegionsMax + 1);
  codes_.reserve(kCodesMax + 1);
}

void Breakdown::settle(const Order& order, RecordKind kind) {
  Region& region = this->region(order.region_id);
  if (kind == RecordKind::placed) {
    ++region.placed;
    region.seats_placed += order.user_count;
    region.seat_months_placed += order.seat_months();
  } else if (kind == RecordKind::rejected) {
    ++region.rejected;
  } else {
    expect(kind == RecordKind::in_doubt, "a row was settled by a record that settles none");
    ++region.in_doubt;
  }
}

void Breakdown::count(std::string_view code, RecordKind kind) {
  Code& counted = this->code(code);
  if (kind == RecordKind::rejected) ++counted.rejected;
  if (kind == RecordKind::in_doubt) ++counted.in_doubt;
  if (kind == RecordKind::not_executed) ++counted.not_executed;
}

Breakdown::Region& Breakdown::region(std::string_view region_id) {
  const auto same = [&](const Region& each) { return same_region(each.region_id, region_id); };
  if (last_ < regions_.size() && same(regions_[last_])) return regions_[last_];
  auto found = std::ranges::find_if(regions_, same);
  if (found == regions_.end() && regions_.size() >= kRegionsMax) {
    region_id = {};
    found = std::ranges::find_if(regions_, same);
  }
  if (found == regions_.end()) {
    regions_.emplace_back().region_id = region_id;
    found = regions_.end() - 1;
  }
  last_ = static_cast<std::size_t>(found - regions_.begin());
  return *found;
}

Breakdown::Code& Breakdown::code(std::string_view code) {
  const auto same = [&](const Code& each) { return each.code == code; };
  auto found = std::ranges::find_if(codes_, same);
  if (found == codes_.end() && codes_.size() >= kCodesMax) {
    code = {};
    found = std::ranges::find_if(codes_, same);
  }
  if (found != codes_.end()) return *found;
  codes_.emplace_back().code = code;
  return codes_.back();
}

}  // namespace sagorder
