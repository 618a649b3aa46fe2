#include <fmt/format.h>

#include <cstdio>

#include "io/commands.hpp"
#include "io/validation.hpp"

namespace sagorder::io {
namespace {

std::string line_of(std::string_view name, const Totals& totals) {
  return fmt::format("{:<24} {:>12} {:>12} {:>14} {:>12}\n", name, totals.orders, totals.seats,
                     totals.seat_months, totals.auto_pay);
}

}  // namespace

ExitCode check_command(const Settings& settings, Log& /*log*/) {
  OrdersFile file(settings.input);
  const Validation validation = validate(file, settings.intake, [&](const Complaint& complaint) {
    tell("{}\n", printable(to_string(complaint, file.name())));
  });
  if (validation.readable) {
    fmt::print("{:<24} {:>12} {:>12} {:>14} {:>12}\n", "RegionId", "orders", "seats", "seat-months",
               "paid at once");
    for (const auto& [region, totals] : validation.by_region) {
      fmt::print("{}", line_of(region, totals));
    }
    fmt::print("{}", line_of("total", validation.totals));
  }
  const auto s = [](std::uint64_t count) { return count == 1 ? "" : "s"; };
  fmt::print("{} row{}, {} invalid, {} error{}, {} warning{}; nothing was sent\n", validation.rows,
             s(validation.rows), validation.invalid, validation.errors, s(validation.errors),
             validation.warnings, s(validation.warnings));
  return validation.errors > 0 ? ExitCode::input : ExitCode::all_placed;
}

}  // namespace sagorder::io
