// A configuration file in TOML 1.0: keys are the long names of options, with typed values.
//
//   rate = "50/s"           # for every command that has the option
//   max-orders = 500
//   carry = ["Site", "Note"]
//   [run]                   # for run alone; goes before what stands above
//   log-format = "json"
//
// Everything is looked at, also what the command at hand does not use: a file is right or wrong,
// whatever is done with it.
#pragma once

#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

#include "io/configuration_keys.hpp"

namespace sagorder::io {

inline constexpr std::size_t kConfigurationBytesMax = 256 * 1024;

/// One assignment of a file.
struct FileSetting {
  std::string command;             ///< of its table; empty: above all tables
  std::string key;                 ///< `max-orders`
  std::vector<std::string> texts;  ///< as on a command line; one, but of a list any number
  std::string where;               ///< `sagorder.toml:3:14`, the value's place
  bool operator==(const FileSetting&) const = default;
};

/// In the file's order of lines. Throws UsageError, which names line and column.
/// @param name of the file, as messages show it
std::vector<FileSetting> parse_configuration(std::string_view bytes, const std::string& name,
                                             const ConfigurationKeys& keys);

/// A link whose target is not there was laid for settings, limits perhaps, that would be missed.
/// Throws UsageError.
void refuse_dangling(const std::string& path);

/// Reads a file that nobody but its owner may write, who is this user or root: whoever writes it
/// chooses how money is spent, and where the signed requests go. Throws UsageError.
/// @param self the user
std::vector<FileSetting> read_configuration(const std::string& path, const ConfigurationKeys& keys,
                                            uid_t self = ::geteuid());

}  // namespace sagorder::io
