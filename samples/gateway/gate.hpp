// The gate: every check between a parsed HTTP request and an order that may be executed, or an
// inquiry that may be answered.
//
// In this order, and the first that fails answers: method and path, action and version, the
// signature's parts, the access key, the security token, the timestamp, the signature, the nonce,
// the quota, the order's parameters. So a bad signature never uses a nonce up, and a throttled call
// does.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "answers.hpp"
#include "http.hpp"
#include "operations.hpp"
#include "options.hpp"
#include "parameters.hpp"
#include "rules.hpp"
#include "signature.hpp"

namespace gateway {

enum class Scheme { hmac_sha1, acs3_hmac_sha256 };

// A request as the API sees it. Views into the request and into `parameters`.
struct Call {
  Scheme scheme = Scheme::hmac_sha1;
  Format format = Format::json;
  Parameters parameters;
  std::string_view host;
  std::string_view action;
  std::string_view version;
  std::string_view access_key_id;
  std::string_view token;
  std::string_view timestamp;
  std::string_view nonce;
  std::string_view signature;
  Acs3Authorization authorization;                   // ACS3 only
  Operation operation = Operation::create_software;  // when admitted
  Order order;                                       // when admitted, and one is placed
};

class Gate {
 public:
  explicit Gate(const Options& options);

  // Fills `call` as far as it gets, its format in any case. nullopt: the call may be executed.
  std::optional<Refusal> examine(const Request& request, Now now, Call& call);

  // Another key, until it expires.
  void admit(const Credential& credential, WallTime expires_at);

  // Nonces that came again, refused or not.
  std::uint64_t duplicate_nonces() const { return duplicate_nonces_; }
  const Quota& quota() const { return quota_; }

 private:
  struct Holder {
    Credential credential;
    SigningKey key;
    std::optional<WallTime> expires_at;  // nullopt: lives on
  };

  std::optional<Refusal> read_call(const Request& request, Call& call);
  std::optional<Refusal> check_action(Call& call) const;
  std::optional<Refusal> check_rpc_parts(const Call& call) const;
  std::optional<Refusal> check_acs3_parts(const Request& request, Call& call) const;
  std::optional<Refusal> check_token(const Call& call, const Holder& holder, WallTime now) const;
  std::optional<Refusal> check_role(const Call& call) const;
  std::optional<Refusal> check_timestamp(const Call& call, WallTime now) const;
  std::optional<Refusal> check_rpc_signature(const Request& request, const Call& call,
                                             Holder& holder);
  std::optional<Refusal> check_acs3_signature(const Request& request, const Call& call,
                                              Holder& holder);
  Holder* find_holder(std::string_view access_key_id);

  std::vector<Holder> holders_;
  NonceMemory nonces_;
  Quota quota_;
  RuleSet rule_set_;
  bool allow_repeated_nonces_;
  std::string oidc_token_;
  std::uint64_t duplicate_nonces_ = 0;
  Sha256 sha256_;
  std::string canonical_, headers_, query_, payload_hash_, string_to_sign_, signature_;
};

// Whether a request asks for one of the read-only operations, by a look at its action alone.
bool is_inquiry(const Request& request);

}  // namespace gateway
