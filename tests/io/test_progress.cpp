#include "io/progress.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/io/temporary_directory.hpp"

namespace sagorder::io {
namespace {

constexpr SteadyTime kStart{std::chrono::hours(7)};

class ProgressTest : public testing::Test {
 protected:
  ProgressTest() : out(std::fopen((directory / "out").c_str(), "w")) {}
  ~ProgressTest() override { std::fclose(out); }

  Progress progress_of(ProgressMode mode, bool is_terminal = true) {
    return {mode, is_terminal, [this] { return width; }, out};
  }
  /// Rows of this run.
  void settle(std::uint64_t count, RecordKind kind = RecordKind::placed) {
    settle_before(count, kind);
    if (kind == RecordKind::placed) tally.placed += count;
    if (kind == RecordKind::rejected) tally.rejected += count;
    if (kind == RecordKind::in_doubt) tally.in_doubt += count;
  }
  /// Rows of the runs before.
  void settle_before(std::uint64_t count, RecordKind kind = RecordKind::placed) {
    for (; count > 0; --count, ++next_row_) {
      EXPECT_TRUE(rows.apply({RecordKind::intent, {next_row_}, {1}}));
      EXPECT_TRUE(rows.apply({kind, {next_row_}, {1}}));
    }
  }
  RunView view(std::uint64_t total) { return {rows, tally, pacer, total}; }
  /// What was written since the last call.
  std::string taken() {
    const std::string all = content_of(directory / "out");
    const std::string fresh = all.substr(taken_);
    taken_ = all.size();
    return fresh;
  }

