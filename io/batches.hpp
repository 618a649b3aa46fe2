// The memory of every batch that sent an order, so that the same content is not ordered again under
// another output or ledger by mistake.
//
// One file for each input digest, `<64 hex digits>.json` in a private directory
// ($XDG_STATE_HOME/sagorder/batches, default ~/.local/state/sagorder/batches): a JSON array of
// batches, the earliest first. It is made whole under another name and then linked into place, so
// that it is never seen half-written and never overwritten; further entries (--again) replace it by
// rename. Both are durable when `remember` returns. A file that cannot be understood is an error.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "engine/entry.hpp"

namespace sagorder::io {

/// The memory cannot be read or written; the text names the file and says what to do.
struct BatchesError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Batch {
  std::string output;      ///< absolute path of the results file
  std::string ledger;      ///< absolute path of the ledger
  std::string ledger_id;   ///< tells this batch from every other
  std::string started_at;  ///< RFC 3339, UTC
  std::string command;     ///< as it was given, for people
  /// Drawn by each run before it sends, and kept in the ledger too: a ledger that does not know the
  /// last one is an older copy.
  std::string run = {};
};

/// What engine/entry decides by.
std::vector<RememberedBatch> views_of(const std::vector<Batch>& batches);

/// A remembered batch, and how it stands in the way of another.
struct StandingBatch {
  Obstacle obstacle = Obstacle::ordered_before;
  Batch batch;
};

class Batches {
 public:
  /// Nothing is made or read yet.
  explicit Batches(std::string directory);
  /// By the environment. Throws BatchesError if XDG_STATE_HOME is set and no absolute path (another
  /// memory would not know what this one remembers), or if it is not set and HOME is none.
  static std::string default_directory();

  /// The batches of this input, the earliest first; empty if there was none.
  /// @param digest 64 hex digits
  [[nodiscard]] std::vector<Batch> all_of(std::string_view digest) const;

  /// Remembers a batch, durably. If its ledger is remembered already, the entry is brought up to
  /// date.
  /// @param again remember it beside others of the same input
  /// @param known the runs that this ledger knows
  /// @return nullopt: it is remembered (now, or it was before); else what stands in the way, and
  /// nothing was written
  std::optional<StandingBatch> remember(std::string_view digest, const Batch& batch, bool again,
                                        const std::vector<std::string>& known = {});

  /// Takes back what `remember` wrote, durably: for a batch of which no byte of a request left.
  void forget(std::string_view digest, std::string_view ledger_id);

  /// The file of a digest, for messages.
  [[nodiscard]] std::string file_of(std::string_view digest) const;

 private:
  void refuse_links() const;

  std::string directory_;
};

}  // namespace sagorder::io
