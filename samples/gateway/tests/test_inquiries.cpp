#include "inquiries.hpp"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "requests.hpp"
#include "service.hpp"

namespace gateway {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::Acs3;
using testing::now_at;
using testing::Parsed;
using testing::Rpc;
using testing::Texts;

// A gateway without its sockets, which has executed some orders.
class InquiriesTest : public ::testing::Test {
 protected:
  void build(const std::string& query_faults = "", std::chrono::microseconds delay = 0s) {
    options_.use_limit = 7;
    faults_.emplace("", 1, query_faults);
    books_.emplace("", delay);
    service_.emplace(options_, *faults_, executed_, *books_, counts_);
  }

  void place(const std::string& region, bool auto_pay, std::chrono::nanoseconds later = {}) {
    if (!service_) build();
    Acs3 order("place-" + std::to_string(++nonces_));
    order.parameters["RegionId"] = region;
    order.parameters["AutoPay"] = auto_pay ? "true" : "false";
    send(order, later);
  }

  const Reply& send(Acs3& request, std::chrono::nanoseconds later) {
    if (!service_) build();
    std::string stamp;
    append_iso_time(now_at(later).wall, stamp);
    request.headers["x-acs-date"] = stamp.replace(19, 4, "");
    const Parsed parsed(request.bytes());
    service_->handle(parsed.request, 7, now_at(later), reply_);
    return reply_;
  }

  json ask(const std::string& action, const Texts& parameters,
           std::chrono::nanoseconds later = 1s) {
    Acs3 request("ask-" + std::to_string(++nonces_));
    const bool billing = action == "QueryOrders" || action == "GetOrderDetail";
    request.headers["x-acs-action"] = action;
    request.headers["x-acs-version"] = billing ? "2017-12-14" : "2018-03-13";
    request.parameters = parameters;
    const std::string& bytes = send(request, later).bytes;
    const std::size_t head = bytes.find("\r\n\r\n");
    return head == std::string::npos ? json() : json::parse(bytes.substr(head + 4));
  }

