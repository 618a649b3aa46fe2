#include "io/arguments.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <memory>
#include <sstream>
#include <utility>

#include "engine/wording.hpp"
#include "io/choices.hpp"
#include "io/completion.hpp"
#include "io/database_address.hpp"
#include "io/exit_code.hpp"
#include "io/log.hpp"
#include "io/version.hpp"

namespace sagorder::io {
namespace {

constexpr std::size_t kShownMax = 80;
constexpr std::size_t kHelpColumn = 34;  // where descriptions begin
constexpr std::size_t kHelpWidth = 100;
constexpr std::size_t kHelpWidthBelow = 72;  // on narrower ones they stand below what they describe
constexpr std::size_t kHelpColumnBelow = 6;
constexpr std::size_t kHelpWidthMin = 24;
constexpr std::size_t kNameIndent = 4;  // of the second line of a name
constexpr std::size_t kFooterWidth = 92;

struct CommandName {
  const char* name;
  Command command;
};

constexpr const char* kHelp = "help";
constexpr const char* kConfig = "config";
constexpr const char* kFiles =
    "Settings are read from /etc/sagorder/config.toml, then $XDG_CONFIG_HOME/sagorder/config.toml "
    "(default ~/.config), then ./sagorder.toml or --config FILE, then variables such as "
    "SAGORDER_MAX_ORDERS, then the command line. A later one overrides an earlier one, whatever it "
    "sets: a limit of the system's file is a default, not a bound. Keys are the long names of "
    "options; a table such as [run] is for that command alone; a list replaces a list. A file that "
    "others may write is refused.";
constexpr const char* kSummary =
    "Places orders of Smart Access Gateway software out of a CSV file, each once.";
constexpr const char* kKeys =
    "The key is never an argument. It is looked for where the vendor's tools look, in this order: "
    "ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET, ALIBABA_CLOUD_SECURITY_TOKEN; "
    "an OIDC token (ALIBABA_CLOUD_ROLE_ARN, ALIBABA_CLOUD_OIDC_PROVIDER_ARN and "
    "ALIBABA_CLOUD_OIDC_TOKEN_FILE); ~/.aliyun/config.json (ALIBABA_CLOUD_CONFIG_FILE); "
    "~/.alibabacloud/credentials (ALIBABA_CLOUD_CREDENTIALS_FILE), both of profile "
    "ALIBABA_CLOUD_PROFILE; the role of the instance (ALIBABA_CLOUD_ECS_METADATA, "
    "ALIBABA_CLOUD_ECS_METADATA_DISABLED, ALIBABA_CLOUD_IMDSV1_DISABLED); and "
    "ALIBABA_CLOUD_CREDENTIALS_URI. --profile goes before all of them. A key that was fetched is "
    "renewed before it expires.";
constexpr const char* kReplay =
    "default: never. same-bytes: after a transport fault without one byte of an answer, send "
    "the identical bytes once more, in the same process and within 60 s. This rests on the gateway "
    "refusing a SignatureNonce that it has seen (SignatureNonceUsed), which users report and which "
    "is documented nowhere as a guarantee: without it a row could be ordered twice. Only an "
    "OrderId ends the doubt";

constexpr CommandName kCommands[] = {
    {"run", Command::run},         {"check", Command::check},         {"status", Command::status},
    {"resolve", Command::resolve}, {"report", Command::report},       {"rows", Command::rows},
    {"doctor", Command::doctor},   {"reconcile", Command::reconcile}, {"results", Command::results},
    {"config", Command::config}};

/// @param command empty: of the program
std::string exit_codes(const std::string& command) {
  std::string text = "Exit codes:";
  for (const ExitMeaning& each : exit_meanings(command)) {
    text += (text.ends_with(':') ? " " : "; ") + std::to_string(static_cast<int>(each.code)) + " " +
            std::string(each.means);
  }
  return text + ".";
}

std::vector<std::string> paragraphs(const std::string& text) {
  std::vector<std::string> found;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find("\n\n", begin), text.size());
    found.push_back(text.substr(begin, end - begin));
    begin = end + 2;
  }
  return found;
}

/// Help in lines of the terminal's width. On a narrow one descriptions stand below the options.
class Wrapped : public CLI::Formatter {
 public:
  Wrapped() { set_columns(0); }
  /// @param columns of the terminal; 0: it is none
  void set_columns(int columns) {
    width_ = kHelpWidth;
    if (columns > 0)
      width_ = std::clamp(static_cast<std::size_t>(columns), kHelpWidthMin, kHelpWidth);
    column_ = width_ < kHelpWidthBelow ? kHelpColumnBelow : kHelpColumn;
    column_width(column_);
  }

