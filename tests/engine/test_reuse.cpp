#include "engine/reuse.hpp"

#include <gtest/gtest.h>

namespace sagorder {
namespace {

TEST(Reuse, AWholeAnswerLeavesAConnectionThatServesAgain) {
  EXPECT_EQ(after({}), Reuse::again);
  EXPECT_EQ(after({.asked_to_close = true}), Reuse::farewell);
  EXPECT_EQ(after({.surplus = true}), Reuse::farewell);
  EXPECT_EQ(after({.asked_to_close = true, .surplus = true}), Reuse::farewell);
}

TEST(Reuse, NothingIsWrittenAfterAFault) {
  for (int kind = 0; kind < kFaultKinds; ++kind) {
    const auto fault = static_cast<FaultKind>(kind);
    EXPECT_EQ(after({.fault = fault}), Reuse::never) << name_of(fault);
    EXPECT_EQ(after({.fault = fault, .asked_to_close = true}), Reuse::never) << name_of(fault);
  }
}

TEST(Reuse, OneLookDecidesBeforeTheNextUse) {
  EXPECT_EQ(before_use(Look::clean), Reuse::again);
  EXPECT_EQ(before_use(Look::ended), Reuse::never);
  EXPECT_EQ(before_use(Look::dirty), Reuse::never);
}

TEST(Reuse, IdleForLessThanTheMost) {
  EXPECT_EQ(while_idle(seconds(0), seconds(5)), Reuse::again);
  EXPECT_EQ(while_idle(seconds(5) - nanoseconds(1), seconds(5)), Reuse::again);
  EXPECT_EQ(while_idle(seconds(5), seconds(5)), Reuse::farewell);
  EXPECT_EQ(while_idle(seconds(0), seconds(0)), Reuse::farewell) << "none is kept";
}

}  // namespace
}  // namespace sagorder
