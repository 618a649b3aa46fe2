#include "io/log.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>

#include "tests/io/temporary_directory.hpp"

namespace sagorder::io {
namespace {

TEST(Printable, PlainTextStaysAsItIs) {
  for (const char* text :
       {"", "a b\\c \"d\"", "caf\xC3\xA9", "\xE8\xAE\xA2\xE5\x8D\x95", "\xF0\x9F\x93\xA6 order"}) {
    EXPECT_EQ(printable(text), text);
  }
}

TEST(Printable, ControlsAndEscapesAreShown) {
  EXPECT_EQ(printable("a\x1b[31mred\x1b[0m"), "a\\x1b[31mred\\x1b[0m");
  EXPECT_EQ(printable("a\nb\rc\td\be\x7f"), "a\\nb\\rc\\td\\x08e\\x7f");
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\x00b");
}

TEST(Printable, MarksThatMoveTextAreShown) {
  EXPECT_EQ(printable("\xC2\x9B"
                      "31m"),
            "\\u009b31m")
      << "CSI as one character";
  EXPECT_EQ(printable("\xE2\x80\xAE"), "\\u202e");
  EXPECT_EQ(printable("\xE2\x80\xA8\xE2\x81\xA6\xEF\xBB\xBF"), "\\u2028\\u2066\\ufeff");
}

TEST(Printable, InvalidUtf8IsShownByByte) {
  EXPECT_EQ(printable("a\xFF"
                      "b\xC3"),
            "a\\xffb\\xc3");
  EXPECT_EQ(printable("\xE2\x82"), "\\xe2\\x82");
  EXPECT_EQ(printable("\xC0\x9B"), "\\xc0\\x9b") << "overlong";
}

TEST(Printable, NoByteReachesATerminalAsAControl) {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const std::string text = {'a', static_cast<char>(first), static_cast<char>(second), 'z'};
      for (const char each : printable(text)) {
        const auto byte = static_cast<unsigned char>(each);
        ASSERT_TRUE(byte >= 0x20 && byte != 0x7f) << first << " " << second;
      }
    }
  }
}

class LogTest : public testing::Test {
 protected:
  LogTest() : out(std::fopen((directory / "log").c_str(), "w")) {}
  ~LogTest() override { std::fclose(out); }
  [[nodiscard]] std::string written() const { return content_of(directory / "log"); }
  TemporaryDirectory directory;
  std::FILE* out;
};

TEST_F(LogTest, TextLine) {
  Log log(LogFormat::text, false, out);
  log.info("run ended", {{"placed", "3"}, {"file", "a b=\"c\".csv"}});
  const std::regex expected(
      R"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ  info  run ended  placed=3 file="a b=\\"c\\".csv"\n)");
  EXPECT_TRUE(std::regex_match(written(), expected)) << written();
}

TEST_F(LogTest, JsonLine) {
  Log log(LogFormat::json, false, out);
  log.warning("throttled \"hard\"\n", {{"code", "Throttling\x1b[0m"}});
  const std::string line = written();
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const auto object = nlohmann::json::parse(line);
  EXPECT_EQ(object["level"], "warning");
  EXPECT_EQ(object["message"], "throttled \"hard\"\\n");
  EXPECT_EQ(object["code"], "Throttling\\x1b[0m");
  EXPECT_TRUE(std::regex_match(object["time"].get<std::string>(),
                               std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)")));
}

TEST_F(LogTest, OneCallIsOneLine) {
  Log log(LogFormat::text, false, out);
  log.error("no\n2019-05-20 08:01:02Z  info  all is well", {{"code", "x\ny"}});
  const std::string text = written();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
}

TEST_F(LogTest, BracesAreNoFormat) {
  Log log(LogFormat::text, false, out);
  log.info("{} {0:s} %s %n", {{"value", "{}"}});
  EXPECT_TRUE(has(written(), "{} {0:s} %s %n  value={}")) << written();
}

TEST_F(LogTest, QuietKeepsWarningsAndErrors) {
  Log log(LogFormat::text, true, out);
  log.info("unsaid");
  log.asked("as you wish");
  log.warning("careful");
  log.error("broken");
  EXPECT_FALSE(has(written(), "unsaid"));
  EXPECT_TRUE(has(written(), "info  as you wish\n"));
  EXPECT_TRUE(has(written(), "careful"));
  EXPECT_TRUE(has(written(), "broken"));
}

TEST_F(LogTest, WhoDrawsThereGivesWayFirst) {
  Log log(LogFormat::text, false, out);
  log.before_line([this] { std::fputs("|wiped|", out); });
  log.info("line");
  EXPECT_TRUE(written().starts_with("|wiped|"));
}

}  // namespace
}  // namespace sagorder::io
