// What stands around the arguments: files and variables that set options, in layers. A later layer
// overrides an earlier one, whatever it sets, limits too:
//
//   system    /etc/sagorder/config.toml
//   user      $XDG_CONFIG_HOME/sagorder/config.toml (default ~/.config)
//   project   sagorder.toml in the working directory, or what --config names
//   variable  SAGORDER_RATE and the like; one that is set to nothing counts as not set
//   flag      the command line
//
// Within a file, the table of a command goes before what stands above the tables. A list is
// replaced as a whole, never joined.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/manual.hpp"

namespace sagorder::io {

enum class Layer : std::uint8_t { system, user, project, variable, flag };
std::string_view name_of(Layer layer);

struct ConfiguredValue {
  Layer layer = Layer::flag;
  std::string where;               ///< `sagorder.toml:3:14`, `SAGORDER_RATE`, `--rate`
  std::string key;                 ///< `rate`
  std::vector<std::string> texts;  ///< as on a command line
  bool operator==(const ConfiguredValue&) const = default;
};

struct ConfigurationFile {
  Layer layer = Layer::project;
  std::string path;
  bool read = false;  ///< false: it is not there
  bool operator==(const ConfigurationFile&) const = default;
};

struct Configuration {
  std::vector<ConfigurationFile> files;      ///< as they are read
  std::vector<ConfiguredValue> values;       ///< of one key the last one counts
  std::vector<ConfiguredValue> read_of_all;  ///< of files and variables, for any command
  bool operator==(const Configuration&) const = default;

  /// nullptr: nothing sets it.
  [[nodiscard]] const ConfiguredValue* effective(std::string_view key) const;
  /// Those that do not count, the nearest first.
  [[nodiscard]] std::vector<const ConfiguredValue*> overridden(std::string_view key) const;
  /// `sagorder.toml (rate), SAGORDER_BURST`; empty: only the command line sets anything.
  [[nodiscard]] std::string sources() const;
};

/// Where to look. Paths may be empty: then there is no such file.
struct Surroundings {
  std::vector<std::string> variables;  ///< NAME=VALUE, all of the environment
  std::string system_file, user_file, project_file;
  int columns = 0;  ///< of the terminal that help is shown on; 0: on none
};

Surroundings surroundings_of_process();

/// What is to be asked for, of the arguments.
struct ConfigurationRequest {
  std::string command;               ///< whose settings
  std::optional<std::string> named;  ///< --config: in the place of the project's file
};

/// All layers but the flags. Throws UsageError.
Configuration gather(const Surroundings& around, const ConfigurationRequest& request,
                     const Manual& manual);

}  // namespace sagorder::io
