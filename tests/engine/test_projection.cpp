#include "engine/projection.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace sagorder {
namespace {

/// Rows 1 placed, 2 rejected, 3 in doubt, 4 pending again, 5 and 6 untouched.
Rows six_rows() {
  Rows rows(6);
  const auto apply = [&](RecordKind kind, std::uint64_t row) {
    EXPECT_TRUE(rows.apply({kind, Row{row}, Attempt{1}}));
  };
  for (const std::uint64_t row : {1U, 2U, 3U, 4U}) apply(RecordKind::intent, row);
  apply(RecordKind::placed, 1);
  apply(RecordKind::rejected, 2);
  apply(RecordKind::in_doubt, 3);
  apply(RecordKind::not_executed, 4);
  return rows;
}

void see(Projection& projection, std::uint64_t row, ResultStatus status) {
  projection.see({Row{row}, status, {}});
}

void see_all(Projection& projection) {
  see(projection, 3, ResultStatus::in_doubt);
  see(projection, 1, ResultStatus::placed);
  see(projection, 2, ResultStatus::rejected);
}

/// Of six rows.
std::vector<std::uint64_t> lacking(const Projection& projection) {
  std::vector<std::uint64_t> rows;
  for (std::uint64_t row = 1; row <= 6; ++row) {
    if (projection.lacks_line(Row{row})) rows.push_back(row);
  }
  return rows;
}

TEST(Projection, IsWholeWhenEverySettledRowHasItsLine) {
  const Rows rows = six_rows();
  Projection projection(rows);
  see_all(projection);
  EXPECT_EQ(projection.repair(), Repair::none);
  EXPECT_TRUE(lacking(projection).empty());
  projection.mark_invalid(Row{5});
  EXPECT_EQ(projection.repair(), Repair::append);
  EXPECT_TRUE(projection.lacks_line(Row{5}));
  see(projection, 5, ResultStatus::invalid);
  EXPECT_EQ(projection.repair(), Repair::none);
}

TEST(Projection, SaysWhichLinesAreMissing) {
  const Rows rows = six_rows();
  Projection projection(rows);
  see(projection, 2, ResultStatus::rejected);
  EXPECT_EQ(projection.repair(), Repair::append);
  EXPECT_EQ(lacking(projection), (std::vector<std::uint64_t>{1, 3}));
}

TEST(Projection, IsRebuiltWhenALineIsOutdated) {
  const Rows rows = six_rows();
  for (const auto& [row, status] : std::vector<std::pair<std::uint64_t, ResultStatus>>{
           {1, ResultStatus::placed},      // twice
           {2, ResultStatus::in_doubt},    // twice, and other
           {4, ResultStatus::in_doubt},    // resolved as not placed since
           {4, ResultStatus::invalid},     // left out once, tried since
           {5, ResultStatus::invalid}}) {  // left out once, valid now
    Projection projection(rows);
    see_all(projection);
    see(projection, row, status);
    EXPECT_EQ(projection.repair(), Repair::rebuild) << row;
    EXPECT_TRUE(lacking(projection).empty());
  }
  Projection other(rows);
  see(other, 1, ResultStatus::in_doubt);
  EXPECT_EQ(other.repair(), Repair::rebuild);
  EXPECT_FALSE(other.lacks_line(Row{1}));
  Projection broken(rows);
  see_all(broken);
  broken.see_broken();
  EXPECT_EQ(broken.repair(), Repair::rebuild);
}

TEST(Projection, RefusesALineThatTheLedgerKnowsNothingOf) {
  const Rows rows = six_rows();
  for (const std::uint64_t row : {5U, 7U, 0U}) {
    Projection projection(rows);
    see_all(projection);
    projection.see_broken();
    see(projection, row, ResultStatus::placed);
    see(projection, 6, ResultStatus::in_doubt);
    EXPECT_EQ(projection.repair(), Repair::refuse) << row;
    EXPECT_EQ(projection.unknown_row(), Row{row});
  }
  for (const ResultStatus status : {ResultStatus::placed, ResultStatus::rejected}) {
    Projection ended(rows);  // row 4 is pending: it cannot have ended before
    see(ended, 4, status);
    EXPECT_EQ(ended.repair(), Repair::refuse);
    EXPECT_EQ(ended.unknown_row(), Row{4});
  }
  Projection known(rows);
  see_all(known);
  see(known, 5, ResultStatus::invalid);
  EXPECT_EQ(known.unknown_row(), std::nullopt);
  see(known, 7, ResultStatus::invalid);
  EXPECT_EQ(known.unknown_row(), Row{7});
}

TEST(Projection, WhatTheLedgerSettledCountsBeforeWhatIsInvalid) {
  const Rows rows = six_rows();
  Projection projection(rows);
  for (const std::uint64_t row : {1U, 2U, 3U, 4U}) projection.mark_invalid(Row{row});
  see_all(projection);
  EXPECT_EQ(projection.repair(), Repair::append);
  EXPECT_EQ(lacking(projection), std::vector<std::uint64_t>{4});
}

TEST(Projection, OfNoRowsIsWhole) {
  const Rows rows(0);
  EXPECT_EQ(Projection(rows).repair(), Repair::none);
}

}  // namespace
}  // namespace sagorder
