#include "io/credentials.hpp"

#include <cstdlib>
#include <string_view>
#include <utility>

#include "io/commands.hpp"
#include "io/credentials_file.hpp"
#include "io/driver.hpp"
#include "io/key_fetcher.hpp"
#include "io/log.hpp"

namespace sagorder::io {
namespace {

constexpr const char* kId = "ALIBABA_CLOUD_ACCESS_KEY_ID";
constexpr const char* kSecret = "ALIBABA_CLOUD_ACCESS_KEY_SECRET";
constexpr const char* kToken = "ALIBABA_CLOUD_SECURITY_TOKEN";
constexpr const char* kRoleArn = "ALIBABA_CLOUD_ROLE_ARN";
constexpr const char* kOidcProvider = "ALIBABA_CLOUD_OIDC_PROVIDER_ARN";
constexpr const char* kOidcToken = "ALIBABA_CLOUD_OIDC_TOKEN_FILE";
constexpr const char* kSession = "ALIBABA_CLOUD_ROLE_SESSION_NAME";
constexpr const char* kStsRegion = "ALIBABA_CLOUD_STS_REGION";
constexpr const char* kVpc = "ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED";
constexpr const char* kConfigFile = "ALIBABA_CLOUD_CONFIG_FILE";
constexpr const char* kNoConfig = "ALIBABA_CLOUD_CLI_PROFILE_DISABLED";
constexpr const char* kIniFile = "ALIBABA_CLOUD_CREDENTIALS_FILE";
constexpr const char* kProfile = "ALIBABA_CLOUD_PROFILE";
constexpr const char* kInstance = "ALIBABA_CLOUD_ECS_METADATA";
constexpr const char* kNoInstance = "ALIBABA_CLOUD_ECS_METADATA_DISABLED";
constexpr const char* kTokensOnly = "ALIBABA_CLOUD_IMDSV1_DISABLED";
constexpr const char* kUri = "ALIBABA_CLOUD_CREDENTIALS_URI";
/// This program's own: where the metadata service is stood in for, on this machine.
constexpr const char* kStandIn = "SAGORDER_METADATA_ENDPOINT";

/// A variable that is set to nothing counts as not set.
std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

bool is_true(const char* name) {
  const std::string value = environment(name);
  return value == "true" || value == "True" || value == "TRUE";
}

/// A key goes into a header line: what is no plain text there is a mistake of copying.
void require_plain(std::string_view text, const char* what, const std::string& where) {
  for (const char each : text) {
    const auto byte = static_cast<unsigned char>(each);
    if (byte <= ' ' || byte >= 0x7f) {
      throw CredentialsError(
          std::string(what) + " of " + where +
          " holds a blank, a line end or a character beyond ASCII; copy it again");
    }
  }
}

const KeySource& checked(const KeySource& found) {
  if (const auto* key = std::get_if<AccessKey>(&found.first)) {
    require_plain(key->id, "the access key's id", found.name);
    require_plain(key->secret.reveal(), "the access key's secret", found.name);
    require_plain(key->security_token.reveal(), "the security token", found.name);
  }
  return found;
}

KeyUri uri_of(const char* variable) {
  try {
    return parse_key_uri(environment(variable));
  } catch (const std::invalid_argument& error) {
    throw CredentialsError(std::string(variable) + ": " + error.what());
  }
}

Endpoint metadata_endpoint() {
  if (environment(kStandIn).empty()) return default_metadata_endpoint();
  const KeyUri uri = uri_of(kStandIn);
  if (uri.tls || uri.target != "/") {
    throw CredentialsError(std::string(kStandIn) + ": must be http://ADDRESS:PORT of this machine");
  }
  return uri.endpoint;
}

/// Looks in one place after the other; what is not there is noted.
class Chain {
 public:
  explicit Chain(const KeyChoice& choice) : choice_(choice) {}

  KeyPlaces look() {
    std::optional<KeySource> found;
    if (choice_.profile) {
      found = from_files(*choice_.profile);
      if (!found) refuse_profile(*choice_.profile, "--profile");
    }
    if (!found) found = from_environment();
    if (!found) found = from_oidc();
    if (!found) found = from_chosen_profile();
    if (found) return {{checked(*found)}, looked_};
    KeyPlaces places;
    add_instance(places.sources);
    add_uri(places.sources);
    places.looked = looked_;
    if (places.sources.empty()) throw nothing(looked_);
    return places;
  }

