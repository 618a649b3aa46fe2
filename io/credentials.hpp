// The key, where every tool of this cloud looks for it, in the order of the vendor's default chain:
//
//   1. environment     ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and, for a
//                      temporary key, ALIBABA_CLOUD_SECURITY_TOKEN
//   2. OIDC            ALIBABA_CLOUD_ROLE_ARN, ALIBABA_CLOUD_OIDC_PROVIDER_ARN and
//                      ALIBABA_CLOUD_OIDC_TOKEN_FILE
//   3. config.json     ~/.aliyun/config.json, or ALIBABA_CLOUD_CONFIG_FILE; profile
//                      ALIBABA_CLOUD_PROFILE, else the file's `current`; not at all if
//                      ALIBABA_CLOUD_CLI_PROFILE_DISABLED is true
//   4. credentials     ~/.alibabacloud/credentials or credentials.ini, or
//                      ALIBABA_CLOUD_CREDENTIALS_FILE; profile ALIBABA_CLOUD_PROFILE, else default
//   5. instance role   by the metadata service, role ALIBABA_CLOUD_ECS_METADATA or the one that is
//                      attached; without the older form if ALIBABA_CLOUD_IMDSV1_DISABLED is true,
//                      not at all if ALIBABA_CLOUD_ECS_METADATA_DISABLED is
//   6. URI             ALIBABA_CLOUD_CREDENTIALS_URI
//
// --profile NAME goes before all of them: that profile of the two files, whatever the environment
// says. Unlike the vendor's libraries, the chain goes on only where nothing is there: what is half
// set, damaged, readable by others or refused is an error, for an order must not be paid by an
// account that nobody meant.
//
// Source: the default providers of the vendor's credentials libraries for Go, Java and Python.
#pragma once

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/key_source.hpp"
#include "engine/renewal.hpp"
#include "engine/secret.hpp"
#include "engine/signing.hpp"

namespace sagorder::io {

class Routes;
class TlsContext;

/// No usable key (exit 6). The text says where it was looked for and what to do; never the secret.
struct CredentialsError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What a person says about where the key is.
struct KeyChoice {
  std::optional<std::string> profile;    ///< --profile
  std::optional<Endpoint> sts_endpoint;  ///< --sts-endpoint; nullopt: by the profile's region
};

/// Where a key may be, in order: one place, or several of which all but the last were guessed.
struct KeyPlaces {
  std::vector<KeySource> sources;  ///< not empty
  std::string looked;              ///< for people: where nothing was, in order
};

struct Credentials {
  AccessKey key;
  std::string source;              ///< for people: `environment`, or `profile NAME of PATH`
  std::optional<KeyLife> life;     ///< of a key that was fetched, and can be renewed
  std::vector<KeySource> renewal;  ///< where it is asked for again; empty: nowhere

  /// `environment, AccessKeyId LTAI...`, and until when if that is known.
  [[nodiscard]] std::string describe() const;
};

/// Looks at environment and files; asks nobody. Throws CredentialsError.
KeyPlaces find_key(const KeyChoice& choice);

/// The key that is there already, if the first place has one. Throws CredentialsError.
std::optional<Credentials> known_key(const KeyPlaces& places);

/// Who is told while somebody is asked for a key; each may be empty, and may throw.
struct WhileAsking {
  /// Before it begins: `asking the credentials URI for a key`.
  std::function<void(const std::string& what)> begins;
  std::function<void()> goes_on;  ///< every kFetchLook
};

/// Finds it, and fetches it if it has to be. Blocks. Throws CredentialsError.
Credentials obtain_key(const KeyChoice& choice, const TlsContext& tls, Scheme scheme,
                       const Routes& routes, const WhileAsking& watch = {});

/// `AccessKeyId LTAI..., until 2026-01-02T03:04:05Z`.
std::string describe_key(const AccessKey& key, const std::optional<KeyLife>& life);

}  // namespace sagorder::io