  TemporaryDirectory directory;
  std::FILE* out;
  int width = 200;
  Rows rows{10'000};
  Tally tally;
  Pacer pacer{RateLimit{10, seconds(1)}, 1};
  Variable no_color{"NO_COLOR", nullptr};
  Variable terminal{"TERM", "xterm"};

 private:
  std::size_t taken_ = 0;
  std::uint64_t next_row_ = 1;
};

TEST_F(ProgressTest, TheTimeLeftIsThatOfTheRunAndOfTheRate) {
  Progress progress = progress_of(ProgressMode::plain);
  settle(1);
  progress.update(view(100), kStart);
  settle(50);  // a burst, faster than the rate
  const auto left = [&] {
    const std::string line = progress.line(view(100), kStart + seconds(1));
    const std::size_t found = line.rfind(", ");
    return line.ends_with(" left") ? line.substr(found + 2) : "none";
  };
  EXPECT_EQ(left(), "5s left");
  progress.expect_at_most(61);
  EXPECT_EQ(left(), "1s left");
  progress.expect_at_most(51);
  EXPECT_EQ(left(), "none");
}

TEST_F(ProgressTest, ARunThatStoppedHasNoTimeLeft) {
  Progress progress = progress_of(ProgressMode::plain);
  settle(1);
  progress.update(view(100), kStart);
  taken();
  progress.finish(view(100), kStart + seconds(1));
  const std::string last = taken();
  EXPECT_NE(last.find("1 of 100 rows"), std::string::npos);
  EXPECT_EQ(last.find("left"), std::string::npos) << last;
}

TEST_F(ProgressTest, ModeIsByTerminalAndEnvironment) {
  using enum ProgressMode;
  EXPECT_EQ(progress_of(automatic, true).mode(), bar);
  EXPECT_EQ(progress_of(automatic, false).mode(), plain);
  EXPECT_EQ(progress_of(bar, false).mode(), bar);
  EXPECT_EQ(progress_of(json, true).mode(), json);
  EXPECT_EQ(progress_of(none, true).mode(), none);
  {
    const Variable dumb("TERM", "dumb");
    EXPECT_EQ(progress_of(automatic, true).mode(), plain);
    EXPECT_EQ(progress_of(bar, true).mode(), plain);
    EXPECT_EQ(progress_of(json, true).mode(), json);
  }
  {
    const Variable colourless("NO_COLOR", "1");
    EXPECT_EQ(progress_of(automatic, true).mode(), plain);
  }
  const Variable empty("NO_COLOR", "");
  EXPECT_EQ(progress_of(automatic, true).mode(), bar);
}

TEST_F(ProgressTest, BarIsOneLineRedrawnTenTimesASecondAtMost) {
  Progress progress = progress_of(ProgressMode::bar);
  int drawn = 0;
  for (int ms = 0; ms < 1000; ++ms) {
    settle(1);
    progress.update(view(5000), kStart + milliseconds(ms));
    const std::string text = taken();
    if (text.empty()) continue;
    ++drawn;
    EXPECT_TRUE(text.starts_with("\r\x1b[K")) << text;
    EXPECT_FALSE(has(text, "\n"));
  }
  EXPECT_EQ(drawn, 10);
}

TEST_F(ProgressTest, BarShowsCountsRateLimitAndTimeLeft) {
  Progress progress = progress_of(ProgressMode::bar);
  settle_before(100);
  progress.update(view(1100), kStart);
  taken();
  settle(9);
  settle(2, RecordKind::rejected);
  settle(1, RecordKind::in_doubt);
  tally.seats_placed = 45;
  progress.update(view(1100), kStart + seconds(2));
  const std::string text = taken();
  EXPECT_TRUE(has(text, "112/1100")) << text;
  EXPECT_TRUE(has(text, "placed 109, rejected 2, in doubt 1")) << text;
  EXPECT_TRUE(has(text, "this run: 12 rows, 45 seats")) << text;
  EXPECT_TRUE(has(text, "6.0/s, limit 10/s")) << text;
  EXPECT_TRUE(has(text, "2m 45s left")) << text;  // 988 rows at 6/s
  EXPECT_TRUE(has(text, "[##..................]")) << text;
  EXPECT_FALSE(has(text, "throttled")) << text;
}

TEST_F(ProgressTest, BarNeverWraps) {
  Progress progress = progress_of(ProgressMode::bar);
  for (width = 0; width < 150; ++width) {
    progress.update(view(1000), kStart + seconds(width));
    const std::string text = taken();
    EXPECT_LE(text.size(), std::string_view("\r\x1b[K").size() +
                               static_cast<std::size_t>(std::max(width - 1, 0)));
  }
}

TEST_F(ProgressTest, ANarrowBarIsWholeWords) {
  Progress progress = progress_of(ProgressMode::bar);
  progress.update(view(1000), kStart);
  settle(100);
  int second = 0;
  for (const auto& [columns, wanted] : {std::pair{60, "100/1000  placed 100  50.0/s, limit 10/s, "},
                                        std::pair{50, "100/1000  placed 100  50.0/s, 1m 30s left"},
                                        std::pair{40, "100/1000  50.0/s, 1m 30s left"}}) {
    width = columns;
    taken();
    progress.update(view(1000), kStart + seconds(2) + milliseconds(200) * second++);
    EXPECT_TRUE(has(taken(), wanted)) << columns;
  }
}

TEST_F(ProgressTest, ThrottlingIsShownWithTheRateThatIsLeft) {
  Progress progress = progress_of(ProgressMode::plain);
  pacer.throttled({}, kStart);
  progress.update(view(10), kStart);
  const std::string text = taken();
  EXPECT_TRUE(has(text, "limit 5/s (throttled, asked for 10/s, paused 1s)")) << text;
}

TEST_F(ProgressTest, APauseThatTheGatewayAskedForIsShown) {
  Progress progress = progress_of(ProgressMode::plain);
  RateHint hint;
  hint.retry_after = seconds(30);
  pacer.hinted(hint, kStart);
  progress.update(view(10), kStart);
  EXPECT_TRUE(has(taken(), "limit 10/s (throttled, paused 30s)"));
  progress.update(view(10), kStart + seconds(31));
  EXPECT_FALSE(has(taken(), "throttled"));
}

TEST_F(ProgressTest, CountsAreTheBatchsWhicheverRunSettledThem) {
  Progress progress = progress_of(ProgressMode::json);
  settle_before(5);
  settle_before(1, RecordKind::in_doubt);
  settle(3);
  tally.seats_placed = 15;
  tally.seat_months_placed = 180;
  progress.update(view(20), kStart);
  const auto object = nlohmann::json::parse(taken());
  EXPECT_EQ(object["done"], 9);
  EXPECT_EQ(object["placed"], 8);
  EXPECT_EQ(object["in_doubt"], 1);
  EXPECT_EQ(object["run"]["done"], 3);
  EXPECT_EQ(object["run"]["seats"], 15);
  EXPECT_EQ(object["run"]["seat_months"], 180);
}

TEST_F(ProgressTest, WorkBeforeTheFirstOrderIsShownIfItTakesAMoment) {
  for (const auto mode : {ProgressMode::bar, ProgressMode::plain, ProgressMode::json}) {
    Progress progress = progress_of(mode);
    for (int ms = 0; ms < 50; ++ms) {
      progress.work("reading a.csv", static_cast<std::uint64_t>(ms), 1000,
                    kStart + milliseconds(ms));
    }
    EXPECT_EQ(taken(), "");
    progress.work("reading a.csv", 500, 1000, kStart + milliseconds(51));
    EXPECT_TRUE(
        has(taken(), mode == ProgressMode::json ? R"("percent":50)" : "reading a.csv: 50 %"));
    progress.work("reading a.csv", 600, 1000, kStart + milliseconds(60));
    EXPECT_EQ(taken(), "") << "as seldom as the state";
    progress.work("replaying", 500, 1000, kStart + seconds(20));
    EXPECT_EQ(taken(), "") << "another work, from its own beginning";
    progress.work("reading a.csv", 0, 1000, kStart + seconds(30));
    progress.work("reading a.csv", 0, 1000, kStart + seconds(30));
    EXPECT_EQ(taken(), "") << "the same from its beginning";
  }
}

TEST_F(ProgressTest, PlainLinesAreTheLogsAndJsonNamesTheRun) {
  std::vector<std::string> said;
  Progress plain = progress_of(ProgressMode::plain);
  plain.say_through([&](const std::string& line) { said.push_back(line); }, "3f09c2d1");
  plain.work("reading standard input", 0, 0, kStart);
  plain.update(view(10), kStart);
  ASSERT_EQ(said.size(), 2U);
  EXPECT_EQ(said[0], "reading standard input");
  EXPECT_TRUE(said[1].starts_with("0 of 10 rows: "));
  EXPECT_EQ(taken(), "");
  Progress json = progress_of(ProgressMode::json);
  json.say_through([&](const std::string& line) { said.push_back(line); }, "3f09c2d1");
  json.update(view(10), kStart);
  EXPECT_EQ(nlohmann::json::parse(taken())["run_id"], "3f09c2d1");
  EXPECT_EQ(said.size(), 2U);
}

TEST_F(ProgressTest, WorkOfUnknownLengthIsShownAtOnce) {
  Progress progress = progress_of(ProgressMode::plain);
  progress.work("reading standard input", 0, 0, kStart);
  progress.work("reading standard input", 0, 0, kStart + milliseconds(100));
  EXPECT_EQ(taken(), "reading standard input\n");
}

TEST_F(ProgressTest, WorkIsSilentWhereNothingIsToBeShown) {
  Progress progress = progress_of(ProgressMode::none);
  progress.work("reading", 0, 0, kStart);
  EXPECT_EQ(taken(), "");
}

TEST_F(ProgressTest, TheWidthIsAskedAtEachRedraw) {
  Progress progress = progress_of(ProgressMode::bar);
  for (const int columns : {200, 60, 30, 90}) {
    width = columns;
    progress.update(view(1000), kStart + seconds(columns));
    EXPECT_LE(taken().size(),
              std::string_view("\r\x1b[K").size() + static_cast<std::size_t>(columns - 1));
    progress.work("reading " + std::string(300, 'x'), 0, 0, kStart + seconds(columns + 1));
    taken();
  }
}

TEST_F(ProgressTest, InALogEveryModeIsItsEvents) {
  for (const auto mode : {ProgressMode::bar, ProgressMode::plain, ProgressMode::json}) {
    Progress progress = progress_of(mode);
    std::vector<std::string> told;
    progress.tell_through([&](const std::string& message, const std::string& members) {
      EXPECT_EQ(nlohmann::json::parse(members)["total"], 100);
      told.push_back(message);
    });
    for (int ms = 0; ms <= 10'000; ms += 100) progress.update(view(100), kStart + milliseconds(ms));
    EXPECT_EQ(told.size(), mode == ProgressMode::json ? 11U : 3U) << "no flood unless asked for";
    EXPECT_TRUE(told.at(0).starts_with("0 of 100 rows: ")) << told.at(0);
  }
  Progress silent = progress_of(ProgressMode::none);
  silent.tell_through([](const std::string&, const std::string&) { FAIL(); });
  silent.update(view(100), kStart);
  EXPECT_EQ(taken(), "");
}

TEST_F(ProgressTest, UnlimitedIsSaidSo) {
  Pacer unlimited{RateLimit{0, seconds(1)}, 1};
  Progress progress = progress_of(ProgressMode::plain);
  progress.update({rows, tally, unlimited, 10}, kStart);
  EXPECT_TRUE(has(taken(), "limit unlimited"));
}

TEST_F(ProgressTest, PlainIsALineEveryFiveSeconds) {
  Progress progress = progress_of(ProgressMode::plain);
  std::vector<int> at;
  for (int ms = 0; ms < 16'000; ms += 50) {
    progress.update(view(100), kStart + milliseconds(ms));
    const std::string text = taken();
    if (text.empty()) continue;
    at.push_back(ms);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
    EXPECT_FALSE(has(text, "\x1b"));
  }
  EXPECT_EQ(at, (std::vector<int>{0, 5'000, 10'000, 15'000}));
}

TEST_F(ProgressTest, JsonIsAnObjectALineEverySecond) {
  Progress progress = progress_of(ProgressMode::json);
  for (int ms = 0; ms <= 3'000; ms += 10) {
    if (ms % 100 == 0) settle(1);
    progress.update(view(100), kStart + milliseconds(ms));
  }
  std::istringstream lines(taken());
  std::vector<nlohmann::json> objects;
  for (std::string line; std::getline(lines, line);) objects.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(objects.size(), 4U);
  EXPECT_TRUE(objects[0]["eta_s"].is_null()) << "nothing is measured yet";
  const auto& last = objects.back();
  EXPECT_EQ(last["placed"], 31);
  EXPECT_EQ(last["rejected"], 0);
  EXPECT_EQ(last["in_doubt"], 0);
  EXPECT_EQ(last["done"], 31);
  EXPECT_EQ(last["total"], 100);
  EXPECT_EQ(last["rate"], 10.0);
  EXPECT_EQ(last["limit"], 10.0);
  EXPECT_EQ(last["eta_s"], 7);
  EXPECT_EQ(last["elapsed_s"], 3.0);
  EXPECT_EQ(last["throttled"], false);
}

TEST_F(ProgressTest, TheRateFollowsWhatIsMeasuredBitByBit) {
  Progress progress = progress_of(ProgressMode::json);
  const auto rate_at = [&](int second, std::uint64_t more) {
    settle(more);
    progress.update(view(1'000), kStart + seconds(second));
    return nlohmann::json::parse(taken())["rate"].get<double>();
  };
  rate_at(0, 0);
  EXPECT_EQ(rate_at(1, 10), 10.0);
  EXPECT_EQ(rate_at(2, 0), 7.0) << "a third of what is new";
  EXPECT_EQ(rate_at(3, 27), 13.0);
}

TEST_F(ProgressTest, ThrottlingIsToldToProgramsToo) {
  Progress progress = progress_of(ProgressMode::json);
  pacer.throttled({}, kStart);
  progress.update(view(10), kStart);
  const auto object = nlohmann::json::parse(taken());
  EXPECT_EQ(object["throttled"], true);
  EXPECT_EQ(object["limit"], 5.0);
  EXPECT_EQ(object["paused_s"], 0.1);
}

TEST_F(ProgressTest, NoneIsSilent) {
  Progress progress = progress_of(ProgressMode::none);
  progress.update(view(100), kStart);
  progress.hide();
  progress.finish(view(100), kStart);
  EXPECT_EQ(taken(), "");
}

TEST_F(ProgressTest, LineIsThereInAnyMode) {
  Progress progress = progress_of(ProgressMode::none);
  progress.update(view(100), kStart);
  settle(20);
  progress.update(view(100), kStart + seconds(2));
  EXPECT_EQ(
      progress.line(view(100), kStart + seconds(2)),
      "20 of 100 rows: placed 20, rejected 0, in doubt 0; 0 seats; 10.0/s, limit 10/s, 8s left");
  EXPECT_EQ(taken(), "");
}

TEST_F(ProgressTest, HidingWipesTheBarOnce) {
  Progress progress = progress_of(ProgressMode::bar);
  progress.hide();
  EXPECT_EQ(taken(), "");
  progress.update(view(100), kStart);
  taken();
  progress.hide();
  EXPECT_EQ(taken(), "\r\x1b[K");
  progress.hide();
  EXPECT_EQ(taken(), "");
}

TEST_F(ProgressTest, FinishIsTheLastWord) {
  for (const auto mode : {ProgressMode::bar, ProgressMode::plain, ProgressMode::json}) {
    Progress progress = progress_of(mode);
    progress.update(view(100), kStart);
    taken();
    progress.finish(view(100), kStart + milliseconds(1));
    const std::string text = taken();
    if (mode == ProgressMode::bar) {
      EXPECT_EQ(text, "\r\x1b[K");
    } else {
      EXPECT_TRUE(has(text, "placed")) << text;
    }
    progress.update(view(100), kStart + seconds(100));
    progress.finish(view(100), kStart + seconds(100));
    EXPECT_EQ(taken(), "");
  }
}

TEST_F(ProgressTest, EmptyBatchIsNoDivisionByZero) {
  Progress progress = progress_of(ProgressMode::bar);
  progress.update(view(0), kStart);
  EXPECT_TRUE(has(taken(), "0/0"));
}

}  // namespace
}  // namespace sagorder::io
