#include "engine/query.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace sagorder {
namespace {

constexpr WallTime kAt{milliseconds{1'767'323'045'678}};  // 2026-01-02T03:04:05.678Z
constexpr std::string_view kHost = "business.aliyuncs.com";

AccessKey key_of(std::string token = "") {
  return {"testid", Secret("testsecret"), Secret(std::move(token))};
}

Stamp stamp() {
  Stamp made{kAt, {}};
  constexpr std::string_view kNonce = "3ee8c1b883d344afa94f4e0ad82fd6cf";
  std::copy(kNonce.begin(), kNonce.end(), made.nonce.hex.begin());
  return made;
}

WireBuffer written(const Query& query, Scheme scheme, Method method = Method::post,
                   const std::string& token = "") {
  WireBuffer wire;
  QueryWriter(scheme, method, key_of(token)).write(query, kHost, stamp(), wire);
  return wire;
}

TEST(Query, TimesAreWidenedToWholeSeconds) {
  const Query query = orders_query(kAt, kAt, 3);
  EXPECT_EQ(query.action, "QueryOrders");
  EXPECT_EQ(query.version, "2017-12-14");
  const decltype(query.parameters) wanted = {{"CreateTimeEnd", "2026-01-02T03:04:06Z"},
                                             {"CreateTimeStart", "2026-01-02T03:04:05Z"},
                                             {"PageNum", "3"},
                                             {"PageSize", "20"}};
  EXPECT_EQ(query.parameters, wanted);
}

TEST(Query, GatewaysAndQuotaAreOfARegion) {
  const Query gateways = gateways_query("cn-shanghai", 2);
  EXPECT_EQ(gateways.action, "DescribeSmartAccessGateways");
  EXPECT_EQ(gateways.version, "2018-03-13");
  const decltype(gateways.parameters) wanted = {{"InstanceType", "software"},
                                                {"PageNumber", "2"},
                                                {"PageSize", "50"},
                                                {"RegionId", "cn-shanghai"}};
  EXPECT_EQ(gateways.parameters, wanted);
  EXPECT_EQ(use_limit_query("cn-shanghai").action, "GetSmartAccessGatewayUseLimit");
  EXPECT_EQ(order_detail_query("12").parameters.at(0).second, "12");
}

TEST(QueryWriter, Acs3LaysOutTheDocumentedCanonicalRequest) {
  const WireBuffer wire = written(order_detail_query("12"), Scheme::acs3_hmac_sha256);
  EXPECT_EQ(wire.stages.canonical,
            "POST\n/\nOrderId=12\nhost:business.aliyuncs.com\nx-acs-action:GetOrderDetail\n"
            "x-acs-content-sha256:"
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"
            "x-acs-date:2026-01-02T03:04:05Z\n"
            "x-acs-signature-nonce:3ee8c1b883d344afa94f4e0ad82fd6cf\n"
            "x-acs-version:2017-12-14\n\n"
            "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;"
            "x-acs-version\n"
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_TRUE(
      wire.bytes.starts_with("POST /?OrderId=12 HTTP/1.1\r\nhost: business.aliyuncs.com\r\n"));
  EXPECT_TRUE(wire.bytes.ends_with(",Signature=" + wire.stages.signature + "\r\n\r\n"));
  EXPECT_EQ(wire.bytes.find("testsecret"), std::string::npos);
}

TEST(QueryWriter, Acs3SignsTheToken) {
  const WireBuffer wire =
      written(use_limit_query("cn-shanghai"), Scheme::acs3_hmac_sha256, Method::post, "the token");
  EXPECT_NE(wire.stages.canonical.find("\nx-acs-security-token:the token\nx-acs-signature-nonce:"),
            std::string::npos);
  EXPECT_NE(wire.bytes.find("\r\nx-acs-security-token: the token\r\n"), std::string::npos);
}

TEST(QueryWriter, RpcSortsAllParameters) {
  const WireBuffer wire =
      written(gateways_query("cn-shanghai", 1), Scheme::hmac_sha1, Method::post, "t");
  EXPECT_EQ(wire.stages.canonical,
            "AccessKeyId=testid&Action=DescribeSmartAccessGateways&Format=JSON&"
            "InstanceType=software&PageNumber=1&PageSize=50&RegionId=cn-shanghai&SecurityToken=t&"
            "SignatureMethod=HMAC-SHA1&SignatureNonce=3ee8c1b883d344afa94f4e0ad82fd6cf&"
            "SignatureVersion=1.0&Timestamp=2026-01-02T03%3A04%3A05Z&Version=2018-03-13");
  const std::size_t head = wire.bytes.find("\r\n\r\n");
  const std::string body = wire.bytes.substr(head + 4);
  EXPECT_TRUE(body.starts_with(wire.stages.canonical + "&Signature="));
  EXPECT_NE(wire.bytes.find("content-length: " + std::to_string(body.size()) + "\r\n"),
            std::string::npos);
}

TEST(QueryWriter, RpcByGet) {
  const WireBuffer wire = written(order_detail_query("12"), Scheme::hmac_sha1, Method::get);
  EXPECT_TRUE(wire.bytes.starts_with("GET /?" + wire.stages.canonical + "&Signature="));
  EXPECT_TRUE(wire.stages.string_to_sign.starts_with("GET&%2F&AccessKeyId%3Dtestid"));
  EXPECT_TRUE(wire.bytes.ends_with("\r\n\r\n"));
}

TEST(QueryWriter, RefusesWhatWouldBreakOutOfItsPlace) {
  WireBuffer wire;
  const QueryWriter writer(Scheme::acs3_hmac_sha256, Method::post, key_of());
  EXPECT_THROW(writer.write(order_detail_query("1"), "a\r\nb", stamp(), wire),
               std::invalid_argument);
  EXPECT_THROW(writer.write(order_detail_query("1"), kHost, {kAt, {}}, wire),
               std::invalid_argument);
  EXPECT_THROW(QueryWriter(Scheme::hmac_sha1, Method::post, key_of("t\n")), std::invalid_argument);
  writer.write(order_detail_query("1&x=\r\n"), kHost, stamp(), wire);
  EXPECT_TRUE(wire.bytes.starts_with("POST /?OrderId=1%26x%3D%0D%0A HTTP/1.1\r\n"));
}

}  // namespace
}  // namespace sagorder
