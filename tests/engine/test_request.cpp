#include "engine/request.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>
#include <string>

#include "tests/engine/allocations.hpp"

namespace sagorder {
namespace {

using Map = std::map<std::string, std::string>;

constexpr std::string_view kHost = "smartag.cn-shanghai.aliyuncs.com";
constexpr std::string_view kEmptyHash =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

AccessKey key_of(std::string token = "", std::string secret = "YourAccessKeySecret") {
  return {"testid", Secret(std::move(secret)), Secret(std::move(token))};
}

// The order of the vectors named "this operation".
Order order_of() {
  Order order;
  order.row = {7};
  order.region_id = "cn-shanghai";
  order.period = 12;
  order.user_count = 5;
  order.data_plan = 5;
  order.auto_pay = true;
  return order;
}

Stamp stamp_of(std::string_view nonce = "3ee8c1b883d344afa94f4e0ad82fd6cf") {
  Stamp stamp{WallTime{milliseconds{1'767'323'045'678}}, {}};  // 2026-01-02T03:04:05Z
  std::ranges::copy(nonce, stamp.nonce.hex.begin());
  return stamp;
}

// ---- a server's view: the request taken apart and verified by the rules, slowly --------------

struct Request {
  std::string method;
  std::string target;
  std::string body;
  Map headers;  // lower-case names
};

// Strict: every line ends in CRLF, no control byte in any, no header twice, the body as long as
// said, nothing behind it.
Request parse(const std::string& bytes) {
  Request request;
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string::npos) throw std::runtime_error("no end of headers");
  request.body = bytes.substr(end + 4);
  std::size_t at = 0;
  bool first = true;
  while (at < end + 2) {
    const std::size_t stop = bytes.find("\r\n", at);
    const std::string line = bytes.substr(at, stop - at);
    at = stop + 2;
    for (const char c : line) {
      if (c < ' ' || c == 0x7f) throw std::runtime_error("control byte in a line");
    }
    if (first) {
      const std::size_t space = line.find(' ');
      const std::size_t last = line.rfind(' ');
      if (line.substr(last) != " HTTP/1.1") throw std::runtime_error("no HTTP/1.1");
      request.method = line.substr(0, space);
      request.target = line.substr(space + 1, last - space - 1);
      if (request.target.find(' ') != std::string::npos) throw std::runtime_error("a space");
      first = false;
      continue;
    }
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos) throw std::runtime_error("no header: " + line);
    std::string name = line.substr(0, colon);
    std::ranges::transform(name, name.begin(), [](char c) { return std::tolower(c); });
    if (!request.headers.emplace(name, line.substr(colon + 2)).second) {
      throw std::runtime_error("header twice: " + name);
    }
  }
  const auto length = request.headers.find("content-length");
  const std::string said = length == request.headers.end() ? "0" : length->second;
  if (std::to_string(request.body.size()) != said) throw std::runtime_error("body length");
  return request;
}

std::string decode(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') throw std::runtime_error("a plus is a space to servers");
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    out += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
    i += 2;
  }
  return out;
}

Map parse_query(const std::string& text) {
  Map out;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('&', at), text.size());
    const std::string item = text.substr(at, end - at);
    const std::size_t equals = item.find('=');
    if (!out.emplace(decode(item.substr(0, equals)), decode(item.substr(equals + 1))).second) {
      throw std::runtime_error("parameter twice");
    }
    at = end + 1;
  }
  return out;
}

std::string encode(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 ||
        std::string("-_.~").find(c) != std::string::npos) {
      out += c;
    } else {
      char escape[4];
      std::snprintf(escape, sizeof escape, "%%%02X", unsigned{static_cast<unsigned char>(c)});
      out += escape;
    }
  }
  return out;
}

std::string canonical_query(const Map& parameters) {
  std::string out;
  for (const auto& [name, value] : parameters) {
    out += (out.empty() ? "" : "&") + encode(name) + "=" + encode(value);
  }
  return out;
}

std::string hmac(const EVP_MD* hash, const std::string& key, const std::string& text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(hash, key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &size);
  return {reinterpret_cast<char*>(digest), size};
}

std::string hex(const std::string& bytes) {
  std::string out;
  for (const char c : bytes) {
    char pair[3];
    std::snprintf(pair, sizeof pair, "%02x", unsigned{static_cast<unsigned char>(c)});
    out += pair;
  }
  return out;
}

std::string hex_sha256(const std::string& text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr);
  return hex({reinterpret_cast<char*>(digest), size});
}

