// What a pipeline does that shares its batch with other hosts.
#include <gtest/gtest.h>

#include <vector>

#include "tests/engine/allocations.hpp"
#include "tests/engine/by_hand.hpp"
#include "tests/engine/world.hpp"

namespace sagorder::testing {
namespace {

std::string joined(const std::vector<std::string>& lines) {
  std::string all;
  for (const auto& line : lines) all += line + "\n";
  return all;
}

// --- what another host had claimed

TEST(PipelineShared, ARefusedIntentIsNotSentAndHasNoLine) {
  ByHand run;
  run.read(1);  // a commit of its own
  run.read(2);
  run.read(3);
  run.read(4);
  run.commit();
  const std::vector<std::uint32_t> refused = {0};
  ASSERT_EQ(run.actions->commit.size(), 1U) << "of row 2: two rows are in flight at first";
  run.tell(event::Committed{refused});
  EXPECT_TRUE(run.actions->sends.empty());
  EXPECT_TRUE(run.actions->lines.empty());
  EXPECT_EQ(run.state(2), State::intended) << "an open attempt, of another";
  EXPECT_EQ(run.pipeline.in_flight(), 2U) << "its place is row 3's";
  EXPECT_EQ(run.pipeline.tally().elsewhere, 1U);
  EXPECT_EQ(run.read(2).commit.size(), 0U) << "read again it is not tried again";
  EXPECT_EQ(run.pipeline.tally().settled_before, 1U);
}

TEST(PipelineShared, WhatIsBesideARefusedIntentGoesOn) {
  World world(60, 1);
  world.is_claimed = [](std::uint64_t n) { return n % 3 == 0; };
  EXPECT_TRUE(world.run());
  world.check();
  EXPECT_TRUE(world.violations.empty()) << joined(world.violations);
  EXPECT_EQ(world.elsewhere.size(), 20U);
  EXPECT_EQ(world.count(State::placed), 40U);
  EXPECT_EQ(world.count(State::intended), 20U);
  EXPECT_EQ(world.lines.size(), 40U);
  EXPECT_EQ(world.requests, 40U);
  EXPECT_EQ(world.pipeline->tally().elsewhere, 20U);
}

TEST(PipelineShared, RefusalsAmongFaultsOfEveryKindKeepThePromises) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    World world(30, seed);
    world.options.replay = seed % 2 == 0 ? Replay::same_bytes : Replay::never;
    if (seed % 3 == 0) world.options.rate = {50, seconds(1)};
    world.is_claimed = [&](std::uint64_t) { return world.chance() % 4 == 0; };
    world.server = [&](std::uint64_t) {
      constexpr Does kDoes[] = {Does::order,    Does::order,      Does::lose_answer,
                                Does::throttle, Does::fail_after, Does::refuse_connect};
      return kDoes[world.chance() % std::size(kDoes)];
    };
    EXPECT_TRUE(world.run());
    world.check();
    ASSERT_TRUE(world.violations.empty()) << "seed " << seed << "\n" << joined(world.violations);
    EXPECT_EQ(world.count(State::intended), world.elsewhere.size());
  }
}

TEST(PipelineShared, OnlyIntentsCanBeRefused) {
  ByHand run;
  run.place(run.send(1), "1001");
  const std::vector<std::uint32_t> refused = {0};
  EXPECT_THROW(run.tell(event::Committed{refused}), BrokenPromise);
}

TEST(PipelineShared, ARefusalOutsideTheCommitIsAContradiction) {
  ByHand run;
  run.read(1);
  const std::vector<std::uint32_t> refused = {1};
  EXPECT_THROW(run.tell(event::Committed{refused}), BrokenPromise);
}

TEST(PipelineShared, RefusalsAllocateNothingOnceTheBuffersHaveGrown) {
  ByHand run;
  const std::vector<std::uint32_t> refused = {0};
  Order order;
  order.region_id = "cn-shanghai";
  order.period = 1;
  order.user_count = 1;
  const auto refuse = [&](std::uint64_t row) {
    order.row = {row};
    run.tell(event::OrderRead{&order});
    const auto before = allocations_on_this_thread();
    run.tell(event::Committed{refused});
    return allocations_on_this_thread() - before;
  };
  for (std::uint64_t row = 1; row <= 150; ++row) refuse(row);
  for (std::uint64_t row = 151; row <= 300; ++row) EXPECT_EQ(refuse(row), 0U) << row;
}

}  // namespace
}  // namespace sagorder::testing
