#include "io/table.hpp"

#include <gtest/gtest.h>

namespace sagorder::io {
namespace {

Table regions() {
  Table table({{"RegionId", 12}, {"placed", 7}, {"seat-months", 12}}, 2);
  table.add({"cn-shanghai", "16", "2720"});
  table.add({"others", "0", "5"});
  return table;
}

TEST(Table, IsInColumnsWhereThereIsRoom) {
  const std::string wanted =
      "  RegionId      placed  seat-months\n"
      "  cn-shanghai       16         2720\n"
      "  others             0            5\n";
  EXPECT_EQ(regions().text(0), wanted) << "no terminal";
  EXPECT_EQ(regions().text(35), wanted) << "just wide enough";
}

TEST(Table, IsInWordsElsewhere) {
  EXPECT_EQ(regions().text(34),
            "  cn-shanghai\n"
            "      placed 16, seat-months 2720\n"
            "  others\n"
            "      placed 0, seat-months 5\n");
  EXPECT_EQ(regions().text(29),
            "  cn-shanghai\n"
            "      placed 16,\n"
            "      seat-months 2720\n"
            "  others\n"
            "      placed 0, seat-months 5\n")
      << "a number stays with its name";
}

TEST(Fitted, LeavesWhatFits) {
  EXPECT_EQ(fitted("  placed  60", 0), "  placed  60\n");
  EXPECT_EQ(fitted("  placed  60", 12), "  placed  60\n");
  EXPECT_EQ(fitted("", 12), "\n");
}

TEST(Fitted, IndentsTheLinesBehindTheFirst) {
  EXPECT_EQ(fitted("requests 60 in 1.3 s, 47.6/s, limit 50/s", 24),
            "requests 60 in 1.3\n    s, 47.6/s, limit\n    50/s\n");
  EXPECT_EQ(fitted("  one two three four five", 20), "  one two three\n      four five\n");
}

}  // namespace
}  // namespace sagorder::io
