#include "engine/life.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace sagorder {
namespace {

using enum RecordKind;

constexpr RecordKind kKinds[] = {intent,   not_executed, placed,          rejected,
                                 in_doubt, replay,       resolved_placed, resolved_not_placed};
constexpr State kAllStates[] = {State::pending, State::intended, State::placed, State::rejected,
                                State::in_doubt};

TEST(Life, EveryPairOfStateAndRecordIsGiven) {
  const std::map<std::pair<State, RecordKind>, State> allowed = {
      {{State::pending, intent}, State::intended},
      {{State::intended, not_executed}, State::pending},
      {{State::intended, placed}, State::placed},
      {{State::intended, rejected}, State::rejected},
      {{State::intended, in_doubt}, State::in_doubt},
      {{State::in_doubt, placed}, State::placed},
      {{State::in_doubt, in_doubt}, State::in_doubt},
      {{State::in_doubt, replay}, State::in_doubt},
      {{State::in_doubt, resolved_placed}, State::placed},
      {{State::in_doubt, resolved_not_placed}, State::pending},
  };
  for (const State state : kAllStates) {
    for (const RecordKind kind : kKinds) {
      const auto found = allowed.find({state, kind});
      const auto expected =
          found == allowed.end() ? std::nullopt : std::optional<State>(found->second);
      EXPECT_EQ(next_state(state, kind), expected) << name_of(state) << " + " << name_of(kind);
    }
  }
}

TEST(Life, NamesGoBothWays) {
  for (const RecordKind kind : kKinds) EXPECT_EQ(record_kind_of(name_of(kind)), kind);
  EXPECT_EQ(record_kind_of("placed "), std::nullopt);
}

TEST(Life, StatesHaveNames) {
  std::set<std::string_view> names;
  for (const State state : kAllStates) names.insert(name_of(state));
  EXPECT_EQ(names,
            (std::set<std::string_view>{"pending", "intended", "placed", "rejected", "in_doubt"}));
  EXPECT_EQ(name_of(State::in_doubt), "in_doubt");
  EXPECT_EQ(name_of(State::pending), "pending");
}

TEST(Life, DoubtIsEndedByAnOrderIdOrAnOperatorOnly) {
  Rows rows(1);
  ASSERT_TRUE(rows.apply({intent, {1}, {1}}));
  ASSERT_TRUE(rows.apply({in_doubt, {1}, {1}}));
  EXPECT_FALSE(rows.apply({intent, {1}, {2}}));
  EXPECT_FALSE(rows.apply({rejected, {1}, {1}}));
  EXPECT_FALSE(rows.apply({not_executed, {1}, {1}}));
  EXPECT_EQ(rows.state({1}), State::in_doubt);
  EXPECT_TRUE(rows.apply({resolved_not_placed, {1}, {1}}));
  EXPECT_TRUE(rows.apply({intent, {1}, {2}}));
}

TEST(Life, RefusesForeignRowsAndSkippedAttempts) {
  Rows rows(2);
  EXPECT_FALSE(rows.apply({intent, {0}, {1}}));
  EXPECT_FALSE(rows.apply({intent, {3}, {1}}));
  EXPECT_FALSE(rows.apply({intent, {1}, {2}}));
  EXPECT_TRUE(rows.apply({intent, {1}, {1}}));
  EXPECT_FALSE(rows.apply({placed, {1}, {2}}));
  EXPECT_TRUE(rows.apply({placed, {1}, {1}}));
}

TEST(Life, CountsAttemptsBeyondWhatAByteHolds) {
  Rows rows(1);
  for (std::uint32_t k = 1; k <= 100; ++k) {
    ASSERT_TRUE(rows.apply({intent, {1}, {k}}));
    EXPECT_EQ(rows.attempts({1}).value, k);
    ASSERT_TRUE(rows.apply({not_executed, {1}, {k}}));
    EXPECT_EQ(rows.attempts({1}).value, k);
    EXPECT_EQ(rows.state({1}), State::pending);
  }
}

TEST(Life, OpenIntentsBecomeDoubts) {
  Rows rows(3);
  ASSERT_TRUE(rows.apply({intent, {3}, {1}}));
  ASSERT_TRUE(rows.apply({intent, {1}, {1}}));
  ASSERT_TRUE(rows.apply({placed, {1}, {1}}));
  const auto records = open_as_in_doubt(rows, WallTime(milliseconds(5)));
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].row.value, 3U);
  EXPECT_EQ(records[0].kind, in_doubt);
  ASSERT_TRUE(rows.apply({records[0].kind, records[0].row, records[0].attempt}));
  EXPECT_TRUE(rows.open_intents().empty());
  EXPECT_EQ(rows.count_of(State::in_doubt), 1U);
  EXPECT_EQ(rows.count_of(State::placed), 1U);
  EXPECT_EQ(rows.count_of(State::pending), 1U);
}

TEST(Life, AForgottenRowIsToldAnew) {
  Rows rows(2);
  for (std::uint32_t k = 1; k <= 40; ++k) {
    ASSERT_TRUE(rows.apply({intent, {1}, {k}}));
    ASSERT_TRUE(rows.apply({not_executed, {1}, {k}}));
  }
  ASSERT_TRUE(rows.apply({intent, {1}, {41}}));
  rows.forget({1});
  EXPECT_EQ(rows.state({1}), State::pending);
  EXPECT_FALSE(rows.touched({1}));
  EXPECT_EQ(rows.count_of(State::intended), 0U);
  EXPECT_EQ(rows.count_of(State::pending), 2U);
  EXPECT_TRUE(rows.apply({intent, {1}, {1}}));
  EXPECT_TRUE(rows.apply({placed, {1}, {1}}));
  EXPECT_EQ(rows.count_of(State::placed), 1U);
}

// Any prefix of a legal history is a legal history, and the same records give the same states.
TEST(Life, EveryPrefixOfAHistoryReplays) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 chance(seed);
  constexpr std::uint64_t kRows = 8;
  std::vector<Step> history;
  Rows rows(kRows);
  while (history.size() < 200) {
    const Row row{chance() % kRows + 1};
    const RecordKind kind = kKinds[chance() % kRecordKinds];
    const std::uint32_t begun = rows.attempts(row).value;
    const Step step{kind, row, {begun + (kind == intent ? 1U : 0U)}};
    const State before = rows.state(row);
    const bool applied = rows.apply(step);
    EXPECT_EQ(applied, next_state(before, kind).has_value());
    EXPECT_TRUE(applied || rows.state(row) == before);
    if (applied) history.push_back(step);
    if (rows.count_of(State::placed) + rows.count_of(State::rejected) == kRows) break;
  }
  for (std::size_t length = 0; length <= history.size(); ++length) {
    Rows again(kRows);
    for (std::size_t i = 0; i < length; ++i) ASSERT_TRUE(again.apply(history[i])) << i;
    std::uint64_t total = 0;
    for (const State state : kAllStates) total += again.count_of(state);
    EXPECT_EQ(total, kRows);
    for (const Row row : again.open_intents()) EXPECT_EQ(again.state(row), State::intended);
  }
}

}  // namespace
}  // namespace sagorder
