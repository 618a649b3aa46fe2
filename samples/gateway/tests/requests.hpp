// Signed requests for the tests, as bytes a client would send.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gate.hpp"
#include "http.hpp"
#include "signature.hpp"

namespace gateway::testing {

using Texts = std::map<std::string, std::string>;

inline constexpr std::string_view kStamp = "2026-01-02T03:04:05Z";
inline Now now_at(std::chrono::nanoseconds later = {}) {
  return {SteadyTime(std::chrono::hours(1) + later),
          *parse_timestamp(kStamp) + std::chrono::duration_cast<std::chrono::microseconds>(later)};
}

inline Texts order_parameters() {
  return {{"RegionId", "cn-shanghai"}, {"UserCount", "5"},       {"Period", "12"},
          {"DataPlan", "5"},           {"ChargeType", "PREPAY"}, {"AutoPay", "true"}};
}

inline std::string encoded(const Texts& texts) {
  std::string out;
  for (const auto& [name, value] : texts) {
    if (!out.empty()) out.push_back('&');
    append_encoded(name, out);
    out.push_back('=');
    append_encoded(value, out);
  }
  return out;
}

struct Rpc {
  std::string method = "GET";
  bool in_form = false;
  std::string secret = "testsecret";
  Texts parameters = order_parameters();

  explicit Rpc(const std::string& nonce) {
    parameters.merge(Texts{{"Action", "CreateSmartAccessGatewaySoftware"},
                           {"Version", "2018-03-13"},
                           {"Format", "JSON"},
                           {"AccessKeyId", "testid"},
                           {"Timestamp", std::string(kStamp)},
                           {"SignatureMethod", "HMAC-SHA1"},
                           {"SignatureVersion", "1.0"},
                           {"SignatureNonce", nonce}});
  }

  std::string bytes() const {
    std::string to_sign;
    append_rpc_string_to_sign(method, encoded(parameters), to_sign);
    Texts all = parameters;
    SigningKey(secret).append_rpc_signature(to_sign, all["Signature"]);
    if (!in_form) return method + " /?" + encoded(all) + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const std::string body = encoded(all);
    return method +
           " / HTTP/1.1\r\nHost: localhost\r\n"
           "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n\r\n" + body;
  }
};

struct Acs3 {
  std::string method = "POST";
  bool in_form = false;
  std::string secret = "testsecret";
  std::string accept = "application/json";
  Texts parameters = order_parameters();
  Texts headers;
  Texts unsigned_headers;
  std::string claimed_hash;  // in place of the payload's own, well signed

  explicit Acs3(const std::string& nonce) {
    headers = {{"host", "localhost"},
               {"x-acs-action", "CreateSmartAccessGatewaySoftware"},
               {"x-acs-version", "2018-03-13"},
               {"x-acs-date", std::string(kStamp)},
               {"x-acs-signature-nonce", nonce}};
  }

  std::string bytes() const {
    const std::string text = encoded(parameters);
    const std::string body = in_form ? text : "";
    const std::string query = in_form ? "" : text;
    Sha256 sha256;
    Texts all = headers;
    std::string payload_hash;
    append_hex(as_text(sha256(body)), payload_hash);
    all["x-acs-content-sha256"] = claimed_hash.empty() ? payload_hash : claimed_hash;
    if (in_form) all["content-type"] = "application/x-www-form-urlencoded";
    std::vector<Header> list;
    std::vector<std::string_view> names;
    for (const auto& [name, value] : all) {
      list.push_back({name, value});
      names.push_back(name);
    }
    std::string canonical_headers, canonical, to_sign, signature;
    append_acs3_canonical_headers(list, names, canonical_headers);
    append_acs3_canonical_request(method, "/", query, canonical_headers, names, payload_hash,
                                  canonical);
    append_acs3_string_to_sign(canonical, sha256, to_sign);
    SigningKey(secret).append_acs3_signature(to_sign, signature);

    std::string out = method + " /" + (query.empty() ? "" : "?" + query) + " HTTP/1.1\r\n";
    std::string joined;
    for (const auto& [name, value] : all) {
      out.append(name).append(": ").append(value).append("\r\n");
      joined.append(joined.empty() ? "" : ";").append(name);
    }
    for (const auto& [name, value] : unsigned_headers)
      out.append(name).append(": ").append(value).append("\r\n");
    out.append("Accept: ").append(accept).append("\r\nAuthorization: ACS3-HMAC-SHA256 ");
    out.append("Credential=testid,SignedHeaders=").append(joined);
    out.append(",Signature=").append(signature).append("\r\nContent-Length: ");
    return out.append(std::to_string(body.size())).append("\r\n\r\n").append(body);
  }
};

// A request with the bytes it views.
struct Parsed {
  explicit Parsed(std::string text) : bytes(std::move(text)) {
    outcome = parser.parse({bytes.data(), bytes.size()}, request);
  }
  Parsed(const Parsed&) = delete;
  std::string bytes;
  RequestParser parser;
  Request request;
  Parse outcome;
};

}  // namespace gateway::testing