  std::string make_option(const CLI::Option* option, bool is_operand) const override {
    return entry(make_option_name(option, is_operand) + make_option_opts(option),
                 option->get_description());
  }
  std::string make_subcommand(const CLI::App* command) const override {
    return entry(command->get_name(), command->get_description());
  }
  std::string make_description(const CLI::App* app) const override {
    return filled(app->get_description(), width_) + "\n";
  }
  std::string make_usage(const CLI::App* app, std::string name) const override {
    return filled(Formatter::make_usage(app, std::move(name)), width_) + "\n";
  }
  std::string make_footer(const CLI::App* app) const override {
    std::string text;
    for (const std::string& each : paragraphs(app->get_footer())) {
      text += (text.empty() ? "" : "\n") + filled(each, std::min(width_, kFooterWidth)) + "\n";
    }
    return text;
  }

 private:
  [[nodiscard]] std::string entry(const std::string& name, const std::string& description) const {
    std::string shown = filled(name, width_ - kNameIndent);
    for (std::size_t i = shown.find('\n'); i != std::string::npos; i = shown.find('\n', i + 1)) {
      shown.insert(i + 1, kNameIndent, ' ');
    }
    std::ostringstream out;
    CLI::detail::format_help(out, shown, filled(description, width_ - column_), column_);
    return out.str();
  }

  std::size_t width_ = kHelpWidth;
  std::size_t column_ = kHelpColumn;
};

/// Whether options may stand in configuration files and variables, too. Not where the answer is
/// about one batch, or agrees to something that costs money: see io/configuration_keys.
enum class Where : std::uint8_t { command_line, files_too };

/// The options under one heading of a command's help.
class Group {
 public:
  Group(CLI::App& command, std::string heading, Where where = Where::command_line)
      : command_(command), heading_(std::move(heading)), where_(where) {}

