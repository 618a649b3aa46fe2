#include "gate.hpp"

#include <gtest/gtest.h>

#include <string>

#include "requests.hpp"

namespace gateway {
namespace {

using namespace std::chrono_literals;
using testing::Acs3;
using testing::now_at;
using testing::Parsed;
using testing::Rpc;

class GateTest : public ::testing::Test {
 protected:
  std::string code(const std::string& bytes, std::chrono::nanoseconds later = {}) {
    const Parsed parsed(bytes);
    EXPECT_EQ(parsed.outcome, Parse::complete);
    refusal_ = gate_.examine(parsed.request, now_at(later), call_);
    return refusal_ ? refusal_->code : "";
  }
  // As `code`, for a request that differs from a good one by one RPC parameter (empty: without).
  std::string code_with(const std::string& name, const std::string& value) {
    Rpc rpc("nonce-" + std::to_string(++nonces_));
    if (value.empty()) {
      rpc.parameters.erase(name);
    } else {
      rpc.parameters[name] = value;
    }
    return code(rpc.bytes());
  }

  static Options options() {
    Options options;
    options.credentials = {{"testid", "testsecret", ""},
                           {"stsid", "stssecret", "token+/="},
                           {"stsid2", "stssecret2", "token2"}};
    options.quota = {20, 1s};
    return options;
  }

