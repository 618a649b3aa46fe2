// `config show`: what each setting is and who says so. `config example`: a file to begin with.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "io/arguments.hpp"
#include "io/choices.hpp"
#include "io/commands.hpp"
#include "io/configuration_keys.hpp"
#include "io/setting_values.hpp"

namespace sagorder::io {
namespace {

using nlohmann::json;

constexpr std::size_t kCommentWidth = 96;
constexpr std::size_t kNameWidth = 18;
constexpr std::size_t kValueWidth = 24;

/// One setting of the command that is shown.
struct Line {
  const OptionEntry* option;
  std::string key;
  std::optional<std::vector<std::string>> value;
};

std::vector<Line> lines_of(const Settings& settings, const CommandEntry& command) {
  std::vector<Line> lines;
  for (const OptionEntry& option : command.options) {
    if (!option.configurable) continue;
    const std::string key = option.name.substr(2);
    lines.push_back({&option, key, setting_value(settings, key)});
  }
  return lines;
}

/// A value as TOML has it, which JSON has the same way.
json typed(const OptionEntry& option, const std::vector<std::string>& texts) {
  switch (setting_type(option)) {
    case SettingType::list:
      return texts;
    case SettingType::boolean:
      return texts.front() == "true";
    case SettingType::integer:
      return std::stoull(texts.front());
    case SettingType::integer_or_text:
      if (texts.front().ends_with('%')) return texts.front();
      return std::stoull(texts.front());
    case SettingType::text:
      break;
  }
  return texts.front();
}

/// As it was written, which need not be right: it does not count.
std::string as_written(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : ", ") + text;
  return all;
}

std::string origin_of(const Configuration& configuration, const std::string& key) {
  const ConfiguredValue* const value = configuration.effective(key);
  if (value == nullptr) return "default";
  std::string text = value->where;
  for (const ConfiguredValue* each : configuration.overridden(key)) {
    text += fmt::format("; not {} of {}", as_written(each->texts), each->where);
  }
  return text;
}

void show_text(const Settings& settings, const std::vector<Line>& lines) {
  fmt::print("settings of sagorder {}; what is read later overrides what was read before:\n",
             settings.configured);
  for (const ConfigurationFile& file : settings.configuration.files) {
    fmt::print("  {:<8} {}{}\n", name_of(file.layer), printable(file.path),
               file.read ? "" : " (not there)");
  }
  if (settings.configuration.files.empty()) fmt::print("  none is read: --no-config\n");
  fmt::print("\n{:<{}}{:<{}}{}\n", "setting", kNameWidth, "value", kValueWidth, "from");
  for (const Line& line : lines) {
    const std::string value = line.value ? typed(*line.option, *line.value).dump() : "-";
    fmt::print("{:<{}}{:<{}} {}\n", line.key, kNameWidth, printable(value), kValueWidth - 1,
               printable(origin_of(settings.configuration, line.key)));
  }
}

json json_of(const Configuration& configuration, const Line& line) {
  const ConfiguredValue* const value = configuration.effective(line.key);
  json one = {{"name", line.key}, {"variable", variable_of(line.key)}};
  one["value"] = line.value ? typed(*line.option, *line.value) : json();
  one["from"] = value == nullptr ? "default" : name_of(value->layer);
  one["where"] = value == nullptr ? json() : json(value->where);
  one["overrides"] = json::array();
  for (const ConfiguredValue* each : configuration.overridden(line.key)) {
    one["overrides"].push_back({{"from", name_of(each->layer)},
                                {"where", each->where},
                                {"value", as_written(each->texts)}});
  }
  return one;
}

void show_json(const Settings& settings, const std::vector<Line>& lines) {
  json shown = {
      {"command", settings.configured}, {"files", json::array()}, {"settings", json::array()}};
  for (const ConfigurationFile& file : settings.configuration.files) {
    shown["files"].push_back(
        {{"layer", name_of(file.layer)}, {"path", file.path}, {"read", file.read}});
  }
  for (const Line& line : lines) {
    shown["settings"].push_back(json_of(settings.configuration, line));
  }
  fmt::print("{}\n", shown.dump(2, ' ', false, json::error_handler_t::replace));
}

std::string comment(std::string_view text) {
  std::string lines = "# ";
  for (const char each : filled(text, kCommentWidth)) {
    lines += each;
    if (each == '\n') lines += "# ";
  }
  return lines + "\n";
}

/// What a setting without a value would look like.
std::string sample_of(const OptionEntry& option) {
  const std::string key = option.name.substr(2);
  if (key == "set") return R"(["Period=12"])";
  if (key == "carry") return R"(["Site"])";
  if (key == "region") return R"(["cn-shanghai"])";
  if (key == "resolve") return R"(["gateway.example.com:443:127.0.0.1"])";
  if (key == "proxy") return "\"none\"";
  if (key == "encoding") return "\"GB18030\"";
  if (option.value == "N") return "1000";
  if (option.value == "TIME") return "\"70s\"";
  if (option.value == "PEM") return "\"ca.pem\"";
  if (option.value == "URL") return "\"https://gateway.example.com\"";
  if (key == "metrics") return "\"metrics.prom\"";
  if (option.value == "FILE") return "\"summary.json\"";
  if (option.value == "ADDRESS") return "\"127.0.0.1:9464\"";
  if (option.kind() == ValueKind::choice) return json(option.choices().front()).dump();
  return "\"name\"";
}

void example_of(const Settings& settings, const CommandEntry& command) {
  fmt::print("{}", comment("Settings of sagorder " + command.name +
                           ", as TOML, with their defaults. Take the # away where another value is "
                           "to stand. Where such files are looked for: sagorder help config."));
  for (const std::string& heading : command.headings()) {
    bool first = true;
    for (const Line& line : lines_of(settings, command)) {
      if (line.option->heading != heading) continue;
      if (first) fmt::print("\n# --- {}\n", heading);
      first = false;
      const std::string value =
          line.value ? typed(*line.option, *line.value).dump() : sample_of(*line.option);
      fmt::print("\n{}#{} = {}\n", comment(line.option->help), line.key, value);
    }
  }
}

}  // namespace

ExitCode config_command(const Settings& settings, Log& /*log*/) {
  const Manual manual = program_manual();
  const CommandEntry* const command = manual.command(settings.configured);
  if (command == nullptr) throw std::logic_error("no command " + settings.configured);
  switch (settings.config_action) {
    case ConfigAction::show:
      settings.config_json ? show_json(settings, lines_of(settings, *command))
                           : show_text(settings, lines_of(settings, *command));
      break;
    case ConfigAction::example:
      example_of(settings, *command);
      break;
  }
  return ExitCode::all_placed;
}

}  // namespace sagorder::io
