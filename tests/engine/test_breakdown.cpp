#include "engine/breakdown.hpp"

#include <gtest/gtest.h>

#include "tests/engine/allocations.hpp"

namespace sagorder {
namespace {

Order order(const std::string& region, std::uint32_t seats = 5, std::uint32_t period = 12) {
  Order order;
  order.region_id = region;
  order.user_count = seats;
  order.period = period;
  return order;
}

TEST(Breakdown, CountsRowsAndSeatsByRegion) {
  Breakdown breakdown;
  breakdown.settle(order("cn-shanghai", 5, 12), RecordKind::placed);
  breakdown.settle(order("cn-hangzhou", 10, 1), RecordKind::placed);
  breakdown.settle(order("cn-shanghai", 20, 2), RecordKind::placed);
  breakdown.settle(order("cn-shanghai", 20, 2), RecordKind::rejected);
  breakdown.settle(order("cn-hangzhou", 20, 2), RecordKind::in_doubt);
  ASSERT_EQ(breakdown.regions().size(), 2U);
  const Breakdown::Region& first = breakdown.regions()[0];
  EXPECT_EQ(first.region_id, "cn-shanghai");
  EXPECT_EQ((std::array{first.placed, first.rejected, first.in_doubt}),
            (std::array{2UL, 1UL, 0UL}));
  EXPECT_EQ(first.seats_placed, 25U) << "of placed rows alone";
  EXPECT_EQ(first.seat_months_placed, 100U);
  const Breakdown::Region& second = breakdown.regions()[1];
  EXPECT_EQ((std::array{second.placed, second.rejected, second.in_doubt}),
            (std::array{1UL, 0UL, 1UL}));
}

TEST(Breakdown, CountsOutcomesByCode) {
  Breakdown breakdown;
  breakdown.count("Throttling", RecordKind::not_executed);
  breakdown.count("Throttling", RecordKind::not_executed);
  breakdown.count("QuotaExceeded", RecordKind::rejected);
  breakdown.count("Throttling", RecordKind::in_doubt);
  ASSERT_EQ(breakdown.codes().size(), 2U);
  EXPECT_EQ(breakdown.codes()[0].not_executed, 2U);
  EXPECT_EQ(breakdown.codes()[0].in_doubt, 1U);
  EXPECT_EQ(breakdown.codes()[1].code, "QuotaExceeded");
  EXPECT_EQ(breakdown.codes()[1].rejected, 1U);
}

TEST(Breakdown, IsBounded) {
  Breakdown breakdown;
  for (int i = 0; i < 1000; ++i) {
    breakdown.settle(order("region-" + std::to_string(i)), RecordKind::placed);
    breakdown.count("Code" + std::to_string(i), RecordKind::rejected);
  }
  ASSERT_EQ(breakdown.regions().size(), Breakdown::kRegionsMax + 1);
  EXPECT_EQ(breakdown.regions().back().region_id, "");
  EXPECT_EQ(breakdown.regions().back().placed, 1000 - Breakdown::kRegionsMax);
  ASSERT_EQ(breakdown.codes().size(), Breakdown::kCodesMax + 1);
  EXPECT_EQ(breakdown.codes().back().code, "");
  EXPECT_EQ(breakdown.codes().back().rejected, 1000 - Breakdown::kCodesMax);
}

TEST(Breakdown, AllocatesNothingForRegionsThatItKnows) {
  Breakdown breakdown;
  const Order here = order("a-region-whose-name-is-long-enough-to-be-on-the-heap");
  const Order there = order("another-region-whose-name-is-long-enough-for-the-heap");
  breakdown.settle(here, RecordKind::placed);
  breakdown.settle(there, RecordKind::placed);
  const auto before = allocations_on_this_thread();
  for (int i = 0; i < 100; ++i) {
    breakdown.settle(i % 2 == 0 ? here : there, RecordKind::placed);
    breakdown.count("", RecordKind::in_doubt);
  }
  EXPECT_EQ(allocations_on_this_thread() - before, 0U);
}

}  // namespace
}  // namespace sagorder
