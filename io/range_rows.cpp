#include "io/range_rows.hpp"

#include <utility>

namespace sagorder::io {

RangeRows::RangeRows(OrdersFile& input, IntakeOptions options)
    : input_(input), options_(std::move(options)), intake_(options_) {
  begin_again();
}

void RangeRows::begin(const Range& range) {
  range_ = range;
  if (intake_.last() >= range.first) begin_again();
}

RangeRows::What RangeRows::next(Order& order) {
  for (std::size_t passed = 0; intake_.last().value + 1 < range_.first.value; ++passed) {
    if (passed == kPassedAtOnce) return What::passed;
    if (!read_record()) return What::changed;
    intake_.pass();
  }
  while (intake_.last() < range_.last) {
    if (!read_record()) return What::changed;
    complaints_.clear();
    if (intake_.row(record_, order, complaints_)) return What::order;
  }
  return What::end;
}

/// All rows of the range were there when it was validated.
bool RangeRows::read_record() {
  changed_ = changed_ || input_.next(record_).what != OrdersFile::What::record;
  return !changed_;
}

void RangeRows::begin_again() {
  input_.rewind();
  intake_ = Intake(options_);
  complaints_.clear();
  changed_ = !read_record() || !intake_.header(record_, complaints_);
}

}  // namespace sagorder::io
