// Where a batch stands, by its ledger: what `status` and `report` both say.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/life.hpp"
#include "io/ledger.hpp"
#include "io/settings.hpp"

namespace sagorder::io {

/// Throws a Refusal if there is no such ledger.
void refuse_missing_ledger(const Settings& settings);

/// Throws a Refusal if the run that made the ledger ended before it had written what it is about.
void refuse_if_just_made(Ledger& ledger);

/// Throws a Refusal if the results that were named are not those that this ledger wrote.
/// @param written the fact `output_path`
void refuse_other_results(const Settings& settings, const std::string& written);

/// Whether a run holds the ledger now. To be asked before the ledger is opened, for closing a
/// descriptor of it later would drop SQLite's locks.
bool is_running(const std::string& path);

struct Counts {
  std::uint64_t in_doubt = 0;
  std::uint64_t invalid = 0;
  std::uint64_t not_sent = 0;
};

/// Without a run, an attempt that was begun and has no outcome is a doubt. Rows that were left out
/// as invalid have no records: they count as pending in the ledger.
Counts count(const Rows& rows, const Facts& facts, bool running);
/// @param interrupted attempts that were begun, and that nobody is at any more
Counts count(const Rows& rows, const Facts& facts, std::uint64_t interrupted);

/// `sagorder NAME RESULTS` as this program was called, with --ledger if it is not the usual one.
std::string command_for(std::string_view name, const Settings& settings);

}  // namespace sagorder::io