std::string base64(const std::string& bytes) {
  std::string out(64, '\0');
  out.resize(static_cast<std::size_t>(EVP_EncodeBlock(
      reinterpret_cast<unsigned char*>(out.data()),
      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()))));
  return out;
}

std::string between(const std::string& text, const std::string& from, const std::string& to) {
  const std::size_t begin = text.find(from);
  if (begin == std::string::npos) throw std::runtime_error("lacks " + from);
  return text.substr(begin + from.size(), text.find(to, begin + from.size()) - begin - from.size());
}

// @return the parameters, common ones included, if the signature is right
Map verify_hmac_sha1(const Request& request, const std::string& secret) {
  const bool get = request.method == "GET";
  if (!get && request.target != "/") throw std::runtime_error("target of a form");
  Map parameters = parse_query(get ? request.target.substr(2) : request.body);
  const std::string signature = parameters.at("Signature");
  parameters.erase("Signature");
  const std::string to_sign = request.method + "&%2F&" + encode(canonical_query(parameters));
  if (base64(hmac(EVP_sha1(), secret + "&", to_sign)) != signature) {
    throw std::runtime_error("wrong signature");
  }
  return parameters;
}

Map verify_acs3(const Request& request, const std::string& secret) {
  const Map parameters = parse_query(request.target.substr(2));
  const std::string authorization = request.headers.at("authorization");
  const std::string names = between(authorization, "SignedHeaders=", ",");
  std::string canonical = request.method + "\n/\n" + canonical_query(parameters) + "\n";
  std::string expected_names;
  for (const auto& [name, value] : request.headers) {
    const bool is_signed = name == "host" || name == "content-type" || name.starts_with("x-acs-");
    if (!is_signed) continue;
    canonical += name + ":" + value + "\n";
    expected_names += (expected_names.empty() ? "" : ";") + name;
  }
  if (names != expected_names) throw std::runtime_error("signed headers: " + names);
  const std::string payload = hex_sha256(request.body);
  if (request.headers.at("x-acs-content-sha256") != payload) throw std::runtime_error("payload");
  canonical += "\n" + names + "\n" + payload;
  const std::string to_sign = "ACS3-HMAC-SHA256\n" + hex_sha256(canonical);
  if (authorization != "ACS3-HMAC-SHA256 Credential=testid,SignedHeaders=" + names +
                           ",Signature=" + hex(hmac(EVP_sha256(), secret, to_sign))) {
    throw std::runtime_error("wrong signature");
  }
  return parameters;
}

Request write(Scheme scheme, Method method, const AccessKey& key, const Order& order,
              std::string_view host = kHost, const Stamp& stamp = stamp_of()) {
  WireBuffer out;
  RequestWriter(scheme, method, key).write(order, host, stamp, out);
  return parse(out.bytes);
}

// ---- the requests ------------------------------------------------------------------------------

TEST(Request, Acs3IsAPostWithAQueryAndAnEmptyBody) {
  const Request request = write(Scheme::acs3_hmac_sha256, Method::post, key_of(), order_of());
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target,
            "/?AutoPay=true&ChargeType=PREPAY&DataPlan=5&Period=12&RegionId=cn-shanghai"
            "&UserCount=5");
  EXPECT_EQ(request.body, "");
  Map headers = request.headers;
  EXPECT_TRUE(headers["authorization"].starts_with("ACS3-HMAC-SHA256 Credential=testid,"));
  headers.erase("authorization");
  EXPECT_EQ(headers, (Map{{"host", std::string(kHost)},
                          {"x-acs-action", "CreateSmartAccessGatewaySoftware"},
                          {"x-acs-version", "2018-03-13"},
                          {"x-acs-date", "2026-01-02T03:04:05Z"},
                          {"x-acs-signature-nonce", "3ee8c1b883d344afa94f4e0ad82fd6cf"},
                          {"x-acs-content-sha256", std::string(kEmptyHash)},
                          {"accept", "application/json"},
                          {"user-agent", "sagorder/0.1.0"},
                          {"content-length", "0"}}));
  EXPECT_NO_THROW(verify_acs3(request, "YourAccessKeySecret"));
}

TEST(Request, TheVerificationOfThisTestCanFail) {
  const Request acs3 = write(Scheme::acs3_hmac_sha256, Method::post, key_of(), order_of());
  EXPECT_THROW(verify_acs3(acs3, "another"), std::runtime_error);
  const Request rpc = write(Scheme::hmac_sha1, Method::post, key_of(), order_of());
  EXPECT_THROW(verify_hmac_sha1(rpc, "another"), std::runtime_error);
}

