// One seed, one whole history of several hosts on one batch: they begin, share, stand still, are
// killed and begin anew while the ledger fails over and cannot be reached; then nothing fails any
// more, and all has to come to its end.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/simulation/hosts/oracle.hpp"

namespace sagorder::simulation::hosts {

struct Outcome {
  std::vector<Violation> violations;
  std::uint64_t digest = 0;
  std::uint64_t events = 0;
  std::uint64_t requests = 0;
  std::uint64_t lives = 0;
  std::uint64_t elsewhere = 0;  ///< rows whose claim was refused
  std::uint64_t open = 0;       ///< intents that dead hosts left open
  std::uint64_t fenced = 0;     ///< hosts that found themselves fenced
};

/// @param aloud retells it, line by line
Outcome play(std::uint64_t seed, bool aloud);

}  // namespace sagorder::simulation::hosts