  template <class Text>
  CLI::Option& text(const char* name, const char* shown_as, Text& into, const char* help) {
    return placed(command_.add_option(name, into, help)->type_name(shown_as));
  }
  /// One of a closed set, which stands in the value's place.
  template <std::size_t N, class Value>
  CLI::Option& choice(const char* name, const std::array<Choice<Value>, N>& choices,
                      std::optional<std::string>& into, const char* help) {
    return placed(command_.add_option(name, into, help)->type_name(names_of(choices, "|")));
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
  CLI::Option& placed(CLI::Option* option) {
    return *option->group(heading_)->configurable(where_ == Where::files_too);
  }
  CLI::App& command_;
  std::string heading_;
  Where where_;
};

void add_dialect(CLI::App& command, Arguments& given, const char* otherwise) {
  Group group(command, "Input", Where::files_too);
  group.text(
      "--encoding", "NAME", given.encoding,
      ("of the input, as iconv names it, such as GB18030; default: " + std::string(otherwise))
          .c_str());
  group.choice("--delimiter", kDelimiterChoices, given.delimiter,
               "between columns (default: what its header shows)");
}

void add_columns(CLI::App& command, Arguments& given) {
  Group group(command, "Input", Where::files_too);
  group.list("--set", "NAME=VALUE", given.set,
             "a column with this value for all rows; repeatable; '': none, also none of a file's");
  group.list("--carry", "COLUMN", given.carry,
             "a column that is no parameter, repeated in the results; repeatable");
  group.flag("--strict", given.strict, "warnings about rows are errors");
}

void add_input(CLI::App& command, Arguments& given, bool required = true) {
  command
      .add_option("ORDERS", given.input,
                  "CSV file of orders, also packed by gzip or zstd; - reads standard input")
      ->type_name("")
      ->required(required);
  add_columns(command, given);
  add_dialect(command, given, "what its first bytes show, else UTF-8");
}

void add_results(CLI::App& command, Arguments& given) {
  command
      .add_option("RESULTS", given.output,
                  "the results file of a run; with a ledger in a database it may be left out")
      ->type_name("");
}

CLI::Option& add_output(CLI::App& command, Arguments& given) {
  return Group(command, "Output")
      .text("--output", "RESULTS", given.output,
            "the results file; .jsonl or .json: JSON Lines, else CSV");
}

void add_ledger(CLI::App& command, Arguments& given) {
  Group(command, "Output")
      .text("--ledger", "PATH|URI", given.ledger,
            "a file, or a database: postgresql://USER@HOST/DATABASE, its password in PGPASSWORD or "
            "~/.pgpass (default: RESULTS.ledger)");
}

void add_reporting(CLI::App& command, Arguments& given) {
  Group group(command, "Reporting", Where::files_too);
  group.flag("--quiet", given.quiet, "warnings and errors only");
  group.choice("--log-format", kLogFormatChoices, given.log_format, "default: text");
  group.text("--summary", "FILE", given.summary, "write a summary as JSON to this file");
  group.text("--metrics", "FILE", given.metrics,
             "metrics in Prometheus' text format, replaced every 5 s and at the end; for others to "
             "read it, make it beforehand with such a mode");
  group.text("--metrics-listen", "ADDRESS", given.metrics_listen,
             "serve them at http://ADDRESS/metrics while orders are placed: PORT is on 127.0.0.1; "
             "HOST:PORT takes any address of this machine, as it stands");
}

void add_leaving_out(CLI::App& command, Arguments& given) {
  Group group(command, "Consent", Where::files_too);
  group.flag("--skip-invalid", given.skip_invalid, "leave invalid rows out and order the rest");
  group.flag("--dry-run", given.dry_run, "show the first request, signed; send nothing");
}

void add_consent(CLI::App& command, Arguments& given) {
  add_leaving_out(command, given);
  Group group(command, "Consent");
  group.flag("--yes", given.yes, "do not ask before ordering");
  group.flag("--again", given.again, "order the same content a second time, knowingly");
  group.text("--plan", "FILE", given.plan,
             "keep to what check --plan wrote: refuse whatever differs, a plan that expired, and "
             "one that another batch used");
  group.text("--history", "DIR", given.history,
             "ledgers (*.ledger) of other batches: refuse a Reference that one of them ordered, or "
             "may have");
  group.flag("--allow-repeated-references", given.allow_repeated_references,
             "order rows all the same whose Reference is there twice or in --history");
}

void add_pace(CLI::App& command, Arguments& given) {
  Group group(command, "Pace", Where::files_too);
  group.text(
      "--rate", "RATE", given.rate,
      "N/s, N/60s (N orders in each 60 seconds), N/m, N/h, N (a second) or unlimited (default "
      "10/s)");
  group.text("--burst", "N", given.burst,
             "orders at once (default: 1, and 10 ms worth on top). With a database: no window has "
             "more than N beyond the rate (default 750 ms worth); at once are given out N less 500 "
             "ms worth, which hosts may still hold");
  group.text("--connections", "N", given.connections, "1 to 4096 (default 16)");
  group.text("--threads", "N", given.threads, "loops, 1 to 64 (default 1)");
  group.text("--max-in-flight", "N", given.max_in_flight,
             "rows under way at a time, which is what a crash can leave in doubt (default: 16 x "
             "connections)");
}

/// Those that a plan fixes.
void add_limits(Group group, Arguments& given) {
  group.text("--max-orders", "N", given.max_orders, "orders of this run, doubtful ones included");
  group.text("--max-seats", "N", given.max_seats, "seats (UserCount) of this run");
  group.text("--max-seat-months", "N", given.max_seat_months,
             "seats x months (UserCount x Period) of this run; the same command again may place as "
             "much again, by these three limits");
  group.text("--max-failures", "N|N%", given.max_failures,
             "stop after N refusals in a row, or at N% of the settled rows (default 25)");
  group.text("--max-doubts", "N", given.max_doubts, "stop at N new doubts (default 10)");
  group
      .text("--canary", "N", given.canary,
            "send N orders of the batch first, and the rest only if all N were placed")
      .configurable(false);
}

void add_not_after(CLI::App& command, Arguments& given) {
  Group group(command, "Limits");
  group.text("--not-after", "TIME", given.not_after,
             "send nothing from then on: a time with its zone (2026-11-23T18:00:00+08:00), or a "
             "duration from now (90m)");
}

void add_network(CLI::App& command, Arguments& given) {
  Group group(command, "Network", Where::files_too);
  group.text("--endpoint", "URL", given.endpoint, "https://HOST[:PORT] (default: by RegionId)");
  group.text("--ca-file", "PEM", given.ca_file,
             "trust anchors (default: SSL_CERT_FILE and SSL_CERT_DIR, else the system's)");
  group.text(
      "--client-cert", "PEM", given.client_certificate,
      "this machine's certificate, for a server that asks for one, and those that signed it");
  group.text("--client-key", "PEM", given.client_key,
             "its key, in a file that nobody else may read; if it is encrypted, "
             "SAGORDER_CLIENT_KEY_PASSPHRASE holds the passphrase");
  group.text("--proxy", "URL|none", given.proxy,
             "http://HOST:PORT, asked for a tunnel (CONNECT) to each host (default: HTTPS_PROXY, "
             "where a user and password may stand, but for the hosts in NO_PROXY)");
  group.list("--resolve", "HOST:PORT:ADDRESS", given.resolve,
             "connect there for this host and port, [ADDRESS] for IPv6, several with commas; "
             "repeatable");
  group.choice("--signature", kSchemeChoices, given.signature, "default: acs3-hmac-sha256");
  group.choice("--http-method", kMethodChoices, given.http_method,
               "default: post; get goes with hmac-sha1 only");
  group.text("--request-timeout", "TIME", given.request_timeout,
             "for a whole exchange, 1s to 10m (default 60s)");
  group.text("--connect-timeout", "TIME", given.connect_timeout,
             "for name, connection and TLS, 100ms to 2m (default 10s)");
  group.text(
      "--profile", "NAME", given.profile,
      "profile of ~/.aliyun/config.json, or else of ~/.alibabacloud/credentials; goes before "
      "the environment");
  group.text("--sts-endpoint", "URL", given.sts_endpoint,
             "where a profile's role is assumed (default: https://sts.aliyuncs.com, or by the "
             "profile's sts_region)");
}

void add_original(CLI::App& command, Arguments& given) {
  Group(command, "Input")
      .text("--input", "ORDERS", given.original,
            "where the batch's input is now (default: where it was)");
  add_dialect(command, given, "as the batch was read");
}

void add_service(CLI::App& command, Arguments& given) {
  Group group(command, "Service", Where::files_too);
  group.text(
      "--grace", "TIME", given.grace,
      "after the first interrupt the answers are waited for so long, then given up as by a "
      "second one, and their rows are in doubt; 100ms to 1h (default: until they are there)");
  group.text("--host-life", "TIME", given.host_life,
             "of hosts that share a batch in a database: one that was not heard of for so long "
             "counts as dead, and the others go on with its rows; 3s to 1h (default 30s)");
  group.text(
      "--wait-lock", "TIME", given.wait_lock,
      "wait so long for another run of the batch to end; 1s to 24h (default: refuse at once, "
      "with exit code 75)");
}

void add_replay(CLI::App& command, Arguments& given) {
  Group(command, "Network", Where::files_too)
      .choice("--replay", kReplayChoices, given.replay, kReplay);
}

void add_progress(CLI::App& command, Arguments& given) {
  Group(command, "Reporting", Where::files_too)
      .choice("--progress", kProgressChoices, given.progress,
              "default: auto, which is a bar on a terminal and else plain");
}

void add_regions(CLI::App& command, Arguments& given) {
  Group(command, "Input", Where::files_too)
      .list("--region", "REGION", given.regions,
            "a RegionId to look at, besides those of ORDERS; repeatable");
}

void add_billing(CLI::App& command, Arguments& given) {
  Group(command, "Network", Where::files_too)
      .text("--billing-endpoint", "URL", given.billing_endpoint,
            "of QueryOrders and GetOrderDetail (default: the batch's own endpoint if it had one, "
            "else https://business.aliyuncs.com; accounts of the international site have "
            "https://business.ap-southeast-1.aliyuncs.com)");
}

/// Of the commands that have settings: which files are read.
void add_configuration(CLI::App& command, Arguments& given) {
  Group group(command, "Configuration");
  group.text("--config", "FILE", given.config_file,
             "settings in TOML, in the place of ./sagorder.toml");
  group.flag("--no-config", given.no_config,
             "read no configuration file and no SAGORDER_ variable: for scripts");
}

void add_run(CLI::App& app, Arguments& given) {
  CLI::App& run = *app.add_subcommand("run", "place the orders; again: resume, nothing twice");
  add_input(run, given);
  add_output(run, given).required();
  add_ledger(run, given);
  add_consent(run, given);
  add_pace(run, given);
  add_limits(Group(run, "Limits", Where::files_too), given);
  add_not_after(run, given);
  add_network(run, given);
  add_replay(run, given);
  add_service(run, given);
  add_reporting(run, given);
  add_progress(run, given);
  add_configuration(run, given);
  run.footer(kKeys);
}

/// What a plan is made of beside the input.
void add_plan(CLI::App& check, Arguments& given) {
  Group plan(check, "Plan");
  plan.text("--plan", "FILE", given.plan,
            "write what a run would buy, and within which limits, for run --plan to keep to; needs "
            "the access key's id, and opens no connection");
  plan.text("--plan-expires", "TIME", given.plan_expires,
            "no run begins with it after that: a time with its zone, or a duration (default 24h)");
  Group planned(check, "Plan", Where::files_too);
  planned.text("--rate", "RATE", given.rate, "as the run's will be (default 10/s)");
  planned.text("--endpoint", "URL", given.endpoint, "as the run's will be (default: by RegionId)");
  planned.text("--profile", "NAME", given.profile, "profile of ~/.aliyun/config.json");
  planned.choice("--replay", kReplayChoices, given.replay, "as the run's will be (default never)");
  add_limits(planned, given);
}

void add_check(CLI::App& app, Arguments& given) {
  CLI::App& check = *app.add_subcommand("check", "validate every row and count; send nothing");
  add_input(check, given);
  Group(check, "Input")
      .text("--history", "DIR", given.history,
            "ledgers (*.ledger) of other batches: a Reference that one of them ordered, or may "
            "have, is an error");
  Group(check, "Input", Where::files_too)
      .flag("--skip-invalid", given.skip_invalid,
            "as the run will: invalid rows are left out, and are no error of the file");
  Group(check, "Input")
      .flag("--allow-repeated-references", given.allow_repeated_references,
            "as the run will: a Reference that is there twice, or in --history, is a warning");
  add_plan(check, given);
  add_configuration(check, given);
}

void add_status(CLI::App& app, Arguments& given) {
  CLI::App& status =
      *app.add_subcommand("status", "counts, the rows in doubt and the next command");
  add_results(status, given);
  Group(status, "Output").flag("--json", given.json, "one JSON object, for programs");
  add_ledger(status, given);
  add_configuration(status, given);
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
  group.flag("--yes", given.yes, "do not ask before recording, as a terminal is");
  add_ledger(resolve, given);
  add_configuration(resolve, given);
}

void add_report(CLI::App& app, Arguments& given) {
  CLI::App& report = *app.add_subcommand("report", "write one page that shows the batch");
  add_results(report, given);
  Group(report, "Output")
      .text("--output,-o", "FILE", given.report, "the page, such as report.html; it loads nothing")
      .required();
  add_ledger(report, given);
  add_configuration(report, given);
}

void add_rows(CLI::App& app, Arguments& given) {
  CLI::App& rows = *app.add_subcommand("rows", "the rows of one status, as an input file");
  add_results(rows, given);
  Group group(rows, "Rows");
  group
      .choice("--status", kRowsOfChoices, given.status,
              "which rows; those in doubt are to be looked at, and never to be ordered")
      .required();
  group.text("--output,-o", "FILE", given.rows_output,
             "a file that is not there yet (default: standard output)");
  add_original(rows, given);
  add_ledger(rows, given);
  add_configuration(rows, given);
}

void add_doctor(CLI::App& app, Arguments& given) {
  CLI::App& doctor = *app.add_subcommand(
      "doctor", "credentials, TLS, clock, permission and quota; no order is sent");
  add_input(doctor, given, false);
  add_regions(doctor, given);
  add_network(doctor, given);
  add_configuration(doctor, given);
  doctor.footer(kKeys);
}

void add_reconcile(CLI::App& app, Arguments& given) {
  CLI::App& reconcile = *app.add_subcommand(
      "reconcile", "ask the account what became of the rows in doubt; sends no order");
  add_results(reconcile, given);
  Group group(reconcile, "Verdicts");
  group.flag("--apply", given.apply,
             "write what is found or absent, as resolve does (final); else it is only shown");
  group.flag("--sole-buyer", given.sole_buyer,
             "nobody else ordered such gateways on this account then, by whatever tool: without "
             "this word an order is never taken for a row's");
  group.flag("--same-account", given.same_account,
             "the key is of the account that ordered: to be said where no order of the ledger is "
             "in the listing to show it");
  group.list("--explained-by", "LEDGER", given.explained_by,
             "the ledger of another batch, whose orders are not these rows'; repeatable");
  add_original(reconcile, given);
  add_ledger(reconcile, given);
  add_network(reconcile, given);
  add_billing(reconcile, given);
  add_configuration(reconcile, given);
  reconcile.footer(kKeys);
}

void add_results_command(CLI::App& app, Arguments& given) {
  CLI::App& results =
      *app.add_subcommand("results", "write the results of the whole batch, out of its ledger");
  Group(results, "Output")
      .text("--output,-o", "RESULTS", given.output,
            "where to: a new file, or results of this batch, which are replaced; .jsonl or .json: "
            "JSON Lines, else CSV")
      .required();
  add_original(results, given);
  add_ledger(results, given);
  add_configuration(results, given);
}

void add_config(CLI::App& app, Arguments& given) {
  CLI::App& config =
      *app.add_subcommand(kConfig, "what each setting is, and which file or variable says so");
  config
      .add_option(names_of(kConfigActionChoices, "|"), given.config_action,
                  "show: what is in force here; example: a configuration file to begin with")
      ->type_name("")
      ->required();
  Group group(config, "Output");
  group.choice("--for", kConfiguredChoices, given.config_for,
               "the command whose settings are meant (default: run)");
  group.flag("--json", given.config_json, "show as JSON");
  add_configuration(config, given);
  // Every setting of every command, so that what a command line would change can be seen.
  add_columns(config, given);
  add_dialect(config, given, "what its first bytes show, else UTF-8");
  add_regions(config, given);
  add_leaving_out(config, given);
  add_pace(config, given);
  add_limits(Group(config, "Limits", Where::files_too), given);
  add_network(config, given);
  add_replay(config, given);
  add_billing(config, given);
  add_service(config, given);
  add_reporting(config, given);
  add_progress(config, given);
  config.footer(kFiles);
}

void add_help(CLI::App& app, Arguments& given) {
  CLI::App& help = *app.add_subcommand(kHelp, "show the help of the program or of a command");
  help.add_option("COMMAND", given.help_of, "default: the program")->type_name("");
  Group(help, "Output")
      .choice("--as", kHelpChoices, given.help_as,
              "default: text. man: a man page; bash, zsh, fish: the shell's completion script");
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

/// `run, check and status`.
std::string in_a_row(const std::vector<std::string>& names, const std::string& last) {
  std::string row;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) row += i + 1 == names.size() ? last : ", ";
    row += names[i];
  }
  return row;
}

