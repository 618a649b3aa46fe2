#include "io/references.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "engine/wording.hpp"
#include "io/commands.hpp"
#include "io/kill_point.hpp"
#include "io/ledger_sqlite.hpp"

namespace sagorder::io {
namespace {

using nlohmann::json;

constexpr std::uint64_t kColumnBits = 16;
constexpr std::uint64_t kColumnMax = (1U << kColumnBits) - 1;
constexpr std::size_t kKeptAtOnce = 100'000;  // References in one transaction

/// A line and a column of the file, in one number.
std::uint64_t packed(csv::Position at) {
  return (at.line << kColumnBits) | std::min<std::uint64_t>(at.column, kColumnMax);
}
csv::Position unpacked(std::uint64_t packed) {
  return {packed >> kColumnBits, packed & kColumnMax};
}

bool has_references(const Facts& facts, const std::string& path) {
  const json columns = json::parse(fact(facts, kFactColumns, path), nullptr, false);
  return columns.is_array() && std::ranges::find(columns, json(kReference)) != columns.end();
}

/// What a ledger says of a row that it ordered, or may have.
std::string_view words_for(State state) {
  switch (state) {
    case State::placed:
      return "is placed";
    case State::in_doubt:
    case State::intended:
      return "may have been placed";
    case State::pending:
      return "was attempted, and is to be sent again";
    case State::rejected:
      break;
  }
  return "was rejected";
}

/// One ledger of the history; what it ordered goes into a list, by its own number.
class Chronicle {
 public:
  explicit Chronicle(std::string path)
      : path_(std::move(path)), ledger_(SqliteLedger::open_for_reading(path_)) {
    facts_ = ledger_->facts();
  }

  [[nodiscard]] bool is_begun() const { return !facts_.empty(); }
  [[nodiscard]] std::string id() const { return fact(facts_, kFactLedgerId, path_); }

  void tell(std::uint64_t number, FingerprintMaker& maker, SortedSpill& into) {
    if (!has_references(facts_, path_)) return;
    const Rows rows = replay_rows(*ledger_, rows_of(facts_, path_), path_);
    if (rows.count_of(State::pending) == rows.count() && !any_touched(rows)) return;
    if (facts_.find(kFactReferences) == facts_.end()) {
      throw Refusal(ExitCode::input,
                    fmt::format("--history: {} does not say which References it ordered, for an "
                                "older sagorder wrote it; nothing was sent",
                                path_),
                    "give the last command of its batch again, which adds them and orders nothing "
                    "twice; or compare by hand, and move that ledger elsewhere");
    }
    ledger_->references([&](Row row, std::string_view text) {
      if (row.value > rows.count()) throw LedgerError(path_ + ": has a Reference of no row");
      if (rows.state(row) == State::rejected || !rows.touched(row)) return;
      into.add({maker.of(text), row.value, number});
    });
  }

  [[nodiscard]] std::string words(Row row) {
    const Rows rows = replay_rows(*ledger_, rows_of(facts_, path_), path_);
    return fmt::format("row {} of {} {}", row.value, path_, words_for(rows.state(row)));
  }

 private:
  static bool any_touched(const Rows& rows) {
    for (std::uint64_t row = 1; row <= rows.count(); ++row) {
      if (rows.touched({row})) return true;
    }
    return false;
  }

  std::string path_;
  std::unique_ptr<SqliteLedger> ledger_;
  Facts facts_;
};

/// One for each of the first, and one that counts the others.
template <class Words>
std::vector<Complaint> complaints_of(const Repeats& repeats, Severity severity, Words words) {
  std::vector<Complaint> complaints;
  for (const Repeat& each : repeats.first) {
    complaints.push_back({severity, unpacked(each.here.line), Row{each.here.row}, words(each)});
  }
  const std::uint64_t more = repeats.count - repeats.first.size();
  if (more > 0) {
    complaints.push_back(
        {severity, {0, 0}, {}, fmt::format("{} more rows whose Reference is there before", more)});
  }
  return complaints;
}

}  // namespace

std::string_view reference_of(const Order& order, std::size_t column) {
  std::string_view text = order.cells[column];
  constexpr std::string_view kSpaces = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpaces) - begin + 1);
}

