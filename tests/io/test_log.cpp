#include "io/log.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <concepts>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "engine/secret.hpp"
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
  Log log(LogFormat::text, false, LogReader::terminal, out);
  log.info("run ended", {{"placed", "3"}, {"file", "a b=\"c\".csv"}});
  const std::regex expected(
      R"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ  info  run ended  placed=3 file="a b=\\"c\\".csv"\n)");
  EXPECT_TRUE(std::regex_match(written(), expected)) << written();
}

TEST_F(LogTest, JsonLine) {
  Log log(LogFormat::json, false, LogReader::terminal, out);
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
  Log log(LogFormat::text, false, LogReader::terminal, out);
  log.error("no\n2019-05-20 08:01:02Z  info  all is well", {{"code", "x\ny"}});
  const std::string text = written();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
}

TEST_F(LogTest, BracesAreNoFormat) {
  Log log(LogFormat::text, false, LogReader::terminal, out);
  log.info("{} {0:s} %s %n", {{"value", "{}"}});
  EXPECT_TRUE(has(written(), "{} {0:s} %s %n  value={}")) << written();
}

TEST_F(LogTest, QuietKeepsWarningsAndErrors) {
  Log log(LogFormat::text, true, LogReader::terminal, out);
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
  Log log(LogFormat::text, false, LogReader::terminal, out);
  log.before_line([this] { std::fputs("|wiped|", out); });
  log.info("line");
  EXPECT_TRUE(written().starts_with("|wiped|"));
}

TEST_F(LogTest, EveryLineNamesTheRun) {
  Log text(LogFormat::text, false, LogReader::terminal, out);
  text.set_run("3f09c2d1");
  text.info("one", {{"row", "7", true}});
  text.info("two");
  EXPECT_TRUE(has(written(), "  one  row=7 run=3f09c2d1\n")) << written();
  EXPECT_TRUE(has(written(), "  two  run=3f09c2d1\n")) << written();
  EXPECT_EQ(text.run(), "3f09c2d1");
}

TEST_F(LogTest, JsonLineNamesTheRunAndHasNumbers) {
  Log log(LogFormat::json, false, LogReader::terminal, out);
  log.set_run("3f09c2d1");
  log.error("lost", {{"row", "7", true}, {"code", "7"}});
  const auto object = nlohmann::json::parse(written());
  EXPECT_EQ(object["run"], "3f09c2d1");
  EXPECT_EQ(object["row"], 7);
  EXPECT_EQ(object["code"], "7");
}

TEST_F(LogTest, ALineForPeopleIsAnObjectForPrograms) {
  {
    Log log(LogFormat::text, true, LogReader::terminal, out);
    log.line(LogLevel::error, "a.csv:2:1: error: \x1b bad", "bad", {{"row", "1", true}});
    log.question("Sure? ");
    EXPECT_EQ(written(), "a.csv:2:1: error: \\x1b bad\nSure? ");
  }
  std::rewind(out);
  Log log(LogFormat::json, true, LogReader::terminal, out);
  log.line(LogLevel::error, "a.csv:2:1: error: bad", "bad", {{"row", "1", true}});
  log.question("Sure? ");
  log.event(LogLevel::warning, "summary", "all done", R"({"run":7})");
  std::istringstream lines(written());
  std::vector<nlohmann::json> objects;
  for (std::string line; std::getline(lines, line);) objects.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(objects.size(), 3U);
  EXPECT_EQ(objects[0]["message"], "bad");
  EXPECT_EQ(objects[0]["level"], "error");
  EXPECT_EQ(objects[0]["row"], 1);
  EXPECT_EQ(objects[1]["event"], "question");
  EXPECT_EQ(objects[2]["level"], "warning");
  EXPECT_EQ(objects[2]["summary"]["run"], 7);
}

TEST_F(LogTest, TheJournalIsToldThePriorityAndHasATimeOfItsOwn) {
  {
    Log log(LogFormat::text, false, LogReader::journal, out);
    log.info("one");
    log.warning("two");
    log.error("three");
    log.line(LogLevel::error, "four");
    EXPECT_EQ(written(), "<6>info  one\n<4>warning  two\n<3>error  three\n<3>four\n");
  }
  std::rewind(out);
  Log log(LogFormat::json, false, LogReader::journal, out);
  log.warning("a much longer line than before, so that nothing of it is left");
  EXPECT_TRUE(written().starts_with("<4>{\"time\":")) << written();
}

TEST_F(LogTest, ALineForPeopleNamesRunAndRowWhereNobodyWatches) {
  {
    Log log(LogFormat::text, false, LogReader::stream, out);
    log.line(LogLevel::error, "before there is a run");
    log.set_run("3f09c2d1");
    log.line(LogLevel::error, "a.csv:2:1: error: bad", "bad", {{"line", "2"}, {"row", "1", true}});
    log.line(LogLevel::error, "a.csv:1:1: error: bad", "bad", {{"row", "0", true}});
    log.line(LogLevel::info, "  sagorder status out.csv");
    EXPECT_EQ(written(),
              "before there is a run\n"
              "a.csv:2:1: error: bad  row=1 run=3f09c2d1\n"
              "a.csv:1:1: error: bad  run=3f09c2d1\n"
              "  sagorder status out.csv  # run=3f09c2d1\n");
  }
  std::rewind(out);
  Log log(LogFormat::text, false, LogReader::terminal, out);
  log.set_run("3f09c2d1");
  log.line(LogLevel::error, std::string(200, 'x'), "bad", {{"row", "1", true}});
  EXPECT_TRUE(written().starts_with(std::string(200, 'x') + "\n")) << written();
}

TEST_F(LogTest, OnlyTextAtATerminalIsWatched) {
  EXPECT_TRUE(Log(LogFormat::text, false, LogReader::terminal, out).is_watched());
  EXPECT_FALSE(Log(LogFormat::text, false, LogReader::stream, out).is_watched());
  EXPECT_FALSE(Log(LogFormat::text, false, LogReader::journal, out).is_watched());
  EXPECT_FALSE(Log(LogFormat::json, false, LogReader::terminal, out).is_watched());
}

// Whoever wants to log a secret has to write `reveal()`.
template <class Text>
concept Loggable = std::convertible_to<Text, std::string_view> ||
    fmt::is_formattable<Text>::value || std::constructible_from<nlohmann::json, Text>;
static_assert(Loggable<std::string>);
static_assert(!Loggable<Secret>);

}  // namespace
}  // namespace sagorder::io
