#include "engine/listing.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace sagorder {
namespace {

WallTime at(int year, unsigned month, unsigned day, int hour = 0, int minute = 0, int second = 0) {
  using namespace std::chrono;
  return sys_days(std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(day)) +
         hours(hour) + minutes(minute) + seconds(second);
}

std::string orders_body(const std::string& orders,
                        const std::string& head = R"("Code":"Success")") {
  return "{" + head +
         R"(,"Message":"Successful!","RequestId":"R","Success":true,"Data":{"HostName":"",)"
         R"("PageNum":1,"PageSize":20,"TotalCount":2,"OrderList":{"Order":[)" +
         orders + "]}}}";
}

const std::string kOrder =
    R"({"OrderId":"123","CreateTime":"2017-06-08T09:41:30Z","OrderType":"New",)"
    R"("PaymentStatus":"Paid","ProductCode":"smartag","Tax":"0"})";
const std::string kRenewal =
    R"({"OrderId":456,"CreateTime":"2017-06-08T09:41:31Z","OrderType":"Renew",)"
    R"("PaymentStatus":"Unpaid"})";

TEST(Listing, OrdersAsThePageShowsThem) {
  ListingReader reader;
  const auto page = reader.orders(orders_body(kOrder + "," + kRenewal));
  ASSERT_TRUE(page.has_value());
  EXPECT_EQ(page->paging.total, 2U);
  EXPECT_EQ(page->paging.page, 1U);
  EXPECT_EQ(page->paging.page_size, 20U);
  ASSERT_EQ(page->orders.size(), 2U);
  EXPECT_EQ(page->orders[0].order_id, "123");
  EXPECT_EQ(page->orders[0].created_at, at(2017, 6, 8, 9, 41, 30));
  EXPECT_TRUE(page->orders[0].is_new);
  EXPECT_TRUE(page->orders[0].is_paid);
  EXPECT_EQ(page->orders[0].product_code, "smartag");
  EXPECT_EQ(page->orders[1].order_id, "456");
  EXPECT_FALSE(page->orders[1].is_new);
  EXPECT_FALSE(page->orders[1].is_paid);
}

TEST(Listing, NoOrders) {
  ListingReader reader;
  for (const char* list : {R"("OrderList":{"Order":[]},)", R"("OrderList":null,)", ""}) {
    const auto page = reader.orders(std::string(R"({"Code":"Success","Data":{)") + list +
                                    R"("PageNum":1,"PageSize":20,"TotalCount":0}})");
    ASSERT_TRUE(page.has_value()) << list;
    EXPECT_TRUE(page->orders.empty());
  }
}

TEST(Listing, WhatIsNotOfItsShapeIsNotUnderstood) {
  ListingReader reader;
  const auto without = [](std::string text, const std::string& what, const std::string& with) {
    text.replace(text.find(what), what.size(), with);
    return orders_body(text);
  };
  EXPECT_TRUE(reader.orders(orders_body(kOrder)));
  EXPECT_FALSE(reader.orders(""));
  EXPECT_FALSE(reader.orders("<html></html>"));
  EXPECT_FALSE(reader.orders("[]"));
  EXPECT_FALSE(reader.orders(orders_body(kOrder, R"("Code":"NotAuthorized")")));
  EXPECT_FALSE(reader.orders(orders_body(kOrder, R"("Code":5)")));
  EXPECT_FALSE(reader.orders(orders_body(kOrder).substr(0, 200)));
  EXPECT_FALSE(reader.orders(without(kOrder, "\"123\"", "\"12x\"")));
  EXPECT_FALSE(reader.orders(without(kOrder, "\"123\"", "\"\"")));
  EXPECT_FALSE(reader.orders(without(kOrder, "\"123\"", "-5")));
  EXPECT_FALSE(reader.orders(without(kOrder, "2017-06-08T", "2017-13-08T")));
  EXPECT_FALSE(reader.orders(without(kOrder, "09:41:30Z", "09:41:30")));
  EXPECT_FALSE(reader.orders(without(kOrder, "\"New\"", "{}")));
  std::string failed = orders_body(kOrder);
  failed.replace(failed.find("\"Success\":true"), 14, "\"Success\":false");
  EXPECT_FALSE(reader.orders(failed));
  std::string many;
  for (std::size_t i = 0; i <= kListedPerPageMax; ++i) many += (i == 0 ? "" : ",") + kOrder;
  EXPECT_FALSE(reader.orders(orders_body(many)));
}

TEST(Listing, AnIdentifierThatIsNoneIsLeftOut) {
  ListingReader reader;
  std::string order = kOrder;
  order.replace(order.find("\"smartag\""), 9, "\"\\u001b[2J\"");
  const auto page = reader.orders(orders_body(order));
  ASSERT_TRUE(page.has_value());
  EXPECT_EQ(page->orders[0].product_code, "");
}

TEST(Listing, DetailOfAnOrder) {
  ListingReader reader;
  const auto body = [](const std::string& instances) {
    return orders_body(R"({"OrderId":"123","Region":"cn-shanghai","InstanceIDs":)" + instances +
                       R"(,"Config":"sag:[UserCount:5;]"})");
  };
  const auto detail = reader.detail(body(R"("[\"sag-1\",\"sag-2\"]")"));
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->order_id, "123");
  EXPECT_EQ(detail->region, "cn-shanghai");
  EXPECT_EQ(detail->config, "sag:[UserCount:5;]");
  EXPECT_EQ(detail->instance_ids, (std::vector<std::string>{"sag-1", "sag-2"}));
  for (const char* none : {"\"[]\"", "\"\"", "null", "\"null\""}) {
    ASSERT_TRUE(reader.detail(body(none)).has_value()) << none;
    EXPECT_TRUE(reader.detail(body(none))->instance_ids.empty());
  }
  for (const char* bad : {"\"[\"", "\"sag-1\"", "[]", "\"[5]\"", R"("[\"a b\"]")"}) {
    EXPECT_FALSE(reader.detail(body(bad)).has_value()) << bad;
  }
  EXPECT_FALSE(reader.detail(orders_body("")));
  EXPECT_FALSE(reader.detail(orders_body(kOrder + "," + kOrder)));
}

TEST(Listing, Gateways) {
  ListingReader reader;
  const auto body = [](const std::string& gateways) {
    return R"({"PageNumber":1,"TotalCount":1,"PageSize":50,"RequestId":"R",)"
           R"("SmartAccessGateways":{"SmartAccessGateway":[)" +
           gateways + "]}}";
  };
  const auto page = reader.gateways(
      body(R"({"SmartAGId":"sag-1","UserCount":12,"DataPlan":5,"CreateTime":1523604565000,)"
           R"("EndTime":1526227200000,"Name":"x"})"));
  ASSERT_TRUE(page.has_value());
  ASSERT_EQ(page->gateways.size(), 1U);
  const ListedGateway& gateway = page->gateways[0];
  EXPECT_EQ(gateway.sag_id, "sag-1");
  EXPECT_EQ(gateway.user_count, 12U);
  EXPECT_EQ(gateway.data_plan, 5U);
  EXPECT_EQ(months_between(gateway.created_at, *gateway.end_at), 1U);
  const auto hardware = reader.gateways(body(R"({"SmartAGId":"sag-2","CreateTime":5})"));
  ASSERT_TRUE(hardware.has_value());
  EXPECT_FALSE(hardware->gateways[0].user_count.has_value());
  EXPECT_FALSE(reader.gateways(body(R"({"SmartAGId":"sag-1"})")));
  EXPECT_FALSE(reader.gateways(body(R"({"CreateTime":5})")));
  EXPECT_FALSE(reader.gateways(R"({"Code":"Forbidden","RequestId":"R"})"));
}

TEST(Listing, UseLimit) {
  ListingReader reader;
  const auto limit = reader.use_limit(R"({"RequestId":"R","TotalAmount":500,"UsedAmount":47})");
  ASSERT_TRUE(limit.has_value());
  EXPECT_EQ(limit->total, 500U);
  EXPECT_EQ(limit->used, 47U);
  EXPECT_FALSE(reader.use_limit(R"({"TotalAmount":500})"));
  EXPECT_FALSE(reader.use_limit(R"({"TotalAmount":-1,"UsedAmount":47})"));
}

TEST(Listing, AnythingCutAnywhereIsNotUnderstoodOrWhole) {
  ListingReader reader;
  const std::string whole = orders_body(kOrder + "," + kRenewal);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(reader.orders(whole.substr(0, size))) << size;
  }
}

TEST(Listing, AValueOfAConfig) {
  constexpr std::string_view kConfig =
      "DBInstanceClass:[DBInstanceClass:rds.mysql.s1.small;Region:cn-qingdao;]Flow:[Size:5;]";
  EXPECT_EQ(config_value(kConfig, "Region"), "cn-qingdao");
  EXPECT_EQ(config_value(kConfig, "size"), "5");
  EXPECT_EQ(config_value(kConfig, "UserCount"), std::nullopt);
  EXPECT_EQ(config_value("a:[X:1;]b:[X:2;]", "X"), std::nullopt) << "twice";
  EXPECT_EQ(config_value("", "X"), std::nullopt);
}

TEST(Listing, MonthsOfASubscription) {
  EXPECT_EQ(months_between(at(2026, 1, 31), at(2026, 2, 28, 16)), 1U);
  EXPECT_EQ(months_between(at(2026, 1, 2, 3), at(2027, 1, 2, 16)), 12U);
  EXPECT_EQ(months_between(at(2024, 2, 29, 20), at(2025, 3, 1, 16)), 12U);
  EXPECT_EQ(months_between(at(2026, 1, 2), at(2026, 1, 17)), std::nullopt);
  EXPECT_EQ(months_between(at(2026, 1, 2), at(2026, 2, 15)), std::nullopt);
  EXPECT_EQ(months_between(at(2026, 1, 2), at(2025, 1, 2)), std::nullopt);
  EXPECT_EQ(months_between(at(2026, 1, 2), at(2046, 1, 2)), std::nullopt);
}

// ---- pages ---------------------------------------------------------------------------------

std::vector<std::string> ids(int first, int last) {
  std::vector<std::string> made;
  for (int i = first; i <= last; ++i) made.push_back(std::to_string(i));
  return made;
}

TEST(Gathering, PagesMakeAListing) {
  Gathering gathering(20);
  EXPECT_EQ(gathering.next_page(), 1U);
  EXPECT_EQ(gathering.take({45, 1, 20}, ids(1, 20)), Gathering::Step::more);
  EXPECT_EQ(gathering.take({45, 2, 20}, ids(21, 40)), Gathering::Step::more);
  EXPECT_EQ(gathering.next_page(), 3U);
  EXPECT_EQ(gathering.take({45, 3, 20}, ids(41, 45)), Gathering::Step::whole);
  EXPECT_EQ(Gathering(20).take({0, 1, 20}, {}), Gathering::Step::whole);
  EXPECT_EQ(Gathering(20).take({20, 1, 20}, ids(1, 20)), Gathering::Step::whole);
}

TEST(Gathering, AChangeIsSeen) {
  const auto second = [](const Paging& paging, const std::vector<std::string>& page) {
    Gathering gathering(20);
    EXPECT_EQ(gathering.take({25, 1, 20}, ids(1, 20)), Gathering::Step::more);
    return gathering.take(paging, page);
  };
  EXPECT_EQ(second({25, 2, 20}, ids(21, 25)), Gathering::Step::whole);
  EXPECT_EQ(second({26, 2, 20}, ids(20, 25)), Gathering::Step::changed) << "an order came";
  EXPECT_EQ(second({26, 2, 20}, ids(21, 25)), Gathering::Step::changed) << "and is not shown";
  EXPECT_EQ(second({25, 2, 20}, ids(20, 24)), Gathering::Step::changed) << "and one went";
  EXPECT_EQ(second({25, 2, 20}, ids(21, 24)), Gathering::Step::changed) << "a short page";
  EXPECT_EQ(second({25, 2, 20}, ids(21, 26)), Gathering::Step::changed) << "a long page";
  EXPECT_EQ(second({25, 1, 20}, ids(21, 25)), Gathering::Step::changed) << "another page";
  EXPECT_EQ(second({25, 2, 10}, ids(21, 25)), Gathering::Step::changed) << "other pages";
  EXPECT_EQ(second({25, 2, 20}, {}), Gathering::Step::changed);
  EXPECT_EQ(Gathering(20).take({2, 1, 20}, {"1", "1"}), Gathering::Step::changed) << "twice";
}

}  // namespace
}  // namespace sagorder
