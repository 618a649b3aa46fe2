// The access key, where every tool of this cloud looks for it:
//
//   1. --profile NAME: that profile of the file, whatever the environment says
//   2. ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET, and, for a temporary key,
//      ALIBABA_CLOUD_SECURITY_TOKEN
//   3. ~/.aliyun/config.json (or $ALIBABA_CLOUD_CONFIG_FILE), profile $ALIBABA_CLOUD_PROFILE, else
//      the file's `current`; modes AK and StsToken
//
// A flag stands before the environment, as in the vendor's command line. A half-set environment, a
// file that others may read and a mode that is not supported are errors, never a reason to look
// further: an order must not be paid by an account that nobody meant.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>

#include "engine/secret.hpp"

namespace sagorder::io {

/// No usable key (exit 6). The text says where it was looked for and what to do; never the secret.
struct CredentialsError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Credentials {
  AccessKey key;
  std::string source;  ///< for people: `environment`, or `profile NAME of PATH`
};

/// True if others may read (or change) a file of this mode and owner. A file that root owns and
/// that a group may read was given to that group on purpose: so are the credentials that a service
/// manager hands over (LoadCredential=, a secret's volume with fsGroup).
bool is_shared(unsigned mode, unsigned owner, unsigned reader);

/// @param profile of --profile; nullopt: not given
Credentials find_credentials(const std::optional<std::string>& profile);

}  // namespace sagorder::io
