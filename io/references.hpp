// References: what a row is called by whoever ordered it, in the optional column `Reference`. Two
// rows of one Reference are taken for the same order by mistake: within a file, and, by the ledgers
// of other batches, across files. Spaces around one do not count, and an empty one is none.
//
// Memory is bounded (io/repeats). The ledger keeps the References of its rows, written before the
// first of them is ordered, so that later batches can be compared with it. Two batches that begin
// at the same moment do not see each other.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/intake.hpp"
#include "io/ledger.hpp"
#include "io/repeats.hpp"
#include "io/validation.hpp"

namespace sagorder::io {

/// The Reference of a row, without the spaces around it.
/// @param column its place in the cells
std::string_view reference_of(const Order& order, std::size_t column);

class References {
 public:
  /// @param directory for what does not fit in memory
  explicit References(const std::string& directory) : texts_(directory), directory_(directory) {}

  /// A RowSeen. Throws FileError.
  void see(const Order& order, const csv::Record& record, const Validation& so_far);

  /// Complaints of the rows whose Reference an earlier row has: the first ones, and one that counts
  /// the rest. Once, after the file was read.
  std::vector<Complaint> repeated(Severity severity);

  /// Likewise those that one of these ledgers ordered, or may have.
  /// @param counts  which rows matter: those that are still to be ordered
  /// @param own  the ledger of this batch, and its id: not compared with
  std::vector<Complaint> ordered_before(const std::vector<std::string>& ledgers,
                                        const std::function<bool(Row)>& counts, Severity severity,
                                        const std::string& own, std::string_view own_id);

  [[nodiscard]] std::uint64_t count() const { return texts_.size(); }

 private:
  SortedSpill texts_;
  std::string directory_;
  FingerprintMaker maker_;
};

/// The ledgers (*.ledger) in a directory, by name. A Refusal if it is none, or cannot be read.
std::vector<std::string> ledgers_in(const std::string& directory);

/// What is said of a directory without any.
std::string no_ledgers(const std::string& directory);

/// A Refusal if there is nothing to compare by.
void require_references(const Validation& validation, const std::string& input);

/// Writes the References of a batch into its ledger, durably, unless they are there already.
void keep_references(Ledger& ledger, OrdersFile& input, const IntakeOptions& options,
                     const Validation& validation);

}  // namespace sagorder::io
