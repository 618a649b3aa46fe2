#include "io/proxy.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include "io/settings.hpp"

namespace sagorder::io {
namespace {

/// The complaint; empty: there was none.
std::string complaint_of(const std::string& url) {
  try {
    static_cast<void>(parse_proxy("HTTPS_PROXY", url));
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(Proxy, IsAHostAndAPort) {
  for (const char* const url :
       {"http://proxy.example:3128", "HTTP://Proxy.Example:3128/", "proxy.example:3128"}) {
    const Proxy proxy = parse_proxy("--proxy", url);
    EXPECT_EQ(proxy.at, (Endpoint{"proxy.example", 3128})) << url;
    EXPECT_TRUE(proxy.authorization.empty());
    EXPECT_EQ(proxy.source, "--proxy");
  }
  EXPECT_EQ(parse_proxy("", "http://[::1]:8080").at, (Endpoint{"::1", 8080}));
}

TEST(Proxy, PasswordsAreDecodedAndEncodedAsBasic) {
  // The example of RFC 7617, 2.
  EXPECT_EQ(parse_proxy("", "http://Aladdin:open%20sesame@p:1").authorization.reveal(),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  EXPECT_EQ(parse_proxy("", "http://u@p:1").authorization.reveal(), "Basic dTo=");
  EXPECT_EQ(parse_proxy("", "http://u:a:b%40c@p:1").authorization.reveal(), "Basic dTphOmJAYw==");
  // An @ that nobody encoded: the last one ends the password.
  EXPECT_EQ(parse_proxy("", "http://u:a:b@c@p:1").authorization.reveal(), "Basic dTphOmJAYw==");
}

TEST(Proxy, WhatIsNoneSaysSoWithoutItsPassword) {
  for (const char* const url :
       {"https://u:hidden@p:1", "socks5://u:hidden@p:1", "http://u:hidden@p", "http://u:hidden@:1",
        "http://u:hidden@p:0", "http://u:hidden@p:65536", "http://u:hidden@p:1/path",
        "http://u:hidden%2@p:1", "http://u%3a:hidden@p:1", "http://u:hidden@[::1]"}) {
    const std::string complaint = complaint_of(url);
    EXPECT_TRUE(complaint.starts_with("HTTPS_PROXY: ")) << url << " " << complaint;
    EXPECT_EQ(complaint.find("hidden"), std::string::npos) << complaint;
  }
}

TEST(NoProxy, CoversWhatItsEntriesName) {
  struct Case {
    const char* list;
    Endpoint endpoint;
    bool covered;
  };
  for (const auto& [list, endpoint, covered] :
       std::initializer_list<Case>{{"", {"a.example", 443}, false},
                                   {"*", {"a.example", 443}, true},
                                   {"*", {"::1", 443}, true},
                                   {"a.example", {"a.example", 443}, true},
                                   {"A.Example", {"a.example", 443}, true},
                                   {"a.example", {"b.a.example", 443}, true},
                                   {"a.example", {"ba.example", 443}, false},
                                   {".a.example", {"b.a.example", 443}, true},
                                   {".a.example", {"a.example", 443}, false},
                                   {"*.a.example", {"b.a.example", 443}, true},
                                   {"*.a.example", {"a.example", 443}, false},
                                   {"x, a.example y", {"a.example", 443}, true},
                                   {"x,,  y", {"a.example", 443}, false},
                                   {"a.example:8443", {"a.example", 8443}, true},
                                   {"a.example:8443", {"a.example", 443}, false},
                                   {"127.0.0.1", {"127.0.0.1", 443}, true},
                                   {"127.0.0.1:8443", {"127.0.0.1", 443}, false},
                                   {"127.0.0.1", {"127.0.0.11", 443}, false},
                                   {"0.0.1", {"127.0.0.1", 443}, false},
                                   {"10.0.0.0/8", {"10.255.1.2", 443}, true},
                                   {"10.0.0.0/8", {"11.0.0.0", 443}, false},
                                   {"10.1.0.0/9", {"10.127.255.255", 443}, true},
                                   {"10.1.0.0/9", {"10.128.0.0", 443}, false},
                                   {"0.0.0.0/0", {"192.0.2.1", 443}, true},
                                   {"0.0.0.0/0", {"::1", 443}, false},
                                   {"10.0.0.0/33", {"10.0.0.0", 443}, false},
                                   {"10.0.0.0/", {"10.0.0.0", 443}, false},
                                   {"10.0.0.0/8", {"a.example", 443}, false},
                                   {"::1", {"::1", 443}, true},
                                   {"[::1]", {"::1", 443}, true},
                                   {"[::1]:8443", {"::1", 8443}, true},
                                   {"[::1]:8443", {"::1", 443}, false},
                                   {"0:0:0:0:0:0:0:1", {"::1", 443}, true},
                                   {"fd00::/8", {"fdab::1", 443}, true},
                                   {"fd00::/8", {"fe80::1", 443}, false},
                                   {"[", {"a.example", 443}, false},
                                   {"/", {"a.example", 443}, false},
                                   {":", {"a.example", 443}, false}}) {
    EXPECT_EQ(NoProxy(list).covers(endpoint), covered) << list << " " << text_of(endpoint);
  }
}

/// Sets a variable while it lives.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  ~Variable() { ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

TEST(Proxy, IsTakenFromTheEnvironmentInEitherSpelling) {
  EXPECT_FALSE(proxy_of_environment().has_value());
  const Variable small("https_proxy", "http://p:1");
  EXPECT_EQ(proxy_of_environment()->at.host, "p");
  const Variable same("HTTPS_PROXY", "http://p:1");
  EXPECT_EQ(proxy_of_environment()->at.host, "p");
  const Variable hosts("no_proxy", "a.example");
  EXPECT_TRUE(no_proxy_of_environment().covers({"a.example", 443}));
  const Variable other("NO_PROXY", "b.example");
  EXPECT_THROW(no_proxy_of_environment(), UsageError);
  const Variable another("HTTPS_PROXY", "http://q:1");
  EXPECT_THROW(proxy_of_environment(), UsageError);
}

TEST(Proxy, AVariableThatIsSetToNothingIsNone) {
  const Variable none("HTTPS_PROXY", "");
  EXPECT_FALSE(proxy_of_environment().has_value());
}

}  // namespace
}  // namespace sagorder::io
