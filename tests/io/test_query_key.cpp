#include "io/query_key.hpp"

#include <gtest/gtest.h>

namespace sagorder::io {
namespace {

constexpr WallTime kStart{seconds(1'800'000'000)};
constexpr WallTime kUntil = kStart + seconds(3'600);

/// A key of an hour, and errands that are answered from here.
struct QueryKeyTest : testing::Test {
  QueryKey keeper(std::optional<KeyLife> life = KeyLife{kStart, kUntil}) {
    Credentials found{{"first", Secret("s"), Secret("t")}, "URI", life, {}};
    if (life) found.renewal.push_back({"URI", KeyUri{}, {}, false});
    return {std::move(found),
            [this](std::vector<KeySource>& sources) {
              EXPECT_EQ(sources.size(), 1U);
              ++errands;
              return outcome;
            },
            [this](const std::string& text) { said += text + "\n"; }};
  }
  void comes(const std::string& id, WallTime until) {
    outcome = {};
    outcome.key = FetchedKey{{id, Secret("s"), Secret("t")}, until};
    outcome.source = "URI";
  }

  KeyOutcome outcome;
  int errands = 0;
  std::string said;
};

TEST_F(QueryKeyTest, IsAnotherOneOnceItIsDue) {
  QueryKey kept = keeper();
  comes("second", kUntil + seconds(3'000));
  EXPECT_FALSE(kept.keep_fresh(kStart + seconds(2'699)));
  EXPECT_EQ(errands, 0);
  EXPECT_TRUE(kept.keep_fresh(kStart + seconds(2'700))) << "a quarter of its life is left";
  EXPECT_EQ(kept.key().id, "second");
  EXPECT_FALSE(kept.keep_fresh(kStart + seconds(2'701)));
  EXPECT_EQ(errands, 1);
  EXPECT_NE(said.find("another key from the URI, AccessKeyId second, until"), said.npos) << said;
}

TEST_F(QueryKeyTest, StaysWhereNoneComes) {
  QueryKey kept = keeper();
  outcome.why = "HTTP 503";
  EXPECT_FALSE(kept.keep_fresh(kStart + seconds(2'700)));
  EXPECT_EQ(kept.key().id, "first");
  EXPECT_NE(said.find("not renewed: HTTP 503"), said.npos) << said;
  EXPECT_FALSE(kept.keep_fresh(kStart + milliseconds(2'700'999))) << "a second later, not before";
  EXPECT_EQ(errands, 1);
  comes("short", kUntil);
  EXPECT_FALSE(kept.keep_fresh(kStart + seconds(2'701))) << "it lives no longer";
  EXPECT_EQ(kept.key().id, "first");
}

TEST_F(QueryKeyTest, OneThatIsCalledExpiredIsReplacedOnce) {
  QueryKey kept = keeper();
  comes("second", kUntil);
  EXPECT_TRUE(kept.replace(kStart + seconds(1))) << "whatever end it was told";
  EXPECT_EQ(kept.key().id, "second");
  EXPECT_FALSE(kept.replace(kStart + seconds(2))) << "refused before it was of any use";
  EXPECT_EQ(errands, 1);
  kept.proved();
  EXPECT_TRUE(kept.replace(kStart + seconds(3)));
  EXPECT_EQ(errands, 2);
}

TEST_F(QueryKeyTest, OneThatCannotBeRenewedIsLeft) {
  QueryKey kept = keeper(std::nullopt);
  EXPECT_FALSE(kept.keep_fresh(WallTime::max()));
  EXPECT_FALSE(kept.replace(kStart));
  EXPECT_EQ(errands, 0);
}

}  // namespace
}  // namespace sagorder::io
