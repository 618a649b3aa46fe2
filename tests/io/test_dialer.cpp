#include "io/dialer.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>

#include "tests/io/tls_server.hpp"

namespace sagorder::io {
namespace {

using namespace sagorder::io::testing;
using namespace std::chrono_literals;
using Tcp = Dialer::Tcp;

Routes::Addresses addresses(std::initializer_list<const char*> texts) {
  Routes::Addresses all;
  for (const char* const text : texts) all.push_back(boost::asio::ip::make_address(text));
  return all;
}

std::vector<std::string> in_turns_of(std::initializer_list<const char*> texts) {
  std::vector<Tcp::endpoint> found;
  for (const auto& each : addresses(texts)) found.emplace_back(each, 443);
  std::vector<std::string> order;
  for (const auto& each : in_turns(found)) order.push_back(each.address().to_string());
  return order;
}

TEST(InTurns, TheFamiliesAlternateAndTheFirstBegins) {
  using Texts = std::vector<std::string>;
  EXPECT_EQ(in_turns_of({"::1", "::2", "::3", "1.1.1.1", "2.2.2.2"}),
            (Texts{"::1", "1.1.1.1", "::2", "2.2.2.2", "::3"}));
  EXPECT_EQ(in_turns_of({"1.1.1.1", "2.2.2.2", "3.3.3.3", "::1"}),
            (Texts{"1.1.1.1", "::1", "2.2.2.2", "3.3.3.3"}));
  EXPECT_EQ(in_turns_of({"1.1.1.1"}), (Texts{"1.1.1.1"}));
  EXPECT_EQ(in_turns_of({}), (Texts{}));
}

TEST(InTurns, NoMoreAreTriedThanTheLimit) {
  std::vector<Tcp::endpoint> found;
  for (unsigned i = 0; i < 40; ++i) {
    found.emplace_back(boost::asio::ip::address_v4(i + 1), 443);
  }
  EXPECT_EQ(in_turns(found).size(), kAddressesMax);
}

/// Dials once and keeps how it ended.
class DialerTest : public ::testing::Test {
 protected:
  void dial(const Endpoint& endpoint, const Routes::Addresses& pinned = {}) {
    dialer_ = std::make_shared<Dialer>(context_, [this](Dialer::End end) {
      EXPECT_FALSE(within_);
      ++times_;
      end_ = std::move(end);
    });
    begin_ = std::chrono::steady_clock::now();
    within_ = true;
    dialer_->dial(endpoint, pinned);
    within_ = false;
  }
  void run() { context_.run_for(10s); }
  [[nodiscard]] auto elapsed() const { return std::chrono::steady_clock::now() - begin_; }
  [[nodiscard]] std::string peer() const {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    ::getpeername(end_->socket.get(), reinterpret_cast<sockaddr*>(&peer), &size);
    return boost::asio::ip::address_v4(ntohl(peer.sin_addr.s_addr)).to_string();
  }

  boost::asio::io_context context_;
  std::shared_ptr<Dialer> dialer_;
  std::optional<Dialer::End> end_;
  std::chrono::steady_clock::time_point begin_;
  int times_ = 0;
  bool within_ = false;
};

TEST_F(DialerTest, ConnectsToALiteral) {
  TlsServer server;
  dial({"127.0.0.1", server.port()});
  run();
  ASSERT_EQ(times_, 1);
  EXPECT_TRUE(end_->socket.open());
  EXPECT_EQ(peer(), "127.0.0.1");
}

TEST_F(DialerTest, ARefusalIsFollowedByTheNextAtOnce) {
  TlsServer server;
  dial({"name.example", server.port()}, addresses({"::1", "127.0.0.2", "127.0.0.3", "127.0.0.1"}));
  run();
  ASSERT_EQ(times_, 1);
  EXPECT_EQ(peer(), "127.0.0.1");
}

TEST_F(DialerTest, AllThatRefuseAreAFailure) {
  TlsServer server;
  dial({"name.example", server.port()}, addresses({"127.0.0.2", "127.0.0.3"}));
  run();
  ASSERT_EQ(times_, 1);
  EXPECT_FALSE(end_->socket.open());
  EXPECT_TRUE(end_->resolved);
  EXPECT_EQ(end_->why, "Connection refused");
}

TEST_F(DialerTest, ANameWithoutAnAddressIsNotResolved) {
  dial({"no-such-host.invalid", 443});
  run();
  ASSERT_EQ(times_, 1);
  EXPECT_FALSE(end_->resolved);
  EXPECT_FALSE(end_->why.empty());
}

/// A listener whose queue is full: connecting to it gets no answer.
class Silent {
 public:
  Silent() : context_(), acceptor_(context_, Tcp::endpoint(address(), 0), true) {
    acceptor_.listen(0);
    for (auto& each : waiting_) {
      each = std::make_unique<Tcp::socket>(context_);
      each->open(Tcp::v4());
      each->native_non_blocking(true);
      const Tcp::endpoint to = acceptor_.local_endpoint();
      ::connect(each->native_handle(), to.data(), static_cast<socklen_t>(to.size()));
    }
  }
  static boost::asio::ip::address address() { return boost::asio::ip::make_address("127.0.0.5"); }
  [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

 private:
  boost::asio::io_context context_;
  Tcp::acceptor acceptor_;
  std::array<std::unique_ptr<Tcp::socket>, 4> waiting_;
};

TEST_F(DialerTest, SilenceIsJoinedByTheNextAfterTheDelay) {
  Silent silent;
  boost::asio::io_context other;
  Tcp::acceptor next(other,
                     Tcp::endpoint(boost::asio::ip::make_address("127.0.0.6"), silent.port()));
  dial({"name.example", silent.port()}, addresses({"127.0.0.5", "127.0.0.6"}));
  run();
  ASSERT_EQ(times_, 1);
  ASSERT_TRUE(end_->socket.open());
  EXPECT_EQ(peer(), "127.0.0.6");
  EXPECT_GE(elapsed(), kAttemptDelay);
}

TEST_F(DialerTest, GivenUpTellsNothing) {
  Silent silent;
  dial({"name.example", silent.port()}, addresses({"127.0.0.5"}));
  context_.run_for(20ms);
  dialer_->give_up();
  run();
  EXPECT_EQ(times_, 0);
  EXPECT_LT(elapsed(), 5s);
}

}  // namespace
}  // namespace sagorder::io
