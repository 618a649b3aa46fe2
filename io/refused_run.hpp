// What a run that was refused leaves for whoever watches runs: its summary and its metrics, with
// its exit code and the reason. Those of the run before would look as if it had gone well.
//
// A file is written only where it does no harm: not while another process is at work with these
// results, which tells of itself, and never in the place of a file of another kind.
#pragma once

#include <string>
#include <vector>

#include "engine/moment.hpp"
#include "engine/rate.hpp"
#include "io/ending.hpp"

namespace sagorder::io {

inline constexpr std::size_t kRunIdDigits = 8;  ///< names a run among those of one log

struct RefusedRun {
  std::string output;   ///< who holds this file is at work
  std::string ledger;   ///< may be empty
  std::string summary;  ///< empty: none is wanted
  std::string metrics;  ///< likewise
  std::string run;      ///< as the log names it
  RateLimit rate;
  WallTime begun{};
  WallTime ended{};
  Ending ending;
};

/// Writes both anew, with nothing counted. @return what kept a file from being written
std::vector<std::string> leave_word(const RefusedRun& refused);

/// The same for arguments of `run` that were not understood: of the files that they name as
/// `--summary`, `--metrics` and `--output`, those that are there and of their kind are written
/// anew.
void leave_word(int argc, const char* const* argv, const Ending& ending, WallTime now);

}  // namespace sagorder::io
