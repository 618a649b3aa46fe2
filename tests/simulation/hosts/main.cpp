// simulation_hosts: plays histories of several hosts on one batch by their seeds (kHelp).
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulation/hosts/history.hpp"
#include "tests/simulation/planted.hpp"

namespace sagorder::simulation::hosts {
namespace {

constexpr std::uint64_t kFailuresShown = 10;

constexpr const char* kHelp =
    R"(simulation_hosts: plays whole histories of several hosts that share one batch, in virtual time.

  --seed N [--trace]          one history; --trace retells it line by line
  --seeds COUNT [--first N]   many from seed N (1) on, and a table
  --twice-every N             plays each seed that N divides twice, and compares what is told (64)
  --planted NAME              with a mistake that is to be found, until it is; all: each in turn
  --json                      one line of figures for a campaign, nothing else
  --help                      this

Exit codes: 0 no violation, 1 a violation (or a planted mistake not found), 2 wrong usage.
)";

struct Arguments {
  std::uint64_t first = 1;
  std::uint64_t count = 0;
  std::uint64_t twice_every = 64;
  bool trace = false;
  bool json = false;
  bool help = false;
  std::string planted;
};

bool to_number(std::string_view text, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

bool take_value(std::string_view name, std::string_view text, Arguments& given) {
  if (name == "--seeds") return to_number(text, given.count);
  if (name == "--first") return to_number(text, given.first);
  if (name == "--twice-every") return to_number(text, given.twice_every);
  if (name == "--seed") {
    given.count = 1;
    return to_number(text, given.first);
  }
  given.planted = text;
  return name == "--planted";
}

bool parse(int count, char** texts, Arguments& given) {
  for (int i = 1; i < count; ++i) {
    const std::string_view name = texts[i];
    given.trace = given.trace || name == "--trace";
    given.json = given.json || name == "--json";
    given.help = given.help || name == "--help";
    if (name == "--trace" || name == "--json" || name == "--help") continue;
    if (i + 1 == count || !take_value(name, texts[i + 1], given)) return false;
    ++i;
  }
  return given.help || given.count > 0;
}

struct Failure {
  std::uint64_t seed = 0;
  Violation violation;
};

/// All that many histories add up to.
struct Sum {
  std::uint64_t seeds = 0;
  std::uint64_t twice = 0;
  std::uint64_t failures = 0;
  Outcome all;  ///< its counts
  std::vector<Failure> kept;

  void add(const Outcome& outcome) {
    ++seeds;
    all.events += outcome.events;
    all.requests += outcome.requests;
    all.lives += outcome.lives;
    all.elsewhere += outcome.elsewhere;
    all.open += outcome.open;
    all.fenced += outcome.fenced;
  }
};

void play_seed(std::uint64_t seed, Sum& sum, const Arguments& given) {
  Outcome outcome = play(seed, given.trace);
  sum.add(outcome);
  if (given.twice_every > 0 && seed % given.twice_every == 0) {
    ++sum.twice;
    if (play(seed, false).digest != outcome.digest) {
      outcome.violations.push_back({"S11", "the same seed tells another history"});
    }
  }
  if (outcome.violations.empty() || ++sum.failures > kFailuresShown) return;
  for (const Violation& each : outcome.violations) {
    sum.kept.push_back({seed, each});
    if (!given.json) fmt::print("VIOLATION seed {} {}: {}\n", seed, each.invariant, each.text);
  }
  if (!given.json) {
    fmt::print("  to repeat it: build/tests/simulation/simulation_hosts --seed {} --trace\n", seed);
  }
}

void print_table(const Sum& sum, double took) {
  fmt::print("seeds                {:>14}   ({:.0f} a second)\n", sum.seeds,
             static_cast<double>(sum.seeds) / took);
  fmt::print("processes            {:>14}\n", sum.all.lives);
  fmt::print("events               {:>14}\n", sum.all.events);
  fmt::print("requests             {:>14}\n", sum.all.requests);
  fmt::print("claims refused       {:>14}\n", sum.all.elsewhere);
  fmt::print("left open by the dead{:>14}\n", sum.all.open);
  fmt::print("stopped, for fenced  {:>14}\n", sum.all.fenced);
  fmt::print("played twice         {:>14}\n", sum.twice);
  fmt::print("violations           {:>14}\n", sum.failures);
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return out + '"';
}

void print_json(const Sum& sum, double took) {
  std::string failures;
  for (const Failure& each : sum.kept) {
    if (!failures.empty()) failures += ',';
    failures += fmt::format("{{\"seed\":{},\"invariant\":{},\"text\":{}}}", each.seed,
                            quoted(each.violation.invariant), quoted(each.violation.text));
  }
  fmt::print(
      "{{\"seeds\":{},\"seconds\":{:.3f},\"cpu_seconds\":{:.3f},\"events\":{},\"requests\":{},"
      "\"processes\":{},\"twice\":{},\"failures\":{},\"elsewhere\":{},\"open\":{},\"fenced\":{},"
      "\"violations\":[{}]}}\n",
      sum.seeds, took, static_cast<double>(std::clock()) / CLOCKS_PER_SEC, sum.all.events,
      sum.all.requests, sum.all.lives, sum.twice, sum.failures, sum.all.elsewhere, sum.all.open,
      sum.all.fenced, failures);
}

/// Each planted mistake has to be found; tells by which seed and which invariant.
int run_planted(const Arguments& given) {
  std::uint64_t missed = 0;
  for (const std::string_view name : plantable()) {
    plant(name);
    Outcome found;
    std::uint64_t seed = given.first;
    for (; seed - given.first < given.count && found.violations.empty(); ++seed) {
      found = play(seed, false);
    }
    if (found.violations.empty()) {
      ++missed;
      fmt::print("{:<31} NOT FOUND by {} seeds\n", name, given.count);
      continue;
    }
    const Violation& first = found.violations.front();
    fmt::print("{:<31} seed {:>6}  {:<4} {}\n", name, seed - 1, first.invariant, first.text);
  }
  fmt::print("planted {}, not found {}\n", plantable().size(), missed);
  return missed > 0 ? 1 : 0;
}

int run(const Arguments& given) {
  if (given.planted == "all") return run_planted(given);
  Sum sum;
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint64_t seed = given.first; seed - given.first < given.count; ++seed) {
    play_seed(seed, sum, given);
    if (!given.planted.empty() && sum.failures > 0) break;
  }
  const double took =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  given.json ? print_json(sum, took) : print_table(sum, took);
  return sum.failures > 0 ? 1 : 0;
}

}  // namespace
}  // namespace sagorder::simulation::hosts

int main(int count, char** texts) {
  using namespace sagorder::simulation;
  hosts::Arguments given;
  if (!hosts::parse(count, texts, given)) {
    std::fprintf(stderr, "simulation_hosts: not understood (see --help)\n");
    return 2;
  }
  if (given.help) {
    std::fputs(hosts::kHelp, stdout);
    return 0;
  }
  if (!given.planted.empty() && given.planted != "all" && !plant(given.planted)) {
    std::fprintf(stderr, "simulation_hosts: no mistake of this name is in this build: %s\n",
                 given.planted.c_str());
    return 2;
  }
  return hosts::run(given);
}
