#include "rules.hpp"

#include <gtest/gtest.h>

#include <string>

#include "requests.hpp"

namespace gateway {
namespace {

using namespace std::chrono_literals;

const SteadyTime kStart = SteadyTime(1h);

TEST(Rules, Timestamp) {
  const auto good = parse_timestamp("2024-02-29T23:59:59Z");
  ASSERT_TRUE(good);
  EXPECT_EQ(std::chrono::system_clock::to_time_t(*good), 1709251199);
  for (const std::string_view bad :
       {"", "2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z", "2024-01-01T24:00:00Z",
        "2024-01-01T00:60:00Z", "2024-01-01T00:00:60Z", "2024-01-01 00:00:00Z",
        "2024-01-01T00:00:00z", "2024-01-01T00:00:00", "2024-01-01T00:00:00.0Z",
        "2024-1-1T00:00:00Z", "+024-01-01T00:00:00Z"}) {
    EXPECT_FALSE(parse_timestamp(bad)) << bad;
  }
}

TEST(Rules, NonceIsRememberedForItsWindow) {
  NonceMemory memory(15min);
  EXPECT_FALSE(memory.seen("id", "a", kStart));
  EXPECT_TRUE(memory.seen("id", "a", kStart + 1s));
  EXPECT_FALSE(memory.seen("other", "a", kStart + 1s));
  EXPECT_FALSE(memory.seen("id", "b", kStart + 1s));
  // Seen again at 1 s, so it counts from there.
  EXPECT_TRUE(memory.seen("id", "a", kStart + 15min));
  EXPECT_FALSE(memory.seen("id", "a", kStart + 31min));
  EXPECT_TRUE(memory.seen("id", "a", kStart + 31min));
}

TEST(Rules, NonceMemoryFindsAllOfMany) {
  NonceMemory memory(15min);
  for (int i = 0; i < 50000; ++i) EXPECT_FALSE(memory.seen("id", std::to_string(i), kStart));
  for (int i = 0; i < 50000; ++i) EXPECT_TRUE(memory.seen("id", std::to_string(i), kStart + 1min));
}

TEST(Rules, NonceMemoryIsBoundedByTime) {
  NonceMemory memory(10s);
  for (int i = 0; i < 300000; ++i)  // 100 a second: a thousand live at any time
    memory.seen("id", std::to_string(i), kStart + i * 10ms);
  EXPECT_LE(memory.slots(), 8192u);
}

TEST(Rules, QuotaIsASlidingWindow) {
  Quota quota(3, 1s);
  EXPECT_TRUE(quota.admit(kStart));
  EXPECT_TRUE(quota.admit(kStart + 400ms));
  EXPECT_TRUE(quota.admit(kStart + 900ms));
  EXPECT_FALSE(quota.admit(kStart + 999ms));
  EXPECT_EQ(quota.wait(kStart + 999ms), 1ms);
  EXPECT_TRUE(quota.admit(kStart + 1000ms));  // the first has left the window
  EXPECT_FALSE(quota.admit(kStart + 1399ms));
  EXPECT_TRUE(quota.admit(kStart + 1400ms));
}

TEST(Rules, QuotaWithoutLimit) {
  Quota quota;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(quota.admit(kStart));
  EXPECT_EQ(quota.wait(kStart), 0ns);
}

std::string code_of(const testing::Texts& texts, RuleSet rules = RuleSet::page,
                    std::string_view host = "localhost:1") {
  Parameters parameters;
  parameters.start(0);
  for (const auto& [name, value] : texts) parameters.add({name, value, true});
  parameters.sort();
  Order order;
  const auto refusal = read_order(parameters, host, rules, order);
  return refusal ? refusal->code : "";
}

std::string code_with(const std::string& name, const std::string& value,
                      RuleSet rules = RuleSet::page) {
  testing::Texts texts = testing::order_parameters();
  texts[name] = value;
  return code_of(texts, rules);
}

TEST(Rules, EachParameterIsRequired) {
  for (const auto& [name, value] : testing::order_parameters()) {
    testing::Texts texts = testing::order_parameters();
    texts.erase(name);
    EXPECT_EQ(code_of(texts), "Missing" + name);
  }
}

TEST(Rules, Parameters) {
  EXPECT_EQ(code_of(testing::order_parameters()), "");
  EXPECT_EQ(code_with("RegionId", "cn-nowhere"), "IllegalParam.RegionId");
  for (const char* good : {"1", "5", "2147483647"}) EXPECT_EQ(code_with("UserCount", good), "");
  for (const char* bad : {"5.0", "+5", " 5", "2147483648", "x", "0x5"})
    EXPECT_EQ(code_with("UserCount", bad), "InvalidUserCount") << bad;
  for (const char* bad : {"0", "-5"})
    EXPECT_EQ(code_with("UserCount", bad), "SAG.InvalidUserCount") << bad;
  for (const char* good : {"1", "10", "11", "12", "24", "120"})
    EXPECT_EQ(code_with("Period", good), "") << good;
  for (const char* bad : {"0", "-12", "13", "25", "1.5"})
    EXPECT_EQ(code_with("Period", bad), "InvalidPeriod") << bad;
  EXPECT_EQ(code_with("DataPlan", "6"), "SAG.InvalidDataPlan");
  EXPECT_EQ(code_with("DataPlan", "5G"), "InvalidDataPlan");
  EXPECT_EQ(code_with("ChargeType", "Prepay"), "");
  EXPECT_EQ(code_with("ChargeType", "PayOnDemand"), "InvalidChargeType");
  EXPECT_EQ(code_with("AutoPay", "false"), "");
  EXPECT_EQ(code_with("AutoPay", "True"), "InvalidAutoPay");
}

TEST(Rules, LaterParameters) {
  for (const char* good : {"1", "9", "12", "24", "36"})
    EXPECT_EQ(code_with("Period", good, RuleSet::later), "");
  for (const char* bad : {"10", "11", "48"})
    EXPECT_EQ(code_with("Period", bad, RuleSet::later), "InvalidPeriod");
  for (const char* bad : {"1", "7", "1005"})
    EXPECT_EQ(code_with("UserCount", bad, RuleSet::later), "SAG.InvalidUserCount");
}

TEST(Rules, ARegionsEndpointOrdersForThatRegion) {
  const testing::Texts texts = testing::order_parameters();
  for (const char* host : {"smartag.cn-shanghai.aliyuncs.com", "localhost", "127.0.0.1:8443",
                           "smartag-vpc.cn-shanghai.aliyuncs.com:443"})
    EXPECT_EQ(code_of(texts, RuleSet::page, host), "") << host;
  for (const char* host :
       {"smartag.cn-hongkong.aliyuncs.com:443", "smartag.cn-shanghai-finance-1.aliyuncs.com"})
    EXPECT_EQ(code_of(texts, RuleSet::page, host), "InvalidOperation.NotSupportedEndpoint") << host;
}

}  // namespace
}  // namespace gateway
