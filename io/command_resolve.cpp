#include <fmt/format.h>

#include <filesystem>

#include "io/driver.hpp"
#include "io/going_on.hpp"
#include "io/settlement.hpp"
#include "io/standing.hpp"

namespace sagorder::io {

ExitCode resolve_command(const Settings& settings, Log& /*log*/) {
  const std::string& path = settings.ledger;
  Settlement batch(settings);
  const Resolution& said = settings.resolution;
  const bool before = batch.settle({&said, 1}).front().before;

  if (batch.without_results()) {
    batch.remove_if_unused();
    fmt::print("there is no results file {}; the next run writes it anew\n",
               printable(settings.output));
  }
  fmt::print("row {} is {}{}\n", said.row.value, before ? "already resolved: " : "",
             said.placed ? "placed as " + said.order_id : "not placed, and pending again");
  fmt::print("in doubt now: {}\n", batch.rows().count_of(State::in_doubt));
  if (batch.rows().count_of(State::pending) > 0) {
    fmt::print("{}", to_text(going_on(batch.facts(), batch.rows(), path,
                                      std::filesystem::current_path().string(), now().wall),
                             "to go on with the rows that are not sent"));
  }
  return ExitCode::all_placed;
}

}  // namespace sagorder::io
