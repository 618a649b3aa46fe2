#include <gtest/gtest.h>

#include <string>

#include "requests.hpp"

namespace gateway {
namespace {

using testing::Parsed;

TEST(Http, AWholeRequest) {
  const Parsed parsed(
      "POST /?a=1&b=2 HTTP/1.1\r\nHOST:  localhost:1 \r\nX-Acs-Date: now\r\n"
      "Content-Length: 3\r\n\r\nabcNEXT");
  ASSERT_EQ(parsed.outcome, Parse::complete);
  EXPECT_EQ(parsed.request.method, "POST");
  EXPECT_EQ(parsed.request.path, "/");
  EXPECT_EQ(parsed.request.query, "a=1&b=2");
  EXPECT_EQ(parsed.request.value("host"), "localhost:1");
  EXPECT_EQ(parsed.request.value("x-acs-date"), "now");
  EXPECT_EQ(parsed.request.body, "abc");
  EXPECT_TRUE(parsed.request.keep_alive);
  EXPECT_EQ(parsed.bytes.substr(parsed.parser.consumed()), "NEXT");
}

TEST(Http, EveryPrefixNeedsMore) {
  for (const std::string& whole :
       {std::string("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"),
        std::string("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n")}) {
    for (std::size_t cut = 0; cut < whole.size(); ++cut)
      EXPECT_EQ(Parsed(whole.substr(0, cut)).outcome, Parse::need_more) << cut;
    const Parsed parsed(whole);
    ASSERT_EQ(parsed.outcome, Parse::complete);
    EXPECT_EQ(parsed.request.body, "abc");
    EXPECT_EQ(parsed.parser.consumed(), whole.size());
  }
}

TEST(Http, KeepAlive) {
  EXPECT_FALSE(Parsed("GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n").request.keep_alive);
  EXPECT_FALSE(Parsed("GET / HTTP/1.0\r\n\r\n").request.keep_alive);
  EXPECT_TRUE(Parsed("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").request.keep_alive);
}

TEST(Http, WhatIsAmbiguousIsRefused) {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\n";
  const std::pair<std::string, int> bad[] = {
      {"\r\n\r\n", 400},
      {"GET /\r\n\r\n", 400},
      {"G ET / HTTP/1.1\r\n\r\n", 400},
      {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
      {head + "Name : v\r\n\r\n", 400},
      {head + " folded\r\n\r\n", 400},
      {head + ": v\r\n\r\n", 400},
      {head + "Name: a\x01z\r\n\r\n", 400},
      {head + "Name: a\nOther: b\r\n\r\n", 400},
      {head + "Content-Length: -1\r\n\r\n", 400},
      {head + "Content-Length: 1x\r\n\r\n", 400},
      {head + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
      {head + "Content-Length: 99999999999999999999999\r\n\r\n", 400},
      {head + "Content-Length: 65537\r\n\r\n", 413},
      {head + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {head + "Transfer-Encoding: gzip\r\n\r\n", 501},
      {head + "Expect: 100-continue\r\n\r\n", 417},
      {head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
      {head + "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", 400},
      {head + "Transfer-Encoding: chunked\r\n\r\n10001\r\n", 413},
      {head + "Transfer-Encoding: chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n", 400},
      {head + "X: " + std::string(kHeaderBytesMax, 'x'), 431},
  };
  for (const auto& [bytes, status] : bad) {
    const Parsed parsed(bytes);
    EXPECT_EQ(parsed.outcome, Parse::bad) << bytes.substr(0, 200);
    EXPECT_EQ(parsed.parser.status(), status) << bytes.substr(0, 200);
    EXPECT_FALSE(parsed.parser.complaint().empty());
  }
}

TEST(Http, HeaderCountHasALimit) {
  std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (std::size_t i = 1; i < kHeaderCountMax; ++i) bytes += "a: b\r\n";
  EXPECT_EQ(Parsed(bytes + "\r\n").outcome, Parse::complete);
  EXPECT_EQ(Parsed(bytes + "a: b\r\n\r\n").outcome, Parse::bad);
}

TEST(Http, RandomBytesNeverCrashIt) {
  Chance chance(7);
  const std::string good =
      "POST /?a=1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = good;
    for (int change = 0; change < 3; ++change)
      bytes[chance.between(0, bytes.size() - 1)] = static_cast<char>(chance.next());
    const Parsed parsed(bytes);
    if (parsed.outcome == Parse::complete) {
      EXPECT_LE(parsed.parser.consumed(), bytes.size());
    }
  }
}

}  // namespace
}  // namespace gateway
