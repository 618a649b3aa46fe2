#include "options.hpp"

#include <CLI/CLI.hpp>
#include <boost/asio/ip/address.hpp>
#include <charconv>
#include <map>
#include <stdexcept>

#include "faults.hpp"

namespace gateway {
namespace {

using std::chrono::microseconds;

[[noreturn]] void complain(std::string_view text, const char* what) {
  throw std::invalid_argument("'" + std::string(text) + "': " + what);
}

template <typename Number>
bool read_whole(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

std::string fault_help() {
  std::string text =
      "Faults, as --faults kind | kind=PROBABILITY | kind@N | kind@N-M, a comma list:";
  for (const FaultFacts& fact : fault_table()) {
    text.append("\n  ").append(fact.name);
    text.append(fact.name.size() < 22 ? 22 - fact.name.size() : 1, ' ').append(fact.phrase);
  }
  return text;
}

// A CLI11 option whose text one of the parse functions turns into a value.
template <typename Take>
CLI::Option* add_parsed(CLI::App& app, const std::string& name, const std::string& type,
                        const std::string& help, Take take) {
  return app
      .add_option_function<std::string>(
          name,
          [take, name](const std::string& text) {
            try {
              take(text);
            } catch (const std::invalid_argument& error) {
              throw CLI::ValidationError(name, error.what());
            }
          },
          help)
      ->type_name(type);
}

template <typename Enum>
void add_choice(CLI::App& app, const std::string& name, Enum& value,
                const std::map<std::string, Enum>& choices, const std::string& help) {
  app.add_option(name, value, help)->transform(CLI::CheckedTransformer(choices).description(""));
}

}  // namespace

microseconds parse_duration(std::string_view text, bool is_signed) {
  std::string_view rest = text;
  const bool negative = is_signed && rest.starts_with('-');
  if (negative || (is_signed && rest.starts_with('+'))) rest.remove_prefix(1);
  const std::size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
  std::int64_t number = 0;
  if (!read_whole(rest.substr(0, digits), number) || number > 1'000'000'000)
    complain(text, "not a duration (a whole number and us, ms, s or m)");
  const std::string_view unit = rest.substr(digits);
  microseconds duration{0};
  if (unit == "us") {
    duration = microseconds(number);
  } else if (unit == "ms") {
    duration = std::chrono::milliseconds(number);
  } else if (unit == "s") {
    duration = std::chrono::seconds(number);
  } else if (unit == "m") {
    duration = std::chrono::minutes(number);
  } else if (number != 0 || !unit.empty()) {
    complain(text, "durations carry a unit: us, ms, s or m");
  }
  return negative ? -duration : duration;
}

DurationRange parse_duration_range(std::string_view text) {
  const std::size_t dash = text.find('-');
  DurationRange range;
  range.low = parse_duration(text.substr(0, dash));
  range.high = dash == std::string_view::npos ? range.low : parse_duration(text.substr(dash + 1));
  if (range.high < range.low) complain(text, "the range ends before it begins");
  return range;
}

QuotaLimit parse_quota(std::string_view text) {
  if (text == "unlimited") return {};
  const std::size_t slash = text.find('/');
  QuotaLimit quota{0, std::chrono::seconds(1)};
  if (!read_whole(text.substr(0, slash), quota.calls) || quota.calls == 0 ||
      quota.calls > 10'000'000)
    complain(text, "not a quota (N/s, N/Ms or unlimited)");
  if (slash != std::string_view::npos) {
    std::string window(text.substr(slash + 1));
    if (!window.empty() && window.find_first_of("0123456789") != 0) window.insert(0, "1");
    quota.window = parse_duration(window);
  }
  if (quota.window.count() == 0) complain(text, "the quota's window is empty");
  return quota;
}

Credential parse_credential(std::string_view text) {
  const std::size_t first = text.find(':');
  if (first == std::string_view::npos || first == 0)
    throw std::invalid_argument("an access key is ID:SECRET or ID:SECRET:TOKEN");
  const std::size_t second = text.find(':', first + 1);
  Credential credential;
  credential.id = text.substr(0, first);
  credential.secret = text.substr(first + 1, second - first - 1);
  if (second != std::string_view::npos) credential.token = text.substr(second + 1);
  if (credential.secret.empty() || (second != std::string_view::npos && credential.token.empty()))
    throw std::invalid_argument("an access key's secret or token is empty");
  return credential;
}

namespace {

void read_listen(std::string_view text, std::string& into, std::uint16_t& port) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) complain(text, "needs ADDRESS:PORT");
  std::string host(text.substr(0, colon));
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";
  if (!read_whole(text.substr(colon + 1), port)) complain(text, "a bad port");
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(host, error);
  if (error || !address.is_loopback())
    complain(text, "only loopback addresses: this is a simulation");
  into = host;
}

}  // namespace

void parse_listen(std::string_view text, Options& options) {
  read_listen(text, options.listen_host, options.listen_port);
}

void parse_key_listen(std::string_view text, Options& options) {
  std::uint16_t port = 0;
  read_listen(text, options.key_host, port);
  options.key_port = port;
}

KeyFailures parse_key_failures(std::string_view text) {
  const std::size_t dash = text.find('-');
  KeyFailures failures;
  const bool good = read_whole(text.substr(0, dash), failures.first);
  failures.last = failures.first;
  const bool ends =
      dash == std::string_view::npos || read_whole(text.substr(dash + 1), failures.last);
  if (!good || !ends || failures.first == 0 || failures.last < failures.first)
    complain(text, "not a number from 1, or N-M");
  return failures;
}

std::optional<int> parse_options(int argc, const char* const* argv, Options& options) {
  CLI::App app(
      "A simulated Smart Access Gateway API: it verifies, executes on paper, and fails "
      "on request.",
      "sagorder-gateway");
  app.set_version_flag("--version", std::string("sagorder-gateway ") + GATEWAY_VERSION);
  app.footer(fault_help());

  add_parsed(app, "--listen", "ADDRESS:PORT", "loopback only; port 0: any free one",
             [&](const std::string& text) { parse_listen(text, options); })
      ->required();
  app.add_option("--port-file", options.port_file, "where the port is written once it listens");
  auto* pki =
      app.add_option("--pki", options.pki_dir,
                     "directory of a throw-away CA (ca.pem) and certificate, made if absent");
  auto* cert = app.add_option("--cert", options.cert_file, "certificate chain, PEM");
  auto* key = app.add_option("--key", options.key_file, "its private key, PEM");
  app.add_option("--client-ca", options.client_ca_file,
                 "who must have signed the certificate that a client has to show, PEM");
  cert->needs(key)->excludes(pki);
  key->needs(cert);
  std::vector<std::string> keys;
  app.add_option("--access-key", keys,
                 "repeatable; default testid:testsecret; with TOKEN a temporary credential")
      ->type_name("ID:SECRET[:TOKEN]")
      ->allow_extra_args(false);
  app.add_option("--executed", options.executed_file, "JSON Lines of the orders executed");
  app.add_option("--counts", options.counts_file,
                 "JSON of the end counts, besides standard output");
  add_parsed(app, "--quota", "N/s | N/Ms", "calls a second, or in M seconds; default unlimited",
             [&](const std::string& text) { options.quota = parse_quota(text); });
  add_choice<QuotaHint>(app, "--quota-hint", options.quota_hint,
                        {{"none", QuotaHint::none},
                         {"retry-after", QuotaHint::retry_after},
                         {"limit", QuotaHint::limit}},
                        "none (default) | retry-after | limit: the header of a throttled answer");
  add_parsed(app, "--latency", "5ms | 1ms-20ms", "from request to answer; a range is drawn from",
             [&](const std::string& text) { options.latency = parse_duration_range(text); });
  add_parsed(app, "--faults", "SPEC", "see below", [&](const std::string& text) {
    [[maybe_unused]] const FaultPlan plan(text, 0);  // throws if it is none
    options.faults = text;
  });
  add_parsed(app, "--query-faults", "SPEC", "the same, of the read-only calls",
             [&](const std::string& text) {
               [[maybe_unused]] const FaultPlan plan("", 0, text);
               options.query_faults = text;
             });
  add_parsed(app, "--listing-delay", "DURATION",
             "until an executed order is seen by the read-only calls; default 0",
             [&](const std::string& text) { options.listing_delay = parse_duration(text); });
  app.add_option("--use-limit", options.use_limit, "instances that may be bought; default 500")
      ->check(CLI::Range(0, 1'000'000'000));
  app.add_option("--seed", options.seed, "of faults, latencies and identities; default 1");
  add_choice<OrderIdShape>(app, "--order-id", options.order_id,
                           {{"string", OrderIdShape::string},
                            {"number", OrderIdShape::number},
                            {"mixed", OrderIdShape::mixed}},
                           "string | number | mixed (default): how JSON answers show an OrderId");
  add_choice<RuleSet>(app, "--rules", options.rule_set,
                      {{"page", RuleSet::page}, {"later", RuleSet::later}},
                      "page (default) | later: which of the vendor's parameter rules hold");
  add_parsed(app, "--idle", "DURATION", "idle connections are closed after it; default 10s",
             [&](const std::string& text) { options.idle = parse_duration(text); });
  add_parsed(app, "--dribble-gap", "DURATION", "between the bytes of a dribble; default 20ms",
             [&](const std::string& text) { options.dribble_gap = parse_duration(text); });
  add_parsed(app, "--nonce-window", "DURATION", "how long a nonce is remembered; default 15m",
             [&](const std::string& text) { options.nonce_window = parse_duration(text); });
  add_parsed(app, "--clock-offset", "DURATION", "added to the gateway's clock; may be negative",
             [&](const std::string& text) { options.clock_offset = parse_duration(text, true); });
  add_parsed(app, "--key-listen", "ADDRESS:PORT",
             "hand out keys in plain HTTP: a metadata service, and /credentials; port 0: any",
             [&](const std::string& text) { parse_key_listen(text, options); });
  app.add_option("--key-port-file", options.key_port_file, "where its port is written");
  add_parsed(app, "--key-life", "DURATION", "of a key that is handed out; default 60m",
             [&](const std::string& text) { options.key_life = parse_duration(text); });
  add_parsed(app, "--key-told", "DURATION", "the life that is told of it; default the true one",
             [&](const std::string& text) { options.key_told = parse_duration(text); });
  add_parsed(app, "--key-failures", "N | N-M", "keys that are asked for and not given, from 1",
             [&](const std::string& text) { options.key_failures = parse_key_failures(text); });
  app.add_option("--role", options.role, "of the instance; default sagorder; empty: none");
  app.add_flag("--metadata-v1", options.metadata_v1, "a metadata service without tokens");
  app.add_option("--oidc-token", options.oidc_token, "that AssumeRoleWithOIDC takes");
  app.add_option("--max-connections", options.connections_max, "default 4096")
      ->check(CLI::Range(1, 100'000));
  app.add_flag("--allow-repeated-nonces", options.allow_repeated_nonces,
               "count them, but execute: for measuring with one request signed beforehand");
  int threads = 1;
  app.add_option("--threads", threads, "1: the gateway is one loop")->check(CLI::Range(1, 1));

  try {
    app.parse(argc, argv);
    if (!keys.empty()) options.credentials.clear();
    for (const std::string& key_text : keys)
      options.credentials.push_back(parse_credential(key_text));
    if (options.pki_dir.empty() && options.cert_file.empty())
      throw CLI::ValidationError("--pki", "one of --pki and --cert is needed");
    if (options.idle.count() == 0 || options.nonce_window < std::chrono::seconds(1))
      throw CLI::ValidationError("--idle, --nonce-window", "too short");
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "--access-key: %s\n", error.what());
    return 2;
  } catch (const CLI::ParseError& error) {
    app.exit(error);
    return 2;
  }
  return std::nullopt;
}

}  // namespace gateway