/// `doctor and run`: the other commands that have an option of this name; empty: none has.
std::string others_with(const CLI::App& app, const CLI::App& command, const std::string& name) {
  std::vector<std::string> names;
  for (const CLI::App* other : app.get_subcommands(nullptr)) {
    const auto options = option_names(*other);
    const bool has_it = std::ranges::find(options, name) != options.end();
    if (has_it && other != &command && other->get_name() != kConfig) {
      names.push_back(other->get_name());
    }
  }
  return in_a_row(names, " and ");
}

[[noreturn]] void refuse_unknown(const CLI::App& app, const CLI::App& command,
                                 const std::string& argument) {
  if (!argument.starts_with("-")) {
    throw UsageError("unexpected argument: " + shown_argument(argument), help_of(command));
  }
  // Without its value, which may be what is kept secret elsewhere.
  const std::string name = argument.substr(0, argument.find('='));
  const std::string others = others_with(app, command, name);
  if (!others.empty()) {
    throw UsageError(shown_argument(name) + " is an option of " + others +
                         (command.get_name() == "check" ? "; check sends nothing"
                                                        : ", not of " + command.get_name()),
                     "leave it out; " + help_of(command));
  }
  const std::string near = nearest_of(name, option_names(command));
  throw UsageError("unknown option of " + command.get_name() + ": " + shown_argument(name),
                   near.empty() ? help_of(command) : "did you mean " + near + "?");
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands(nullptr)) names.push_back(command->get_name());
  return names;
}

