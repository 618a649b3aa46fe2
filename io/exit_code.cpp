#include "io/exit_code.hpp"

namespace sagorder::io {
namespace {

/// What outweighs even rows in doubt: then nothing that is said of the rows can be relied on.
std::optional<ExitCode> broken(Stop stop) {
  if (stop == Stop::ledger_failed || stop == Stop::output_failed || stop == Stop::records_lost) {
    return ExitCode::unwritable;
  }
  if (stop == Stop::abandoned) return ExitCode::interrupted;
  return std::nullopt;
}

std::optional<ExitCode> stopped(Stop stop) {
  switch (stop) {
    case Stop::none:
      return std::nullopt;
    case Stop::credentials:
    case Stop::clock:
    case Stop::certificate:
      return ExitCode::credentials;
    case Stop::input_changed:
      return ExitCode::input;
    case Stop::interrupted:
    case Stop::max_orders:
    case Stop::max_seats:
    case Stop::max_seat_months:
    case Stop::canary:
    case Stop::not_after:
    case Stop::max_failures:
    case Stop::max_doubts:
    case Stop::max_attempts:
    case Stop::unreachable:
    case Stop::payment:
    case Stop::fenced:
      return ExitCode::limit;
    case Stop::abandoned:
    case Stop::output_failed:
    case Stop::ledger_failed:
    case Stop::records_lost:
      break;
  }
  return ExitCode::internal;
}

using enum ExitCode;

constexpr ExitMeaning kInternal{internal, "internal"};
constexpr ExitMeaning kUsage{usage, "usage"};
constexpr ExitMeaning kNoSuchBatch{usage, "usage, or no such batch"};
constexpr ExitMeaning kUnreadable{unwritable, "the ledger cannot be read"};
constexpr ExitMeaning kBusy{busy, "another process holds the ledger or the results"};

constexpr ExitMeaning kOfProgram[] = {
    {all_placed, "all placed, or done"},
    {some_rejected, "some rejected, or left out as invalid"},
    {usage, "usage, or not confirmed"},
    {some_in_doubt, "some in doubt"},
    {input, "input invalid, changed or ordered before"},
    {limit, "stopped: a limit, an unreachable endpoint, the first interrupt"},
    {credentials, "credentials, permission, clock or a certificate"},
    kInternal,
    {unwritable, "ledger or output cannot be written"},
    {busy, "another process holds the ledger or the output"},
    {interrupted, "second interrupt"},
};
constexpr ExitMeaning kOfRun[] = {
    {all_placed, "all placed"},
    {some_rejected, "some rejected, or left out as invalid"},
    {usage, "usage, or not confirmed"},
    {some_in_doubt, "some in doubt, whatever else"},
    {input, "input invalid, changed or ordered before"},
    {limit, "stopped: a limit, an unreachable endpoint, the first interrupt"},
    {credentials, "credentials, permission, clock or a certificate"},
    kInternal,
    {unwritable, "ledger or output cannot be written"},
    {busy, "another process holds the ledger or the output; --wait-lock waits for it"},
    {interrupted, "second interrupt, or one before the first order"},
};
constexpr ExitMeaning kOfCheck[] = {
    {all_placed, "no error"},
    kUsage,
    {input, "errors, all of them listed; no plan is written"},
    {credentials, "no access key to make a plan for"},
    kInternal,
    {unwritable, "the plan cannot be written, or a file not be read"},
};
constexpr ExitMeaning kOfStatus[] = {
    {all_placed, "whatever it finds"}, kNoSuchBatch, kInternal, kUnreadable};
constexpr ExitMeaning kOfResolve[] = {
    {all_placed, "recorded"},
    {usage, "usage, not confirmed, or not to be said of this row: nothing was recorded"},
    kInternal,
    {unwritable, "ledger or results cannot be read or written"},
    kBusy,
};
constexpr ExitMeaning kOfReport[] = {
    {all_placed, "whatever it finds"},
    kNoSuchBatch,
    kInternal,
    {unwritable, "the page cannot be written, or the ledger not be read"}};
constexpr ExitMeaning kOfRows[] = {
    {all_placed, "written, however many"},
    kNoSuchBatch,
    {input, "the input was changed, or is not there"},
    kInternal,
    {unwritable, "the rows cannot be written, or the ledger not be read"},
    {busy, "a run is going on"},
};
constexpr ExitMeaning kOfDoctor[] = {
    {all_placed, "no error; warnings are none"},
    kUsage,
    {input, "errors in the file, or a region that is not known"},
    {limit, "an endpoint cannot be reached, or a quota is used up"},
    {credentials, "credentials, permission, clock or a certificate"},
    kInternal,
    {unwritable, "a file cannot be read"},
};
constexpr ExitMeaning kOfReconcile[] = {
    {all_placed, "every row in doubt is found or absent, or none is in doubt"},
    kNoSuchBatch,
    {some_in_doubt, "some rows in doubt are neither"},
    {input, "the input was changed, or is not there"},
    {limit, "nothing could be listed"},
    {credentials, "nothing could be listed: credentials, permission, clock or a certificate"},
    kInternal,
    {unwritable, "ledger or results cannot be read or written"},
    kBusy,
};
constexpr ExitMeaning kOfResults[] = {
    {all_placed, "written, whatever the rows became"},
    kNoSuchBatch,
    {input, "the input was changed, or is not there"},
    kInternal,
    {unwritable, "the results cannot be written or are another batch's, or the ledger not be read"},
    {busy, "another process holds the results"},
};
constexpr ExitMeaning kOfConfig[] = {{all_placed, "shown"}, kUsage, kInternal};
constexpr ExitMeaning kOfHelp[] = {{all_placed, "shown"}, kUsage, kInternal};

struct OfCommand {
  std::string_view name;
  std::span<const ExitMeaning> meanings;
};
constexpr OfCommand kOfCommands[] = {{"run", kOfRun},         {"check", kOfCheck},
                                     {"status", kOfStatus},   {"resolve", kOfResolve},
                                     {"report", kOfReport},   {"rows", kOfRows},
                                     {"doctor", kOfDoctor},   {"reconcile", kOfReconcile},
                                     {"results", kOfResults}, {"config", kOfConfig},
                                     {"help", kOfHelp}};

}  // namespace

std::span<const ExitMeaning> exit_meanings(std::string_view command) {
  for (const OfCommand& each : kOfCommands) {
    if (each.name == command) return each.meanings;
  }
  return kOfProgram;
}

ExitCode exit_code_of(Stop stop, const Rows& rows, std::uint64_t invalid) {
  if (const auto code = broken(stop)) return *code;
  if (rows.count_of(State::in_doubt) > 0) return ExitCode::some_in_doubt;
  if (const auto code = stopped(stop)) return *code;
  if (rows.count_of(State::rejected) > 0 || invalid > 0) return ExitCode::some_rejected;
  return ExitCode::all_placed;
}

}  // namespace sagorder::io
