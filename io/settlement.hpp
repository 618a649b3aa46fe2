// A batch opened so that its rows in doubt can be settled by evidence: an operator's (`resolve`) or
// the account's listings (`reconcile`). One path for both: the record becomes durable, then the
// results get their line or lose it.
//
// In a database hosts may be at work meanwhile. What one of them is at is not to be settled as long
// as it is alive; a dead one is fenced before what it left open is settled, so that it can neither
// send nor record anything when it wakes.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "io/commands.hpp"
#include "io/results_file.hpp"
#include "io/shared_ledger.hpp"

namespace sagorder::io {

class Settlement {
 public:
  /// Opens and locks ledger and results; a Refusal, LedgerError or OutputError if they are not what
  /// they should be. What a crash left open becomes a doubt; in a database only once it is settled.
  explicit Settlement(const Settings& settings);

  struct Settled {
    bool before = false;  ///< the same was said before
  };
  /// Settles rows, all in one commit, and writes their lines. A Refusal, before anything is
  /// recorded, if one of them cannot be settled so.
  std::vector<Settled> settle(std::span<const Resolution> resolutions);

  /// Throws LedgerBusy, with the host's name, if a host that is alive may still be at the row.
  void refuse_while_under_way(Row row);
  [[nodiscard]] bool is_doubt(Row row) const;
  /// As the ledger knows it now.
  [[nodiscard]] std::uint64_t in_doubt();

  [[nodiscard]] Ledger& ledger() { return *ledger_; }
  /// nullptr: no hosts share it.
  [[nodiscard]] SharedLedger* shared() { return shared_; }
  [[nodiscard]] const Rows& rows() const { return rows_; }
  [[nodiscard]] const Facts& facts() const { return facts_; }
  /// There was no results file, or none was named: a run, or `results`, writes it anew.
  [[nodiscard]] bool without_results() const { return !results_ || results_->created(); }
  void remove_if_unused() {
    if (results_) results_->remove_if_unused();
  }

 private:
  Record checked(const Resolution& resolution, Settled& settled);
  void take_from_its_host(Row row);
  void refuse_lines_of_others(std::span<const Resolution> resolutions);
  void commit(const std::vector<Record>& records);
  void refuse_unless_there(Row row) const;
  void refuse_second_thoughts(const Record& said) const;
  void refuse_unless_in_doubt(Row row) const;
  void refuse_if_taken(const Resolution& resolution);
  void refuse_while_another_may_have_it(const Resolution& resolution);
  void refuse_if_said_of_earlier(const Record& said);
  std::optional<Record> said_before(const Record& said);
  void update_results(const std::vector<Record>& records);

  const std::string place_;
  std::unique_ptr<Ledger> ledger_;
  SharedLedger* shared_;
  Facts facts_;
  Rows rows_;
  std::vector<std::string> columns_;
  std::optional<ResultsFile> results_;
  std::string rows_command_;  // `sagorder rows RESULTS`, as it is proposed
};

}  // namespace sagorder::io
