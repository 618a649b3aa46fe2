// A host's part in a batch that is shared: what it joins with, what its results file holds, and
// what it finds of others at the end. The run's steps call it; during the orders io/shared_batch
// works.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "io/exit_code.hpp"
#include "io/log.hpp"
#include "io/results_repair.hpp"
#include "io/settings.hpp"
#include "io/shared_batch.hpp"
#include "io/shared_ledger.hpp"

namespace sagorder::io {

inline constexpr std::string_view kFactCanary = "canary";    ///< --canary of those at work; 0: none
inline constexpr std::string_view kFactBought = "bought";    ///< likewise: limits of what is bought
inline constexpr std::string_view kFactAccount = "account";  ///< whose bucket they lease from
/// With a host's number behind it: the results file of that process.
inline constexpr std::string_view kFactOutputOfHost = "output@";

inline constexpr seconds kReachPatience{10};

/// What all hosts that are at work with a batch have to have in common.
struct Common {
  std::string_view name;    ///< a fact of the batch
  std::string_view option;  ///< that says it, for people
  ExitCode otherwise = ExitCode::input;
};

class Membership {
 public:
  /// All must outlive it. @param ledger open to be shared
  Membership(const Settings& settings, SharedLedger& ledger)
      : settings_(settings), ledger_(ledger) {}
  /// Leaves, if it was not left before.
  ~Membership();
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;

  /// Adds what a batch begins with. What all have to have in common is what the first of them says
  /// that are at work together; who says something else gets a Refusal. The account is the first's
  /// for all.
  /// @return all facts of the batch
  Facts join(const Facts& ours, const std::vector<Common>& common);

  /// Which rows are in the results file of this host, by the ledger: those that it tried last, in
  /// this process or in earlier ones, whose place it takes. The file is open and locked.
  [[nodiscard]] ResultsRepair::IsOurs own_rows(std::uint64_t rows);

  /// The results file has lines that the ledger knows nothing of. If it is this host's by the
  /// ledger's own word (`own_rows` was asked), the batch is marked: commits are missing.
  void tell_results_know_more();

  /// What the pipeline's asks go by.
  /// @param left_out rows that are no orders, ascending  @param rows of the batch
  [[nodiscard]] SharedTerms terms(const Facts& facts, std::vector<Row> left_out,
                                  std::uint64_t rows) const;
  /// Throws a Refusal if others at work go by another rate.
  void agree(const SharedTerms& terms);

  /// Before the first order: what it is told next reaches the ledger, over a new connection if that
  /// of the start was lost. Waits for it, for about kReachPatience; throws what then stands in the
  /// way.
  void reach();

  /// At the end: what the batch has come to, whoever did it. What a dead host left open is in doubt
  /// in `rows`, and said, each host once.
  void look_back(Rows& rows, Log& log);

 private:
  [[nodiscard]] std::string agree(const Facts& ours, const std::vector<Common>& common);

  const Settings& settings_;
  SharedLedger& ledger_;
  bool results_are_ours_ = false;  // by the ledger's word
};

}  // namespace sagorder::io
