#include "io/manual.hpp"

#include <gtest/gtest.h>

#include "io/arguments.hpp"
#include "io/choices.hpp"
#include "io/completion.hpp"
#include "io/exit_code.hpp"

namespace sagorder::io {
namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::vector<OptionEntry> all_of(const CommandEntry& command) {
  std::vector<OptionEntry> entries = command.options;
  entries.insert(entries.end(), command.operands.begin(), command.operands.end());
  return entries;
}

const OptionEntry& option_of(const CommandEntry& command, const std::string& name) {
  for (const OptionEntry& option : command.options) {
    if (option.name == name) return option;
  }
  throw std::runtime_error("no option " + name);
}

TEST(Manual, EveryOptionIsDocumented) {
  const Manual manual = program_manual();
  ASSERT_GE(manual.commands.size(), 5U);
  for (const CommandEntry& command : manual.commands) {
    EXPECT_GT(command.summary.size(), 10U) << command.name;
    for (const OptionEntry& option : all_of(command)) {
      EXPECT_GT(option.help.size(), 10U) << command.name << ' ' << option.name;
      EXPECT_EQ(option.help.find('\n'), std::string::npos) << command.name << ' ' << option.name;
      EXPECT_FALSE(option.help.ends_with('.')) << command.name << ' ' << option.name;
    }
  }
  for (const OptionEntry& option : manual.options) EXPECT_FALSE(option.help.empty()) << option.name;
}

TEST(Manual, KnowsWhatTheDefinitionSays) {
  const Manual manual = program_manual();
  const CommandEntry& run = *manual.command("run");
  EXPECT_EQ(manual.command("frobnicate"), nullptr);
  EXPECT_EQ(run.operands.front().name, "ORDERS");
  EXPECT_EQ(run.operands.front().kind(), ValueKind::file);
  EXPECT_EQ(option_of(run, "--help").short_name, "-h");
  EXPECT_EQ(option_of(run, "--yes").kind(), ValueKind::none);
  EXPECT_EQ(option_of(run, "--rate").kind(), ValueKind::free);
  EXPECT_EQ(option_of(run, "--max-failures").kind(), ValueKind::free);  // N|N% is no closed set
  EXPECT_EQ(option_of(run, "--summary").kind(), ValueKind::file);
  EXPECT_TRUE(option_of(run, "--output").required);
  EXPECT_FALSE(option_of(run, "--ledger").required);
  EXPECT_TRUE(option_of(run, "--set").repeatable);
  EXPECT_FALSE(option_of(run, "--rate").repeatable);
  EXPECT_EQ(option_of(run, "--rate").heading, "Pace");
  EXPECT_EQ(manual.command("help")->operands.front().kind(), ValueKind::command);
}

/// What completion offers is what settings accept: each of a closed set is taken, another refused.
TEST(Manual, ClosedSetsAreThoseThatAreAccepted) {
  const Manual manual = program_manual();
  std::size_t sets = 0;
  for (const OptionEntry& option : manual.command("run")->options) {
    const auto parse = [&](const std::string& value) {
      const char* const argv[] = {"sagorder", "run",         "in.csv",   "--output",
                                  "out.csv",  "--signature", "hmac-sha1"};
      std::vector<const char*> arguments(std::begin(argv), std::end(argv));
      if (option.name == "--signature") arguments.resize(5);
      arguments.insert(arguments.end(), {option.name.c_str(), value.c_str()});
      parse_settings(static_cast<int>(arguments.size()), arguments.data());
    };
    if (option.kind() != ValueKind::choice) continue;
    ++sets;
    EXPECT_GE(option.choices().size(), 2U) << option.name;
    for (const std::string& choice : option.choices()) {
      EXPECT_NO_THROW(parse(choice)) << option.name << ' ' << choice;
    }
    EXPECT_THROW(parse("frobnicate"), UsageError) << option.name;
  }
  EXPECT_EQ(sets, 6U);
}

TEST(Manual, PagesNameEveryOptionAndExitCode) {
  const Manual manual = program_manual();
  const std::string whole = man_page(manual);
  for (const CommandEntry& command : manual.commands) {
    EXPECT_TRUE(has(whole, "\\fB" + command.name + "\\fR")) << command.name;
    const std::string page = man_page(manual, command);
    EXPECT_TRUE(page.starts_with(".TH SAGORDER-")) << command.name;
    for (const OptionEntry& option : command.options) {
      std::string name;
      for (const char each : option.name) name += each == '-' ? "\\-" : std::string(1, each);
      EXPECT_TRUE(has(page, name)) << command.name << ' ' << option.name;
    }
    // Those of this command, and no other.
    for (const ExitMeaning& meaning : exit_meanings()) {
      const bool its_own =
          std::ranges::any_of(exit_meanings(command.name),
                              [&](const ExitMeaning& each) { return each.code == meaning.code; });
      const std::string code = "\\fB" + std::to_string(static_cast<int>(meaning.code)) + "\\fR\n";
      EXPECT_EQ(has(page, code), its_own) << command.name << ' ' << code;
    }
  }
}

void expect_each_once_in_order(std::string_view command) {
  int last = -1;
  for (const ExitMeaning& meaning : exit_meanings(command)) {
    EXPECT_GT(static_cast<int>(meaning.code), last) << command;
    last = static_cast<int>(meaning.code);
  }
}

TEST(Manual, ExitMeaningsAreInOrderAndEachOnce) {
  expect_each_once_in_order("");
  EXPECT_EQ(exit_meanings().size(), 11U);
  EXPECT_EQ(exit_meanings("run").size(), 11U);
  for (const CommandEntry& command : program_manual().commands) {
    expect_each_once_in_order(command.name);
    if (command.name != "run") {
      EXPECT_LT(exit_meanings(command.name).size(), 11U) << command.name;
    }
  }
}

TEST(Manual, EscapesWhatRoffWouldTake) {
  Manual manual;
  manual.summary = "What it does.";
  CommandEntry command{"odd", "a\\b", {}, {}, {".so /etc/passwd", "'tis -- ~"}};
  const std::string page = man_page(manual, command);
  EXPECT_TRUE(has(page, "a\\eb"));
  EXPECT_TRUE(has(page, "\n\\&.so /etc/passwd\n"));
  EXPECT_TRUE(has(page, "\n\\&\\(aqtis \\-\\- \\(ti\n"));
}

TEST(Manual, FillsLines) {
  EXPECT_EQ(filled("", 10), "");
  EXPECT_EQ(filled("one two three", 7), "one two\nthree");
  EXPECT_EQ(filled("one\ntwo three", 80), "one two three");
  EXPECT_EQ(filled("abcdefghijk lm", 4), "abcdefghijk\nlm");
}

TEST(Manual, CompletionsNameEveryOption) {
  const Manual manual = program_manual();
  const std::string bash = bash_completion(manual);
  const std::string zsh = zsh_completion(manual);
  const std::string fish = fish_completion(manual);
  for (const CommandEntry& command : manual.commands) {
    for (const OptionEntry& option : command.options) {
      EXPECT_TRUE(has(bash, option.name)) << option.name;
      EXPECT_TRUE(has(zsh, "'" + option.name) || has(zsh, "'*" + option.name)) << option.name;
      EXPECT_TRUE(has(fish, " -l " + option.name.substr(2) + " ")) << option.name;
    }
  }
}

TEST(Manual, HelpIsPrintedInEachForm) {
  const auto help = [](std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), {"sagorder", "help"});
    ArgumentReader reader;
    const auto parsed = reader.read(static_cast<int>(arguments.size()), arguments.data());
    return std::get<PlainText>(parsed).text;
  };
  EXPECT_TRUE(has(help({}), "Usage: sagorder "));
  EXPECT_TRUE(has(help({"status"}), "Usage: sagorder status "));
  EXPECT_TRUE(help({"--as", "man"}).starts_with(".TH SAGORDER 1 "));
  EXPECT_TRUE(help({"run", "--as=man"}).starts_with(".TH SAGORDER-RUN 1 "));
  EXPECT_TRUE(help({"--as", "zsh"}).starts_with("#compdef sagorder\n"));
  EXPECT_THROW(help({"frobnicate"}), UsageError);
  EXPECT_THROW(help({"--as", "html"}), UsageError);
  EXPECT_THROW(help({"run", "check"}), UsageError);
}

}  // namespace
}  // namespace sagorder::io
