// Both signature schemes, as the receiving side computes them: from the decoded request, never
// from the sender's own canonical text.
//
//   HMAC-SHA1          string to sign = METHOD & enc("/") & enc(sorted enc(k)=enc(v) joined by &),
//                      all parameters but Signature; key = secret + "&"; base64.
//   ACS3-HMAC-SHA256   canonical request = method, path, query, headers, header names and the
//                      payload's hash, a line each; string to sign = the scheme's name and the
//                      canonical request's hash; key = the bare secret; lower-case hex.
//
// Every step is a function of its own, so that a broken signature points at the broken step.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "crypto.hpp"
#include "http.hpp"
#include "parameters.hpp"

namespace gateway {

inline constexpr std::string_view kAcs3Name = "ACS3-HMAC-SHA256";

// `parameters` sorted; those named Signature are left out. Appends.
void append_rpc_canonical_query(const Parameters& parameters, std::string& out);
void append_rpc_string_to_sign(std::string_view method, std::string_view canonical_query,
                               std::string& out);

// `parameters` sorted; only those of the query count, the form is in the payload. Appends.
void append_acs3_canonical_query(const Parameters& parameters, std::string& out);
// `signed_names` sorted, in lower case. A name that occurs several times is joined with commas,
// its values sorted; one that does not occur has an empty value.
void append_acs3_canonical_headers(const std::vector<Header>& headers,
                                   const std::vector<std::string_view>& signed_names,
                                   std::string& out);
void append_acs3_canonical_request(std::string_view method, std::string_view path,
                                   std::string_view canonical_query,
                                   std::string_view canonical_headers,
                                   const std::vector<std::string_view>& signed_names,
                                   std::string_view payload_hash, std::string& out);
void append_acs3_string_to_sign(std::string_view canonical_request, Sha256& sha256,
                                std::string& out);

// The value of an ACS3 Authorization header.
struct Acs3Authorization {
  std::string_view access_key_id;
  std::vector<std::string_view> signed_names;  // as sent
  std::string_view signature;
};
// False when a part is missing, empty, unknown or given twice.
bool parse_acs3_authorization(std::string_view value, Acs3Authorization& authorization);

// One access key's secret, prepared for both schemes.
class SigningKey {
 public:
  explicit SigningKey(std::string_view secret)
      : rpc_("SHA1", std::string(secret) + "&"), acs3_("SHA256", secret) {}

  void append_rpc_signature(std::string_view string_to_sign, std::string& out) {
    append_base64(rpc_(string_to_sign), out);
  }
  void append_acs3_signature(std::string_view string_to_sign, std::string& out) {
    append_hex(acs3_(string_to_sign), out);
  }

 private:
  Hmac rpc_;
  Hmac acs3_;
};

}  // namespace gateway
