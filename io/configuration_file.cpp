#include "io/configuration_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <sstream>
#include <tuple>

#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

#include "io/arguments.hpp"
#include "io/file.hpp"
#include "io/log.hpp"
#include "io/settings.hpp"

namespace sagorder::io {
namespace {

using Place = toml::source_position;

/// What a file says, with the place by which it is put in order.
struct Placed {
  Place place;
  FileSetting setting;
};

std::string_view type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a number with a fraction";
    case toml::node_type::boolean:
      return "a boolean";
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
      return "a date or a time";
    case toml::node_type::none:
      break;
  }
  return "nothing";
}

std::string_view wanted(const OptionEntry& option) {
  switch (setting_type(option)) {
    case SettingType::boolean:
      return "true or false, without quotes";
    case SettingType::integer:
      return "a whole number, without quotes";
    case SettingType::integer_or_text:
      return "a whole number, or a percentage such as \"5%\"";
    case SettingType::list:
      return "an array of strings, such as [\"...\"]";
    case SettingType::text:
      break;
  }
  if (option.value == "RATE") return "a string, such as \"10/s\"";
  return option.value == "TIME" ? "a string with its unit, such as \"60s\"" : "a string";
}

class Reading {
 public:
  Reading(const std::string& name, const ConfigurationKeys& keys) : name_(name), keys_(keys) {}

  void read(const toml::table& root) {
    for (const auto& [key, node] : root) {
      if (const toml::table* const table = node.as_table(); table && keys_.is_command(key.str())) {
        read_table(*table, key.str());
      } else {
        read_value("", key, node);
      }
    }
  }

  [[nodiscard]] std::vector<FileSetting> in_order() {
    std::ranges::sort(found_, [](const Placed& a, const Placed& b) {
      return std::tie(a.place.line, a.place.column) < std::tie(b.place.line, b.place.column);
    });
    std::vector<FileSetting> settings;
    for (Placed& each : found_) settings.push_back(std::move(each.setting));
    return settings;
  }

 private:
  void read_table(const toml::table& table, std::string_view command) {
    for (const auto& [key, node] : table) read_value(command, key, node);
  }

  void read_value(std::string_view command, const toml::key& key, const toml::node& node) {
    if (command.empty() && keys_.is_command(key.str())) {
      throw UsageError(where(node.source().begin) + ": " + std::string(key.str()) +
                           " is a command, and wants a table",
                       "write [" + std::string(key.str()) + "] and its settings below it");
    }
    const OptionEntry* const option = keys_.find(command, key.str());
    if (option == nullptr) keys_.refuse_key(where(key.source().begin), command, key.str());
    found_.push_back({node.source().begin,
                      {std::string(command), std::string(key.str()), texts_of(*option, key, node),
                       where(node.source().begin)}});
  }

  std::vector<std::string> texts_of(const OptionEntry& option, const toml::key& key,
                                    const toml::node& node) {
    const SettingType type = setting_type(option);
    if (type == SettingType::list) return list_of(option, key, node);
    const bool fits = type == SettingType::boolean           ? node.is_boolean()
                      : type == SettingType::integer         ? node.is_integer()
                      : type == SettingType::integer_or_text ? node.is_integer() || node.is_string()
                                                             : node.is_string();
    if (!fits) refuse_type(option, key, node);
    return {text_of(node)};
  }

  std::vector<std::string> list_of(const OptionEntry& option, const toml::key& key,
                                   const toml::node& node) {
    const toml::array* const array = node.as_array();
    if (array == nullptr) refuse_type(option, key, node);
    std::vector<std::string> texts;
    for (const toml::node& each : *array) {
      if (!each.is_string()) refuse_type(option, key, each);
      texts.push_back(text_of(each));
    }
    return texts;
  }

  std::string text_of(const toml::node& node) {
    if (const auto* const whole = node.as_integer()) return std::to_string(whole->get());
    if (const auto* const flag = node.as_boolean()) return flag->get() ? "true" : "false";
    const std::string& text = node.as_string()->get();
    if (printable(text) == text) return text;
    throw UsageError(where(node.source().begin) + ": the string holds a control character",
                     "write one line of plain text");
  }

  [[noreturn]] void refuse_type(const OptionEntry& option, const toml::key& key,
                                const toml::node& node) {
    throw UsageError(where(node.source().begin) + ": " + std::string(key.str()) + " is " +
                         std::string(type_name(node)),
                     "write " + std::string(wanted(option)));
  }

  [[nodiscard]] std::string where(Place place) const {
    return name_ + ":" + std::to_string(place.line) + ":" + std::to_string(place.column);
  }

  const std::string& name_;
  const ConfigurationKeys& keys_;
  std::vector<Placed> found_;
};

toml::table parsed(std::string_view bytes, const std::string& name) {
  try {
    return toml::parse(bytes);
  } catch (const toml::parse_error& error) {
    const Place place = error.source().begin;
    throw UsageError(name + ":" + std::to_string(place.line) + ":" + std::to_string(place.column) +
                         ": is no TOML: " + shown_argument(error.description()),
                     "such as: rate = \"10/s\"");
  }
}

void require_own(const struct stat& status, const std::string& path, uid_t self) {
  if (status.st_uid != self && status.st_uid != 0) {
    throw UsageError(path + ": belongs to another user, who could choose how orders are placed",
                     "chown it to yourself or to root, or give --no-config");
  }
  if (S_ISLNK(status.st_mode) || (status.st_mode & (S_IWGRP | S_IWOTH)) == 0) return;
  throw UsageError(path + ": others may write it, and so choose how orders are placed",
                   "run: chmod go-w " + shell_quoted(path));
}

/// Of a link also its owner counts: in a shared directory it is who laid it there.
void require_own_name(const std::string& path, uid_t self) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode)) {
    require_own(status, path, self);
  }
}

}  // namespace

std::vector<FileSetting> parse_configuration(std::string_view bytes, const std::string& name,
                                             const ConfigurationKeys& keys) {
  Reading reading(name, keys);
  reading.read(parsed(bytes, name));
  return reading.in_order();
}

void refuse_dangling(const std::string& path) {
  struct stat status {};
  std::error_code error;
  const auto target = std::filesystem::read_symlink(path, error);
  if (error || ::stat(path.c_str(), &status) == 0 || errno != ENOENT) return;
  throw UsageError(shown_argument(path) + ": is a link to " + shown_argument(target.string()) +
                       ", which is not there",
                   "put the file there, remove the link, or give --no-config");
}

std::vector<FileSetting> read_configuration(const std::string& path, const ConfigurationKeys& keys,
                                            uid_t self) {
  std::string bytes;
  const std::string name = shown_argument(path);
  try {
    require_own_name(path, self);
    const Fd file = open_to_read(path);
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) throw file_error(path, "look at it", errno);
    require_own(status, name, self);
    bytes = read_all(file, kConfigurationBytesMax, path);
  } catch (const FileError& error) {
    throw UsageError(error.what(), "mend it, or give --no-config to do without");
  }
  return parse_configuration(bytes, name, keys);
}

}  // namespace sagorder::io
