#include "io/credentials_file.hpp"

#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "engine/ascii.hpp"
#include "io/credentials.hpp"
#include "io/log.hpp"

namespace sagorder::io {
namespace {

using nlohmann::json;

constexpr std::size_t kFileBytesMax = 1024 * 1024;
constexpr const char* kConfigure = "; run: aliyun configure";

void wipe(std::string& text) { OPENSSL_cleanse(text.data(), text.size()); }

void wipe(json& value) {
  if (value.is_string()) wipe(value.get_ref<std::string&>());
  if (!value.is_structured()) return;
  for (json& each : value) wipe(each);
}

/// The bytes of a file of one's own, wiped when they go.
class SecretBytes {
 public:
  explicit SecretBytes(const std::string& path) {
    try {
      const Fd file = open_to_read(path);
      require_unshared(file, path);
      bytes_ = read_all(file, kFileBytesMax, path);
    } catch (const FileError& error) {
      throw CredentialsError(error.what());
    }
  }
  ~SecretBytes() { wipe(bytes_); }
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  [[nodiscard]] std::string_view text() const { return bytes_; }

 private:
  static void require_unshared(const Fd& file, const std::string& path) {
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) throw CredentialsError(path + ": cannot be looked at");
    if (!is_shared(status.st_mode, status.st_uid, ::geteuid())) return;
    constexpr unsigned kModeBits = 07777;
    char mode[8];
    const auto end = std::to_chars(mode, mode + sizeof mode, status.st_mode & kModeBits, 8).ptr;
    throw CredentialsError(path + ": holds a secret that others may read (mode 0" +
                           std::string(mode, end) + "); run: chmod 600 " + path);
  }
  std::string bytes_;
};

/// One profile's values by name, of either file; wiped when they go.
class Values {
 public:
  Values(std::string where, std::string advice)
      : where_(std::move(where)), advice_(std::move(advice)) {}
  ~Values() {
    for (auto& [name, value] : values_) wipe(value);
  }
  Values(const Values&) = delete;
  Values& operator=(const Values&) = delete;

  /// @return false: it is there already
  bool add(std::string name, std::string value) {
    return values_.emplace(std::move(name), std::move(value)).second;
  }
  /// Empty if it is not there.
  [[nodiscard]] std::string get(const char* name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? std::string() : found->second;
  }
  [[nodiscard]] std::string need(const char* name) const {
    std::string value = get(name);
    if (value.empty()) throw CredentialsError(where_ + " lacks " + name + advice_);
    return value;
  }
  [[nodiscard]] const std::string& where() const { return where_; }

 private:
  std::string where_;
  std::string advice_;
  std::map<std::string, std::string> values_;
};

/// How a file names the parts of a role.
struct RoleNames {
  const char* arn;
  const char* session;
  const char* seconds;
  const char* region;
  const char* vpc;
};
constexpr RoleNames kConfigRole = {"ram_role_arn", "ram_session_name", "expired_seconds",
                                   "sts_region", "enable_vpc"};
constexpr RoleNames kIniRole = {"role_arn", "role_session_name", "role_session_expiration",
                                "sts_region", "enable_vpc"};

std::uint32_t seconds_of(const Values& values, const char* name) {
  const std::string text = values.get(name);
  if (text.empty() || text == "0") return kRoleSecondsDefault;
  std::uint32_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc{} || end != text.data() + text.size() || seconds < kRoleSecondsMin ||
      seconds > kRoleSecondsMax) {
    throw CredentialsError(values.where() + ": " + name + " must be a whole number from " +
                           std::to_string(kRoleSecondsMin) + " to " +
                           std::to_string(kRoleSecondsMax));
  }
  return seconds;
}

RoleTerms role_of(const Values& values, const RoleNames& names, const ProfileDefaults& defaults) {
  RoleTerms role;
  role.arn = values.get(names.arn);
  if (role.arn.empty()) role.arn = defaults.role_arn;
  if (role.arn.empty()) role.arn = values.need(names.arn);
  const std::string session = values.get(names.session);
  if (!session.empty() || !defaults.session_name.empty()) {
    role.session_name = session.empty() ? defaults.session_name : session;
  }
  role.seconds = seconds_of(values, names.seconds);
  role.policy = values.get("policy");
  role.external_id = values.get("external_id");
  role.sts = defaults.sts(values.get(names.region), values.get(names.vpc) == "true");
  return role;
}