void References::see(const Order& order, const csv::Record& record, const Validation& so_far) {
  if (!so_far.reference) return;
  const std::string_view text = reference_of(order, *so_far.reference);
  if (text.empty()) return;
  texts_.add({maker_.of(text), order.row.value, packed(record.fields[*so_far.reference].at)});
}

std::vector<Complaint> References::repeated(Severity severity) {
  texts_.sort();
  const Repeats repeats = repeats_within(texts_);
  return complaints_of(repeats, severity, [](const Repeat& each) {
    return fmt::format("the Reference is that of line {}; the two are taken for the same order",
                       unpacked(each.before.line).line);
  });
}

std::vector<Complaint> References::ordered_before(const std::vector<std::string>& ledgers,
                                                  const std::function<bool(Row)>& counts,
                                                  Severity severity, const std::string& own,
                                                  std::string_view own_id) {
  SortedSpill ordered(directory_);
  FileIdentity ours;
  const bool begun = identity_of(own, ours);
  for (std::size_t i = 0; i < ledgers.size(); ++i) {
    FileIdentity theirs;
    // Never opened twice in a process: SQLite's locks would be lost (io/ledger_sqlite).
    if (begun && identity_of(ledgers[i], theirs) && theirs == ours) continue;
    try {
      Chronicle chronicle(ledgers[i]);
      if (chronicle.is_begun() && chronicle.id() != own_id) chronicle.tell(i, maker_, ordered);
    } catch (const LedgerError& error) {
      throw Refusal(ExitCode::input, fmt::format("--history: {}; nothing was sent", error.what()),
                    "what cannot be read cannot be compared with: mend it, or move it elsewhere");
    }
  }
  ordered.sort();
  texts_.rewind();
  const Repeats repeats =
      repeats_between(texts_, ordered, [&](const Placed& text) { return counts(Row{text.row}); });
  return complaints_of(repeats, severity, [&](const Repeat& each) {
    const Row row{each.before.row};
    return "the Reference was ordered before: " + Chronicle(ledgers[each.before.line]).words(row);
  });
}

std::vector<std::string> ledgers_in(const std::string& directory) {
  std::error_code error;
  std::vector<std::string> paths;
  for (std::filesystem::directory_iterator each(directory, error), end; !error && each != end;
       each.increment(error)) {
    if (each->path().extension() == ".ledger") paths.push_back(each->path().string());
  }
  if (error) {
    throw Refusal(ExitCode::input, "--history " + directory + ": " + error.message(),
                  "name the directory that holds the ledgers of other batches");
  }
  std::ranges::sort(paths);
  return paths;
}

std::string no_ledgers(const std::string& directory) {
  return "--history " + directory +
         ": holds no ledger (*.ledger, such as results.csv.ledger), so nothing was compared with";
}

void require_references(const Validation& validation, const std::string& input) {
  if (validation.reference) return;
  throw Refusal(ExitCode::usage, "--history: " + input + " has no column Reference to compare by",
                "add the column, or leave --history out");
}

void keep_references(Ledger& ledger, OrdersFile& input, const IntakeOptions& options,
                     const Validation& validation) {
  if (!validation.reference || ledger.facts().contains(kFactReferences)) return;
  std::vector<std::pair<Row, std::string>> gathered;
  const auto write = [&] {
    kill_point("references:before-written");
    ledger.add_references(gathered);
    gathered.clear();
  };
  pass_again(input, options, [&](const Order& order, bool, const auto&) {
    const std::string_view text = reference_of(order, *validation.reference);
    if (text.empty()) return;  // of rows left out, too: another time they may be let in
    gathered.emplace_back(order.row, text);
    if (gathered.size() == kKeptAtOnce) write();
  });
  write();
  kill_point("references:before-whole");
  ledger.set_facts({{std::string(kFactReferences), "whole"}});
}

}  // namespace sagorder::io
