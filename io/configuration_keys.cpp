#include "io/configuration_keys.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "engine/wording.hpp"
#include "io/arguments.hpp"
#include "io/settings.hpp"

namespace sagorder::io {
namespace {

constexpr std::string_view kVariablePrefix = "SAGORDER_";
constexpr std::string_view kHint = "sagorder config example shows every setting";

struct Reason {
  std::string_view name;
  std::string_view why;
};

// Why an option of the command line is no setting; kBatch for those that are not named here.
constexpr std::array kReasons = {
    Reason{"yes", "no file and no variable agrees to an order; each command line does, with --yes"},
    Reason{"again", "only a command line orders the same content a second time, with --again"},
    Reason{"row", "evidence is about one row of one batch: give it to resolve"},
    Reason{"placed", "evidence is about one row of one batch: give it to resolve"},
    Reason{"not-placed", "evidence is about one row of one batch: give it to resolve"},
    Reason{"because", "evidence is about one row of one batch: give it to resolve"},
    Reason{"apply", "what is final is said on the command line, with --apply"},
    Reason{"sole-buyer", "your word is about one batch: give it to reconcile"},
    Reason{"same-account", "your word is about one batch: give it to reconcile"},
    Reason{"orders", "which file is ordered is said on the command line"},
    Reason{"input", "which file is ordered is said on the command line"},
    Reason{"results", "which batch is meant is said on the command line"},
    Reason{"config", "only the command line says which files are read"},
    Reason{"no-config", "only the command line says which files are read"},
};
constexpr std::string_view kBatch = "it belongs to one command line, and is given there";
constexpr std::string_view kNoSettings = "this command has no settings";
constexpr std::string_view kSecretWhy =
    "secrets are never in this file or in such a variable; a profile of ~/.aliyun/config.json or "
    "ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET hold the key";
constexpr std::array<std::string_view, 4> kSecretWords = {"secret", "token", "password",
                                                          "access-key"};

std::string in_small(std::string_view key) {
  std::string small(key);
  for (char& each : small) {
    if (each >= 'A' && each <= 'Z') each = static_cast<char>(each + 32);
    if (each == '_') each = '-';
  }
  return small;
}

bool is_secret(const std::string& key) {
  return std::ranges::any_of(
      kSecretWords, [&](std::string_view word) { return key.find(word) != std::string::npos; });
}

std::string_view name_of(const OptionEntry& option) {
  return std::string_view(option.name).substr(2);  // without the dashes
}

bool is_option(const Manual& manual, const std::string& key) {
  const auto is = [&](const OptionEntry& option) { return option.name == "--" + key; };
  return std::ranges::any_of(manual.options, is) ||
         std::ranges::any_of(manual.commands, [&](const CommandEntry& command) {
           return std::ranges::any_of(command.options, is);
         });
}

/// nullopt: nobody knows such a name.
std::optional<std::string_view> reason_of(const Manual& manual, const std::string& key) {
  for (const Reason& each : kReasons) {
    if (each.name == key) return each.why;
  }
  if (manual.command(key) != nullptr) return kNoSettings;
  if (is_option(manual, key)) return kBatch;
  if (is_secret(key)) return kSecretWhy;
  return std::nullopt;
}

/// `--rate` of the configurable options of each command that is meant.
template <class Visit>
void for_each_key(const Manual& manual, std::string_view command, Visit visit) {
  for (const CommandEntry& each : manual.commands) {
    if (!command.empty() && each.name != command) continue;
    for (const OptionEntry& option : each.options) {
      if (option.configurable) visit(each, option);
    }
  }
}

}  // namespace

SettingType setting_type(const OptionEntry& option) {
  if (option.value.empty()) return SettingType::boolean;
  if (option.repeatable) return SettingType::list;
  if (option.value == "N") return SettingType::integer;
  return option.value == "N|N%" ? SettingType::integer_or_text : SettingType::text;
}

std::string variable_of(std::string_view key) {
  std::string name(kVariablePrefix);
  for (const char each : key) {
    name += each == '-' ? '_' : each >= 'a' && each <= 'z' ? static_cast<char>(each - 32) : each;
  }
  return name;
}

const OptionEntry* ConfigurationKeys::find(std::string_view command, std::string_view key) const {
  const OptionEntry* found = nullptr;
  for_each_key(manual_, command, [&](const CommandEntry&, const OptionEntry& option) {
    if (found == nullptr && name_of(option) == key) found = &option;
  });
  return found;
}

std::vector<std::string> ConfigurationKeys::commands() const {
  std::vector<std::string> names;
  for_each_key(manual_, {}, [&](const CommandEntry& command, const OptionEntry&) {
    const bool shows_them = command.name == "config";
    if (!shows_them && (names.empty() || names.back() != command.name)) {
      names.push_back(command.name);
    }
  });
  return names;
}

bool ConfigurationKeys::is_command(std::string_view name) const {
  const auto names = commands();
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<std::string> ConfigurationKeys::keys(std::string_view command) const {
  std::vector<std::string> names;
  for_each_key(manual_, command, [&](const CommandEntry&, const OptionEntry& option) {
    names.emplace_back(name_of(option));
  });
  if (command.empty()) {
    for (std::string& each : commands()) names.push_back(std::move(each));
  }
  return names;
}

std::string ConfigurationKeys::nearest_key(std::string_view command, std::string_view key) const {
  const auto names = keys(command);
  return std::string(nearest(key, std::vector<std::string_view>(names.begin(), names.end()), 2));
}

void ConfigurationKeys::refuse_key(const std::string& where, std::string_view command,
                                   std::string_view key) const {
  const std::string shown = shown_argument(key);
  const std::string of = command.empty() ? "" : " of " + std::string(command);
  const std::string small = in_small(key);
  const auto reason = find({}, small) == nullptr ? reason_of(manual_, small) : std::nullopt;
  if (reason) {
    throw UsageError(where + ": " + shown + " cannot be set in a file", std::string(*reason));
  }
  const std::string near = nearest_key(command, key);
  throw UsageError(where + ": unknown setting" + of + ": " + shown,
                   near.empty() ? std::string(kHint) : "did you mean " + near + "?");
}

void ConfigurationKeys::refuse_variable(std::string_view variable, std::string_view key) const {
  const std::string shown = shown_argument(variable);
  const std::string small = in_small(key);
  const auto reason = find({}, small) == nullptr ? reason_of(manual_, small) : std::nullopt;
  if (reason) {
    throw UsageError(shown + " cannot be set by a variable", std::string(*reason));
  }
  const std::string near = nearest_key({}, key);
  const bool known = !near.empty() && find({}, near) != nullptr;
  throw UsageError(shown + ": unknown setting in the environment",
                   known ? "did you mean " + variable_of(near) + "? Else unset it"
                         : "unset it; " + std::string(kHint));
}

}  // namespace sagorder::io
