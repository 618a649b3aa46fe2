#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "signature.hpp"

namespace gateway {
namespace {

using nlohmann::json;

json vectors() {
  std::ifstream file(GATEWAY_TEST_DATA "/signing-vectors.json");
  return json::parse(file);
}

void fill(Parameters& parameters, const json& object) {
  parameters.start(0);
  for (const auto& [name, value] : object.items())
    parameters.add({name, value.get_ref<const std::string&>(), true});
  ASSERT_TRUE(parameters.sort());
}

TEST(Signature, RpcVectors) {
  const json all = vectors();
  ASSERT_GE(all["hmac-sha1"].size(), 10u);
  for (const json& vector : all["hmac-sha1"]) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    Parameters parameters;
    std::string query, to_sign, signature;
    fill(parameters, vector["parameters"]);
    append_rpc_canonical_query(parameters, query);
    EXPECT_EQ(query, vector["canonical_query"]);
    append_rpc_string_to_sign(vector["method"].get<std::string>(), query, to_sign);
    EXPECT_EQ(to_sign, vector["string_to_sign"]);
    SigningKey key(vector["access_key_secret"].get<std::string>());
    key.append_rpc_signature(to_sign, signature);
    EXPECT_EQ(signature, vector["signature"]);
    signature.clear();
    key.append_rpc_signature(to_sign, signature);  // the prepared key serves again
    EXPECT_EQ(signature, vector["signature"]);
  }
}

TEST(Signature, Acs3Vectors) {
  const json all = vectors();
  ASSERT_GE(all["acs3-hmac-sha256"].size(), 6u);
  for (const json& vector : all["acs3-hmac-sha256"]) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    Parameters parameters;
    fill(parameters, vector["query"]);
    std::vector<Header> headers;
    std::vector<std::string_view> names;
    for (const auto& [name, value] : vector["signed_headers"].items()) {
      headers.push_back({name, value.get_ref<const std::string&>()});
      names.push_back(headers.back().name);
    }
    std::sort(names.begin(), names.end());
    std::string query, canonical_headers, canonical, hashed, to_sign, signature;
    append_acs3_canonical_query(parameters, query);
    append_acs3_canonical_headers(headers, names, canonical_headers);
    append_acs3_canonical_request(vector["method"].get<std::string>(),
                                  vector["uri"].get<std::string>(), query, canonical_headers, names,
                                  vector["hashed_payload"].get<std::string>(), canonical);
    EXPECT_EQ(canonical, vector["canonical_request"]);
    Sha256 sha256;
    append_hex(as_text(sha256(canonical)), hashed);
    EXPECT_EQ(hashed, vector["hashed_canonical_request"]);
    append_acs3_string_to_sign(canonical, sha256, to_sign);
    EXPECT_EQ(to_sign, vector["string_to_sign"]);
    SigningKey(vector["access_key_secret"].get<std::string>())
        .append_acs3_signature(to_sign, signature);
    EXPECT_EQ(signature, vector["signature"]);
  }
}

TEST(Signature, RepeatedHeadersAreJoinedSorted) {
  std::string out;
  append_acs3_canonical_headers({{"x-acs-test", "https"}, {"x-acs-test", "http"}}, {"x-acs-test"},
                                out);
  EXPECT_EQ(out, "x-acs-test:http,https\n");
}

TEST(Signature, AuthorizationParts) {
  Acs3Authorization authorization;
  EXPECT_TRUE(parse_acs3_authorization(
      "ACS3-HMAC-SHA256 Credential=id, SignedHeaders=host;x-acs-date ,Signature=ab",
      authorization));
  EXPECT_EQ(authorization.access_key_id, "id");
  EXPECT_EQ(authorization.signed_names, (std::vector<std::string_view>{"host", "x-acs-date"}));
  EXPECT_EQ(authorization.signature, "ab");
  for (const std::string_view bad :
       {"", "Basic abc", "ACS3-HMAC-SHA256", "ACS3-HMAC-SHA256 Credential=id,Signature=ab",
        "ACS3-HMAC-SHA256 Credential=,SignedHeaders=host,Signature=ab",
        "ACS3-HMAC-SHA256 Credential=a,Credential=b,SignedHeaders=host,Signature=ab",
        "ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host,Signature=ab,More=x"}) {
    EXPECT_FALSE(parse_acs3_authorization(bad, authorization)) << bad;
  }
}

TEST(Parameters, Decode) {
  Parameters parameters;
  const std::string_view text = "b=%E9%98%BF+1&a=&&c&d=x%3D%26=y";
  parameters.start(text.size());
  ASSERT_TRUE(parameters.decode(text, true));
  ASSERT_TRUE(parameters.sort());
  EXPECT_EQ(parameters.items().size(), 4u);
  EXPECT_EQ(parameters.value("b"), "阿 1");
  EXPECT_EQ(parameters.value("a"), "");
  EXPECT_NE(parameters.find("c"), nullptr);
  EXPECT_EQ(parameters.value("d"), "x=&=y");
  for (const std::string_view bad : {"a=%", "a=%1", "a=%GG", "%=1", "=1"}) {
    parameters.start(bad.size());
    EXPECT_FALSE(parameters.decode(bad, true)) << bad;
  }
  parameters.start(8);
  ASSERT_TRUE(parameters.decode("a=1&a=2", true));
  EXPECT_FALSE(parameters.sort());
}

}  // namespace
}  // namespace gateway
