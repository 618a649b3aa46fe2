// Seeded chance. SplitMix64: the same seed gives the same run on every machine and compiler, which
// the standard library's distributions do not promise. Not for secrets.
#pragma once

#include <cstdint>

namespace gateway {

class Chance {
 public:
  // `lane` separates the generators that are drawn from in unrelated orders (requests,
  // connections, latencies), so that one of them never shifts another.
  explicit Chance(std::uint64_t seed, std::uint64_t lane = 0)
      : state_(seed * 0x9E3779B97F4A7C15u + lane * 0xD1B54A32D192ED03u) {}

  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }

  // In [0, 1).
  double fraction() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  // In [low, high]; `low` when the range is empty.
  std::uint64_t between(std::uint64_t low, std::uint64_t high) {
    return high <= low ? low : low + next() % (high - low + 1);
  }

 private:
  std::uint64_t state_;
};

}  // namespace gateway
