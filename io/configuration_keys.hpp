// Which options may stand in a configuration file or in a variable of the environment, and of which
// type they are there. Both follow from the one table of options (io/arguments): an option is a key
// only where the table says so, so that a new one is none until somebody decided it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/manual.hpp"

namespace sagorder::io {

enum class SettingType : std::uint8_t {
  boolean,          ///< a flag
  integer,          ///< N
  integer_or_text,  ///< N|N%
  text,             ///< durations, rates, paths, names, closed sets
  list,             ///< of a repeatable option: texts
};

SettingType setting_type(const OptionEntry& option);

/// `SAGORDER_MAX_ORDERS` of `max-orders`.
std::string variable_of(std::string_view key);

class ConfigurationKeys {
 public:
  /// @param manual outlives this
  explicit ConfigurationKeys(const Manual& manual) : manual_(manual) {}

  /// @param command empty: of any  @return nullptr: no key there
  [[nodiscard]] const OptionEntry* find(std::string_view command, std::string_view key) const;
  /// Those that read a configuration, in the table's order.
  [[nodiscard]] std::vector<std::string> commands() const;
  [[nodiscard]] bool is_command(std::string_view name) const;

  /// Throws UsageError: `where: unknown setting: ...`, with the nearest name or the reason.
  /// @param command empty: of any
  [[noreturn]] void refuse_key(const std::string& where, std::string_view command,
                               std::string_view key) const;
  /// The same of a variable. @param variable `SAGORDER_RAET`
  [[noreturn]] void refuse_variable(std::string_view variable, std::string_view key) const;

 private:
  [[nodiscard]] std::vector<std::string> keys(std::string_view command) const;
  [[nodiscard]] std::string nearest_key(std::string_view command, std::string_view key) const;

  const Manual& manual_;
};

}  // namespace sagorder::io
