// io/configuration_file: whatever the bytes of a configuration file, either settings of the program
// or an error that names a place in it; and what was read is read again out of a plain rendering.
//
// Input: the file.
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/csv.hpp"
#include "io/arguments.hpp"
#include "io/configuration_file.hpp"
#include "io/log.hpp"
#include "io/settings.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace sagorder::io {
namespace {

using fuzz::require;
using Settings = std::vector<FileSetting>;

const Manual& manual() {
  static const Manual of_the_program = program_manual();
  return of_the_program;
}

const ConfigurationKeys& keys() {
  static const ConfigurationKeys of_the_program(manual());
  return of_the_program;
}

void check_shown(std::string_view text) {
  require(printable(text) == text, "an error is one line that no terminal acts on");
  require(csv::utf8_prefix(text) == text.size(), "an error is UTF-8");
  require(text.size() <= 1000, "an error is not too long");
}

/// `:LINE:COLUMN` within the file.
void check_place(std::string_view where, std::string_view file) {
  require(where.starts_with("f:"), "a place names the file");
  where.remove_prefix(2);
  const auto lines = 1 + std::ranges::count(file, '\n');
  const std::string line(where.substr(0, where.find(':')));
  require(!line.empty() && line.find_first_not_of("0123456789") == line.npos && line.size() < 8,
          "a place has a line");
  require(std::stol(line) >= 1 && std::stol(line) <= lines, "the line is in the file");
}

std::string quoted(std::string_view text) {
  std::string all = "\"";
  for (const char each : text) {
    if (each == '"' || each == '\\') all += '\\';
    all += each;
  }
  return all + "\"";
}

std::string value_of(const OptionEntry& option, const std::vector<std::string>& texts) {
  switch (setting_type(option)) {
    case SettingType::boolean:
    case SettingType::integer:
      return texts.front();
    case SettingType::text:
    case SettingType::integer_or_text:
      return quoted(texts.front());
    case SettingType::list:
      break;
  }
  std::string all = "[";
  for (const std::string& text : texts) all += quoted(text) + ", ";
  return all + "]";
}

std::string rendered(const Settings& settings) {
  std::string text;
  for (const FileSetting& each : settings) {
    if (!each.command.empty()) text += each.command + ".";
    text += each.key + " = " + value_of(*keys().find(each.command, each.key), each.texts) + "\n";
  }
  return text;
}

void check(const Settings& settings, std::string_view file) {
  std::set<std::pair<std::string, std::string>> seen;
  for (const FileSetting& each : settings) {
    const OptionEntry* const option = keys().find(each.command, each.key);
    require(option != nullptr, "only what is a setting is set");
    require(seen.emplace(each.command, each.key).second, "nothing is set twice");
    require(setting_type(*option) == SettingType::list || each.texts.size() == 1,
            "but for lists there is one value");
    for (const std::string& text : each.texts) {
      require(printable(text) == text, "a value holds nothing that no argument would");
    }
    check_place(each.where, file);
  }
  const Settings again = parse_configuration(rendered(settings), "f", keys());
  require(again.size() == settings.size(), "what was read is read again");
  for (std::size_t i = 0; i < again.size(); ++i) {
    require(again[i].command == settings[i].command && again[i].key == settings[i].key &&
                again[i].texts == settings[i].texts,
            "what was read is read again as it was");
  }
}

}  // namespace
}  // namespace sagorder::io

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sagorder::io;
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  try {
    check(parse_configuration(file, "f", keys()), file);
  } catch (const UsageError& error) {
    check_shown(error.what());
    check_shown(error.hint);
    check_place(error.what(), file);
  }
  return 0;
}
