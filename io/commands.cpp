#include "io/commands.hpp"

#include <fmt/chrono.h>

#include <charconv>
#include <filesystem>

namespace sagorder::io {

Rows replay_rows(Ledger& ledger, std::uint64_t count, const std::string& path) {
  Rows rows(count);
  ledger.replay([&](const Step& step) {
    if (rows.apply(step)) return;
    throw LedgerError(path + ": row " + std::to_string(step.row.value) + " has a record (" +
                      std::string(name_of(step.kind)) + ", attempt " +
                      std::to_string(step.attempt.value) +
                      ") that cannot follow from those before it; the ledger is damaged, and "
                      "nothing is sent from it");
  });
  return rows;
}

std::string fact(const Facts& facts, std::string_view name, const std::string& path) {
  const auto found = facts.find(name);
  if (found == facts.end()) {
    throw LedgerError(path + ": says nothing of '" + std::string(name) +
                      "'; it is not a whole ledger of this program");
  }
  return found->second;
}

std::uint64_t rows_of(const Facts& facts, const std::string& path) {
  const std::string text = fact(facts, kFactRows, path);
  std::uint64_t rows = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), rows);
  if (error != std::errc{} || end != text.data() + text.size()) {
    throw LedgerError(path + ": its number of rows is '" + text + "', which is no number");
  }
  return rows;
}

std::string absolute(const std::string& path) {
  return path == "-" ? "standard input" : std::filesystem::weakly_canonical(path).string();
}

void pass_again(
    OrdersFile& input, const IntakeOptions& options,
    const std::function<void(const Order&, bool valid, const std::vector<Complaint>&)>& visit) {
  if (for_each_row(input, options, visit)) return;
  throw Refusal(ExitCode::input,
                input.name() + ": changed after it was validated; nothing was sent",
                "put it back as it was, then the same command goes on");
}

std::string timestamp(WallTime at) {
  const auto whole = std::chrono::floor<seconds>(at);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", whole, (at - whole).count());
}

}  // namespace sagorder::io
