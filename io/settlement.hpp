// A batch opened so that its rows in doubt can be settled by evidence: an operator's (`resolve`) or
// the account's listings (`reconcile`). One path for both: the record becomes durable, then the
// results get their line or lose it.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "io/commands.hpp"
#include "io/results_file.hpp"

namespace sagorder::io {

class Settlement {
 public:
  /// Opens and locks ledger and results; a Refusal, LedgerError or OutputError if they are not what
  /// they should be. What a crash left open becomes a doubt.
  explicit Settlement(const Settings& settings);

  struct Settled {
    bool before = false;  ///< the same was said before
  };
  /// Settles rows, all in one commit, and writes their lines. A Refusal, before anything is
  /// recorded, if one of them cannot be settled so.
  std::vector<Settled> settle(std::span<const Resolution> resolutions);

  [[nodiscard]] Ledger& ledger() { return *ledger_; }
  [[nodiscard]] const Rows& rows() const { return rows_; }
  [[nodiscard]] const Facts& facts() const { return facts_; }
  /// There was no results file: the next run writes it anew.
  [[nodiscard]] bool without_results() const { return results_.created(); }
  void remove_if_unused() { results_.remove_if_unused(); }

 private:
  Record checked(const Resolution& resolution, Settled& settled);
  void refuse_unless_there(Row row) const;
  void refuse_second_thoughts(const Record& said) const;
  void refuse_unless_in_doubt(Row row) const;
  void refuse_if_taken(const Resolution& resolution);
  void refuse_if_said_of_earlier(const Record& said);
  std::optional<Record> said_before(const Record& said);
  void update_results(const std::vector<Record>& records);

  std::unique_ptr<Ledger> ledger_;
  Facts facts_;
  Rows rows_;
  std::vector<std::string> columns_;
  ResultsFile results_;
  std::string rows_command_;  // `sagorder rows RESULTS`, as it is proposed
};

}  // namespace sagorder::io
