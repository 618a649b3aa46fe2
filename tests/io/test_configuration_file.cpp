#include "io/configuration_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "io/arguments.hpp"
#include "io/settings.hpp"
#include "tests/io/temporary_directory.hpp"

namespace sagorder::io {
namespace {

const Manual& manual() {
  static const Manual of_the_program = program_manual();
  return of_the_program;
}

const ConfigurationKeys kKeys(manual());

std::vector<FileSetting> parsed(std::string_view text) {
  return parse_configuration(text, "f", kKeys);
}

template <class Act>
std::string refusal_of(Act act) {
  try {
    act();
  } catch (const UsageError& error) {
    return std::string(error.what()) + " | " + error.hint;
  }
  return {};
}

std::string refused(std::string_view text) {
  return refusal_of([&] { parsed(text); });
}

std::string unreadable(const std::string& path, uid_t self = ::geteuid()) {
  return refusal_of([&] { read_configuration(path, kKeys, self); });
}

TEST(ConfigurationFile, TypedValuesBecomeTexts) {
  using Settings = std::vector<FileSetting>;
  EXPECT_EQ(parsed(""), Settings{});
  EXPECT_EQ(parsed("rate = \"50/s\"\nmax-orders = 1_000\nstrict = true\n"
                   "carry = [\"A\", \"B\"] # two\nmax-failures = \"5%\"\nset = []\n"),
            (Settings{{"", "rate", {"50/s"}, "f:1:8"},
                      {"", "max-orders", {"1000"}, "f:2:14"},
                      {"", "strict", {"true"}, "f:3:10"},
                      {"", "carry", {"A", "B"}, "f:4:9"},
                      {"", "max-failures", {"5%"}, "f:5:16"},
                      {"", "set", {}, "f:6:7"}}));
  EXPECT_EQ(parsed("max-failures = 5"), (Settings{{"", "max-failures", {"5"}, "f:1:16"}}));
}

TEST(ConfigurationFile, TablesAreOfCommands) {
  EXPECT_EQ(parsed("[run]\nrate = \"1/s\"\n[doctor]\nregion = [\"cn-shanghai\"]\n"),
            (std::vector<FileSetting>{{"run", "rate", {"1/s"}, "f:2:8"},
                                      {"doctor", "region", {"cn-shanghai"}, "f:4:10"}}));
  EXPECT_EQ(parsed("run.rate = \"1/s\""),
            (std::vector<FileSetting>{{"run", "rate", {"1/s"}, "f:1:12"}}));
}

TEST(ConfigurationFile, WrongTypesAreRefusedWhereTheyStand) {
  const std::pair<const char*, const char*> cases[] = {
      {"rate = 10", "f:1:8: rate is an integer | write a string, such as \"10/s\""},
      {"\n  request-timeout = 60",
       "f:2:21: request-timeout is an integer | write a string with its unit, such as \"60s\""},
      {"max-orders = \"5\"",
       "f:1:14: max-orders is a string | write a whole number, without quotes"},
      {"max-orders = 5.0",
       "f:1:14: max-orders is a number with a fraction | write a whole number, without quotes"},
      {"strict = \"true\"", "f:1:10: strict is a string | write true or false, without quotes"},
      {"strict = 1", "f:1:10: strict is an integer | write true or false, without quotes"},
      {"carry = \"A\"", "f:1:9: carry is a string | write an array of strings, such as [\"...\"]"},
      {"carry = [\"A\", 1]",
       "f:1:15: carry is an integer | write an array of strings, such as [\"...\"]"},
      {"ca-file = 2026-11-23", "f:1:11: ca-file is a date or a time | write a string"},
      {"[rate]\na = 1", "f:1:1: rate is a table | write a string, such as \"10/s\""},
      {"max-failures = true",
       "f:1:16: max-failures is a boolean | write a whole number, or a percentage such as \"5%\""},
      {"run = 5",
       "f:1:7: run is a command, and wants a table | write [run] and its settings below it"},
  };
  for (const auto& [text, wanted] : cases) EXPECT_EQ(refused(text), wanted);
}

TEST(ConfigurationFile, UnknownKeysAreRefusedWhereTheyStand) {
  EXPECT_EQ(refused("rate = \"1/s\"\nmax-order = 5"),
            "f:2:1: unknown setting: max-order | did you mean max-orders?");
  EXPECT_EQ(
      refused("[check]\nconnections = 5").find("f:2:1: unknown setting of check: connections"), 0U);
  EXPECT_EQ(refused("[run]\nyes = true").find("f:2:1: yes cannot be set in a file"), 0U);
  EXPECT_NE(refused("[[run]]\nrate = \"1/s\"").find(": run is a command"), std::string::npos);
}

TEST(ConfigurationFile, WhatIsNoTomlIsRefused) {
  EXPECT_EQ(refused("rate = 10/s").find("f:1:"), 0U);
  EXPECT_NE(refused("rate = 10/s").find("is no TOML"), std::string::npos);
  EXPECT_NE(refused("strict = true\nstrict = false").find("f:2:"), std::string::npos);
  EXPECT_NE(refused("rate = \"\xE9\"").find("is no TOML"), std::string::npos);
  EXPECT_NE(refused("ca-file = \"a\\nb\"").find("f:1:11: the string holds a control"),
            std::string::npos);
  EXPECT_NE(refused("set = " + std::string(10'000, '[')), "");
}

TEST(ConfigurationFile, NobodyElseMayWriteIt) {
  const TemporaryDirectory directory;
  const std::string path = directory / "c.toml";
  put(path, "strict = true");
  ::chmod(path.c_str(), 0644);
  EXPECT_EQ(read_configuration(path, kKeys).size(), 1U);
  for (const mode_t mode : {0664U, 0646U, 0666U}) {
    ::chmod(path.c_str(), mode);
    EXPECT_NE(unreadable(path).find("others may write it"), std::string::npos);
    EXPECT_NE(unreadable(path).find("| run: chmod go-w " + path), std::string::npos);
  }
}

/// Nobody but root can give a file away: so the reader is somebody else, and the file is no root's.
TEST(ConfigurationFile, AFileOfAnotherUserIsRefused) {
  constexpr uid_t kOwner = 12'345;
  const TemporaryDirectory directory;
  const std::string path = directory / "c.toml";
  put(path, "strict = true");
  ::chmod(path.c_str(), 0644);
  const uid_t self = ::geteuid();
  ASSERT_TRUE(self != 0 || ::chown(path.c_str(), kOwner, kOwner) == 0);
  const uid_t owner = self == 0 ? kOwner : self;
  EXPECT_EQ(read_configuration(path, kKeys, owner).size(), 1U);
  EXPECT_NE(unreadable(path, owner + 1).find("belongs to another user"), std::string::npos);
}

/// The reader owns what a link leads to, and another user the link.
TEST(ConfigurationFile, ALinkOfAnotherUserIsRefused) {
  const TemporaryDirectory directory;
  const std::string link = directory / "link.toml";
  ASSERT_EQ(::symlink("/dev/null", link.c_str()), 0);  // root's, whom everybody trusts
  constexpr uid_t kOther = 12'345;
  const uid_t self = ::geteuid();
  ASSERT_TRUE(self != 0 || ::lchown(link.c_str(), kOther, kOther) == 0);
  const uid_t owner = self == 0 ? kOther : self;
  const auto of_link = [&](uid_t reader) { return unreadable(link, reader); };
  EXPECT_EQ(of_link(owner).find("belongs to another user"), std::string::npos);
  EXPECT_EQ(of_link(owner + 1),
            link +
                ": belongs to another user, who could choose how orders are "
                "placed | chown it to yourself or to root, or give --no-config");
}

TEST(ConfigurationFile, ALinkToNothingIsRefused) {
  const TemporaryDirectory directory;
  const std::string link = directory / "link.toml";
  const std::string target = directory / "target.toml";
  const auto refusal = [&] { return refusal_of([&] { refuse_dangling(link); }); };
  EXPECT_EQ(refusal(), "") << "nothing at all is no link";
  ASSERT_EQ(::symlink("target.toml", link.c_str()), 0);
  EXPECT_EQ(refusal(), link +
                           ": is a link to target.toml, which is not there | put the file there, "
                           "remove the link, or give --no-config");
  put(target, "strict = true");
  EXPECT_EQ(refusal(), "");
}

TEST(ConfigurationFile, MustBeAFileOfReasonableSize) {
  const TemporaryDirectory directory;
  EXPECT_NE(unreadable(directory / "none").find("No such file"), std::string::npos);
  EXPECT_NE(unreadable(directory.path()), "");
  const std::string path = directory / "c.toml";
  put(path, std::string(kConfigurationBytesMax, '\n'));
  ::chmod(path.c_str(), 0600);
  EXPECT_EQ(unreadable(path), "");
  put(path, std::string(kConfigurationBytesMax + 1, '\n'));
  EXPECT_NE(unreadable(path), "");
}

}  // namespace
}  // namespace sagorder::io
