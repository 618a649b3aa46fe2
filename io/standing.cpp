#include "io/standing.hpp"

#include <fcntl.h>

#include <cstdlib>

#include "io/commands.hpp"
#include "io/entrance.hpp"
#include "io/file.hpp"
#include "io/misnamed.hpp"

namespace sagorder::io {

void refuse_missing_ledger(const Settings& settings) {
  FileIdentity identity;
  if (!identity_of(settings.ledger, identity)) refuse_without_ledger(settings);
}

/// What is ordered is written down behind these facts, so that without them nothing was.
void refuse_if_just_made(Ledger& ledger) {
  bool empty = !ledger.facts().contains(kFactInputPath);
  if (empty) ledger.replay([&](const Step&) { empty = false; });
  if (!empty) return;
  throw Refusal(ExitCode::usage,
                ledger.place() +
                    ": the run that made it has not yet written what it is about, or "
                    "was ended before it could; nothing was ordered",
                "give that run's command again, or look again in a moment if it is just starting");
}

void refuse_other_results(const Settings& settings, const std::string& written) {
  FileIdentity ours;
  FileIdentity given;
  const bool other =
      identity_of(written, ours) && identity_of(settings.output, given) && given != ours;
  if (!other) return;
  throw Refusal(ExitCode::usage,
                settings.output + ": is not the results file of this ledger, which is " + written,
                "name that one");
}

bool is_running(const std::string& path) {
  const Fd file = open_private(path, O_RDONLY);
  return !try_lock(file, path);
}

Counts count(const Rows& rows, const Facts& facts, bool running) {
  return count(rows, facts, running ? std::uint64_t{0} : rows.count_of(State::intended));
}

Counts count(const Rows& rows, const Facts& facts, std::uint64_t interrupted) {
  Counts counts;
  counts.in_doubt = rows.count_of(State::in_doubt) + interrupted;
  const auto invalid = facts.find(kFactInvalid);
  if (invalid != facts.end()) counts.invalid = std::strtoull(invalid->second.c_str(), nullptr, 10);
  const std::uint64_t pending = rows.count_of(State::pending);
  counts.not_sent = pending > counts.invalid ? pending - counts.invalid : 0;
  return counts;
}

std::string command_for(std::string_view name, const Settings& settings) {
  const std::string results = settings.output.empty() ? "" : " " + operand_quoted(settings.output);
  return settings.program + " " + std::string(name) + results + ledger_option(settings);
}

}  // namespace sagorder::io
