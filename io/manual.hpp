// What the program says of itself, as values: the commands with their operands and options. The one
// place where they are written is the definition in arguments.cpp; from its values come help, the
// man pages (here) and the completions of three shells (completion.hpp).
//
// What an option's value may be is told by its name there:
//
//   text|json        in small letters, with bars: a closed set, which completion offers
//   FILE, PEM, ...   one of kFileValues: completion offers files
//   COMMAND          the name of a command
//   N, RATE, ...     anything else: completion offers nothing
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sagorder::io {

/// What `sagorder help --as` prints.
enum class HelpForm : std::uint8_t { text, man, bash, zsh, fish };

inline constexpr std::array<std::string_view, 8> kFileValues = {
    "ORDERS", "RESULTS", "FILE", "PATH", "PEM", "DIR", "DIRECTORY", "CSV"};

enum class ValueKind : std::uint8_t { none, choice, file, command, free };

/// An option, or an operand.
struct OptionEntry {
  std::string name;        ///< `--rate`; of an operand `ORDERS`
  std::string short_name;  ///< `-h`, or empty
  std::string value;       ///< `RATE`; empty: a flag, or an operand
  std::string help;        ///< one paragraph, in one line
  std::string heading;     ///< `Pace`
  bool operand = false;
  bool required = false;
  bool repeatable = false;
  bool configurable = false;  ///< may stand in a configuration file, too

  [[nodiscard]] ValueKind kind() const;
  [[nodiscard]] std::vector<std::string> choices() const;  ///< empty: no closed set
};

struct CommandEntry {
  std::string name;
  std::string summary;  ///< without a full stop
  std::vector<OptionEntry> operands;
  std::vector<OptionEntry> options;  ///< those of a heading may stand apart
  std::vector<std::string> notes;    ///< paragraphs, lines of their own

  [[nodiscard]] std::vector<std::string> headings() const;  ///< each once, in their order
};

struct Manual {
  std::string version;  ///< `0.1.0`
  std::string date;     ///< of this version: `2026-11-23`
  std::string summary;
  std::vector<OptionEntry> options;  ///< those that stand before a command
  std::vector<CommandEntry> commands;

  [[nodiscard]] const CommandEntry* command(std::string_view name) const;
};

/// Lines of at most `width` bytes, broken between words.
std::string filled(std::string_view text, std::size_t width);

/// sagorder(1), in man(7).
std::string man_page(const Manual& manual);

/// sagorder-COMMAND(1), in man(7).
std::string man_page(const Manual& manual, const CommandEntry& command);

}  // namespace sagorder::io
