#include "io/pool.hpp"

#include <gtest/gtest.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/post.hpp>
#include <cstdlib>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>

#include "engine/expect.hpp"
#include "io/http_answer.hpp"
#include "tests/io/pool_client.hpp"
#include "tests/io/tls_server.hpp"

namespace sagorder::io {
namespace {

using namespace sagorder::io::testing;

void expect_reply(const Ending& ending, std::uint32_t id) {
  EXPECT_EQ(ending.times, 1);
  EXPECT_FALSE(ending.fault.has_value()) << ending.fault->detail;
  EXPECT_EQ(ending.status, 200);
  EXPECT_EQ(ending.body, "id=" + std::to_string(id));
}

/// Once, as this fault, with at least the whole request accepted by the kernel.
void expect_doubt(PoolClient& client, std::uint32_t id, FaultKind kind) {
  const Ending& ending = client.ending(id);
  EXPECT_EQ(ending.times, 1);
  ASSERT_TRUE(ending.fault.has_value());
  EXPECT_EQ(ending.fault->kind, kind) << ending.fault->detail;
  EXPECT_GT(ending.fault->bytes_accepted, client.wire_size(id));
  EXPECT_LT(ending.fault->bytes_accepted, client.wire_size(id) + 100);
}

/// Once, as this fault, with nothing accepted and nothing seen by the server.
void expect_not_sent(const Ending& ending, FaultKind kind) {
  EXPECT_EQ(ending.times, 1);
  ASSERT_TRUE(ending.fault.has_value());
  EXPECT_EQ(ending.fault->kind, kind) << ending.fault->detail;
  EXPECT_EQ(ending.fault->bytes_accepted, 0U);
  EXPECT_EQ(ending.fault->bytes_answered, 0U);
}

ServerWish scripted(std::function<void(Peer&)> script) {
  ServerWish wish;
  wish.script = std::move(script);
  return wish;
}

TEST(Pool, KeepsAConnectionForTheNextExchange) {
  TlsServer server;
  PoolClient client(options_of(4));
  for (std::uint32_t id = 1; id <= 10; ++id) expect_reply(client.exchange(id, at(server)), id);
  EXPECT_EQ(server.seen().accepted, 1);
  EXPECT_EQ(client.counters().connects, 1U);
  EXPECT_EQ(client.counters().reused, 9U);
  EXPECT_EQ(client.counters().discarded, 0U);
  EXPECT_GT(client.counters().bytes_written, 10 * client.wire_size(1));
  EXPECT_GT(client.counters().bytes_read, 10 * answer_of("id=1").size());
  EXPECT_FALSE(client.completed_within_send);
}

TEST(Pool, SpeaksTls12AndIpv6Too) {
  ServerWish wish;
  wish.version_max = TLS1_2_VERSION;
  TlsServer old_server(wish);
  wish.version_max = TLS1_3_VERSION;
  wish.ipv6 = true;
  TlsServer ipv6_server(wish);
  PoolClient client(options_of(4));
  expect_reply(client.exchange(1, at(old_server)), 1);
  expect_reply(client.exchange(2, at(old_server)), 2);
  expect_reply(client.exchange(3, at(ipv6_server, "::1")), 3);
}

TEST(Pool, ResolvesNames) {
  ServerWish wish;
  wish.identity = TrustedAuthority::get().issue({.alternatives = "DNS:localhost"});
  TlsServer server(wish);
  PoolClient client(options_of(1));
  expect_reply(client.exchange(1, at(server, "localhost")), 1);
  expect_not_sent(client.exchange(2, {"no-such-host.invalid", 443}), FaultKind::resolve_failed);
}

TEST(Pool, ThousandExchangesOverEightConnectionsArriveOnceEach) {
  TlsServer server;
  PoolClient client(options_of(8));
  constexpr std::uint32_t kCount = 1000;
  std::uint32_t next = 1;
  client.on_completion = [&](const Completion&) {
    if (next <= kCount) client.send(next++, at(server));
  };
  while (next <= 8) client.send(next++, at(server));
  ASSERT_TRUE(client.run_until([&] { return client.completions == kCount; }));
  for (std::uint32_t id = 1; id <= kCount; ++id) {
    expect_reply(client.ending(id), id);
    ASSERT_EQ(server.seen().times(id), 1);
  }
  EXPECT_LE(server.seen().accepted, 8);
  EXPECT_EQ(client.counters().reused + client.counters().connects, kCount);
}

TEST(Pool, AHeldRequestLeavesWhenToldAndNotBefore) {
  TlsServer server;
  PoolClient client(options_of(2));
  client.hold(1, at(server));
  EXPECT_EQ(client.connected.count(1), 0U) << "there is no connection yet";
  ASSERT_TRUE(client.run_until([&] { return client.connected.count(1) == 1; }));
  client.run_for(50ms);
  EXPECT_EQ(server.seen().times(1), 0);
  client.pool().go(7);  // no such one: nothing happens
  client.pool().go(1);
  client.pool().go(1);  // once is enough
  ASSERT_TRUE(client.run_until([&] { return client.ending(1).times > 0; }));
  EXPECT_EQ(client.ending(1).status, 200);

  client.hold(2, at(server));
  EXPECT_EQ(client.connected.count(2), 1U) << "the open connection is its at once";
  client.send(3, at(server));
  client.pool().go(2);
  ASSERT_TRUE(client.run_until([&] { return client.completions == 3; }));
  for (const std::uint32_t id : {1U, 2U, 3U}) EXPECT_EQ(server.seen().times(id), 1) << id;
  EXPECT_EQ(server.seen().accepted, 2) << "a held connection is nobody else's";
  EXPECT_EQ(client.counters().reused, 1U);
  EXPECT_FALSE(client.completed_within_send);
}

TEST(Pool, AHeldRequestThatIsLeftSendsNothingAndItsConnectionServesTheNext) {
  TlsServer server;
  PoolClient client(options_of(1));
  client.hold(1, at(server));
  ASSERT_TRUE(client.run_until([&] { return client.connected.count(1) == 1; }));
  client.pool().leave(1);
  client.pool().go(1);
  ASSERT_TRUE(client.run_until([&] { return client.ending(1).times > 0; }));
  ASSERT_TRUE(client.ending(1).fault);
  EXPECT_EQ(client.ending(1).fault->kind, FaultKind::cancelled);
  EXPECT_EQ(client.ending(1).fault->bytes_accepted, 0U);
  EXPECT_EQ(client.exchange(2, at(server)).status, 200);
  EXPECT_EQ(server.seen().times(1), 0);
  EXPECT_EQ(server.seen().accepted, 1);
}

TEST(Pool, AHeldRequestMayBeLeftWhileItConnects) {
  TlsServer server;
  PoolClient client(options_of(1));
  client.hold(1, at(server));
  client.pool().leave(1);
  ASSERT_TRUE(client.run_until([&] { return client.ending(1).times > 0; }));
  EXPECT_EQ(client.ending(1).fault->kind, FaultKind::cancelled);
  EXPECT_EQ(client.exchange(2, at(server)).status, 200);
  EXPECT_EQ(client.ending(1).times, 1);
  EXPECT_EQ(client.connected.count(1), 0U);
  EXPECT_EQ(server.seen().times(1), 0);
}

TEST(Pool, ClosingEndsWhatIsHeld) {
  TlsServer server;
  PoolClient client(options_of(2));
  client.hold(1, at(server));
  ASSERT_TRUE(client.run_until([&] { return client.connected.count(1) == 1; }));
  client.hold(2, at(server));
  client.close();
  client.pool().go(1);
  client.pool().leave(2);
  ASSERT_TRUE(client.run_until([&] { return client.completions == 2; }));
  client.run_for(20ms);
  for (const std::uint32_t id : {1U, 2U}) {
    EXPECT_EQ(client.ending(id).times, 1);
    EXPECT_EQ(client.ending(id).fault->kind, FaultKind::cancelled);
    EXPECT_EQ(client.ending(id).fault->bytes_accepted, 0U);
    EXPECT_EQ(server.seen().times(id), 0);
  }
}

TEST(Pool, AHeldConnectionThatGrewOldIsNotWrittenTo) {
  TlsServer server;
  PoolClient client(options_of(1, 5000ms, 5000ms, 100ms));
  client.hold(1, at(server));
  ASSERT_TRUE(client.run_until([&] { return client.connected.count(1) == 1; }));
  client.run_for(200ms);
  client.pool().go(1);
  ASSERT_TRUE(client.run_until([&] { return client.ending(1).times > 0; }));
  ASSERT_TRUE(client.ending(1).fault);
  EXPECT_EQ(client.ending(1).fault->kind, FaultKind::closed_before_write);
  EXPECT_EQ(client.exchange(2, at(server)).status, 200);
  EXPECT_EQ(server.seen().times(1), 0);
  EXPECT_EQ(server.seen().accepted, 2);
}

TEST(Pool, AHeldConnectionThatTheServerClosedCostsNotAByte) {
  TlsServer server;
  PoolClient client(options_of(1));
  client.hold(1, at(server));
  ASSERT_TRUE(client.run_until([&] { return client.connected.count(1) == 1; }));
  server.end_connections();
  client.run_for(50ms);
  EXPECT_EQ(client.ending(1).times, 0) << "nobody looked yet";
  client.pool().go(1);
  ASSERT_TRUE(client.run_until([&] { return client.ending(1).times > 0; }));
  ASSERT_TRUE(client.ending(1).fault);
  EXPECT_EQ(client.ending(1).fault->kind, FaultKind::closed_before_write);
  EXPECT_EQ(client.ending(1).fault->bytes_accepted, 0U);
}

TEST(Pool, ARetiredConnectionIsNotUsedAgain) {
  TlsServer server;
  PoolClient client(options_of(4));
  expect_reply(client.exchange(1, at(server)), 1);
  client.pool().retire(2);  // no connection's last exchange: nothing happens
  expect_reply(client.exchange(2, at(server)), 2);
  EXPECT_EQ(server.seen().accepted, 1);
  client.pool().retire(2);
  expect_reply(client.exchange(3, at(server)), 3);
  EXPECT_EQ(server.seen().accepted, 2);
  EXPECT_EQ(client.counters().connects, 2U);
}

TEST(Pool, OfTheConnectionsThatServedASlotTheLastIsRetired) {
  TlsServer server(scripted([](Peer& peer) {
    for (int served = 1; peer.read_request() != 0; ++served) {
      peer.write(answer_of("served=" + std::to_string(served)));
    }
  }));
  PoolClient client(options_of(2));
  std::uint32_t first = 0;
  client.on_completion = [&](const Completion& done) { first = first == 0 ? done.slot : first; };
  client.send(1, at(server));
  client.send(2, at(server));
  ASSERT_TRUE(client.run_until([&] { return client.completions == 2; }));
  client.send(first, at(server));  // on the other's connection, which was used last
  ASSERT_TRUE(client.run_until([&] { return client.completions == 3; }));
  ASSERT_EQ(client.ending(first).body, "served=2");
  client.pool().retire(first);
  EXPECT_EQ(client.exchange(3, at(server)).body, "served=2");
  EXPECT_EQ(client.counters().connects, 2U);
}

TEST(Pool, AConnectionThatWaitsForWordIsUsedByNobody) {
  TlsServer server;
  PoolOptions options = options_of(4, 5000ms, 5000ms, 500ms);
  options.wait_for_word = true;
  PoolClient client(options);
  expect_reply(client.exchange(1, at(server)), 1);
  expect_reply(client.exchange(2, at(server)), 2);
  EXPECT_EQ(client.counters().connects, 2U);
  client.run_for(700ms);  // it is not idle meanwhile, nor is it once the word has come
  EXPECT_EQ(server.seen().farewells, 0);

  client.pool().keep(1);
  expect_reply(client.exchange(3, at(server)), 3);
  EXPECT_EQ(client.counters().connects, 2U);
  EXPECT_EQ(client.counters().reused, 1U);

  client.pool().retire(3);
  EXPECT_TRUE(client.run_until([&] { return server.seen().farewells == 1; }));
  client.pool().keep(3);  // too late: nothing happens
  expect_reply(client.exchange(4, at(server)), 4);
  EXPECT_EQ(client.counters().connects, 3U);
  EXPECT_EQ(client.counters().reused, 1U);

  client.close();
  EXPECT_TRUE(client.run_until([&] { return server.seen().farewells == 3; }));
  client.pool().keep(4);  // likewise
}

TEST(Pool, AConnectionThatWaitsForWordLeavesRoomForTheOthers) {
  TlsServer one;
  TlsServer other;
  PoolOptions options = options_of(2);
  options.wait_for_word = true;
  PoolClient client(options);
  expect_reply(client.exchange(1, at(one)), 1);
  expect_reply(client.exchange(2, at(one)), 2);
  client.pool().keep(2);
  expect_reply(client.exchange(3, at(other)), 3);
  client.pool().keep(1);
  expect_reply(client.exchange(4, at(one)), 4);
  EXPECT_EQ(client.counters().connects, 3U);
  EXPECT_EQ(client.counters().reused, 1U);
}

TEST(Pool, LeasesTheConnectionUsedLastSoThatTheOthersGo) {
  TlsServer server;
  PoolClient client(options_of(4, 5000ms, 5000ms, 300ms));
  for (std::uint32_t id = 1; id <= 4; ++id) client.send(id, at(server));
  ASSERT_TRUE(client.run_until([&] { return client.completions == 4; }));
  ASSERT_EQ(server.seen().accepted, 4);
  // One exchange at a time needs one connection.
  for (std::uint32_t id = 5; id <= 24; ++id) {
    expect_reply(client.exchange(id, at(server)), id);
    client.run_for(30ms);
  }
  EXPECT_EQ(server.seen().accepted, 4);
  EXPECT_EQ(server.seen().farewells, 3);
}

TEST(Pool, AnAnswerCutAnywhereIsAFaultAndTheRequestArrivesOnce) {
  enum { kFin, kReset, kFarewell, kWays };
  const std::string answer = answer_of("{\"OrderId\":\"1\"}", "Date: now\r\n");
  std::atomic<std::size_t> cut{0};
  std::atomic<int> way{kFin};
  TlsServer server(scripted([&](Peer& peer) {
    if (peer.read_request() == 0) return;
    peer.write(answer.substr(0, cut));
    if (way == kReset) return peer.reset();
    if (way == kFarewell) peer.say_farewell();
    peer.close();
  }));
  PoolClient client(options_of(1));
  std::uint32_t id = 0;
  for (int each_way = kFin; each_way < kWays; ++each_way) {
    way = each_way;
    for (std::size_t size = 0; size < answer.size(); ++size) {
      cut = size;
      client.exchange(++id, at(server));
      const Ending& ending = client.ending(id);
      const FaultKind kind = ending.fault ? ending.fault->kind : FaultKind::cancelled;
      if (each_way == kReset) {
        EXPECT_TRUE(kind == FaultKind::reset || kind == FaultKind::closed);
      } else {
        EXPECT_EQ(kind, FaultKind::closed);
        EXPECT_EQ(ending.fault->bytes_answered, size);
      }
      expect_doubt(client, id, kind);
      ASSERT_EQ(server.seen().times(id), 1) << "way " << each_way << ", cut at " << size;
    }
  }
  EXPECT_EQ(server.seen().distinct(), id);
  EXPECT_EQ(client.counters().connects, id);
  EXPECT_EQ(client.counters().reused, 0U);
}

TEST(Pool, CountsTheBytesOfARecordThatNeverEnded) {
  std::atomic<std::size_t> cut{0};
  std::atomic<std::size_t> whole{1};
  TlsServer server(scripted([&](Peer& peer) {
    if (peer.read_request() == 0) return;
    whole = peer.write_first_bytes(answer_of("{\"OrderId\":\"1\"}"), cut);
    peer.close();
  }));
  PoolClient client(options_of(1));
  for (std::uint32_t id = 1; cut < whole; ++id, ++cut) {
    client.exchange(id, at(server));
    expect_doubt(client, id, FaultKind::closed);
    ASSERT_TRUE(client.ending(id).fault);
    EXPECT_EQ(client.ending(id).fault->bytes_answered, cut);
    ASSERT_EQ(server.seen().times(id), 1);
  }
  EXPECT_GT(whole, 50U);
}

TEST(Pool, NoAnswerEndsAtTheDeadline) {
  TlsServer server(scripted([](Peer& peer) {
    peer.read_request();
    peer.wait_for_end();
  }));
  PoolClient client(options_of(1, 200ms));
  const auto begin = std::chrono::steady_clock::now();
  client.exchange(1, at(server));
  const auto took = std::chrono::steady_clock::now() - begin;
  expect_doubt(client, 1, FaultKind::timed_out);
  EXPECT_EQ(client.ending(1).fault->bytes_answered, 0U);
  EXPECT_GE(took, 200ms);
  EXPECT_LT(took, 2s);
  EXPECT_EQ(server.seen().times(1), 1);
}

TEST(Pool, ASlowDripDoesNotOutlastTheDeadline) {
  TlsServer server(scripted([](Peer& peer) {
    if (peer.read_request() == 0) return;
    const std::string answer = answer_of(std::string(1000, 'x'));
    for (const char& byte : answer) {
      if (!peer.write(std::string_view(&byte, 1))) return;
      std::this_thread::sleep_for(10ms);
    }
  }));
  PoolClient client(options_of(1, 300ms));
  const auto begin = std::chrono::steady_clock::now();
  client.exchange(1, at(server));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s);
  expect_doubt(client, 1, FaultKind::timed_out);
  EXPECT_GT(client.ending(1).fault->bytes_answered, 1U);
}

/// Key updates that are ready to be sent: records that are no answer, made as fast as they can be
/// read.
std::string flood_of_key_updates(SSL* ssl, int count) {
  BIO* memory = BIO_new(BIO_s_mem());
  BIO_up_ref(memory);
  BIO* const socket = SSL_get_wbio(ssl);
  BIO_up_ref(socket);
  SSL_set0_wbio(ssl, memory);
  for (int i = 0; i < count; ++i) {
    SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
    SSL_do_handshake(ssl);
  }
  char* bytes = nullptr;
  const auto size = static_cast<std::size_t>(BIO_get_mem_data(memory, &bytes));
  std::string flood(bytes, size);
  SSL_set0_wbio(ssl, socket);
  BIO_free(memory);
  return flood;
}

TEST(Pool, AFloodLeavesOthersTheirTurn) {
  std::atomic<bool> flooding = false;
  TlsServer server(scripted([&](Peer& peer) {
    const std::string flood = flood_of_key_updates(peer.ssl(), 30'000);
    peer.read_request();
    flooding = true;
    peer.raw(flood);
    peer.write(answer_of("id=1"));
    peer.wait_for_end();
  }));
  PoolClient client(options_of(1, 60'000ms));
  client.send(1, at(server));
  using Clock = std::chrono::steady_clock;
  Clock::time_point begin;
  Clock::time_point last;
  Clock::duration longest{0};  // between two turns of others, while the flood was read
  const std::function<void()> take_turn = [&] {
    const auto now = Clock::now();
    if (begin == Clock::time_point()) {
      if (flooding) begin = last = now;
    } else {
      longest = std::max(longest, now - last);
      last = now;
    }
    if (client.ending(1).times == 0) boost::asio::post(client.context(), take_turn);
  };
  take_turn();
  ASSERT_TRUE(client.run_until([&] { return client.ending(1).times > 0; }));
  take_turn();
  expect_reply(client.ending(1), 1);
  // It is read in a dozen turns: one of them is a small part of them all.
  EXPECT_LT(longest, (last - begin) / 2);
}

TEST(Pool, AConnectionThatTimedOutIsNeverUsedAgain) {
  std::atomic<int> served{0};
  TlsServer server(scripted([&](Peer& peer) {
    while (const std::uint64_t id = peer.read_request()) {
      // The first answer comes late: on the same connection it would answer the second request.
      if (served++ == 0) std::this_thread::sleep_for(500ms);
      peer.write(answer_of("id=" + std::to_string(id)));
    }
  }));
  PoolClient client(options_of(1, 250ms));
  client.exchange(1, at(server));
  expect_doubt(client, 1, FaultKind::timed_out);
  expect_reply(client.exchange(2, at(server)), 2);
  EXPECT_EQ(server.seen().accepted, 2);
  EXPECT_EQ(server.seen().most(), 1);
}

struct BadAnswer {
  const char* what;
  std::string bytes;
  FaultKind kind;
};

TEST(Pool, AnAnswerThatCannotBeTrustedIsAFaultOfItsKind) {
  const std::vector<BadAnswer> answers = {
      {"both lengths",
       "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       FaultKind::answer_malformed},
      {"no HTTP", "220 smtp ready\r\n\r\n", FaultKind::answer_malformed},
      {"no end", "HTTP/1.1 200 OK\r\n\r\n{}", FaultKind::answer_malformed},
      {"large header", "HTTP/1.1 200 OK\r\nA: " + std::string(kAnswerHeaderBytesMax, 'x') + "\r\n",
       FaultKind::answer_too_large},
      {"large body", "HTTP/1.1 200 OK\r\nContent-Length: 262145\r\n\r\n",
       FaultKind::answer_too_large},
  };
  std::atomic<std::size_t> which{0};
  TlsServer server(scripted([&](Peer& peer) {
    if (peer.read_request() == 0) return;
    peer.write(answers[which].bytes);
    peer.wait_for_end();
  }));
  PoolClient client(options_of(1));
  for (std::uint32_t id = 1; id <= answers.size(); ++id) {
    which = id - 1;
    client.exchange(id, at(server));
    SCOPED_TRACE(answers[which].what);
    expect_doubt(client, id, answers[which].kind);
    EXPECT_GT(client.ending(id).fault->bytes_answered, 0U);
    EXPECT_EQ(server.seen().times(id), 1);
  }
  EXPECT_EQ(client.counters().connects, answers.size());
}

TEST(Pool, ReadsLargeAndChunkedAnswersWhole) {
  const std::string body(kAnswerBodyBytesMax, 'x');
  TlsServer server(scripted([&](Peer& peer) {
    if (peer.read_request() == 0) return;
    peer.write(answer_of(body));
    if (peer.read_request() == 0) return;
    peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nid=\r\n");
    std::this_thread::sleep_for(30ms);
    peer.write("1\r\n2\r\n0\r\n\r\n");
    peer.wait_for_end();
  }));
  PoolClient client(options_of(1));
  EXPECT_EQ(client.exchange(1, at(server)).body, body);
  expect_reply(client.exchange(2, at(server)), 2);
  EXPECT_EQ(client.counters().reused, 1U);
}

TEST(Pool, ConnectionCloseIsHeeded) {
  TlsServer server(scripted([](Peer& peer) {
    const std::uint64_t id = peer.read_request();
    peer.write(answer_of("id=" + std::to_string(id), "Connection: close\r\n"));
    peer.read_request();
  }));
  PoolClient client(options_of(1));
  for (std::uint32_t id = 1; id <= 3; ++id) expect_reply(client.exchange(id, at(server)), id);
  EXPECT_EQ(client.counters().connects, 3U);
  EXPECT_EQ(client.counters().discarded, 0U);
  EXPECT_TRUE(client.run_until([&] { return server.seen().farewells == 3; }));
}

TEST(Pool, ABodyThatEndsWithTheStreamNeedsTheFarewell) {
  std::atomic<bool> farewell{true};
  TlsServer server(scripted([&](Peer& peer) {
    const std::uint64_t id = peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nid=" + std::to_string(id));
    if (farewell) peer.say_farewell();
    peer.close();
  }));
  PoolClient client(options_of(1));
  expect_reply(client.exchange(1, at(server)), 1);
  farewell = false;
  client.exchange(2, at(server));
  expect_doubt(client, 2, FaultKind::closed);
}

TEST(Pool, BytesBehindTheAnswerEndTheConnectionAndNotTheAnswer) {
  std::atomic<bool> same_record{true};
  TlsServer server(scripted([&](Peer& peer) {
    while (const std::uint64_t id = peer.read_request()) {
      const std::string forged = answer_of("id=0");
      if (same_record) {
        peer.write(answer_of("id=" + std::to_string(id)) + forged);
      } else {
        peer.write(answer_of("id=" + std::to_string(id)));
        peer.write(forged);
      }
    }
  }));
  PoolClient client(options_of(1));
  expect_reply(client.exchange(1, at(server)), 1);
  expect_reply(client.exchange(2, at(server)), 2);
  same_record = false;
  expect_reply(client.exchange(3, at(server)), 3);
  client.run_for(50ms);
  expect_reply(client.exchange(4, at(server)), 4);
  EXPECT_EQ(client.counters().connects, 4U);
  EXPECT_EQ(server.seen().most(), 1);
}

TEST(Pool, BytesBeforeTheRequestAreNotItsAnswer) {
  ServerWish wish = scripted([](Peer& peer) {
    // The end of the handshake and the forged answer leave in one piece.
    int corked = 1;
    ::setsockopt(peer.fd(), IPPROTO_TCP, TCP_CORK, &corked, sizeof corked);
    if (!peer.shake()) return;
    peer.write(answer_of("id=1"));
    corked = 0;
    ::setsockopt(peer.fd(), IPPROTO_TCP, TCP_CORK, &corked, sizeof corked);
    peer.read_request();
  });
  wish.version_max = TLS1_2_VERSION;
  wish.handshake = false;
  TlsServer server(wish);
  PoolClient client(options_of(1));
  expect_not_sent(client.exchange(1, at(server)), FaultKind::unsolicited_bytes);
  client.run_for(20ms);
  EXPECT_EQ(server.seen().bytes(), 0U);
}

/// What a server does between two exchanges, and the second must find a fresh connection.
void expect_replaced(const std::function<void(Peer&)>& meanwhile) {
  std::atomic<int> connection{0};
  std::promise<void> answered;
  std::promise<void> done;
  TlsServer server(scripted([&](Peer& peer) {
    if (connection++ > 0) return answer_all(peer);
    const std::uint64_t id = peer.read_request();
    peer.write(answer_of("id=" + std::to_string(id)));
    answered.get_future().wait();
    meanwhile(peer);
    done.set_value();
    if (peer.fd() >= 0) peer.wait_for_end();
  }));
  PoolClient client(options_of(1));
  expect_reply(client.exchange(1, at(server)), 1);
  answered.set_value();
  done.get_future().wait();
  std::this_thread::sleep_for(20ms);
  expect_reply(client.exchange(2, at(server)), 2);
  EXPECT_EQ(client.counters().discarded, 1U);
  EXPECT_EQ(client.counters().connects, 2U);
  EXPECT_EQ(client.counters().reused, 0U);
  EXPECT_EQ(server.seen().times(1), 1);
  EXPECT_EQ(server.seen().times(2), 1);
}

TEST(Pool, AConnectionClosedWhileIdleIsReplacedSilently) {
  expect_replaced([](Peer& peer) { ::shutdown(peer.fd(), SHUT_WR); });
}
TEST(Pool, AConnectionWithAFarewellWhileIdleIsReplacedSilently) {
  expect_replaced([](Peer& peer) { peer.say_farewell(); });
}
TEST(Pool, AConnectionResetWhileIdleIsReplacedSilently) {
  expect_replaced([](Peer& peer) { peer.reset(); });
}
TEST(Pool, AConnectionWithUnsolicitedBytesIsReplacedSilently) {
  expect_replaced([](Peer& peer) { peer.write("HTTP/1.1 408 Request Timeout\r\n\r\n"); });
}
TEST(Pool, AConnectionWithHalfARecordIsReplacedSilently) {
  expect_replaced([](Peer& peer) { peer.write_first_bytes("HTTP/1.1 408", 7); });
}

/// The same for a second request that is sent from within the completion of the first: what comes
/// `behind` the answer in the same segment, or `meanwhile`, while that completion still runs.
void expect_replaced_at_once(const std::function<void(Peer&)>& behind,
                             const std::function<void(Peer&)>& meanwhile = {}) {
  const auto cork = [](Peer& peer, int corked) {
    ::setsockopt(peer.fd(), IPPROTO_TCP, TCP_CORK, &corked, sizeof corked);
  };
  std::atomic<int> connection{0};
  std::promise<void> answered;
  std::promise<void> done;
  TlsServer server(scripted([&](Peer& peer) {
    if (connection++ > 0) return answer_all(peer);
    const std::uint64_t id = peer.read_request();
    cork(peer, 1);
    peer.write(answer_of("id=" + std::to_string(id)));
    if (behind) behind(peer);
    cork(peer, 0);
    answered.get_future().wait();
    if (meanwhile) meanwhile(peer);
    done.set_value();
    if (peer.fd() >= 0) peer.read_request();
  }));
  PoolClient client(options_of(1));
  client.on_completion = [&](const Completion& completion) {
    if (completion.slot != 1) return;
    answered.set_value();
    done.get_future().wait();
    if (meanwhile) std::this_thread::sleep_for(5ms);
    client.send(2, at(server));
  };
  client.send(1, at(server));
  EXPECT_TRUE(client.run_until([&] { return client.ending(2).times > 0; }));
  expect_reply(client.ending(1), 1);
  expect_reply(client.ending(2), 2);
  EXPECT_EQ(client.counters().discarded, 1U);
  EXPECT_EQ(client.counters().connects, 2U);
  EXPECT_EQ(server.seen().times(2), 1);
}

TEST(Pool, AnEndRightBehindAnAnswerIsSeenBeforeTheNextRequest) {
  expect_replaced_at_once([](Peer& peer) { ::shutdown(peer.fd(), SHUT_WR); });
}
TEST(Pool, AFarewellRightBehindAnAnswerIsSeenBeforeTheNextRequest) {
  expect_replaced_at_once([](Peer& peer) { peer.say_farewell(); });
}
TEST(Pool, BytesRightBehindAnAnswerAreSeenBeforeTheNextRequest) {
  expect_replaced_at_once([](Peer& peer) { peer.write(answer_of("id=2")); });
}
TEST(Pool, HalfARecordRightBehindAnAnswerIsSeenBeforeTheNextRequest) {
  expect_replaced_at_once([](Peer& peer) { peer.write_first_bytes(answer_of("id=2"), 7); });
}
TEST(Pool, AnEndWhileAnAnswerIsJudgedIsSeenBeforeTheNextRequest) {
  expect_replaced_at_once({}, [](Peer& peer) { ::shutdown(peer.fd(), SHUT_WR); });
}
TEST(Pool, AResetWhileAnAnswerIsJudgedIsSeenBeforeTheNextRequest) {
  expect_replaced_at_once({}, [](Peer& peer) { peer.reset(); });
}
TEST(Pool, BytesWhileAnAnswerIsJudgedAreSeenBeforeTheNextRequest) {
  expect_replaced_at_once({}, [](Peer& peer) { peer.write(answer_of("id=2")); });
}
TEST(Pool, HalfARecordWhileAnAnswerIsJudgedIsSeenBeforeTheNextRequest) {
  expect_replaced_at_once({}, [](Peer& peer) { peer.write_first_bytes(answer_of("id=2"), 7); });
}

TEST(Pool, TicketsThatComeWhileIdleAreNoReasonToPart) {
  std::atomic<int> tickets{0};
  TlsServer server(scripted([&](Peer& peer) {
    while (const std::uint64_t id = peer.read_request()) {
      peer.write(answer_of("id=" + std::to_string(id)));
      peer.new_ticket();
      ++tickets;
    }
  }));
  PoolClient client(options_of(1));
  for (std::uint32_t id = 1; id <= 3; ++id) {
    expect_reply(client.exchange(id, at(server)), id);
    while (tickets < static_cast<int>(id)) std::this_thread::sleep_for(1ms);
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_EQ(client.counters().connects, 1U);
  EXPECT_EQ(client.counters().reused, 2U);
  EXPECT_EQ(client.counters().discarded, 0U);
}

TEST(Pool, IdleConnectionsCloseAndTheContextRunsDry) {
  TlsServer server;
  PoolClient client(options_of(2, 5000ms, 5000ms, 100ms));
  expect_reply(client.exchange(1, at(server)), 1);
  client.context().restart();
  const auto begin = std::chrono::steady_clock::now();
  client.context().run();  // returns when nothing is left to wait for
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s);
  EXPECT_TRUE(client.run_until([&] { return server.seen().farewells == 1; }));
  expect_reply(client.exchange(2, at(server)), 2);
  EXPECT_EQ(client.counters().connects, 2U);
}

TEST(Pool, OneConnectionServesTwoEndpointsInTurn) {
  TlsServer one;
  TlsServer other;
  PoolClient client(options_of(1));
  for (std::uint32_t id = 1; id <= 6; ++id) {
    expect_reply(client.exchange(id, at(id % 2 == 0 ? one : other)), id);
  }
  EXPECT_EQ(client.counters().connects, 6U);
  EXPECT_TRUE(client.run_until([&] { return one.seen().farewells + other.seen().farewells == 5; }));
}

TEST(Pool, AHandlerMayMakeTheConnectionOfItsReplyGiveWay) {
  TlsServer one;
  TlsServer other;
  PoolClient client(options_of(1));
  client.on_completion = [&](const Completion& done) {
    if (done.slot < 6) client.send(done.slot + 1, at(done.slot % 2 == 0 ? one : other));
  };
  client.send(1, at(one));
  ASSERT_TRUE(client.run_until([&] { return client.completions == 6; }));
  for (std::uint32_t id = 1; id <= 6; ++id) expect_reply(client.ending(id), id);
}

TEST(Pool, ARefusedPortIsAFaultWithoutAByte) {
  std::uint16_t port = 0;
  {
    TlsServer gone;
    port = gone.port();
  }
  PoolClient client(options_of(1));
  expect_not_sent(client.exchange(1, {"127.0.0.1", port}), FaultKind::connect_failed);
  EXPECT_NE(client.ending(1).fault->detail.find("127.0.0.1:" + std::to_string(port) + ": "),
            std::string::npos);
  expect_not_sent(client.exchange(2, {"::1", port}), FaultKind::connect_failed);
  EXPECT_EQ(client.ending(2).fault->detail.rfind("[::1]:", 0), 0U);
}

TEST(Pool, AHandshakeThatStallsEndsAtTheConnectDeadline) {
  ServerWish wish = scripted([](Peer& peer) { peer.wait_for_end(); });
  wish.handshake = false;
  TlsServer server(wish);
  PoolClient client(options_of(1, 5000ms, 200ms));
  const auto begin = std::chrono::steady_clock::now();
  expect_not_sent(client.exchange(1, at(server)), FaultKind::connect_timed_out);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s);
}

TEST(Pool, AConnectionThatEndsInTheHandshakeIsAFaultWithoutAByte) {
  std::atomic<bool> hard{false};
  ServerWish wish = scripted([&](Peer& peer) {
    if (hard) return peer.reset();
  });
  wish.handshake = false;
  TlsServer server(wish);
  PoolClient client(options_of(1));
  expect_not_sent(client.exchange(1, at(server)), FaultKind::tls_failed);
  hard = true;
  client.exchange(2, at(server));
  EXPECT_EQ(client.ending(2).fault->bytes_accepted, 0U);
}

TEST(Pool, CloseEndsWhatIsUnderWayOnceEach) {
  TlsServer server(scripted([](Peer& peer) {
    peer.read_request();
    peer.wait_for_end();
  }));
  ServerWish stalled_wish = scripted([](Peer& peer) { peer.wait_for_end(); });
  stalled_wish.handshake = false;
  TlsServer stalled(stalled_wish);
  TlsServer answering;
  PoolClient client(options_of(4));
  expect_reply(client.exchange(1, at(answering)), 1);
  client.send(2, at(server));
  client.send(3, at(stalled));
  ASSERT_TRUE(client.run_until([&] { return server.seen().times(2) == 1; }));
  client.send(4, at(stalled));  // not even begun

  client.close();
  EXPECT_FALSE(client.completed_within_send);
  EXPECT_EQ(client.completions, 1);
  client.context().restart();
  client.context().run();
  EXPECT_EQ(client.completions, 4);
  expect_doubt(client, 2, FaultKind::cancelled);
  expect_not_sent(client.ending(3), FaultKind::cancelled);
  expect_not_sent(client.ending(4), FaultKind::cancelled);
  expect_not_sent(client.exchange(5, at(answering)), FaultKind::cancelled);
  EXPECT_EQ(answering.seen().accepted, 1);
  EXPECT_EQ(server.seen().times(2), 1);
}

TEST(Pool, MayBeClosedOrDestroyedByItsHandler) {
  TlsServer server;
  {
    PoolClient client(options_of(2));
    client.on_completion = [&](const Completion& done) {
      if (done.slot == 1) client.close();
    };
    client.send(1, at(server));
    client.send(2, at(server));
    ASSERT_TRUE(client.run_until([&] { return client.completions == 2; }));
  }
  PoolClient client(options_of(2));
  client.on_completion = [&](const Completion&) { client.destroy_pool(); };
  client.send(1, at(server));
  client.send(2, at(server));
  ASSERT_TRUE(client.run_until([&] { return client.completions == 1; }));
  client.run_for(50ms);
  EXPECT_EQ(client.completions, 1);
}

TEST(Pool, DestroyedWithExchangesUnderWayItIsSilent) {
  TlsServer server(scripted([](Peer& peer) {
    peer.read_request();
    peer.wait_for_end();
  }));
  ServerWish stalled_wish = scripted([](Peer& peer) { peer.wait_for_end(); });
  stalled_wish.handshake = false;
  TlsServer stalled(stalled_wish);
  PoolClient client(options_of(3));
  client.send(1, at(server));
  client.send(2, at(stalled));
  client.send(3, at(stalled, "localhost"));
  ASSERT_TRUE(client.run_until([&] { return server.seen().times(1) == 1; }));
  client.destroy_pool();
  client.context().restart();
  client.context().run();
  EXPECT_EQ(client.completions, 0);
}

TEST(Pool, ARequestLargerThanTheSocketsBuffersIsWrittenOnceAndCounted) {
  // The server does not read for a while: the kernel takes a part, and the rest must wait.
  TlsServer server(scripted([](Peer& peer) {
    std::this_thread::sleep_for(100ms);
    if (peer.read_request() != 0) peer.write(answer_of("id=1"));
    peer.wait_for_end();
  }));
  boost::asio::io_context context;
  const TlsContext tls(TrustedAuthority::get().ca_file);
  int replies = 0;
  Pool pool(context, tls, options_of(1, patience()), [&](const Completion& done) {
    replies += done.reply != nullptr && done.reply->body == "id=1" ? 1 : 100;
  });
  std::string wire = request_of(1);
  wire.insert(wire.size() - 2, "X-Padding: " + std::string(12 << 20, 'p') + "\r\n");
  const Endpoint endpoint = at(server);
  pool.send(1, endpoint, wire);
  while (replies == 0) context.run_one();
  EXPECT_EQ(replies, 1);
  EXPECT_EQ(server.seen().bytes(), wire.size());
  EXPECT_GT(pool.counters().bytes_written, wire.size());
}

TEST(Pool, ARequestHalfAcceptedAtTheDeadlineIsDoubtAndNotFlushed) {
  std::promise<void> timed_out;
  TlsServer server(scripted([&](Peer& peer) {
    timed_out.get_future().wait();
    peer.read_request();
  }));
  boost::asio::io_context context;
  const TlsContext tls(TrustedAuthority::get().ca_file);
  std::optional<Fault> fault;
  Pool pool(context, tls, options_of(1, 300ms),
            [&](const Completion& done) { fault = *done.fault; });
  std::string wire = request_of(1);
  wire.insert(wire.size() - 2, "X-Padding: " + std::string(12 << 20, 'p') + "\r\n");
  const Endpoint endpoint = at(server);
  pool.send(1, endpoint, wire);
  while (!fault) context.run_one();
  timed_out.set_value();
  EXPECT_EQ(fault->kind, FaultKind::timed_out);
  EXPECT_GT(fault->bytes_accepted, 0U);
  EXPECT_LT(fault->bytes_accepted, wire.size());
  server.end_connections();
  EXPECT_EQ(server.seen().times(1), 0);
  EXPECT_LE(server.seen().bytes(), fault->bytes_accepted);
}

TEST(Pool, RefusesOptionsOutOfRange) {
  boost::asio::io_context context;
  const TlsContext tls(TrustedAuthority::get().ca_file);
  const auto make = [&](const PoolOptions& options) {
    Pool pool(context, tls, options, [](const Completion&) {});
  };
  EXPECT_THROW(make(options_of(0)), std::invalid_argument);
  EXPECT_THROW(make(options_of(4097)), std::invalid_argument);
  EXPECT_THROW(make(options_of(1, 0ms)), std::invalid_argument);
}

TEST(Pool, OneExchangeTooManyBreaksThePromise) {
  PoolClient client(options_of(1));
  client.send(1, {"127.0.0.1", 1});
  EXPECT_THROW(client.send(2, {"127.0.0.1", 1}), BrokenPromise);
}

TEST(Pool, AnExchangeCountsUntilTheWordOnItHasCome) {
  TlsServer server;
  PoolOptions options = options_of(1);
  options.wait_for_word = true;
  PoolClient client(options);
  client.exchange(1, at(server));
  EXPECT_THROW(client.send(2, at(server)), BrokenPromise);
}

}  // namespace
}  // namespace sagorder::io
