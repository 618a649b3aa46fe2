// Whether a results file is the projection of the ledger, and what has to be done if it is not.
//
// The ledger is the truth and the file only shows it: a row's *due* line is the status of its
// settled state, and every line that was seen is compared with the one that is due.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/life.hpp"
#include "engine/order.hpp"
#include "engine/result.hpp"

namespace sagorder {

/// What has to be done to a results file so that it is the projection of the ledger again.
enum class Repair : std::uint8_t {
  none,     ///< every settled row has its line, and no other has one
  append,   ///< lines are missing: append them
  rebuild,  ///< a line twice, or one that the ledger has since outdated: write it anew
  refuse,   ///< a line that says more of a row than the ledger knows: the ledger lost records
};

/// Compares lines seen with the ledger's states, which must be whole before. One byte a row. What
/// the ledger settled counts before what --skip-invalid leaves out.
class Projection {
 public:
  explicit Projection(const Rows& rows);
  /// @param invalid rows that --skip-invalid leaves out count as settled, state invalid
  void mark_invalid(Row row);
  /// Another host settled it, and its line is in that one's file: none is due here. One that is
  /// here all the same has to agree.
  void mark_elsewhere(Row row);
  void see(const ResultKey& key);
  void see_broken() { broken_ = true; }  ///< a line that is not ours, or bytes after it
  [[nodiscard]] Repair repair() const;
  [[nodiscard]] bool lacks_line(Row row) const;  ///< settled or invalid, and no line seen
  [[nodiscard]] bool is_due(Row row) const;      ///< settled or invalid, and a line of this file
  [[nodiscard]] std::optional<Row> unknown_row() const { return unknown_; }

 private:
  enum class Match : std::uint8_t { agrees, lacks_line, outdated };
  [[nodiscard]] Match match(Row row) const;
  [[nodiscard]] bool says_more_than_ledger(const ResultKey& key) const;

  const Rows& rows_;
  std::vector<std::uint8_t> seen_;  // the line's status, and two flags
  bool broken_ = false;
  std::optional<Row> unknown_;
};

}  // namespace sagorder
