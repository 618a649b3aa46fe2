// How a batch is gone on with: the command that does it, and the one for a new plan where it wants
// that first. A run keeps in its ledger what `status` needs to say it later, whatever ended the
// run.
//
// The same command goes on, with two exceptions. Once a row of the canary was rejected, no run with
// that canary sends anything more, so the command loses it. And a plan that has expired, or that
// fixes what the command has lost, is no use: `check --plan` makes another one.
#pragma once

#include <string>
#include <string_view>

#include "engine/allowance.hpp"
#include "engine/life.hpp"
#include "engine/stop.hpp"
#include "io/ledger.hpp"
#include "io/settings.hpp"
#include "io/summary.hpp"

namespace sagorder::io {

struct GoingOn {
  std::string why;       ///< why not the last command as it was; empty: it is that one
  std::string new_plan;  ///< to be given first; empty: none is wanted
  std::string command;
  bool once_looked = false;  ///< not before somebody has looked at what `why` says; for no script
};

/// What to do about a batch of which commits may be missing (io/postgres_timeline); lines.
inline constexpr std::string_view kAfterFailover =
    "put the database back that has them. If it is gone, look in the console for orders of that "
    "time that `sagorder results` has not.\n"
    "If there are some, do not go on with this batch: their rows would be bought a second time. "
    "`sagorder rows --status not_sent` writes the rows that are left; take those out of it, and "
    "order that file with an output of its own";

/// The check that makes the plan that a run with these settings keeps to; empty: it keeps to none.
/// Every value is written out, for a file or a variable may set another one for `check`.
std::string plan_command(const Settings& settings, std::uint64_t canary);

/// For the fact kFactGoingOn, JSON.
std::string going_on_fact(const Settings& settings);

/// By the ledger's facts, also those of an older program, which named the last command alone.
/// @param here where it will be given; empty: anywhere, so that a directory goes before it
GoingOn going_on(const Facts& facts, const Rows& rows, const std::string& ledger,
                 std::string_view here, WallTime today);

/// `--max-orders`, if it is a limit of what a run buys that stopped it; else empty.
std::string limit_option(Stop stop);

/// At the end of a run.
GoingOn going_on(const Settings& settings, Stop stop, const Rows& rows, const ByPlan& plan);

/// Whether a run with this canary can send nothing more, for what is rejected stays so.
bool canary_is_lost(std::uint64_t canary, const Rows& rows);

/// Why, and the commands, each on a line of its own.
/// @param intent what the last one is for: `to go on`
std::string to_text(const GoingOn& going_on, std::string_view intent);

}  // namespace sagorder::io
