#include "io/arguments.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <utility>

#include "engine/wording.hpp"
#include "io/log.hpp"
#include "io/version.hpp"

namespace sagorder::io {
namespace {

constexpr std::size_t kShownMax = 80;
constexpr std::size_t kHelpColumn = 34;  // where descriptions begin
constexpr std::size_t kHelpWidth = 100;

constexpr const char* kNoCommand = "say what to do: run, check, status or resolve";
constexpr const char* kExitCodes =
    "Exit codes: 0 all placed; 1 some rejected, or left out as invalid; 2 usage, or not\n"
    "confirmed; 3 some in doubt; 4 input invalid, changed or ordered before; 5 stopped: a limit,\n"
    "an unreachable endpoint, the first interrupt; 6 credentials, permission, clock or a\n"
    "certificate; 70 internal; 74 ledger or output cannot be written; 75 another process holds\n"
    "the ledger or the output; 130 second interrupt. status ends with 0 whatever it finds.";
constexpr const char* kKeys =
    "The access key is read from ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and\n"
    "ALIBABA_CLOUD_SECURITY_TOKEN, or from a profile of ~/.aliyun/config.json\n"
    "(ALIBABA_CLOUD_CONFIG_FILE, ALIBABA_CLOUD_PROFILE; --profile goes before the environment).\n"
    "It is never an argument.";
constexpr const char* kReplay =
    "never (default) or same-bytes: after a transport fault without one byte of an answer, send "
    "the identical bytes once more, in the same process and within 60 s. This rests on the gateway "
    "refusing a SignatureNonce that it has seen (SignatureNonceUsed), which users report and which "
    "is documented nowhere as a guarantee: without it a row could be ordered twice. Only an "
    "OrderId ends the doubt";

/// Wraps descriptions at the width of the page.
class Wrapped : public CLI::Formatter {
 public:
  Wrapped() { column_width(kHelpColumn); }
  std::string make_option_desc(const CLI::Option* option) const override {
    std::string wrapped;
    std::size_t column = 0;
    for (const std::string& word : CLI::detail::split(option->get_description(), ' ')) {
      const bool full = column > 0 && column + 1 + word.size() > kHelpWidth - kHelpColumn;
      if (column > 0) wrapped += full ? '\n' : ' ';
      column = (full || column == 0 ? 0 : column + 1) + word.size();
      wrapped += word;
    }
    return wrapped;
  }
};

/// The options under one heading of a command's help.
class Group {
 public:
  Group(CLI::App& command, std::string heading) : command_(command), heading_(std::move(heading)) {}

  template <class Text>
  CLI::Option& text(const char* name, const char* shown_as, Text& into, const char* help) {
    return placed(command_.add_option(name, into, help)->type_name(shown_as));
  }
  CLI::Option& list(const char* name, const char* shown_as, std::vector<std::string>& into,
                    const char* help) {
    // One value each time, or it would take the input's name for another one.
    return placed(
        command_.add_option(name, into, help)->type_name(shown_as)->allow_extra_args(false));
  }
  CLI::Option& flag(const char* name, bool& into, const char* help) {
    return placed(command_.add_flag(name, into, help));
  }

