// Which batch used a plan: a plan is good for one batch, however often that one is resumed.
//
// One file for each plan that was used, `<digest>.json` in a private directory beside the memory of
// batches ($XDG_STATE_HOME/sagorder/plans): a JSON object. It is made whole and linked into place,
// so that of two batches only one can take a plan; durable when `take` returns. The ledger says
// which plan it was begun with, too, for people.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sagorder::io {

struct PlanUse {
  std::string ledger_id;  ///< tells the batch from every other
  std::string ledger;     ///< absolute path
  std::string output;     ///< absolute path
  std::string used_at;    ///< RFC 3339, UTC
};

class PlanUses {
 public:
  /// Nothing is made or read yet.
  explicit PlanUses(std::string directory);
  /// By the environment, as Batches::default_directory.
  static std::string default_directory();

  /// The batch that used it; nullopt: none did. Throws BatchesError if that cannot be told.
  [[nodiscard]] std::optional<PlanUse> use_of(std::string_view digest) const;

  /// Takes the plan for a batch, durably.
  /// @return nullopt: it is this batch's (now, or it was before); else whose it is
  std::optional<PlanUse> take(std::string_view digest, const PlanUse& use);

  /// Gives it back: for a batch of which no byte of a request left.
  void give_back(std::string_view digest, std::string_view ledger_id);

 private:
  [[nodiscard]] std::string file_of(std::string_view digest) const;

  std::string directory_;
};

}  // namespace sagorder::io
