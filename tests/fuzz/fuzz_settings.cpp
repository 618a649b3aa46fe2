// io/arguments and io/settings: whatever the arguments, either settings within all their limits or
// a usage error that can be shown; and a command line that a shell would read back the same.
//
// One reader reads all command lines, since to make one takes ten times as long as to use it. Each
// line is to be read as the first: of some, another reader says so, which was made for it alone.
//
// Input: how they begin (one byte: nothing, or a command with what it requires), then arguments
// with a zero byte between them.
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "engine/csv.hpp"
#include "io/arguments.hpp"
#include "io/database_address.hpp"
#include "io/settings.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace sagorder::io {
namespace {

using fuzz::require;

constexpr std::size_t kArgumentsMax = 64;
constexpr std::size_t kReadTwice = 128;  // one line in so many is read by a reader of its own, too

const std::vector<std::vector<const char*>> kBeginnings = {
    {"sagorder"},
    {"sagorder", "run", "in.csv", "--output", "out.csv"},
    {"sagorder", "check", "in.csv"},
    {"sagorder", "status", "out.csv"},
    {"sagorder", "resolve", "out.csv", "--row", "7"},
    {"sagorder", "report", "out.csv", "--output", "report.html"},
    {"sagorder", "rows", "out.csv", "--status", "rejected"},
    {"sagorder", "reconcile", "out.csv"},
    {"sagorder", "doctor"},
    {"sagorder", "config", "show"},
    {"sagorder", "results", "-o", "out.csv"},
    {"sagorder", "status", "--ledger", "postgresql://localhost/orders"}};

std::string texts;
std::vector<const char*> arguments;

void lay_out(fuzz::Draw draw) {
  arguments = kBeginnings[draw.byte() % kBeginnings.size()];
  texts.assign(draw.rest());
  for (std::size_t at = 0; at < texts.size() && arguments.size() < kArgumentsMax;) {
    arguments.push_back(texts.c_str() + at);
    at += std::strlen(arguments.back()) + 1;
  }
}

int count_of_arguments() { return static_cast<int>(arguments.size()); }

/// What a reader makes of the line: arguments, a text, or the error.
using Reading = std::variant<Arguments, PlainText, std::string>;

Reading reading_of(ArgumentReader& reader) {
  try {
    const auto read = reader.read(count_of_arguments(), arguments.data());
    if (const auto* const text = std::get_if<PlainText>(&read)) return *text;
    return std::get<Arguments>(read);
  } catch (const UsageError& error) {
    return error.what() + ("\n" + error.hint);
  }
}

/// Whether the line is one of those that are read twice: the same line, the same answer.
bool is_read_twice() { return std::hash<std::string>{}(texts) % kReadTwice == 0; }

void check_reader(ArgumentReader& reader) {
  ArgumentReader fresh;
  require(reading_of(reader) == reading_of(fresh), "a line is read as if it were the first");
}

void check_shown(std::string_view text) {
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  require(std::ranges::none_of(text, control), "an error is one line that no terminal acts on");
  require(csv::utf8_prefix(text) == text.size(), "an error is UTF-8");
  require(text.size() <= 1000, "an error is not too long");
}

constexpr std::string_view kPrintf = "\"$(printf '";

/// What `"$(printf '...')"` or `$'...'` at `at` stands for; `at` goes behind it.
std::string by_numbers(std::string_view line, std::size_t& at) {
  const bool by_printf = line.substr(at).starts_with(kPrintf);
  std::string text;
  for (at += by_printf ? kPrintf.size() : 2; at < line.size() && line[at] != '\''; ++at) {
    if (line[at] == '\\') {
      require(at + 3 < line.size(), "a number has three digits");
      text += static_cast<char>((line[at + 1] - '0') * 64 + (line[at + 2] - '0') * 8 +
                                (line[at + 3] - '0'));
      at += 3;
    } else {
      text += line[at];
      if (line[at] == '%' && by_printf) require(line[++at] == '%', "printf's percent is doubled");
    }
  }
  const std::string_view end = by_printf ? "')\"" : "'";
  require(line.substr(at).starts_with(end), "what is quoted by numbers ends");
  require(!by_printf || !text.ends_with('\n'), "a shell would cut the last line end");
  at += end.size() - 1;
  return text;
}

/// A POSIX shell's reading of a line, of what quotes the program uses; `$'...'` is of 2024.
std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  bool within = false;
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (!quoted && c == ' ') {
      within = false;
      continue;
    }
    if (!within) words.emplace_back();
    within = true;
    const std::string_view rest = line.substr(i);
    if (!quoted && (rest.starts_with(kPrintf) || rest.starts_with("$'"))) {
      words.back() += by_numbers(line, i);
    } else if (c == '\'') {
      quoted = !quoted;
    } else if (!quoted && c == '\\' && i + 1 < line.size()) {
      words.back() += line[++i];
    } else {
      words.back() += c;
    }
  }
  require(!quoted, "a command line's quotes are closed");
  return words;
}

void check_command_line(const Settings& settings) {
  const std::vector<std::string> words = words_of(settings.command_line);
  require(
      words.size() == arguments.size() && std::equal(words.begin(), words.end(), arguments.begin()),
      "a shell reads the command line back as it was given");
}

