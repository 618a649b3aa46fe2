#include "io/results_lines.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/io/temporary_directory.hpp"

namespace sagorder::io {
namespace {

const std::vector<std::string> kColumns = {"RegionId", "UserCount"};

std::string line_of(ResultFormat format, std::uint64_t row) {
  Record record;
  record.kind = RecordKind::rejected;
  record.row = {row};
  record.code = "QuotaExceeded";
  record.message = "no, \"more\"";
  Cells cells;
  cells.push_back("cn-shanghai");
  cells.push_back("5");
  std::string line;
  ResultWriter(format, kColumns).line(record, {1}, cells, line);
  return line;
}

std::string file_of(ResultFormat format, std::uint64_t rows) {
  std::string text;
  ResultWriter(format, kColumns).header(text);
  for (std::uint64_t row = 1; row <= rows; ++row) text += line_of(format, row);
  return text;
}

class ResultsLines : public ::testing::TestWithParam<ResultFormat> {
 protected:
  LinesEnd read(const std::string& text) {
    put(directory_ / "r", text);
    rows_.clear();
    return for_each_line(open_private(directory_ / "r", O_RDONLY), "r",
                         ResultScanner(GetParam(), kColumns),
                         [&](const ResultKey& key, bool header, std::string_view line) {
                           if (header) return;
                           rows_.push_back(key.row.value);
                           last_ = line;
                         });
  }
  TemporaryDirectory directory_;
  std::vector<std::uint64_t> rows_;
  std::string last_;
};

TEST_P(ResultsLines, AreVisitedAcrossChunks) {
  const std::string text = file_of(GetParam(), 5000);
  ASSERT_GT(text.size(), 256U * 1024);
  const LinesEnd end = read(text);
  EXPECT_EQ(end.what, ResultScan::end);
  EXPECT_EQ(end.lines, 5000U);
  EXPECT_EQ(end.bytes, text.size());
  ASSERT_EQ(rows_.size(), 5000U);
  EXPECT_EQ(rows_.back(), 5000U);
  EXPECT_EQ(last_, line_of(GetParam(), 5000));
}

TEST_P(ResultsLines, ATornOrForeignRestIsToldApart) {
  const std::string text = file_of(GetParam(), 3);
  const LinesEnd torn = read(text + line_of(GetParam(), 4).substr(0, 9));
  EXPECT_EQ(torn.what, ResultScan::torn);
  EXPECT_EQ(torn.lines, 3U);
  EXPECT_EQ(torn.bytes, text.size());
  const LinesEnd foreign = read(text + "other things\n");
  EXPECT_EQ(foreign.what, ResultScan::not_ours);
  EXPECT_EQ(foreign.lines, 3U);
  EXPECT_EQ(foreign.rest, "other things\n");
}

TEST_P(ResultsLines, ALineGivesItsCells) {
  Cells own;
  Cells input;
  ASSERT_TRUE(decode_line(GetParam(), kColumns, line_of(GetParam(), 7), own, input));
  ASSERT_EQ(own.size(), kResultColumns.size());
  EXPECT_EQ(own[0], "7");
  EXPECT_EQ(own[1], "rejected");
  EXPECT_EQ(own[6], "no, \"more\"");
  EXPECT_EQ(own[7], "") << "no answer, no status";
  ASSERT_EQ(input.size(), 2U);
  EXPECT_EQ(input[0], "cn-shanghai");
  EXPECT_EQ(input[1], "5");
  EXPECT_FALSE(decode_line(GetParam(), kColumns, "1,placed\n", own, input));
}

INSTANTIATE_TEST_SUITE_P(Formats, ResultsLines,
                         ::testing::Values(ResultFormat::csv, ResultFormat::json_lines));

}  // namespace
}  // namespace sagorder::io
