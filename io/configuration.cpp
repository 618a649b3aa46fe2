#include "io/configuration.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "io/arguments.hpp"
#include "io/configuration_file.hpp"
#include "io/configuration_keys.hpp"
#include "io/file.hpp"
#include "io/log.hpp"
#include "io/settings.hpp"
#include "io/tls.hpp"

namespace sagorder::io {
namespace {

constexpr const char* kSystemFile = "/etc/sagorder/config.toml";
constexpr const char* kProjectFile = "sagorder.toml";
constexpr std::string_view kVariablePrefix = "SAGORDER_";

// Variables of this prefix that are no settings: a secret, where keys come from (io/credentials),
// and the house's own, for builds, tests and benchmarks.
constexpr auto kOfTheHouse = std::to_array<std::string_view>(
    {kClientPassphrase, "SAGORDER_METADATA_ENDPOINT", "SAGORDER_BUILD", "SAGORDER_SEED",
     "SAGORDER_TIME_SCALE",
#ifdef SAGORDER_KILL_POINTS
     "SAGORDER_KILL_AT",
#endif
     "SAGORDER_CLANG_BUILDS", "SAGORDER_PROFILE_BUILD", "SAGORDER_BENCH_SYNC_US",
     "SAGORDER_BENCH_TRACE", "SAGORDER_UPDATE_GOLDEN", "SAGORDER_TEST_DATA", "SAGORDER_SANITIZE"});

/// An absolute path out of the environment; empty: none.
std::string directory_in(const char* variable) {
  const char* const value = std::getenv(variable);
  return value != nullptr && *value == '/' ? value : "";
}

std::string user_file() {
  std::string home = directory_in("XDG_CONFIG_HOME");
  if (home.empty()) {
    home = directory_in("HOME");
    if (home.empty()) return home;
    home += "/.config";
  }
  return home + "/sagorder/config.toml";
}

bool is_there(const std::string& path) {
  try {
    FileIdentity there;
    return identity_of(path, there);
  } catch (const FileError& error) {
    throw UsageError(error.what(), "mend it, or give --no-config to do without");
  }
}

class Gathering {
 public:
  Gathering(std::string command, const Manual& manual)
      : command_(std::move(command)), keys_(manual) {}

  void add_file(Layer layer, const std::string& path, bool required) {
    if (path.empty()) return;
    refuse_dangling(path);
    const bool read = required || is_there(path);
    found_.files.push_back({layer, path, read});
    if (!read) return;
    const auto settings = read_configuration(path, keys_);
    for (const FileSetting& each : settings) {
      found_.read_of_all.push_back({layer, each.where, each.key, each.texts});
    }
    for (const bool of_the_command : {false, true}) {
      for (const FileSetting& each : settings) {
        if (each.command.empty() == of_the_command) continue;
        if (of_the_command && each.command != command_) continue;
        add({layer, each.where, each.key, each.texts});
      }
    }
  }

  void add_variable(const std::string& definition) {
    const std::size_t equals = std::min(definition.find('='), definition.size());
    const std::string name = definition.substr(0, equals);
    if (!name.starts_with(kVariablePrefix) || equals + 1 >= definition.size()) return;
    if (std::ranges::find(kOfTheHouse, name) != kOfTheHouse.end()) return;
    const std::string key = key_of(name);
    const OptionEntry* const option = keys_.find("", key);
    if (option == nullptr || variable_of(key) != name) {
      keys_.refuse_variable(name, std::string_view(name).substr(kVariablePrefix.size()));
    }
    ConfiguredValue value{Layer::variable, name, key,
                          texts_of(*option, name, definition.substr(equals + 1))};
    found_.read_of_all.push_back(value);
    add(std::move(value));
  }

  Configuration take() { return std::move(found_); }

 private:
  /// What the command has no use for is right all the same, and left out.
  void add(ConfiguredValue value) {
    if (keys_.find(command_, value.key) != nullptr) found_.values.push_back(std::move(value));
  }

  static std::string key_of(const std::string& variable) {
    std::string key = variable.substr(kVariablePrefix.size());
    for (char& each : key) {
      if (each == '_') each = '-';
      if (each >= 'A' && each <= 'Z') each = static_cast<char>(each + 32);
    }
    return key;
  }

  /// A list has a value a line; a flag is true or false.
  static std::vector<std::string> texts_of(const OptionEntry& option, const std::string& name,
                                           std::string value) {
    std::vector<std::string> texts{std::move(value)};
    const SettingType type = setting_type(option);
    if (type == SettingType::list) texts = lines_of(texts.front());
    if (type == SettingType::boolean && texts.front() != "true" && texts.front() != "false") {
      throw UsageError(name + " is " + shown_argument(texts.front()), "write true or false");
    }
    for (const std::string& text : texts) {
      if (printable(text) == text) continue;
      throw UsageError(name + ": holds a control character", "write one line of plain text");
    }
    return texts;
  }

  static std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      if (end > begin) lines.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
    return lines;
  }

  std::string command_;
  ConfigurationKeys keys_;
  Configuration found_;
};

}  // namespace

std::string_view name_of(Layer layer) {
  switch (layer) {
    case Layer::system:
      return "system";
    case Layer::user:
      return "user";
    case Layer::project:
      return "project";
    case Layer::variable:
      return "variable";
    case Layer::flag:
      return "flag";
  }
  return "";
}

const ConfiguredValue* Configuration::effective(std::string_view key) const {
  const auto found = std::find_if(values.rbegin(), values.rend(),
                                  [&](const ConfiguredValue& each) { return each.key == key; });
  return found == values.rend() ? nullptr : &*found;
}

std::vector<const ConfiguredValue*> Configuration::overridden(std::string_view key) const {
  std::vector<const ConfiguredValue*> found;
  for (auto each = values.rbegin(); each != values.rend(); ++each) {
    if (each->key == key && &*each != effective(key)) found.push_back(&*each);
  }
  return found;
}

std::string Configuration::sources() const {
  std::string text;
  for (const ConfigurationFile& file : files) {
    std::string keys;
    for (const ConfiguredValue& value : values) {
      if (value.layer != file.layer || effective(value.key) != &value) continue;
      keys += (keys.empty() ? "" : ", ") + value.key;
    }
    if (!keys.empty()) text += (text.empty() ? "" : ", ") + file.path + " (" + keys + ")";
  }
  for (const ConfiguredValue& value : values) {
    if (value.layer != Layer::variable || effective(value.key) != &value) continue;
    text += (text.empty() ? "" : ", ") + value.where;
  }
  return text;
}

Surroundings surroundings_of_process() {
  Surroundings around;
  for (char** each = environ; each != nullptr && *each != nullptr; ++each) {
    around.variables.emplace_back(*each);
  }
  std::ranges::sort(around.variables);  // the same error each time
  around.system_file = kSystemFile;
  around.user_file = user_file();
  around.project_file = kProjectFile;
  return around;
}

Configuration gather(const Surroundings& around, const ConfigurationRequest& request,
                     const Manual& manual) {
  if (request.named && request.named->empty()) throw UsageError("--config: needs a path");
  Gathering gathering(request.command, manual);
  gathering.add_file(Layer::system, around.system_file, false);
  gathering.add_file(Layer::user, around.user_file, false);
  gathering.add_file(Layer::project, request.named.value_or(around.project_file),
                     request.named.has_value());
  for (const std::string& each : around.variables) gathering.add_variable(each);
  return gathering.take();
}

}  // namespace sagorder::io
