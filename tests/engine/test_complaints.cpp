#include "engine/complaints.hpp"

#include <gtest/gtest.h>

namespace sagorder {
namespace {

using Lines = std::vector<std::string>;

Complaint complaint_of(std::uint64_t line, const std::string& value,
                       Severity severity = Severity::warning, const std::string& rule = "too odd") {
  return {severity, {line, 3}, Row{line - 1}, "UserCount is " + value + ": " + rule, rule};
}

Lines lines_of(const Complaints& complaints) {
  Lines lines;
  for (const Complaint& each : complaints.told()) lines.push_back(to_string(each, "o.csv"));
  return lines;
}

TEST(Complaints, AFewAreToldEachInTheOrderOfTheFile) {
  Complaints complaints;
  complaints.add(complaint_of(2, "7"));
  complaints.add(complaint_of(3, "x", Severity::error, "no number"));
  complaints.add(complaint_of(4, "8"));
  complaints.add(complaint_of(9, "8"));
  EXPECT_EQ(lines_of(complaints), (Lines{"o.csv:2:3: warning: UserCount is 7: too odd",
                                         "o.csv:3:3: error: UserCount is x: no number",
                                         "o.csv:4:3: warning: UserCount is 8: too odd",
                                         "o.csv:9:3: warning: UserCount is 8: too odd"}));
}

TEST(Complaints, ManyOfAKindAreToldOnceWithTheirCountAndFirstLines) {
  Complaints complaints;
  for (std::uint64_t line = 2; line <= 11; ++line) complaints.add(complaint_of(line, "7"));
  EXPECT_EQ(lines_of(complaints).size(), 10U);
  complaints.add(complaint_of(12, "7"));
  complaints.add(complaint_of(13, "x", Severity::error, "no number"));
  EXPECT_EQ(
      lines_of(complaints),
      (Lines{"o.csv:2:3: warning: UserCount is 7: too odd (11 times like this: lines 2, 3, 4, "
             "5, 6 and 6 more)",
             "o.csv:13:3: error: UserCount is x: no number"}));
  for (std::uint64_t line = 14; line <= 1000; ++line) complaints.add(complaint_of(line, "9"));
  EXPECT_EQ(lines_of(complaints)[0],
            "o.csv:2:3: warning: UserCount is 7: too odd (998 times like this: lines 2, 3, 4, 5, 6 "
            "and 993 more)");
}

TEST(Complaints, TheSameRuleAsErrorAndAsWarningAreTwoKinds) {
  Complaints complaints;
  for (int i = 0; i < 2; ++i) {
    complaints.add(complaint_of(2, "7"));
    complaints.add(complaint_of(2, "7", Severity::error));
  }
  EXPECT_EQ(lines_of(complaints).size(), 4U);
}

TEST(Complaints, WithoutARuleTheTextIsTheKind) {
  Complaints complaints;
  for (std::uint64_t line = 2; line <= 23; ++line) {
    complaints.add({Severity::error, {line, 1}, Row{line}, line % 2 == 0 ? "even" : "odd"});
  }
  EXPECT_EQ(lines_of(complaints),
            (Lines{"o.csv:2:1: error: even (11 times like this: lines 2, 4, 6, 8, 10 and 6 more)",
                   "o.csv:3:1: error: odd (11 times like this: lines 3, 5, 7, 9, 11 and 6 more)"}));
}

TEST(Complaints, KindsBeyondTheLimitAreCounted) {
  Complaints complaints;
  for (std::uint64_t i = 0; i < Complaints::kKindsMax + 5; ++i) {
    complaints.add(complaint_of(i + 2, "7", Severity::error, "rule " + std::to_string(i)));
  }
  complaints.add(complaint_of(2, "7", Severity::error, "rule 0"));
  const Lines lines = lines_of(complaints);
  EXPECT_EQ(lines.size(), Complaints::kKindsMax + 2);
  EXPECT_EQ(lines.back(), "o.csv: error: 5 more, of other kinds than those above");
}

}  // namespace
}  // namespace sagorder
