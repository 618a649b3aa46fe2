#include "io/setting_values.hpp"

#include <gtest/gtest.h>

#include <map>
#include <stdexcept>

#include "io/arguments.hpp"

namespace sagorder::io {
namespace {

using Texts = std::vector<std::string>;

Settings shown(const std::vector<std::string>& more) {
  std::vector<const char*> argv{"sagorder", "config", "show"};
  for (const std::string& argument : more) argv.push_back(argument.c_str());
  return std::get<Settings>(parse_settings(static_cast<int>(argv.size()), argv.data()));
}

std::vector<OptionEntry> keys() {
  static const Manual manual = program_manual();
  std::vector<OptionEntry> found;
  for (const OptionEntry& option : manual.command("config")->options) {
    if (option.configurable) found.push_back(option);
  }
  return found;
}

/// Something that is no default, for every key there is.
const std::map<std::string, Texts> kOthers = {{"set", {"Period=12", "AutoPay=true"}},
                                              {"carry", {"A", "B"}},
                                              {"strict", {"true"}},
                                              {"encoding", {"GB18030"}},
                                              {"delimiter", {"semicolon"}},
                                              {"region", {"cn-shanghai", "cn-hangzhou"}},
                                              {"skip-invalid", {"true"}},
                                              {"dry-run", {"true"}},
                                              {"rate", {"7/2s"}},
                                              {"burst", {"17"}},
                                              {"connections", {"3"}},
                                              {"threads", {"2"}},
                                              {"max-in-flight", {"9"}},
                                              {"max-orders", {"1000"}},
                                              {"max-seats", {"2000"}},
                                              {"max-seat-months", {"3000"}},
                                              {"max-failures", {"5%"}},
                                              {"max-doubts", {"3"}},
                                              {"endpoint", {"https://localhost:8443"}},
                                              {"sts-endpoint", {"https://localhost:8444"}},
                                              {"ca-file", {"ca.pem"}},
                                              {"signature", {"hmac-sha1"}},
                                              {"http-method", {"get"}},
                                              {"request-timeout", {"70s"}},
                                              {"connect-timeout", {"500ms"}},
                                              {"profile", {"p"}},
                                              {"replay", {"same-bytes"}},
                                              {"billing-endpoint", {"https://[::1]:8443"}},
                                              {"grace", {"2m"}},
                                              {"host-life", {"10s"}},
                                              {"wait-lock", {"30m"}},
                                              {"quiet", {"true"}},
                                              {"log-format", {"json"}},
                                              {"summary", {"s.json"}},
                                              {"metrics", {"m.prom"}},
                                              {"client-cert", {"c.pem"}},
                                              {"client-key", {"k.pem"}},
                                              {"proxy", {"none"}},
                                              {"resolve", {"localhost:8443:127.0.0.1"}},
                                              {"metrics-listen", {"[::1]:9464"}},
                                              {"progress", {"none"}}};

/// A new setting comes here, so that it is shown as it is.
TEST(SettingValues, EveryKeyIsShownAsItWasGiven) {
  for (const OptionEntry& option : keys()) {
    const std::string key = option.name.substr(2);
    const auto other = kOthers.find(key);
    ASSERT_NE(other, kOthers.end()) << key;
    std::vector<std::string> arguments;
    for (const std::string& text : other->second) arguments.push_back(option.name + "=" + text);
    if (key == "client-cert") arguments.push_back("--client-key=k.pem");
    if (key == "client-key") arguments.push_back("--client-cert=c.pem");
    if (key == "http-method") arguments.push_back("--signature=hmac-sha1");
    EXPECT_NE(setting_value(shown({}), key), other->second) << key << " is no default";
    EXPECT_EQ(setting_value(shown(arguments), key), other->second) << key;
  }
}

/// A default that is shown is one that may be written.
TEST(SettingValues, DefaultsReadBack) {
  const Settings defaults = shown({});
  for (const OptionEntry& option : keys()) {
    const std::string key = option.name.substr(2);
    const auto value = setting_value(defaults, key);
    if (!value) continue;
    EXPECT_EQ(setting_value(shown({option.name + "=" + value->front()}), key), value) << key;
  }
  EXPECT_EQ(setting_value(defaults, "max-orders"), std::nullopt);
  EXPECT_EQ(setting_value(shown({"--connections=2"}), "max-in-flight"), Texts{"32"});
}

TEST(SettingValues, WhatIsNoKeyHasNone) {
  EXPECT_THROW(setting_value(shown({}), "yes"), std::logic_error);
}

}  // namespace
}  // namespace sagorder::io
