#include "io/readiness.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <functional>
#include <thread>
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

/// Asks from within a batch, where alone there is an answer, in a call that came for something
/// else.
class QuietTest : public ReadinessTest {
 protected:
  QuietTest() {
    watch(asker_);
    watch(end_);
  }
  /// @param meanwhile what happens in that call before it asks, longer ago than a look stands
  bool is_quiet(const std::function<void()>& meanwhile = {}) {
    bool quiet = false;
    asker_.then = [&] {
      if (meanwhile) {
        meanwhile();
        std::this_thread::sleep_for(2 * kLookStands);
      }
      quiet = readiness_->is_quiet(end_, std::chrono::steady_clock::now());
    };
    const int before = asker_.told;
    readiness_->wait(asker_);
    asker_.put();
    run();
    EXPECT_EQ(asker_.told, before + 1);
    return quiet;
  }
  void read_all() {
    std::array<char, 8> bytes{};
    EXPECT_EQ(::read(end_.here.get(), bytes.data(), bytes.size()), 1);
    readiness_->was_read(end_, true);
  }

  End asker_;
  End end_;
};

TEST_F(QuietTest, WhatWasReadToItsLastByteIsQuietUntilMoreComes) {
  EXPECT_FALSE(is_quiet()) << "nobody said that it was read";
  readiness_->was_read(end_, true);
  EXPECT_TRUE(is_quiet());
  EXPECT_TRUE(is_quiet([] {}));
  readiness_->was_read(end_, false);
  EXPECT_FALSE(is_quiet());
  readiness_->was_read(end_, true);
  end_.put();
  EXPECT_FALSE(is_quiet()) << "it came before the batch";
  read_all();
  EXPECT_TRUE(is_quiet());
  EXPECT_FALSE(is_quiet([&] { end_.put(); })) << "it came while the batch was told";
  read_all();
  EXPECT_TRUE(is_quiet());
}

TEST_F(QuietTest, AnEndIsForGood) {
  readiness_->was_read(end_, true);
  EXPECT_FALSE(is_quiet([&] { end_.there = Fd(); }));
  readiness_->was_read(end_, true);
  EXPECT_FALSE(is_quiet());
}

TEST_F(QuietTest, AnEndBeforeTheBatchIsSeenThoughTheBytesBeforeItWereRead) {
  end_.put();
  EXPECT_EQ(::shutdown(end_.there.get(), SHUT_WR), 0);
  EXPECT_FALSE(is_quiet([&] { read_all(); }));
}

TEST_F(QuietTest, OutsideABatchNobodyKnows) {
  readiness_->was_read(end_, true);
  EXPECT_TRUE(is_quiet());
  EXPECT_FALSE(readiness_->is_quiet(end_, std::chrono::steady_clock::now()));
}

TEST_F(QuietTest, ABatchThatIsFullShowsNotAll) {
  readiness_->was_read(end_, true);
  const auto with_others = [&](std::size_t count) {
    std::vector<End> others(count);
    for (End& other : others) watch(other);
    return is_quiet([&] {
      for (const End& other : others) other.put();
    });
  };
  EXPECT_TRUE(with_others(30));
  EXPECT_FALSE(with_others(200));
}

TEST_F(QuietTest, WhatALookFindsIsTold) {
  End other;
  watch(other);
  readiness_->was_read(end_, true);
  readiness_->wait(other);
  EXPECT_TRUE(is_quiet([&] { other.put(); }));
  EXPECT_EQ(other.told, 1);
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
