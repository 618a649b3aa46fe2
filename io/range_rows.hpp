// The orders of a range of rows, out of an input that can only be read from its beginning: what
// stands before the range is passed over, a part at a time, so that the loop has its turn
// meanwhile.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/intake.hpp"
#include "engine/ranges.hpp"
#include "io/orders_file.hpp"

namespace sagorder::io {

inline constexpr std::size_t kPassedAtOnce = 4'096;  ///< records, before the loop has its turn

class RangeRows {
 public:
  enum class What : std::uint8_t {
    order,    ///< `order` is filled
    passed,   ///< not there yet: call again
    end,      ///< the range is over
    changed,  ///< the input is not what was validated; for good
  };

  /// The input must outlive it; it was validated.
  RangeRows(OrdersFile& input, IntakeOptions options);

  void begin(const Range& range);
  What next(Order& order);

 private:
  bool read_record();
  void begin_again();

  OrdersFile& input_;
  const IntakeOptions options_;
  Intake intake_;
  csv::Record record_;
  std::vector<Complaint> complaints_;
  Range range_{};
  bool changed_ = false;
};

}  // namespace sagorder::io
