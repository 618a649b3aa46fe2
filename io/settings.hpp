// Flags to one validated struct. Whatever is wrong is found here, before a file is touched.
//
// Secrets are never arguments: there is no option for one. Durations carry units. Every number has
// a range, and the error names it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "engine/intake.hpp"
#include "engine/order.hpp"
#include "engine/pipeline.hpp"
#include "engine/rate.hpp"
#include "engine/signing.hpp"
#include "io/configuration.hpp"
#include "io/deadline.hpp"
#include "io/listen_address.hpp"
#include "io/log.hpp"
#include "io/progress.hpp"

namespace sagorder::io {

inline constexpr std::uint32_t kThreadsMax = 64;
inline constexpr std::uint32_t kInFlightEach = 16;  ///< rows in flight a connection, by default
inline constexpr milliseconds kRequestTimeoutMin{1'000};
inline constexpr milliseconds kRequestTimeoutMax{600'000};
inline constexpr milliseconds kConnectTimeoutMin{100};
inline constexpr milliseconds kConnectTimeoutMax{120'000};
inline constexpr milliseconds kGraceMin{100};
inline constexpr milliseconds kGraceMax{3'600'000};
inline constexpr milliseconds kHostLifeMin{3'000};
inline constexpr milliseconds kHostLifeMax{3'600'000};
inline constexpr milliseconds kWaitLockMin{1'000};
inline constexpr milliseconds kWaitLockMax{86'400'000};
inline constexpr std::uint64_t kOrdersMax = 1'000'000'000;
inline constexpr std::uint64_t kSeatsMax = 1'000'000'000'000;
inline constexpr std::uint64_t kSeatMonthsMax = 1'000'000'000'000'000;
inline constexpr std::uint32_t kDoubtsMax = 1'000'000;
inline constexpr std::uint32_t kFailuresMax = 1'000'000;
inline constexpr std::size_t kBecauseMax = 500;  ///< bytes of an operator's evidence
inline constexpr std::size_t kPinnedMax = 16;    ///< addresses of one --resolve

enum class Command : std::uint8_t {
  run,
  check,
  status,
  resolve,
  report,
  rows,
  doctor,
  reconcile,
  results,
  config
};

/// Which rows `rows` writes.
enum class RowsOf : std::uint8_t { rejected, in_doubt, not_sent, invalid };

enum class ConfigAction : std::uint8_t { show, example };

/// What `resolve` is told: the operator's evidence about one row.
struct Resolution {
  Row row;
  bool placed = false;
  std::string order_id;  ///< placed
  std::string sag_id;    ///< placed, may be empty
  std::string because;   ///< never empty for not placed
};

/// --proxy: an URL without a password, or `none`; neither: by the environment.
struct ProxyWish {
  std::string url;
  bool none = false;
};

/// --resolve: where a host and port are, whatever the system's resolver says.
struct Pin {
  Endpoint endpoint;
  std::vector<std::string> addresses;  ///< literals, of IPv6 without brackets
};

struct Settings {
  Command command = Command::run;
  std::string program = "sagorder";  ///< as it was called, quoted for a shell
  std::string command_line;          ///< as it was given, likewise
  std::string without_canary;        ///< the same, less --canary
  std::string called;                ///< the command line's beginning: variables, and `program`
  std::vector<std::string> words;    ///< the arguments behind it, as they were given

  std::string input;   ///< run, check: a path, or `-`; rows, reconcile, results: empty: where the
                       ///< ledger says; doctor: empty: none
  std::string output;  ///< all but check and doctor: the results file; empty: the ledger is in a
                       ///< database, and none was named
  std::string ledger;  ///< default: the output's path and `.ledger`

  std::optional<Endpoint> endpoint;  ///< nullopt: by RegionId
  std::string ca_file;               ///< empty: the system's trust anchors
  std::string client_certificate;    ///< both or none
  std::string client_key;
  ProxyWish proxy;
  std::vector<Pin> pins;
  Scheme scheme = Scheme::acs3_hmac_sha256;
  Method method = Method::post;
  std::optional<std::string> profile;
  std::optional<Endpoint> sts_endpoint;  ///< nullopt: by the profile

  RateLimit rate;
  std::uint64_t burst = 1;         ///< default by the rate
  std::uint32_t connections = 16;  ///< 1 to kConnectionsMax
  std::uint32_t threads = 1;
  std::uint32_t max_in_flight = 256;  ///< default kInFlightEach x connections
  milliseconds request_timeout{60'000};
  milliseconds connect_timeout{10'000};
  Replay replay = Replay::never;

  std::optional<milliseconds> grace;  ///< nullopt: the answers are waited for, whatever it takes
  milliseconds host_life{30'000};     ///< of a shared batch; one not heard of for so long is dead
  milliseconds lease{0};              ///< likewise: tokens are leased for so long; 0: no such batch
  milliseconds wait_lock{0};          ///< for another run to end; 0: refuse at once

  Limits limits;                      ///< without `not_after`
  std::optional<Deadline> not_after;  ///< of the run

  std::string plan;                        ///< check: to be written, run: to be kept; empty: none
  std::optional<Deadline> plan_expires;    ///< check; nullopt: kPlanLasts from now
  std::string history;                     ///< run, check: a directory of ledgers; empty: none
  bool allow_repeated_references = false;  ///< run

  std::string
      encoding;  ///< --encoding; empty: by the input's first bytes, or as the batch was read
  std::optional<csv::Delimiter> delimiter;  ///< --delimiter; nullopt: by its header, likewise
  IntakeOptions intake;                     ///< --set, --carry, --strict
  bool skip_invalid = false;                ///< leave bad rows out, as `invalid` lines
  bool again = false;                       ///< order the same content again, knowingly
  bool dry_run = false;                     ///< sign and show the first request; send nothing
  bool yes = false;                         ///< do not ask

  ProgressMode progress = ProgressMode::automatic;
  bool quiet = false;
  LogFormat log_format = LogFormat::text;
  std::string summary;  ///< path of the JSON summary; empty: none

  Resolution resolution;  ///< resolve only
  std::string report;     ///< report only: path of the page
  bool json = false;      ///< status only

  RowsOf rows_of = RowsOf::rejected;  ///< rows only
  std::string rows_output;            ///< rows: the file; empty: standard output

  std::vector<std::string> regions;          ///< doctor: --region
  std::optional<Endpoint> billing_endpoint;  ///< reconcile; nullopt: by the batch's endpoint
  std::vector<std::string> explained_by;     ///< reconcile: ledgers of other batches
  bool apply = false;                        ///< reconcile: write what is found or absent
  bool sole_buyer = false;                   ///< reconcile: see engine/reconcile
  bool same_account = false;

  Configuration configuration;  ///< what files, variables and flags set, of what may be in files
  ConfigAction config_action = ConfigAction::show;
  std::string configured;    ///< config: the command whose settings are shown
  bool config_json = false;  ///< config show: as JSON
  std::string metrics;       ///< run: path of the metrics; empty: none
  std::optional<ListenAddress> metrics_listen;
};

/// The arguments are wrong (exit 2): one line that says what, and a hint that may be empty.
struct UsageError : std::runtime_error {
  explicit UsageError(const std::string& what, std::string advice = {}, std::string about = {})
      : std::runtime_error(what), hint(std::move(advice)), option(std::move(about)) {}
  std::string hint;
  std::string option;  ///< `--rate` whose value is wrong; empty: it is about something else
};

/// --help or --version: print it on standard output and exit 0.
struct PlainText {
  std::string text;
  bool operator==(const PlainText&) const = default;
};

class ArgumentReader;  // io/arguments

/// Throws UsageError.
std::variant<Settings, PlainText> parse_settings(int argc, const char* const* argv);

/// The same, with the files and variables around the arguments. Throws UsageError.
std::variant<Settings, PlainText> parse_settings(int argc, const char* const* argv,
                                                 const Surroundings& around);

/// The same, for whoever reads many command lines. Throws UsageError.
/// @param around nullptr: there is nothing around the arguments
std::variant<Settings, PlainText> parse_settings(ArgumentReader& reader, int argc,
                                                 const char* const* argv,
                                                 const Surroundings* around = nullptr);

/// `https://HOST[:PORT]`, in any case; nullopt: it is none.
std::optional<Endpoint> parse_endpoint(std::string text);

/// `9464` (on 127.0.0.1), `0.0.0.0:9464`, `localhost:9464`, `[::1]:9464`; nullopt: none of them.
std::optional<ListenAddress> parse_listen_address(std::string_view text);

/// `HOST:PORT:ADDRESS[,ADDRESS...]`, an address of IPv6 with or without brackets; nullopt: it is
/// none.
std::optional<Pin> parse_pin(std::string_view text);

inline constexpr milliseconds kDurationMax = std::chrono::hours(24);

/// `60s`, `500ms`, `2m`; nullopt: no unit, no number, or more than `most`.
std::optional<milliseconds> parse_duration(std::string_view text, milliseconds most = kDurationMax);

/// `60s`, as parse_duration reads it.
std::string in_words(milliseconds duration);

/// The words of a command line less an option and its value, wherever it stands before `--`.
std::vector<std::string> words_without(const std::vector<std::string>& words,
                                       std::string_view option);
/// And with one more, behind all others.
std::vector<std::string> words_with(std::vector<std::string> words, std::string_view option,
                                    std::string_view value);
/// The program as it was called, with these words.
std::string command_of(const Settings& settings, const std::vector<std::string>& words);

/// The command line as it was given, less an option and its value.
/// @param option `--max-orders`; empty: all stays
std::string command_without(const Settings& settings, std::string_view option);

/// An argument quoted for a POSIX shell, where it needs to be. What no terminal should show as it
/// is (control characters, marks without width, invalid UTF-8) is written by its numbers.
std::string shell_quoted(std::string_view argument);
/// A path, quoted, that is no option even if it begins with a `-`.
std::string operand_quoted(std::string_view path);

}  // namespace sagorder::io
