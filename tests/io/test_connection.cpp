#include "io/connection.hpp"

#include <gtest/gtest.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "tests/io/tls_server.hpp"

namespace sagorder::io {
namespace {

using namespace sagorder::io::testing;
using namespace std::chrono_literals;

std::vector<unsigned char> record_of(std::size_t size) {
  std::vector<unsigned char> bytes(5 + size, 'x');
  bytes[0] = 23;
  bytes[1] = bytes[2] = 3;
  bytes[3] = static_cast<unsigned char>(size >> 8);
  bytes[4] = static_cast<unsigned char>(size & 0xff);
  return bytes;
}

TEST(RecordFollower, StandsInsideARecordUntilItsLastByte) {
  for (const std::size_t size : {0UL, 1UL, 4UL, 5UL, 300UL, 16'640UL}) {
    const std::vector<unsigned char> bytes = record_of(size);
    RecordFollower follower;
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      ASSERT_EQ(follower.unfinished(), at);
      follower.see(std::span(bytes).subspan(at, 1));
    }
    EXPECT_EQ(follower.unfinished(), 0U) << size;
  }
}

TEST(RecordFollower, SeesTheSameInPiecesOfAnySize) {
  std::vector<unsigned char> bytes;
  for (const std::size_t size : {7UL, 0UL, 600UL, 1UL}) {
    const std::vector<unsigned char> record = record_of(size);
    bytes.insert(bytes.end(), record.begin(), record.end());
  }
  const std::vector<unsigned char> last = record_of(50);
  bytes.insert(bytes.end(), last.begin(), last.begin() + 30);
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    RecordFollower follower;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      follower.see(std::span(bytes).subspan(at, std::min(piece, bytes.size() - at)));
    }
    EXPECT_EQ(follower.unfinished(), 30U) << piece;
  }
}

TEST(Wire, IsDrainedByAReceiveThatGetsLessThanItAskedFor) {
  int pair[2] = {-1, -1};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
  const Fd here(pair[0]);
  const Fd there(pair[1]);
  Wire wire;
  wire.fd = here.get();
  wire.pause_at = 1000;
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(new_counting_bio(wire), &BIO_free);
  std::array<char, 8> bytes{};
  const auto receive = [&](int size) { return BIO_read(bio.get(), bytes.data(), size); };
  ASSERT_EQ(::write(there.get(), "12345678", 8), 8);
  EXPECT_EQ(receive(3), 3);
  EXPECT_FALSE(wire.drained);
  EXPECT_EQ(receive(5), 5);
  EXPECT_FALSE(wire.drained) << "there could be more";
  ASSERT_EQ(::write(there.get(), "9", 1), 1);
  EXPECT_EQ(receive(8), 1);
  EXPECT_TRUE(wire.drained);
  EXPECT_LE(receive(8), 0);
  EXPECT_FALSE(wire.drained) << "nothing was got at all";
}

/// Drives one connection by hand.
class ConnectionTest : public ::testing::Test, public Connection::Owner {
 protected:
  void connected(Connection& /*connection*/) override { ++connected_; }
  void finished(Connection&, const Reply* reply, const Fault* fault) override {
    ++finished_;
    if (reply != nullptr) body_ = reply->body;
    if (fault != nullptr) fault_ = *fault;
  }

  std::shared_ptr<Connection> connect(const TlsServer& server) {
    auto connection = std::make_shared<Connection>(context_, readiness_, tls_,
                                                   Endpoint{"127.0.0.1", server.port()}, *this);
    wire_ = request_of(1);
    connection->open(exchange_of(wire_), std::chrono::steady_clock::now() + 5s);
    return connection;
  }

  static Exchange exchange_of(std::string_view wire) {
    return {.slot = 7, .wire = wire, .answer_by = std::chrono::steady_clock::now() + 5s};
  }

  void run_until_finished(int times) {
    const auto limit = std::chrono::steady_clock::now() + 5s;
    while (finished_ < times && std::chrono::steady_clock::now() < limit) {
      if (context_.stopped()) context_.restart();
      context_.run_one_for(10ms);
    }
    ASSERT_EQ(finished_, times);
  }

  boost::asio::io_context context_;
  std::shared_ptr<Readiness> readiness_ = std::make_shared<Readiness>(context_);
  TlsContext tls_{TrustedAuthority::get().ca_file};
  std::string wire_;
  int finished_ = 0;
  int connected_ = 0;
  std::string body_;
  std::optional<Fault> fault_;
};

TEST_F(ConnectionTest, GoesThroughItsPhases) {
  TlsServer server;
  const auto connection = connect(server);
  EXPECT_EQ(connection->phase(), Connection::Phase::connecting);
  EXPECT_TRUE(connection->busy());
  run_until_finished(1);
  EXPECT_EQ(body_, "id=1");
  EXPECT_EQ(connection->phase(), Connection::Phase::idle);
  EXPECT_TRUE(connection->still_good(std::chrono::steady_clock::now()));
  wire_ = request_of(2);
  EXPECT_FALSE(connection->exchange(exchange_of(wire_)).has_value());
  EXPECT_EQ(connection->phase(), Connection::Phase::reading);
  run_until_finished(2);
  EXPECT_EQ(body_, "id=2");
  const Traffic traffic = connection->take_traffic();
  EXPECT_GT(traffic.written, 2 * wire_.size());
  EXPECT_EQ(connection->take_traffic().written, 0U);
  connection->close();
  EXPECT_EQ(connection->phase(), Connection::Phase::closed);
  EXPECT_FALSE(connection->still_good(std::chrono::steady_clock::now()));
}

