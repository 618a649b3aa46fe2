// The commands: settings in, exit code out. Results for people go to standard output (check,
// status) or standard error (run), complaints to standard error.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "io/credentials.hpp"
#include "io/exit_code.hpp"
#include "io/ledger.hpp"
#include "io/log.hpp"
#include "io/orders_file.hpp"
#include "io/settings.hpp"
#include "io/tls.hpp"
#include "io/validation.hpp"

namespace sagorder::io {

ExitCode run_command(const Settings& settings, Log& log);
ExitCode check_command(const Settings& settings, Log& log);
ExitCode status_command(const Settings& settings, Log& log);
ExitCode resolve_command(const Settings& settings, Log& log);
ExitCode report_command(const Settings& settings, Log& log);
ExitCode rows_command(const Settings& settings, Log& log);
ExitCode doctor_command(const Settings& settings, Log& log);
ExitCode reconcile_command(const Settings& settings, Log& log);
ExitCode results_command(const Settings& settings, Log& log);
ExitCode config_command(const Settings& settings, Log& log);

/// What has to be given up before anything was sent: a sentence, what to do, and the exit code.
struct Refusal : std::runtime_error {
  Refusal(ExitCode with, const std::string& what, std::string what_to_do)
      : std::runtime_error(what), code(with), advice(std::move(what_to_do)) {}
  ExitCode code;
  std::string advice;
};

// Names of the facts in a ledger.
inline constexpr std::string_view kFactLedgerId = "ledger_id";
inline constexpr std::string_view kFactInputSha256 = "input_sha256";
inline constexpr std::string_view kFactInputPath = "input_path";
inline constexpr std::string_view kFactOutputPath = "output_path";
inline constexpr std::string_view kFactRows = "rows";
inline constexpr std::string_view kFactColumns = "columns";      ///< JSON array
inline constexpr std::string_view kFactEndpoint = "endpoint";    ///< host:port, or `by RegionId`
inline constexpr std::string_view kFactSet = "set";              ///< JSON object of --set
inline constexpr std::string_view kFactInvalid = "invalid";      ///< rows left out by the last run
inline constexpr std::string_view kFactDirectory = "directory";  ///< where the last run was started
inline constexpr std::string_view kFactRun = "run";  ///< the last run that sent; drawn by it
inline constexpr std::string_view kFactRunBefore = "run_before";  ///< the one before, as remembered
/// Of a batch that hosts share, with a host's number behind it: the run of that process that sent.
inline constexpr std::string_view kFactRunOfHost = "run@";
inline constexpr std::string_view kFactCommand = "command";  ///< of the last run
inline constexpr std::string_view kFactCreatedAt = "created_at";
inline constexpr std::string_view kFactEncoding = "encoding";      ///< --encoding; older: none
inline constexpr std::string_view kFactDelimiter = "delimiter";    ///< --delimiter; older: none
inline constexpr std::string_view kFactPlan = "plan";              ///< digest; the last one used
inline constexpr std::string_view kFactReferences = "references";  ///< there once all are kept
inline constexpr std::string_view kFactGoingOn = "going_on";       ///< io/going_on.hpp; older: none
inline constexpr std::string_view kFactRuns = "runs";  ///< io/run_history.hpp; older ledgers: none

/// Trust anchors and our own certificate, by settings and environment. Throws TlsError.
TlsContext tls_of(const Settings& settings);

/// What the input was read with when it was ordered: --set, and --carry for its other columns.
IntakeOptions intake_of(const Facts& facts, const std::string& ledger);

/// The batch's own input, for another look: `input` of the settings, else where the facts say it
/// was. Reads it once. A Refusal if it is not there any more, or another content.
/// @param watch told of each block that is read, also in later passes
struct Original {
  std::unique_ptr<OrdersFile> file;
  IntakeOptions options;
  Validation validation;
};
Original open_original(const Settings& settings, const Facts& facts, const Rows& rows,
                       const OrdersFile::Watch& watch = {});

/// --encoding and --delimiter.
Reading reading_of(const Settings& settings);

/// `path: recognised: gzip, GB18030`, if something was recognised, and how to say otherwise.
std::string recognition(const OrdersFile& file);

/// Replays a ledger. Throws LedgerError if a record cannot follow from those before it.
/// @param watch told now and then how many records there were
Rows replay_rows(Ledger& ledger, std::uint64_t count, const std::string& path,
                 const std::function<void(std::uint64_t)>& watch = {});

/// The fact, or a LedgerError that says that the ledger is not whole.
std::string fact(const Facts& facts, std::string_view name, const std::string& path);

/// `rows` of the facts as a number.
std::uint64_t rows_of(const Facts& facts, const std::string& path);

/// A path as the facts keep it; `-` is standard input, and the address of a database stays as it
/// is.
std::string absolute(const std::string& path);

/// Another pass over a validated input; a Refusal if it is no longer what was validated.
void pass_again(
    OrdersFile& input, const IntakeOptions& options,
    const std::function<void(const Order&, bool valid, const std::vector<Complaint>&)>& visit);

/// `HOST:PORT`, or `by RegionId`.
std::string endpoint_text(const std::optional<Endpoint>& endpoint);

/// RFC 3339, UTC, ms.
std::string timestamp(WallTime at);

/// What the settings say about where the key is.
KeyChoice key_choice(const Settings& settings);

}  // namespace sagorder::io
