#include "io/run_starts.hpp"

#include <gtest/gtest.h>

#include <string>

namespace sagorder::io {
namespace {

constexpr WallTime kBegin{seconds(1'700'000'000)};

TEST(RunStarts, AreWhatWasWritten) {
  std::string fact = with_run("", {kBegin, {50, seconds(1)}});
  fact = with_run(fact, {kBegin + milliseconds(1), {0, seconds(1)}});
  fact = with_run(fact, {kBegin + seconds(5), {200, seconds(60)}});
  const auto starts = run_starts_of(fact);
  ASSERT_EQ(starts.size(), 3U);
  EXPECT_EQ(starts[0].begun, kBegin);
  EXPECT_EQ(to_string(starts[0].limit), "50/s");
  EXPECT_EQ(starts[1].begun, kBegin + milliseconds(1));
  EXPECT_TRUE(starts[1].limit.unlimited());
  EXPECT_EQ(to_string(starts[2].limit), "200/60s");
}

TEST(RunStarts, TheLastOnesAreKept) {
  std::string fact;
  for (int i = 0; i < 150; ++i) fact = with_run(fact, {kBegin + seconds(i), {10, seconds(1)}});
  const auto starts = run_starts_of(fact);
  ASSERT_EQ(starts.size(), kRunStartsMax);
  EXPECT_EQ(starts.front().begun, kBegin + seconds(50));
  EXPECT_EQ(starts.back().begun, kBegin + seconds(149));
}

TEST(RunStarts, WhatCannotBeReadIsPassedOver) {
  for (const char* fact :
       {"", "7", "{}", "[", "[7, null, {}]", R"([{"at_ms": "x", "rate": "1/s"}])",
        R"([{"at_ms": 1, "rate": 1}])", R"([{"at_ms": 1, "rate": "fast"}])"}) {
    EXPECT_TRUE(run_starts_of(fact).empty()) << fact;
    EXPECT_EQ(run_starts_of(with_run(fact, {kBegin, {10, seconds(1)}})).size(), 1U) << fact;
  }
  EXPECT_EQ(run_starts_of(R"([7, {"at_ms": 1, "rate": "1/s"}])").size(), 1U);
}

}  // namespace
}  // namespace sagorder::io
