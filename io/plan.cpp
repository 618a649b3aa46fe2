#include "io/plan.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "io/commands.hpp"
#include "io/file.hpp"

namespace sagorder::io {
namespace {

using nlohmann::json;

constexpr const char* kFormat = "sagorder_plan";
constexpr const char* kDigest = "digest";
constexpr const char* kMadeAt = "made_at";
constexpr const char* kExpiresAt = "expires_at";
constexpr const char* kInputPath = "input_path";

/// What a person looks for first stands first; for the digest the order does not matter.
constexpr std::array kInOrder = {
    kFormat,         kMadeAt, kExpiresAt, kInputPath, "input_sha256", "endpoint", "endpoints",
    "access_key_id", "role",  "totals",   "regions",  "set",          "limits"};

std::string sha256_of(const std::string& text) {
  std::array<unsigned char, 32> digest{};
  std::size_t size = 0;
  if (EVP_Q_digest(nullptr, "SHA256", nullptr, text.data(), text.size(), digest.data(), &size) !=
      1) {
    throw std::runtime_error("SHA-256 is not to be had");
  }
  std::string hex;
  for (const unsigned char byte : digest) hex += fmt::format("{:02x}", byte);
  return hex;
}

json json_of(const std::optional<std::uint64_t>& limit) {
  return limit ? json(*limit) : json(nullptr);
}

json json_of(const Totals& totals) {
  return {{"orders", totals.orders},
          {"seats", totals.seats},
          {"seat_months", totals.seat_months},
          {"paid_at_once", totals.auto_pay}};
}

json json_of(const Settings& settings) {
  const Limits& limits = settings.limits;
  return {{"rate", to_string(settings.rate)},
          {"max_orders", json_of(limits.max_orders)},
          {"max_seats", json_of(limits.max_seats)},
          {"max_seat_months", json_of(limits.max_seat_months)},
          {"max_doubts", limits.max_doubts},
          {"max_failures", to_string(limits.max_failures)},
          {"replay", settings.replay == Replay::same_bytes ? "same-bytes" : "never"},
          {"canary", limits.canary > 0 ? json(limits.canary) : json(nullptr)}};
}

std::string host_of(const Settings& settings, const std::string& region) {
  const Endpoint endpoint = settings.endpoint ? *settings.endpoint : default_endpoint(region);
  return endpoint_text(endpoint);
}

/// Of a key that is fetched, and is another one each time: what it is the key of.
std::string role_of(const KeySource& source) {
  if (!source.roles.empty()) return source.roles.back().arn;
  if (const auto* const oidc = std::get_if<OidcRole>(&source.first)) return oidc->role.arn;
  if (const auto* const uri = std::get_if<KeyUri>(&source.first)) {
    return endpoint_text(uri->endpoint) + uri->target.substr(0, uri->target.find('?'));
  }
  const auto* const instance = std::get_if<InstanceRole>(&source.first);
  const bool named = instance != nullptr && !instance->name.empty();
  return named ? "of the instance: " + instance->name : "of the instance";
}

/// What sets it, if it is a limit, is what a person knows.
std::string name_for_people(std::string_view path) {
  constexpr std::string_view kLimits = "limits.";
  if (!path.starts_with(kLimits)) return std::string(path);
  std::string option = "--" + std::string(path.substr(kLimits.size()));
  std::ranges::replace(option, '_', '-');
  return option;
}

/// Names and values of different things, as `--rate: planned "10/s", present "50/s"`.
void compare(const std::string& name, const json& planned, const json& present,
             std::vector<std::string>& differences) {
  if (planned == present) return;
  if (!planned.is_object() || !present.is_object()) {
    const auto text = [](const json& value) { return value.is_null() ? "none" : value.dump(); };
    differences.push_back(fmt::format("{}: planned {}, present {}", name_for_people(name),
                                      text(planned), text(present)));
    return;
  }
  json names = planned;
  names.update(present);
  for (const auto& [each, unused] : names.items()) {
    const std::string path = name.empty() ? each : fmt::format("{}.{}", name, each);
    compare(path, planned.value(each, json()), present.value(each, json()), differences);
  }
}

/// Finds the first name that an object has twice. Of two such members one reader takes the first,
/// another one the last: what somebody looked at may not be what is kept to.
class Twice {
 public:
  /// For each event of the parser, in order. @return true: whatever it is, keep it
  bool see(json::parse_event_t event, const json& parsed) {
    using Event = json::parse_event_t;
    if (event == Event::object_start) names_.emplace_back();
    if (event == Event::object_end) names_.pop_back();
    if (event == Event::key && !names_.back().insert(parsed.get<std::string>()).second) {
      if (found_.is_null()) found_ = parsed;
    }
    return true;
  }
  [[nodiscard]] const json& found() const { return found_; }

 private:
  std::vector<std::set<std::string>> names_;  // of the objects that are open
  json found_;                                // null: none
};

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw Refusal(ExitCode::input, path + ": " + why + "; nothing was sent",
                "make a plan with sagorder check ORDERS --plan FILE");
}

}  // namespace

