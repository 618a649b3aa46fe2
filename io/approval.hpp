// What a run may do by its plan: the checks of `run --plan`, and the plan's one use. Without a plan
// everything passes. Each check throws a Refusal.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "io/ledger.hpp"
#include "io/plan.hpp"
#include "io/plan_uses.hpp"
#include "io/shared_ledger.hpp"

namespace sagorder::io {

class Approval {
 public:
  /// Reads the plan that the settings name. They must outlive it.
  explicit Approval(const Settings& settings);

  /// Once all that a plan fixes is known, and before anything is sent. Each difference is a line
  /// of the log.
  /// @param facts of the ledger; empty: it was not begun
  void keep_to(const Validation& validation, std::string_view input_sha256, const KeyPlaces& key,
               const Facts& facts, Log& log) const;

  /// Whether no run may begin with it any more.
  [[nodiscard]] bool is_over(WallTime today) const;

  /// Before the first send. The ledger first: between the two a crash leaves a plan that nobody
  /// took.
  /// @param shared the ledger, where hosts share the batch; nullptr: they do not
  void take(Ledger& ledger, SharedLedger* shared, const Facts& facts);
  /// Takes back what `take` took anew: no byte of a request left.
  void give_back(SharedLedger* shared, const Facts& facts);

 private:
  /// Empty: there is none, for more differs than limits.
  [[nodiscard]] std::string command_as_planned(const Plan& present) const;
  [[noreturn]] void refuse(const std::string& why, const std::string& as_planned = {}) const;
  [[noreturn]] void refuse_as_used(const PlanUse& use) const;

  const Settings& settings_;
  std::optional<Plan> plan_;
  bool new_use_ = false;  // by this run
};

}  // namespace sagorder::io
