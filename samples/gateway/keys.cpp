#include "keys.hpp"

#include <charconv>
#include <cstdio>
#include <ctime>

namespace gateway {
namespace {

constexpr std::string_view kTokenPath = "/latest/api/token";
constexpr std::string_view kRolesPath = "/latest/meta-data/ram/security-credentials/";
constexpr std::string_view kUriPath = "/credentials";
constexpr int kTokenSecondsMax = 21'600;
constexpr std::size_t kTokensMax = 1'000;

void append_field(std::string_view name, std::string_view value, std::string& out) {
  out.append(out.empty() ? "{" : ",");
  append_json_string(name, out);
  out.push_back(':');
  append_json_string(value, out);
}

}  // namespace

std::string key_time(WallTime at) {
  const std::time_t second = std::chrono::system_clock::to_time_t(at);
  std::tm parts{};
  ::gmtime_r(&second, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

KeyDesk::KeyDesk(const Options& options, Gate& gate, Counts& counts)
    : options_(options), gate_(gate), counts_(counts), chance_(options.seed, 10) {}

std::optional<Refusal> KeyDesk::issue(Now now, IssuedKey& key) {
  ++asked_;
  if (asked_ >= options_.key_failures.first && asked_ <= options_.key_failures.last)
    return Refusal{503, "ServiceUnavailable", "No key can be had at this moment."};
  key.credential = {drawn("STS.", 1), drawn("", 2), drawn("CAIS/", 3) + "+=="};
  key.expires_at = std::chrono::floor<std::chrono::seconds>(
      now.wall + (options_.key_told.count() > 0 ? options_.key_told : options_.key_life));
  gate_.admit(key.credential, now.wall + options_.key_life);
  ++counts_.keys_issued;
  return std::nullopt;
}

void KeyDesk::answer(const Request& request, Now now, std::string& bytes) {
  Plain plain{404, "text/plain", "not here\n"};
  if (request.path == kTokenPath && request.method == "PUT") {
    plain = give_token(request, now);
  } else if (request.method == "GET" && request.path.starts_with(kRolesPath)) {
    plain = give_name_or_key(request, request.path.substr(kRolesPath.size()), now);
  } else if (request.method == "GET" && request.path == kUriPath) {
    plain = give_key(now);
  }
  Head head;
  head.status = plain.status;
  head.content_type = plain.type;
  head.date = date_line_.at(now.wall);
  head.keep_alive = false;
  head.length = plain.body.size();
  append_head(head, bytes);
  bytes.append(plain.body);
}

KeyDesk::Plain KeyDesk::give_token(const Request& request, Now now) {
  const std::string_view text = request.value("x-aliyun-ecs-metadata-token-ttl-seconds");
  int seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  const bool good = error == std::errc() && end == text.data() + text.size() && seconds >= 1 &&
                    seconds <= kTokenSecondsMax;
  if (options_.metadata_v1) return {404, "text/plain", "not here\n"};
  if (!good || tokens_.size() == kTokensMax) return {400, "text/plain", "no such time\n"};
  const std::string token = drawn("", 2);
  tokens_[token] = now.steady + std::chrono::seconds(seconds);
  return {200, "text/plain", token};
}

KeyDesk::Plain KeyDesk::give_name_or_key(const Request& request, std::string_view role, Now now) {
  if (!options_.metadata_v1 && !has_token(request, now))
    return {403, "text/plain", "a token is needed\n"};
  if (role.empty() && !options_.role.empty()) return {200, "text/plain", options_.role + "\n"};
  if (role.empty() || role != options_.role) return {404, "text/plain", "no such role\n"};
  return give_key(now);
}

KeyDesk::Plain KeyDesk::give_key(Now now) {
  IssuedKey key;
  if (const auto refusal = issue(now, key))
    return {refusal->status, "text/plain", refusal->message};
  std::string body;
  append_field("AccessKeyId", key.credential.id, body);
  append_field("AccessKeySecret", key.credential.secret, body);
  append_field("Expiration", key_time(key.expires_at), body);
  append_field("SecurityToken", key.credential.token, body);
  append_field("LastUpdated", key_time(now.wall), body);
  append_field("Code", "Success", body);
  return {200, "application/json", body + "}"};
}

bool KeyDesk::has_token(const Request& request, Now now) const {
  const auto found = tokens_.find(request.value("x-aliyun-ecs-metadata-token"));
  return found != tokens_.end() && now.steady < found->second;
}

std::string KeyDesk::drawn(std::string_view prefix, int words) {
  std::string text(prefix);
  for (int i = 0; i < words; ++i) {
    char hex[17];
    std::snprintf(hex, sizeof hex, "%016llx", static_cast<unsigned long long>(chance_.next()));
    text.append(hex);
  }
  return text;
}

}  // namespace gateway
