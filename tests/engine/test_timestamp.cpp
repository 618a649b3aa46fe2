#include "engine/timestamp.hpp"

#include <gtest/gtest.h>

namespace sagorder {
namespace {

TEST(Timestamp, IsReadInTheApisForm) {
  EXPECT_EQ(parse_timestamp("1970-01-01T00:00:00Z"), WallTime{});
  EXPECT_EQ(parse_timestamp("2026-01-02T03:04:05Z"), WallTime{milliseconds{1'767'323'045'000}});
  EXPECT_TRUE(parse_timestamp("2024-02-29T23:59:59Z"));
}

TEST(Timestamp, OfAnotherFormIsNone) {
  for (const char* text :
       {"", "2026-01-02T03:04:05", "2026-01-02 03:04:05Z", "2026-01-02T03:04:05+",
        "2026-01-02T03:04:05.0Z", "2026-13-02T03:04:05Z", "2026-02-29T03:04:05Z",
        "2026-01-02T24:00:00Z", "2026-01-02T03:60:05Z", "2026-01-02T03:04:60Z",
        "2026-01-02T03:04:0aZ", "-026-01-02T03:04:05Z"}) {
    EXPECT_FALSE(parse_timestamp(text)) << text;
  }
}

}  // namespace
}  // namespace sagorder
