#include "io/http_answer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace sagorder::io {
namespace {

using Progress = HttpAnswer::Progress;

/// Feeds in pieces of at most `piece` bytes, as long as more is needed.
Progress feed(HttpAnswer& answer, std::string_view bytes, std::size_t piece = 1 << 20) {
  Progress progress = Progress::need_more;
  while (!bytes.empty() && progress == Progress::need_more) {
    const std::span<char> room = answer.room();
    EXPECT_FALSE(room.empty());
    const std::size_t count = std::min({piece, room.size(), bytes.size()});
    std::memcpy(room.data(), bytes.data(), count);
    bytes.remove_prefix(count);
    progress = answer.take(count);
  }
  return progress;
}

Progress verdict_on(std::string_view bytes) {
  HttpAnswer answer;
  return feed(answer, bytes);
}

const std::string kUsual =
    "HTTP/1.1 403 Forbidden\r\nDate: Sun, 22 Nov 2026 21:44:13 GMT\r\n"
    "Content-Type: application/json;charset=utf-8\r\nContent-Length: 15\r\n"
    "X-ACS-Retry-After: 250\r\nx-ratelimit-user: Limit:100,Remain:3,TimeLeft:7\r\n"
    "X-RATELIMIT-USER-API: Limit:10,Remain:0,TimeLeft:9\r\n\r\n{\"Code\":\"Busy\"}";

void expect_usual(const HttpAnswer& answer) {
  const Reply reply = answer.reply();
  EXPECT_EQ(reply.status, 403);
  EXPECT_EQ(reply.body, "{\"Code\":\"Busy\"}");
  EXPECT_EQ(reply.date, "Sun, 22 Nov 2026 21:44:13 GMT");
  EXPECT_EQ(reply.content_type, "application/json;charset=utf-8");
  EXPECT_EQ(reply.retry_after, "250");
  EXPECT_EQ(reply.rate_limit_user, "Limit:100,Remain:3,TimeLeft:7");
  EXPECT_EQ(reply.rate_limit_user_api, "Limit:10,Remain:0,TimeLeft:9");
  EXPECT_FALSE(reply.surplus);
  EXPECT_TRUE(answer.keeps_alive());
}

TEST(HttpAnswer, GivesEveryPartOfAWholeAnswer) {
  HttpAnswer answer;
  ASSERT_EQ(feed(answer, kUsual), Progress::whole);
  expect_usual(answer);
}

TEST(HttpAnswer, IsTheSameInPiecesOfAnySize) {
  HttpAnswer answer;
  for (std::size_t piece = 1; piece <= kUsual.size(); ++piece) {
    answer.restart();
    ASSERT_EQ(feed(answer, kUsual, piece), Progress::whole) << piece;
    expect_usual(answer);
  }
}

TEST(HttpAnswer, NeedsMoreUntilItsLastByteWhereverItIsCut) {
  for (std::size_t size = 0; size < kUsual.size(); ++size) {
    HttpAnswer answer;
    EXPECT_EQ(feed(answer, kUsual.substr(0, size)), Progress::need_more) << size;
    EXPECT_FALSE(answer.take_end()) << size;
  }
}

TEST(HttpAnswer, RestartForgetsTheLastAnswer) {
  HttpAnswer answer;
  ASSERT_EQ(feed(answer, kUsual), Progress::whole);
  answer.restart();
  ASSERT_EQ(feed(answer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), Progress::whole);
  const Reply reply = answer.reply();
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "");
  EXPECT_EQ(reply.date, "");
  EXPECT_EQ(reply.content_type, "");
  EXPECT_EQ(reply.retry_after, "");
  EXPECT_EQ(reply.rate_limit_user, "");
  EXPECT_EQ(reply.rate_limit_user_api, "");
}

TEST(HttpAnswer, OfAHeaderSentTwiceTheFirstStays) {
  HttpAnswer answer;
  ASSERT_EQ(feed(answer,
                 "HTTP/1.1 200 OK\r\nDate:\r\nDate: b\r\nX-RateLimit-User: 1\r\n"
                 "x-ratelimit-user: 2\r\nContent-Length: 0\r\n\r\n"),
            Progress::whole);
  EXPECT_EQ(answer.reply().date, "");
  EXPECT_EQ(answer.reply().rate_limit_user, "1");
}

const std::string kChunked =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
    "4;note=x\r\nWiki\r\n6\r\npedia \r\n0\r\nDate: late\r\n\r\n";

