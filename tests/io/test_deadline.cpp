#include "io/deadline.hpp"

#include <gtest/gtest.h>

#include <string_view>
#include <utility>

namespace sagorder::io {
namespace {

constexpr WallTime kNow{milliseconds(1'767'323'045'678)};  // 2026-01-02T03:04:05.678Z

WallTime at(std::string_view text) {
  const auto deadline = Deadline::parse(text);
  EXPECT_TRUE(deadline) << text;
  return deadline ? deadline->from(kNow) : WallTime();
}

TEST(Deadline, ADateWithItsZone) {
  EXPECT_EQ(at("2026-01-02T03:04:05.678Z"), kNow);
  EXPECT_EQ(at("2026-01-02T03:04:05.67899Z"), kNow);
  EXPECT_EQ(at("2026-01-02t03:04:05.678z"), kNow);
  EXPECT_EQ(at("2026-01-02T11:04:05.678+08:00"), kNow);
  EXPECT_EQ(at("2026-01-01T23:34:05.678-03:30"), kNow);
  EXPECT_EQ(at("2026-01-02T03:04:05.6Z"), kNow - milliseconds(78));
  EXPECT_EQ(at("2026-01-02T03:04:05-00:00"), kNow - milliseconds(678));
  EXPECT_EQ(at("1970-01-01T00:00:00Z"), WallTime());
  EXPECT_EQ(at("2024-02-29T00:00:00Z") + std::chrono::hours(24), at("2024-03-01T00:00:00Z"));
  EXPECT_EQ(at("9999-12-31T23:59:59Z") - at("9999-12-31T00:00:00Z"), seconds(86'399));
}

TEST(Deadline, ADurationFromNow) {
  const std::pair<std::string_view, milliseconds> kSpans[] = {{"1ms", milliseconds(1)},
                                                              {"90m", seconds(5'400)},
                                                              {"72h", seconds(259'200)},
                                                              {"8784h", kDeadlineMax}};
  for (const auto& [text, span] : kSpans) {
    EXPECT_EQ(at(text), kNow + span) << text;
  }
}

TEST(Deadline, EverythingElseIsNone) {
  for (const std::string_view text : {"",
                                      "now",
                                      "18:00",
                                      "2026-01-02",
                                      "2026-01-02T03:04:05",
                                      "2026-01-02 03:04:05Z",
                                      "2026-01-02T03:04Z",
                                      "2026-01-02T03:04:05.Z",
                                      "2026-01-02T03:04:05+8:00",
                                      "2026-01-02T03:04:05+0800",
                                      "2026-01-02T03:04:05+24:00",
                                      "2026-01-02T03:04:05+08:60",
                                      "2026-02-29T00:00:00Z",
                                      "2026-00-01T00:00:00Z",
                                      "2026-13-01T00:00:00Z",
                                      "2026-04-31T00:00:00Z",
                                      "2026-01-02T24:00:00Z",
                                      "2026-01-02T23:60:00Z",
                                      "2026-01-02T23:59:60Z",
                                      "2026-01-02T03:04:05ZZ",
                                      "2026-01-02T03:04:05Z ",
                                      " 2026-01-02T03:04:05Z",
                                      "26-01-02T03:04:05Z",
                                      "2026-1-2T03:04:05Z",
                                      "-026-01-02T03:04:05Z",
                                      "0s",
                                      "10",
                                      "8785h",
                                      "1d",
                                      "-1h"}) {
    EXPECT_FALSE(Deadline::parse(text)) << text;
  }
}

}  // namespace
}  // namespace sagorder::io
