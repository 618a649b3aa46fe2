#include "engine/key_errand.hpp"

#include <openssl/crypto.h>
#include <simdjson.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "engine/ascii.hpp"
#include "engine/query.hpp"
#include "engine/request.hpp"
#include "engine/timestamp.hpp"

namespace sagorder {
namespace {

using simdjson::dom::object;

constexpr std::string_view kTokenPath = "/latest/api/token";
constexpr std::string_view kRolesPath = "/latest/meta-data/ram/security-credentials/";
constexpr int kNotFound = 404;
constexpr int kServerErrors = 500;

/// Moves the text into a Secret and wipes what it was in.
Secret taken(std::string& text) {
  Secret secret(text);
  OPENSSL_cleanse(text.data(), text.size());
  text.clear();
  return secret;
}

bool is_plain(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

/// As roles are named: letters, digits and `-`, `_`, `.`, `@`.
bool is_role_name(std::string_view text) {
  const auto allowed = [](char c) {
    return is_letter(c) || is_digit(c) || c == '-' || c == '_' || c == '.' || c == '@';
  };
  return !text.empty() && text.size() <= kMetadataTextMax && std::ranges::all_of(text, allowed);
}

bool is_success(const Reply& reply) {
  return reply.status >= 200 && reply.status <= 299 && !reply.surplus;
}

std::string member_of(const object& in, const char* name) {
  std::string_view text;
  if (in.at_key(name).get_string().get(text) || text.empty()) {
    throw std::invalid_argument(std::string("it lacks ") + name);
  }
  if (!is_plain(text)) {
    throw std::invalid_argument(std::string("its ") + name +
                                " has a blank or a character beyond ASCII");
  }
  return std::string(text);
}

Secret secret_of(const object& in, const char* name) {
  std::string text = member_of(in, name);
  return taken(text);
}

std::string head(std::string_view verb, std::string_view target, const Endpoint& endpoint) {
  constexpr std::uint16_t kHttpPort = 80;
  // host_header leaves 443 out; here a request may be plain, too.
  const Endpoint shown{endpoint.host, endpoint.port == kHttpPort ? Endpoint{}.port : endpoint.port};
  std::string text(verb);
  text.append(" ").append(target).append(" HTTP/1.1\r\nhost: ").append(host_header(shown));
  return text.append("\r\nuser-agent: ").append(kUserAgent).append("\r\nconnection: close\r\n");
}

/// A JSON text's root. What the parser was given, and what it made of it, is wiped when it goes.
class WipedJson {
 public:
  explicit WipedJson(std::string_view text) : size_(text.size()) {
    text_.reserve(size_ + simdjson::SIMDJSON_PADDING);
    text_.append(text).append(simdjson::SIMDJSON_PADDING, ' ');
    is_object_ = !parser_.parse(text_.data(), size_, false).get_object().get(root_);
  }
  ~WipedJson() {
    OPENSSL_cleanse(text_.data(), text_.size());
    // The parser has room for 5/3 of the text: its strings, each with a length before it.
    if (parser_.doc.string_buf) OPENSSL_cleanse(parser_.doc.string_buf.get(), 5 * size_ / 3);
  }
  WipedJson(const WipedJson&) = delete;
  WipedJson& operator=(const WipedJson&) = delete;

  [[nodiscard]] object root() const {
    if (!is_object_) throw std::invalid_argument("it is no JSON object");
    return root_;
  }

 private:
  std::size_t size_;
  std::string text_;
  simdjson::dom::parser parser_;
  object root_;
  bool is_object_ = false;
};

}  // namespace

FetchedKey read_key(std::string_view json, const char* member) {
  const WipedJson parsed(json);
  object root = parsed.root();
  std::string_view code;
  if (!root.at_key("Code").get_string().get(code) && code != "Success") {
    throw std::invalid_argument("its Code is not Success");
  }
  if (*member != '\0') {
    object inner;
    if (root.at_key(member).get_object().get(inner)) {
      throw std::invalid_argument(std::string("it lacks ") + member);
    }
    root = inner;
  }
  FetchedKey found{{member_of(root, "AccessKeyId"), secret_of(root, "AccessKeySecret"),
                    secret_of(root, "SecurityToken")},
                   {}};
  const auto expires_at = parse_timestamp(member_of(root, "Expiration"));
  if (!expires_at) throw std::invalid_argument("its Expiration is no time");
  found.expires_at = *expires_at;
  check_key(found.key);
  return found;
}

KeyErrand::KeyErrand(KeySource source, Scheme scheme, Secret oidc_token)
    : source_(std::move(source)),
      scheme_(scheme),
      oidc_token_(std::move(oidc_token)),
      step_(Step::role),
      secrets_{oidc_token_} {
  if (const auto* key = std::get_if<AccessKey>(&source_.first)) {
    check_key(*key);
    keep(*key);
  } else if (const auto* instance = std::get_if<InstanceRole>(&source_.first)) {
    step_ = Step::metadata_token;
    role_name_ = instance->name;
  } else {
    step_ = std::holds_alternative<KeyUri>(source_.first) ? Step::uri_key : Step::oidc_key;
  }
  if (source_.is_known()) throw std::invalid_argument("this key has nothing to be asked for");
}

void KeyErrand::keep(const AccessKey& key) {
  key_.key = key;
  secrets_.push_back(key.secret);
  secrets_.push_back(key.security_token);
}

KeyQuestion KeyErrand::question(const Stamp& stamp) const {
  switch (step_) {
    case Step::uri_key: {
      const auto& uri = std::get<KeyUri>(source_.first);
      std::string text = head("GET", uri.target, uri.endpoint) + "accept: application/json\r\n\r\n";
      return {uri.tls, uri.endpoint, taken(text)};
    }
    case Step::oidc_key:
      return {true, std::get<OidcRole>(source_.first).role.sts, oidc_question(stamp)};
    case Step::role:
      return {true, role().sts, role_question(stamp)};
    case Step::metadata_token:
    case Step::role_name:
    case Step::instance_key:
      break;
  }
  return {false, std::get<InstanceRole>(source_.first).service, metadata_question()};
}

Secret KeyErrand::metadata_question() const {
  const Endpoint& service = std::get<InstanceRole>(source_.first).service;
  std::string text;
  if (step_ == Step::metadata_token) {
    text = head("PUT", kTokenPath, service) +
           "x-aliyun-ecs-metadata-token-ttl-seconds: " + std::to_string(kMetadataTokenSeconds) +
           "\r\ncontent-length: 0\r\n\r\n";
    return taken(text);
  }
  const std::string path(kRolesPath);
  text = head("GET", step_ == Step::role_name ? path : path + role_name_, service);
  if (!metadata_token_.empty()) {
    text.append("x-aliyun-ecs-metadata-token: ").append(metadata_token_.reveal()).append("\r\n");
  }
  text += "\r\n";
  return taken(text);
}

Secret KeyErrand::oidc_question(const Stamp& stamp) const {
  const auto& oidc = std::get<OidcRole>(source_.first);
  const Query query = assume_role_query(oidc.role);
  std::string body;
  const auto append = [&body](std::string_view name, std::string_view value) {
    if (!body.empty()) body += '&';
    body.append(name).append("=");
    append_encoded(body, value);
  };
  for (const auto& [name, value] : query.parameters) append(name, value);
  append("OIDCProviderArn", oidc.provider_arn);
  append("OIDCToken", oidc_token_.reveal());
  std::string target = "/?Action=AssumeRoleWithOIDC&Format=JSON&SignatureNonce=";
  target.append(stamp.nonce.view()).append("&Timestamp=");
  const Timestamp timestamp = timestamp_of(stamp.at);
  append_encoded(target, std::string_view(timestamp.data(), timestamp.size()));
  target.append("&Version=").append(query.version);
  std::string text = head("POST", target, oidc.role.sts) +
                     "accept: application/json\r\n"
                     "content-type: application/x-www-form-urlencoded\r\ncontent-length: " +
                     std::to_string(body.size()) + "\r\n\r\n" + body;
  OPENSSL_cleanse(body.data(), body.size());
  return taken(text);
}

Secret KeyErrand::role_question(const Stamp& stamp) const {
  WireBuffer wire;
  QueryWriter(scheme_, Method::post, key_.key)
      .write(assume_role_query(role()), host_header(role().sts), stamp, wire);
  for (std::string* text : {&wire.stages.canonical, &wire.stages.string_to_sign}) {
    OPENSSL_cleanse(text->data(), text->size());
  }
  return taken(wire.bytes);
}

void KeyErrand::replied(const Reply& reply, WallTime now) {
  if (step_ == Step::metadata_token) return take_token(reply);
  if (step_ == Step::role_name && reply.status == kNotFound) {
    return nobody("no role is attached to this instance");
  }
  if (!is_success(reply)) return refused(reply);
  if (step_ == Step::role_name) return take_name(reply);
  take_key(reply, now);
}

void KeyErrand::faulted(const Fault& fault) {
  const std::string reason = std::string(name_of(fault.kind)) + ": " + fault.detail;
  const bool unreachable = fault.bytes_accepted == 0;
  if (step_ == Step::metadata_token && unreachable) return nobody(reason);
  const bool comes_again =
      fault.kind == FaultKind::certificate_refused || fault.kind == FaultKind::identity_refused;
  fail(reason, !comes_again);
}

/// Without one the older form is used, as every tool of this vendor does, unless it is forbidden.
void KeyErrand::take_token(const Reply& reply) {
  const std::string_view token = trimmed(reply.body);
  const bool good =
      is_success(reply) && !token.empty() && token.size() <= kMetadataTextMax && is_plain(token);
  if (!good && std::get<InstanceRole>(source_.first).tokens_only) return refused(reply);
  if (good) metadata_token_ = Secret(std::string(token));
  secrets_.push_back(metadata_token_);
  step_ = role_name_.empty() ? Step::role_name : Step::instance_key;
}

void KeyErrand::take_name(const Reply& reply) {
  const std::string_view name = trimmed(reply.body);
  if (!is_role_name(name)) return fail("what it gave is no role's name", false);
  role_name_ = name;
  step_ = Step::instance_key;
}

void KeyErrand::take_key(const Reply& reply, WallTime now) {
  const bool of_sts = step_ == Step::role || step_ == Step::oidc_key;
  try {
    const FetchedKey came = read_key(reply.body, of_sts ? "Credentials" : "");
    keep(came.key);
    key_.expires_at = came.expires_at;
  } catch (const std::invalid_argument& error) {
    return fail(std::string("no whole key is in the answer: ") + error.what(), false);
  }
  if (key_.expires_at <= now) {
    return fail("the key that came has expired already; look at this machine's clock", true);
  }
  if (step_ == Step::role) ++next_role_;
  step_ = Step::role;
  if (next_role_ == source_.roles.size()) state_ = State::got;
}

void KeyErrand::refused(const Reply& reply) {
  if (step_ == Step::instance_key && reply.status == kNotFound) {
    return fail("the role " + role_name_ + " is not attached to this instance", false);
  }
  AnswerReader reader;
  Answer answer;
  reader.hide(secrets_);
  reader.read(reply, answer);
  const bool passes =
      reply.status >= kServerErrors || judge_code(answer.code).effect == Effect::slow_down;
  if (answer.kind == AnswerKind::error) {
    return fail(answer.code + " (HTTP " + std::to_string(reply.status) + "): " + answer.message,
                passes);
  }
  fail("HTTP " + std::to_string(reply.status) + " without a code that is known", passes);
}

void KeyErrand::fail(const std::string& reason, bool may_pass) {
  state_ = State::failed;
  why_ = place() + ": " + reason;
  may_pass_ = may_pass;
}

void KeyErrand::nobody(const std::string& reason) {
  fail(reason, true);
  if (source_.guessed) state_ = State::absent;
}

std::string KeyErrand::place() const {
  switch (step_) {
    case Step::uri_key:
      return "credentials URI at " + host_header(std::get<KeyUri>(source_.first).endpoint);
    case Step::oidc_key:
      return "STS at " + host_header(std::get<OidcRole>(source_.first).role.sts);
    case Step::role:
      return "STS at " + host_header(role().sts);
    case Step::metadata_token:
    case Step::role_name:
    case Step::instance_key:
      break;
  }
  return "metadata service at " + host_header(std::get<InstanceRole>(source_.first).service);
}

}  // namespace sagorder
