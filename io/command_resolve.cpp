#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "io/driver.hpp"
#include "io/going_on.hpp"
#include "io/other_batches.hpp"
#include "io/process.hpp"
#include "io/results_lines.hpp"
#include "io/settlement.hpp"
#include "io/standing.hpp"

namespace sagorder::io {
namespace {

/// The number of another batch's order would leave this row's own order forgotten.
void refuse_order_of_another_batch(const Resolution& said, const Facts& facts,
                                   const std::string& path) {
  const OrderIdSearch search = find_order_id(said.order_id, fact(facts, kFactLedgerId, path));
  if (search.found) {
    throw Refusal(ExitCode::usage,
                  fmt::format("OrderId {} is row {}'s of another batch already, with results in {} "
                              "and ledger {}; nothing was recorded",
                              said.order_id, search.found->row.value, search.found->output,
                              search.found->ledger),
                  "each order is one row's; look up the number again");
  }
  if (search.unread == 0) return;
  tell("{} other batches were not compared: their ledgers are missing, unreadable or too many\n",
       search.unread);
}

std::string cells_text(const std::vector<std::string>& columns, const Cells& cells) {
  std::string text;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i] != "RegionId" && columns[i] != "UserCount" && columns[i] != "Period") continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", columns[i], cells[i]);
  }
  return text;
}

/// The row as the results have it; empty if they have no line of it.
std::string row_text(Row row, const Settings& settings, const Facts& facts) {
  FileIdentity identity;
  if (!identity_of(settings.output, identity)) return {};
  const auto columns = nlohmann::json::parse(fact(facts, kFactColumns, settings.ledger))
                           .get<std::vector<std::string>>();
  const ResultFormat format = result_format_of(settings.output);
  std::string text;
  Cells own;
  Cells cells;
  for_each_line(open_private(settings.output, O_RDONLY), settings.output,
                ResultScanner(format, columns),
                [&](const ResultKey& key, bool header, std::string_view line) {
                  if (header || key.row != row) return;
                  if (decode_line(format, columns, line, own, cells)) {
                    text = cells_text(columns, cells);
                  }
                });
  return text;
}

/// What the number is looked up by: a slip is seen before it is final, or at least at once.
std::string description_of(const Settings& settings, Settlement& batch) {
  const Row row = settings.resolution.row;
  std::string begun;
  batch.ledger().intents([&](const Record& intent) {
    if (intent.row == row) begun = timestamp(intent.at);
  });
  const std::string cells = row_text(row, settings, batch.facts());
  return fmt::format("row {}: {}{}attempt begun {}", row.value, cells, cells.empty() ? "" : "; ",
                     begun.empty() ? "never" : begun);
}

/// Whoever is at work takes the rows that are pending.
bool at_work(SharedLedger* ledger) {
  return ledger != nullptr && std::ranges::any_of(ledger->hosts(), &HostSeen::alive);
}

/// A script that pipes its evidence in is not asked.
void confirm(const Settings& settings) {
  if (settings.yes || !is_terminal(STDIN_FILENO)) return;
  const auto answer = answer_to([] { tell("This is final. Type 'yes' to record it: "); });
  if (!answer) tell("\n");
  if (answer == "yes") return;
  throw Refusal(ExitCode::usage, "not confirmed; nothing was recorded",
                "to record it, type yes in full, or give --yes");
}

}  // namespace

ExitCode resolve_command(const Settings& settings, Log& /*log*/) {
  const std::string& path = settings.ledger;
  Settlement batch(settings);
  const Resolution& said = settings.resolution;
  if (batch.is_doubt(said.row)) {
    batch.refuse_while_under_way(said.row);
    if (said.placed) refuse_order_of_another_batch(said, batch.facts(), path);
    fmt::print("{}\n", printable(description_of(settings, batch)));
    std::fflush(stdout);
    confirm(settings);
  }
  const bool before = batch.settle({&said, 1}).front().before;

  if (batch.without_results()) {
    batch.remove_if_unused();
    if (settings.output.empty()) {
      fmt::print("no results file was named: `sagorder results` writes one\n");
    } else {
      fmt::print("there is no results file {}; the next run writes it anew\n",
                 printable(settings.output));
    }
  }
  fmt::print("row {} is {}{}\n", said.row.value, before ? "already resolved: " : "",
             said.placed ? "placed as " + said.order_id : "not placed, and pending again");
  fmt::print("in doubt now: {}\n", batch.in_doubt());
  if (batch.rows().count_of(State::pending) > 0 && !at_work(batch.shared())) {
    fmt::print("{}", to_text(going_on(batch.facts(), batch.rows(), path,
                                      std::filesystem::current_path().string(), now().wall),
                             "to go on with the rows that are not sent"));
  }
  return ExitCode::all_placed;
}

}  // namespace sagorder::io
