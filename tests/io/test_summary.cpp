#include "io/summary.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

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
    tally_.sent = tally_.intents = 2;
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
            "",
            "sagorder run o.csv --output r.csv",
            advice_for(stop, rows_, {}),
            RateLimit{10, seconds(1)},
            "3f09c2d1",
            WallTime(seconds(1'700'000'000)),
            WallTime(seconds(1'700'000'002))};
  }
  Rows rows_{4};
  Tally tally_;
  Validation validation_;
};

TEST_F(SummaryTest, TextNamesCountsTheStopAndTheNextCommand) {
  const std::string text = to_text(summary(Stop::max_doubts, "10 new rows in doubt"));
  EXPECT_NE(text.find("stopped: --max-doubts: 10 new rows in doubt"), std::string::npos);
  EXPECT_NE(text.find("in doubt"), std::string::npos);
  EXPECT_NE(text.find("sagorder status r.csv"), std::string::npos);
  EXPECT_LT(text.find("sagorder status r.csv"), text.find("sagorder run o.csv"));
  EXPECT_NE(text.find("requests 2 in 2.0 s, 1.0/s"), std::string::npos) << text;
}

TEST_F(SummaryTest, RowsOfWhichTheOutcomeIsNotRecordedAreCountedAndNamed) {
  EXPECT_EQ(to_text(summary(Stop::ledger_failed, "disk")).find("not known"), std::string::npos);
  std::vector<Row> rows = {{3}, {4}};
  Summary stopped = summary(Stop::ledger_failed, "disk");
  stopped.left_open = rows;
  std::string text = to_text(stopped);
  EXPECT_NE(text.find("  not known          2  begun, "), std::string::npos) << text;
  EXPECT_NE(text.find("\nnot known: rows 3, 4\n"), std::string::npos) << text;
  const auto json = nlohmann::json::parse(to_json(stopped));
  EXPECT_EQ(json["batch"]["not_known"], 2);
  EXPECT_EQ(json["rows_not_known"], (nlohmann::json{3, 4}));
  for (std::uint64_t row = 5; row < 100; ++row) rows.push_back({row});
  stopped.left_open = rows;
  text = to_text(stopped);
  EXPECT_NE(text.find(", 21, 22 and 77 more\n"), std::string::npos) << text;
  stopped.left_open = std::span(rows).first(1);
  EXPECT_NE(to_text(stopped).find("\nnot known: row 3\n"), std::string::npos);
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

/// No two have the same number, so that none can stand in another's place.
TEST_F(SummaryTest, EachNumberOfTheJsonIsItsOwn) {
  settle(3, RecordKind::rejected);
  settle(4, RecordKind::rejected);
  tally_.placed = 11;
  tally_.rejected = 12;
  tally_.in_doubt = 13;
  tally_.intents = 14;
  tally_.sent = 15;
  tally_.replays = 16;
  tally_.throttled = 17;
  tally_.faults = 18;
  tally_.commits = 19;
  tally_.seats_placed = 20;
  tally_.seat_months_placed = 21;
  tally_.latency.add(milliseconds(31));
  tally_.since_due.add(milliseconds(32));
  tally_.commit.add(milliseconds(33));
  Summary all = summary(Stop::none, "");
  all.network = {41, 42, 43, 44, 45, 46};
  const auto json = nlohmann::json::parse(to_json(all));
  EXPECT_EQ(json["batch"]["rejected"], 2);
  const std::pair<const char*, int> of_run[] = {
      {"placed", 11},   {"rejected", 12},     {"in_doubt", 13},          {"attempts", 14},
      {"requests", 15}, {"replays", 16},      {"throttled", 17},         {"faults", 18},
      {"commits", 19},  {"seats_placed", 20}, {"seat_months_placed", 21}};
  for (const auto& [name, value] : of_run) EXPECT_EQ(json["run"][name], value) << name;
  EXPECT_EQ(json["latency_ms"]["max"], 31.0);
  EXPECT_EQ(json["latency_since_due_ms"]["max"], 32.0);
  EXPECT_EQ(json["commit_ms"]["max"], 33.0);
  const std::pair<const char*, int> of_network[] = {
      {"connects", 41},  {"handshakes_resumed", 42}, {"reused", 43},
      {"discarded", 44}, {"bytes_written", 45},      {"bytes_read", 46}};
  for (const auto& [name, value] : of_network) EXPECT_EQ(json["network"][name], value) << name;
}

TEST_F(SummaryTest, APlanThatHasExpiredIsToldOfBeforeTheAdvice) {
  const ByPlan over{.planned = true, .again = true, .expired = true};
  const std::string advice = advice_for(Stop::max_orders, rows_, over);
  EXPECT_EQ(advice,
            "The plan has expired, so make a new one first. Look at the results; the same command "
            "buys as much again, by the same plan:");
  Summary planned = summary(Stop::max_orders, "");
  planned.plan_command = "sagorder check o.csv --plan p";
  const std::string text = to_text(planned);
  EXPECT_LT(text.find(planned.plan_command), text.find(planned.next_command)) << text;
  EXPECT_EQ(advice_for(Stop::none, rows_, over), "Rows are in doubt; each can be looked at with:");
}

Order order_of(const std::string& region, std::uint32_t seats) {
  Order order;
  order.region_id = region;
  order.user_count = seats;
  order.period = 12;
  return order;
}

TEST_F(SummaryTest, WhatWasTakenBackIsToldInWordsAndNotByACodeOfOurs) {
  tally_.breakdown.count(kCodeNotSent, RecordKind::not_executed);
  tally_.breakdown.count(kCodeNotSent, RecordKind::not_executed);
  const std::string text = to_text(summary(Stop::interrupted, "interrupted"));
  EXPECT_NE(text.find("\ntaken back before a byte was sent: 2\n"), std::string::npos) << text;
  EXPECT_EQ(text.find(kCodeNotSent), std::string::npos) << text;
  EXPECT_EQ(text.find("Code"), std::string::npos) << "a table without lines";
  const auto json = nlohmann::json::parse(to_json(summary(Stop::interrupted, "")));
  EXPECT_EQ(json["by_code"][0]["code"], "NotSent");
  const std::string without = to_text(summary(Stop::none, ""));
  EXPECT_NE(without.find("taken back"), std::string::npos) << "whatever ended the run";
}

TEST_F(SummaryTest, TellsRegionsCodesLatencyAndWhereTheTimeWent) {
  tally_.breakdown.settle(order_of("cn-shanghai", 5), RecordKind::placed);
  tally_.breakdown.settle(order_of("cn-hangzhou", 10), RecordKind::in_doubt);
  tally_.breakdown.settle(order_of("cn-hangzhou", 10), RecordKind::placed);
  tally_.breakdown.count("Throttling\x1b[0m", RecordKind::not_executed);
  tally_.latency.add(milliseconds(20));
  tally_.since_due.add(milliseconds(3'000));
  const SteadyTime begin{seconds(1)};
  tally_.waits.turn(WaitFor::rate, begin);
  tally_.waits.turn(WaitFor::ledger, begin + milliseconds(1'500));
  tally_.waits.turn(WaitFor::answers, begin + milliseconds(1'990));
  tally_.waits.turn(WaitFor::input, begin + milliseconds(2'000));
  const std::string text = to_text(summary(Stop::none, ""));
  const auto has = [&](std::string_view part) { return text.find(part) != std::string::npos; };
  EXPECT_TRUE(
      has("  cn-hangzhou                      1         0         1         10          120\n"))
      << text;
  EXPECT_LT(text.find("cn-hangzhou"), text.find("cn-shanghai")) << "the most first";
  EXPECT_TRUE(has("  Throttling\\x1b[0m                          0         0             1\n"))
      << text;
  EXPECT_TRUE(has("limit 10/s")) << text;
  EXPECT_TRUE(has("answers took p50 20.0 ms, p99 20.0 ms, at most 20.0 ms\n")) << text;
  EXPECT_TRUE(has("from when they were due: p50 3000.0 ms")) << text;
  EXPECT_TRUE(has("waited 1.5 s for the rate, 0.5 s for the ledger\n")) << text;

  const auto json = nlohmann::json::parse(to_json(summary(Stop::none, "")));
  EXPECT_EQ(json["by_region"][0]["region"], "cn-hangzhou");
  EXPECT_EQ(json["by_region"][0]["seat_months_placed"], 120);
  EXPECT_EQ(json["by_code"][0]["code"], "Throttling\\x1b[0m");
  EXPECT_EQ(json["by_code"][0]["not_executed"], 1);
  EXPECT_EQ(json["latency_ms"]["p50"], 20.0);
  EXPECT_EQ(json["latency_since_due_ms"]["max"], 3000.0);
  EXPECT_EQ(json["waited_s"]["rate"], 1.5);
  EXPECT_EQ(json["run"]["limit_per_s"], 10.0);
  EXPECT_EQ(json["begun_at"], "2023-11-14T22:13:20.000Z");
  EXPECT_EQ(json["run_id"], "3f09c2d1");
}

TEST_F(SummaryTest, OneRegionIsNoTable) {
  tally_.breakdown.settle(order_of("cn-shanghai", 5), RecordKind::placed);
  EXPECT_EQ(to_text(summary(Stop::none, "")).find("RegionId"), std::string::npos);
}

TEST_F(SummaryTest, IsOfALengthForPeopleWhateverCame) {
  for (int i = 0; i < 500; ++i) {
    tally_.breakdown.settle(order_of("region-" + std::to_string(i), 5), RecordKind::placed);
    tally_.breakdown.count("Code" + std::to_string(i), RecordKind::rejected);
  }
  const std::string text = to_text(summary(Stop::none, ""));
  EXPECT_LT(std::count(text.begin(), text.end(), '\n'), 50) << text;
  EXPECT_NE(text.find("and 53 more; --summary FILE has them all"), std::string::npos) << text;
  const auto json = nlohmann::json::parse(to_json(summary(Stop::none, "")));
  EXPECT_EQ(json["by_region"].size(), Breakdown::kRegionsMax + 1);
  EXPECT_EQ(json["by_region"][0]["region"], "others");
}

TEST_F(SummaryTest, FitsANarrowTerminal) {
  tally_.breakdown.settle(order_of("cn-shanghai", 5), RecordKind::placed);
  tally_.breakdown.settle(order_of("ap-southeast-1", 10), RecordKind::in_doubt);
  tally_.breakdown.count("Throttling.User", RecordKind::not_executed);
  tally_.latency.add(milliseconds(20));
  tally_.waits.turn(WaitFor::rate, SteadyTime{seconds(1)});
  tally_.waits.turn(WaitFor::ledger, SteadyTime{seconds(3)});
  const Summary all = summary(Stop::max_doubts, "10 new rows in doubt");
  std::istringstream text(to_text(all, 40));
  for (std::string line; std::getline(text, line);) {
    const bool pasted = line.starts_with("  sagorder ");
    EXPECT_TRUE(line.size() <= 40 || pasted) << line;
  }
  EXPECT_NE(to_text(all, 40).find("\n  in doubt           1\n      may have been ordered;"),
            std::string::npos);
  EXPECT_EQ(to_text(all, 80), to_text(all));
  EXPECT_NE(to_text(all, 79), to_text(all)) << "its tables are 80 wide";
}

TEST_F(SummaryTest, JsonOnOneLine) {
  const std::string json = to_json(summary(Stop::none, ""), -1);
  EXPECT_EQ(json.find('\n'), json.size() - 1);
}

TEST_F(SummaryTest, EveryStopHasAdvice) {
  for (int i = 1; i <= static_cast<int>(Stop::records_lost); ++i) {
    EXPECT_FALSE(advice_for(static_cast<Stop>(i), Rows(1), {}).empty()) << i;
  }
  EXPECT_TRUE(advice_for(Stop::none, Rows(1), {}).empty());
}

}  // namespace
}  // namespace sagorder::io
