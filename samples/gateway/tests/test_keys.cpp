#include "keys.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "requests.hpp"

namespace gateway {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::now_at;
using testing::Parsed;
using testing::Rpc;

constexpr const char* kRoles = "/latest/meta-data/ram/security-credentials/";

struct Shop {
  explicit Shop(Options given = {}) : options(std::move(given)) {}

  std::string ask(const std::string& request, std::chrono::nanoseconds later = {}) {
    const Parsed parsed(request + "Host: localhost\r\n\r\n");
    std::string bytes;
    desk.answer(parsed.request, now_at(later), bytes);
    return bytes;
  }
  std::string body(const std::string& request, std::chrono::nanoseconds later = {}) {
    const std::string bytes = ask(request, later);
    return bytes.substr(bytes.find("\r\n\r\n") + 4);
  }
  std::string token(const std::string& seconds = "60") {
    return body("PUT /latest/api/token HTTP/1.1\r\nX-aliyun-ecs-metadata-token-ttl-seconds: " +
                seconds + "\r\n");
  }
  static std::string get(const std::string& path, const std::string& token = "") {
    return "GET " + path + " HTTP/1.1\r\n" +
           (token.empty() ? "" : "X-aliyun-ecs-metadata-token: " + token + "\r\n");
  }

  Options options;
  Gate gate{options};
  Counts counts;
  KeyDesk desk{options, gate, counts};
};

bool refused(const std::string& bytes, int status) {
  return bytes.starts_with("HTTP/1.1 " + std::to_string(status) + " ");
}

TEST(Keys, MetadataServiceGivesATokenANameAndAKey) {
  Shop shop;
  const std::string token = shop.token();
  EXPECT_EQ(shop.body(Shop::get(kRoles, token)), "sagorder\n");
  const json key = json::parse(shop.body(Shop::get(std::string(kRoles) + "sagorder", token)));
  EXPECT_EQ(key["Code"], "Success");
  EXPECT_EQ(key["Expiration"], "2026-01-02T04:04:05Z");
  EXPECT_TRUE(key["AccessKeyId"].get<std::string>().starts_with("STS."));
  EXPECT_EQ(shop.counts.keys_issued, 1u);
  EXPECT_TRUE(refused(shop.ask(Shop::get(std::string(kRoles) + "another", token)), 404));
}

TEST(Keys, MetadataServiceWantsItsTokenWhileItHolds) {
  Shop shop;
  const std::string token = shop.token("60");
  EXPECT_TRUE(refused(shop.ask(Shop::get(kRoles)), 403));
  EXPECT_TRUE(refused(shop.ask(Shop::get(kRoles, "guessed")), 403));
  EXPECT_FALSE(refused(shop.ask(Shop::get(kRoles, token), 59s), 403));
  EXPECT_TRUE(refused(shop.ask(Shop::get(kRoles, token), 60s), 403));
  for (const char* seconds : {"0", "21601", "x", ""}) {
    EXPECT_TRUE(refused(shop.ask("PUT /latest/api/token HTTP/1.1\r\n"
                                 "X-aliyun-ecs-metadata-token-ttl-seconds: " +
                                 std::string(seconds) + "\r\n"),
                        400))
        << seconds;
  }
}

TEST(Keys, OlderMetadataServiceKnowsNoTokens) {
  Options options;
  options.metadata_v1 = true;
  Shop shop(options);
  EXPECT_TRUE(refused(shop.ask("PUT /latest/api/token HTTP/1.1\r\n"), 404));
  EXPECT_EQ(shop.body(Shop::get(kRoles)), "sagorder\n");
}

TEST(Keys, InstanceWithoutARole) {
  Options options;
  options.role = "";
  Shop shop(options);
  EXPECT_TRUE(refused(shop.ask(Shop::get(kRoles, shop.token())), 404));
}

TEST(Keys, UriGivesAnotherKeyEachTime) {
  Shop shop;
  const json first = json::parse(shop.body(Shop::get("/credentials")));
  const json second = json::parse(shop.body(Shop::get("/credentials")));
  EXPECT_NE(first["AccessKeyId"], second["AccessKeyId"]);
  EXPECT_TRUE(refused(shop.ask(Shop::get("/else")), 404));
  EXPECT_TRUE(refused(shop.ask("POST /credentials HTTP/1.1\r\n"), 404));
}

TEST(Keys, FailWhereTheyAreAskedTo) {
  Options options;
  options.key_failures = {2, 3};
  Shop shop(options);
  for (const int status : {200, 503, 503, 200}) {
    EXPECT_TRUE(refused(shop.ask(Shop::get("/credentials")), status)) << status;
  }
}

std::string code_of(Gate& gate, const Rpc& rpc, std::chrono::nanoseconds later = {}) {
  const Parsed parsed(rpc.bytes());
  Call call;
  const auto refusal = gate.examine(parsed.request, now_at(later), call);
  return refusal ? refusal->code : "";
}

TEST(Keys, AreAdmittedUntilTheyExpire) {
  Options options;
  options.key_life = 10s;
  options.key_told = 3600s;
  Shop shop(options);
  IssuedKey key;
  ASSERT_FALSE(shop.desk.issue(now_at(), key));
  EXPECT_EQ(key_time(key.expires_at), "2026-01-02T04:04:05Z") << "as it is told";
  const auto signed_with = [&](const std::string& nonce) {
    Rpc rpc(nonce);
    rpc.secret = key.credential.secret;
    rpc.parameters["AccessKeyId"] = key.credential.id;
    rpc.parameters["SecurityToken"] = key.credential.token;
    return rpc;
  };
  EXPECT_EQ(code_of(shop.gate, signed_with("a"), 9s), "");
  EXPECT_EQ(code_of(shop.gate, signed_with("b"), 10s), "InvalidSecurityToken.Expired");
  Rpc without = signed_with("c");
  without.parameters.erase("SecurityToken");
  EXPECT_EQ(code_of(shop.gate, without), "MissingSecurityToken");
}

Rpc assume_role(const std::string& nonce) {
  Rpc rpc(nonce);
  rpc.parameters["Action"] = "AssumeRole";
  rpc.parameters["Version"] = "2015-04-01";
  rpc.parameters["RoleArn"] = "acs:ram::1:role/r";
  rpc.parameters["RoleSessionName"] = "s";
  return rpc;
}

TEST(Keys, RoleIsAssumedWithASignature) {
  Shop shop;
  EXPECT_EQ(code_of(shop.gate, assume_role("a")), "");
  Rpc wrong = assume_role("b");
  wrong.secret = "another";
  EXPECT_EQ(code_of(shop.gate, wrong), "SignatureDoesNotMatch");
  Rpc unnamed = assume_role("c");
  unnamed.parameters.erase("RoleArn");
  EXPECT_EQ(code_of(shop.gate, unnamed), "MissingRoleArn");
  Rpc unknown = assume_role("d");
  unknown.parameters["RoleArn"] = "nobody";
  EXPECT_EQ(code_of(shop.gate, unknown), "EntityNotExist.Role");
}

TEST(Keys, RoleIsAssumedWithAnOidcTokenAndNoSignature) {
  Options options;
  options.oidc_token = "ey.J.w";
  Shop shop(options);
  const auto code = [&](const std::string& token) {
    const Parsed parsed(
        "POST /?Action=AssumeRoleWithOIDC&Version=2015-04-01&Format=JSON"
        "&RoleArn=acs%3Aram%3A%3A1%3Arole%2Fr&RoleSessionName=s&OIDCToken=" +
        token + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    Call call;
    const auto refusal = shop.gate.examine(parsed.request, now_at(), call);
    return refusal ? refusal->code : std::string();
  };
  EXPECT_EQ(code("ey.J.w"), "");
  EXPECT_EQ(code("another"), "AuthenticationFail.OIDCToken.Invalid");
  options.oidc_token = "";
  Shop closed(options);
  const Parsed parsed(
      "POST /?Action=AssumeRoleWithOIDC&Version=2015-04-01&OIDCToken= HTTP/1.1\r\n"
      "Host: localhost\r\n\r\n");
  Call call;
  EXPECT_TRUE(closed.gate.examine(parsed.request, now_at(), call));
}

}  // namespace
}  // namespace gateway
