// What a ledger knows of the batch's runs: when each began to send, how fast it was allowed to, and
// how it ended. A fact of the ledger, a JSON array of {"at_ms": ms since 1970, "rate": "50/s",
// "run": "3f09c2d1", "ended_ms": ..., "stop": "none", "exit_code": 0}. Ledgers of older programs
// have none, or less of it; a run that was killed has no end.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/report.hpp"

namespace sagorder::io {

inline constexpr std::size_t kRunStartsMax = 100;  ///< the last ones are kept

struct RunEnd {
  WallTime at;
  std::string stop;  ///< name_of(Stop)
  int exit_code = 0;
};

/// How it stopped, for people; in its own words if this program does not know such a stop.
std::string words_of(const RunEnd& end);

struct RunKnown {
  RunStart start;
  std::string run;            ///< as the log's lines name it; empty: older than that
  std::optional<RunEnd> end;  ///< nullopt: it goes on, or was killed
};

/// The fact with one run more. What cannot be read begins anew.
std::string with_run(std::string_view fact, const RunStart& start, std::string_view run = {});

/// The fact with the end of `run`; as it was if it names no such run.
std::string with_end(std::string_view fact, std::string_view run, const RunEnd& end);

/// What of the fact can be read; nothing that is wrong in it is an error.
std::vector<RunKnown> runs_known(std::string_view fact);
std::vector<RunStart> run_starts_of(std::string_view fact);

}  // namespace sagorder::io
