#include "options.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace gateway {
namespace {

using namespace std::chrono_literals;

TEST(Options, Durations) {
  EXPECT_EQ(parse_duration("500us"), 500us);
  EXPECT_EQ(parse_duration("5ms"), 5ms);
  EXPECT_EQ(parse_duration("10s"), 10s);
  EXPECT_EQ(parse_duration("2m"), 2min);
  EXPECT_EQ(parse_duration("0"), 0us);
  EXPECT_EQ(parse_duration("-20m", true), -20min);
  for (const std::string_view bad : {"", "5", "ms", "5 ms", "-5ms", "5h", "5.5s", "99999999999s"})
    EXPECT_THROW(parse_duration(bad), std::invalid_argument) << bad;
  const DurationRange range = parse_duration_range("1ms-20ms");
  EXPECT_EQ(range.low, 1ms);
  EXPECT_EQ(range.high, 20ms);
  EXPECT_THROW(parse_duration_range("2ms-1ms"), std::invalid_argument);
}

TEST(Options, Quotas) {
  const auto is = [](std::string_view text, std::size_t calls, std::chrono::nanoseconds window) {
    const QuotaLimit quota = parse_quota(text);
    return quota.calls == calls && quota.window == window;
  };
  EXPECT_TRUE(is("20/s", 20, 1s));
  EXPECT_TRUE(is("200/60s", 200, 60s));
  EXPECT_TRUE(is("10/1m", 10, 60s));
  EXPECT_TRUE(is("7", 7, 1s));
  EXPECT_TRUE(is("unlimited", 0, 0s));
  for (const std::string_view bad : {"", "0/s", "x/s", "5/", "5/0s", "5/60", "-1/s"})
    EXPECT_THROW(parse_quota(bad), std::invalid_argument) << bad;
}

TEST(Options, Credentials) {
  EXPECT_EQ(parse_credential("a:b").token, "");
  const Credential sts = parse_credential("a:b:c:d/=");
  EXPECT_EQ(sts.id, "a");
  EXPECT_EQ(sts.secret, "b");
  EXPECT_EQ(sts.token, "c:d/=");
  for (const std::string_view bad : {"", "a", ":b", "a:", "a:b:"})
    EXPECT_THROW(parse_credential(bad), std::invalid_argument) << bad;
}

TEST(Options, LoopbackOnly) {
  Options options;
  parse_listen("[::1]:8443", options);
  EXPECT_EQ(options.listen_host, "::1");
  EXPECT_EQ(options.listen_port, 8443);
  parse_listen("localhost:0", options);
  EXPECT_EQ(options.listen_host, "127.0.0.1");
  for (const std::string_view bad :
       {"0.0.0.0:1", "[::]:1", "192.168.0.1:1", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536"})
    EXPECT_THROW(parse_listen(bad, options), std::invalid_argument) << bad;
}

}  // namespace
}  // namespace gateway
