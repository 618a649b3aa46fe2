#include "engine/entry.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sagorder {
namespace {

using Runs = std::vector<std::string>;

BegunLedger ledger_of(std::string_view id, const Runs& runs) {
  return {.id = id, .input_sha256 = "digest", .runs = runs};
}

std::optional<Obstacle> obstacle(const std::vector<RememberedBatch>& remembered,
                                 const BegunLedger& ledger, bool again = false) {
  const auto found = judge_memory(remembered, ledger, again);
  return found ? std::optional(found->obstacle) : std::nullopt;
}

TEST(Entry, OneProcessAtATime) {
  EXPECT_EQ(judge_hold({}), std::nullopt);
  EXPECT_EQ(judge_hold({.locked_by_another = true}), Obstacle::held);
  EXPECT_EQ(judge_hold({.made_by_another = true}), Obstacle::held);
}

TEST(Entry, ABegunLedgerGoesWithItsInput) {
  EXPECT_EQ(judge_input(ledger_of("one", {}), "digest"), std::nullopt);
  EXPECT_EQ(judge_input(ledger_of("one", {}), "other"), Obstacle::other_input);
  EXPECT_EQ(judge_input({}, "other"), std::nullopt) << "a ledger that was not begun has no input";
}

TEST(Entry, WhatNobodyOrderedMayBegin) {
  EXPECT_EQ(obstacle({}, {}), std::nullopt);
  const Runs runs = {"a"};
  EXPECT_EQ(obstacle({}, ledger_of("one", runs)), std::nullopt)
      << "no request left, or the memory is another user's";
}

TEST(Entry, OneContentIsOneBatch) {
  const std::vector<RememberedBatch> one = {{"one", "a"}};
  EXPECT_EQ(obstacle(one, {}), Obstacle::ordered_before);
  EXPECT_EQ(obstacle(one, ledger_of("two", {})), Obstacle::ordered_before);
  EXPECT_EQ(obstacle(one, {}, true), std::nullopt) << "asked for again";

  const std::vector<RememberedBatch> three = {{"one", "a"}, {"two", "b"}, {"three", "c"}};
  const auto found = judge_memory(three, ledger_of("four", {}), false);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->place, 0U) << "the earliest is named";
}

TEST(Entry, WhatIsRememberedItselfGoesOnWhateverElseWasOrdered) {
  const std::vector<RememberedBatch> batches = {{"one", "a"}, {"two", "b"}};
  const Runs runs = {"b"};
  EXPECT_EQ(obstacle(batches, ledger_of("two", runs)), std::nullopt);
}

TEST(Entry, ALedgerKnowsTheLastRunOrIsAnOlderCopy) {
  const std::vector<RememberedBatch> batches = {{"one", "x"}, {"two", "b"}};
  const Runs last = {"b", "a"};
  const Runs drawn = {"c", "b"};  // into the ledger, and a crash before the memory had it
  const Runs older = {"a", ""};
  EXPECT_EQ(obstacle(batches, ledger_of("two", last)), std::nullopt);
  EXPECT_EQ(obstacle(batches, ledger_of("two", drawn)), std::nullopt);
  EXPECT_EQ(obstacle(batches, ledger_of("two", older)), Obstacle::older_copy);
  EXPECT_EQ(obstacle(batches, ledger_of("two", {})), Obstacle::older_copy);
  EXPECT_EQ(obstacle(batches, ledger_of("two", older), true), std::nullopt);
  EXPECT_EQ(judge_memory(batches, ledger_of("two", older), false)->place, 1U);

  const std::vector<RememberedBatch> without_token = {{"one", ""}};
  EXPECT_EQ(obstacle(without_token, ledger_of("one", {})), std::nullopt);
}

TEST(Entry, AMovedLedgerLeavesNoneBehind) {
  const Runs runs = {"a"};
  const std::vector<RememberedBatch> copied = {{"one", "a", true}};
  EXPECT_EQ(obstacle(copied, ledger_of("one", runs)), Obstacle::copied);
  EXPECT_EQ(obstacle(copied, ledger_of("one", runs), true), std::nullopt);
  const std::vector<RememberedBatch> older = {{"one", "b", true}};
  EXPECT_EQ(obstacle(older, ledger_of("one", runs)), Obstacle::older_copy) << "says more";
}

TEST(Entry, WhatRowsWereSentWithStays) {
  Rows rows(2);
  EXPECT_EQ(judge_setting(rows, "a", "b"), std::nullopt) << "no row was sent";
  ASSERT_TRUE(rows.apply({RecordKind::intent, Row{1}, Attempt{1}}));
  EXPECT_EQ(judge_setting(rows, "a", "b"), Obstacle::other_setting);
  EXPECT_EQ(judge_setting(rows, "a", "a"), std::nullopt);
  ASSERT_TRUE(rows.apply({RecordKind::not_executed, Row{1}, Attempt{1}}));
  EXPECT_EQ(judge_setting(rows, "a", "b"), std::nullopt) << "nothing came of what was sent";
}

}  // namespace
}  // namespace sagorder
