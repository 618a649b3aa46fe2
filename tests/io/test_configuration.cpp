#include "io/configuration.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <initializer_list>

#include "io/settings.hpp"
#include "tests/io/temporary_directory.hpp"

namespace sagorder::io {
namespace {

/// Files of a directory of its own, and variables, around a command line.
class ConfigurationTest : public testing::Test {
 protected:
  ConfigurationTest() {
    around_.system_file = directory_ / "system.toml";
    around_.user_file = directory_ / "user.toml";
    around_.project_file = directory_ / "sagorder.toml";
  }

  void system(const std::string& text) { put(around_.system_file, text); }
  void user(const std::string& text) { put(around_.user_file, text); }
  void project(const std::string& text) { put(around_.project_file, text); }
  void variable(const std::string& definition) { around_.variables.push_back(definition); }

  Settings of(std::vector<std::string> arguments) {
    std::vector<const char*> argv{"sagorder"};
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    return std::get<Settings>(parse_settings(static_cast<int>(argv.size()), argv.data(), around_));
  }
  Settings run(std::initializer_list<std::string> more = {}) {
    std::vector<std::string> arguments{"run", "in.csv", "--output", "out.csv"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return of(arguments);
  }
  std::string refusal(std::initializer_list<std::string> more = {}) {
    try {
      run(more);
    } catch (const UsageError& error) {
      return std::string(error.what()) + " | " + error.hint;
    }
    return {};
  }
  std::string where(const Settings& settings, const std::string& key) {
    const ConfiguredValue* const value = settings.configuration.effective(key);
    if (value == nullptr) return "default";
    const std::string& text = value->where;
    return text.starts_with(directory_.path()) ? text.substr(directory_.path().size() + 1) : text;
  }

  TemporaryDirectory directory_;
  Surroundings around_;
};

/// Another shell would not have them, and the same command would mean something else.
TEST_F(ConfigurationTest, TheCommandLineCarriesTheVariablesInForce) {
  variable("SAGORDER_MAX_ORDERS=5");
  variable("SAGORDER_CARRY=Site\nA Note");
  variable("SAGORDER_RATE=7/s");
  variable("SAGORDER_STRICT=");
  variable("HOME=/nowhere");
  system("max-doubts = 3");
  const Settings settings = run({"--rate", "9/s", "--canary=2"});
  const std::string begin = "SAGORDER_MAX_ORDERS=5 SAGORDER_CARRY=\"$(printf 'Site\\012A Note')\" ";
  const std::string end = "sagorder run in.csv --output out.csv --rate 9/s";
  EXPECT_EQ(settings.command_line, begin + end + " --canary=2");
  EXPECT_EQ(settings.without_canary, begin + end);
  EXPECT_EQ(run({"--no-config"}).command_line, "sagorder run in.csv --output out.csv --no-config");
}

/// Settings that somebody thinks to be in force, a limit perhaps, are not passed over.
TEST_F(ConfigurationTest, ALinkToNothingIsRefusedWhicheverFileItIs) {
  const std::string target = directory_ / "gone.toml";
  for (const std::string& path :
       {around_.system_file, around_.user_file, around_.project_file, directory_ / "named.toml"}) {
    std::filesystem::create_symlink(target, path);
    const bool named = path.ends_with("named.toml");
    const std::string said = named ? refusal({"--config", path}) : refusal();
    EXPECT_EQ(said, path + ": is a link to " + target +
                        ", which is not there | put the file there, remove the link, or give "
                        "--no-config");
    EXPECT_EQ(refusal({"--no-config"}), "");
    std::filesystem::remove(path);
  }
  EXPECT_EQ(refusal(), "") << "what is not there at all is nothing";
}

TEST_F(ConfigurationTest, NothingAroundIsTheDefault) {
  const Settings settings = run();
  EXPECT_EQ(settings.connections, 16U);
  EXPECT_TRUE(settings.configuration.values.empty());
  EXPECT_EQ(settings.configuration.sources(), "");
  ASSERT_EQ(settings.configuration.files.size(), 3U);
  for (const ConfigurationFile& file : settings.configuration.files) EXPECT_FALSE(file.read);
}

TEST_F(ConfigurationTest, EachLayerOverridesTheOneBefore) {
  system("connections = 1");
  EXPECT_EQ(run().connections, 1U);
  EXPECT_EQ(where(run(), "connections"), "system.toml:1:15");
  user("connections = 2");
  EXPECT_EQ(run().connections, 2U);
  project("\nconnections = 3");
  EXPECT_EQ(run().connections, 3U);
  EXPECT_EQ(where(run(), "connections"), "sagorder.toml:2:15");
  variable("SAGORDER_CONNECTIONS=4");
  EXPECT_EQ(run().connections, 4U);
  EXPECT_EQ(where(run(), "connections"), "SAGORDER_CONNECTIONS");
  const Settings flag = run({"--connections", "5"});
  EXPECT_EQ(flag.connections, 5U);
  EXPECT_EQ(where(flag, "connections"), "--connections");
  const auto overridden = flag.configuration.overridden("connections");
  ASSERT_EQ(overridden.size(), 4U);
  EXPECT_EQ(overridden.front()->where, "SAGORDER_CONNECTIONS");
  EXPECT_EQ(overridden.back()->texts, (std::vector<std::string>{"1"}));
}

TEST_F(ConfigurationTest, EveryKindOfValue) {
  project(
      "set = [\"Period=12\"]\ncarry = [\"A\", \"B\"]\nstrict = true\nrate = \"7/2s\"\n"
      "max-failures = \"5%\"\nmax-orders = 9\ngrace = \"70s\"\nlog-format = \"json\"\n"
      "endpoint = \"https://localhost:8443\"\nprofile = \"p\"\nsummary = \"s.json\"\n");
  const Settings settings = run();
  EXPECT_EQ(settings.intake.set.size(), 1U);
  EXPECT_EQ(settings.intake.carry, (std::vector<std::string>{"A", "B"}));
  EXPECT_TRUE(settings.intake.strict);
  EXPECT_EQ(to_string(settings.rate), "7/2s");
  EXPECT_TRUE(settings.limits.max_failures.percent);
  EXPECT_EQ(settings.limits.max_orders, 9U);
  EXPECT_EQ(settings.grace, seconds(70));
  EXPECT_EQ(settings.log_format, LogFormat::json);
  EXPECT_EQ(settings.endpoint, (Endpoint{"localhost", 8443}));
  EXPECT_EQ(settings.profile, "p");
  EXPECT_EQ(settings.summary, "s.json");
}

TEST_F(ConfigurationTest, ATableIsOfItsCommandAlone) {
  project("connections = 3\n[run]\nconnections = 4\n[check]\nstrict = true\n");
  EXPECT_EQ(run().connections, 4U);
  EXPECT_FALSE(run().intake.strict);
  EXPECT_TRUE(of({"check", "in.csv"}).intake.strict);
  variable("SAGORDER_CONNECTIONS=5");
  EXPECT_EQ(run().connections, 5U);
}

TEST_F(ConfigurationTest, AListReplacesAList) {
  project("carry = [\"A\", \"B\"]");
  EXPECT_EQ(run({"--carry", "C"}).intake.carry, (std::vector<std::string>{"C"}));
  variable("SAGORDER_CARRY=D\nE F");
  EXPECT_EQ(run().intake.carry, (std::vector<std::string>{"D", "E F"}));
  around_.variables.clear();
  system("carry = [\"Z\"]");
  project("carry = []");
  EXPECT_TRUE(run().intake.carry.empty());
}

TEST_F(ConfigurationTest, AFlagCanBeTakenBack) {
  system("strict = true");
  EXPECT_TRUE(run().intake.strict);
  EXPECT_FALSE(run({"--strict=false"}).intake.strict);
  project("strict = false");
  EXPECT_FALSE(run().intake.strict);
  EXPECT_TRUE(run({"--strict"}).intake.strict);
}

/// What a reader of many lines read before leaves nothing behind.
TEST_F(ConfigurationTest, ReadersForget) {
  system("strict = true\ncarry = [\"A\"]\nmax-orders = 5");
  EXPECT_EQ(run().limits.max_orders, 5U);
  EXPECT_EQ(run({"--no-config"}).limits.max_orders, std::nullopt);
  EXPECT_TRUE(run({"--no-config"}).intake.carry.empty());
}

TEST_F(ConfigurationTest, AnotherFileIsNamed) {
  project("connections = 3");
  system("threads = 2");
  const std::string other = directory_ / "other.toml";
  put(other, "connections = 4");
  EXPECT_EQ(run({"--config", other}).connections, 4U);
  EXPECT_EQ(run({"--config", other}).threads, 2U);
  EXPECT_NE(refusal({"--config", directory_ / "none"}).find("No such file"), std::string::npos);
  EXPECT_NE(refusal({"--config", ""}).find("needs a path"), std::string::npos);
  EXPECT_NE(refusal({"--config", other, "--no-config"}).find("give one of them"),
            std::string::npos);
}

TEST_F(ConfigurationTest, NoneIsReadWhereNoneIsWanted) {
  system("this is no TOML");
  variable("SAGORDER_FROBNICATE=1");
  EXPECT_NE(refusal(), "");
  const Settings settings = run({"--no-config"});
  EXPECT_TRUE(settings.configuration.files.empty());
  EXPECT_THROW(of({"status", "out.csv"}), UsageError) << "though it has no use for any";
  EXPECT_NO_THROW(of({"status", "out.csv", "--no-config"}));
  EXPECT_NO_THROW(of({"config", "example"}));
}

TEST_F(ConfigurationTest, VariablesAreOfTheSameSet) {
  variable("SAGORDER_STRICT=true");
  variable("SAGORDER_MAX_ORDERS=");  // set to nothing: not set
  variable("SAGORDER_BUILD=/somewhere");
  variable("SAGORDER_SEED=1");
  variable("OTHER_FROBNICATE=1");
  EXPECT_TRUE(run().intake.strict);
  EXPECT_EQ(run().limits.max_orders, std::nullopt);
  const std::pair<const char*, const char*> cases[] = {
      {"SAGORDER_MAX_ORDRES=5", "did you mean SAGORDER_MAX_ORDERS?"},
      {"SAGORDER_YES=true", "SAGORDER_YES cannot be set by a variable"},
      {"SAGORDER_OUTPUT=x", "SAGORDER_OUTPUT cannot be set by a variable"},
      {"SAGORDER_max_orders=5", "did you mean SAGORDER_MAX_ORDERS?"},
      {"SAGORDER_MAX-ORDERS=5", "did you mean SAGORDER_MAX_ORDERS?"},
      {"SAGORDER_QUIET=1", "SAGORDER_QUIET is 1 | write true or false"},
      {"SAGORDER_CA_FILE=a\nb", "SAGORDER_CA_FILE: holds a control character"},
      {"SAGORDER_RATE=x", "SAGORDER_RATE: --rate x: must be N/s"},
  };
  for (const auto& [definition, wanted] : cases) {
    around_.variables = {definition};
    EXPECT_NE(refusal().find(wanted), std::string::npos) << refusal();
  }
}

TEST_F(ConfigurationTest, AWrongValueIsToldWhereItStands) {
  project("rate = \"50\"\nmax-orders = 0");
  EXPECT_NE(refusal().find("sagorder.toml:2:14: --max-orders 0: must be"), std::string::npos);
  EXPECT_EQ(refusal({"--max-orders", "5"}), refusal()) << "also where another layer overrides it";
  EXPECT_EQ(refusal({"--max-orders", "x", "--no-config"}).find("--max-orders x: must be"), 0U);
  project("rate = \"x\"\nmax-orders = 0");
  EXPECT_NE(refusal().find("--rate x: must be"), std::string::npos);
  EXPECT_NE(refusal().find("sagorder.toml:2:14: --max-orders 0: must be"), std::string::npos);
}

TEST_F(ConfigurationTest, SaysWhatCounts) {
  system("max-orders = 5\nthreads = 1");
  project("max-orders = 6");
  variable("SAGORDER_BURST=3");
  const Settings settings = run({"--threads", "2"});
  EXPECT_EQ(settings.configuration.sources(),
            around_.project_file + " (max-orders), SAGORDER_BURST");
  EXPECT_EQ(settings.configuration.overridden("max-orders").size(), 1U);
  EXPECT_EQ(settings.configuration.overridden("threads").size(), 1U);
  EXPECT_TRUE(settings.configuration.overridden("burst").empty());
}

TEST_F(ConfigurationTest, SettingsOfAnotherCommandAreShown) {
  project("[doctor]\nregion = [\"cn-shanghai\"]\n[run]\nconnections = 4\n");
  const Settings shown = of({"config", "show", "--for", "doctor", "--json"});
  EXPECT_EQ(shown.command, Command::config);
  EXPECT_EQ(shown.configured, "doctor");
  EXPECT_TRUE(shown.config_json);
  EXPECT_EQ(shown.regions, (std::vector<std::string>{"cn-shanghai"}));
  EXPECT_EQ(shown.connections, 16U);
  EXPECT_EQ(of({"config", "show", "--rate", "5/s"}).connections, 4U);
  EXPECT_THROW(of({"config", "show", "--for", "status"}), UsageError);
  EXPECT_THROW(of({"config", "frobnicate"}), UsageError);
  EXPECT_THROW(of({"config"}), UsageError);
}

TEST_F(ConfigurationTest, TheProcessHasPlacesOfItsOwn) {
  const Variable config("XDG_CONFIG_HOME", "/elsewhere");
  const Variable set("SAGORDER_RATE", "7/s");
  Surroundings around = surroundings_of_process();
  EXPECT_EQ(around.system_file, "/etc/sagorder/config.toml");
  EXPECT_EQ(around.user_file, "/elsewhere/sagorder/config.toml");
  EXPECT_EQ(around.project_file, "sagorder.toml");
  EXPECT_NE(std::ranges::find(around.variables, "SAGORDER_RATE=7/s"), around.variables.end());
  const Variable relative("XDG_CONFIG_HOME", "elsewhere");
  const Variable home("HOME", "/home/me");
  EXPECT_EQ(surroundings_of_process().user_file, "/home/me/.config/sagorder/config.toml");
  const Variable none("HOME", nullptr);
  EXPECT_EQ(surroundings_of_process().user_file, "");
}

}  // namespace
}  // namespace sagorder::io