  Gate gate_{options()};
  Call call_;
  std::optional<Refusal> refusal_;
  int nonces_ = 0;
};

TEST_F(GateTest, EveryWayToCall) {
  Rpc form("b");
  form.method = "POST";
  form.in_form = true;
  Rpc query("c");
  query.method = "POST";
  Acs3 acs3_form("e");
  acs3_form.in_form = true;
  Acs3 acs3_get("f");
  acs3_get.method = "GET";
  for (const std::string& bytes : {Rpc("a").bytes(), form.bytes(), query.bytes(), Acs3("d").bytes(),
                                   acs3_form.bytes(), acs3_get.bytes()}) {
    EXPECT_EQ(code(bytes), "") << bytes;
    EXPECT_EQ(call_.order.region_id, "cn-shanghai");
    EXPECT_EQ(call_.order.user_count, 5);
    EXPECT_EQ(call_.order.period, 12);
    EXPECT_EQ(call_.order.data_plan, 5);
    EXPECT_TRUE(call_.order.auto_pay);
  }
}

TEST_F(GateTest, Formats) {
  code(Rpc("a").bytes());
  EXPECT_EQ(call_.format, Format::json);
  EXPECT_EQ(code_with("Format", "json"), "");
  EXPECT_EQ(call_.format, Format::json);
  EXPECT_EQ(code_with("Format", ""), "");
  EXPECT_EQ(call_.format, Format::xml);
  EXPECT_EQ(code_with("Format", "YAML"), "InvalidFormat");
  Acs3 acs3("b");
  acs3.accept = "*/*";
  EXPECT_EQ(code(acs3.bytes()), "");
  EXPECT_EQ(call_.format, Format::json);
  Acs3 xml("c");
  xml.accept = "application/xml";
  EXPECT_EQ(code(xml.bytes()), "");
  EXPECT_EQ(call_.format, Format::xml);
}

TEST_F(GateTest, CommonParameters) {
  EXPECT_EQ(code_with("Action", ""), "MissingAction");
  EXPECT_EQ(code_with("Action", "DeleteEverything"), "InvalidAction.NotFound");
  EXPECT_EQ(code_with("Version", ""), "MissingVersion");
  EXPECT_EQ(code_with("Version", "2014-05-26"), "InvalidVersion");
  for (const char* name :
       {"AccessKeyId", "Timestamp", "SignatureNonce", "SignatureMethod", "SignatureVersion"})
    EXPECT_EQ(code_with(name, ""), "Missing" + std::string(name));
  EXPECT_EQ(code_with("SignatureMethod", "HMAC-SHA256"), "InvalidSignatureMethod");
  EXPECT_EQ(code_with("SignatureVersion", "2.0"), "InvalidSignatureVersion");
  EXPECT_EQ(code_with("AccessKeyId", "nobody"), "InvalidAccessKeyId.NotFound");
  EXPECT_EQ(code("GET /?Action=CreateSmartAccessGatewaySoftware HTTP/1.1\r\nHost: a\r\n\r\n"),
            "MissingVersion");
  EXPECT_EQ(code("PUT / HTTP/1.1\r\nHost: a\r\n\r\n"), "UnsupportedHTTPMethod");
  EXPECT_EQ(code("GET /x HTTP/1.1\r\nHost: a\r\n\r\n"), "InvalidAction.NotFound");
  EXPECT_EQ(code("GET /?a=%zz HTTP/1.1\r\nHost: a\r\n\r\n"), "InvalidParameter");
}

TEST_F(GateTest, Clock) {
  EXPECT_EQ(code(Rpc("a").bytes(), 15min), "");
  EXPECT_EQ(code(Rpc("b").bytes(), 15min + 1s), "InvalidTimeStamp.Expired");
  EXPECT_EQ(code(Rpc("c").bytes(), -15min), "");
  EXPECT_EQ(code(Rpc("d").bytes(), -15min - 1s), "InvalidTimeStamp.Expired");
  EXPECT_EQ(code_with("Timestamp", "2026-01-02T03:04:05.000Z"), "InvalidTimeStamp.Format");
}

TEST_F(GateTest, WrongSecret) {
  Rpc rpc("a");
  rpc.secret = "wrong";
  EXPECT_EQ(code(rpc.bytes()), "SignatureDoesNotMatch");
  EXPECT_NE(refusal_->message.find("server string to sign is:GET&%2F&AccessKeyId%3Dtestid"),
            std::string::npos);
  Acs3 acs3("a");
  acs3.secret = "wrong";
  EXPECT_EQ(code(acs3.bytes()), "SignatureDoesNotMatch");
  EXPECT_NE(refusal_->message.find("ACS3-HMAC-SHA256\n"), std::string::npos);
  EXPECT_EQ(code(Rpc("a").bytes()), "");  // a bad signature uses no nonce up
}

// One byte changed anywhere in what is signed, and it is refused.
TEST_F(GateTest, EveryChangedByteIsNoticed) {
  for (const std::string& good : {Rpc("a").bytes(), Acs3("b").bytes()}) {
    const std::size_t begin = good.find('?') + 1, end = good.find(" HTTP/");
    for (std::size_t at = begin; at < end; ++at) {
      std::string bytes = good;
      bytes[at] = bytes[at] == 'q' ? 'r' : 'q';
      EXPECT_NE(code(bytes), "") << bytes.substr(0, end);
    }
  }
  Acs3 form("c");
  form.in_form = true;
  std::string bytes = form.bytes();
  bytes.back() = bytes.back() == 'q' ? 'r' : 'q';
  EXPECT_EQ(code(bytes), "SignatureDoesNotMatch");
}

TEST_F(GateTest, SigningCoversTheMethod) {
  std::string bytes = Rpc("a").bytes();
  EXPECT_EQ(code("POST" + bytes.substr(3)), "SignatureDoesNotMatch");
}

TEST_F(GateTest, WhatMustBeSignedIs) {
  Acs3 acs3("a");
  acs3.unsigned_headers = {{"x-acs-extra", "1"}};
  EXPECT_EQ(code(acs3.bytes()), "IncompleteSignature");
  Acs3 other("b");
  other.unsigned_headers = {{"x-extra", "1"}};
  EXPECT_EQ(code(other.bytes()), "");
  std::string bytes = Acs3("c").bytes();
  EXPECT_EQ(code(bytes.replace(bytes.find("Credential="), 11, "Credentials")),
            "IncompleteSignature");
  std::string unsorted = Acs3("d").bytes();
  const std::string_view names = "SignedHeaders=host;x-acs-action;";
  unsorted.replace(unsorted.find(names), names.size(), "SignedHeaders=x-acs-action;host;");
  EXPECT_EQ(code(unsorted), "IncompleteSignature");
}

TEST_F(GateTest, TheClaimedHashIsThePayloads) {
  Acs3 acs3("a");
  acs3.claimed_hash = std::string(64, '0');
  EXPECT_EQ(code(acs3.bytes()), "SignatureDoesNotMatch");
}

TEST_F(GateTest, ParametersAreGivenOnce) {
  Acs3 acs3("a");
  std::string bytes = acs3.bytes();
  bytes.insert(bytes.find('?') + 1, "AutoPay=true&");
  EXPECT_EQ(code(bytes), "InvalidParameter");
}

TEST_F(GateTest, Tokens) {
  const auto sts = [&](const std::string& nonce, const std::string& token) {
    Rpc rpc(nonce);
    rpc.secret = "stssecret";
    rpc.parameters["AccessKeyId"] = "stsid";
    if (!token.empty()) rpc.parameters["SecurityToken"] = token;
    return code(rpc.bytes());
  };
  EXPECT_EQ(sts("a", "token+/="), "");
  EXPECT_EQ(sts("b", ""), "MissingSecurityToken");
  EXPECT_EQ(sts("c", "junk"), "InvalidSecurityToken.Malformed");
  EXPECT_EQ(sts("d", "token2"), "InvalidSecurityToken.MismatchWithAccessKey");
  EXPECT_EQ(code_with("SecurityToken", "junk"), "InvalidSecurityToken.MismatchWithAccessKey");
}

TEST_F(GateTest, NoncesAreUsedOnce) {
  EXPECT_EQ(code(Rpc("a").bytes()), "");
  EXPECT_EQ(code(Rpc("a").bytes()), "SignatureNonceUsed");
  EXPECT_EQ(code(Acs3("a").bytes()), "SignatureNonceUsed");
  EXPECT_EQ(gate_.duplicate_nonces(), 2u);
}

TEST_F(GateTest, AThrottledCallUsesItsNonceUp) {
  for (int i = 0; i < 20; ++i) EXPECT_EQ(code(Rpc(std::to_string(i)).bytes()), "");
  EXPECT_EQ(code(Rpc("late").bytes()), "Throttling.User");
  EXPECT_EQ(code(Rpc("late").bytes(), 2s), "SignatureNonceUsed");
  EXPECT_EQ(code(Rpc("later").bytes(), 2s), "");
}

TEST_F(GateTest, ARefusedOrderUsesItsNonceUp) {
  Rpc rpc("a");
  rpc.parameters["UserCount"] = "0";
  EXPECT_EQ(code(rpc.bytes()), "SAG.InvalidUserCount");
  EXPECT_EQ(code(Rpc("a").bytes()), "SignatureNonceUsed");
}

}  // namespace
}  // namespace gateway
