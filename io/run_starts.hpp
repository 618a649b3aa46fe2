// When the runs of a batch began to send, and how fast they were allowed to: a fact of the ledger,
// a JSON array of {"at_ms": ms since 1970, "rate": "50/s"}. Ledgers of older programs have none.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/report.hpp"

namespace sagorder::io {

inline constexpr std::size_t kRunStartsMax = 100;  ///< the last ones are kept

/// The fact with one run more. What cannot be read begins anew.
std::string with_run(std::string_view fact, const RunStart& start);

/// What of the fact can be read; nothing that is wrong in it is an error.
std::vector<RunStart> run_starts_of(std::string_view fact);

}  // namespace sagorder::io
