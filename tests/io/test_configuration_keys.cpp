#include "io/configuration_keys.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "io/arguments.hpp"
#include "io/settings.hpp"

namespace sagorder::io {
namespace {

/// The error and its hint, as `error | hint`.
template <class Act>
std::string refusal_of(Act act) {
  try {
    act();
  } catch (const UsageError& error) {
    return std::string(error.what()) + " | " + error.hint;
  }
  return {};
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class ConfigurationKeysTest : public testing::Test {
 protected:
  std::string refused(const std::string& command, const std::string& key) {
    return refusal_of([&] { keys_.refuse_key("f:1:2", command, key); });
  }
  std::string refused_variable(const std::string& name) {
    return refusal_of([&] { keys_.refuse_variable("SAGORDER_" + name, name); });
  }

  Manual manual_ = program_manual();
  ConfigurationKeys keys_{manual_};
};

TEST_F(ConfigurationKeysTest, AreTheLongNamesOfOptions) {
  ASSERT_NE(keys_.find("run", "max-orders"), nullptr);
  EXPECT_EQ(keys_.find("run", "max-orders")->name, "--max-orders");
  EXPECT_NE(keys_.find("", "max-orders"), nullptr);
  EXPECT_EQ(keys_.find("check", "connections"), nullptr);
  EXPECT_EQ(keys_.find("run", "--max-orders"), nullptr);
  EXPECT_EQ(keys_.find("run", "Max-Orders"), nullptr);
  EXPECT_EQ(keys_.commands(),
            (std::vector<std::string>{"run", "check", "rows", "doctor", "reconcile", "results"}));
}

/// What agrees to an order, is evidence, or names one batch is said on the command line alone.
TEST_F(ConfigurationKeysTest, NeverAgreeAndNeverNameABatch) {
  for (const char* const key :
       {"yes",        "again",        "row",          "placed", "not-placed", "because", "apply",
        "sole-buyer", "same-account", "explained-by", "output", "ledger",     "input",   "status",
        "config",     "no-config",    "help",         "for",    "json",       "as"}) {
    EXPECT_EQ(keys_.find("", key), nullptr) << key;
    EXPECT_TRUE(has(refused("", key), "cannot be set in a file")) << refused("", key);
  }
}

/// `config` shows them all, and with a flag what it would change.
TEST_F(ConfigurationKeysTest, AreAllOptionsOfConfig) {
  for (const CommandEntry& command : manual_.commands) {
    for (const OptionEntry& option : command.options) {
      if (!option.configurable) continue;
      EXPECT_NE(keys_.find("config", option.name.substr(2)), nullptr) << option.name;
    }
  }
}

TEST_F(ConfigurationKeysTest, HaveTypes) {
  const auto type = [&](const char* key) { return setting_type(*keys_.find("", key)); };
  EXPECT_EQ(type("strict"), SettingType::boolean);
  EXPECT_EQ(type("max-orders"), SettingType::integer);
  EXPECT_EQ(type("max-failures"), SettingType::integer_or_text);
  EXPECT_EQ(type("rate"), SettingType::text);
  EXPECT_EQ(type("request-timeout"), SettingType::text);
  EXPECT_EQ(type("log-format"), SettingType::text);
  EXPECT_EQ(type("set"), SettingType::list);
}

TEST_F(ConfigurationKeysTest, HaveVariables) {
  EXPECT_EQ(variable_of("max-orders"), "SAGORDER_MAX_ORDERS");
  std::set<std::string> variables;
  for (const OptionEntry& option : manual_.command("config")->options) {
    if (!option.configurable) continue;
    EXPECT_TRUE(variables.insert(variable_of(option.name.substr(2))).second) << option.name;
  }
}

TEST_F(ConfigurationKeysTest, UnknownOnesHaveANearestName) {
  EXPECT_EQ(refused("", "max-order"),
            "f:1:2: unknown setting: max-order | did you mean max-orders?");
  EXPECT_EQ(refused("", "max_orders"),
            "f:1:2: unknown setting: max_orders | did you mean max-orders?");
  EXPECT_EQ(refused("run", "raet"), "f:1:2: unknown setting of run: raet | did you mean rate?");
  EXPECT_EQ(refused("", "rum"), "f:1:2: unknown setting: rum | did you mean run?");
  EXPECT_TRUE(has(refused("", "frobnicate"), "sagorder config example"));
  EXPECT_TRUE(has(refused("", "a\nb"), "a\\nb"));
  EXPECT_LT(refused("", std::string(10'000, 'x')).size(), 300U);
  EXPECT_EQ(refused_variable("MAX_ORDRES"),
            "SAGORDER_MAX_ORDRES: unknown setting in the environment | did you mean "
            "SAGORDER_MAX_ORDERS? Else unset it");
  EXPECT_TRUE(has(refused_variable("FROBNICATE"), "unset it"));
  EXPECT_TRUE(has(refused_variable("rate"), "did you mean SAGORDER_RATE?"));
}

TEST_F(ConfigurationKeysTest, ReasonsAreGiven) {
  EXPECT_TRUE(has(refused("", "yes"), "each command line does, with --yes"));
  EXPECT_TRUE(has(refused("run", "yes"), "each command line does, with --yes"));
  EXPECT_TRUE(has(refused_variable("YES"), "cannot be set by a variable | no file"));
  EXPECT_TRUE(has(refused("", "access-key-secret"), "secrets are never in this file"));
  EXPECT_TRUE(has(refused("", "access_key_id"), "secrets are never in this file"));
  EXPECT_TRUE(has(refused_variable("ACCESS_KEY_SECRET"), "secrets are never"));
  EXPECT_TRUE(has(refused("", "report"), "this command has no settings"));
}

}  // namespace
}  // namespace sagorder::io