TEST_F(ConnectionTest, AWriteOfWhichNothingWasAcceptedSaysSo) {
  std::promise<void> answered;
  std::promise<void> done;
  ServerWish wish;
  wish.script = [&](Peer& peer) {
    if (peer.read_request() == 1) peer.write(answer_of("id=1"));
    answered.get_future().wait();
    peer.reset();
    done.set_value();
  };
  TlsServer server(wish);
  const auto connection = connect(server);
  run_until_finished(1);
  ASSERT_EQ(connection->phase(), Connection::Phase::idle);
  answered.set_value();
  done.get_future().wait();
  std::this_thread::sleep_for(20ms);
  // No look before: as if the reset had come between the look and the write.
  wire_ = request_of(2);
  const std::optional<Fault> fault = connection->exchange(exchange_of(wire_));
  ASSERT_TRUE(fault.has_value());
  EXPECT_EQ(fault->kind, FaultKind::closed_before_write);
  EXPECT_EQ(fault->bytes_accepted, 0U);
  EXPECT_EQ(connection->phase(), Connection::Phase::closed);
  context_.restart();
  context_.run();
  EXPECT_EQ(finished_, 1);
  EXPECT_EQ(server.seen().times(2), 0);
}

TEST_F(ConnectionTest, AWriteIntoAClosedConnectionIsDoubt) {
  std::promise<void> answered;
  std::promise<void> done;
  ServerWish wish;
  wish.script = [&](Peer& peer) {
    if (peer.read_request() == 1) peer.write(answer_of("id=1"));
    answered.get_future().wait();
    peer.say_farewell();
    ::shutdown(peer.fd(), SHUT_WR);
    done.set_value();
    peer.read_request();
  };
  TlsServer server(wish);
  const auto connection = connect(server);
  run_until_finished(1);
  ASSERT_EQ(connection->phase(), Connection::Phase::idle);
  answered.set_value();
  done.get_future().wait();
  std::this_thread::sleep_for(20ms);
  // Half closed: the kernel takes the request, and the server may even read it.
  wire_ = request_of(2);
  EXPECT_FALSE(connection->exchange(exchange_of(wire_)).has_value());
  run_until_finished(2);
  ASSERT_TRUE(fault_.has_value());
  EXPECT_EQ(fault_->kind, FaultKind::closed);
  EXPECT_GT(fault_->bytes_accepted, wire_.size());
}

TEST_F(ConnectionTest, WhatWasNotAcceptedIsNotFlushedAfterTheFault) {
  std::promise<void> stopped;
  std::promise<void> drained;
  ServerWish wish;
  wish.script = [&](Peer& peer) {
    if (peer.read_request() == 1) peer.write(answer_of("id=1"));
    stopped.get_future().wait();
    char buffer[65536];
    for (ssize_t count = 1; count > 0;) {
      std::this_thread::sleep_for(10ms);
      while ((count = ::recv(peer.fd(), buffer, sizeof buffer, MSG_DONTWAIT)) > 0) {
      }
    }
    drained.set_value();
    peer.wait_for_end();
  };
  TlsServer server(wish);
  const auto connection = connect(server);
  run_until_finished(1);
  static_cast<void>(connection->take_traffic());
  const std::string large(12 << 20, 'p');
  ASSERT_FALSE(connection->exchange(exchange_of(large)).has_value());
  ASSERT_EQ(connection->phase(), Connection::Phase::writing);
  stopped.set_value();
  drained.get_future().wait();
  // Now the kernel would take more.
  const Fault fault = connection->abandon();
  EXPECT_GT(fault.bytes_accepted, 0U);
  EXPECT_LT(fault.bytes_accepted, large.size());
  EXPECT_EQ(connection->take_traffic().written, fault.bytes_accepted);
}

TEST_F(ConnectionTest, GarbledRecordsAreBytesOfAnAnswer) {
  ServerWish wish;
  wish.script = [](Peer& peer) {
    peer.read_request();
    peer.raw(std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'x'));
    peer.wait_for_end();
  };
  TlsServer server(wish);
  const auto connection = connect(server);
  run_until_finished(1);
  ASSERT_TRUE(fault_.has_value());
  EXPECT_EQ(fault_->kind, FaultKind::answer_malformed);
  EXPECT_GE(fault_->bytes_answered, 37U);
}

TEST_F(ConnectionTest, AbandonTellsNobodyElse) {
  ServerWish wish;
  wish.script = [](Peer& peer) {
    peer.read_request();
    peer.wait_for_end();
  };
  TlsServer server(wish);
  const auto connection = connect(server);
  while (connection->phase() != Connection::Phase::reading) context_.run_one();
  const Fault fault = connection->abandon();
  EXPECT_EQ(fault.kind, FaultKind::cancelled);
  EXPECT_GT(fault.bytes_accepted, wire_.size());
  context_.run();
  EXPECT_EQ(finished_, 0);
}

TEST_F(ConnectionTest, TriesEveryAddressOfAName) {
  // localhost is ::1 first where it is in the hosts file; the server listens on IPv4 alone.
  ServerWish wish;
  wish.identity = TrustedAuthority::get().issue({.alternatives = "DNS:localhost"});
  TlsServer server(wish);
  auto connection = std::make_shared<Connection>(context_, readiness_, tls_,
                                                 Endpoint{"localhost", server.port()}, *this);
  wire_ = request_of(1);
  connection->open(exchange_of(wire_), std::chrono::steady_clock::now() + 5s);
  run_until_finished(1);
  EXPECT_EQ(body_, "id=1");
  connection->close();
}

}  // namespace
}  // namespace sagorder::io
