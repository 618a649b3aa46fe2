#include "engine/wording.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

namespace sagorder {
namespace {

TEST(Wording, ShowsTextsClippedAndTamed) {
  EXPECT_EQ(in_quotes("A\x1b[2J\x07\x7f\n"), "\"A\\x1b[2J\\x07\\x7f\\n\"");
  EXPECT_EQ(in_quotes("A\xC2\x9B"), "\"A\\u009b\"");
  EXPECT_EQ(in_quotes("A\"\\"), "\"A\\\"\\\\\"");
  EXPECT_EQ(in_quotes("A\u00A0\u200B\uFEFF"), "\"A\\u00a0\\u200b\\ufeff\"");
  EXPECT_EQ(in_quotes(""), "\"\"");
  const std::string most(60, 'y');
  EXPECT_EQ(in_quotes("x" + most + "上上"), "\"x" + most + "上...\"");
  EXPECT_EQ(in_quotes("Axxx" + most), "\"Axxx" + most + "\"");
  EXPECT_EQ(in_quotes("Axxx" + most + "z"), "\"Axxx" + most + "...\"");
}

TEST(Wording, NamesTheNearest) {
  constexpr std::array<std::string_view, 3> kNames = {"RegionId", "Period", "UserCount"};
  EXPECT_EQ(nearest("region_id", kNames, 2), "RegionId");
  EXPECT_EQ(nearest("User Count", kNames, 2), "UserCount");
  EXPECT_EQ(nearest("Peirod", kNames, 2), "Period");
  EXPECT_EQ(nearest("Peirod", kNames, 6), "Period") << "two letters exchanged are one mistake";
  EXPECT_EQ(nearest("Peirod", kNames, 7), "");
  EXPECT_EQ(nearest("Note", kNames, 2), "");
  EXPECT_EQ(nearest("", kNames, 2), "");
  EXPECT_EQ(nearest(std::string(1000, 'x'), kNames, 2), "");
  EXPECT_EQ(nearest("Period", {}, 2), "");
  EXPECT_EQ(did_you_mean("Period"), "; did you mean Period?");
  EXPECT_EQ(did_you_mean(""), "");
}

TEST(Wording, SaysWhyATextIsNoNumber) {
  EXPECT_EQ(why_no_number("x"), "write a whole number in digits 0 to 9");
  EXPECT_EQ(why_no_number("-5"), "it must be a whole number of 1 or more");
  EXPECT_EQ(why_no_number("00"), "it must be 1 or more");
  EXPECT_EQ(why_no_number("+5"), "write it without a sign, as 5");
  EXPECT_EQ(why_no_number("012"), "write it without leading zeros, as 12");
  EXPECT_EQ(why_no_number("2147483648"), "it must be at most 2147483647");
  EXPECT_EQ(why_no_number("5 seats"), "write the number alone, in digits, as 5");
  EXPECT_EQ(why_no_number("5 to 10"), "write the number alone, in digits");
  EXPECT_EQ(why_no_number("12.0"), "write a whole number, without a decimal point, as 12");
  EXPECT_EQ(why_no_number("12.5"), "write a whole number, without a decimal point");
  EXPECT_EQ(why_no_number("1,000"), "write it without separators, as 1000");
  EXPECT_EQ(why_no_number("1,00"), "write it without separators");
}

}  // namespace
}  // namespace sagorder
