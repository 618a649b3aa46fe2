// What a run came to: for people on standard error, and as JSON for programs. Whatever its number
// of rows it is no longer than the constants below let it be.
#pragma once

#include <span>
#include <string>

#include "engine/pipeline.hpp"
#include "io/exit_code.hpp"
#include "io/pool.hpp"
#include "io/validation.hpp"

namespace sagorder::io {

inline constexpr std::size_t kSummaryLinesMax = 12;  ///< regions, and codes, that people are shown
inline constexpr std::size_t kSummaryRowsMax = 20;   ///< rows that are named to people
inline constexpr std::size_t kSummaryRowsMaxJson = 10'000;  ///< and to programs

struct Summary {
  const Rows& rows;  ///< of the whole batch
  const Tally& tally;
  const Validation& validation;
  PoolCounters network;
  Stop stop = Stop::none;
  std::string stop_detail;
  ExitCode exit_code = ExitCode::all_placed;
  nanoseconds elapsed{0};
  std::uint64_t not_sent = 0;  ///< valid rows without an outcome, but for those that were left open
  std::string output;
  std::string ledger;
  std::string status_command;  ///< empty: no row is in doubt
  std::string plan_command;    ///< makes the plan that the next one wants; empty: it wants none
  std::string next_command;    ///< empty: nothing is left to send
  std::string advice;          ///< a sentence before the commands
  RateLimit rate;              ///< as asked for
  std::string run;             ///< as the log's lines name it
  WallTime begun{};
  WallTime ended{};
  std::span<const Row> left_open = {};  ///< begun, and what became of them is not recorded
};

/// Several lines, each with its end. @param wide columns of the terminal; 0: it is none
std::string to_text(const Summary& summary, int wide = 0);
/// One JSON object and a line end. @param indent spaces; -1: all on one line
std::string to_json(const Summary& summary, int indent = 2);

/// What a plan fixes is not changed by another option alone.
struct ByPlan {
  bool planned = false;
  bool again = false;      ///< a run that begins anew may buy as much again, by the same limit
  bool shared = false;     ///< the limits are those of all hosts at work together
  bool expired = false;    ///< or gone
  std::string limit_at{};  ///< where the limit that stopped the run stands; empty: the command line
  bool from_now = false;   ///< --not-after is a duration, which the same command begins anew
};

/// What to do next, by the reason of the stop and the state of the rows.
std::string advice_for(Stop stop, const Rows& rows, const ByPlan& plan);

}  // namespace sagorder::io
