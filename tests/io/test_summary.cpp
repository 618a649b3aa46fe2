#include "io/summary.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace sagorder::io {
namespace {

class SummaryTest : public ::testing::Test {
 protected:
  SummaryTest() {
    validation_.rows = 4;
    validation_.invalid = 1;
    settle(1, RecordKind::placed);
    settle(2, RecordKind::in_doubt);
    tally_.placed = 1;
    tally_.in_doubt = 1;
    tally_.sent = 2;
  }
  void settle(std::uint64_t row, RecordKind kind) {
    rows_.apply({RecordKind::intent, {row}, {1}});
    rows_.apply({kind, {row}, {1}});
  }
  Summary summary(Stop stop, const std::string& detail) {
    return {rows_,
            tally_,
            validation_,
            {},
            stop,
            detail,
            ExitCode::some_in_doubt,
            seconds(2),
            1,
            "r.csv",
            "r.csv.ledger",
            "sagorder status r.csv",
            "sagorder run o.csv --output r.csv",
            advice_for(stop, rows_)};
  }
  Rows rows_{4};
  Tally tally_;
  Validation validation_;
};

TEST_F(SummaryTest, TextNamesCountsTheStopAndTheNextCommand) {
  const std::string text = to_text(summary(Stop::max_doubts, "10 new rows in doubt"));
  EXPECT_NE(text.find("stopped: max_doubts: 10 new rows in doubt"), std::string::npos);
  EXPECT_NE(text.find("in doubt"), std::string::npos);
  EXPECT_NE(text.find("sagorder status r.csv"), std::string::npos);
  EXPECT_LT(text.find("sagorder status r.csv"), text.find("sagorder run o.csv"));
  EXPECT_NE(text.find("requests 2 in 2.0 s, 1.0/s"), std::string::npos) << text;
}

TEST_F(SummaryTest, TheServersWordsReachNoTerminalRaw) {
  const std::string text = to_text(summary(Stop::credentials, "Forbidden: \x1b[31mred\r\n"));
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST_F(SummaryTest, JsonIsOneObjectWithTheSameNumbers) {
  const auto json = nlohmann::json::parse(to_json(summary(Stop::none, "")));
  EXPECT_EQ(json["batch"]["rows"], 4);
  EXPECT_EQ(json["batch"]["placed"], 1);
  EXPECT_EQ(json["batch"]["in_doubt"], 1);
  EXPECT_EQ(json["batch"]["invalid"], 1);
  EXPECT_EQ(json["batch"]["not_sent"], 1);
  EXPECT_EQ(json["exit_code"], 3);
  EXPECT_EQ(json["run"]["requests"], 2);
}

TEST_F(SummaryTest, EveryStopHasAdvice) {
  for (int i = 1; i <= static_cast<int>(Stop::ledger_failed); ++i) {
    EXPECT_FALSE(advice_for(static_cast<Stop>(i), Rows(1)).empty()) << i;
  }
  EXPECT_TRUE(advice_for(Stop::none, Rows(1)).empty());
}

}  // namespace
}  // namespace sagorder::io