TEST(HttpAnswer, JoinsChunksAndKeepsNoTrailer) {
  for (std::size_t piece = 1; piece <= kChunked.size(); ++piece) {
    HttpAnswer answer;
    ASSERT_EQ(feed(answer, kChunked, piece), Progress::whole) << piece;
    EXPECT_EQ(answer.reply().body, "Wikipedia ");
    EXPECT_EQ(answer.reply().date, "");
    EXPECT_TRUE(answer.keeps_alive());
  }
}

TEST(HttpAnswer, ACutChunkedAnswerIsNeverWhole) {
  for (std::size_t size = 0; size < kChunked.size(); ++size) {
    HttpAnswer answer;
    EXPECT_EQ(feed(answer, kChunked.substr(0, size)), Progress::need_more) << size;
    EXPECT_FALSE(answer.take_end()) << size;
  }
}

TEST(HttpAnswer, BothLengthsAreMalformedInEitherOrder) {
  for (const std::string coding : {"chunked", "identity", "gzip", "gzip, chunked"}) {
    EXPECT_EQ(verdict_on("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: " + coding +
                         "\r\n\r\n0\r\n\r\n"),
              Progress::malformed)
        << coding;
    EXPECT_EQ(verdict_on("HTTP/1.1 200 OK\r\nTransfer-Encoding: " + coding +
                         "\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
              Progress::malformed)
        << coding;
  }
}

TEST(HttpAnswer, RefusesWhatItCannotUnderstandForCertain) {
  const std::vector<std::string> malformed = {
      "SSH-2.0-OpenSSH_9.2\r\n\r\n",
      "<html>no HTTP</html>",
      "HTTP/2.0 200 OK\r\n\r\n",
      "HTTP/1.1 020 OK\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 2xx OK\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length:\r\n 5\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: b\r\n c\r\n\r\n",
      "HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n",
      "HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nConnection: close\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabXXXX",
      "HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
      "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
  };
  for (const std::string& bytes : malformed) {
    HttpAnswer answer;
    EXPECT_EQ(feed(answer, bytes), Progress::malformed) << bytes;
    EXPECT_NE(answer.complaint(), "") << bytes;
  }
}

TEST(HttpAnswer, AnEndWithoutLengthMustBeAnnounced) {
  EXPECT_EQ(verdict_on("HTTP/1.1 200 OK\r\n\r\n{\"OrderId\":1}"), Progress::malformed);

  HttpAnswer answer;
  ASSERT_EQ(feed(answer, "HTTP/1.1 200 OK\r\nConnection: Close\r\n\r\n{\"OrderId\":1}"),
            Progress::need_more);
  EXPECT_TRUE(answer.take_end());
  EXPECT_EQ(answer.reply().body, "{\"OrderId\":1}");
  EXPECT_FALSE(answer.keeps_alive());
}

TEST(HttpAnswer, SkipsInterimAnswersAndForgetsTheirHeaders) {
  HttpAnswer answer;
  ASSERT_EQ(feed(answer,
                 "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nDate: early\r\n"
                 "Connection: close\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
                 7),
            Progress::whole);
  EXPECT_EQ(answer.reply().status, 200);
  EXPECT_EQ(answer.reply().body, "ok");
  EXPECT_EQ(answer.reply().date, "");
  EXPECT_TRUE(answer.keeps_alive());
}

TEST(HttpAnswer, InterimAnswersHaveALimit) {
  const auto with_interims = [](int count) {
    std::string bytes;
    for (int i = 0; i < count; ++i) bytes += "HTTP/1.1 100 Continue\r\n\r\n";
    return verdict_on(bytes + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  };
  EXPECT_EQ(with_interims(kInterimAnswersMax), Progress::whole);
  EXPECT_EQ(with_interims(kInterimAnswersMax + 1), Progress::malformed);
}

TEST(HttpAnswer, TheHeaderHasALimitInPiecesOfAnySize) {
  const auto with_header_of = [](std::size_t size) {
    std::string bytes = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n";
    while (size - bytes.size() > 1100) bytes += "A: " + std::string(995, 'x') + "\r\n";
    bytes += "B: " + std::string(size - bytes.size() - 7, 'y') + "\r\n\r\n";
    EXPECT_EQ(bytes.size(), size);
    return bytes;
  };
  for (const std::size_t piece : {1UL, 100UL, 1460UL, 1UL << 20}) {
    HttpAnswer fits;
    EXPECT_EQ(feed(fits, with_header_of(kAnswerHeaderBytesMax), piece), Progress::whole) << piece;
    HttpAnswer too_large;
    EXPECT_EQ(feed(too_large, with_header_of(kAnswerHeaderBytesMax + 1), piece),
              Progress::too_large)
        << piece;
  }
}

TEST(HttpAnswer, AHeaderWithoutEndIsTooLarge) {
  EXPECT_EQ(verdict_on("HTTP/1.1 200 " + std::string(64 * 1024, 'x')), Progress::too_large);
  EXPECT_EQ(verdict_on("HTTP/1.1 200 OK\r\nA: " + std::string(64 * 1024, 'x')),
            Progress::too_large);
  std::string many = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 10'000; ++i) many += "A: b\r\n";
  EXPECT_EQ(verdict_on(many), Progress::too_large);
}

TEST(HttpAnswer, TheBodyHasALimitInEveryFraming) {
  const std::string fits(kAnswerBodyBytesMax, 'x');
  const std::string over = fits + "x";
  const auto by_length = [](const std::string& body) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  };
  const auto by_chunks = [](const std::string& body) {
    std::string bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (std::size_t at = 0; at < body.size(); at += 0x1000) {
      const std::string chunk = body.substr(at, 0x1000);
      bytes += (chunk.size() == 0x1000 ? "1000\r\n" : "1\r\n") + chunk + "\r\n";
    }
    return bytes + "0\r\n\r\n";
  };
  const std::string until_end = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
  EXPECT_EQ(verdict_on(by_length(fits)), Progress::whole);
  EXPECT_EQ(verdict_on(by_length(over)), Progress::too_large);
  EXPECT_EQ(verdict_on(by_chunks(fits)), Progress::whole);
  EXPECT_EQ(verdict_on(by_chunks(over)), Progress::too_large);
  EXPECT_EQ(verdict_on(until_end + fits), Progress::need_more);
  EXPECT_EQ(verdict_on(until_end + over), Progress::too_large);
}

TEST(HttpAnswer, FramingHasALimitOfItsOwn) {
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(verdict_on(chunked + "1;" + std::string(64 * 1024, 'x')), Progress::too_large);
  EXPECT_EQ(verdict_on(chunked + "0\r\nA: " + std::string(64 * 1024, 'x')), Progress::too_large);
  std::string tiny_chunks = chunked;
  for (int i = 0; i < 200'000; ++i) tiny_chunks += "1\r\nx\r\n";
  EXPECT_EQ(verdict_on(tiny_chunks), Progress::too_large);
}

TEST(HttpAnswer, SurplusLeavesTheAnswerAndIsTold) {
  HttpAnswer answer;
  ASSERT_EQ(feed(answer, kUsual + "H"), Progress::whole);
  EXPECT_EQ(answer.reply().body, "{\"Code\":\"Busy\"}");
  EXPECT_TRUE(answer.reply().surplus);
}

TEST(HttpAnswer, AStatusWithoutBodyHasNone) {
  HttpAnswer answer;
  ASSERT_EQ(feed(answer, "HTTP/1.1 204 No Content\r\n\r\n"), Progress::whole);
  EXPECT_EQ(answer.reply().status, 204);
  EXPECT_TRUE(answer.keeps_alive());
}

TEST(HttpAnswer, ConnectionCloseAndOldHttpEndTheStream) {
  for (const std::string head :
       {"HTTP/1.1 200 OK\r\nConnection: close\r\n", "HTTP/1.1 200 OK\r\nConnection: foo, CLOSE\r\n",
        "HTTP/1.0 200 OK\r\n"}) {
    HttpAnswer answer;
    ASSERT_EQ(feed(answer, head + "Content-Length: 2\r\n\r\nok"), Progress::whole);
    EXPECT_FALSE(answer.keeps_alive()) << head;
  }
}

TEST(HttpAnswer, BrokenBytesNeverCrashItOrPassItsLimits) {
  std::mt19937 chance(20261122);
  HttpAnswer answer;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = (round % 2 == 0 ? kUsual : kChunked);
    for (int edits = 1 + static_cast<int>(chance() % 4); edits > 0; --edits) {
      const std::size_t at = chance() % bytes.size();
      if (chance() % 3 == 0) {
        bytes.erase(at, 1 + chance() % 3);
      } else {
        bytes[at] = "\r\n\t :;,0f\xff"[chance() % 10];
      }
    }
    answer.restart();
    const Progress progress = feed(answer, bytes, 1 + chance() % 50);
    if (progress == Progress::whole) {
      EXPECT_GE(answer.reply().status, 200);
      EXPECT_LE(answer.reply().body.size(), bytes.size());
    }
  }
}

}  // namespace
}  // namespace sagorder::io