const Map kRpcParameters = {{"AccessKeyId", "testid"},
                            {"Action", "CreateSmartAccessGatewaySoftware"},
                            {"AutoPay", "true"},
                            {"ChargeType", "PREPAY"},
                            {"DataPlan", "5"},
                            {"Format", "JSON"},
                            {"Period", "12"},
                            {"RegionId", "cn-shanghai"},
                            {"SignatureMethod", "HMAC-SHA1"},
                            {"SignatureNonce", "3ee8c1b883d344afa94f4e0ad82fd6cf"},
                            {"SignatureVersion", "1.0"},
                            {"Timestamp", "2026-01-02T03:04:05Z"},
                            {"UserCount", "5"},
                            {"Version", "2018-03-13"}};

TEST(Request, HmacSha1PostsEverythingAsAForm) {
  const Request request = write(Scheme::hmac_sha1, Method::post, key_of(), order_of());
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.headers, (Map{{"host", std::string(kHost)},
                                  {"accept", "application/json"},
                                  {"user-agent", "sagorder/0.1.0"},
                                  {"content-type", "application/x-www-form-urlencoded"},
                                  {"content-length", std::to_string(request.body.size())}}));
  EXPECT_EQ(verify_hmac_sha1(request, "YourAccessKeySecret"), kRpcParameters);
}

TEST(Request, HmacSha1GetsWithEverythingInTheQuery) {
  const Request request = write(Scheme::hmac_sha1, Method::get, key_of(), order_of());
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.headers, (Map{{"host", std::string(kHost)},
                                  {"accept", "application/json"},
                                  {"user-agent", "sagorder/0.1.0"}}));
  EXPECT_EQ(verify_hmac_sha1(request, "YourAccessKeySecret"), kRpcParameters);
}

TEST(Request, Acs3CanGetToo) {
  const Request request = write(Scheme::acs3_hmac_sha256, Method::get, key_of(), order_of());
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(verify_acs3(request, "YourAccessKeySecret").size(), 6U);
}

// The writer's text, with the vector's nonce put in the place of ours, is the vector's.
TEST(Request, LaysOutTheVectorsOfThisOperation) {
  std::ifstream file(std::string(SAGORDER_TEST_DATA) + "/signing-vectors.json");
  const auto vectors = nlohmann::json::parse(file);
  const std::string long_nonce = "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf";
  int seen = 0;
  const auto check = [&](const nlohmann::json& vector, Scheme scheme, Method method,
                         const std::string& token, const char* canonical) {
    const auto secret = vector["access_key_secret"].get<std::string>();
    WireBuffer out;
    RequestWriter(scheme, method, key_of(token, secret)).write(order_of(), kHost, stamp_of(), out);
    for (std::string* text : {&out.stages.canonical, &out.stages.string_to_sign}) {
      const std::size_t at = text->find("3ee8c1b883d344afa94f4e0ad82fd6cf");
      if (at != std::string::npos) text->replace(at, 32, long_nonce);
    }
    make_signer(scheme, Secret(secret))->seal(out.stages);
    EXPECT_EQ(out.stages.canonical, vector[canonical].get<std::string>());
    EXPECT_EQ(out.stages.string_to_sign, vector["string_to_sign"].get<std::string>());
    EXPECT_EQ(out.stages.signature, vector["signature"].get<std::string>());
    ++seen;
  };
  for (const auto& vector : vectors["hmac-sha1"]) {
    const auto name = vector["name"].get<std::string>();
    if (!name.starts_with("this operation")) continue;
    SCOPED_TRACE(name);
    const bool get = vector["method"].get<std::string>() == "GET";
    check(vector, Scheme::hmac_sha1, get ? Method::get : Method::post,
          vector["parameters"].value("SecurityToken", ""), "canonical_query");
  }
  for (const auto& vector : vectors["acs3-hmac-sha256"]) {
    const auto name = vector["name"].get<std::string>();
    if (name != "this operation, query parameters, empty body") continue;
    SCOPED_TRACE(name);
    check(vector, Scheme::acs3_hmac_sha256, Method::post, "", "canonical_request");
  }
  EXPECT_EQ(seen, 4);
}

