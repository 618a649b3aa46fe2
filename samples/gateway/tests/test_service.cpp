#include "service.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "requests.hpp"

namespace gateway {
namespace {

using nlohmann::json;
using testing::Acs3;
using testing::now_at;
using testing::Parsed;
using testing::Rpc;

// A gateway without its sockets.
struct Desk {
  explicit Desk(const std::string& plan = "", const std::string& log = "", Options given = {})
      : options(std::move(given)), faults(plan, 1), executed(log) {}

  Reply& send(const std::string& bytes) {
    const Parsed parsed(bytes);
    service.handle(parsed.request, 7, now_at(), reply);
    return reply;
  }
  std::string head() const { return reply.bytes.substr(0, reply.bytes.find("\r\n\r\n") + 2); }
  std::string body() const { return reply.bytes.substr(reply.bytes.find("\r\n\r\n") + 4); }

  Options options;
  FaultPlan faults;
  ExecutedLog executed;
  Books books{"", {}};
  Counts counts;
  Service service{options, faults, executed, books, counts};
  Reply reply;
};

struct TemporaryFile {
  TemporaryFile() { ::close(::mkstemp(path.data())); }
  ~TemporaryFile() { std::remove(path.c_str()); }
  std::vector<json> lines() const {
    std::vector<json> all;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) all.push_back(json::parse(line));
    return all;
  }
  std::string path = "/tmp/gateway_tests.XXXXXX";
};

TEST(Service, AnExecutedOrderIsLoggedAndAnswered) {
  const TemporaryFile file;
  Desk desk("", file.path);
  Acs3 acs3("n-1");
  acs3.parameters["ResourceGroupId"] = "rg-\"\n阿";
  desk.send(acs3.bytes());
  const json line = file.lines().at(0);
  const json answer = json::parse(desk.body());
  EXPECT_EQ(line["seq"], 1);
  EXPECT_EQ(line["sag_id"], answer["SmartAGId"]);
  EXPECT_EQ(line["request_id"], answer["RequestId"]);
  EXPECT_EQ(line["order_id"], answer["OrderId"].is_string()
                                  ? answer["OrderId"].get<std::string>()
                                  : std::to_string(answer["OrderId"].get<std::uint64_t>()));
  EXPECT_EQ(line["nonce"], "n-1");
  EXPECT_EQ(line["scheme"], "acs3-hmac-sha256");
  EXPECT_EQ(line["format"], "json");
  EXPECT_EQ(line["region_id"], "cn-shanghai");
  EXPECT_EQ(line["user_count"], 5);
  EXPECT_EQ(line["period"], 12);
  EXPECT_EQ(line["data_plan"], 5);
  EXPECT_EQ(line["auto_pay"], true);
  EXPECT_EQ(line["charge_type"], "PREPAY");
  EXPECT_EQ(line["resource_group_id"], "rg-\"\n阿");
  EXPECT_EQ(line["fault"], "");
  EXPECT_EQ(line["at"], "2026-01-02T03:04:05.000Z");
  EXPECT_EQ(line["connection"], 7);
  EXPECT_NE(desk.head().find("HTTP/1.1 200 OK\r\nDate: Fri, 02 Jan 2026 03:04:05 GMT\r\n"
                             "Content-Type: application/json;charset=utf-8\r\n"),
            std::string::npos);
  EXPECT_NE(desk.head().find("x-acs-request-id: " + answer["RequestId"].get<std::string>()),
            std::string::npos);
}

TEST(Service, XmlAnswers) {
  Desk desk;
  Rpc rpc("a");
  rpc.parameters.erase("Format");
  desk.send(rpc.bytes());
  const std::regex success(
      "<\\?xml version='1.0' encoding='UTF-8'\\?><CreateSmartAccessGatewaySoftwareResponse>"
      "<SmartAGId>sag-[0-9a-z]{18}</SmartAGId><OrderId>[0-9]{15}</OrderId>"
      "<RequestId>[0-9A-F-]{36}</RequestId></CreateSmartAccessGatewaySoftwareResponse>");
  EXPECT_TRUE(std::regex_match(desk.body(), success)) << desk.body();
  rpc.secret = "wrong";
  desk.send(rpc.bytes());
  EXPECT_NE(desk.body().find("<Error><RequestId>"), std::string::npos);
  EXPECT_NE(desk.body().find("is:GET&amp;%2F&amp;"), std::string::npos);
}

TEST(Service, ErrorBodiesHaveTheVendorsFields) {
  Desk desk;
  Acs3 acs3("a");
  acs3.secret = "wrong";
  desk.send(acs3.bytes());
  const json body = json::parse(desk.body());
  EXPECT_EQ(body["Code"], "SignatureDoesNotMatch");
  EXPECT_EQ(body["HostId"], "localhost");
  for (const char* name : {"RequestId", "Message", "Recommend"}) EXPECT_TRUE(body.contains(name));
  EXPECT_EQ(desk.counts.refused["SignatureDoesNotMatch"], 1u);
  EXPECT_EQ(desk.counts.executed, 0u);
}

TEST(Service, IdentitiesAreUniqueAlsoAcrossRestarts) {
  const TemporaryFile file;
  std::set<std::string> orders, gateways, requests;
  for (int run = 0; run < 3; ++run) {
    Desk desk("", file.path);
    for (int i = 0; i < 200; ++i) desk.send(Rpc(std::to_string(run * 1000 + i)).bytes());
  }
  for (const json& line : file.lines()) {
    const std::string order_id = line["order_id"];
    EXPECT_EQ(order_id.size(), 15u);
    orders.insert(order_id);
    gateways.insert(line["sag_id"].get<std::string>());
    requests.insert(line["request_id"].get<std::string>());
  }
  EXPECT_EQ(orders.size(), 600u);
  EXPECT_EQ(gateways.size(), 600u);
  EXPECT_EQ(requests.size(), 600u);
  EXPECT_EQ(file.lines().back()["seq"], 600);
}

TEST(Service, RequestIdsAreUpperCaseUuids) {
  Ids ids(1, 0, OrderIdShape::mixed);
  const std::regex shape("[0-9A-F]{8}-[0-9A-F]{4}-4[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}");
  std::set<std::string> heads;
  for (int i = 0; i < 100; ++i) {
    std::string id;
    ids.request_id(id);
    EXPECT_TRUE(std::regex_match(id, shape)) << id;
    heads.insert(id.substr(0, 8));
  }
  EXPECT_EQ(heads.size(), 100u);
}

TEST(Service, OrderIdsAsStringNumberOrBoth) {
  for (const auto shape : {OrderIdShape::string, OrderIdShape::number, OrderIdShape::mixed}) {
    Options options;
    options.order_id = shape;
    Desk desk("", "", options);
    int numbers = 0;
    for (int i = 0; i < 100; ++i) {
      desk.send(Rpc(std::to_string(i)).bytes());
      numbers += json::parse(desk.body())["OrderId"].is_number_unsigned();
    }
    const int wanted = shape == OrderIdShape::string ? 0 : shape == OrderIdShape::number ? 100 : 50;
    EXPECT_NEAR(numbers, wanted, shape == OrderIdShape::mixed ? 25 : 0);
  }
}

// For every fault of a request: executed or not, as its name says, and its nonce as its stage says.
TEST(Service, EveryFaultExecutesOrDoesNot) {
  for (const FaultFacts& fact : fault_table()) {
    if (fact.stage == FaultStage::accept || fact.stage == FaultStage::handshake ||
        fact.stage == FaultStage::reuse || fact.stage == FaultStage::listing)
      continue;
    std::string plan(fact.name);
    if (fact.kind == FaultKind::code || fact.kind == FaultKind::code_after)
      plan += ":Some.Code:418";
    SCOPED_TRACE(plan);
    const TemporaryFile file;
    Desk desk(plan + "@1", file.path);
    desk.send(Acs3("a").bytes());
    const bool executes = fact.stage == FaultStage::answer;
    ASSERT_EQ(file.lines().size(), executes ? 1u : 0u);
    if (executes) {
      EXPECT_EQ(file.lines()[0]["fault"], plan);
    }
    EXPECT_EQ(desk.counts.faults[plan], 1u);
    desk.send(Acs3("a").bytes());
    const bool nonce_was_used = desk.body().find("SignatureNonceUsed") != std::string::npos;
    EXPECT_EQ(nonce_was_used, fact.stage != FaultStage::arrival);
  }
}

TEST(Service, FaultsStrikeOnlyWhatWouldExecute) {
  Desk desk("500-after@1,throttle@2");
  Acs3 bad("a");
  bad.secret = "wrong";
  for (int i = 0; i < 2; ++i) {
    desk.send(bad.bytes());
    EXPECT_NE(desk.body().find("SignatureDoesNotMatch"), std::string::npos);
  }
  EXPECT_TRUE(desk.counts.faults.empty());
}

TEST(Service, ShapesOfFaults) {
  const auto head_of = [](const std::string& plan) {
    Desk desk(plan);
    desk.send(Acs3("a").bytes());
    return desk.head();
  };
  const auto has = [](const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
  };
  EXPECT_TRUE(has(head_of("throttle-hint"), "x-acs-retry-after: 1500\r\n"));
  EXPECT_TRUE(has(head_of("throttle-limit"), "X-RateLimit-User: Limit:1,Remain:0,TimeLeft:1500,"));
  EXPECT_FALSE(has(head_of("throttle"), "etry"));
  EXPECT_TRUE(has(head_of("connection-close"), "Connection: close\r\n"));
  EXPECT_TRUE(has(head_of("redirect-after"), "HTTP/1.1 302 Found"));
  EXPECT_TRUE(has(head_of("code:PAY.X:402"), "HTTP/1.1 402 "));
  EXPECT_FALSE(has(head_of("chunked"), "Content-Length"));
  const std::string both = head_of("bad-length-after");
  EXPECT_TRUE(has(both, "Content-Length") && has(both, "Transfer-Encoding: chunked"));

  Desk huge("huge-after");
  huge.send(Acs3("a").bytes());
  EXPECT_GT(huge.body().size(), 256u * 1024);
  EXPECT_TRUE(json::parse(huge.body()).contains("OrderId"));
  Desk broken("malformed-json-after");
  broken.send(Acs3("a").bytes());
  EXPECT_FALSE(json::accept(broken.body()));
  Desk nameless("no-order-id-after");
  nameless.send(Acs3("a").bytes());
  EXPECT_FALSE(json::parse(nameless.body()).contains("OrderId"));
  Desk cut("cut");
  cut.send(Acs3("a").bytes());
  EXPECT_EQ(cut.reply.manner, Manner::cut);
  EXPECT_GE(cut.reply.cut, 1u);
  EXPECT_LT(cut.reply.cut, cut.reply.bytes.size());
  Desk late("extra-bytes-late");
  late.send(Acs3("a").bytes());
  EXPECT_TRUE(has(late.reply.late_bytes, "999999999999999"));
  EXPECT_FALSE(has(late.reply.bytes, "999999999999999"));
}

TEST(ExecutedLog, ATornLineIsAnError) {
  const TemporaryFile file;
  std::ofstream(file.path) << "{\"seq\":1}\n{\"se";
  EXPECT_THROW(ExecutedLog{file.path}, std::runtime_error);
}

TEST(Counts, RateIsTheMostInAnySecond) {
  using namespace std::chrono_literals;
  RateMeter meter;
  for (const auto at : {0ms, 900ms, 950ms, 999ms, 1000ms, 1899ms, 5000ms})
    meter.note(SteadyTime(at));
  EXPECT_EQ(meter.most(), 5u);  // 900 to 1899
}

TEST(Counts, Json) {
  Counts counts;
  counts.requests = 3;
  count_one(counts.faults, "code:\"X\":400");
  count_one(counts.faults, "cut");
  const json out = json::parse(counts.json(std::chrono::milliseconds(1500)));
  EXPECT_EQ(out["requests"], 3);
  EXPECT_EQ(out["elapsed_seconds"], 1.5);
  EXPECT_EQ(out["faults"]["code:\"X\":400"], 1);
  EXPECT_TRUE(out["refused"].empty());
}

}  // namespace
}  // namespace gateway
