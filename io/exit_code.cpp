#include "io/exit_code.hpp"

namespace sagorder::io {
namespace {

/// What outweighs even rows in doubt: then nothing that is said of the rows can be relied on.
std::optional<ExitCode> broken(Stop stop) {
  if (stop == Stop::ledger_failed || stop == Stop::output_failed) return ExitCode::unwritable;
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
      break;
  }
  return ExitCode::internal;
}

constexpr ExitMeaning kMeanings[] = {
    {ExitCode::all_placed, "all placed"},
    {ExitCode::some_rejected, "some rejected, or left out as invalid"},
    {ExitCode::usage, "usage, or not confirmed"},
    {ExitCode::some_in_doubt, "some in doubt"},
    {ExitCode::input, "input invalid, changed or ordered before"},
    {ExitCode::limit, "stopped: a limit, an unreachable endpoint, the first interrupt"},
    {ExitCode::credentials, "credentials, permission, clock or a certificate"},
    {ExitCode::internal, "internal"},
    {ExitCode::unwritable, "ledger or output cannot be written"},
    {ExitCode::busy, "another process holds the ledger or the output"},
    {ExitCode::interrupted, "second interrupt"},
};

}  // namespace

std::span<const ExitMeaning> exit_meanings() { return kMeanings; }

ExitCode exit_code_of(Stop stop, const Rows& rows, std::uint64_t invalid) {
  if (const auto code = broken(stop)) return *code;
  if (rows.count_of(State::in_doubt) > 0) return ExitCode::some_in_doubt;
  if (const auto code = stopped(stop)) return *code;
  if (rows.count_of(State::rejected) > 0 || invalid > 0) return ExitCode::some_rejected;
  return ExitCode::all_placed;
}

}  // namespace sagorder::io
