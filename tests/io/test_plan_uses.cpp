#include "io/plan_uses.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "io/batches.hpp"
#include "tests/io/temporary_directory.hpp"

namespace sagorder::io {
namespace {

const std::string kDigest(64, 'a');
const std::string kOther(64, 'b');

PlanUse use_by(const std::string& id) {
  return {id, "/data/" + id + ".csv.ledger", "/data/" + id + ".csv", "2026-01-02T03:04:05.678Z"};
}

TEST(PlanUses, OneBatchTakesAPlanAndNoOther) {
  const TemporaryDirectory directory;
  PlanUses uses(directory / "state/plans");
  EXPECT_FALSE(uses.use_of(kDigest));
  EXPECT_EQ(directory.entries(), 0U) << "looking makes nothing";
  EXPECT_FALSE(uses.take(kDigest, use_by("one")));
  EXPECT_FALSE(uses.take(kDigest, use_by("one"))) << "its resume goes on";
  const auto other = uses.take(kDigest, use_by("two"));
  ASSERT_TRUE(other);
  EXPECT_EQ(other->ledger_id, "one");
  EXPECT_EQ(other->ledger, "/data/one.csv.ledger");
  EXPECT_EQ(other->output, "/data/one.csv");
  EXPECT_EQ(other->used_at, "2026-01-02T03:04:05.678Z");
  EXPECT_EQ(uses.use_of(kDigest)->ledger_id, "one");
  EXPECT_FALSE(uses.take(kOther, use_by("two")));
  EXPECT_EQ(mode_of(directory / "state/plans"), 0700U);
  EXPECT_EQ(mode_of(directory / ("state/plans/" + kDigest + ".json")), 0600U);
}

TEST(PlanUses, GivesBackOnlyItsOwn) {
  const TemporaryDirectory directory;
  PlanUses uses(directory.path());
  uses.give_back(kDigest, "one");
  uses.take(kDigest, use_by("one"));
  uses.give_back(kDigest, "two");
  EXPECT_TRUE(uses.use_of(kDigest));
  uses.give_back(kDigest, "one");
  EXPECT_FALSE(uses.use_of(kDigest));
  EXPECT_FALSE(uses.take(kDigest, use_by("two")));
}

TEST(PlanUses, WhatCannotBeUnderstoodIsAnError) {
  const TemporaryDirectory directory;
  PlanUses uses(directory.path());
  for (const char* content : {"", "[]", "{}", "{\"ledger_id\":\"one\"}", "{\"ledger_id\":1}"}) {
    put(directory / (kDigest + ".json"), content);
    EXPECT_THROW((void)uses.use_of(kDigest), BatchesError) << content;
    EXPECT_THROW(uses.take(kDigest, use_by("one")), BatchesError) << content;
  }
  std::filesystem::remove(directory / (kDigest + ".json"));
  std::filesystem::create_symlink("nowhere", directory / (kDigest + ".json"));
  EXPECT_THROW(uses.take(kDigest, use_by("one")), BatchesError) << "a link is not followed";
}

}  // namespace
}  // namespace sagorder::io