  static CredentialsError nothing(const std::string& looked) {
    return CredentialsError(std::string("no access key: set ") + kId + " and " + kSecret +
                            ", or run: aliyun configure; looked, in this order, at " + looked);
  }

 private:
  void note(const std::string& place, const std::string& why) {
    looked_ += (looked_.empty() ? "" : "; ") + place + " (" + why + ")";
  }

  std::optional<KeySource> from_environment() {
    AccessKey key{environment(kId), Secret(environment(kSecret)), Secret(environment(kToken))};
    if (key.id.empty() && key.secret.empty() && key.security_token.empty()) {
      note("the environment", std::string(kId) + " is not set");
      return std::nullopt;
    }
    if (key.id.empty() || key.secret.empty()) {
      throw CredentialsError(std::string("the environment is half set: ") +
                             (key.id.empty() ? kId : kSecret) + " is missing; set it, or unset " +
                             (key.id.empty() ? (key.secret.empty() ? kToken : kSecret) : kId));
    }
    return KeySource{"environment", std::move(key), {}, false};
  }

  /// A role's ARN alone means nothing here: profiles take theirs from it.
  std::optional<KeySource> from_oidc() {
    OidcRole oidc{environment(kOidcProvider), environment(kOidcToken), {}};
    oidc.role.arn = environment(kRoleArn);
    if (oidc.provider_arn.empty() && oidc.token_file.empty()) {
      note("OIDC", std::string(kOidcToken) + " is not set");
      return std::nullopt;
    }
    for (const auto& [value, name] :
         {std::pair(&oidc.provider_arn, kOidcProvider), std::pair(&oidc.token_file, kOidcToken),
          std::pair(&oidc.role.arn, kRoleArn)}) {
      if (!value->empty()) continue;
      throw CredentialsError(std::string("the environment is half set for OIDC: ") + name +
                             " is missing; set it, or unset the others");
    }
    if (!environment(kSession).empty()) oidc.role.session_name = environment(kSession);
    oidc.role.sts = sts("", false);
    return KeySource{"OIDC token of the environment", std::move(oidc), {}, false};
  }

  std::optional<KeySource> from_chosen_profile() {
    const std::string chosen = environment(kProfile);
    auto found = from_files(chosen.empty() ? std::nullopt : std::optional(chosen));
    if (!found && !chosen.empty()) refuse_profile(chosen, kProfile);
    return found;
  }

  [[noreturn]] void refuse_profile(const std::string& name, const char* by) const {
    throw CredentialsError("there is no profile \"" + printable(name) + "\", which " + by +
                           " names; looked, in this order, at " + looked_);
  }

  /// @param name nullopt: config.json's current one, or `default` of the other file
  std::optional<KeySource> from_files(const std::optional<std::string>& name) {
    auto found = from_config(name);
    return found ? found : from_ini(name);
  }

  std::optional<KeySource> from_config(const std::optional<std::string>& name) {
    if (is_true(kNoConfig)) {
      note("config.json", std::string(kNoConfig) + " is true");
      return std::nullopt;
    }
    const std::string path = path_of(kConfigFile, ".aliyun/config.json");
    if (!is_there(path)) return std::nullopt;
    auto found = read_config_json(path, name, defaults());
    if (!found && !name) throw CredentialsError(path + ": its current profile is not there");
    if (!found) note(path, "no profile \"" + printable(*name) + "\"");
    return found;
  }

  std::optional<KeySource> from_ini(const std::optional<std::string>& name) {
    for (const char* file : {".alibabacloud/credentials", ".alibabacloud/credentials.ini"}) {
      const std::string path = path_of(kIniFile, file);
      if (is_there(path)) {
        auto found = read_credentials_ini(path, name.value_or("default"), defaults());
        if (!found && !name) {
          throw CredentialsError(path + ": has no profile default; choose one with --profile NAME");
        }
        if (!found) note(path, "no profile \"" + printable(*name) + "\"");
        return found;
      }
      if (!environment(kIniFile).empty()) break;
    }
    return std::nullopt;
  }

  /// By the variable, or below HOME; empty: neither is set.
  static std::string path_of(const char* variable, const char* below_home) {
    std::string path = environment(variable);
    if (!path.empty()) return path;
    const std::string home = environment("HOME");
    return home.empty() ? home : home + "/" + below_home;
  }

