#include "io/tunnel.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>

namespace sagorder::io {
namespace {

using Progress = Tunnel::Progress;

/// A tunnel over a pair of sockets, whose other end the test holds as the proxy.
class TunnelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends_.data()), 0);
    wire_.fd = ends_[0];
  }
  void TearDown() override {
    for (const int end : ends_) ::close(end);
  }
  void begin(const std::string& url = "http://p:1", const Endpoint& to = {"a.example", 443}) {
    proxy_ = parse_proxy("", url);
    tunnel_.emplace(to, proxy_, wire_);
  }
  std::string asked() {
    std::array<char, 4096> bytes{};
    const ssize_t got = ::recv(ends_[1], bytes.data(), bytes.size(), 0);
    return {bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
  }
  void say(std::string_view bytes) { ::send(ends_[1], bytes.data(), bytes.size(), MSG_NOSIGNAL); }

  std::array<int, 2> ends_{};
  Wire wire_;
  Proxy proxy_;
  std::optional<Tunnel> tunnel_;
};

TEST_F(TunnelTest, AsksForTheHostAndItsPort) {
  begin();
  EXPECT_EQ(tunnel_->go_on(), Progress::waits);
  EXPECT_EQ(asked(), "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n");
  begin("http://u:p@p:1", {"::1", 8443});
  EXPECT_EQ(tunnel_->go_on(), Progress::waits);
  EXPECT_EQ(asked(),
            "CONNECT [::1]:8443 HTTP/1.1\r\nHost: [::1]:8443\r\n"
            "Proxy-Authorization: Basic dTpw\r\n\r\n");
}

TEST_F(TunnelTest, OpensAfterAnAnswerInPiecesOfAnySize) {
  const std::string answer = "HTTP/1.0 200 Connection established\r\nContent-Length: 5\r\n\r\n";
  for (std::size_t piece = 1; piece <= answer.size(); ++piece) {
    begin();
    for (std::size_t at = 0; at < answer.size(); at += piece) {
      ASSERT_EQ(tunnel_->go_on(), Progress::waits) << piece;
      say(answer.substr(at, piece));
    }
    ASSERT_EQ(tunnel_->go_on(), Progress::open) << piece;
    static_cast<void>(asked());
  }
}

TEST_F(TunnelTest, BytesAreCountedAndNoneIsTakenOfTheServers) {
  begin();
  EXPECT_EQ(tunnel_->go_on(), Progress::waits);
  const std::string request = asked();
  say("HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(tunnel_->go_on(), Progress::open);
  EXPECT_EQ(wire_.accepted, request.size());
  EXPECT_EQ(wire_.received, 19U);
  EXPECT_EQ(wire_.records.unfinished(), 0U);
}

TEST_F(TunnelTest, WhatElseAProxySaysEndsIt) {
  struct Case {
    const char* said;
    const char* words;
    FaultKind kind;
  };
  for (const auto& [said, words, kind] : std::initializer_list<Case>{
           {"HTTP/1.1 407 No\r\n\r\n", "wants a user and a password (407)",
            FaultKind::identity_refused},
           {"HTTP/1.1 401 No\r\n\r\n", "wants a user and a password (401)",
            FaultKind::identity_refused},
           {"HTTP/1.1 403 No\r\n\r\n", "does not allow connections to a.example:443 (403)",
            FaultKind::proxy_failed},
           {"HTTP/1.1 502 No\r\n\r\n<html>", "cannot reach a.example:443 (502)",
            FaultKind::proxy_failed},
           {"HTTP/1.1 302 No\r\n\r\n", "refuses to connect", FaultKind::proxy_failed},
           {"HTTP/1.1 100 Go\r\n\r\n", "refuses to connect", FaultKind::proxy_failed},
           {"HTTP/1.1 200 OK\r\n\r\nx", "bytes behind its answer", FaultKind::proxy_failed},
           {"HTTP/1.1 2000 OK\r\n\r\n", "is it a proxy?", FaultKind::proxy_failed},
           {"HTTP/1.1 20\r\n\r\n", "is it a proxy?", FaultKind::proxy_failed},
           {"HTTP/2 200\r\n\r\n", "is it a proxy?", FaultKind::proxy_failed},
           {"\r\n\r\n", "is it a proxy?", FaultKind::proxy_failed}}) {
    begin();
    ASSERT_EQ(tunnel_->go_on(), Progress::waits);
    static_cast<void>(asked());
    say(said);
    ASSERT_EQ(tunnel_->go_on(), Progress::failed) << said;
    EXPECT_EQ(tunnel_->kind(), kind) << said;
    EXPECT_EQ(tunnel_->why().find("the proxy p:1 "), 0U) << tunnel_->why();
    EXPECT_NE(tunnel_->why().find(words), std::string::npos) << tunnel_->why();
  }
}

TEST_F(TunnelTest, AnEndIsAFailure) {
  begin();
  ASSERT_EQ(tunnel_->go_on(), Progress::waits);
  say("HTTP/1.1 200 OK\r\n");
  ::shutdown(ends_[1], SHUT_WR);
  EXPECT_EQ(tunnel_->go_on(), Progress::failed);
  EXPECT_EQ(tunnel_->kind(), FaultKind::proxy_failed);
}

TEST_F(TunnelTest, AnAnswerHasALimit) {
  begin();
  ASSERT_EQ(tunnel_->go_on(), Progress::waits);
  say("HTTP/1.1 200 OK\r\nX: " + std::string(kTunnelAnswerMax, 'y'));
  EXPECT_EQ(tunnel_->go_on(), Progress::failed);
  EXPECT_NE(tunnel_->why().find("too great a length"), std::string::npos);
}

}  // namespace
}  // namespace sagorder::io
