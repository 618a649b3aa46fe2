#include "io/refused_run.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "io/file.hpp"
#include "tests/io/temporary_directory.hpp"

namespace sagorder::io {
namespace {

constexpr std::string_view kOldSummary = R"({"run_id":"old","exit_code":0})";
constexpr std::string_view kOldMetrics = "# HELP sagorder_run_exit_code ...\n";

class RefusedRunTest : public testing::Test {
 protected:
  void put(const std::string& path, std::string_view text) {
    write_all(open_private(path, O_WRONLY | O_CREAT | O_TRUNC), text, path);
  }
  RefusedRun refused(ExitCode code = ExitCode::credentials) {
    RefusedRun all;
    all.output = output;
    all.summary = summary;
    all.metrics = metrics;
    all.run = "3f09c2d1";
    all.begun = WallTime(milliseconds(1'000));
    all.ended = WallTime(milliseconds(2'000));
    all.ending = {code, "no access key", "set one"};
    return all;
  }
  std::vector<std::string> leave_by_arguments(std::vector<const char*> arguments) {
    leave_word(static_cast<int>(arguments.size()), arguments.data(),
               {ExitCode::usage, "--rate: x", ""}, WallTime(milliseconds(3'000)));
    return {content_of(summary), content_of(metrics)};
  }

  TemporaryDirectory directory;
  const std::string output = directory / "out.csv";
  const std::string summary = directory / "s.json";
  const std::string metrics = directory / "m.prom";
};

TEST_F(RefusedRunTest, BothAreWrittenAnewWithCodeAndReasonAndNothingCounted) {
  put(summary, kOldSummary);
  put(metrics, kOldMetrics);
  EXPECT_TRUE(leave_word(refused()).empty());
  const auto json = nlohmann::json::parse(content_of(summary));
  EXPECT_EQ(json["run_id"], "3f09c2d1");
  EXPECT_EQ(json["exit_code"], 6);
  EXPECT_EQ(json["stop"], "refused");
  EXPECT_EQ(json["stop_detail"], "no access key");
  EXPECT_EQ(json["run"]["requests"], 0);
  EXPECT_EQ(json["ended_at"], "1970-01-01T00:00:02.000Z");
  const std::string text = content_of(metrics);
  EXPECT_TRUE(has(text, "\nsagorder_run_exit_code 6\n")) << text;
  EXPECT_TRUE(has(text, "\nsagorder_run_refused 1\n")) << text;
  EXPECT_TRUE(has(text, "\nsagorder_run_over 1\n")) << text;
  EXPECT_TRUE(has(text, "\nsagorder_requests_total 0\n")) << text;
  EXPECT_FALSE(has(text, "sagorder_batch_rows")) << "at which it did not look";
}

TEST_F(RefusedRunTest, WhatIsNotWantedIsNotMade) {
  RefusedRun none = refused();
  none.summary.clear();
  none.metrics.clear();
  EXPECT_TRUE(leave_word(none).empty());
  FileIdentity identity;
  EXPECT_FALSE(identity_of(summary, identity));
  EXPECT_FALSE(identity_of(metrics, identity));
}

TEST_F(RefusedRunTest, AFileOfAnotherKindStays) {
  put(summary, "RegionId,UserCount\n");
  put(metrics, kOldSummary);
  EXPECT_EQ(leave_word(refused()).size(), 2U);
  EXPECT_EQ(content_of(summary), "RegionId,UserCount\n");
  EXPECT_EQ(content_of(metrics), kOldSummary);
}

TEST_F(RefusedRunTest, WhoIsAtWorkTellsOfItself) {
  put(summary, kOldSummary);
  put(metrics, kOldMetrics);
  EXPECT_TRUE(leave_word(refused(ExitCode::busy)).empty());
  EXPECT_EQ(content_of(summary), kOldSummary);
  put(output, "");
  const Fd held = open_private(output, O_RDWR);
  ASSERT_TRUE(io::try_lock(held, output));
  EXPECT_TRUE(leave_word(refused(ExitCode::input)).empty());
  EXPECT_EQ(content_of(summary), kOldSummary);
  EXPECT_EQ(content_of(metrics), kOldMetrics);
}

TEST_F(RefusedRunTest, OfArgumentsThatWereNotUnderstoodItTakesWhatIsSurelyMeant) {
  put(summary, kOldSummary);
  put(metrics, kOldMetrics);
  const std::string joined = "--metrics=" + metrics;
  const auto left =
      leave_by_arguments({"sagorder", "run", "o.csv", "--output", output.c_str(), "--rate", "x",
                          "--summary", summary.c_str(), joined.c_str()});
  EXPECT_EQ(nlohmann::json::parse(left[0])["exit_code"], 2);
  EXPECT_EQ(nlohmann::json::parse(left[0])["stop_detail"], "--rate: x");
  EXPECT_TRUE(has(left[1], "\nsagorder_run_exit_code 2\n")) << left[1];
}

TEST_F(RefusedRunTest, OfArgumentsThatWereNotUnderstoodItMakesNothingAndGuessesNothing) {
  put(summary, "orders");
  put(metrics, kOldMetrics);
  const std::vector<std::string> as_before = {"orders", std::string(kOldMetrics)};
  EXPECT_EQ(leave_by_arguments(
                {"sagorder", "run", "--output", output.c_str(), "--summary", summary.c_str()}),
            as_before)
      << "of another kind";
  EXPECT_EQ(leave_by_arguments({"sagorder", "run", "--metrics", metrics.c_str()}), as_before)
      << "who is at work cannot be told";
  EXPECT_EQ(leave_by_arguments(
                {"sagorder", "check", "--output", output.c_str(), "--metrics", metrics.c_str()}),
            as_before)
      << "no run";
  EXPECT_EQ(leave_by_arguments({"sagorder", "run", "--output", output.c_str(), "--", "--metrics",
                                metrics.c_str()}),
            as_before)
      << "operands";
  const std::string new_one = directory / "new.json";
  leave_by_arguments({"sagorder", "run", "--output", output.c_str(), "--summary", new_one.c_str()});
  FileIdentity identity;
  EXPECT_FALSE(identity_of(new_one, identity)) << "one that is not there";
}

}  // namespace
}  // namespace sagorder::io
