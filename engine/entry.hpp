// Whether a batch may be begun, or gone on with. io looks the facts up and tells people; here it is
// decided what they mean.
//
// A ledger is *begun* once it has facts: its own id, the digest of the input that it belongs to,
// and the tokens of the last two runs that sent from it. The memory of batches holds, by the
// input's digest, every batch of which a request left, with the token of its last run: a ledger
// that does not know that one is an older copy, and would order again what it has forgotten.
//
//   held            one process at a time
//   other_input     a begun ledger goes with its input and no other
//   ordered_before  one content, one batch; unless it is asked for again
//   older_copy      the ledger has to know the batch's last run
//   copied          a ledger may be moved, and then none is left where it was
//   other_setting   what rows were sent with stays so for the rest
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/life.hpp"

namespace sagorder {

/// What stands in the way of a batch.
enum class Obstacle : std::uint8_t {
  held,            ///< another process holds the ledger or the results, or made them meanwhile
  other_input,     ///< the ledger was begun with another content
  ordered_before,  ///< the same content was ordered out of another ledger
  older_copy,      ///< a run of this batch is not known to the ledger
  copied,          ///< where the ledger was, another file of the same id stands
  other_setting,   ///< rows were sent with another value
};

/// Of a file that one process uses at a time, as it is opened.
struct Hold {
  bool locked_by_another = false;
  bool made_by_another = false;  ///< after this process looked and found none
};

/// A ledger's facts, all empty if there is none or it was not begun. Views.
struct BegunLedger {
  std::string_view id;
  std::string_view input_sha256;
  std::span<const std::string> runs;  ///< tokens of the runs that it knows, the last one first
};

/// What is remembered of a batch of the same input.
struct RememberedBatch {
  std::string_view ledger_id;
  std::string_view run;       ///< token of its last run; empty: none was drawn
  bool stands_there = false;  ///< a file is where its ledger was, and it is not the one in use
};

/// The batch that stands in the way, by its place in what is remembered.
struct BatchInTheWay {
  Obstacle obstacle = Obstacle::ordered_before;
  std::size_t place = 0;
};

std::optional<Obstacle> judge_hold(const Hold& hold);

std::optional<Obstacle> judge_input(const BegunLedger& ledger, std::string_view input_sha256);

/// Before a start, and once more under the memory's lock before the first request of a run.
/// @param remembered batches of this input, the earliest first
/// @param again  the same content is ordered a second time on purpose
std::optional<BatchInTheWay> judge_memory(std::span<const RememberedBatch> remembered,
                                          const BegunLedger& ledger, bool again);

/// Of a setting that the rest of a batch must not change.
/// @param before as the last run had it
std::optional<Obstacle> judge_setting(const Rows& rows, std::string_view before,
                                      std::string_view now);

/// Whether the ledger knows this run; one that drew no token is no news.
bool knows_run(const BegunLedger& ledger, std::string_view run);

}  // namespace sagorder