 private:
  CLI::Option& placed(CLI::Option* option) { return *option->group(heading_); }
  CLI::App& command_;
  std::string heading_;
};

void add_input(CLI::App& command, Arguments& given) {
  command.add_option("ORDERS", given.input, "CSV file of orders; - reads standard input")
      ->type_name("")
      ->required();
  Group group(command, "Input");
  group.list("--set", "NAME=VALUE", given.set, "a column with this value for all rows; repeatable");
  group.list("--carry", "COLUMN", given.carry,
             "a column that is no parameter, repeated in the results; repeatable");
  group.flag("--strict", given.strict, "warnings about rows are errors");
}

void add_results(CLI::App& command, Arguments& given) {
  command.add_option("RESULTS", given.output, "the results file of a run")
      ->type_name("")
      ->required();
}

CLI::Option& add_output(CLI::App& command, Arguments& given) {
  return Group(command, "Output")
      .text("--output", "RESULTS", given.output,
            "the results file; .jsonl or .json: JSON Lines, else CSV");
}

void add_ledger(CLI::App& command, Arguments& given) {
  Group(command, "Output").text("--ledger", "PATH", given.ledger, "default: RESULTS.ledger");
}

void add_reporting(CLI::App& command, Arguments& given) {
  Group group(command, "Reporting");
  group.flag("--quiet", given.quiet, "warnings and errors only");
  group.text("--log-format", "FORMAT", given.log_format, "text (default) or json");
  group.text("--summary", "FILE", given.summary, "write a summary as JSON to this file");
}

void add_consent(CLI::App& command, Arguments& given) {
  Group group(command, "Consent");
  group.flag("--skip-invalid", given.skip_invalid, "leave invalid rows out and order the rest");
  group.flag("--dry-run", given.dry_run, "show the first request, signed; send nothing");
  group.flag("--yes", given.yes, "do not ask before ordering");
  group.flag("--again", given.again, "order the same content a second time, knowingly");
}

void add_pace(CLI::App& command, Arguments& given) {
  Group group(command, "Pace");
  group.text("--rate", "RATE", given.rate,
             "N/s, N/Ms (N orders in each M seconds), N (a second) or unlimited (default 10/s)");
  group.text("--burst", "N", given.burst, "orders at once (default: 10 ms worth, at least 1)");
  group.text("--connections", "N", given.connections, "1 to 4096 (default 16)");
  group.text("--threads", "N", given.threads, "loops, 1 to 64 (default 1)");
  group.text("--max-in-flight", "N", given.max_in_flight,
             "rows under way at a time, which is what a crash can leave in doubt (default: 16 x "
             "connections)");
}

void add_limits(CLI::App& command, Arguments& given) {
  Group group(command, "Limits");
  group.text("--max-orders", "N", given.max_orders, "orders of this run, doubtful ones included");
  group.text("--max-seats", "N", given.max_seats, "seats (UserCount) of this run");
  group.text("--max-failures", "N|N%", given.max_failures,
             "stop after N refusals in a row, or at N% of the settled rows (default 25)");
  group.text("--max-doubts", "N", given.max_doubts, "stop at N new doubts (default 10)");
}

void add_network(CLI::App& command, Arguments& given) {
  Group group(command, "Network");
  group.text("--endpoint", "URL", given.endpoint, "https://HOST[:PORT] (default: by RegionId)");
  group.text("--ca-file", "PEM", given.ca_file, "trust anchors (default: the system's)");
  group.text("--signature", "SCHEME", given.signature, "acs3-hmac-sha256 (default) or hmac-sha1");
  group.text("--http-method", "METHOD", given.http_method,
             "post (default) or get; get goes with hmac-sha1 only");
  group.text("--request-timeout", "TIME", given.request_timeout,
             "for a whole exchange, 1s to 10m (default 60s)");
  group.text("--connect-timeout", "TIME", given.connect_timeout,
             "for name, connection and TLS, 100ms to 2m (default 10s)");
  group.text("--profile", "NAME", given.profile, "profile of ~/.aliyun/config.json");
  group.text("--replay", "MODE", given.replay, kReplay);
}

void add_run(CLI::App& app, Arguments& given) {
  CLI::App& run = *app.add_subcommand("run", "place the orders; again: resume, nothing twice");
  add_input(run, given);
  add_output(run, given).required();
  add_ledger(run, given);
  add_consent(run, given);
  add_pace(run, given);
  add_limits(run, given);
  add_network(run, given);
  add_reporting(run, given);
  Group(run, "Reporting")
      .text("--progress", "MODE", given.progress, "auto (default), bar, plain, json or none");
  run.footer(std::string(kKeys) + "\n\n" + kExitCodes);
}

void add_check(CLI::App& app, Arguments& given) {
  CLI::App& check = *app.add_subcommand("check", "validate every row and count; send nothing");
  add_input(check, given);
}

void add_status(CLI::App& app, Arguments& given) {
  CLI::App& status =
      *app.add_subcommand("status", "counts, the rows in doubt and the next command");
  add_results(status, given);
  add_ledger(status, given);
}

void add_resolve(CLI::App& app, Arguments& given) {
  CLI::App& resolve = *app.add_subcommand("resolve", "say what became of a row in doubt");
  add_results(resolve, given);
  Group group(resolve, "Evidence");
  group.text("--row", "N", given.row, "the row's number, as in the results").required();
  group.text("--placed", "ORDERID[,SAGID]", given.placed,
             "it was placed, as this order; final, so look twice");
  group.flag("--not-placed", given.not_placed, "it was not placed: it becomes pending again");
  group.text("--because", "TEXT", given.because,
             "how you know, kept in the ledger; --not-placed requires it");
  add_ledger(resolve, given);
}

/// Empty if nothing is near: then a suggestion would be a guess.
std::string nearest_of(std::string_view given, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (given.size() >= 4 && name.starts_with(given)) return name;  // a shortened name
  }
  return std::string(nearest(given, std::vector<std::string_view>(names.begin(), names.end()), 2));
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::string help_of(const CLI::App& command) {
  return "see sagorder " + command.get_name() + " --help";
}

[[noreturn]] void refuse_unknown(const CLI::App& command, const std::string& argument) {
  if (!argument.starts_with("-")) {
    throw UsageError("unexpected argument: " + shown_argument(argument), help_of(command));
  }
  // Without its value, which may be what is kept secret elsewhere.
  const std::string name = argument.substr(0, argument.find('='));
  const std::string near = nearest_of(name, option_names(command));
  throw UsageError("unknown option of " + command.get_name() + ": " + shown_argument(name),
                   near.empty() ? help_of(command) : "did you mean " + near + "?");
}

[[noreturn]] void refuse_command(const std::string& argument) {
  if (argument.starts_with("-")) {
    throw UsageError("unknown option: " + shown_argument(argument.substr(0, argument.find('='))),
                     "see sagorder --help");
  }
  const std::string near = nearest_of(argument, {"run", "check", "status", "resolve"});
  throw UsageError("unknown command: " + shown_argument(argument),
                   near.empty() ? "the commands are run, check, status and resolve"
                                : "did you mean sagorder " + near + "?");
}

const CLI::App* chosen(const CLI::App& app) {
  const auto commands = app.get_subcommands();
  return commands.empty() ? nullptr : commands.front();
}

void refuse_extras(const CLI::App& app) {
  const std::vector<std::string> extras = app.remaining(true);
  if (extras.empty()) return;
  // An unknown option leaves its value behind: the option is what was meant.
  auto extra = std::find_if(extras.begin(), extras.end(),
                            [](const std::string& each) { return each.starts_with("-"); });
  if (extra == extras.end()) extra = extras.begin();
  const CLI::App* const command = chosen(app);
  if (command != nullptr) refuse_unknown(*command, *extra);
  refuse_command(*extra);
}

[[noreturn]] void refuse(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* const command = chosen(app);
  if (command == nullptr) throw UsageError(kNoCommand, "see sagorder --help");
  std::string what = error.what();
  if (error.get_name() == "ArgumentMismatch") {
    const bool twice = what.find("At Most") != std::string::npos;
    what =
        what.substr(0, what.find(':')) + (twice ? ": is given more than once" : ": needs a value");
  }
  throw UsageError(shown_argument(what), help_of(*command));
}

void describe(CLI::App& app, Arguments& given) {
  app.name("sagorder");
  app.formatter(std::make_shared<Wrapped>());
  app.set_help_flag("--help,-h", "show this help");
  app.set_version_flag("--version", version_text(), "show the version and the build");
  app.footer(std::string("sagorder COMMAND --help shows a command's options.\n\n") + kExitCodes);
  app.require_subcommand(0, 1);
  // Unknown arguments are told apart here, so that the nearest name can be suggested.
  app.allow_extras();
  add_run(app, given);
  add_check(app, given);
  add_status(app, given);
  add_resolve(app, given);
}

Command command_of(const std::string& name) {
  if (name == "run") return Command::run;
  if (name == "check") return Command::check;
  return name == "status" ? Command::status : Command::resolve;
}

}  // namespace

std::string shown_argument(std::string_view argument) {
  const bool cut = argument.size() > kShownMax;
  return printable(argument.substr(0, kShownMax)) + (cut ? "..." : "");
}

std::variant<Arguments, PlainText> parse_arguments(int argc, const char* const* argv) {
  CLI::App app("Places orders of Smart Access Gateway software out of a CSV file, each once.");
  Arguments given;
  describe(app, given);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return PlainText{app.help()};
  } catch (const CLI::CallForVersion& version) {
    return PlainText{version.what()};
  } catch (const CLI::ParseError& error) {
    refuse_extras(app);
    refuse(app, error);
  }
  refuse_extras(app);
  const CLI::App* const command = chosen(app);
  if (command == nullptr) throw UsageError(kNoCommand, "see sagorder --help");
  given.command = command_of(command->get_name());
  return given;
}

}  // namespace sagorder::io