AccessKey key_of(const Values& values) {
  return {values.need("access_key_id"), Secret(values.need("access_key_secret")), Secret()};
}

OidcRole oidc_of(const Values& values, const RoleNames& names, const char* token_file,
                 const ProfileDefaults& defaults) {
  return {values.need("oidc_provider_arn"), values.need(token_file),
          role_of(values, names, defaults)};
}

KeyUri uri_of(const Values& values) {
  try {
    return parse_key_uri(values.need("credentials_uri"));
  } catch (const std::invalid_argument& error) {
    throw CredentialsError(values.where() + ": credentials_uri: " + error.what());
  }
}

[[noreturn]] void refuse_kind(const Values& values, const char* what, const std::string& kind,
                              const char* supported) {
  throw CredentialsError(values.where() + " has " + what + " \"" + printable(kind) +
                         "\", which is not supported here; use one of " + supported +
                         ", or set ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET "
                         "and ALIBABA_CLOUD_SECURITY_TOKEN");
}

// --- config.json

/// The parsed file; every text in it is wiped when it goes.
struct Parsed {
  json root;
  explicit Parsed(json parsed) : root(std::move(parsed)) {}
  Parsed(const Parsed&) = delete;
  Parsed& operator=(const Parsed&) = delete;
  ~Parsed() { wipe(root); }
};

std::string text_in(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

const json* find_profile(const json& root, const std::string& name) {
  const auto profiles = root.find("profiles");
  if (profiles == root.end() || !profiles->is_array()) return nullptr;
  for (const json& profile : *profiles) {
    if (profile.is_object() && text_in(profile, "name") == name) return &profile;
  }
  return nullptr;
}

class ConfigJson {
 public:
  ConfigJson(std::string path, const ProfileDefaults& defaults)
      : path_(std::move(path)), defaults_(defaults), parsed_(parse(path_)) {}

  [[nodiscard]] std::optional<KeySource> profile(std::optional<std::string> name) const {
    if (!name) name = text_in(parsed_.root, "current");
    if (name->empty()) {
      throw CredentialsError(path_ + ": names no current profile; choose one with --profile NAME");
    }
    return source(*name, 0);
  }

 private:
  static json parse(const std::string& path) {
    const SecretBytes bytes(path);
    json root = json::parse(bytes.text(), nullptr, false);
    if (!root.is_object()) throw CredentialsError(path + ": is no JSON object" + kConfigure);
    return root;
  }

  [[nodiscard]] std::optional<KeySource> source(const std::string& name, std::size_t depth) const {
    const json* const found = find_profile(parsed_.root, name);
    if (found == nullptr) return std::nullopt;
    Values values("profile " + printable(name) + " of " + path_, kConfigure);
    for (const auto& [key, value] : found->items()) {
      if (value.is_string()) values.add(key, value.get<std::string>());
      if (value.is_number_unsigned() || value.is_boolean()) values.add(key, value.dump());
    }
    return source(values, depth);
  }

  [[nodiscard]] KeySource source(const Values& values, std::size_t depth) const {
    const std::string mode = values.get("mode");
    KeySource source{values.where(), AccessKey{}, {}, false};
    if (mode == "AK" || mode == "StsToken" || mode == "RamRoleArn") {
      AccessKey key = key_of(values);
      if (mode == "StsToken") key.security_token = Secret(values.need("sts_token"));
      source.first = std::move(key);
      if (mode == "RamRoleArn") source.roles = {role_of(values, kConfigRole, defaults_)};
    } else if (mode == "EcsRamRole") {
      source.first = defaults_.instance(values.get("ram_role_name"));
    } else if (mode == "OIDC") {
      source.first = oidc_of(values, kConfigRole, "oidc_token_file", defaults_);
    } else if (mode == "CredentialsURI") {
      source.first = uri_of(values);
    } else if (mode == "ChainableRamRoleArn") {
      return chained(values, depth);
    } else {
      refuse_kind(values, "mode", mode,
                  "AK, StsToken, EcsRamRole, RamRoleArn, ChainableRamRoleArn, OIDC and "
                  "CredentialsURI");
    }
    return source;
  }

  [[nodiscard]] KeySource chained(const Values& values, std::size_t depth) const {
    const std::string name = values.need("source_profile");
    if (depth == kRolesMax) {
      throw CredentialsError(values.where() + ": more than " + std::to_string(kRolesMax) +
                             " roles, one after the other; is its source_profile itself?");
    }
    std::optional<KeySource> before = source(name, depth + 1);
    if (!before) {
      throw CredentialsError(values.where() + ": its source_profile \"" + printable(name) +
                             "\" is not there");
    }
    before->roles.push_back(role_of(values, kConfigRole, defaults_));
    before->name = values.where();
    return *before;
  }

  std::string path_;
  const ProfileDefaults& defaults_;
  Parsed parsed_;
};

// --- the INI file

/// Without the comment behind a value: a # or ; after a blank.
std::string_view without_comment(std::string_view line) {
  for (std::size_t i = 0; i < line.size(); ++i) {
    const bool begins = line[i] == '#' || line[i] == ';';
    if (begins && (i == 0 || is_space(line[i - 1]))) return trimmed(line.substr(0, i));
  }
  return trimmed(line);
}

/// Fills the values of one section. @return false: there is no such section
bool read_section(std::string_view text, const std::string& path, const std::string& name,
                  Values& values) {
  const auto bad = [&path](std::size_t number, const char* what) {
    return CredentialsError(path + ":" + std::to_string(number) + ": " + what);
  };
  bool found = false;
  bool within = false;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view whole = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(whole.size() + 1, text.size()));
    const std::string_view line = without_comment(whole);
    if (line.empty()) continue;
    if (line.front() == '[') {
      if (line.back() != ']') throw bad(number, "a section without its ]");
      within = trimmed(line.substr(1, line.size() - 2)) == name;
      if (within && found) throw bad(number, "the section stands there twice");
      found = found || within;
      continue;
    }
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) throw bad(number, "neither [section] nor name = value");
    if (!within) continue;
    if (!values.add(std::string(trimmed(line.substr(0, equals))),
                    std::string(trimmed(line.substr(equals + 1))))) {
      throw bad(number, "the name stands twice in its section");
    }
  }
  return found;
}

}  // namespace

