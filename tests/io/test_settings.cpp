#include "io/settings.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <initializer_list>
#include <string>
#include <vector>

#include "io/arguments.hpp"
#include "tests/io/temporary_directory.hpp"

namespace sagorder::io {
namespace {

using Arguments = std::vector<std::string>;

std::variant<Settings, PlainText> parse(const Arguments& arguments) {
  std::vector<const char*> argv{"sagorder"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  return parse_settings(static_cast<int>(argv.size()), argv.data());
}

Settings settings_of(const Arguments& arguments) { return std::get<Settings>(parse(arguments)); }

Settings run_with(const Arguments& more) {
  Arguments arguments{"run", "in.csv", "--output", "out.csv"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return settings_of(arguments);
}

/// The error and its hint, as `error | hint`.
std::string refusal_of(const Arguments& arguments) {
  try {
    parse(arguments);
  } catch (const UsageError& error) {
    return std::string(error.what()) + " | " + error.hint;
  }
  return {};
}

std::string run_refusal(const Arguments& more) {
  Arguments arguments{"run", "in.csv", "--output", "out.csv"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return refusal_of(arguments);
}

std::string text_of(const Arguments& arguments) {
  return std::get<PlainText>(parse(arguments)).text;
}

TEST(Settings, DefaultsOfRun) {
  const Settings settings = run_with({});
  EXPECT_EQ(settings.command, Command::run);
  EXPECT_EQ(settings.command_line, "sagorder run in.csv --output out.csv");
  EXPECT_EQ(settings.input, "in.csv");
  EXPECT_EQ(settings.output, "out.csv");
  EXPECT_EQ(settings.ledger, "out.csv.ledger");
  EXPECT_EQ(settings.endpoint, std::nullopt);
  EXPECT_EQ(settings.ca_file, "");
  EXPECT_EQ(settings.scheme, Scheme::acs3_hmac_sha256);
  EXPECT_EQ(settings.method, Method::post);
  EXPECT_EQ(settings.profile, std::nullopt);
  EXPECT_EQ(settings.rate.count, 10U);
  EXPECT_EQ(settings.rate.window, seconds(1));
  EXPECT_EQ(settings.burst, 1U);
  EXPECT_EQ(settings.connections, 16U);
  EXPECT_EQ(settings.threads, 1U);
  EXPECT_EQ(settings.max_in_flight, 256U);
  EXPECT_EQ(settings.request_timeout, seconds(60));
  EXPECT_EQ(settings.connect_timeout, seconds(10));
  EXPECT_EQ(settings.replay, Replay::never);
  EXPECT_EQ(settings.limits.max_orders, std::nullopt);
  EXPECT_EQ(settings.limits.max_seats, std::nullopt);
  EXPECT_EQ(settings.limits.max_seat_months, std::nullopt);
  EXPECT_EQ(settings.limits.canary, 0U);
  EXPECT_FALSE(settings.not_after);
  EXPECT_EQ(settings.limits.max_failures.value, 25U);
  EXPECT_FALSE(settings.limits.max_failures.percent);
  EXPECT_EQ(settings.limits.max_doubts, 10U);
  EXPECT_FALSE(settings.intake.strict || settings.skip_invalid || settings.again ||
               settings.dry_run || settings.yes || settings.quiet);
  EXPECT_EQ(settings.progress, ProgressMode::automatic);
  EXPECT_EQ(settings.log_format, LogFormat::text);
  EXPECT_EQ(settings.summary, "");
}

TEST(Settings, EveryOptionOfRun) {
  const Settings settings = run_with({"--ledger",
                                      "l.db",
                                      "--endpoint",
                                      "https://Gateway.Example.com:8443/",
                                      "--ca-file",
                                      "ca.pem",
                                      "--signature",
                                      "hmac-sha1",
                                      "--http-method",
                                      "get",
                                      "--profile",
                                      "p",
                                      "--rate",
                                      "200/60s",
                                      "--burst",
                                      "7",
                                      "--connections",
                                      "100",
                                      "--threads",
                                      "2",
                                      "--max-in-flight",
                                      "9",
                                      "--request-timeout",
                                      "2m",
                                      "--connect-timeout",
                                      "500ms",
                                      "--replay",
                                      "same-bytes",
                                      "--max-orders",
                                      "5",
                                      "--max-seats",
                                      "50",
                                      "--max-seat-months",
                                      "600",
                                      "--canary",
                                      "4",
                                      "--not-after",
                                      "2026-11-23T18:00:00+08:00",
                                      "--max-failures",
                                      "5%",
                                      "--max-doubts",
                                      "3",
                                      "--set",
                                      "Period=12",
                                      "--set",
                                      "ResourceGroupId=",
                                      "--carry",
                                      "A",
                                      "--carry",
                                      "B",
                                      "--strict",
                                      "--skip-invalid",
                                      "--again",
                                      "--dry-run",
                                      "--yes",
                                      "--progress",
                                      "json",
                                      "--quiet",
                                      "--log-format",
                                      "json",
                                      "--summary",
                                      "s.json"});
  EXPECT_EQ(settings.ledger, "l.db");
  EXPECT_EQ(settings.endpoint, (Endpoint{"gateway.example.com", 8443}));
  EXPECT_EQ(settings.ca_file, "ca.pem");
  EXPECT_EQ(settings.scheme, Scheme::hmac_sha1);
  EXPECT_EQ(settings.method, Method::get);
  EXPECT_EQ(settings.profile, "p");
  EXPECT_EQ(settings.rate.count, 200U);
  EXPECT_EQ(settings.rate.window, seconds(60));
  EXPECT_EQ(settings.burst, 7U);
  EXPECT_EQ(settings.connections, 100U);
  EXPECT_EQ(settings.threads, 2U);
  EXPECT_EQ(settings.max_in_flight, 9U);
  EXPECT_EQ(settings.request_timeout, seconds(120));
  EXPECT_EQ(settings.connect_timeout, milliseconds(500));
  EXPECT_EQ(settings.replay, Replay::same_bytes);
  EXPECT_EQ(settings.limits.max_orders, 5U);
  EXPECT_EQ(settings.limits.max_seats, 50U);
  EXPECT_EQ(settings.limits.max_seat_months, 600U);
  EXPECT_EQ(settings.limits.canary, 4U);
  ASSERT_TRUE(settings.not_after);
  EXPECT_EQ(settings.not_after->from(WallTime()), WallTime(seconds(1'795'428'000)));
  EXPECT_EQ(settings.limits.max_failures.value, 5U);
  EXPECT_TRUE(settings.limits.max_failures.percent);
  EXPECT_EQ(settings.limits.max_doubts, 3U);
  EXPECT_EQ(settings.intake.set, (std::vector<std::pair<std::string, std::string>>{
                                     {"Period", "12"}, {"ResourceGroupId", ""}}));
  EXPECT_EQ(settings.intake.carry, (std::vector<std::string>{"A", "B"}));
  EXPECT_TRUE(settings.intake.strict && settings.skip_invalid && settings.again &&
              settings.dry_run && settings.yes && settings.quiet);
  EXPECT_EQ(settings.progress, ProgressMode::json);
  EXPECT_EQ(settings.log_format, LogFormat::json);
  EXPECT_EQ(settings.summary, "s.json");
}

TEST(Settings, OtherCommands) {
  const Settings check = settings_of({"check", "-", "--strict"});
  EXPECT_EQ(check.command, Command::check);
  EXPECT_EQ(check.input, "-");
  EXPECT_EQ(check.output, "");
  EXPECT_EQ(check.ledger, "");
  const Settings status = settings_of({"status", "out.csv"});
  EXPECT_EQ(status.command, Command::status);
  EXPECT_EQ(status.output, "out.csv");
  EXPECT_EQ(status.ledger, "out.csv.ledger");
  EXPECT_TRUE(has(refusal_of({"status"}), "RESULTS is required"));
  const Settings anywhere = settings_of({"status", "--ledger", "postgresql://localhost/x"});
  EXPECT_EQ(anywhere.output, "");
  EXPECT_TRUE(has(refusal_of({"status", "--ledger", "x.ledger"}), "RESULTS is required"));
  const Settings results = settings_of({"results", "-o", "out.csv", "--input", "in.csv"});
  EXPECT_EQ(results.command, Command::results);
  EXPECT_EQ(results.output, "out.csv");
  EXPECT_EQ(results.ledger, "out.csv.ledger");
  EXPECT_EQ(results.input, "in.csv");
  EXPECT_TRUE(has(refusal_of({"results", "--ledger", "x.ledger"}), "--output is required"));
  EXPECT_TRUE(has(refusal_of({"results", "-o", "-"}), "standard output"));
  EXPECT_TRUE(has(refusal_of({"results", "-o", "x", "--ledger", "x"}), "the same file"));
  EXPECT_TRUE(has(refusal_of({"run", "in.csv"}), "--output is required"));
  EXPECT_TRUE(has(refusal_of({"run", "in.csv", "--output", ""}), "needs a path"));
  EXPECT_TRUE(has(refusal_of({"run", "in.csv", "--output", "-"}), "standard output"));
}

TEST(Settings, Resolution) {
  const Settings placed =
      settings_of({"resolve", "out.csv", "--row", "7", "--placed", "2057,sag-1"});
  EXPECT_EQ(placed.command, Command::resolve);
  EXPECT_EQ(placed.resolution.row, Row{7});
  EXPECT_TRUE(placed.resolution.placed);
  EXPECT_EQ(placed.resolution.order_id, "2057");
  EXPECT_EQ(placed.resolution.sag_id, "sag-1");
  EXPECT_EQ(settings_of({"resolve", "o", "--row", "7", "--placed", "2057"}).resolution.sag_id, "");
  const Settings not_placed = settings_of(
      {"resolve", "out.csv", "--row", "7", "--not-placed", "--because", "not in the console"});
  EXPECT_FALSE(not_placed.resolution.placed);
  EXPECT_EQ(not_placed.resolution.because, "not in the console");
}

TEST(Settings, ResolutionIsWhole) {
  const auto refusal = [](const Arguments& more) {
    Arguments arguments{"resolve", "out.csv"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return refusal_of(arguments);
  };
  EXPECT_TRUE(has(refusal({"--not-placed", "--because", "x"}), "--row is required"));
  EXPECT_TRUE(has(refusal({"--row", "1"}), "either --placed"));
  EXPECT_TRUE(has(refusal({"--row", "1", "--placed", "2", "--not-placed", "--because", "x"}),
                  "either --placed"));
  EXPECT_TRUE(has(refusal({"--row", "1", "--not-placed"}), "--because"));
  for (const char* because : {"", "  ", "two\nlines", "\x1b[0m"}) {
    EXPECT_TRUE(has(refusal({"--row", "1", "--not-placed", "--because", because}), "--because"));
  }
  EXPECT_TRUE(has(refusal({"--row", "1", "--not-placed", "--because", std::string(501, 'x')}),
                  "500 bytes"));
  for (const char* row : {"0", "-1", "1.5", "", "x", "99999999999999999999"}) {
    EXPECT_TRUE(has(refusal({"--row", row, "--placed", "2"}), "--row")) << row;
  }
  for (const char* placed :
       {"", ",", "2,", ",sag", "2,sag,x", "2 3", "=1", "2;3", "0", "02057", "02057,sag-1"}) {
    EXPECT_TRUE(has(refusal({"--row", "1", "--placed", placed}), "--placed")) << placed;
  }
}

TEST(Settings, NumbersHaveRangesThatTheErrorNames) {
  struct Case {
    const char* option;
    std::vector<const char*> wrong;
    std::vector<const char*> right;
    const char* range;
  };
  const std::vector<Case> cases = {
      {"--connections",
       {"0", "4097", "x", "", "1.5", "+1", " 1", "0x10"},
       {"1", "4096"},
       "1 to 4096"},
      {"--threads", {"0", "65"}, {"1", "64"}, "1 to 64"},
      {"--max-in-flight", {"0", "65537"}, {"1", "65536"}, "1 to 65536"},
      {"--burst", {"0", "1000001"}, {"1", "1000000"}, "1 to 1000000"},
      {"--max-orders", {"0", "1000000001"}, {"1", "1000000000"}, "1 to 1000000000"},
      {"--max-seats", {"0", "1000000000001"}, {"1"}, "1 to 1000000000000"},
      {"--max-doubts", {"0", "1000001"}, {"1", "1000000"}, "1 to 1000000"},
      {"--max-failures", {"0", "0%", "101%", "%", "5 %", "1000001"}, {"1", "100%"}, "1% to 100%"},
      {"--request-timeout",
       {"60", "0s", "999ms", "601s", "11m", "1.5s", "s", "60sec", "1000000000000000000h"},
       {"1s", "1000ms", "10m"},
       "from 1s to 10m"},
      {"--connect-timeout", {"10", "99ms", "121s"}, {"100ms", "2m"}, "from 100ms to 2m"},
      {"--grace", {"10", "99ms", "61m"}, {"100ms", "1h"}, "from 100ms to 60m"},
      {"--host-life", {"30", "2s", "61m"}, {"3s", "1h"}, "from 3s to 60m"},
      {"--wait-lock", {"10", "999ms", "25h"}, {"1s", "24h"}, "from 1s to 1440m"},
      {"--rate", {"0/s", "x", "", "1/x", "-1/s", "1000001/s"}, {"1/s", "unlimited", "5"}, "N/s"},
      {"--signature", {"", "ACS3", "md5"}, {"hmac-sha1"}, "acs3-hmac-sha256, hmac-sha1"},
      {"--replay", {"always"}, {"never"}, "never, same-bytes"},
      {"--progress", {"fancy"}, {"auto", "none"}, "auto, bar, plain, json, none"},
      {"--log-format", {"xml"}, {"text"}, "text, json"},
      {"--set", {"Period", "=12"}, {"Period=12=13"}, "NAME=VALUE"},
  };
  for (const Case& each : cases) {
    for (const char* value : each.wrong) {
      const auto refusal = run_refusal({each.option, value});
      EXPECT_TRUE(refusal.starts_with(each.option)) << each.option << " " << value << refusal;
      EXPECT_TRUE(has(refusal, each.range)) << each.option << " " << value << refusal;
    }
    for (const char* value : each.right) {
      EXPECT_EQ(run_refusal({each.option, value}), "") << each.option << " " << value;
    }
  }
}

TEST(Settings, InFlightFollowsTheConnections) {
  EXPECT_EQ(run_with({"--connections", "3"}).max_in_flight, 48U);
  EXPECT_EQ(run_with({"--connections", "4096"}).max_in_flight, 65'536U);
}

TEST(Settings, BurstFollowsTheRate) {
  EXPECT_EQ(run_with({"--rate", "5000/s"}).burst, default_burst(RateLimit{5000, seconds(1)}));
  EXPECT_GT(run_with({"--rate", "5000/s"}).burst, 1U);
}

TEST(Settings, EndpointIsHttpsAndNoMore) {
  EXPECT_EQ(run_with({"--endpoint", "https://a.b"}).endpoint, (Endpoint{"a.b", 443}));
  EXPECT_EQ(run_with({"--endpoint", "https://127.0.0.1:1"}).endpoint, (Endpoint{"127.0.0.1", 1}));
  EXPECT_EQ(run_with({"--endpoint", "https://[::1]:8443"}).endpoint, (Endpoint{"::1", 8443}));
  EXPECT_EQ(run_with({"--endpoint", "HTTPS://[FE80::1]/"}).endpoint, (Endpoint{"fe80::1", 443}));
  for (const char* wrong :
       {"", "a.b", "http://a.b", "https://", "https://a.b/path", "https://a.b?x", "https://a.b#x",
        "https://user:pass@a.b", "https://a.b:0", "https://a.b:65536", "https://a.b:", "https://:1",
        "https://[::1", "https://::1", "https://[a.b]", "https://a b", "https://a.b:1:2",
        "https://a.b\r\nx", "https://[::1]x"}) {
    EXPECT_TRUE(has(run_refusal({"--endpoint", wrong}), "https://HOST")) << wrong;
  }
}

TEST(Settings, GetGoesWithTheOldSignatureOnly) {
  EXPECT_TRUE(has(run_refusal({"--http-method", "get"}), "hmac-sha1"));
  EXPECT_EQ(run_refusal({"--http-method", "post"}), "");
}

TEST(Settings, FilesAreDistinct) {
  const TemporaryDirectory directory;
  put(directory / "in.csv", "");
  std::filesystem::create_symlink("in.csv", directory / "link.csv");
  std::filesystem::create_hard_link(directory / "in.csv", directory / "hard.csv");
  const std::string in = directory / "in.csv";
  const auto refusal = [&](const Arguments& more) {
    Arguments arguments{"run", in};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return refusal_of(arguments);
  };
  const std::string dotted = directory.path() + "/./x/../in.csv";
  for (const std::string& output : {in, directory / "link.csv", directory / "hard.csv", dotted}) {
    EXPECT_TRUE(has(refusal({"--output", output}), "the input and the results")) << output;
  }
  const std::string out = directory / "out.csv";
  EXPECT_EQ(refusal({"--output", out}), "");
  EXPECT_TRUE(has(refusal({"--output", out, "--ledger", in}), "the input and the ledger"));
  EXPECT_TRUE(has(refusal({"--output", out, "--ledger", out}), "the results and the ledger"));
  EXPECT_TRUE(has(refusal({"--output", out, "--summary", out}), "the results and the summary"));
  EXPECT_TRUE(has(refusal({"--output", out, "--metrics", out}), "the results and the metrics"));
  EXPECT_TRUE(
      has(refusal({"--output", out, "--ledger", directory / "./l", "--summary", directory / "l"}),
          "the ledger and the summary"));
}

TEST(Settings, UnknownNamesGetTheNearest) {
  EXPECT_TRUE(has(run_refusal({"--conections", "3"}), "did you mean --connections?"));
  EXPECT_TRUE(has(run_refusal({"--conections=3"}), "did you mean --connections?"));
  EXPECT_TRUE(has(run_refusal({"--max-order", "3"}), "did you mean --max-orders?"));
  EXPECT_TRUE(has(run_refusal({"--dryrun"}), "did you mean --dry-run?"));
  EXPECT_TRUE(has(run_refusal({"--frobnicate"}), "see sagorder run --help"));
  EXPECT_TRUE(has(refusal_of({"rnu", "a.csv"}), "did you mean sagorder run?"));
  EXPECT_TRUE(has(refusal_of({"a.csv"}), "the commands are run, check, "));
  EXPECT_TRUE(has(refusal_of({"check", "in.csv", "--yes"}),
                  "--yes is an option of run and resolve; check sends nothing"));
  EXPECT_TRUE(has(run_refusal({"more.csv"}), "unexpected argument: more.csv"));
  EXPECT_TRUE(has(refusal_of({}), "say what to do"));
}

TEST(Settings, ASecretIsNoArgumentAndIsNotEchoed) {
  for (const char* option : {"--access-key-secret", "--secret", "--security-token"}) {
    const auto refusal = run_refusal({std::string(option) + "=hunter2"});
    EXPECT_TRUE(has(refusal, "unknown option")) << refusal;
    EXPECT_FALSE(has(refusal, "hunter2")) << refusal;
    EXPECT_FALSE(has(run_refusal({option, "hunter2"}), "hunter2"));
  }
}

TEST(Settings, ErrorsAreOneLineWhateverWasTyped) {
  for (const Arguments& more : {Arguments{"--rate", "1\n2\x1b[0m"}, Arguments{"--what\never"},
                                Arguments{"a\nb"}, Arguments{"--rate", std::string(100'000, 'x')},
                                Arguments{"--rate"}, Arguments{"--rate", "1", "--rate", "2"}}) {
    const auto refusal = run_refusal(more);
    EXPECT_FALSE(refusal.empty());
    EXPECT_FALSE(has(refusal, "\n")) << refusal;
    EXPECT_FALSE(has(refusal, "\x1b")) << refusal;
    EXPECT_LT(refusal.size(), 400U);
  }
  EXPECT_TRUE(has(run_refusal({"--rate"}), "--rate: needs a value"));
  EXPECT_TRUE(has(run_refusal({"--rate", "1", "--rate", "2"}), "more than once"));
}

TEST(Settings, RepeatableOptionTakesOneValueEachTime) {
  const Settings settings =
      settings_of({"run", "--set", "Period=1", "in.csv", "--carry", "A", "--output", "out.csv"});
  EXPECT_EQ(settings.input, "in.csv");
}

/// What a reader makes of a line: arguments, a text, or the error and its hint.
using Reading = std::variant<io::Arguments, PlainText, std::string>;

Reading reading_of(ArgumentReader& reader, const Arguments& line) {
  std::vector<const char*> argv{"sagorder"};
  for (const std::string& argument : line) argv.push_back(argument.c_str());
  try {
    const auto read = reader.read(static_cast<int>(argv.size()), argv.data());
    if (const auto* const text = std::get_if<PlainText>(&read)) return *text;
    return std::get<io::Arguments>(read);
  } catch (const UsageError& error) {
    return std::string(error.what()) + " | " + error.hint;
  }
}

TEST(Settings, AReaderReadsEachLineAsTheFirst) {
  const std::vector<Arguments> lines = {
      {},
      {"--help"},
      {"run", "--help"},
      {"help", "run", "--as", "man"},
      {"run", "in.csv", "--output", "out.csv"},
      {"run", "in.csv", "--output", "out.csv", "--rate", "5/s", "--set", "A=1", "--carry", "B",
       "--strict", "--yes", "--quiet"},
      {"run", "in.csv", "--output", "out.csv", "--rate", "1", "--rate", "2"},
      {"run", "in.csv", "--output", "out.csv", "--rats", "1"},
      {"run", "in.csv", "--output"},
      {"run"},
      {"check", "in.csv", "--strict"},
      {"status", "out.csv", "--ledger", "l"},
      {"resolve", "out.csv", "--row", "7", "--not-placed", "--because", "looked"},
      {"resolve", "out.csv", "--not-placed"},
      {"chekc", "in.csv"}};
  ArgumentReader reader;
  for (const Arguments& before : lines) {
    for (const Arguments& line : lines) {
      reading_of(reader, before);
      ArgumentReader fresh;
      EXPECT_EQ(reading_of(reader, line), reading_of(fresh, line))
          << ::testing::PrintToString(line) << " after " << ::testing::PrintToString(before);
    }
  }
}

TEST(Settings, WordsBehindTheEndOfOptionsAreFiles) {
  using Words = std::vector<std::string>;
  const Words words = {"run", "--rate", "5/s", "--burst=2", "--", "--rate", "-x.csv"};
  EXPECT_EQ(words_without(words, "--rate"), (Words{"run", "--burst=2", "--", "--rate", "-x.csv"}));
  EXPECT_EQ(words_without(words, "--burst"),
            (Words{"run", "--rate", "5/s", "--", "--rate", "-x.csv"}));
  EXPECT_EQ(words_with({"run", "--", "-x.csv"}, "--rate", "1/s"),
            (Words{"run", "--rate", "1/s", "--", "-x.csv"}));
  EXPECT_EQ(words_with({"run"}, "--rate", "1/s"), (Words{"run", "--rate", "1/s"}));
  EXPECT_EQ(operand_quoted("-x y.csv"), "'./-x y.csv'");
  EXPECT_EQ(operand_quoted("-"), "-") << "standard input";
  EXPECT_EQ(operand_quoted("x-.csv"), "x-.csv");
}

TEST(Settings, HelpAndVersion) {
  EXPECT_TRUE(text_of({"--version"}).starts_with("sagorder 0.1.0\n"));
  for (const char* command : {"run", "check", "status", "resolve"}) {
    EXPECT_TRUE(has(text_of({"--help"}), command));
    EXPECT_TRUE(has(text_of({command, "--help"}), std::string("sagorder ") + command));
  }
  const std::string run = text_of({"run", "--help"});
  for (const char* group : {"Input:", "Output:", "Consent:", "Pace:", "Limits:", "Network:"}) {
    EXPECT_TRUE(has(run, group)) << group;
  }
  EXPECT_TRUE(has(run, "SignatureNonceUsed"));
  EXPECT_TRUE(has(run, "guarantee"));
}

TEST(ListenAddress, IsLoopbackUnlessItIsWrittenOut) {
  EXPECT_EQ(parse_listen_address("9464"), (ListenAddress{"127.0.0.1", 9464}));
  EXPECT_EQ(parse_listen_address("0"), (ListenAddress{"127.0.0.1", 0}));
  EXPECT_EQ(parse_listen_address("localhost:1"), (ListenAddress{"127.0.0.1", 1}));
  EXPECT_EQ(parse_listen_address("0.0.0.0:9464"), (ListenAddress{"0.0.0.0", 9464}));
  EXPECT_EQ(parse_listen_address("[::1]:65535"), (ListenAddress{"::1", 65'535}));
  for (const char* wrong :
       {"", ":", ":9464", "*:9464", "127.0.0.1", "127.0.0.1:", "127.1:9464", "::1:9464", "[]:1",
        "[127.0.0.1]:1", "example.com:1", "65536", "-1", "9464 "}) {
    EXPECT_EQ(parse_listen_address(wrong), std::nullopt) << wrong;
  }
}

TEST(Duration, HasAUnit) {
  EXPECT_EQ(parse_duration("60s"), seconds(60));
  EXPECT_EQ(parse_duration("500ms"), milliseconds(500));
  EXPECT_EQ(parse_duration("2m"), seconds(120));
  EXPECT_EQ(parse_duration("24h"), std::chrono::hours(24));
  EXPECT_EQ(parse_duration("0s"), seconds(0));
  for (const char* wrong : {"", "60", "s", "1.5s", "-1s", "1 s", "1S", "25h", "1d", "1ss",
                            "99999999999999999999s", "18446744073709551615h"}) {
    EXPECT_EQ(parse_duration(wrong), std::nullopt) << wrong;
  }
}

TEST(ShellQuoted, IsReadBackByAShell) {
  EXPECT_EQ(shell_quoted("a/b-c.csv"), "a/b-c.csv");
  EXPECT_EQ(shell_quoted(""), "''");
  EXPECT_EQ(shell_quoted("a b"), "'a b'");
  EXPECT_EQ(shell_quoted("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_quoted("$(x)"), "'$(x)'");
  EXPECT_EQ(shell_quoted("=ls"), "'=ls'") << "zsh would put a path there";
  EXPECT_EQ(shell_quoted("\xE8\xAE\xA2.csv"), "'\xE8\xAE\xA2.csv'")
      << "text that can be read stays so";
}

// What is pasted is what was shown: nothing in it that a terminal would swallow or obey.
TEST(ShellQuoted, IsShownAsItIsWhateverItHolds) {
  EXPECT_EQ(shell_quoted("a\nb"), "\"$(printf 'a\\012b')\"");
  EXPECT_EQ(shell_quoted("it's\x1b"), "\"$(printf 'it\\047s\\033')\"");
  EXPECT_EQ(shell_quoted("\xff\\"), "\"$(printf '\\377\\134')\"");
  EXPECT_EQ(shell_quoted("%\t"), "\"$(printf '%%\\011')\"");
  EXPECT_EQ(shell_quoted("%\n"), "$'%\\012'") << "$() would lose the last line end";
  for (int first = 0; first < 256; ++first) {
    const std::string name = {static_cast<char>(first), 'x', '1'};
    const std::string quoted = shell_quoted(name);
    EXPECT_EQ(printable(quoted), quoted) << first;
  }
}

TEST(Settings, CommandsNameTheProgramAsItWasCalled) {
  const auto program_of = [](const char* called) {
    const char* const arguments[] = {called, "check", "a.csv"};
    return std::get<Settings>(parse_settings(3, arguments)).command_line;
  };
  EXPECT_EQ(program_of("sagorder"), "sagorder check a.csv");
  EXPECT_EQ(program_of("build/sagorder"), "build/sagorder check a.csv");
  EXPECT_EQ(program_of("/opt/a b/sagorder"), "'/opt/a b/sagorder' check a.csv");
  EXPECT_EQ(program_of("renamed"), "sagorder check a.csv");
}

TEST(Settings, AProxyIsAnUrlOrNoneAndNeverHasAPassword) {
  EXPECT_EQ(run_with({"--proxy", "http://p:1"}).proxy.url, "http://p:1");
  EXPECT_FALSE(run_with({"--proxy", "http://p:1"}).proxy.none);
  EXPECT_TRUE(run_with({"--proxy", "none"}).proxy.none);
  EXPECT_TRUE(run_with({}).proxy.url.empty());
  EXPECT_TRUE(has(run_refusal({"--proxy", "http://p"}), "names no port"));
  EXPECT_TRUE(has(run_refusal({"--proxy", "https://p:1"}), "plain HTTP"));
  const std::string refusal = run_refusal({"--proxy", "http://u:hidden@p:1"});
  EXPECT_TRUE(has(refusal, "never an argument"));
  EXPECT_FALSE(has(refusal, "hidden"));
}

TEST(Settings, AClientCertificateGoesWithItsKey) {
  const Settings settings = run_with({"--client-cert", "a.pem", "--client-key", "b.pem"});
  EXPECT_EQ(settings.client_certificate, "a.pem");
  EXPECT_EQ(settings.client_key, "b.pem");
  EXPECT_TRUE(has(run_refusal({"--client-cert", "a.pem"}), "go together"));
  EXPECT_TRUE(has(run_refusal({"--client-key", "b.pem"}), "go together"));
}

TEST(Settings, PinsNameHostPortAndAddresses) {
  const auto pin = parse_pin("A.Example:8443:192.0.2.7,[2001:db8::7],::1");
  ASSERT_TRUE(pin.has_value());
  EXPECT_EQ(pin->endpoint, (Endpoint{"a.example", 8443}));
  EXPECT_EQ(pin->addresses, (std::vector<std::string>{"192.0.2.7", "2001:db8::7", "::1"}));
  for (const char* const wrong :
       {"", ":", "::", ":1:::1", "a", "a:1", "a:1:", "a:1:b", "a::::1", "a:0:::1", "a:70000:::1",
        "a:1:127.0.0.1,", "a:1:,127.0.0.1", "a:1:[127.0.0.1", "a:1:127.0.0.1 ", "a/:1:127.0.0.1"}) {
    EXPECT_FALSE(parse_pin(wrong).has_value()) << wrong;
  }
  std::string many = "a:1:127.0.0.1";
  for (std::size_t i = 1; i < kPinnedMax; ++i) many += ",127.0.0.1";
  EXPECT_TRUE(parse_pin(many).has_value());
  EXPECT_FALSE(parse_pin(many + ",127.0.0.1").has_value());
  EXPECT_EQ(run_with({"--resolve", "a:1:::1", "--resolve", "b:1:::1"}).pins.size(), 2U);
  EXPECT_TRUE(has(run_refusal({"--resolve", "a:1"}), "HOST:PORT:ADDRESS"));
}

}  // namespace
}  // namespace sagorder::io
