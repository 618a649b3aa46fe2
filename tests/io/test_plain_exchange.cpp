#include "io/plain_exchange.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/io/plain_server.hpp"
#include "tests/io/temporary_directory.hpp"

namespace sagorder::io {
namespace {

/// What came of one exchange.
struct Ended {
  int status = 0;
  std::string body;
  std::optional<Fault> fault;
  int calls = 0;
};

Ended exchange(std::uint16_t port, milliseconds answer_timeout = milliseconds(5'000),
               const std::string& host = "127.0.0.1") {
  boost::asio::io_context context;
  Ended ended;
  const auto made = std::make_shared<PlainExchange>(
      context, Endpoint{host, port}, Secret("GET / HTTP/1.1\r\nhost: x\r\n\r\n"),
      [&ended](const Reply* reply, const Fault* fault) {
        ++ended.calls;
        if (reply != nullptr) {
          ended.status = reply->status;
          ended.body = reply->body;
        } else {
          ended.fault = *fault;
        }
      });
  made->start(milliseconds(5'000), answer_timeout);
  context.run();
  EXPECT_EQ(ended.calls, 1);
  return ended;
}

Ended answered(const std::string& bytes) {
  const PlainServer server([&](const std::string&) { return bytes; });
  return exchange(server.port());
}

TEST(PlainExchange, GivesTheWholeAnswer) {
  const Ended ended = answered(http_answer(200, "a body"));
  EXPECT_EQ(ended.status, 200);
  EXPECT_EQ(ended.body, "a body");
  EXPECT_EQ(answered(http_answer(404, "")).status, 404);
}

TEST(PlainExchange, SendsWhatItWasGiven) {
  std::string seen;
  {
    const PlainServer server([&](const std::string& request) {
      seen = request;
      return http_answer(200, "");
    });
    EXPECT_EQ(exchange(server.port(), milliseconds(5'000), "localhost").status, 200);
  }
  EXPECT_EQ(seen, "GET / HTTP/1.1\r\nhost: x\r\n\r\n");
}

TEST(PlainExchange, AnswerThatIsNotWholeIsAFault) {
  const std::pair<std::string, FaultKind> cases[] = {
      {"HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\nhalf", FaultKind::closed},
      {"HTTP/1.1 200 X\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
       FaultKind::answer_malformed},
      {"no HTTP\r\n\r\n", FaultKind::answer_malformed},
      {"HTTP/1.1 200 X\r\nContent-Length: 1000000\r\n\r\n", FaultKind::answer_too_large},
  };
  for (const auto& [bytes, kind] : cases) {
    const Ended ended = answered(bytes);
    ASSERT_TRUE(ended.fault) << bytes;
    EXPECT_EQ(ended.fault->kind, kind) << bytes;
    EXPECT_GT(ended.fault->bytes_accepted, 0U);
    EXPECT_FALSE(ended.fault->detail.empty());
  }
}

TEST(PlainExchange, SilenceEndsWithTheDeadline) {
  const PlainServer server([](const std::string&) { return std::string(); });
  const Ended ended = exchange(server.port(), milliseconds(50));
  ASSERT_TRUE(ended.fault);
  EXPECT_EQ(ended.fault->kind, FaultKind::timed_out);
  EXPECT_TRUE(has(ended.fault->detail, "50 ms"));
}

TEST(PlainExchange, NobodyThereAcceptedNoByte) {
  std::uint16_t port = 0;
  {
    const PlainServer server([](const std::string&) { return std::string(); });
    port = server.port();
  }
  const Ended ended = exchange(port);
  ASSERT_TRUE(ended.fault);
  EXPECT_EQ(ended.fault->kind, FaultKind::connect_failed);
  EXPECT_EQ(ended.fault->bytes_accepted, 0U);
}

TEST(PlainExchange, CancelledSaysNothingMore) {
  const PlainServer server([](const std::string&) { return http_answer(200, ""); });
  boost::asio::io_context context;
  bool called = false;
  const auto made =
      std::make_shared<PlainExchange>(context, Endpoint{"127.0.0.1", server.port()}, Secret("x"),
                                      [&](const Reply*, const Fault*) { called = true; });
  made->start(milliseconds(5'000), milliseconds(5'000));
  made->cancel();
  context.run();
  EXPECT_FALSE(called);
}

}  // namespace
}  // namespace sagorder::io
