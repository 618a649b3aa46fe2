// Makes a results file the projection of the ledger again, before anything is sent: compares what
// the file says with what the ledger says, and adds or writes anew what it lacks.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/projection.hpp"
#include "io/commands.hpp"
#include "io/orders_file.hpp"
#include "io/results_file.hpp"
#include "io/validation.hpp"

namespace sagorder::io {

class ResultsRepair {
 public:
  /// All must outlive it. Opens and locks the results file.
  /// @param standing_in by rows: records of doubts that the ledger has no outcome of
  ResultsRepair(const Settings& settings, const Validation& validation, OrdersFile& input,
                const Rows& rows, const std::map<Row, Record>& standing_in = {});

  /// Whether a row that is settled has its line in this file.
  using IsOurs = std::function<bool(Row)>;
  /// Of a batch that hosts share; before `compare`.
  void leave_to_others(const IsOurs& is_ours);

  /// Throws OutputError for a file of somebody else's, LedgerError for one that says more than the
  /// ledger knows. Nothing is written.
  void compare();
  /// What a comparison found to be done.
  void repair(Ledger& ledger, Log& log);
  /// Writes the file anew, whatever was compared.
  void rebuild(Ledger& ledger);
  /// Whatever was refused: leaves no empty file behind.
  void remove_if_unused() { results_->remove_if_unused(); }
  /// The file, ready for a run's lines. Nothing else is asked of this afterwards.
  [[nodiscard]] std::unique_ptr<ResultsFile> take() { return std::move(results_); }

 private:
  /// How many lines were.
  struct Written {
    std::uint64_t settled = 0;
    std::uint64_t invalid = 0;
  };
  void mark_invalid_rows();
  static void tell_added(const Written& written, Log& log);
  Written write_lines(Ledger& ledger, const std::function<bool(Row)>& wanted,
                      const ResultsFile::Sink& sink);
  const Record* outcome_of(Ledger& ledger, Row row);

  const Settings& settings_;
  const Validation& validation_;
  OrdersFile& input_;
  const Rows& rows_;
  std::unique_ptr<ResultsFile> results_;
  Projection projection_;
  ResultsFile::Scan scan_;
  const std::map<Row, Record> standing_in_;
  std::vector<Record> outcomes_;  // of the rows up to `known_to_`, and from a few before
  Row known_to_;
};

}  // namespace sagorder::io