void check_endpoint(const Endpoint& endpoint) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == ':';
  };
  require(endpoint.port != 0, "a port is not zero");
  require(!endpoint.host.empty() && endpoint.host.size() <= 253 &&
              std::ranges::all_of(endpoint.host, allowed),
          "a host is a name or an address");
}

template <class Number>
bool within(Number value, Number low, Number high) {
  return low <= value && value <= high;
}

void check_pace(const Settings& settings) {
  require(settings.rate.count <= kRateCountMax, "the rate has a limit");
  require(settings.rate.window > nanoseconds(0) && settings.rate.window <= kRateWindowMax,
          "the rate's window has limits");
  require(within<std::uint64_t>(settings.burst, 1, kBurstMax), "the burst has limits");
  require(within<std::uint32_t>(settings.connections, 1, kConnectionsMax),
          "the connections have limits");
  require(within<std::uint32_t>(settings.threads, 1, kThreadsMax), "the threads have limits");
  require(within<std::uint32_t>(settings.max_in_flight, 1, kInFlightMax),
          "the rows in flight have limits");
  require(within(settings.request_timeout, kRequestTimeoutMin, kRequestTimeoutMax),
          "the request timeout has limits");
  require(within(settings.connect_timeout, kConnectTimeoutMin, kConnectTimeoutMax),
          "the connect timeout has limits");
  const auto again = parse_rate(to_string(settings.rate));
  require(again && again->count == settings.rate.count && again->window == settings.rate.window,
          "a rate reads back as it is written");
}

void check_limits(const Settings& settings) {
  const auto& orders = settings.limits.max_orders;
  const auto& seats = settings.limits.max_seats;
  require(!orders || within<std::uint64_t>(*orders, 1, kOrdersMax), "--max-orders has limits");
  const auto& months = settings.limits.max_seat_months;
  require(!months || within<std::uint64_t>(*months, 1, kSeatMonthsMax),
          "--max-seat-months has limits");
  require(settings.limits.canary <= kOrdersMax, "--canary has limits");
  require(!seats || within<std::uint64_t>(*seats, 1, kSeatsMax), "--max-seats has limits");
  require(within<std::uint32_t>(settings.limits.max_doubts, 1, kDoubtsMax),
          "--max-doubts has limits");
  const FailureLimit& failures = settings.limits.max_failures;
  require(within<std::uint32_t>(failures.value, 1, failures.percent ? 100 : kFailuresMax),
          "--max-failures has limits");
}

void check_paths(const Settings& settings) {
  const bool reads = settings.command == Command::run || settings.command == Command::check;
  const bool keeps = settings.command != Command::check && settings.command != Command::doctor &&
                     settings.command != Command::config;
  require(!reads || !settings.input.empty(), "the input is named");
  const bool named = !settings.output.empty() || is_database(settings.ledger);
  require(!keeps || (named && settings.output != "-"), "the results are a file");
  require(!keeps || !settings.ledger.empty(), "the ledger is named");
  require(!keeps || settings.ledger != settings.output, "the ledger is a file of its own");
  require(!reads || !keeps || settings.input != settings.output, "the results are not the input");
  require(settings.method == Method::post || settings.scheme == Scheme::hmac_sha1,
          "only one signature has a GET form");
}

void check_resolution(const Settings& settings) {
  if (settings.command != Command::resolve) return;
  const Resolution& resolution = settings.resolution;
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  require(resolution.row.value >= 1, "rows count from 1");
  require(resolution.placed != resolution.order_id.empty(), "an OrderId goes with --placed");
  require(std::ranges::all_of(resolution.order_id, digit), "an OrderId is digits");
  require(resolution.placed || !resolution.because.empty(), "--not-placed has a reason");
  require(resolution.because.size() <= kBecauseMax, "the reason has a limit");
  check_shown(resolution.because);
}

void check(const Settings& settings) {
  check_command_line(settings);
  if (settings.endpoint) check_endpoint(*settings.endpoint);
  for (const Pin& pin : settings.pins) {
    check_endpoint(pin.endpoint);
    require(within<std::size_t>(pin.addresses.size(), 1, kPinnedMax), "a pin has addresses");
  }
  require(settings.proxy.url.find('@') == std::string::npos, "a proxy's password is no argument");
  require(settings.client_certificate.empty() == settings.client_key.empty(),
          "a certificate goes with its key");
  if (settings.sts_endpoint) check_endpoint(*settings.sts_endpoint);
  check_pace(settings);
  check_limits(settings);
  check_paths(settings);
  check_resolution(settings);
}

}  // namespace
}  // namespace sagorder::io

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sagorder::io;
  static ArgumentReader reader;
  lay_out({data, size});
  if (is_read_twice()) check_reader(reader);
  try {
    const auto parsed = parse_settings(reader, count_of_arguments(), arguments.data());
    if (const auto* const text = std::get_if<PlainText>(&parsed)) {
      require(text->text.ends_with('\n'), "help is lines of text");
    } else {
      check(std::get<Settings>(parsed));
    }
  } catch (const UsageError& error) {
    require(*error.what() != '\0', "a usage error says what is wrong");
    check_shown(error.what());
    check_shown(error.hint);
  }
  return 0;
}
