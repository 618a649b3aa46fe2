// Chance: every draw of a history comes from its one seed.
#pragma once

#include <cstdint>

namespace sagorder::simulation {

/// Of ten thousand.
using Odds = std::uint32_t;

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : state_(seed * 0xD1342543DE82EF95U + 0x632BE59BD9B4E019U) {
    next();
  }
  std::uint64_t next() {  // splitmix64
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }
  /// 0 to n - 1; 0 for n of 0.
  std::uint64_t below(std::uint64_t n) { return n < 2 ? 0 : next() % n; }
  /// Both ends included.
  std::int64_t between(std::int64_t least, std::int64_t most) {
    return least + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(most - least) + 1));
  }
  bool hits(Odds odds) { return odds > 0 && below(10'000) < odds; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }

 private:
  std::uint64_t state_;
};

}  // namespace sagorder::simulation