[[noreturn]] void refuse_no_command(const CLI::App& app) {
  throw UsageError("say what to do: " + in_a_row(command_names(app), " or "),
                   "see sagorder --help");
}

[[noreturn]] void refuse_command(const CLI::App& app, const std::string& argument) {
  if (argument.starts_with("-")) {
    throw UsageError("unknown option: " + shown_argument(argument.substr(0, argument.find('='))),
                     "see sagorder --help");
  }
  const std::string near = nearest_of(argument, command_names(app));
  throw UsageError("unknown command: " + shown_argument(argument),
                   near.empty() ? "the commands are " + in_a_row(command_names(app), " and ")
                                : "did you mean sagorder " + near + "?");
}

const CLI::App* chosen(const CLI::App& app) {
  const auto commands = app.get_subcommands();
  return commands.empty() ? nullptr : commands.front();
}

void refuse_extras(const CLI::App& app) {
  std::vector<std::string> extras = app.remaining(true);
  std::erase(extras, "--");  // what follows it is an operand, which CLI11 has taken already
  if (extras.empty()) return;
  // An unknown option leaves its value behind: the option is what was meant.
  auto extra = std::find_if(extras.begin(), extras.end(),
                            [](const std::string& each) { return each.starts_with("-"); });
  if (extra == extras.end()) extra = extras.begin();
  const CLI::App* const command = chosen(app);
  if (command != nullptr) refuse_unknown(app, *command, *extra);
  refuse_command(app, *extra);
}

