#include "io/settings.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <initializer_list>
#include <utility>
#include <vector>

#include "engine/account.hpp"
#include "io/arguments.hpp"
#include "io/choices.hpp"
#include "io/database_address.hpp"
#include "io/file.hpp"
#include "io/proxy.hpp"
#include "io/transcoder.hpp"

namespace sagorder::io {
namespace {

constexpr std::uint64_t kRowMax = 1'000'000'000'000;
constexpr std::size_t kIdMax = 64;
constexpr std::string_view kEndOfOptions = "--";

UsageError wrong(std::string_view option, std::string_view value, const std::string& rule) {
  return UsageError(std::string(option) + " " + shown_argument(value) + ": " + rule, {},
                    std::string(option));
}

std::optional<std::uint64_t> whole_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::uint64_t number(std::string_view option, std::string_view text, std::uint64_t low,
                     std::uint64_t high) {
  const auto value = whole_number(text);
  if (!value || *value < low || *value > high) {
    throw wrong(
        option, text,
        "must be a whole number from " + std::to_string(low) + " to " + std::to_string(high));
  }
  return *value;
}

template <class Value>
void take_number(std::string_view option, const std::optional<std::string>& text, std::uint64_t low,
                 std::uint64_t high, Value& into) {
  if (text) into = static_cast<Value>(number(option, *text, low, high));
}

void take_limit(std::string_view option, const std::optional<std::string>& text, std::uint64_t high,
                std::optional<std::uint64_t>& into) {
  if (text) into = number(option, *text, 1, high);
}

void take_duration(std::string_view option, const std::optional<std::string>& text,
                   milliseconds low, milliseconds high, milliseconds& into) {
  if (!text) return;
  const auto value = parse_duration(*text);
  if (!value || *value < low || *value > high) {
    throw wrong(option, *text,
                "must be a duration with its unit (ms, s, m, h), from " + in_words(low) + " to " +
                    in_words(high));
  }
  into = *value;
}

void take_deadline(std::string_view option, const std::optional<std::string>& text,
                   std::optional<Deadline>& into) {
  if (!text) return;
  into = Deadline::parse(*text);
  if (into) return;
  throw wrong(option, *text,
              "must be a time with its zone, such as 2026-11-23T18:00:00Z or ...T18:00:00+08:00, "
              "or a duration from now, such as 90m, up to 366 days");
}

template <std::size_t N, class Value>
void take_choice(std::string_view option, const std::optional<std::string>& text,
                 const std::array<Choice<Value>, N>& choices, Value& into) {
  if (!text) return;
  const auto chosen = choice_of(choices, *text);
  if (!chosen) throw wrong(option, *text, "must be one of " + names_of(choices, ", "));
  into = *chosen;
}

bool is_host_name(std::string_view host) {
  static constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789.-";
  return !host.empty() && host.size() <= 253 && host.front() != '.' && host.front() != '-' &&
         host.find_first_not_of(kAllowed) == std::string_view::npos;
}

bool is_address(const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  return inet_pton(AF_INET, text.c_str(), address.data()) == 1 ||
         inet_pton(AF_INET6, text.c_str(), address.data()) == 1;
}

bool is_address_6(std::string_view host) {
  return host.find(':') != std::string_view::npos && host.size() <= 45 &&
         host.find_first_not_of("0123456789abcdef:.") == std::string_view::npos;
}

FailureLimit failure_limit(const std::string& text) {
  const bool percent = text.ends_with('%');
  const std::string_view digits = std::string_view(text).substr(0, text.size() - (percent ? 1 : 0));
  const auto value = whole_number(digits);
  if (!value || *value == 0 || *value > (percent ? 100 : kFailuresMax)) {
    throw wrong(
        "--max-failures", text,
        "must be a whole number from 1 to " + std::to_string(kFailuresMax) + ", or 1% to 100%");
  }
  return {static_cast<std::uint32_t>(*value), percent};
}

std::pair<std::string, std::string> set_value(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw wrong("--set", text, "must be NAME=VALUE, such as --set Period=12");
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

void take_dialect(const Arguments& given, Settings& settings) {
  settings.encoding = given.encoding.value_or("");
  if (given.encoding && !is_encoding(settings.encoding)) {
    throw wrong(
        "--encoding", settings.encoding,
        "is no encoding that iconv knows; `iconv -l` lists them, such as GB18030 or UTF-16LE");
  }
  if (given.delimiter) {
    take_choice("--delimiter", given.delimiter, kDelimiterChoices, settings.delimiter.emplace());
  }
}

void take_input(const Arguments& given, Settings& settings) {
  settings.input = given.input;
  settings.intake.strict = given.strict;
  settings.intake.carry = given.carry;
  for (const std::string& text : given.set) {
    if (!text.empty()) settings.intake.set.push_back(set_value(text));
  }
  const auto place = [&](const char* key, std::string& into) {
    const auto* const value = given.configuration.effective(key);
    if (value == nullptr || value->layer == Layer::flag) return;
    into = value->where + (value->layer == Layer::variable ? ":" : ": " + value->key);
  };
  place("set", settings.intake.set_from);
  place("carry", settings.intake.carry_from);
}

void take_pace(const Arguments& given, Settings& settings) {
  if (given.rate) {
    const auto rate = parse_rate(*given.rate);
    if (!rate) {
      throw wrong("--rate", *given.rate,
                  "must be N/s, N/60s, N/m, N/h, N (a second) or unlimited, with N from 1 to " +
                      std::to_string(kRateCountMax) + " and at most " +
                      std::to_string(kRateWindowMax.count()) + " seconds");
    }
    settings.rate = *rate;
  }
  settings.burst = default_burst(settings.rate);
  take_number("--burst", given.burst, 1, kBurstMax, settings.burst);
  take_number("--connections", given.connections, 1, kConnectionsMax, settings.connections);
  take_number("--threads", given.threads, 1, kThreadsMax, settings.threads);
  settings.max_in_flight = std::min(kInFlightEach * settings.connections, kInFlightMax);
  take_number("--max-in-flight", given.max_in_flight, 1, kInFlightMax, settings.max_in_flight);
}

void take_endpoint(std::string_view option, const std::optional<std::string>& text,
                   std::optional<Endpoint>& into) {
  if (!text) return;
  into = parse_endpoint(*text);
  if (into) return;
  throw wrong(option, *text, "must be https://HOST or https://HOST:PORT, without a path");
}

void take_identity(const Arguments& given, Settings& settings) {
  settings.client_certificate = given.client_certificate.value_or("");
  settings.client_key = given.client_key.value_or("");
  if (settings.client_certificate.empty() == settings.client_key.empty()) return;
  throw UsageError("--client-cert and --client-key go together");
}

void take_proxy(const Arguments& given, Settings& settings) {
  if (!given.proxy) return;
  settings.proxy.none = *given.proxy == "none";
  if (settings.proxy.none) return;
  if (given.proxy->find('@') != std::string::npos) {
    throw UsageError("--proxy: a user and password are never an argument",
                     "set HTTPS_PROXY to http://USER:PASSWORD@HOST:PORT instead");
  }
  static_cast<void>(parse_proxy("--proxy " + shown_argument(*given.proxy), *given.proxy));
  settings.proxy.url = *given.proxy;
}

void take_network(const Arguments& given, Settings& settings) {
  take_endpoint("--endpoint", given.endpoint, settings.endpoint);
  take_endpoint("--billing-endpoint", given.billing_endpoint, settings.billing_endpoint);
  settings.ca_file = given.ca_file.value_or("");
  take_identity(given, settings);
  take_proxy(given, settings);
  for (const std::string& text : given.resolve) {
    auto pin = parse_pin(text);
    if (!pin) {
      throw wrong("--resolve", text,
                  "must be HOST:PORT:ADDRESS, such as smartag.example:443:192.0.2.7 or "
                  "smartag.example:443:[2001:db8::7]");
    }
    settings.pins.push_back(*std::move(pin));
  }
  take_choice("--signature", given.signature, kSchemeChoices, settings.scheme);
  take_choice("--http-method", given.http_method, kMethodChoices, settings.method);
  if (settings.method == Method::get && settings.scheme != Scheme::hmac_sha1) {
    throw UsageError("--http-method get: only --signature hmac-sha1 has such a form", {},
                     "--http-method");
  }
  take_duration("--request-timeout", given.request_timeout, kRequestTimeoutMin, kRequestTimeoutMax,
                settings.request_timeout);
  take_duration("--connect-timeout", given.connect_timeout, kConnectTimeoutMin, kConnectTimeoutMax,
                settings.connect_timeout);
  if (given.profile && given.profile->empty()) {
    throw UsageError("--profile: needs a name", {}, "--profile");
  }
  settings.profile = given.profile;
  take_endpoint("--sts-endpoint", given.sts_endpoint, settings.sts_endpoint);
  take_choice("--replay", given.replay, kReplayChoices, settings.replay);
}

/// What a service manager sets.
void take_service(const Arguments& given, Settings& settings) {
  if (given.grace) {
    take_duration("--grace", given.grace, kGraceMin, kGraceMax, settings.grace.emplace());
  }
  take_duration("--host-life", given.host_life, kHostLifeMin, kHostLifeMax, settings.host_life);
  take_duration("--wait-lock", given.wait_lock, kWaitLockMin, kWaitLockMax, settings.wait_lock);
}

void take_limits(const Arguments& given, Settings& settings) {
  Limits& limits = settings.limits;
  take_limit("--max-orders", given.max_orders, kOrdersMax, limits.max_orders);
  take_limit("--max-seats", given.max_seats, kSeatsMax, limits.max_seats);
  take_limit("--max-seat-months", given.max_seat_months, kSeatMonthsMax, limits.max_seat_months);
  if (given.max_failures) limits.max_failures = failure_limit(*given.max_failures);
  take_number("--max-doubts", given.max_doubts, 1, kDoubtsMax, limits.max_doubts);
  take_number("--canary", given.canary, 1, kOrdersMax, limits.canary);
  take_deadline("--not-after", given.not_after, settings.not_after);
  take_deadline("--plan-expires", given.plan_expires, settings.plan_expires);
  if (settings.plan_expires && !given.plan) {
    throw UsageError("--plan-expires: there is no plan to expire", "add --plan FILE");
  }
  settings.plan = given.plan.value_or("");
  settings.history = given.history.value_or("");
  if (given.plan && settings.plan.empty()) throw UsageError("--plan needs a path");
  if (given.history && settings.history.empty()) throw UsageError("--history needs a path");
  settings.allow_repeated_references = given.allow_repeated_references;
  settings.skip_invalid = given.skip_invalid;
  settings.again = given.again;
  settings.dry_run = given.dry_run;
  settings.yes = given.yes;
}

void take_reporting(const Arguments& given, Settings& settings) {
  settings.quiet = given.quiet;
  settings.summary = given.summary.value_or("");
  settings.metrics = given.metrics.value_or("");
  if (given.metrics && given.metrics->empty()) throw UsageError("--metrics needs a path");
  if (given.metrics_listen) {
    settings.metrics_listen = parse_listen_address(*given.metrics_listen);
    if (!settings.metrics_listen) {
      throw wrong("--metrics-listen", *given.metrics_listen,
                  "must be PORT (on 127.0.0.1), IPV4:PORT, [IPV6]:PORT or localhost:PORT");
    }
  }
  take_choice("--log-format", given.log_format, kLogFormatChoices, settings.log_format);
  take_choice("--progress", given.progress, kProgressChoices, settings.progress);
}

bool is_id(std::string_view text) {
  static constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
  return !text.empty() && text.size() <= kIdMax &&
         text.find_first_not_of(kAllowed) == std::string_view::npos;
}

bool is_order_id(std::string_view text) {
  // A number is written in one way: with a zero before it, it would not be known again.
  return !text.empty() && text.size() <= kIdMax && text.front() != '0' &&
         text.find_first_not_of("0123456789") == std::string_view::npos;
}

void take_placed(const std::string& text, Resolution& resolution) {
  const std::size_t comma = text.find(',');
  resolution.placed = true;
  resolution.order_id = text.substr(0, comma);
  if (comma != std::string::npos) resolution.sag_id = text.substr(comma + 1);
  if (!is_order_id(resolution.order_id) ||
      (comma != std::string::npos && !is_id(resolution.sag_id))) {
    throw wrong("--placed", text,
                "must be ORDERID (digits) or ORDERID,SAGID, as the console shows them");
  }
}

void take_because(const std::string& text, Resolution& resolution) {
  const bool blank = text.find_first_not_of(" \t") == std::string::npos;
  if (blank || text.size() > kBecauseMax || printable(text) != text) {
    throw wrong("--because", text,
                "must be one line of 1 to " + std::to_string(kBecauseMax) + " bytes of text");
  }
  resolution.because = text;
}

void take_resolution(const Arguments& given, Resolution& resolution) {
  resolution.row = Row{number("--row", given.row.value_or(""), 1, kRowMax)};
  if (given.placed.has_value() == given.not_placed) {
    throw UsageError("resolve needs either --placed ORDERID[,SAGID] or --not-placed");
  }
  if (given.placed) take_placed(*given.placed, resolution);
  if (given.because) take_because(*given.because, resolution);
  if (given.not_placed && !given.because) {
    throw UsageError("--not-placed needs --because TEXT: how do you know?",
                     "the row is ordered again by the next run");
  }
}

bool same_file(const std::string& a, const std::string& b) {
  FileIdentity identity_a;
  FileIdentity identity_b;
  try {
    if (identity_of(a, identity_a) && identity_of(b, identity_b)) return identity_a == identity_b;
  } catch (const FileError&) {
    // What cannot be looked at is refused when it is opened.
  }
  std::error_code error_a;
  std::error_code error_b;
  const auto whole_a = std::filesystem::weakly_canonical(a, error_a);
  const auto whole_b = std::filesystem::weakly_canonical(b, error_b);
  return a == b || (!error_a && !error_b && whole_a == whole_b);
}

struct NamedPath {
  std::string_view what;
  const std::string& path;
};

void require_distinct(std::initializer_list<NamedPath> paths) {
  for (auto a = paths.begin(); a != paths.end(); ++a) {
    for (auto b = a + 1; b != paths.end(); ++b) {
      if (a->path.empty() || b->path.empty() || !same_file(a->path, b->path)) continue;
      throw UsageError(std::string(a->what) + " and " + std::string(b->what) +
                       " are the same file: " + shown_argument(b->path));
    }
  }
}

void require_path(std::string_view what, const std::string& path) {
  if (path.empty()) throw UsageError(std::string(what) + " needs a path");
}

bool keeps_results(Command command) {
  return command != Command::check && command != Command::doctor && command != Command::config;
}

/// Of ledgers that are in a database. Nothing of an address is repeated: a password may be in it.
void require_addresses(const std::string& ledger, const std::vector<std::string>& others) {
  const auto require = [](const char* option, const std::string& place) {
    if (!is_database(place)) return;
    if (const auto wrong = wrong_with_address(place)) {
      throw UsageError(std::string(option) + ": the address of the database: " + *wrong, {},
                       option);
    }
  };
  require("--ledger", ledger);
  for (const std::string& other : others) require("--explained-by", other);
}

/// Where hosts share a batch, tokens of the rate are leased, and a lease takes its part of the
/// burst: it is made as short as a small burst wants it.
void take_sharing(const Arguments& given, Settings& settings) {
  if (!is_database(settings.ledger)) return;
  settings.lease = kLeaseLength;
  if (settings.rate.unlimited()) return;
  if (!given.burst) {
    settings.burst = std::min(default_shared_burst(settings.rate, kLeaseLength), kBurstMax);
  }
  const milliseconds longest = longest_lease(settings.rate, settings.burst);
  if (longest < kLeaseLengthMin) {
    throw UsageError("--burst " + std::to_string(settings.burst) +
                         ": is too small for hosts that share a rate of " +
                         to_string(settings.rate) + " through a database; " +
                         std::to_string(least_burst(settings.rate, kLeaseLengthMin)) + " would do",
                     {}, "--burst");
  }
  settings.lease = std::min(kLeaseLength, longest);
}

void take_paths(const Arguments& given, Settings& settings) {
  if (settings.command == Command::run || settings.command == Command::check) {
    require_path("ORDERS", given.input);
  }
  if (settings.command == Command::run) require_path("--output", given.output);
  // A database tells its batches apart by itself.
  if (keeps_results(settings.command) && given.output.empty() && !is_database(given.ledger)) {
    throw UsageError("RESULTS is required",
                     "name the results file of a run, or its --ledger if that is in a database");
  }
  if (given.output == "-") {
    throw UsageError("the results cannot go to standard output: they are kept for the next run",
                     "name a file: --output results.csv");
  }
  if (settings.command == Command::report) {
    require_path("--output", given.report);
    if (given.report == "-") {
      throw UsageError("the report cannot go to standard output: it is a page for a browser",
                       "name a file: --output report.html");
    }
  }
  settings.output = given.output;
  settings.report = given.report;
  settings.ledger = given.ledger;
  if (settings.ledger.empty() && !settings.output.empty()) {
    settings.ledger = settings.output + ".ledger";
  }
  require_addresses(settings.ledger, given.explained_by);
  const std::string no_file;
  const bool database = is_database(settings.ledger);
  const auto beside = [&](const char* end) {
    return settings.ledger.empty() || database ? no_file : settings.ledger + end;
  };
  require_distinct({{"the input", settings.input == "-" ? no_file : settings.input},
                    {"the results", settings.output},
                    {"the ledger", database ? no_file : settings.ledger},
                    {"the ledger's log", beside("-wal")},
                    {"the index of the ledger's log", beside("-shm")},
                    {"the ledger's journal", beside("-journal")},
                    {"the summary", settings.summary},
                    {"the plan", settings.plan},
                    {"the metrics", settings.metrics},
                    {"the report", settings.report},
                    {"the rows' file", settings.rows_output}});
}

void take_rows(const Arguments& given, Settings& settings) {
  take_choice("--status", given.status, kRowsOfChoices, settings.rows_of);
  settings.rows_output = given.rows_output.value_or("");
  if (settings.rows_output == "-") settings.rows_output.clear();
}

void take_original(const Arguments& given, Settings& settings) {
  if (given.original && given.original->empty()) throw UsageError("--input needs a path");
  settings.input = given.original.value_or("");
}

void take_reconciliation(const Arguments& given, Settings& settings) {
  settings.explained_by = given.explained_by;
  settings.apply = given.apply;
  settings.sole_buyer = given.sole_buyer;
  settings.same_account = given.same_account;
}

/// The region that an endpoint of the vendor's is for; empty for any other host.
std::string region_of(const Endpoint& endpoint) {
  std::string_view host = endpoint.host;
  constexpr std::string_view kTail = ".aliyuncs.com";
  if (!host.ends_with(kTail)) return {};
  host.remove_suffix(kTail.size());
  for (const std::string_view head : {"smartag-vpc.", "smartag."}) {
    if (host.starts_with(head)) return std::string(host.substr(head.size()));
  }
  return {};
}

void require_region(const std::string& region) {
  if (is_host_name(region) && region.size() <= kIdMax && region.find('.') == region.npos) return;
  throw wrong("--region", region, "must be a RegionId, such as cn-shanghai");
}

/// After the network: an endpoint may tell its region.
void take_regions(const Arguments& given, Settings& settings) {
  settings.regions = given.regions;
  for (const std::string& region : settings.regions) require_region(region);
  if (!settings.regions.empty() || !settings.input.empty()) return;
  const std::string region = settings.endpoint ? region_of(*settings.endpoint) : "";
  if (region.empty()) {
    throw UsageError("doctor needs ORDERS or --region: each region has an endpoint of its own",
                     "such as --region cn-shanghai");
  }
  settings.regions = {region};
}

void take_configuration(const Arguments& given, Settings& settings) {
  take_choice("config", std::optional(given.config_action), kConfigActionChoices,
              settings.config_action);
  settings.configured = given.configured;
  settings.config_json = given.config_json;
  settings.regions = given.regions;
  take_input(given, settings);
}

/// What a file or a variable may set, for any command. Throws UsageError.
void take_values(const Arguments& given, Settings& settings) {
  take_reporting(given, settings);
  take_input(given, settings);
  take_dialect(given, settings);
  take_pace(given, settings);
  take_network(given, settings);
  take_service(given, settings);
  take_limits(given, settings);
  for (const std::string& region : given.regions) require_region(region);
}

Settings settings_of(const Arguments& given) {
  const Command command = given.command;
  Settings settings;
  settings.command = command;
  settings.configuration = given.configuration;
  take_reporting(given, settings);
  if (command == Command::run || command == Command::check || command == Command::doctor) {
    take_input(given, settings);
  }
  take_dialect(given, settings);
  if (command == Command::resolve) {
    take_resolution(given, settings.resolution);
    settings.yes = given.yes;
  }
  settings.json = given.json;
  if (command == Command::rows) take_rows(given, settings);
  if (command == Command::rows || command == Command::reconcile || command == Command::results) {
    take_original(given, settings);
  }
  if (command == Command::reconcile) take_reconciliation(given, settings);
  if (command == Command::config) take_configuration(given, settings);
  take_pace(given, settings);
  take_network(given, settings);
  take_service(given, settings);
  if (command == Command::doctor) take_regions(given, settings);
  take_limits(given, settings);
  take_paths(given, settings);
  if (command == Command::run) take_sharing(given, settings);
  return settings;
}

/// A path as it is; a name is looked up by the shell, and by everybody else who gives it.
std::string program_of(int argc, const char* const* argv) {
  const std::string_view called = argc > 0 ? argv[0] : "";
  return called.find('/') == std::string_view::npos ? "sagorder" : shell_quoted(called);
}

/// Where a wrong value stands, if not on the command line.
UsageError located(const UsageError& error, const Configuration& configuration) {
  if (error.option.empty()) return error;
  const auto* const value = configuration.effective(error.option.substr(2));
  if (value == nullptr || value->layer == Layer::flag) return error;
  return UsageError(value->where + ": " + error.what(), error.hint, error.option);
}

/// `SAGORDER_MAX_ORDERS=5 `: the variables in force, for the command to mean the same in another
/// shell.
std::string variables_of(const Configuration& configuration) {
  std::string line;
  for (const ConfiguredValue& value : configuration.values) {
    if (value.layer != Layer::variable || configuration.effective(value.key) != &value) continue;
    std::string text;
    for (const std::string& each : value.texts) text.append(text.empty() ? "" : "\n").append(each);
    line.append(value.where).append("=").append(shell_quoted(text)).append(" ");
  }
  return line;
}

/// Every value of a file or a variable, whether it counts here or not: a limit with a slip of the
/// pen in it must not wait for the one command that reads it. Throws UsageError with all that are
/// wrong.
void refuse_wrong_values(const Configuration& configuration) {
  std::vector<std::string> wrong;
  ArgumentReader reader;
  for (const ConfiguredValue& value : configuration.read_of_all) {
    try {
      Arguments given = reader.with(value.key, value.texts);
      if (value.key == "http-method") given.signature = "hmac-sha1";  // or `get` has no form
      Settings unused;
      take_values(given, unused);
    } catch (const UsageError& error) {
      const bool about_it =
          error.option == "--" + value.key || (error.option.empty() && value.key == "proxy");
      if (about_it) wrong.push_back(value.where + ": " + error.what());
    }
  }
  if (wrong.empty()) return;
  std::string others;
  for (std::size_t i = 1; i < wrong.size(); ++i) {
    others.append(others.empty() ? "" : "\n").append(wrong[i]);
  }
  throw UsageError(wrong.front(), others);
}

}  // namespace

std::variant<Settings, PlainText> parse_settings(int argc, const char* const* argv) {
  ArgumentReader reader;
  return parse_settings(reader, argc, argv);
}

std::variant<Settings, PlainText> parse_settings(int argc, const char* const* argv,
                                                 const Surroundings& around) {
  ArgumentReader reader;
  return parse_settings(reader, argc, argv, &around);
}

std::variant<Settings, PlainText> parse_settings(ArgumentReader& reader, int argc,
                                                 const char* const* argv,
                                                 const Surroundings* around) {
  auto parsed = reader.read(argc, argv, around);
  if (auto* const text = std::get_if<PlainText>(&parsed)) return std::move(*text);
  const Arguments& given = std::get<Arguments>(parsed);
  // What is in force is shown as it is, wrong or not.
  if (given.command != Command::config) refuse_wrong_values(given.configuration);
  try {
    Settings settings = settings_of(given);
    settings.program = program_of(argc, argv);
    settings.called = variables_of(given.configuration) + settings.program;
    settings.words.assign(argv + std::min(argc, 1), argv + argc);
    settings.command_line = command_without(settings, {});
    settings.without_canary = command_without(settings, "--canary");
    return settings;
  } catch (const UsageError& error) {
    throw located(error, given.configuration);
  }
}

std::vector<std::string> words_without(const std::vector<std::string>& words,
                                       std::string_view option) {
  const std::string with_value = std::string(option) + "=";
  std::vector<std::string> left;
  for (auto word = words.begin(); word != words.end(); ++word) {
    if (*word == kEndOfOptions) {
      left.insert(left.end(), word, words.end());
      break;
    }
    if (*word == option) {
      if (++word == words.end()) break;  // its value
    } else if (!word->starts_with(with_value)) {
      left.push_back(*word);
    }
  }
  return left;
}

std::vector<std::string> words_with(std::vector<std::string> words, std::string_view option,
                                    std::string_view value) {
  const auto end = std::ranges::find(words, kEndOfOptions);
  words.insert(end, {std::string(option), std::string(value)});
  return words;
}

std::string command_of(const Settings& settings, const std::vector<std::string>& words) {
  std::string line = settings.called;
  for (const std::string& word : words) line += " " + shell_quoted(word);
  return line;
}

std::string command_without(const Settings& settings, std::string_view option) {
  return command_of(settings,
                    option.empty() ? settings.words : words_without(settings.words, option));
}

std::optional<Endpoint> parse_endpoint(std::string text) {
  for (char& each : text) each = each >= 'A' && each <= 'Z' ? static_cast<char>(each + 32) : each;
  std::string_view rest = text;
  constexpr std::string_view kScheme = "https://";
  if (!rest.starts_with(kScheme)) return std::nullopt;
  rest.remove_prefix(kScheme.size());
  if (rest.ends_with('/')) rest.remove_suffix(1);
  const bool bracketed = rest.starts_with('[');
  const std::size_t host_end = bracketed ? rest.find(']') : rest.find(':');
  if (bracketed && host_end == std::string_view::npos) return std::nullopt;
  Endpoint endpoint;
  endpoint.host = rest.substr(bracketed ? 1 : 0, bracketed ? host_end - 1 : host_end);
  if (!(bracketed ? is_address_6(endpoint.host) : is_host_name(endpoint.host))) return std::nullopt;
  rest = host_end == std::string_view::npos ? "" : rest.substr(host_end + (bracketed ? 1 : 0));
  if (rest.empty()) return endpoint;
  const auto port = rest.starts_with(':') ? whole_number(rest.substr(1)) : std::nullopt;
  if (!port || *port == 0 || *port > 65'535) return std::nullopt;
  endpoint.port = static_cast<std::uint16_t>(*port);
  return endpoint;
}

std::optional<ListenAddress> parse_listen_address(std::string_view text) {
  ListenAddress address;
  const std::size_t colon = text.rfind(':');
  const auto port = whole_number(text.substr(colon == std::string_view::npos ? 0 : colon + 1));
  if (!port || *port > 65'535) return std::nullopt;
  address.port = static_cast<std::uint16_t>(*port);
  if (colon == std::string_view::npos) return address;
  std::string host(text.substr(0, colon));
  if (host == "localhost") return address;
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  unsigned char bytes[sizeof(in6_addr)];
  if (::inet_pton(bracketed ? AF_INET6 : AF_INET, host.c_str(), bytes) != 1) return std::nullopt;
  address.host = host;
  return address;
}

std::optional<Pin> parse_pin(std::string_view text) {
  const std::size_t host_end = std::min(text.find(':'), text.size());
  const std::size_t port_end = text.find(':', host_end + 1);
  if (port_end == std::string_view::npos) return std::nullopt;
  const auto endpoint = parse_endpoint("https://" + std::string(text.substr(0, port_end)));
  if (!endpoint || port_end == host_end + 1) return std::nullopt;
  Pin pin{*endpoint, {}};
  for (std::string_view rest = text.substr(port_end);
       !rest.empty() && pin.addresses.size() <= kPinnedMax;) {
    rest.remove_prefix(1);  // a colon before the first, a comma before the others
    const std::size_t end = std::min(rest.find(','), rest.size());
    std::string_view address = rest.substr(0, end);
    if (address.starts_with('[') && address.ends_with(']')) {
      address = address.substr(1, address.size() - 2);
    }
    if (!is_address(std::string(address))) return std::nullopt;
    pin.addresses.emplace_back(address);
    rest.remove_prefix(end);
  }
  return pin.addresses.size() <= kPinnedMax ? std::optional(pin) : std::nullopt;
}

std::optional<milliseconds> parse_duration(std::string_view text, milliseconds most) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto count = whole_number(text.substr(0, digits));
  const std::string_view unit = text.substr(digits);
  std::uint64_t factor = 0;
  for (const auto& [name, value] :
       std::initializer_list<std::pair<std::string_view, std::uint64_t>>{
           {"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}}) {
    if (unit == name) factor = value;
  }
  const auto limit = static_cast<std::uint64_t>(most.count());
  if (!count || factor == 0 || *count > limit / factor) return std::nullopt;
  return milliseconds(*count * factor);
}

std::string in_words(milliseconds duration) {
  const auto count = duration.count();
  if (count % 60'000 == 0) return std::to_string(count / 60'000) + "m";
  return count % 1'000 == 0 ? std::to_string(count / 1'000) + "s" : std::to_string(count) + "ms";
}

namespace {

/// By printf, which every shell has; it would lose line ends at the very end, which `$'...'` keeps.
std::string quoted_by_numbers(std::string_view argument) {
  const bool by_printf = !argument.ends_with('\n');
  std::string quoted = by_printf ? "\"$(printf '" : "$'";
  for (const char each : argument) {
    const auto byte = static_cast<unsigned char>(each);
    if (byte < 0x20 || byte >= 0x7f || each == '\'' || each == '\\') {
      quoted += '\\';
      for (const unsigned shift : {6U, 3U, 0U}) {
        quoted += static_cast<char>('0' + (byte >> shift & 7U));
      }
    } else {
      quoted += each;
      if (each == '%' && by_printf) quoted += each;
    }
  }
  return quoted + (by_printf ? "')\"" : "'");
}

}  // namespace

std::string operand_quoted(std::string_view path) {
  const bool option_like = path.size() > 1 && path.front() == '-';
  return shell_quoted(option_like ? "./" + std::string(path) : std::string(path));
}

std::string shell_quoted(std::string_view argument) {
  static constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:=,@%+-";
  const bool plain = !argument.empty() && argument.front() != '=' &&  // zsh: a command's path
                     argument.find_first_not_of(kPlain) == std::string_view::npos;
  if (plain) return std::string(argument);
  if (printable(argument) != argument) return quoted_by_numbers(argument);
  std::string quoted = "'";
  for (const char each : argument) {
    if (each == '\'') {
      quoted += "'\\''";
    } else {
      quoted += each;
    }
  }
  return quoted + "'";
}

}  // namespace sagorder::io
