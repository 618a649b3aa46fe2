#include "engine/survey.hpp"

#include <gtest/gtest.h>

#include <string>

namespace sagorder {
namespace {

constexpr WallTime kAt{milliseconds{1'767'323'045'000}};  // 2026-01-02T03:04:05Z
constexpr WallTime kYearLater{milliseconds{1'798'905'600'000}};

const Terms kTerms{"cn-shanghai", 10, 5, 12};

ListedOrder order(std::string id, bool paid = true, std::string product = "smartag") {
  return {std::move(id), kAt, true, paid, std::move(product)};
}

OrderDetail detail(std::string id, std::vector<std::string> instances,
                   std::string config = "sag:[UserCount:10;DataPlan:5;Period:12;]") {
  return {std::move(id), "cn-shanghai", std::move(config), std::move(instances)};
}

ListedGateway gateway(std::string id, std::uint64_t users = 10) {
  return {std::move(id), users, 5, kAt, kYearLater};
}

// One explained order, "1" with sag-1, and one that is not, "2" with sag-2.
struct World {
  Listed listed{{order("1"), order("2")},
                {{"2", detail("2", {"sag-2"})}},
                {{"cn-shanghai", {gateway("sag-1"), gateway("sag-2")}}}};
  ExplainedOrders explained{{"1", {"sag-1", {}, true}}};
  [[nodiscard]] Survey look() const { return survey(listed, explained); }
};

TEST(Survey, WhatTheLedgerExplainsIsTakenAway) {
  const Survey seen = World().look();
  EXPECT_EQ(seen.explained, 1U);
  ASSERT_EQ(seen.orders.size(), 1U);
  EXPECT_EQ(seen.orders[0].order_id, "2");
  EXPECT_EQ(seen.orders[0].sag_id, "sag-2");
  EXPECT_EQ(seen.orders[0].terms, kTerms);
  EXPECT_TRUE(seen.gateways.empty());
}

TEST(Survey, AnotherLedgersOrderIsTakenAwayAndShowsNoAccount) {
  World world;
  world.explained["2"] = {"sag-2", {}, false};
  const Survey seen = world.look();
  EXPECT_TRUE(seen.orders.empty());
  EXPECT_EQ(seen.explained, 1U);
}

TEST(Survey, AnInstanceWithoutAnOrderIsLoose) {
  World world;
  world.listed.regions["cn-hangzhou"] = {gateway("sag-9", 7)};
  const Survey seen = world.look();
  ASSERT_EQ(seen.gateways.size(), 1U);
  EXPECT_EQ(seen.gateways[0].sag_id, "sag-9");
  EXPECT_EQ(seen.gateways[0].terms, (Terms{"cn-hangzhou", 7, 5, 12}));
}

TEST(Survey, AnInstanceThatWasChangedSinceHasNoTerms) {
  World world;
  ListedOrder upgrade = order("3");
  upgrade.is_new = false;
  world.listed.orders.push_back(upgrade);
  world.listed.details["3"] = detail("3", {"sag-2"});
  const Survey seen = world.look();
  ASSERT_EQ(seen.orders.size(), 1U) << "an upgrade makes no instance";
  EXPECT_EQ(seen.orders[0].terms, (Terms{"cn-shanghai", {}, {}, {}}));
}

TEST(Survey, AChangeOfWhoKnowsWhatTouchesAll) {
  World world;
  ListedOrder upgrade = order("3");
  upgrade.is_new = false;
  world.listed.orders.push_back(upgrade);
  world.listed.details["3"] = detail("3", {});
  EXPECT_EQ(world.look().orders[0].terms, (Terms{"cn-shanghai", {}, {}, {}}));
}

TEST(Survey, AnInstanceThatIsNotListedGivesNoTerms) {
  World world;
  world.listed.regions.clear();
  EXPECT_EQ(world.look().orders.at(0).terms, Terms());
}

TEST(Survey, OrdersOfOtherProductsAreLeftOut) {
  World world;
  world.listed.orders.push_back(order("3", true, "ecs"));
  world.listed.details["3"] = detail("3", {});
  world.listed.orders.push_back(order("4", true, ""));
  world.listed.details["4"] = detail("4", {"i-4"});
  EXPECT_EQ(world.look().orders.size(), 1U);
  // Without an explained order nothing tells what the product is called.
  world.explained.clear();
  EXPECT_EQ(world.look().orders.size(), 3U);
}

TEST(Survey, ConfigIsBelievedOnlyIfItAgreesWithWhatWasOrdered) {
  World world;
  world.listed.orders[1] = order("2", false);
  world.listed.details["2"] = detail("2", {});
  world.listed.details["1"] = detail("1", {"sag-1"});
  EXPECT_FALSE(world.look().config_believed) << "nothing to compare it with";
  EXPECT_EQ(world.look().orders.at(0).terms, Terms());

  world.explained["1"].terms = kTerms;
  EXPECT_TRUE(world.look().config_believed);
  EXPECT_EQ(world.look().orders.at(0).terms, kTerms);

  for (const char* config :
       {"sag:[UserCount:10;DataPlan:5;Period:1;]", "sag:[UserCount:10;]", ""}) {
    world.listed.details["1"] = detail("1", {"sag-1"}, config);
    EXPECT_FALSE(world.look().config_believed) << config;
    EXPECT_EQ(world.look().orders.at(0).terms, Terms()) << config;
  }
  world.listed.details["1"] = detail("1", {"sag-1"});
  world.listed.details["1"].region = "cn-hangzhou";
  EXPECT_FALSE(world.look().config_believed);
}

TEST(Survey, DetailsThatAreNeeded) {
  std::vector<ListedOrder> orders;
  ExplainedOrders explained;
  for (int i = 0; i < 20; ++i) {
    orders.push_back(order(std::to_string(i)));
    explained[std::to_string(i)] = {"sag", kTerms, true};
  }
  orders.push_back(order("loose"));
  orders.push_back(order("without an instance"));
  explained["without an instance"] = {"", {}, true};
  orders.push_back(order("of another product", true, "ecs"));
  const auto needed = details_needed(orders, explained);
  EXPECT_EQ(needed.size(), kCalibratingMax + 2);
  EXPECT_EQ(needed[kCalibratingMax], "loose");
  EXPECT_EQ(needed.back(), "without an instance");
}

}  // namespace
}  // namespace sagorder
