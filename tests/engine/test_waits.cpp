#include "engine/waits.hpp"

#include <gtest/gtest.h>

namespace sagorder {
namespace {

constexpr SteadyTime kBegin{seconds(100)};

TEST(Waits, TimeGoesToWhatWasSaidBefore) {
  Waits waits;
  waits.turn(WaitFor::rate, kBegin);
  waits.turn(WaitFor::ledger, kBegin + seconds(3));
  waits.turn(WaitFor::ledger, kBegin + seconds(4));
  waits.turn(WaitFor::rate, kBegin + seconds(6));
  waits.turn(WaitFor::answers, kBegin + seconds(7));
  EXPECT_EQ(waits.of(WaitFor::rate), seconds(4));
  EXPECT_EQ(waits.of(WaitFor::ledger), seconds(3));
  EXPECT_EQ(waits.of(WaitFor::answers), nanoseconds(0)) << "it has only begun";
  EXPECT_EQ(waits.now(), WaitFor::answers);
}

TEST(Waits, AddUpToTheWhole) {
  Waits waits;
  EXPECT_EQ(waits.all(), nanoseconds(0));
  waits.turn(WaitFor::input, kBegin);
  for (int i = 1; i <= 100; ++i) {
    waits.turn(static_cast<WaitFor>(i % static_cast<int>(kWaits)), kBegin + milliseconds(i * i));
  }
  EXPECT_EQ(waits.all(), milliseconds(100 * 100));
}

TEST(Waits, EachHasAName) {
  EXPECT_EQ(name_of(WaitFor::input), "input");
  EXPECT_EQ(name_of(WaitFor::rate), "rate");
  EXPECT_EQ(name_of(WaitFor::throttling), "throttling");
  EXPECT_EQ(name_of(WaitFor::connection), "connection");
  EXPECT_EQ(name_of(WaitFor::answers), "answers");
  EXPECT_EQ(name_of(WaitFor::ledger), "ledger");
}

}  // namespace
}  // namespace sagorder
