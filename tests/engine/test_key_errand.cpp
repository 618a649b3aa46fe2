#include "engine/key_errand.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace sagorder {
namespace {

constexpr WallTime kNow{milliseconds{1'767'323'045'000}};  // 2026-01-02T03:04:05Z
constexpr std::string_view kExpiration = "2026-01-02T04:04:05Z";

Stamp stamp() {
  Stamp made{kNow, {}};
  constexpr std::string_view kNonce = "3ee8c1b883d344afa94f4e0ad82fd6cf";
  std::copy(kNonce.begin(), kNonce.end(), made.nonce.hex.begin());
  return made;
}

std::string key_json(const std::string& id = "STS.one",
                     const std::string& expiration = std::string(kExpiration)) {
  return R"({"Code":"Success","AccessKeyId":")" + id +
         R"(","AccessKeySecret":"fetched secret","SecurityToken":"fetched/token+==","Expiration":")" +
         expiration + R"("})";
}

std::string plain_key_json(const std::string& id = "STS.one",
                           const std::string& expiration = std::string(kExpiration)) {
  std::string text = key_json(id, expiration);
  return text.replace(text.find("fetched secret"), 14, "fetched-secret");
}

std::string sts_json(const std::string& id = "STS.one") {
  return R"({"RequestId":"R","AssumedRoleUser":{"Arn":"a"},"Credentials":)" + plain_key_json(id) +
         "}";
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// An errand, and what it asked.
struct Errand {
  explicit Errand(KeySource source, Secret oidc = {})
      : errand(std::move(source), Scheme::acs3_hmac_sha256, std::move(oidc)) {}

  std::string asked() const { return std::string(errand.question(stamp()).wire.reveal()); }
  void reply(int status, std::string_view body) {
    Reply made;
    made.status = status;
    made.body = body;
    made.content_type = "application/json";
    errand.replied(made, kNow);
  }
  void fault(FaultKind kind, std::uint64_t accepted = 0) {
    errand.faulted({kind, accepted, 0, "the system's words"});
  }
  KeyErrand::State state() const { return errand.state(); }

  KeyErrand errand;
};

using State = KeyErrand::State;

KeySource instance(std::string name = "", bool tokens_only = false, bool guessed = false) {
  return {"instance",
          InstanceRole{std::move(name), tokens_only, default_metadata_endpoint()},
          {},
          guessed};
}

RoleTerms role(std::string arn, std::string session = "s") {
  return {std::move(arn), std::move(session), 900, "", "", default_sts_endpoint()};
}

KeySource assumed(std::vector<RoleTerms> roles) {
  return {"profile", AccessKey{"LTAI", Secret("long-secret"), Secret()}, std::move(roles), false};
}

KeySource oidc() {
  OidcRole from{"acs:ram::1:oidc-provider/p", "/token", role("acs:ram::1:role/r")};
  return {"OIDC", from, {}, false};
}

TEST(InstanceErrand, AsksForATokenThenForTheNameThenForTheKey) {
  Errand errand(instance());
  const KeyQuestion question = errand.errand.question(stamp());
  EXPECT_FALSE(question.tls);
  EXPECT_EQ(question.endpoint, (Endpoint{"100.100.100.200", 80}));
  EXPECT_TRUE(
      errand.asked().starts_with("PUT /latest/api/token HTTP/1.1\r\nhost: 100.100.100.200\r\n"));
  EXPECT_TRUE(has(errand.asked(), "\r\nx-aliyun-ecs-metadata-token-ttl-seconds: 300\r\n"));
  EXPECT_TRUE(has(errand.asked(), "\r\ncontent-length: 0\r\n"));
  errand.reply(200, "the-token\n");
  EXPECT_TRUE(errand.asked().starts_with("GET /latest/meta-data/ram/security-credentials/ HTTP"));
  EXPECT_TRUE(has(errand.asked(), "\r\nx-aliyun-ecs-metadata-token: the-token\r\n"));
  errand.reply(200, "My.Role-1\n");
  EXPECT_TRUE(
      errand.asked().starts_with("GET /latest/meta-data/ram/security-credentials/My.Role-1 HTTP"));
  EXPECT_TRUE(has(errand.asked(), "\r\nx-aliyun-ecs-metadata-token: the-token\r\n"));
  ASSERT_EQ(errand.state(), State::asking);
  errand.reply(200, plain_key_json());
  ASSERT_EQ(errand.state(), State::got);
  EXPECT_EQ(errand.errand.key().key.id, "STS.one");
  EXPECT_EQ(errand.errand.key().key.secret.reveal(), "fetched-secret");
  EXPECT_EQ(errand.errand.key().key.security_token.reveal(), "fetched/token+==");
  EXPECT_EQ(errand.errand.key().expires_at, kNow + std::chrono::hours(1));
}

TEST(InstanceErrand, NamedRoleIsAskedForAtOnce) {
  Errand errand(instance("given"));
  errand.reply(200, "the-token");
  EXPECT_TRUE(has(errand.asked(), "security-credentials/given HTTP"));
}

TEST(InstanceErrand, WithoutATokenTheOlderFormIsUsedUnlessItIsForbidden) {
  for (const int status : {404, 405, 200}) {  // 200 without a body: no token
    Errand older(instance("r"));
    older.reply(status, "");
    ASSERT_EQ(older.state(), State::asking) << status;
    EXPECT_TRUE(older.asked().starts_with("GET ")) << status;
    EXPECT_FALSE(has(older.asked(), "metadata-token")) << status;
    Errand tokens_only(instance("r", true));
    tokens_only.reply(status, "");
    EXPECT_EQ(tokens_only.state(), State::failed) << status;
  }
}

TEST(InstanceErrand, TokenThatCouldEndItsHeaderIsNone) {
  Errand errand(instance("r"));
  errand.reply(200, "a\r\nx: y");
  EXPECT_FALSE(has(errand.asked(), "x: y"));
}

TEST(InstanceErrand, NameThatIsNoneIsNotAskedFor) {
  for (const char* name : {"", "a b", "a/b", "../x", "a\r\nHost: b", "<html>"}) {
    Errand errand(instance());
    errand.reply(200, "t");
    errand.reply(200, name);
    EXPECT_EQ(errand.state(), State::failed) << name;
  }
}

TEST(InstanceErrand, NobodyThereIsAFailureOnlyIfItWasNamed) {
  for (const FaultKind kind : {FaultKind::connect_failed, FaultKind::connect_timed_out}) {
    Errand guessed(instance("", false, true));
    guessed.fault(kind);
    EXPECT_EQ(guessed.state(), State::absent);
    Errand named(instance("r"));
    named.fault(kind);
    EXPECT_EQ(named.state(), State::failed);
    EXPECT_TRUE(named.errand.may_pass());
    EXPECT_TRUE(has(named.errand.why(), "metadata service at 100.100.100.200"))
        << named.errand.why();
  }
  Errand no_role(instance("", false, true));
  no_role.reply(200, "t");
  no_role.reply(404, "");
  EXPECT_EQ(no_role.state(), State::absent);
  Errand silent(instance("", false, true));
  silent.fault(FaultKind::timed_out, 100);
  EXPECT_EQ(silent.state(), State::failed) << "somebody is there";
}

TEST(InstanceErrand, AbsentRoleIsNamed) {
  Errand errand(instance("gone"));
  errand.reply(200, "t");
  errand.reply(404, "<html>");
  EXPECT_EQ(errand.state(), State::failed);
  EXPECT_TRUE(has(errand.errand.why(), "role gone is not attached")) << errand.errand.why();
}

TEST(UriErrand, AsksOnce) {
  Errand errand({"URI", parse_key_uri("https://keys.example.com:8443/a?b=c"), {}, false});
  EXPECT_TRUE(errand.errand.question(stamp()).tls);
  EXPECT_TRUE(errand.asked().starts_with("GET /a?b=c HTTP/1.1\r\nhost: keys.example.com:8443\r\n"));
  errand.reply(200, plain_key_json());
  EXPECT_EQ(errand.state(), State::got);
}

TEST(RoleErrand, IsSignedWithTheKeyBefore) {
  Errand errand(assumed({role("acs:ram::1:role/a"), role("acs:ram::2:role/b")}));
  const KeyQuestion question = errand.errand.question(stamp());
  EXPECT_TRUE(question.tls);
  EXPECT_EQ(question.endpoint, (Endpoint{"sts.aliyuncs.com", 443}));
  EXPECT_TRUE(errand.asked().starts_with(
      "POST /?DurationSeconds=900&RoleArn=acs%3Aram%3A%3A1%3Arole%2Fa&RoleSessionName=s HTTP/1.1"));
  EXPECT_TRUE(has(errand.asked(), "\r\nx-acs-action: AssumeRole\r\n"));
  EXPECT_TRUE(has(errand.asked(), "\r\nx-acs-version: 2015-04-01\r\n"));
  EXPECT_TRUE(has(errand.asked(), "Credential=LTAI,"));
  EXPECT_FALSE(has(errand.asked(), "long-secret"));
  errand.reply(200, sts_json("STS.first"));
  ASSERT_EQ(errand.state(), State::asking);
  EXPECT_TRUE(has(errand.asked(), "Credential=STS.first,"));
  EXPECT_TRUE(has(errand.asked(), "\r\nx-acs-security-token: fetched/token+==\r\n"));
  EXPECT_TRUE(has(errand.asked(), "role%2Fb"));
  errand.reply(200, sts_json("STS.second"));
  ASSERT_EQ(errand.state(), State::got);
  EXPECT_EQ(errand.errand.key().key.id, "STS.second");
}

TEST(RoleErrand, PolicyAndExternalIdAreAskedWith) {
  RoleTerms terms = role("a");
  terms.policy = R"({"Version":"1"})";
  terms.external_id = "x y";
  EXPECT_TRUE(has(Errand(assumed({terms})).asked(),
                  "/?DurationSeconds=900&ExternalId=x%20y&Policy=%7B%22Version%22%3A%221%22%7D&"));
}

TEST(RoleErrand, RoleOfAnInstancesKey) {
  KeySource source = instance("r");
  source.roles.push_back(role("acs:ram::1:role/a"));
  Errand errand(source);
  errand.reply(200, "t");
  errand.reply(200, plain_key_json("STS.instance"));
  ASSERT_EQ(errand.state(), State::asking);
  EXPECT_TRUE(has(errand.asked(), "Credential=STS.instance,"));
  errand.reply(200, sts_json());
  EXPECT_EQ(errand.state(), State::got);
}

TEST(OidcErrand, ShowsTheTokenAndIsNotSigned) {
  Errand errand(oidc(), Secret("ey.J.w"));
  const std::string asked = errand.asked();
  EXPECT_TRUE(asked.starts_with(
      "POST /?Action=AssumeRoleWithOIDC&Format=JSON&SignatureNonce=3ee8c1b883d344afa94f4e0ad82fd6cf"
      "&Timestamp=2026-01-02T03%3A04%3A05Z&Version=2015-04-01 HTTP/1.1\r\n"))
      << asked;
  const std::size_t body = asked.find("\r\n\r\n") + 4;
  EXPECT_EQ(asked.substr(body),
            "DurationSeconds=900&RoleArn=acs%3Aram%3A%3A1%3Arole%2Fr&RoleSessionName=s"
            "&OIDCProviderArn=acs%3Aram%3A%3A1%3Aoidc-provider%2Fp&OIDCToken=ey.J.w");
  EXPECT_TRUE(has(asked, "content-length: " + std::to_string(asked.size() - body) + "\r\n"));
  EXPECT_FALSE(has(asked, "uthorization"));
  errand.reply(200, sts_json());
  EXPECT_EQ(errand.state(), State::got);
}

TEST(KeyErrand, RefusalIsToldWithItsCodeAndWithoutASecret) {
  Errand errand(assumed({role("r")}));
  errand.reply(404, R"({"Code":"InvalidAccessKeyId.NotFound","Message":"no long-secret here",)"
                    R"("RequestId":"R"})");
  EXPECT_EQ(errand.state(), State::failed);
  EXPECT_FALSE(errand.errand.may_pass());
  EXPECT_EQ(errand.errand.why(),
            "STS at sts.aliyuncs.com: InvalidAccessKeyId.NotFound (HTTP 404): no *** here");
  Errand token(oidc(), Secret("ey.J.w.t"));
  token.reply(400, R"({"Code":"AuthenticationFail","Message":"ey.J.w.t","RequestId":"R"})");
  EXPECT_FALSE(has(token.errand.why(), "ey.J")) << token.errand.why();
}

TEST(KeyErrand, WhatMayPassIsToldApart) {
  Errand throttled(assumed({role("r")}));
  throttled.reply(400, R"({"Code":"Throttling.User","Message":"m","RequestId":"R"})");
  EXPECT_TRUE(throttled.errand.may_pass());
  Errand broken(assumed({role("r")}));
  broken.reply(503, "<html>");
  EXPECT_TRUE(broken.errand.may_pass());
  Errand reset(assumed({role("r")}));
  reset.fault(FaultKind::reset, 100);
  EXPECT_TRUE(reset.errand.may_pass());
  Errand stranger(assumed({role("r")}));
  stranger.fault(FaultKind::identity_refused);
  EXPECT_FALSE(stranger.errand.may_pass());
  Errand impostor(assumed({role("r")}));
  impostor.fault(FaultKind::certificate_refused);
  EXPECT_FALSE(impostor.errand.may_pass());
  EXPECT_TRUE(has(impostor.errand.why(), "certificate_refused"));
}

TEST(KeyErrand, KeyThatHasExpiredIsNone) {
  Errand errand({"URI", parse_key_uri("http://localhost/"), {}, false});
  errand.reply(200, plain_key_json("STS.one", "2026-01-02T03:04:05Z"));
  EXPECT_EQ(errand.state(), State::failed);
  EXPECT_TRUE(has(errand.errand.why(), "expired already")) << errand.errand.why();
}

TEST(KeyErrand, AnswerWithSurplusIsNotBelieved) {
  Errand errand({"URI", parse_key_uri("http://localhost/"), {}, false});
  const std::string body = plain_key_json();
  Reply reply;
  reply.status = 200;
  reply.body = body;
  reply.surplus = true;
  errand.errand.replied(reply, kNow);
  EXPECT_EQ(errand.state(), State::failed);
  EXPECT_FALSE(has(errand.errand.why(), "fetched"));
}

TEST(KeyErrand, KeyThatIsThereHasNoErrand) {
  EXPECT_THROW(KeyErrand(assumed({}), Scheme::hmac_sha1), std::invalid_argument);
  KeySource copied = assumed({role("r")});
  std::get<AccessKey>(copied.first).id = "a,b";
  EXPECT_THROW(KeyErrand(copied, Scheme::hmac_sha1), std::invalid_argument);
}

TEST(ReadKey, WantsAllOfIt) {
  EXPECT_EQ(read_key(plain_key_json(), "").key.id, "STS.one");
  EXPECT_EQ(read_key(sts_json(), "Credentials").key.id, "STS.one");
  for (const std::string name : {"AccessKeyId", "AccessKeySecret", "SecurityToken", "Expiration"}) {
    std::string without = plain_key_json();
    without.replace(without.find(name), name.size(), "Another");
    try {
      read_key(without, "");
      ADD_FAILURE() << name;
    } catch (const std::invalid_argument& error) {
      EXPECT_EQ(std::string(error.what()), "it lacks " + name);
    }
  }
}

TEST(ReadKey, WhatIsNotOneIsRefusedAndShowsNothing) {
  const std::string number = R"({"AccessKeyId":1})";
  const std::string failed = R"({"Code":"Failed","AccessKeySecret":"fetched"})";
  for (const std::string& text :
       {std::string(), std::string("[]"), std::string("{"), number, failed, key_json(),
        plain_key_json("a,b"), plain_key_json("STS", "tomorrow fetched"), plain_key_json() + "x"}) {
    try {
      read_key(text, "");
      ADD_FAILURE() << text;
    } catch (const std::invalid_argument& error) {
      EXPECT_FALSE(has(error.what(), "fetched")) << error.what();
    }
  }
  EXPECT_THROW(read_key(plain_key_json(), "Credentials"), std::invalid_argument);
}

}  // namespace
}  // namespace sagorder
