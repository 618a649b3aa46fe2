// What a run came to by region and by code. Bounded: what comes after the last place is counted
// under an empty name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/life.hpp"
#include "engine/order.hpp"

namespace sagorder {

class Breakdown {
 public:
  static constexpr std::size_t kRegionsMax = 64;
  static constexpr std::size_t kCodesMax = 64;

  struct Region {
    std::string region_id;  ///< empty: all others
    std::uint64_t placed = 0;
    std::uint64_t rejected = 0;
    std::uint64_t in_doubt = 0;
    std::uint64_t seats_placed = 0;
    std::uint64_t seat_months_placed = 0;
  };
  /// Outcomes that bore a code: the API's, or the name of a fault.
  struct Code {
    std::string code;  ///< empty: all others; else as the server wrote it
    std::uint64_t rejected = 0;
    std::uint64_t in_doubt = 0;
    std::uint64_t not_executed = 0;  ///< attempts that certainly were not: throttled, not sent
  };

  Breakdown();

  /// A row is settled. Allocates at the first one of a region only.
  void settle(const Order& order, RecordKind kind);
  /// An outcome that is no order: rejected, in_doubt or not_executed.
  void count(std::string_view code, RecordKind kind);

  [[nodiscard]] const std::vector<Region>& regions() const { return regions_; }
  [[nodiscard]] const std::vector<Code>& codes() const { return codes_; }

 private:
  Region& region(std::string_view region_id);
  Code& code(std::string_view code);

  std::vector<Region> regions_;  // in the order in which they came
  std::vector<Code> codes_;
  std::size_t last_ = 0;  // of the regions: most rows are of the one before
};

}  // namespace sagorder
