#include "engine/projection.hpp"

#include "engine/planted.hpp"

namespace sagorder {

namespace {

// A row's byte: 0 or 1 + the status of its line, and two flags.
constexpr unsigned kLineMask = 7;
constexpr unsigned kTwice = 8;
constexpr unsigned kInvalid = 16;
constexpr unsigned kElsewhere = 32;

}  // namespace

Projection::Projection(const Rows& rows) : rows_(rows), seen_(rows.count(), 0) {}

void Projection::mark_invalid(Row row) {
  std::uint8_t& seen = seen_.at(row.value - 1);
  seen = static_cast<std::uint8_t>(seen | kInvalid);
}

void Projection::mark_elsewhere(Row row) {
  std::uint8_t& seen = seen_.at(row.value - 1);
  seen = static_cast<std::uint8_t>(seen | kElsewhere);
}

/// A line of a row without records, or one that says how a row ended for good that is pending here:
/// the ledger lost what it knew when the line was written.
bool Projection::says_more_than_ledger(const ResultKey& key) const {
  if (key.status == ResultStatus::invalid) return false;
  const bool final = key.status == ResultStatus::placed || key.status == ResultStatus::rejected;
  return !rows_.touched(key.row) || (final && rows_.state(key.row) == State::pending);
}

void Projection::see(const ResultKey& key) {
  const bool in_range = key.row.value >= 1 && key.row.value <= seen_.size();
  if (!in_range || says_more_than_ledger(key)) {
    if (!unknown_) unknown_ = key.row;
    return;
  }
  std::uint8_t& seen = seen_[key.row.value - 1];
  const unsigned twice = (seen & kLineMask) != 0 ? kTwice : 0;
  const unsigned status = static_cast<unsigned>(key.status) + 1;
  seen = static_cast<std::uint8_t>((seen & ~kLineMask) | status | twice);
}

Projection::Match Projection::match(Row row) const {
  const unsigned seen = seen_[row.value - 1];
  std::optional<ResultStatus> due = status_of(rows_.state(row));
  if (!due && (seen & kInvalid) != 0) due = ResultStatus::invalid;
  const unsigned line = due ? static_cast<unsigned>(*due) + 1 : 0;
  if ((seen & kTwice) != 0) return Match::outdated;
  if ((seen & kElsewhere) != 0 && (seen & kLineMask) == 0) return Match::agrees;
  if ((seen & kLineMask) == line) return Match::agrees;
  if (planted(Planted::outdated_line_kept) && (seen & kLineMask) != 0) return Match::agrees;
  return (seen & kLineMask) == 0 ? Match::lacks_line : Match::outdated;
}

Repair Projection::repair() const {
  if (unknown_) return Repair::refuse;
  if (broken_) return Repair::rebuild;
  Repair repair = Repair::none;
  for (std::uint64_t i = 1; i <= seen_.size(); ++i) {
    const Match found = match(Row{i});
    if (found == Match::outdated) return Repair::rebuild;
    if (planted(Planted::missing_lines_forgotten)) continue;
    if (found == Match::lacks_line) repair = Repair::append;
  }
  return repair;
}

bool Projection::is_due(Row row) const {
  const unsigned seen = seen_[row.value - 1];
  return (seen & kElsewhere) == 0 || (seen & kLineMask) != 0;
}

bool Projection::lacks_line(Row row) const { return match(row) == Match::lacks_line; }

}  // namespace sagorder