std::string to_string(const FailureLimit& limit) {
  return std::to_string(limit.value) + (limit.percent ? "%" : "");
}

Plan::Plan(std::string content)
    : content_(std::move(content)), digest_(sha256_of(json::parse(content_).dump())) {}

Plan::Plan(const PlanParts& parts, WallTime made_at, WallTime expires_at) {
  const Settings& settings = parts.settings;
  json plan;
  plan[kFormat] = kPlanFormat;
  plan[kMadeAt] = timestamp(made_at);
  plan[kExpiresAt] = timestamp(expires_at);
  plan[kInputPath] = absolute(settings.input);
  plan["input_sha256"] = parts.input_sha256;
  plan["endpoint"] = endpoint_text(settings.endpoint);
  const auto known = known_key(parts.key);
  plan["access_key_id"] = known ? json(known->key.id) : json(nullptr);
  plan["role"] = known ? json(nullptr) : json(role_of(parts.key.sources.front()));
  plan["totals"] = json_of(parts.validation.totals);
  plan["regions"] = json::object();
  plan["endpoints"] = json::object();
  for (const auto& [region, totals] : parts.validation.by_region) {
    plan["regions"][region] = json_of(totals);
    plan["endpoints"][region] = host_of(settings, region);
  }
  plan["set"] = json::object();
  for (const auto& [name, value] : settings.intake.set) plan["set"][name] = value;
  plan["limits"] = json_of(settings);
  // What is no UTF-8, in a path, is replaced: a person reads it, nothing compares it.
  *this = Plan(plan.dump(-1, ' ', false, json::error_handler_t::replace));
}

Plan Plan::read(const std::string& path) {
  json plan;
  Twice twice;
  try {
    plan = json::parse(
        read_all(open_to_read(path), kPlanBytesMax, path),
        [&](int, json::parse_event_t event, const json& parsed) {
          return twice.see(event, parsed);
        },
        false);
  } catch (const FileError& error) {
    throw Refusal(ExitCode::input, std::string("--plan ") + error.what(), "");
  }
  if (!plan.is_object() || !plan.contains(kFormat)) refuse(path, "is no plan");
  if (!twice.found().is_null()) {
    refuse(path, "has the name " + twice.found().dump() + " twice in one object");
  }
  if (plan[kFormat] != kPlanFormat) {
    refuse(path, "is a plan of format " + plan[kFormat].dump() + "; this sagorder knows format " +
                     std::to_string(kPlanFormat));
  }
  const json digest = plan.value(kDigest, json());
  plan.erase(kDigest);
  Plan found(plan.dump(-1, ' ', false, json::error_handler_t::replace));
  if (digest != found.digest_) refuse(path, "was changed after it was made");
  const json expires = plan.value(kExpiresAt, json());
  if (!expires.is_string() || !Deadline::parse(expires.get<std::string>())) {
    refuse(path, "does not say when it expires");
  }
  return found;
}

void Plan::write(const std::string& path) const {
  const json content = json::parse(content_);
  nlohmann::ordered_json plan;
  for (const char* const name : kInOrder) plan[name] = content.at(name);
  plan[kDigest] = digest_;
  const std::string text = plan.dump(2) + "\n";
  replace_file(path, [&](const Fd& file) { write_all(file, text, path); });
}

WallTime Plan::expires_at() const {
  const auto text = json::parse(content_).at(kExpiresAt).get<std::string>();
  return Deadline::parse(text)->from(WallTime());
}

std::optional<std::vector<std::pair<std::string, std::string>>> Plan::options_from(
    const Plan& present) const {
  json planned = json::parse(content_);
  json now = json::parse(present.content_);
  const json wanted = planned.value("limits", json::object());
  const json given = now.at("limits");
  std::vector<std::pair<std::string, std::string>> options;
  for (const auto& [name, value] : given.items()) {
    const json limit = wanted.value(name, json());
    if (limit == value) continue;
    std::string option = "--" + name;
    std::ranges::replace(option, '_', '-');
    options.emplace_back(option, limit.is_null()     ? ""
                                 : limit.is_string() ? limit.get<std::string>()
                                                     : limit.dump());
  }
  for (json* const each : {&planned, &now}) {
    for (const char* const name : {kMadeAt, kExpiresAt, kInputPath, "limits"}) each->erase(name);
  }
  if (planned != now || options.empty()) return std::nullopt;
  return options;
}

std::vector<std::string> Plan::differences_from(const Plan& present) const {
  std::vector<std::string> differences;
  json planned = json::parse(content_);
  json now = json::parse(present.content_);
  for (const char* const name : {kMadeAt, kExpiresAt, kInputPath}) {
    planned.erase(name);
    now.erase(name);
  }
  compare("", planned, now, differences);
  return differences;
}

}  // namespace sagorder::io
