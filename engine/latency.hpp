// How long answers took, as a ledger keeps it: in whole milliseconds. Counted in buckets that are
// exact up to two seconds and within 0.1 % above, so that memory does not grow with the rows.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/moment.hpp"

namespace sagorder {

class Latencies {
 public:
  /// Answers that took from `from` to less than `to`; the last bar goes up to the longest.
  struct Bar {
    milliseconds from;
    milliseconds to;
    std::uint64_t count = 0;
    bool open = false;  ///< the last one: wider than the others, all that is above
  };

  Latencies();
  void add(milliseconds latency);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] milliseconds min() const { return min_; }  ///< 0 if nothing was counted
  [[nodiscard]] milliseconds max() const { return max_; }
  /// @param share 0..1  @return 0 if nothing was counted
  [[nodiscard]] milliseconds quantile(double share) const;

  /// At most `most` bars of one width, up to where 99.5 % of all lie, and one open bar if there is
  /// more above. No bars if nothing was counted.
  [[nodiscard]] std::vector<Bar> bars(std::size_t most) const;

 private:
  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
  milliseconds min_{0};
  milliseconds max_{0};
};

}  // namespace sagorder
