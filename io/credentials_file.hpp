// The two files in which this vendor's tools keep keys, read for one profile.
//
//   config.json   of the command line: modes AK, StsToken, EcsRamRole, RamRoleArn,
//                 ChainableRamRoleArn, OIDC and CredentialsURI
//   credentials   of the SDKs, an INI file: types access_key, sts, ecs_ram_role, ram_role_arn and
//                 oidc_role_arn
//
// A file that others may read is refused, with the command that mends it. What cannot be read
// whole, lacks a field or has a mode that is not known is an error, never a reason to look
// elsewhere. No message shows a value that could be a secret.
//
// Source: the vendor's command line and its credentials libraries for Go, Java and Python.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "engine/key_source.hpp"
#include "io/file.hpp"

namespace sagorder::io {

/// True if others may read (or change) a file of this mode and owner. A file that root owns and
/// that a group may read was given to that group on purpose: so are the credentials that a service
/// manager hands over (LoadCredential=, a secret's volume with fsGroup).
bool is_shared(unsigned mode, unsigned owner, unsigned reader);

/// What a profile leaves to whoever looks for the key.
struct ProfileDefaults {
  /// Of a role: by the profile's region for STS, empty: none.
  std::function<Endpoint(const std::string& region, bool vpc)> sts;
  std::string session_name;  ///< of a role; empty: kRoleSessionName
  std::string role_arn;      ///< of a role that names none
  /// Throws CredentialsError if the metadata service is not to be asked.
  std::function<InstanceRole(const std::string& role_name)> instance;
};

/// @param name nullopt: the file's current one. @return nullopt: it has no such profile (of that
/// name; without a current one: CredentialsError)
std::optional<KeySource> read_config_json(const std::string& path,
                                          const std::optional<std::string>& name,
                                          const ProfileDefaults& defaults);

/// @param name a section. @return nullopt: there is none of that name
std::optional<KeySource> read_credentials_ini(const std::string& path, const std::string& name,
                                              const ProfileDefaults& defaults);

}  // namespace sagorder::io
