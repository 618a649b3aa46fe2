#include "io/outcome_log.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/io/temporary_directory.hpp"

namespace sagorder::io {
namespace {

class OutcomeLogTest : public testing::Test {
 protected:
  OutcomeLogTest() : out(std::fopen((directory / "log").c_str(), "w")) {}
  ~OutcomeLogTest() override { std::fclose(out); }

  [[nodiscard]] std::vector<std::string> lines() const {
    std::istringstream text(content_of(directory / "log"));
    std::vector<std::string> all;
    for (std::string line; std::getline(text, line);) all.push_back(line);
    return all;
  }
  static Record record(RecordKind kind, std::uint64_t row) {
    Record record;
    record.kind = kind;
    record.row = Row{row};
    record.code = "QuotaExceeded";
    record.message = "no \"more\"";
    return record;
  }

  TemporaryDirectory directory;
  std::FILE* out;
};

TEST_F(OutcomeLogTest, ALineNamesRowAndCode) {
  Log log(LogFormat::text, false, LogReader::journal, out);
  log.set_run("3f09c2d1");
  OutcomeLog outcomes(log);
  outcomes.tell(record(RecordKind::rejected, 3));
  Record doubt = record(RecordKind::in_doubt, 4);
  doubt.order_id = "17";
  outcomes.tell(doubt);
  outcomes.tell(record(RecordKind::not_executed, 5));
  outcomes.tell_rest();
  const std::vector<std::string> wanted = {
      R"(<4>warning  a row was rejected  row=3 code=QuotaExceeded why="no \"more\"" run=3f09c2d1)",
      R"(<4>warning  a row is in doubt  row=4 code=QuotaExceeded OrderId=17 why="no \"more\"" )"
      "run=3f09c2d1",
      R"(<4>warning  a row was not ordered and stays not sent  row=5 code=QuotaExceeded )"
      R"(why="no \"more\"" run=3f09c2d1)"};
  EXPECT_EQ(lines(), wanted);
}

TEST_F(OutcomeLogTest, JsonHasTheRowAsANumber) {
  Log log(LogFormat::json, true, LogReader::terminal, out);
  OutcomeLog outcomes(log);
  outcomes.tell(record(RecordKind::rejected, 3));
  ASSERT_EQ(lines().size(), 1U);
  const auto object = nlohmann::json::parse(lines()[0]);
  EXPECT_EQ(object["row"], 3);
  EXPECT_EQ(object["code"], "QuotaExceeded");
  EXPECT_EQ(object["level"], "warning");
}

TEST_F(OutcomeLogTest, EachKindHasSoManyLinesAndThenANumber) {
  Log log(LogFormat::text, false, LogReader::stream, out);
  OutcomeLog outcomes(log);
  for (std::uint64_t row = 1; row <= OutcomeLog::kLinesMax + 7; ++row) {
    outcomes.tell(record(RecordKind::rejected, row));
  }
  EXPECT_EQ(lines().size(), OutcomeLog::kLinesMax);
  for (std::uint64_t row = 1; row <= OutcomeLog::kLinesMax; ++row) {
    outcomes.tell(record(RecordKind::in_doubt, row));
  }
  EXPECT_EQ(lines().size(), 2 * OutcomeLog::kLinesMax);
  outcomes.tell_rest();
  ASSERT_EQ(lines().size(), 2 * OutcomeLog::kLinesMax + 1);
  EXPECT_TRUE(lines().back().ends_with(
      "  warning  more rows were rejected: 7; the results have all of them"))
      << lines().back();
  outcomes.tell_rest();
  EXPECT_EQ(lines().size(), 2 * OutcomeLog::kLinesMax + 1) << "said once";
}

TEST_F(OutcomeLogTest, WhoWatchesHasTheCounts) {
  Log log(LogFormat::text, false, LogReader::terminal, out);
  OutcomeLog outcomes(log);
  outcomes.tell(record(RecordKind::rejected, 3));
  outcomes.tell_rest();
  EXPECT_TRUE(lines().empty());
}

}  // namespace
}  // namespace sagorder::io
