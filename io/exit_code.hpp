// Exit codes, which scripts rely on, and how the end of a run becomes one.
#pragma once

#include <span>
#include <string_view>

#include "engine/life.hpp"
#include "engine/pipeline.hpp"

namespace sagorder::io {

enum class ExitCode : int {
  all_placed = 0,
  some_rejected = 1,  ///< finished; rejected or invalid rows are among them
  usage = 2,          ///< wrong arguments, or not confirmed
  some_in_doubt = 3,  ///< whatever else
  input = 4,          ///< invalid, changed or ordered before
  limit = 5,          ///< stopped before the last row: a limit, an outage, the first interrupt
  credentials = 6,    ///< credentials, permission, clock, or the server's certificate
  internal = 70,      ///< the program contradicts itself
  unwritable = 74,    ///< ledger or output cannot be written
  busy = 75,          ///< another process holds the ledger or the output
  interrupted = 130,  ///< second interrupt, or one before the first order
};

struct ExitMeaning {
  ExitCode code;
  std::string_view means;  ///< as help and the man pages say it
};

/// Every code that a command can end with, in order: `run`. Any other name: those of the program
/// as a whole, in words that fit every command.
std::span<const ExitMeaning> exit_meanings(std::string_view command = {});

/// @param rows of the whole batch, not of this run alone  @param invalid rows left out
ExitCode exit_code_of(Stop stop, const Rows& rows, std::uint64_t invalid);

}  // namespace sagorder::io