  Options options_;
  std::optional<FaultPlan> faults_;
  ExecutedLog executed_{""};
  std::optional<Books> books_;
  Counts counts_;
  std::optional<Service> service_;
  Reply reply_;
  int nonces_ = 0;
};

TEST_F(InquiriesTest, OrdersAreListedInPages) {
  for (int i = 0; i < 5; ++i) place("cn-shanghai", i % 2 == 0, i * 1s);
  std::set<std::string> seen;
  for (int page = 1; page <= 3; ++page) {
    const json answer =
        ask("QueryOrders", {{"PageNum", std::to_string(page)}, {"PageSize", "2"}}, 10s);
    EXPECT_EQ(answer["Code"], "Success");
    EXPECT_EQ(answer["Success"], true);
    EXPECT_EQ(answer["Data"]["TotalCount"], 5);
    EXPECT_EQ(answer["Data"]["PageNum"], page);
    const json& orders = answer["Data"]["OrderList"]["Order"];
    EXPECT_EQ(orders.size(), page == 3 ? 1u : 2u);
    for (const json& order : orders) seen.insert(order["OrderId"]);
  }
  EXPECT_EQ(seen.size(), 5u);
  EXPECT_EQ(
      ask("QueryOrders", {{"PageNum", "4"}, {"PageSize", "2"}}, 10s)["Data"]["OrderList"]["Order"]
          .size(),
      0u);
  EXPECT_EQ(counts_.inquiries, 4u);
  EXPECT_EQ(counts_.executed, 5u);
}

TEST_F(InquiriesTest, OrdersByTimeAndPayment) {
  place("cn-shanghai", true);
  place("cn-shanghai", false, 2min);
  const auto count = [&](const Texts& filter, std::chrono::nanoseconds later) {
    return ask("QueryOrders", filter, later)["Data"]["TotalCount"].get<int>();
  };
  EXPECT_EQ(count({}, 3min), 2);
  EXPECT_EQ(count({}, 61min), 1);  // the last hour, if nothing is said
  EXPECT_EQ(count({{"CreateTimeStart", "2026-01-02T03:00:00Z"}}, 4h), 2);
  EXPECT_EQ(count({{"CreateTimeStart", "2026-01-02T03:00:00Z"},
                   {"CreateTimeEnd", "2026-01-02T03:05:00Z"}},
                  4h),
            1);
  EXPECT_EQ(count({{"PaymentStatus", "Unpaid"}}, 3min), 1);
  EXPECT_EQ(count({{"OrderType", "Renew"}}, 3min), 0);
  EXPECT_EQ(count({{"ProductCode", "ecs"}}, 3min), 0);
}

TEST_F(InquiriesTest, AnOrderHasItsDetail) {
  place("eu-central-1", true);
  const std::string id = ask("QueryOrders", {})["Data"]["OrderList"]["Order"][0]["OrderId"];
  const json detail = ask("GetOrderDetail", {{"OrderId", id}})["Data"]["OrderList"]["Order"][0];
  EXPECT_EQ(detail["OrderId"], id);
  EXPECT_EQ(detail["Region"], "eu-central-1");
  EXPECT_EQ(detail["PaymentStatus"], "Paid");
  EXPECT_EQ(detail["CreateTime"], "2026-01-02T03:04:05Z");
  EXPECT_EQ(detail["UsageEndTime"], "2027-01-02T16:00:00Z");
  EXPECT_EQ(detail["Config"],
            "sag_software:[UserCount:5;DataPlan:5;Period:12;Region:eu-central-1;]");
  const json gateway =
      ask("DescribeSmartAccessGateways", {})["SmartAccessGateways"]["SmartAccessGateway"][0];
  EXPECT_EQ(detail["InstanceIDs"], "[" + gateway["SmartAGId"].dump() + "]");
  EXPECT_EQ(ask("GetOrderDetail", {{"OrderId", "5"}})["Data"]["TotalCount"], 0);
}

TEST_F(InquiriesTest, AnUnpaidOrderHasNoInstance) {
  place("cn-shanghai", false);
  const std::string id = ask("QueryOrders", {})["Data"]["OrderList"]["Order"][0]["OrderId"];
  const json detail = ask("GetOrderDetail", {{"OrderId", id}})["Data"]["OrderList"]["Order"][0];
  EXPECT_EQ(detail["PaymentStatus"], "Unpaid");
  EXPECT_EQ(detail["InstanceIDs"], "[]");
  EXPECT_FALSE(detail.contains("UsageEndTime"));
  EXPECT_EQ(ask("DescribeSmartAccessGateways", {})["TotalCount"], 0);
  EXPECT_EQ(ask("GetSmartAccessGatewayUseLimit", {{"RegionId", "cn-shanghai"}})["UsedAmount"], 0);
}

TEST_F(InquiriesTest, GatewaysOfARegion) {
  place("cn-shanghai", true);
  place("cn-hangzhou", true);
  const json answer =
      ask("DescribeSmartAccessGateways",
          {{"RegionId", "cn-hangzhou"}, {"InstanceType", "software"}, {"PageSize", "50"}});
  EXPECT_EQ(answer["TotalCount"], 1);
  EXPECT_EQ(answer["PageNumber"], 1);
  const json& gateway = answer["SmartAccessGateways"]["SmartAccessGateway"][0];
  EXPECT_EQ(gateway["UserCount"], 5);
  EXPECT_EQ(gateway["DataPlan"], 5);
  EXPECT_EQ(gateway["CreateTime"], 1767323045000);
  EXPECT_EQ(ask("GetSmartAccessGatewayUseLimit", {{"RegionId", "cn-shanghai"}})["UsedAmount"], 2);
  EXPECT_EQ(ask("GetSmartAccessGatewayUseLimit", {{"RegionId", "cn-shanghai"}})["TotalAmount"], 7);
}

TEST_F(InquiriesTest, NothingIsListedBeforeTheDelay) {
  build("", 30s);
  place("cn-shanghai", true);
  EXPECT_EQ(ask("QueryOrders", {}, 29s)["Data"]["TotalCount"], 0);
  EXPECT_EQ(ask("DescribeSmartAccessGateways", {}, 29s)["TotalCount"], 0);
  EXPECT_EQ(ask("QueryOrders", {}, 30s)["Data"]["TotalCount"], 1);
  EXPECT_EQ(ask("DescribeSmartAccessGateways", {}, 30s)["TotalCount"], 1);
}

TEST_F(InquiriesTest, WhatIsAskedWronglyIsRefused) {
  const std::vector<std::pair<std::string, Texts>> wrong = {
      {"QueryOrders", {{"PageNum", "0"}}},
      {"QueryOrders", {{"PageSize", "101"}}},
      {"QueryOrders", {{"CreateTimeStart", "2026-01-02"}}},
      {"QueryOrders", {{"CreateTimeEnd", "2020-01-02T03:04:05Z"}}},
      {"DescribeSmartAccessGateways", {{"PageSize", "51"}}},
      {"DescribeSmartAccessGateways", {{"Name", "x"}}}};
  for (const auto& [action, parameters] : wrong)
    EXPECT_EQ(ask(action, parameters)["Code"], "InvalidParameter") << action;
  EXPECT_EQ(ask("GetOrderDetail", {})["Code"], "MissingParameter");
  EXPECT_EQ(ask("GetSmartAccessGatewayUseLimit", {})["Code"], "MissingRegionId");
  EXPECT_EQ(ask("GetSmartAccessGatewayUseLimit", {{"RegionId", "x"}})["Code"],
            "InvalidRegionId.NotFound");
}

TEST_F(InquiriesTest, AnOperationBelongsToItsVersion) {
  Acs3 request("v");
  request.headers["x-acs-action"] = "QueryOrders";
  EXPECT_NE(send(request, 0s).bytes.find("InvalidAction.NotFound"), std::string::npos);
}

TEST_F(InquiriesTest, ABadSignatureIsRefused) {
  Acs3 request("s");
  request.secret = "wrong";
  request.headers["x-acs-action"] = "QueryOrders";
  request.headers["x-acs-version"] = "2017-12-14";
  EXPECT_NE(send(request, 0s).bytes.find("SignatureDoesNotMatch"), std::string::npos);
}

TEST_F(InquiriesTest, TheOldSchemeAndXml) {
  place("cn-shanghai", true);
  Rpc request("x");
  request.parameters = Rpc("x").parameters;
  for (const auto& [name, value] : testing::order_parameters()) request.parameters.erase(name);
  request.parameters["Action"] = "QueryOrders";
  request.parameters["Version"] = "2017-12-14";
  request.parameters["Format"] = "XML";
  const Parsed parsed(request.bytes());
  service_->handle(parsed.request, 7, now_at(), reply_);
  EXPECT_NE(reply_.bytes.find("<QueryOrdersResponse><Code>Success</Code>"), std::string::npos);
  EXPECT_NE(reply_.bytes.find("<TotalCount>1</TotalCount>"), std::string::npos);
}

TEST_F(InquiriesTest, FaultsOfInquiriesStrikeInquiriesAlone) {
  build("503-before@1,throttle@2,close-after@3,wrong-total@4,short-page@5,never-before@6");
  place("cn-shanghai", true);
  EXPECT_EQ(reply_.manner, Manner::answer);
  EXPECT_EQ(ask("QueryOrders", {})["Code"], "ServiceUnavailable");
  EXPECT_EQ(ask("QueryOrders", {})["Code"], "Throttling.User");
  ask("QueryOrders", {});
  EXPECT_EQ(reply_.manner, Manner::close);
  EXPECT_EQ(ask("QueryOrders", {})["Data"]["TotalCount"], 2);
  const json short_page = ask("QueryOrders", {});
  EXPECT_EQ(short_page["Data"]["TotalCount"], 1);
  EXPECT_EQ(short_page["Data"]["OrderList"]["Order"].size(), 0u);
  ask("QueryOrders", {});
  EXPECT_EQ(reply_.manner, Manner::hold);
  EXPECT_EQ(counts_.faults["wrong-total"], 1u);
}

TEST(Inquiries, FaultPlansKeepToTheirLane) {
  EXPECT_THROW(FaultPlan("wrong-total", 1), std::invalid_argument);
  EXPECT_THROW(FaultPlan("", 1, "accept-close"), std::invalid_argument);
  EXPECT_THROW(FaultPlan("", 1, "no-order-id-after"), std::invalid_argument);
}

}  // namespace
}  // namespace gateway