TEST(Request, ASecurityTokenIsSentAndSigned) {
  const std::string token = "CAIS+/=test*~ token";
  const Request acs3 = write(Scheme::acs3_hmac_sha256, Method::post, key_of(token), order_of());
  EXPECT_EQ(acs3.headers.at("x-acs-security-token"), token);
  EXPECT_NO_THROW(verify_acs3(acs3, "YourAccessKeySecret"));
  const Request rpc = write(Scheme::hmac_sha1, Method::post, key_of(token), order_of());
  EXPECT_EQ(verify_hmac_sha1(rpc, "YourAccessKeySecret").at("SecurityToken"), token);
}

TEST(Request, AResourceGroupIsSentOnlyIfThereIsOne) {
  Order order = order_of();
  order.resource_group_id = "rg-acfm2iu4fnc";
  for (const Method method : {Method::post, Method::get}) {
    const Request rpc = write(Scheme::hmac_sha1, method, key_of(), order);
    const Request acs3 = write(Scheme::acs3_hmac_sha256, method, key_of(), order);
    EXPECT_EQ(verify_hmac_sha1(rpc, "YourAccessKeySecret").at("ResourceGroupId"),
              order.resource_group_id);
    EXPECT_EQ(verify_acs3(acs3, "YourAccessKeySecret").at("ResourceGroupId"),
              order.resource_group_id);
  }
  const Request without = write(Scheme::acs3_hmac_sha256, Method::post, key_of(), order_of());
  EXPECT_EQ(verify_acs3(without, "YourAccessKeySecret").count("ResourceGroupId"), 0U);
}

TEST(Request, AnyOrderVerifiesWhateverItsBytes) {
  const char* given = std::getenv("SAGORDER_SEED");
  const auto seed = given != nullptr ? static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10))
                                     : std::random_device{}();
  std::cout << "seed " << seed << '\n';
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto below = [&](std::uint32_t end) { return static_cast<std::uint32_t>(random() % end); };
  const auto bytes = [&](std::uint32_t most) {
    std::string text(below(most + 1), '\0');
    for (char& c : text) c = static_cast<char>(below(256));
    return text;
  };
  WireBuffer out;  // reused: nothing of the request before may be left
  for (int round = 0; round < 400; ++round) {
    Order order;
    order.region_id = bytes(64);
    order.resource_group_id = bytes(64);
    order.period = static_cast<std::uint32_t>(random());
    order.user_count = static_cast<std::uint32_t>(random());
    order.data_plan = std::uint64_t{random()} << below(33);
    order.auto_pay = below(2) == 1;
    const Scheme scheme = below(2) == 1 ? Scheme::hmac_sha1 : Scheme::acs3_hmac_sha256;
    const Method method = below(2) == 1 ? Method::get : Method::post;
    const std::string secret = bytes(100);
    const std::string token = below(2) == 1 ? "a token/+=" : "";
    RequestWriter(scheme, method, key_of(token, secret)).write(order, "h:8443", stamp_of(), out);
    const Request request = parse(out.bytes);
    const Map got = scheme == Scheme::hmac_sha1 ? verify_hmac_sha1(request, secret)
                                                : verify_acs3(request, secret);
    ASSERT_EQ(request.headers.at("host"), "h:8443");
    ASSERT_EQ(got.at("RegionId"), order.region_id);
    ASSERT_EQ(got.at("Period"), std::to_string(order.period));
    ASSERT_EQ(got.at("UserCount"), std::to_string(order.user_count));
    ASSERT_EQ(got.at("DataPlan"), std::to_string(order.data_plan));
    ASSERT_EQ(got.at("AutoPay"), order.auto_pay ? "true" : "false");
    ASSERT_EQ(got.count("ResourceGroupId"), order.resource_group_id.empty() ? 0U : 1U);
  }
}

TEST(Request, NothingThatEndsALineGetsIn) {
  const auto writer = [](std::string id, std::string token) {
    for (const Scheme scheme : {Scheme::hmac_sha1, Scheme::acs3_hmac_sha256}) {
      RequestWriter made(scheme, Method::post, {id, Secret("s"), Secret(token)});
    }
  };
  EXPECT_NO_THROW(writer("LTAI5t", "token with = + / ~"));
  EXPECT_NO_THROW(writer("LTAI5t", ""));
  for (const char* id : {"a\r\nb", "a\nb", "a b", "a,b", "a\tb", "a\x7f", "\xC3\xA9"}) {
    EXPECT_THROW(writer(id, ""), std::invalid_argument) << id;
  }
  for (const char* token : {"a\r\nx-evil: 1", "a\n", "a\tb", "a\x01", " a", "a ", "\xC3\xA9"}) {
    EXPECT_THROW(writer("id", token), std::invalid_argument) << token;
  }
  EXPECT_THROW(writer(std::string("a\0b", 3), ""), std::invalid_argument);
}

