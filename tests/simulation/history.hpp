// One seed, one whole history: processes that start, run, are stopped and die (up to five in a row,
// while they recover, too), what people do between them, a calm end, and the judgement.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/simulation/matrix.hpp"
#include "tests/simulation/oracle.hpp"

namespace sagorder::simulation {

struct Outcome {
  std::vector<Violation> violations;
  std::uint64_t digest = 0;
  std::uint64_t events = 0;
  std::uint64_t requests = 0;
  std::uint64_t processes = 0;
  Told told;
};

/// @param aloud retells it, line by line
Outcome play(std::uint64_t seed, bool aloud, Matrix& struck);

}  // namespace sagorder::simulation