[[noreturn]] void refuse(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* const command = chosen(app);
  if (command == nullptr) refuse_no_command(app);
  std::string what = error.what();
  if (error.get_name() == "ArgumentMismatch") {
    const bool twice = what.find("At Most") != std::string::npos;
    what =
        what.substr(0, what.find(':')) + (twice ? ": is given more than once" : ": needs a value");
  }
  throw UsageError(shown_argument(what), help_of(*command));
}

void describe(CLI::App& app, Arguments& given, const std::shared_ptr<Wrapped>& page) {
  app.name("sagorder");
  app.formatter(page);
  app.set_help_flag("--help,-h", "show this help");
  app.set_version_flag("--version", version_text(), "show the version and the build");
  app.require_subcommand(0, 1);
  // Unknown arguments are told apart here, so that the nearest name can be suggested.
  app.allow_extras();
  add_run(app, given);
  add_check(app, given);
  add_status(app, given);
  add_resolve(app, given);
  add_report(app, given);
  add_rows(app, given);
  add_doctor(app, given);
  add_reconcile(app, given);
  add_results_command(app, given);
  add_config(app, given);
  add_help(app, given);
  for (CLI::App* command : app.get_subcommands(nullptr)) {
    const std::string notes = command->get_footer();
    command->footer(notes + (notes.empty() ? "" : "\n\n") + exit_codes(command->get_name()));
  }
  app.footer("sagorder COMMAND --help shows a command's options and exit codes.\n\n" +
             exit_codes(""));
}

