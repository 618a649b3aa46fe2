// The arguments as they were written: which command, which options, and what help says of them.
// Nothing is judged here but what CLI11 can tell: unknown options (with the nearest name), missing
// values, an option twice. `settings` makes values of the texts.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "io/manual.hpp"
#include "io/settings.hpp"

namespace sagorder::io {

struct Arguments {
  Command command = Command::run;
  std::string input, output, ledger;
  std::optional<std::string> endpoint, ca_file, signature, http_method, profile;
  std::optional<std::string> rate, burst, connections, threads, max_in_flight;
  std::optional<std::string> request_timeout, connect_timeout, replay;
  std::optional<std::string> grace, wait_lock;
  std::optional<std::string> max_orders, max_seats, max_failures, max_doubts;
  std::vector<std::string> set, carry;
  bool strict = false, skip_invalid = false, again = false, dry_run = false, yes = false;
  std::optional<std::string> progress, log_format, summary;
  bool quiet = false;
  std::optional<std::string> row, placed, because;
  bool not_placed = false;
  std::string report;
  std::string help_of;  // empty: the program
  std::optional<std::string> help_as;
};

/// What help says, as values: every command and option of the definition.
Manual program_manual();

/// Throws UsageError.
std::variant<Arguments, PlainText> parse_arguments(int argc, const char* const* argv);

/// A wrong argument as an error shows it: printable, and not too long.
std::string shown_argument(std::string_view argument);

}  // namespace sagorder::io