bool is_shared(unsigned mode, unsigned owner, unsigned reader) {
  const bool handed_over = owner == 0 && reader != 0;
  return (mode & (handed_over ? 037U : 077U)) != 0;
}

std::optional<KeySource> read_config_json(const std::string& path,
                                          const std::optional<std::string>& name,
                                          const ProfileDefaults& defaults) {
  return ConfigJson(path, defaults).profile(name);
}

std::optional<KeySource> read_credentials_ini(const std::string& path, const std::string& name,
                                              const ProfileDefaults& defaults) {
  const SecretBytes bytes(path);
  Values values("profile " + printable(name) + " of " + path, "; add it to its section");
  if (!read_section(bytes.text(), path, name, values)) return std::nullopt;
  if (values.get("enable") == "false") {
    throw CredentialsError(values.where() + " is not enabled; choose another with --profile NAME");
  }
  const std::string type = values.need("type");
  KeySource source{values.where(), AccessKey{}, {}, false};
  if (type == "access_key" || type == "sts" || type == "ram_role_arn") {
    AccessKey key = key_of(values);
    if (type == "sts") key.security_token = Secret(values.need("security_token"));
    source.first = std::move(key);
    if (type == "ram_role_arn") source.roles = {role_of(values, kIniRole, defaults)};
  } else if (type == "ecs_ram_role") {
    source.first = defaults.instance(values.get("role_name"));
  } else if (type == "oidc_role_arn") {
    source.first = oidc_of(values, kIniRole, "oidc_token_file_path", defaults);
  } else {
    refuse_kind(values, "type", type,
                "access_key, sts, ecs_ram_role, ram_role_arn and oidc_role_arn");
  }
  return source;
}

}  // namespace sagorder::io
