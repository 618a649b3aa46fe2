#include "io/validation.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/io/temporary_directory.hpp"

namespace sagorder::io {
namespace {

class ValidationTest : public ::testing::Test {
 protected:
  Validation read(const std::string& content, const IntakeOptions& options = {}) {
    heard_.clear();
    std::ofstream(path_) << content;
    file_ = std::make_unique<OrdersFile>(path_);
    return validate(*file_, options, [&](const Complaint& c) { heard_.push_back(c.text); });
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_ / "orders.csv";
  std::unique_ptr<OrdersFile> file_;
  std::vector<std::string> heard_;
};

TEST_F(ValidationTest, CountsWhatTheFileWouldBuyByRegion) {
  const Validation validation = read(
      "RegionId,UserCount,Period,AutoPay\n"
      "cn-shanghai,5,12,true\ncn-shanghai,10,1,false\neu-central-1,20,3,false\n");
  EXPECT_TRUE(validation.readable);
  EXPECT_EQ(validation.errors, 0U);
  EXPECT_EQ(validation.rows, 3U);
  EXPECT_EQ(validation.totals.seats, 35U);
  EXPECT_EQ(validation.totals.seat_months, 5U * 12 + 10 + 20 * 3);
  EXPECT_EQ(validation.totals.auto_pay, 1U);
  EXPECT_EQ(validation.by_region.at("cn-shanghai").orders, 2U);
  EXPECT_EQ(validation.by_region.at("eu-central-1").seats, 20U);
}

TEST_F(ValidationTest, HearsEveryComplaintAndCountsGoodRowsOnly) {
  const Validation validation =
      read("RegionId,UserCount,Period\ncn-shanghai,x,12\ncn-shanghai,5,1\n,5,13\n");
  EXPECT_EQ(validation.rows, 3U);
  EXPECT_EQ(validation.invalid, 2U);
  EXPECT_EQ(validation.errors, 3U);
  EXPECT_EQ(heard_.size(), 3U);
  EXPECT_EQ(validation.totals.orders, 1U);
}

TEST_F(ValidationTest, EmptyFilesAndFilesWithoutOrdersAreErrors) {
  for (const char* content : {"", "\n\n", "RegionId,UserCount,Period\n"}) {
    const Validation validation = read(content);
    EXPECT_FALSE(validation.readable);
    EXPECT_EQ(validation.errors, 1U) << content;
  }
}

TEST_F(ValidationTest, MoreRegionsThanARunCanHaveAreAnError) {
  std::string content = "RegionId,UserCount,Period\n";
  for (std::size_t n = 0; n < kRegionsMax; ++n) content += "r" + std::to_string(n) + ",5,1\n";
  EXPECT_TRUE(read(content).readable);
  EXPECT_FALSE(read(content + "one-more,5,1\n").readable);
}

TEST_F(ValidationTest, GoodRowsAreShownWithTheirRecordAndWhatIsKnownOfTheFile) {
  std::ofstream(path_) << "Reference,RegionId,UserCount,Period\na,cn-shanghai,5,1\n"
                          "b,cn-shanghai,x,1\n\"c\nc\",cn-shanghai,5,1\nd,cn-shanghai,5,1\n";
  OrdersFile file(path_);
  std::vector<std::string> seen;
  validate(
      file, {}, [](const Complaint&) {},
      [&](const Order& order, const csv::Record& record, const Validation& so_far) {
        EXPECT_EQ(so_far.reference, 0U);
        seen.push_back(std::string(order.cells[*so_far.reference]) + " " +
                       std::to_string(order.row.value) + " " + std::to_string(record.line));
      });
  EXPECT_EQ(seen, (std::vector<std::string>{"a 1 2", "c\nc 3 4", "d 4 6"}));
}

TEST_F(ValidationTest, ASecondPassSeesTheSameRows) {
  read("RegionId,UserCount,Period\ncn-shanghai,5,1\ncn-shanghai,x,1\ncn-shanghai,15,1\n");
  std::vector<std::pair<std::uint64_t, bool>> seen;
  EXPECT_TRUE(for_each_row(*file_, {}, [&](const Order& order, bool valid, const auto&) {
    seen.emplace_back(order.row.value, valid);
  }));
  EXPECT_EQ(seen, (std::vector<std::pair<std::uint64_t, bool>>{{1, true}, {2, false}, {3, true}}));
}

TEST_F(ValidationTest, ASecondPassRefusesAChangedFile) {
  read("RegionId,UserCount,Period\ncn-shanghai,5,1\n");
  std::ofstream(path_) << "RegionId,UserCount,Period\ncn-shanghai,500,1\n";
  EXPECT_FALSE(for_each_row(*file_, {}, [](const Order&, bool, const auto&) { FAIL(); }));
}

}  // namespace
}  // namespace sagorder::io
