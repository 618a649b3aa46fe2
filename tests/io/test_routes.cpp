#include "io/routes.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

namespace sagorder::io {
namespace {

const Endpoint kServer{"a.example", 443};

Settings settings_of(const std::string& proxy) {
  Settings settings;
  settings.proxy.none = proxy == "none";
  if (!settings.proxy.none) settings.proxy.url = proxy;
  return settings;
}

TEST(Routes, AreStraightUnlessSomethingIsSaid) {
  EXPECT_EQ(Routes::straight().proxy_for(kServer), nullptr);
  EXPECT_TRUE(Routes::straight().addresses_of(kServer).empty());
  EXPECT_EQ(find_routes(Settings{}).proxy_for(kServer), nullptr);
}

TEST(Routes, TheOptionStandsBeforeTheEnvironment) {
  ::setenv("HTTPS_PROXY", "http://environment:1", 1);
  ::setenv("NO_PROXY", "b.example", 1);
  const Routes by_environment = find_routes(Settings{});
  const Routes by_option = find_routes(settings_of("http://option:1"));
  const Routes none = find_routes(settings_of("none"));
  ::unsetenv("HTTPS_PROXY");
  ::unsetenv("NO_PROXY");
  ASSERT_NE(by_environment.proxy_for(kServer), nullptr);
  EXPECT_EQ(by_environment.proxy_for(kServer)->at.host, "environment");
  EXPECT_EQ(by_environment.proxy_for({"b.example", 443}), nullptr);
  ASSERT_NE(by_option.proxy_for({"b.example", 443}), nullptr);
  EXPECT_EQ(by_option.proxy_for({"b.example", 443})->at.host, "option");
  EXPECT_EQ(none.proxy_for(kServer), nullptr);
}

TEST(Routes, PinsAreForOneHostAndPort) {
  Settings settings;
  settings.pins = {{kServer, {"127.0.0.9", "::1"}}, {kServer, {"127.0.0.8"}}};
  const Routes routes = find_routes(settings);
  const auto addresses = routes.addresses_of(kServer);
  ASSERT_EQ(addresses.size(), 3U);
  EXPECT_EQ(addresses[0].to_string(), "127.0.0.9");
  EXPECT_EQ(addresses[1].to_string(), "::1");
  EXPECT_EQ(addresses[2].to_string(), "127.0.0.8");
  EXPECT_TRUE(routes.addresses_of({"a.example", 444}).empty());
  EXPECT_TRUE(routes.addresses_of({"b.a.example", 443}).empty());
}

}  // namespace
}  // namespace sagorder::io
