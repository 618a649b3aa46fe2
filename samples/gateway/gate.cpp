#include "gate.hpp"

#include <algorithm>

namespace gateway {
namespace {

constexpr auto kClockTolerance = std::chrono::minutes(15);

Refusal missing(std::string_view name) {
  return {400, "Missing" + std::string(name), std::string(name) + " is mandatory for this action."};
}

Refusal incomplete(std::string message) {
  return {400, "IncompleteSignature",
          "The request signature does not conform to the standard: " + std::move(message)};
}

Refusal mismatch(std::string_view string_to_sign) {
  return {400, "SignatureDoesNotMatch",
          "Specified signature is not matched with our calculation. server string to sign is:" +
              std::string(string_to_sign)};
}

bool is_form(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  return equal_ignoring_case(type, "application/x-www-form-urlencoded");
}

// The value of Action in a query or a form, as it stands there: no known one is encoded.
std::string_view action_in(std::string_view pairs) {
  constexpr std::string_view kName = "Action=";
  while (!pairs.empty()) {
    const std::string_view pair = pairs.substr(0, pairs.find('&'));
    if (pair.starts_with(kName)) return pair.substr(kName.size());
    pairs.remove_prefix(std::min(pair.size() + 1, pairs.size()));
  }
  return {};
}

std::string_view action_of(const Request& request) {
  std::string_view action = request.value("x-acs-action");
  if (action.empty()) action = action_in(request.query);
  return action.empty() ? action_in(request.body) : action;
}

bool must_be_signed(std::string_view header) {
  return header == "host" || header == "content-type" || header.starts_with("x-acs-");
}

}  // namespace

Gate::Gate(const Options& options)
    : nonces_(std::chrono::ceil<std::chrono::seconds>(options.nonce_window)),
      quota_(options.quota.calls, options.quota.window),
      rule_set_(options.rule_set),
      allow_repeated_nonces_(options.allow_repeated_nonces),
      oidc_token_(options.oidc_token) {
  for (const Credential& credential : options.credentials)
    holders_.push_back({credential, SigningKey(credential.secret), std::nullopt});
}

void Gate::admit(const Credential& credential, WallTime expires_at) {
  holders_.push_back({credential, SigningKey(credential.secret), expires_at});
}

std::optional<Refusal> Gate::examine(const Request& request, Now now, Call& call) {
  if (auto refusal = read_call(request, call)) return refusal;
  if (auto refusal = check_action(call)) return refusal;
  if (call.operation == Operation::assume_role_with_oidc) {
    if (oidc_token_.empty() || call.parameters.value("OIDCToken") != oidc_token_)
      return Refusal{400, "AuthenticationFail.OIDCToken.Invalid", "This OIDC token is not valid."};
    return check_role(call);
  }
  const bool acs3 = call.scheme == Scheme::acs3_hmac_sha256;
  if (auto refusal = acs3 ? check_acs3_parts(request, call) : check_rpc_parts(call)) return refusal;
  Holder* holder = find_holder(call.access_key_id);
  if (!holder)
    return Refusal{404, "InvalidAccessKeyId.NotFound", "Specified access key is not found."};
  if (auto refusal = check_token(call, *holder, now.wall)) return refusal;
  if (auto refusal = check_timestamp(call, now.wall)) return refusal;
  if (auto refusal = acs3 ? check_acs3_signature(request, call, *holder)
                          : check_rpc_signature(request, call, *holder))
    return refusal;
  if (nonces_.seen(call.access_key_id, call.nonce, now.steady)) {
    ++duplicate_nonces_;
    if (!allow_repeated_nonces_)
      return Refusal{400, "SignatureNonceUsed", "Specified signature nonce was used already."};
  }
  if (!quota_.admit(now.steady))
    return Refusal{400, "Throttling.User", "Request was denied due to user flow control."};
  if (call.operation == Operation::assume_role) return check_role(call);
  if (call.operation != Operation::create_software) return std::nullopt;
  return read_order(call.parameters, call.host, rule_set_, call.order);
}

std::optional<Refusal> Gate::read_call(const Request& request, Call& call) {
  const std::string_view authorization = request.value("authorization");
  call.scheme = authorization.empty() ? Scheme::hmac_sha1 : Scheme::acs3_hmac_sha256;
  call.host = request.value("host");
  const bool acs3 = call.scheme == Scheme::acs3_hmac_sha256;
  // What the errors are written in until the parameters are known.
  call.format = Format::json;
  if (acs3 && request.value("accept").starts_with("application/xml")) call.format = Format::xml;
  if (request.method != "GET" && request.method != "POST")
    return Refusal{403, "UnsupportedHTTPMethod", "This http method is not supported."};
  if (request.path != "/")
    return Refusal{404, "InvalidAction.NotFound",
                   "Specified api is not found, please check your url and method."};

  const bool form = is_form(request.value("content-type"));
  call.parameters.start(request.query.size() + (form ? request.body.size() : 0));
  if (!call.parameters.decode(request.query, true) ||
      (form && !call.parameters.decode(request.body, false)))
    return Refusal{400, "InvalidParameter", "A parameter is not well encoded."};
  const bool unique = call.parameters.sort();
  if (acs3) {
    call.action = request.value("x-acs-action");
    call.version = request.value("x-acs-version");
    call.token = request.value("x-acs-security-token");
    call.timestamp = request.value("x-acs-date");
    call.nonce = request.value("x-acs-signature-nonce");
  } else {
    const std::string_view format = call.parameters.value("Format");
    call.format = equal_ignoring_case(format, "json") ? Format::json : Format::xml;
    if (!format.empty() && call.format == Format::xml && !equal_ignoring_case(format, "xml"))
      return Refusal{400, "InvalidFormat", "Specified parameter Format is not valid."};
    call.action = call.parameters.value("Action");
    call.version = call.parameters.value("Version");
    call.access_key_id = call.parameters.value("AccessKeyId");
    call.token = call.parameters.value("SecurityToken");
    call.timestamp = call.parameters.value("Timestamp");
    call.nonce = call.parameters.value("SignatureNonce");
    call.signature = call.parameters.value("Signature");
  }
  if (!unique) return Refusal{400, "InvalidParameter", "A parameter is given twice."};
  return std::nullopt;
}

std::optional<Refusal> Gate::check_action(Call& call) const {
  if (call.action.empty()) return missing("Action");
  if (call.version.empty()) return missing("Version");
  bool known_version = false;
  for (const OperationFacts& facts : kOperations) {
    known_version = known_version || facts.version == call.version;
    if (facts.action != call.action || facts.version != call.version) continue;
    call.operation = facts.operation;
    return std::nullopt;
  }
  if (!known_version)
    return Refusal{400, "InvalidVersion", "Specified parameter Version is not valid."};
  return Refusal{404, "InvalidAction.NotFound",
                 "Specified api is not found, please check your url and method."};
}

std::optional<Refusal> Gate::check_rpc_parts(const Call& call) const {
  for (const std::string_view name :
       {"AccessKeyId", "Timestamp", "SignatureNonce", "SignatureMethod", "SignatureVersion"}) {
    if (call.parameters.value(name).empty()) return missing(name);
  }
  if (call.signature.empty()) return incomplete("there is no Signature.");
  if (call.parameters.value("SignatureMethod") != "HMAC-SHA1")
    return Refusal{400, "InvalidSignatureMethod", "Specified signature method is not valid."};
  if (call.parameters.value("SignatureVersion") != "1.0")
    return Refusal{400, "InvalidSignatureVersion", "Specified signature version is not valid."};
  return std::nullopt;
}

std::optional<Refusal> Gate::check_acs3_parts(const Request& request, Call& call) const {
  auto& names = call.authorization.signed_names;
  if (!parse_acs3_authorization(request.value("authorization"), call.authorization))
    return incomplete("the Authorization header is not well formed.");
  call.access_key_id = call.authorization.access_key_id;
  call.signature = call.authorization.signature;
  if (call.timestamp.empty()) return missing("Timestamp");
  if (call.nonce.empty()) return missing("SignatureNonce");
  if (!request.find("x-acs-content-sha256")) return incomplete("there is no x-acs-content-sha256.");
  // The sender's order and spelling are part of what is signed: nothing is mended here.
  if (!std::is_sorted(names.begin(), names.end()) ||
      std::adjacent_find(names.begin(), names.end()) != names.end())
    return incomplete("SignedHeaders is not sorted, or names a header twice.");
  for (const Header& header : request.headers) {
    if (must_be_signed(header.name) && !std::binary_search(names.begin(), names.end(), header.name))
      return incomplete("the header " + std::string(header.name) + " is not signed.");
  }
  for (const std::string_view name : names) {
    if (!request.find(name)) return incomplete("a signed header was not sent.");
  }
  return std::nullopt;
}

Gate::Holder* Gate::find_holder(std::string_view access_key_id) {
  for (Holder& holder : holders_) {
    if (holder.credential.id == access_key_id) return &holder;
  }
  return nullptr;
}

std::optional<Refusal> Gate::check_role(const Call& call) const {
  for (const std::string_view name : {"RoleArn", "RoleSessionName"}) {
    if (call.parameters.value(name).empty()) return missing(name);
  }
  if (!call.parameters.value("RoleArn").starts_with("acs:ram::"))
    return Refusal{404, "EntityNotExist.Role", "The role does not exist."};
  return std::nullopt;
}

std::optional<Refusal> Gate::check_token(const Call& call, const Holder& holder,
                                         WallTime now) const {
  if (call.token == holder.credential.token) {
    if (!holder.expires_at || now < *holder.expires_at) return std::nullopt;
    return Refusal{400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired."};
  }
  if (call.token.empty()) return missing("SecurityToken");
  const bool anothers = std::any_of(holders_.begin(), holders_.end(), [&](const Holder& other) {
    return other.credential.token == call.token;
  });
  if (anothers || holder.credential.token.empty())
    return Refusal{400, "InvalidSecurityToken.MismatchWithAccessKey",
                   "Specified SecurityToken mismatch with the AccessKey."};
  return Refusal{400, "InvalidSecurityToken.Malformed", "Specified SecurityToken is malformed."};
}

std::optional<Refusal> Gate::check_timestamp(const Call& call, WallTime now) const {
  const std::optional<WallTime> stamp = parse_timestamp(call.timestamp);
  if (!stamp)
    return Refusal{400, "InvalidTimeStamp.Format",
                   "Specified time stamp or date value is not well formatted."};
  if (now - *stamp > kClockTolerance || *stamp - now > kClockTolerance)
    return Refusal{400, "InvalidTimeStamp.Expired",
                   "Specified time stamp or date value is expired."};
  return std::nullopt;
}

std::optional<Refusal> Gate::check_rpc_signature(const Request& request, const Call& call,
                                                 Holder& holder) {
  canonical_.clear();
  string_to_sign_.clear();
  signature_.clear();
  append_rpc_canonical_query(call.parameters, canonical_);
  append_rpc_string_to_sign(request.method, canonical_, string_to_sign_);
  holder.key.append_rpc_signature(string_to_sign_, signature_);
  if (equal_in_constant_time(signature_, call.signature)) return std::nullopt;
  return mismatch(string_to_sign_);
}

std::optional<Refusal> Gate::check_acs3_signature(const Request& request, const Call& call,
                                                  Holder& holder) {
  for (std::string* text :
       {&canonical_, &headers_, &query_, &payload_hash_, &string_to_sign_, &signature_})
    text->clear();
  append_hex(as_text(sha256_(request.body)), payload_hash_);
  append_acs3_canonical_query(call.parameters, query_);
  append_acs3_canonical_headers(request.headers, call.authorization.signed_names, headers_);
  append_acs3_canonical_request(request.method, request.path, query_, headers_,
                                call.authorization.signed_names, payload_hash_, canonical_);
  append_acs3_string_to_sign(canonical_, sha256_, string_to_sign_);
  holder.key.append_acs3_signature(string_to_sign_, signature_);
  if (equal_in_constant_time(signature_, call.signature) &&
      request.value("x-acs-content-sha256") == payload_hash_)
    return std::nullopt;
  return mismatch(string_to_sign_ + ", server canonical request is:" + canonical_);
}

bool is_inquiry(const Request& request) {
  const std::string_view action = action_of(request);
  return std::any_of(kOperations.begin(), kOperations.end(), [&](const OperationFacts& facts) {
    return facts.action == action && facts.operation != Operation::create_software;
  });
}

}  // namespace gateway