  bool is_there(const std::string& path) {
    try {
      FileIdentity there;
      if (path.empty()) {
        note("files", "HOME is not set");
      } else if (!identity_of(path, there)) {
        note(path, "not there");
      } else {
        return true;
      }
    } catch (const FileError& error) {
      throw CredentialsError(error.what());
    }
    return false;
  }

  [[nodiscard]] ProfileDefaults defaults() const {
    return {[this](const std::string& region, bool vpc) { return sts(region, vpc); },
            environment(kSession), environment(kRoleArn),
            [](const std::string& role_name) {
              if (!is_true(kNoInstance)) return instance(role_name);
              throw CredentialsError(std::string("the profile asks the metadata service, and ") +
                                     kNoInstance + " is true");
            }};
  }

  [[nodiscard]] Endpoint sts(const std::string& region, bool vpc) const {
    static constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789-";
    if (choice_.sts_endpoint) return *choice_.sts_endpoint;
    const std::string where = region.empty() ? environment(kStsRegion) : region;
    if (where.find_first_not_of(kAllowed) != std::string::npos) {
      throw CredentialsError("the region of STS is \"" + printable(where) +
                             "\", which is none; such as cn-shanghai");
    }
    return default_sts_endpoint(where, vpc || is_true(kVpc));
  }

  static InstanceRole instance(const std::string& role_name) {
    return {role_name.empty() ? environment(kInstance) : role_name, is_true(kTokensOnly),
            metadata_endpoint()};
  }

  void add_instance(std::vector<KeySource>& sources) {
    if (is_true(kNoInstance)) {
      return note("the metadata service", std::string(kNoInstance) + " is true");
    }
    const bool guessed = environment(kInstance).empty();
    sources.push_back({guessed ? "role of this instance"
                               : "role " + printable(environment(kInstance)) + " of this instance",
                       instance(""),
                       {},
                       guessed});
  }

  /// Whose place was named is not gone beyond.
  void add_uri(std::vector<KeySource>& sources) {
    if (!sources.empty() && !sources.back().guessed) return;
    if (environment(kUri).empty())
      return note("a credentials URI", std::string(kUri) + " is not set");
    sources.push_back({"credentials URI", uri_of(kUri), {}, false});
  }

  const KeyChoice& choice_;
  std::string looked_;
};

Credentials credentials_of(const AccessKey& key, const KeySource& source) {
  std::string name = source.name;
  for (const RoleTerms& role : source.roles) name += ", as role " + printable(role.arn);
  return {key, name, std::nullopt, {}};
}

std::string asking(const std::vector<KeySource>& sources) {
  std::string whom;
  for (const KeySource& each : sources) {
    whom += (whom.empty() ? "the " : ", and then the ") + printable(each.name);
  }
  return "asking " + whom + " for a key";
}

}  // namespace

std::string describe_key(const AccessKey& key, const std::optional<KeyLife>& life) {
  std::string text = "AccessKeyId " + printable(key.id);
  if (life) text += ", until " + timestamp(life->until);
  return text;
}

std::string Credentials::describe() const { return source + ", " + describe_key(key, life); }

KeyPlaces find_key(const KeyChoice& choice) { return Chain(choice).look(); }

std::optional<Credentials> known_key(const KeyPlaces& places) {
  const KeySource& source = places.sources.front();
  if (!source.is_known()) return std::nullopt;
  return credentials_of(std::get<AccessKey>(source.first), source);
}

Credentials obtain_key(const KeyChoice& choice, const TlsContext& tls, Scheme scheme,
                       const Routes& routes, const WhileAsking& watch) {
  KeyPlaces places = find_key(choice);
  if (auto known = known_key(places)) return *known;
  if (watch.begins) watch.begins(asking(places.sources));
  const KeyOutcome outcome = fetch_key(tls, places.sources, scheme, routes, watch.goes_on);
  if (outcome.absent) throw Chain::nothing(places.looked + "; " + outcome.why);
  if (!outcome.key) {
    throw CredentialsError("no key came from the " + outcome.source + ": " + outcome.why);
  }
  Credentials found = credentials_of(outcome.key->key, places.sources.front());
  found.life = KeyLife{now().wall, outcome.key->expires_at};
  found.renewal = std::move(places.sources);
  return found;
}

}  // namespace sagorder::io
