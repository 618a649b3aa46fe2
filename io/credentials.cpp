#include "io/credentials.hpp"

#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "io/file.hpp"
#include "io/log.hpp"

namespace sagorder::io {
namespace {

using nlohmann::json;

constexpr const char* kId = "ALIBABA_CLOUD_ACCESS_KEY_ID";
constexpr const char* kSecret = "ALIBABA_CLOUD_ACCESS_KEY_SECRET";
constexpr const char* kToken = "ALIBABA_CLOUD_SECURITY_TOKEN";
constexpr const char* kFile = "ALIBABA_CLOUD_CONFIG_FILE";
constexpr const char* kProfile = "ALIBABA_CLOUD_PROFILE";
constexpr std::size_t kFileBytesMax = 1024 * 1024;

/// A variable that is set to nothing counts as not set.
std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

void wipe(std::string& text) { OPENSSL_cleanse(text.data(), text.size()); }

void wipe(json& value) {
  if (value.is_string()) wipe(value.get_ref<std::string&>());
  if (!value.is_structured()) return;
  for (json& each : value) wipe(each);
}

/// The parsed file; every text in it is wiped when it goes.
struct Parsed {
  json root;
  explicit Parsed(json parsed) : root(std::move(parsed)) {}
  Parsed(const Parsed&) = delete;
  Parsed& operator=(const Parsed&) = delete;
  ~Parsed() { wipe(root); }
};

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

Credentials checked(Credentials found) {
  require_plain(found.key.id, "the access key's id", found.source);
  require_plain(found.key.secret.reveal(), "the access key's secret", found.source);
  require_plain(found.key.security_token.reveal(), "the security token", found.source);
  return found;
}

std::optional<Credentials> from_environment() {
  Credentials found{{environment(kId), Secret(environment(kSecret)), Secret(environment(kToken))},
                    "environment"};
  const AccessKey& key = found.key;
  if (key.id.empty() && key.secret.empty() && key.security_token.empty()) return std::nullopt;
  if (key.id.empty() || key.secret.empty()) {
    throw CredentialsError(std::string("the environment is half set: ") +
                           (key.id.empty() ? kId : kSecret) + " is missing; set it, or unset " +
                           (key.id.empty() ? (key.secret.empty() ? kToken : kSecret) : kId));
  }
  return found;
}

std::string config_path() {
  std::string path = environment(kFile);
  if (!path.empty()) return path;
  const std::string home = environment("HOME");
  return home.empty() ? home : home + "/.aliyun/config.json";
}

void require_unshared(const Fd& file, const std::string& path) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw CredentialsError(path + ": cannot be looked at");
  if (is_shared(status.st_mode, status.st_uid, ::geteuid())) {
    throw CredentialsError(path + ": holds a secret that others may read; run: chmod 600 " + path);
  }
}

json parse_file(const std::string& path) {
  try {
    const Fd file = open_to_read(path);
    require_unshared(file, path);
    std::string bytes = read_all(file, kFileBytesMax, path);
    json root = json::parse(bytes, nullptr, false);
    wipe(bytes);
    if (!root.is_object())
      throw CredentialsError(path + ": is no JSON object; run: aliyun configure");
    return root;
  } catch (const FileError& error) {
    throw CredentialsError(error.what());
  }
}

bool is_there(const std::string& path) {
  try {
    FileIdentity there;
    return !path.empty() && identity_of(path, there);
  } catch (const FileError& error) {
    throw CredentialsError(error.what());
  }
}

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

Credentials from_profile(const json& profile, const std::string& where) {
  const std::string mode = text_in(profile, "mode");
  if (mode != "AK" && mode != "StsToken") {
    throw CredentialsError(where + " has mode \"" + printable(mode) +
                           "\", which is not supported here; use a profile of mode AK or StsToken, "
                           "or set " +
                           kId + ", " + kSecret + " and " + kToken);
  }
  Credentials found{
      {text_in(profile, "access_key_id"), Secret(text_in(profile, "access_key_secret")), Secret()},
      where};
  if (mode == "StsToken") found.key.security_token = Secret(text_in(profile, "sts_token"));
  const bool whole = !found.key.id.empty() && !found.key.secret.empty() &&
                     (mode == "AK" || !found.key.security_token.empty());
  if (!whole) {
    throw CredentialsError(where + " lacks access_key_id, access_key_secret or, for StsToken, " +
                           "sts_token; run: aliyun configure");
  }
  return found;
}

Credentials from_file(const std::string& path, const std::optional<std::string>& wanted) {
  const Parsed parsed(parse_file(path));
  std::string name = wanted ? *wanted : environment(kProfile);
  if (name.empty()) name = text_in(parsed.root, "current");
  if (name.empty()) {
    throw CredentialsError(path + ": names no current profile; choose one with --profile NAME");
  }
  const json* const profile = find_profile(parsed.root, name);
  if (profile == nullptr) {
    throw CredentialsError(path + ": has no profile \"" + printable(name) + "\"");
  }
  return from_profile(*profile, "profile " + printable(name) + " of " + path);
}

}  // namespace

bool is_shared(unsigned mode, unsigned owner, unsigned reader) {
  const bool handed_over = owner == 0 && reader != 0;
  return (mode & (handed_over ? 037U : 077U)) != 0;
}

Credentials find_credentials(const std::optional<std::string>& profile) {
  if (!profile) {
    if (auto found = from_environment()) return checked(std::move(*found));
  }
  const std::string path = config_path();
  if (is_there(path) || profile) {
    if (path.empty()) throw CredentialsError("--profile needs a file, and HOME is not set");
    return checked(from_file(path, profile));
  }
  throw CredentialsError(std::string("no access key: set ") + kId + " and " + kSecret +
                         ", or run: aliyun configure (neither the environment nor " +
                         (path.empty() ? std::string("~/.aliyun/config.json") : path) +
                         " has one)");
}

}  // namespace sagorder::io
