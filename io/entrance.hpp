// The checks before a batch may be begun or gone on with: looks up what engine/entry decides by,
// and tells a person what stands in the way. Each check throws a Refusal.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/entry.hpp"
#include "engine/life.hpp"
#include "io/batches.hpp"
#include "io/commands.hpp"
#include "io/ledger.hpp"
#include "io/orders_file.hpp"
#include "io/shared_ledger.hpp"

namespace sagorder::io {

/// ` --ledger PATH` for proposed commands, where it needs to be said.
std::string ledger_option(const Settings& settings);

class Entrance {
 public:
  /// Both must outlive it; the input is asked for its digest once it was read.
  Entrance(const Settings& settings, const OrdersFile& input)
      : settings_(settings), input_(input) {}

  /// Found now, and not when the money is spent.
  void refuse_bad_paths() const;
  void refuse_other_input(const Facts& facts) const;
  void refuse_if_ordered_before(const Facts& facts);
  /// @param option as people write it
  void refuse_if_different(const Rows& rows, const Facts& facts, std::string_view name,
                           const std::string& value, std::string_view option) const;
  /// Of a ledger that was not there when the checks began.
  void refuse_if_made_meanwhile(const Ledger& ledger) const;
  /// For a start that found no ledger.
  void refuse_if_there_by_now() const;

  /// Takes the mark of a batch of which commits are missing away: --again has said that somebody
  /// looked. @param facts as they were when it was said  @return whether there was one
  bool go_on_after_failover(SharedLedger& ledger, Facts& facts) const;

  /// Draws this run's token into the ledger, then remembers the batch with it.
  void remember(Ledger& ledger, const Facts& facts);
  /// The same for a batch that hosts share: each has a token of its own.
  void remember_as_host(SharedLedger& ledger);
  /// Takes back what `remember` remembered anew: no byte of a request left.
  void forget(const Facts& facts);

 private:
  Batches& batches();
  [[nodiscard]] std::vector<std::string> digests() const;
  [[nodiscard]] std::vector<RememberedBatch> remembered(const std::vector<Batch>& batches,
                                                        std::string_view ledger_id) const;
  void refuse_after_failover(const Facts& facts) const;
  [[noreturn]] void refuse(Obstacle obstacle, const Batch& batch) const;
  [[noreturn]] void refuse_as_older(const Batch& last) const;
  [[noreturn]] void refuse_as_before(const Batch& before) const;
  [[nodiscard]] std::string way_on(const Batch& before) const;
  [[nodiscard]] static std::string way_to(const Batch& before);
  [[noreturn]] void refuse_as_made_meanwhile() const;

  const Settings& settings_;
  const OrdersFile& input_;
  std::optional<Batches> batches_;  // made when it is needed: a dry run remembers nothing
  bool new_batch_ = false;          // remembered by this run
};

}  // namespace sagorder::io
