#include "io/early_signals.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>

namespace sagorder::io {
namespace {

using Handler = void (*)(int);

Handler handler_of(int signal) {
  struct sigaction action = {};
  sigaction(signal, nullptr, &action);
  return action.sa_handler;
}

TEST(EarlySignals, TheFirstIsNotedAndEndsAWait) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const EarlySignals signals;
    EXPECT_FALSE(signals.interrupted());
    std::raise(signal);
    EXPECT_TRUE(signals.interrupted()) << signal;
    const auto begun = std::chrono::steady_clock::now();
    signals.wait(std::chrono::minutes(10));
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::minutes(5));
  }
}

TEST(EarlySignals, AreAsTheyWereBeforeUnlessSomebodyElseHasThem) {
  const Handler before = handler_of(SIGTERM);
  { const EarlySignals signals; }
  EXPECT_EQ(handler_of(SIGTERM), before);
  {
    EarlySignals signals;
    std::signal(SIGTERM, SIG_IGN);
    signals.hand_over();
  }
  EXPECT_EQ(handler_of(SIGTERM), SIG_IGN);
  std::signal(SIGTERM, before);
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGHUP, SIG_DFL);
}

TEST(EarlySignals, AHangupThatIsIgnoredStaysSo) {
  std::signal(SIGHUP, SIG_IGN);
  {
    const EarlySignals signals;
    std::raise(SIGHUP);
    EXPECT_FALSE(signals.interrupted());
  }
  std::signal(SIGHUP, SIG_DFL);
}

TEST(EarlySignalsDeathTest, ASecondOneEndsTheProcess) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto twice = [] {
    const EarlySignals signals;
    std::raise(SIGTERM);
    std::raise(SIGTERM);
  };
  EXPECT_EXIT(twice(), testing::ExitedWithCode(130), "interrupted again");
}

}  // namespace
}  // namespace sagorder::io