Command command_of(const std::string& name) {
  for (const CommandName& each : kCommands) {
    if (name == each.name) return each.command;
  }
  return Command::run;  // never: CLI11 knows the same names
}

// --- what help says, as values

OptionEntry entry_of(const CLI::Option& option) {
  OptionEntry entry;
  entry.operand = option.get_positional();
  entry.name = entry.operand ? option.get_name(true) : "--" + option.get_lnames().front();
  if (!option.get_snames().empty()) entry.short_name = "-" + option.get_snames().front();
  if (option.get_items_expected_max() > 0) entry.value = option.get_type_name();
  entry.help = option.get_description();
  entry.heading = option.get_group();
  entry.required = option.get_required();
  entry.repeatable = option.get_items_expected_max() > 1;
  entry.configurable = option.get_configurable() && !entry.operand;
  return entry;
}

CommandEntry entry_of(const CLI::App& command) {
  CommandEntry entry;
  entry.name = command.get_name();
  entry.summary = command.get_description();
  for (const CLI::Option* option : command.get_options()) {
    OptionEntry one = entry_of(*option);
    (one.operand ? entry.operands : entry.options).push_back(std::move(one));
  }
  for (std::string& each : paragraphs(command.get_footer())) {
    // They have their own section.
    if (each != exit_codes(entry.name)) entry.notes.push_back(std::move(each));
  }
  return entry;
}

Manual manual_of(const CLI::App& app) {
  Manual manual;
  manual.version = program_version();
  manual.date = program_date();
  manual.summary = app.get_description();
  for (const CLI::Option* option : app.get_options()) manual.options.push_back(entry_of(*option));
  for (const CLI::App* command : app.get_subcommands(nullptr)) {
    manual.commands.push_back(entry_of(*command));
  }
  return manual;
}

// --- what stands around the arguments

std::string configured_command(const Arguments& given) {
  std::string name = given.config_for.value_or("run");
  if (choice_of(kConfiguredChoices, name)) return name;
  throw UsageError("--for " + shown_argument(name) + ": must be one of " +
                   names_of(kConfiguredChoices, ", "));
}

/// The flags of the command line as the last layer.
void add_flags(const CLI::App& command, Configuration& configuration) {
  for (const CLI::Option* option : command.get_options()) {
    if (!option->get_configurable() || option->get_positional() || option->count() == 0) continue;
    const std::string key = option->get_lnames().front();
    configuration.values.push_back({Layer::flag, "--" + key, key, option->results()});
  }
}

