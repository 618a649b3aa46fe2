#include "engine/key_source.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace sagorder {
namespace {

std::string complaint(std::string_view uri) {
  try {
    parse_key_uri(uri);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return {};
}

TEST(KeyUri, IsTakenApart) {
  const KeyUri plain = parse_key_uri("http://127.0.0.1:8080/keys/mine?role=r");
  EXPECT_FALSE(plain.tls);
  EXPECT_EQ(plain.endpoint, (Endpoint{"127.0.0.1", 8080}));
  EXPECT_EQ(plain.target, "/keys/mine?role=r");
  const KeyUri tls = parse_key_uri("https://keys.example.com");
  EXPECT_TRUE(tls.tls);
  EXPECT_EQ(tls.endpoint, (Endpoint{"keys.example.com", 443}));
  EXPECT_EQ(tls.target, "/");
  EXPECT_EQ(parse_key_uri("http://localhost?a=b").target, "/?a=b");
  EXPECT_EQ(parse_key_uri("http://[::1]:81/x").endpoint, (Endpoint{"::1", 81}));
  EXPECT_EQ(parse_key_uri("http://localhost/").endpoint.port, 80);
}

TEST(KeyUri, PlainHttpStaysOnThisMachine) {
  for (const char* text : {"http://192.168.0.1/", "http://100.100.100.200/", "http://example.com/",
                           "http://127.example.com/", "http://1270.0.0.1/"}) {
    EXPECT_NE(complaint(text).find("https://"), std::string::npos) << text;
  }
  EXPECT_EQ(complaint("https://192.168.0.1/"), "");
}

TEST(KeyUri, WhatIsNoneIsRefused) {
  for (const char* text :
       {"", "ftp://localhost/", "localhost:80", "http://", "http:///x", "http://local host/",
        "http://localhost:0/", "http://localhost:65536/", "http://localhost:x/", "http://[::1",
        "http://[::1]x/", "http://user@localhost/", "http://localhost/#a", "http://localhost/\r\nx",
        "http://localhost/\xC3\xA4"}) {
    EXPECT_NE(complaint(text), "") << text;
  }
  EXPECT_NE(complaint("http://localhost/" + std::string(kKeyUriMax, 'x')), "");
}

TEST(Loopback, IsOneOfItsAddresses) {
  for (const char* host : {"127.0.0.1", "127.8.9.10", "::1", "[::1]", "localhost"}) {
    EXPECT_TRUE(is_loopback(host)) << host;
  }
  for (const char* host : {"", "10.0.0.1", "127.0.0.1.example.com", "127.1", "::2", "0.0.0.0"}) {
    EXPECT_FALSE(is_loopback(host)) << host;
  }
}

TEST(StsEndpoint, IsByRegion) {
  EXPECT_EQ(default_sts_endpoint().host, "sts.aliyuncs.com");
  EXPECT_EQ(default_sts_endpoint("cn-beijing").host, "sts.cn-beijing.aliyuncs.com");
  EXPECT_EQ(default_sts_endpoint("cn-beijing", true).host, "sts-vpc.cn-beijing.aliyuncs.com");
}

TEST(KeySource, IsKnownIfNothingHasToBeAsked) {
  KeySource source{"environment", AccessKey{"id", Secret("s"), Secret()}, {}, false};
  EXPECT_TRUE(source.is_known());
  source.roles.emplace_back();
  EXPECT_FALSE(source.is_known());
  source = {"instance", InstanceRole{}, {}, true};
  EXPECT_FALSE(source.is_known());
}

}  // namespace
}  // namespace sagorder
