// The arguments as they were written: which command, which options, and what help says of them.
// Nothing is judged here but what CLI11 can tell: unknown options (with the nearest name), missing
// values, an option twice. `settings` makes values of the texts.
#pragma once

#include <memory>
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
  std::optional<std::string> endpoint, ca_file, signature, http_method, profile, sts_endpoint;
  std::optional<std::string> client_certificate, client_key, proxy;
  std::vector<std::string> resolve;
  std::optional<std::string> rate, burst, connections, threads, max_in_flight;
  std::optional<std::string> request_timeout, connect_timeout, replay;
  std::optional<std::string> grace, host_life, wait_lock;
  std::optional<std::string> max_orders, max_seats, max_seat_months, max_failures, max_doubts;
  std::optional<std::string> canary, not_after, plan, plan_expires, history;
  bool allow_repeated_references = false;
  std::vector<std::string> set, carry;
  std::optional<std::string> encoding, delimiter;
  bool strict = false, skip_invalid = false, again = false, dry_run = false, yes = false;
  std::optional<std::string> progress, log_format, summary, metrics, metrics_listen;
  bool quiet = false;
  std::optional<std::string> row, placed, because;
  bool not_placed = false;
  std::string report;
  bool json = false;
  std::optional<std::string> status, original, rows_output, billing_endpoint;
  std::vector<std::string> regions, explained_by;
  bool apply = false, sole_buyer = false, same_account = false;
  std::optional<std::string> config_file;
  bool no_config = false;
  std::string config_action;
  std::optional<std::string> config_for;
  bool config_json = false;
  std::string configured;       // the command whose settings the configuration is
  Configuration configuration;  // of files and variables what no flag overrides, too
  std::string help_of;          // empty: the program
  std::optional<std::string> help_as;
  bool operator==(const Arguments&) const = default;
};

/// What help says, as values: every command and option of the definition.
Manual program_manual();

/// All commands and options, described once; then it reads any number of command lines, each as if
/// it were the first. To describe them takes longer than to read.
class ArgumentReader {
 public:
  ArgumentReader();
  ~ArgumentReader();
  ArgumentReader(const ArgumentReader&) = delete;
  ArgumentReader& operator=(const ArgumentReader&) = delete;

  /// @param around files and variables, for commands that have settings; nullptr: none
  /// Throws UsageError.
  std::variant<Arguments, PlainText> read(int argc, const char* const* argv,
                                          const Surroundings* around = nullptr);

  /// Arguments that hold this one setting of some command and nothing else.
  /// @param texts as on a command line
  Arguments with(std::string_view key, const std::vector<std::string>& texts);

 private:
  struct Described;
  std::unique_ptr<Described> described_;
};

/// A wrong argument as an error shows it: printable, and not too long.
std::string shown_argument(std::string_view argument);

}  // namespace sagorder::io
