#include "io/run_history.hpp"

#include <gtest/gtest.h>

#include <string>

namespace sagorder::io {
namespace {

constexpr WallTime kBegin{seconds(1'700'000'000)};

TEST(RunHistory, AreWhatWasWritten) {
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

TEST(RunHistory, TheLastOnesAreKept) {
  std::string fact;
  for (int i = 0; i < 150; ++i) fact = with_run(fact, {kBegin + seconds(i), {10, seconds(1)}});
  const auto starts = run_starts_of(fact);
  ASSERT_EQ(starts.size(), kRunStartsMax);
  EXPECT_EQ(starts.front().begun, kBegin + seconds(50));
  EXPECT_EQ(starts.back().begun, kBegin + seconds(149));
}

TEST(RunHistory, WhatCannotBeReadIsPassedOver) {
  for (const char* fact :
       {"", "7", "{}", "[", "[7, null, {}]", R"([{"at_ms": "x", "rate": "1/s"}])",
        R"([{"at_ms": 1, "rate": 1}])", R"([{"at_ms": 1, "rate": "fast"}])"}) {
    EXPECT_TRUE(run_starts_of(fact).empty()) << fact;
    EXPECT_EQ(run_starts_of(with_run(fact, {kBegin, {10, seconds(1)}})).size(), 1U) << fact;
  }
  EXPECT_EQ(run_starts_of(R"([7, {"at_ms": 1, "rate": "1/s"}])").size(), 1U);
}

TEST(RunHistory, TellsHowARunEnded) {
  std::string fact = with_run("", {kBegin, {50, seconds(1)}}, "aaaa");
  fact = with_end(fact, "aaaa", {kBegin + seconds(2), "max_orders", 5});
  fact = with_run(fact, {kBegin + seconds(9), {50, seconds(1)}}, "bbbb");
  const auto runs = runs_known(fact);
  ASSERT_EQ(runs.size(), 2U);
  EXPECT_EQ(runs[0].run, "aaaa");
  ASSERT_TRUE(runs[0].end);
  EXPECT_EQ(runs[0].end->at, kBegin + seconds(2));
  EXPECT_EQ(runs[0].end->stop, "max_orders");
  EXPECT_EQ(runs[0].end->exit_code, 5);
  EXPECT_FALSE(runs[1].end) << "it was killed, or goes on";
}

TEST(RunHistory, AnEndIsToldInWords) {
  EXPECT_EQ(words_of(RunEnd{kBegin, "max_orders", 5}), "--max-orders");
  EXPECT_EQ(words_of(RunEnd{kBegin, "max_moons", 5}), "max_moons") << "of a newer program";
  EXPECT_EQ(words_of(RunEnd{kBegin, "\x1b[2J", 5}), "\\x1b[2J");
}

TEST(RunHistory, AnEndIsOfTheRunThatItNames) {
  const std::string fact = with_run("", {kBegin, {50, seconds(1)}}, "aaaa");
  for (const char* other : {"", "[]", "[7]", "{}", R"([{"at_ms": 1, "rate": "1/s"}])"}) {
    EXPECT_EQ(with_end(other, "aaaa", {kBegin, "none", 0}), other);
  }
  EXPECT_EQ(with_end(fact, "bbbb", {kBegin, "none", 0}), fact);
}

TEST(RunHistory, HalfAnEndIsNone) {
  for (const char* part : {R"("ended_ms": 5, "stop": "none")", R"("ended_ms": 5, "exit_code": 0)",
                           R"("ended_ms": "5", "stop": "none", "exit_code": 0)",
                           R"("ended_ms": 5, "stop": 7, "exit_code": 0)"}) {
    const auto runs = runs_known(R"([{"at_ms": 1, "rate": "1/s", )" + std::string(part) + "}]");
    ASSERT_EQ(runs.size(), 1U) << part;
    EXPECT_FALSE(runs[0].end) << part;
  }
}

}  // namespace
}  // namespace sagorder::io
