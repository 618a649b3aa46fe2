#include "io/range_rows.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "io/validation.hpp"
#include "tests/io/temporary_directory.hpp"

namespace sagorder::io {
namespace {

using What = RangeRows::What;

class RangeRowsTest : public testing::Test {
 protected:
  /// Rows whose UserCount is their number; `bad` has none.
  OrdersFile& input(std::uint64_t rows, std::uint64_t bad = 0) {
    path_ = directory_ / "orders.csv";
    std::ofstream file(path_);
    file << "RegionId,Period,UserCount\n";
    for (std::uint64_t row = 1; row <= rows; ++row) {
      file << "cn-shanghai,1," << (row == bad ? "none" : std::to_string(row)) << "\n";
    }
    file.close();
    input_.emplace(path_);
    validate(*input_, {}, [](const Complaint&) {});
    return *input_;
  }
  /// The rows of a range, and how often the loop had its turn before them.
  std::vector<std::uint64_t> rows_of(RangeRows& rows, std::uint64_t first, std::uint64_t last) {
    rows.begin({Row{first}, Row{last}});
    std::vector<std::uint64_t> read;
    turns_ = 0;
    while (true) {
      last_ = rows.next(order_);
      if (last_ == What::passed) {
        ++turns_;
      } else if (last_ == What::order) {
        EXPECT_EQ(order_.user_count, order_.row.value);
        read.push_back(order_.row.value);
      } else {
        return read;
      }
    }
  }

  TemporaryDirectory directory_;
  std::string path_;
  std::optional<OrdersFile> input_;
  Order order_;
  What last_ = What::end;
  int turns_ = 0;
};

using Numbers = std::vector<std::uint64_t>;

TEST_F(RangeRowsTest, RangesComeInAnyOrder) {
  RangeRows rows(input(9), {});
  EXPECT_EQ(rows_of(rows, 4, 6), (Numbers{4, 5, 6}));
  EXPECT_EQ(rows_of(rows, 7, 9), (Numbers{7, 8, 9}));
  EXPECT_EQ(rows_of(rows, 1, 3), (Numbers{1, 2, 3}));
  EXPECT_EQ(rows_of(rows, 1, 1), (Numbers{1}));
  EXPECT_EQ(last_, What::end);
}

TEST_F(RangeRowsTest, RowsThatAreNoOrdersAreLeftOut) {
  RangeRows rows(input(5, 3), {});
  EXPECT_EQ(rows_of(rows, 2, 4), (Numbers{2, 4}));
  EXPECT_EQ(rows_of(rows, 3, 3), Numbers{});
  EXPECT_EQ(last_, What::end);
}

TEST_F(RangeRowsTest, TheLoopHasItsTurnWhileRowsArePassed) {
  RangeRows rows(input(3 * kPassedAtOnce), {});
  EXPECT_EQ(rows_of(rows, 2 * kPassedAtOnce + 2, 2 * kPassedAtOnce + 2),
            Numbers{2 * kPassedAtOnce + 2});
  EXPECT_EQ(turns_, 2);
}

TEST_F(RangeRowsTest, AnInputThatChangedIsSaid) {
  RangeRows rows(input(9), {});
  EXPECT_EQ(rows_of(rows, 1, 2), (Numbers{1, 2}));
  std::ofstream(path_, std::ios::in | std::ios::out) << "RegionID";
  EXPECT_EQ(rows_of(rows, 1, 2), Numbers{});
  EXPECT_EQ(last_, What::changed);
}

}  // namespace
}  // namespace sagorder::io
