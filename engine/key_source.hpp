// Where a key comes from, as values. io finds out which of them it is, by the environment and by
// files; engine/key_errand knows what to ask for it, and what the answers mean.
//
//   a key that is there        nothing to ask, and it cannot be renewed
//   the role of an instance    asked of the metadata service
//   a credentials URI          asked there
//   a role by an OIDC token    asked of STS, unsigned: the token is the proof
//   and then, in turn, roles   asked of STS, signed with the key before
//
// Source: the vendor's credentials libraries (Go, Java, Python) and the pages of AssumeRole and
// AssumeRoleWithOIDC.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/order.hpp"
#include "engine/secret.hpp"

namespace sagorder {

inline constexpr std::uint32_t kRoleSecondsMin = 900;
inline constexpr std::uint32_t kRoleSecondsMax = 43'200;
inline constexpr std::uint32_t kRoleSecondsDefault = 3'600;
inline constexpr std::string_view kRoleSessionName = "sagorder";  ///< if no other is given
inline constexpr std::size_t kRolesMax = 4;  ///< assumed one after the other; more are a loop
inline constexpr std::size_t kKeyUriMax = 2'048;

/// The metadata service of the instances, plain HTTP within the machine's own network.
Endpoint default_metadata_endpoint();
/// `sts.aliyuncs.com`, port 443; with a region `sts.<region>.aliyuncs.com`, or `sts-vpc.` of it.
Endpoint default_sts_endpoint(std::string_view region = {}, bool vpc = false);

/// `http://HOST[:PORT][/PATH]` or `https://...`, taken apart.
struct KeyUri {
  bool tls = false;
  Endpoint endpoint;
  std::string target = "/";  ///< path and query
};

/// Throws std::invalid_argument with what is wrong. Plain HTTP goes to a loopback address alone: a
/// key would cross the network for everybody to read.
KeyUri parse_key_uri(std::string_view text);

/// `127.0.0.0/8`, `::1` (also in brackets) or `localhost`.
bool is_loopback(std::string_view host);

/// What AssumeRole and AssumeRoleWithOIDC are asked with.
struct RoleTerms {
  std::string arn;
  std::string session_name{kRoleSessionName};
  std::uint32_t seconds = kRoleSecondsDefault;
  std::string policy;       ///< empty: none
  std::string external_id;  ///< empty: none
  Endpoint sts;
};

struct InstanceRole {
  std::string name;          ///< empty: asked for first
  bool tokens_only = false;  ///< the older form, without a token, is not to be used
  Endpoint service;
};

struct OidcRole {
  std::string provider_arn;
  std::string token_file;  ///< read anew for each errand: whoever wrote it replaces it
  RoleTerms role;
};

struct KeySource {
  std::string name;  ///< for people: `environment`, `profile p of /home/u/.aliyun/config.json`
  std::variant<AccessKey, InstanceRole, KeyUri, OidcRole> first;
  std::vector<RoleTerms> roles;  ///< assumed in turn
  bool guessed = false;          ///< nothing named it: it may well not be there

  /// The key is there already: nothing has to be asked for it.
  [[nodiscard]] bool is_known() const {
    return roles.empty() && std::holds_alternative<AccessKey>(first);
  }
};

}  // namespace sagorder