TEST(Request, AHostThatIsNoneIsRefused) {
  const RequestWriter writer(Scheme::acs3_hmac_sha256, Method::post, key_of());
  WireBuffer out;
  for (const char* host : {"a\r\nx-evil: 1", "a b", "", "a/b", "a\n", "a?", "\xC3\xA9"}) {
    EXPECT_THROW(writer.write(order_of(), host, stamp_of(), out), std::invalid_argument) << host;
    EXPECT_EQ(out.bytes, "");
  }
  for (const char* host : {"a.example", "a:8443", "[::1]:8443", "127.0.0.1:1"}) {
    EXPECT_NO_THROW(writer.write(order_of(), host, stamp_of(), out)) << host;
  }
}

TEST(Request, ANonceThatWasNeverDrawnIsRefused) {
  const RequestWriter writer(Scheme::hmac_sha1, Method::post, key_of());
  WireBuffer out;
  EXPECT_THROW(writer.write(order_of(), kHost, Stamp{}, out), std::invalid_argument);
  EXPECT_THROW(writer.write(order_of(), kHost, stamp_of("3ee8c1b883d344afa94f4e0ad82f\r\n::"), out),
               std::invalid_argument);
}

TEST(Request, HostHeaders) {
  EXPECT_EQ(host_header({"a.example", 443}), "a.example");
  EXPECT_EQ(host_header({"a.example", 8443}), "a.example:8443");
  EXPECT_EQ(host_header({"127.0.0.1", 1}), "127.0.0.1:1");
  EXPECT_EQ(host_header({"::1", 443}), "[::1]");
  EXPECT_EQ(host_header({"::1", 65535}), "[::1]:65535");
  EXPECT_EQ(host_header({"[::1]", 8443}), "[::1]:8443");
  EXPECT_EQ(default_endpoint("cn-shanghai"), (Endpoint{"smartag.cn-shanghai.aliyuncs.com", 443}));
}

TEST(Request, AllocatesNothingOnceTheBuffersHaveGrown) {
  Order order = order_of();
  order.resource_group_id = "rg-acfm2iu4fnc";
  for (const Scheme scheme : {Scheme::hmac_sha1, Scheme::acs3_hmac_sha256}) {
    for (const Method method : {Method::post, Method::get}) {
      const RequestWriter writer(scheme, method, key_of("a token"));
      const Stamp stamp = stamp_of();
      WireBuffer out;
      writer.write(order, kHost, stamp, out);
      out.bytes.reserve(out.bytes.size() + 64);  // signatures differ in their encoded length
      const auto before = allocations_on_this_thread();
      for (int i = 0; i < 100; ++i) writer.write(order, kHost, stamp, out);
      EXPECT_EQ(allocations_on_this_thread(), before);
    }
  }
}

TEST(Request, NamesItsSecrets) {
  const RequestWriter writer(Scheme::hmac_sha1, Method::post, key_of("a token"));
  const std::vector<Secret> secrets = writer.secrets();
  ASSERT_EQ(secrets.size(), 2U);
  EXPECT_EQ(secrets[0].reveal(), key_of("a token").secret.reveal());
  EXPECT_EQ(secrets[1].reveal(), "a token");
}

TEST(Request, ExplainsWithoutSecrets) {
  const std::string token = "CAIS+/=test*~ token";
  for (const Scheme scheme : {Scheme::hmac_sha1, Scheme::acs3_hmac_sha256}) {
    for (const Method method : {Method::post, Method::get}) {
      const RequestWriter writer(scheme, method, key_of(token));
      WireBuffer out;
      writer.write(order_of(), kHost, stamp_of(), out);
      const std::string text = writer.explain(order_of(), kHost, stamp_of());
      const auto has = [&](const std::string& what) {
        return text.find(what) != std::string::npos;
      };
      EXPECT_TRUE(has("Row 7"));
      EXPECT_TRUE(has("String to sign"));
      EXPECT_TRUE(has("AutoPay=true&ChargeType=PREPAY&DataPlan=5&"));
      EXPECT_TRUE(has("***"));
      EXPECT_FALSE(has(out.stages.signature)) << text;
      EXPECT_FALSE(has(encode(out.stages.signature))) << text;
      EXPECT_FALSE(has("CAIS")) << text;
      EXPECT_FALSE(has("YourAccessKeySecret")) << text;
      EXPECT_FALSE(has("\r")) << text;
    }
  }
}

}  // namespace
}  // namespace sagorder
