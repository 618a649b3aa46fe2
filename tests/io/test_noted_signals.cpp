#include "io/noted_signals.hpp"

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

TEST(NotedSignals, TheFirstIsNotedAndEndsAWait) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const NotedSignals signals;
    EXPECT_FALSE(signals.interrupted());
    std::raise(signal);
    EXPECT_TRUE(signals.interrupted()) << signal;
    const auto begun = std::chrono::steady_clock::now();
    signals.wait(std::chrono::minutes(10));
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::minutes(5));
  }
}

TEST(NotedSignals, AreAsTheyWereBeforeUnlessSomebodyElseHasThem) {
  const Handler before = handler_of(SIGTERM);
  { const NotedSignals signals; }
  EXPECT_EQ(handler_of(SIGTERM), before);
  {
    NotedSignals signals;
    std::signal(SIGTERM, SIG_IGN);
    signals.hand_over();
  }
  EXPECT_EQ(handler_of(SIGTERM), SIG_IGN);
  std::signal(SIGTERM, before);
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGHUP, SIG_DFL);
}

TEST(NotedSignals, AHangupThatIsIgnoredStaysSo) {
  std::signal(SIGHUP, SIG_IGN);
  {
    const NotedSignals signals;
    std::raise(SIGHUP);
    EXPECT_FALSE(signals.interrupted());
  }
  std::signal(SIGHUP, SIG_DFL);
}

TEST(NotedSignals, AreTakenOverAgainWithoutWhatWasNotedBefore) {
  const Handler before = handler_of(SIGTERM);
  NotedSignals signals;
  std::raise(SIGTERM);
  signals.hand_over();
  std::signal(SIGTERM, SIG_IGN);  // somebody else, who is done
  signals.take_over("again\n");
  EXPECT_FALSE(signals.interrupted());
  const auto begun = std::chrono::steady_clock::now();
  signals.wait(milliseconds(50));
  EXPECT_GE(std::chrono::steady_clock::now() - begun, milliseconds(50)) << "the old one ends none";
  std::raise(SIGTERM);
  EXPECT_TRUE(signals.interrupted());
  signals.hand_over();
  std::signal(SIGTERM, before);
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGHUP, SIG_DFL);
}

TEST(NotedSignalsDeathTest, ASecondOneEndsTheProcess) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto twice = [] {
    const NotedSignals signals;
    std::raise(SIGTERM);
    std::raise(SIGTERM);
  };
  EXPECT_EXIT(twice(), testing::ExitedWithCode(130), "interrupted again; nothing was sent");
  const auto twice_at_the_end = [] {
    NotedSignals signals;
    signals.take_over("words of the end\n");
    std::raise(SIGTERM);
    std::raise(SIGTERM);
  };
  EXPECT_EXIT(twice_at_the_end(), testing::ExitedWithCode(130), "words of the end");
}

}  // namespace
}  // namespace sagorder::io
