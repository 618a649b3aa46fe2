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
  void settle(std::uint64_t count) { tally.placed += count; }
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
  Tally tally;
  Pacer pacer{RateLimit{10, seconds(1)}, 1};
  Variable no_color{"NO_COLOR", nullptr};
  Variable terminal{"TERM", "xterm"};

 private:
  std::size_t taken_ = 0;
};

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
    progress.update(tally, pacer, 5000, kStart + milliseconds(ms));
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
  tally.settled_before = 100;
  progress.update(tally, pacer, 1100, kStart);
  taken();
  settle(9);
  tally.rejected = 2;
  tally.in_doubt = 1;
  progress.update(tally, pacer, 1100, kStart + seconds(2));
  const std::string text = taken();
  EXPECT_TRUE(has(text, "112/1100")) << text;
  EXPECT_TRUE(has(text, "placed 9, rejected 2, in doubt 1")) << text;
  EXPECT_TRUE(has(text, "6.0/s, limit 10/s")) << text;
  EXPECT_TRUE(has(text, "2m 45s left")) << text;  // 988 rows at 6/s
  EXPECT_TRUE(has(text, "[##..................]")) << text;
  EXPECT_FALSE(has(text, "throttled")) << text;
}

TEST_F(ProgressTest, BarNeverWraps) {
  Progress progress = progress_of(ProgressMode::bar);
  for (width = 0; width < 150; ++width) {
    progress.update(tally, pacer, 1000, kStart + seconds(width));
    const std::string text = taken();
    EXPECT_LE(text.size(), std::string_view("\r\x1b[K").size() +
                               static_cast<std::size_t>(std::max(width - 1, 0)));
  }
}

TEST_F(ProgressTest, ThrottlingIsShownWithTheRateThatIsLeft) {
  Progress progress = progress_of(ProgressMode::plain);
  pacer.throttled({}, kStart);
  progress.update(tally, pacer, 10, kStart);
  const std::string text = taken();
  EXPECT_TRUE(has(text, "limit 5/s")) << text;
  EXPECT_TRUE(has(text, "throttled")) << text;
}

TEST_F(ProgressTest, UnlimitedIsSaidSo) {
  Pacer unlimited{RateLimit{0, seconds(1)}, 1};
  Progress progress = progress_of(ProgressMode::plain);
  progress.update(tally, unlimited, 10, kStart);
  EXPECT_TRUE(has(taken(), "limit unlimited"));
}

TEST_F(ProgressTest, PlainIsALineEveryFiveSeconds) {
  Progress progress = progress_of(ProgressMode::plain);
  std::vector<int> at;
  for (int ms = 0; ms < 16'000; ms += 50) {
    progress.update(tally, pacer, 100, kStart + milliseconds(ms));
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
    progress.update(tally, pacer, 100, kStart + milliseconds(ms));
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

TEST_F(ProgressTest, NoneIsSilent) {
  Progress progress = progress_of(ProgressMode::none);
  progress.update(tally, pacer, 100, kStart);
  progress.hide();
  progress.finish(tally, pacer, 100, kStart);
  EXPECT_EQ(taken(), "");
}

TEST_F(ProgressTest, LineIsThereInAnyMode) {
  Progress progress = progress_of(ProgressMode::none);
  progress.update(tally, pacer, 100, kStart);
  settle(20);
  progress.update(tally, pacer, 100, kStart + seconds(2));
  EXPECT_EQ(progress.line(tally, pacer, 100, kStart + seconds(2)),
            "20 of 100 rows: placed 20, rejected 0, in doubt 0; 10.0/s, limit 10/s, 8s left");
  EXPECT_EQ(taken(), "");
}

TEST_F(ProgressTest, HidingWipesTheBarOnce) {
  Progress progress = progress_of(ProgressMode::bar);
  progress.hide();
  EXPECT_EQ(taken(), "");
  progress.update(tally, pacer, 100, kStart);
  taken();
  progress.hide();
  EXPECT_EQ(taken(), "\r\x1b[K");
  progress.hide();
  EXPECT_EQ(taken(), "");
}

TEST_F(ProgressTest, FinishIsTheLastWord) {
  for (const auto mode : {ProgressMode::bar, ProgressMode::plain, ProgressMode::json}) {
    Progress progress = progress_of(mode);
    progress.update(tally, pacer, 100, kStart);
    taken();
    progress.finish(tally, pacer, 100, kStart + milliseconds(1));
    const std::string text = taken();
    if (mode == ProgressMode::bar) {
      EXPECT_EQ(text, "\r\x1b[K");
    } else {
      EXPECT_TRUE(has(text, "placed")) << text;
    }
    progress.update(tally, pacer, 100, kStart + seconds(100));
    progress.finish(tally, pacer, 100, kStart + seconds(100));
    EXPECT_EQ(taken(), "");
  }
}

TEST_F(ProgressTest, EmptyBatchIsNoDivisionByZero) {
  Progress progress = progress_of(ProgressMode::bar);
  progress.update(tally, pacer, 0, kStart);
  EXPECT_TRUE(has(taken(), "0/0"));
}

}  // namespace
}  // namespace sagorder::io
