#include "io/readiness.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <vector>

#include "io/file.hpp"

namespace sagorder::io {
namespace {

using namespace std::chrono_literals;

/// One end of a socket pair, which is watched; the other is the test's.
struct End final : Readiness::Waiter {
  End() {
    int pair[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    here = Fd(pair[0]);
    there = Fd(pair[1]);
  }
  void ready() override {
    ++told;
    if (then) then();
  }
  void put() const { EXPECT_EQ(::write(there.get(), "x", 1), 1); }

  Fd here;
  Fd there;
  int told = 0;
  std::function<void()> then;
};

class ReadinessTest : public ::testing::Test {
 protected:
  /// Until nobody waits, or for a moment.
  void run() {
    context_.restart();
    context_.run_for(50ms);
  }
  /// What a new socket is ready for anyway is out of the way.
  void watch(End& end) {
    readiness_->watch(end.here.get(), end);
    readiness_->wait(end);
    run();
    EXPECT_EQ(end.told, 1) << "there is room to write";
    end.told = 0;
  }

  boost::asio::io_context context_;
  std::shared_ptr<Readiness> readiness_ = std::make_shared<Readiness>(context_);
};

TEST_F(ReadinessTest, TellsOnceOfEachNewThing) {
  End end;
  watch(end);
  readiness_->wait(end);
  readiness_->wait(end);
  end.put();
  run();
  EXPECT_EQ(end.told, 1);
  readiness_->wait(end);
  run();
  EXPECT_EQ(end.told, 1) << "nothing new came";
  end.put();
  run();
  EXPECT_EQ(end.told, 2);
  readiness_->wait(end);
  end.there = Fd();
  run();
  EXPECT_EQ(end.told, 3) << "the end is news";
}

TEST_F(ReadinessTest, ALoopWithNobodyWaitingHasNoWork) {
  End end;
  watch(end);
  EXPECT_TRUE(context_.stopped());
  end.put();
  run();
  EXPECT_EQ(end.told, 0);
  readiness_->wait(end);
  readiness_->forget(end);
  context_.restart();
  context_.run();  // ends
}

TEST_F(ReadinessTest, OneMayWaitAgainFromWithinTheCall) {
  End end;
  watch(end);
  end.then = [&] { readiness_->wait(end); };
  readiness_->wait(end);
  for (int i = 1; i <= 3; ++i) {
    end.put();
    run();
    EXPECT_EQ(end.told, i);
  }
}

TEST_F(ReadinessTest, WhoIsForgottenIsNotCalledThoughItIsInTheBatch) {
  End first;
  End second;
  watch(first);
  watch(second);
  first.then = [&] { readiness_->forget(second); };
  second.then = [&] { readiness_->forget(first); };
  readiness_->wait(first);
  readiness_->wait(second);
  first.put();
  second.put();
  run();
  EXPECT_EQ(first.told + second.told, 1);
}

TEST_F(ReadinessTest, ManyAreToldAll) {
  std::vector<End> ends(300);
  for (End& end : ends) watch(end);
  for (const End& end : ends) {
    readiness_->wait(const_cast<End&>(end));
    end.put();
  }
  run();
  for (const End& end : ends) EXPECT_EQ(end.told, 1);
}

TEST_F(ReadinessTest, ItMayEndFromWithinACall) {
  auto end = std::make_unique<End>();
  watch(*end);
  end->then = [&] {
    readiness_->forget(*end);
    readiness_.reset();
  };
  readiness_->wait(*end);
  end->put();
  run();
  EXPECT_EQ(end->told, 1);
  EXPECT_FALSE(readiness_);
}

}  // namespace
}  // namespace sagorder::io