/// Gives each option what the last layer says that sets it.
void apply(CLI::App& command, const Configuration& configuration) {
  for (CLI::Option* option : command.get_options([](const CLI::Option* each) {
         return each->get_configurable() && each->count() == 0 && !each->get_lnames().empty();
       })) {
    const auto* const value = configuration.effective(option->get_lnames().front());
    if (value == nullptr) continue;
    option->clear();
    for (const std::string& text : value->texts) option->add_result(text);
    if (!value->texts.empty()) option->run_callback();
  }
}

void configure(const CLI::App& app, CLI::App& command, const Surroundings* around,
               Arguments& given) {
  if (command.get_option_no_throw("--no-config") == nullptr) return;
  if (given.no_config && given.config_file) {
    throw UsageError("--config and --no-config: give one of them", help_of(command));
  }
  given.configured = command.get_name();
  if (given.configured == kConfig) given.configured = configured_command(given);
  // An example shows defaults, whatever is in force.
  const bool example =
      choice_of(kConfigActionChoices, given.config_action) == ConfigAction::example;
  if (around != nullptr && !given.no_config && !example) {
    given.configuration = gather(*around, {given.configured, given.config_file}, manual_of(app));
  }
  add_flags(command, given.configuration);
  apply(command, given.configuration);
}

HelpForm help_form(const Arguments& given) {
  if (!given.help_as) return HelpForm::text;
  if (const auto form = choice_of(kHelpChoices, *given.help_as)) return *form;
  throw UsageError("--as " + shown_argument(*given.help_as) + ": must be one of " +
                   names_of(kHelpChoices, ", "));
}

/// `sagorder help`. @param app not the one that parsed it, whose help would be that of `help`
PlainText help_text(const CLI::App& app, const Arguments& given) {
  const Manual manual = manual_of(app);
  const bool program = given.help_of.empty();
  const CommandEntry* const command = manual.command(given.help_of);
  if (!program && command == nullptr) refuse_command(app, given.help_of);
  switch (help_form(given)) {
    case HelpForm::text:
      return {program ? app.help() : app.get_subcommand(command->name)->help(app.get_name())};
    case HelpForm::man:
      return {program ? man_page(manual) : man_page(manual, *command)};
    case HelpForm::bash:
      return {bash_completion(manual)};
    case HelpForm::zsh:
      return {zsh_completion(manual)};
    case HelpForm::fish:
      return {fish_completion(manual)};
  }
  return {};
}

PlainText help_text(const Arguments& given, int columns) {
  CLI::App app(kSummary);
  Arguments unused;
  const auto page = std::make_shared<Wrapped>();
  page->set_columns(columns);
  describe(app, unused, page);
  return help_text(app, given);
}

}  // namespace

Manual program_manual() {
  CLI::App app(kSummary);
  Arguments given;
  describe(app, given, std::make_shared<Wrapped>());
  return manual_of(app);
}

std::string shown_argument(std::string_view argument) {
  const bool cut = argument.size() > kShownMax;
  return printable(without_password(argument).substr(0, kShownMax)) + (cut ? "..." : "");
}

/// What CLI11 reads, and where it writes to.
struct ArgumentReader::Described {
  CLI::App app{kSummary};
  Arguments given;
  std::shared_ptr<Wrapped> page = std::make_shared<Wrapped>();
};

ArgumentReader::ArgumentReader() : described_(std::make_unique<Described>()) {
  describe(described_->app, described_->given, described_->page);
}

ArgumentReader::~ArgumentReader() = default;

Arguments ArgumentReader::with(std::string_view key, const std::vector<std::string>& texts) {
  auto& [app, given, page] = *described_;
  given = Arguments{};
  // It has the settings of every command.
  CLI::App& settings = *app.get_subcommand(kConfig);
  Configuration one;
  one.values.push_back({Layer::flag, "", std::string(key), texts});
  settings.clear();
  apply(settings, one);
  return given;
}

std::variant<Arguments, PlainText> ArgumentReader::read(int argc, const char* const* argv,
                                                        const Surroundings* around) {
  auto& [app, given, page] = *described_;
  given = Arguments{};  // CLI11 forgets the line before by itself
  const int columns = around == nullptr ? 0 : around->columns;
  page->set_columns(columns);
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
  if (command == nullptr) refuse_no_command(app);
  if (command->get_name() == kHelp) return help_text(given, columns);
  given.command = command_of(command->get_name());
  configure(app, *app.get_subcommand(command->get_name()), around, given);
  return given;
}

}  // namespace sagorder::io
