#include "io/key_fetcher.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>

#include "tests/io/plain_server.hpp"
#include "tests/io/temporary_directory.hpp"

namespace sagorder::io {
namespace {

const std::string kKey = R"({"AccessKeyId":"STS.x","AccessKeySecret":"s","SecurityToken":"t",)"
                         R"("Expiration":"2099-01-01T00:00:00Z"})";

/// Gives every second question a key, to the others 503.
std::string now_and_then(int request) {
  return request % 2 == 0 ? http_answer(503, "") : http_answer(200, kKey);
}

KeySource uri(std::uint16_t port) {
  return {"URI", KeyUri{false, {"127.0.0.1", port}, "/k"}, {}, false};
}

KeySource instance(std::uint16_t port) {
  return {"instance", InstanceRole{"r", false, {"127.0.0.1", port}}, {}, true};
}

std::uint16_t nobodys_port() {
  const PlainServer server([](const std::string&) { return std::string(); });
  return server.port();
}

/// Anchors that trust nobody: nothing here is TLS.
struct KeyFetcherTest : testing::Test {
  KeyOutcome fetch(std::vector<KeySource>& sources) const {
    return fetch_key(tls, sources, Scheme::acs3_hmac_sha256);
  }
  TlsContext tls{""};
};

TEST_F(KeyFetcherTest, BringsTheKey) {
  const PlainServer server([](const std::string&) { return http_answer(200, kKey); });
  std::vector<KeySource> sources{uri(server.port())};
  const KeyOutcome outcome = fetch(sources);
  ASSERT_TRUE(outcome.key) << outcome.why;
  EXPECT_EQ(outcome.key->key.id, "STS.x");
  EXPECT_EQ(outcome.source, "URI");
}

TEST_F(KeyFetcherTest, WhoeverWaitsCanGiveUp) {
  std::atomic<bool> given_up = false;
  const PlainServer server([&](const std::string&) {
    // Not for ever: whoever does not look would be waited for.
    for (int ms = 0; ms < 10'000 && !given_up; ++ms) {
      std::this_thread::sleep_for(milliseconds(1));
    }
    return http_answer(200, kKey);
  });
  std::vector<KeySource> sources{uri(server.port())};
  int looks = 0;
  const auto give_up = [&] {
    if (++looks < 3) return;
    given_up = true;
    throw std::runtime_error("enough");
  };
  EXPECT_THROW(fetch_key(tls, sources, Scheme::acs3_hmac_sha256, Routes::straight(), give_up),
               std::runtime_error);
  EXPECT_EQ(looks, 3) << "it looked while the server thought";
}

TEST_F(KeyFetcherTest, GoesOnWhereNobodyIsThereAndStaysWithWhatItFound) {
  const PlainServer server([](const std::string&) { return http_answer(200, kKey); });
  std::vector<KeySource> sources{instance(nobodys_port()), uri(server.port())};
  const KeyOutcome outcome = fetch(sources);
  ASSERT_TRUE(outcome.key) << outcome.why;
  EXPECT_EQ(outcome.source, "URI");
  ASSERT_EQ(sources.size(), 1U) << "the next errand goes to the same place";
  EXPECT_EQ(sources[0].name, "URI");
}

TEST_F(KeyFetcherTest, DoesNotGoOnFromOneThatRefuses) {
  const PlainServer broken([](const std::string&) { return http_answer(404, ""); });
  const PlainServer server([](const std::string&) { return http_answer(200, kKey); });
  std::vector<KeySource> sources{instance(broken.port()), uri(server.port())};
  const KeyOutcome outcome = fetch(sources);
  EXPECT_FALSE(outcome.key);
  EXPECT_FALSE(outcome.absent);
  EXPECT_TRUE(has(outcome.why, "role r is not attached")) << outcome.why;
  EXPECT_EQ(server.requests(), 0);
}

TEST_F(KeyFetcherTest, NobodyAnywhereIsToldApart) {
  std::vector<KeySource> sources{instance(nobodys_port())};
  const KeyOutcome outcome = fetch(sources);
  EXPECT_FALSE(outcome.key);
  EXPECT_TRUE(outcome.absent);
  EXPECT_TRUE(has(outcome.why, "metadata service at 127.0.0.1")) << outcome.why;
}

TEST_F(KeyFetcherTest, AsksAgainWhatMayPass) {
  int request = -1;
  const PlainServer server([&](const std::string&) { return now_and_then(++request); });
  std::vector<KeySource> sources{uri(server.port())};
  EXPECT_TRUE(fetch(sources).key);
  EXPECT_EQ(server.requests(), 2);
  const PlainServer refusing([](const std::string&) { return http_answer(403, ""); });
  std::vector<KeySource> final_one{uri(refusing.port())};
  EXPECT_FALSE(fetch(final_one).key);
  EXPECT_EQ(refusing.requests(), 1);
}

TEST_F(KeyFetcherTest, OidcTokenThatIsNotThereIsNamed) {
  const TemporaryDirectory folder;
  const std::string path = folder / "token";
  OidcRole role{"p", path, {"acs:ram::1:role/r", "s", 900, "", "", {"127.0.0.1", 1}}};
  std::vector<KeySource> sources{{"OIDC", role, {}, false}};
  EXPECT_TRUE(has(fetch(sources).why, path)) << fetch(sources).why;
  put(path, " \n");
  EXPECT_TRUE(has(fetch(sources).why, "is empty")) << fetch(sources).why;
}

TEST_F(KeyFetcherTest, CancelledSaysNothingMore) {
  const PlainServer server([](const std::string&) { return http_answer(200, kKey); });
  boost::asio::io_context context;
  bool called = false;
  KeyFetcher fetcher(context, tls, {uri(server.port())}, Scheme::acs3_hmac_sha256);
  fetcher.fetch([&](const KeyOutcome&) { called = true; });
  context.run_one();  // it has begun
  fetcher.cancel();
  context.run();
  EXPECT_FALSE(called);
}

TEST_F(KeyFetcherTest, MayBeAskedAgain) {
  const PlainServer server([](const std::string&) { return http_answer(200, kKey); });
  boost::asio::io_context context;
  int keys = 0;
  KeyFetcher fetcher(context, tls, {uri(server.port())}, Scheme::acs3_hmac_sha256);
  for (int errand = 0; errand < 3; ++errand) {
    fetcher.fetch([&](const KeyOutcome& outcome) { keys += outcome.key ? 1 : 0; });
    context.restart();
    context.run();
  }
  EXPECT_EQ(keys, 3);
}

}  // namespace
}  // namespace sagorder::io
