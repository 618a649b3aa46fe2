#include "books.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <stdexcept>

#include "executed_log.hpp"

namespace gateway {
namespace {

using namespace std::chrono_literals;

WallTime at(std::string_view text) { return *parse_timestamp(text); }

Order order(std::string_view region, bool auto_pay) {
  return {region, "PREPAY", "rg-\",\"order_id\":\"5", 10, 12, 5, auto_pay};
}

TEST(Books, ShowsAnOrderOnlyAfterTheDelayNewestFirst) {
  Books books("", 5s);
  const WallTime start = at("2026-01-02T03:04:05Z");
  books.add({1, "101", false, "sag-1", ""}, order("cn-shanghai", true), start);
  books.add({2, "102", false, "sag-2", ""}, order("cn-hangzhou", false), start + 1s);
  EXPECT_TRUE(books.shown(start + 4999ms).empty());
  ASSERT_EQ(books.shown(start + 5s).size(), 1u);
  const auto both = books.shown(start + 6s);
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[0]->order_id, "102");
  EXPECT_FALSE(both[0]->paid);
  EXPECT_EQ(both[1]->order_id, "101");
  EXPECT_TRUE(both[1]->paid);
}

TEST(Books, GoOnWithTheExecutedLog) {
  std::string path = "/tmp/gateway_tests.XXXXXX";
  ::close(::mkstemp(path.data()));
  const WallTime when = at("2026-01-02T03:04:05Z") + 678ms;
  const Placed placed{1, "123456789012345", true, "sag-abc", "R"};
  const Order given = order("eu-central-1", true);
  {
    ExecutedLog log(path);
    log.append({placed, given, "n", "hmac-sha1", "json", "", when, 3});
  }
  const Books books(path, 0s);
  const auto shown = books.shown(when);
  ASSERT_EQ(shown.size(), 1u);
  EXPECT_EQ(shown[0]->sequence, 1u);
  EXPECT_EQ(shown[0]->order_id, "123456789012345");
  EXPECT_EQ(shown[0]->sag_id, "sag-abc");
  EXPECT_EQ(shown[0]->region_id, "eu-central-1");
  EXPECT_EQ(shown[0]->resource_group_id, given.resource_group_id);
  EXPECT_EQ(shown[0]->user_count, 10);
  EXPECT_EQ(shown[0]->period, 12);
  EXPECT_EQ(shown[0]->data_plan, 5);
  EXPECT_TRUE(shown[0]->paid);
  EXPECT_EQ(shown[0]->at, when);
  std::ofstream(path, std::ios::app) << "{\"seq\":2}\n";
  EXPECT_THROW(Books(path, 0s), std::runtime_error);
  std::remove(path.c_str());
}

TEST(Books, ASubscriptionEndsAtTheMidnightAfterItsLastDay) {
  // The page's example: created 2018-04-13 15:29 in Beijing, ended 2018-05-14 00:00 there.
  EXPECT_EQ(end_of_subscription(WallTime(1523604565000ms), 1), WallTime(1526227200000ms));
  EXPECT_EQ(end_of_subscription(at("2026-01-31T00:00:00Z"), 1), at("2026-02-28T16:00:00Z"));
  EXPECT_EQ(end_of_subscription(at("2024-02-29T20:00:00Z"), 12), at("2025-03-01T16:00:00Z"));
}

}  // namespace
}  // namespace gateway
