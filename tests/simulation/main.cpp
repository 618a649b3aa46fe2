// simulation: plays histories by their seeds. What it can be asked is in kHelp.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulation/history.hpp"
#include "tests/simulation/planted.hpp"

namespace sagorder::simulation {
namespace {

constexpr std::uint64_t kFailuresShown = 10;
constexpr std::uint64_t kSeedsForPlanted = 20'000;

constexpr const char* kHelp =
    R"(tests/simulate: plays whole histories of a batch in virtual time, each from one seed.

  tests/simulate --seed N [--trace]           one history, retold line by line
  tests/simulate --seeds COUNT [--first N]    many from seed N (1) on, and a table
  tests/simulate --seeds A..B                 likewise
  tests/simulate                              as --seeds 20000 --matrix

  --trace           tells what happens as it happens (the words: tests/README.md)
  --matrix          prints how often each fault struck in each phase of an order's life
  --full-matrix     likewise; a cell that stays empty and is not impossible by name is a failure
  --stop            at the first violation
  --twice-every N   plays each seed that N divides twice, and compares what is told (64; 0: none)
  --planted NAME    with a bug that is to be found, until it is; all: each, one after the other
                    (20000 seeds unless told; those of the engine are in simulation_planted alone)
  --json            one line of figures for a campaign, nothing else
  --cells           says which cells of the table can be struck, and why the others cannot
  --help            this

A violation comes with the command that retells its history.
Exit codes: 0 no violation, 1 a violation (or an empty cell), 2 wrong usage.
)";

struct Arguments {
  std::uint64_t first = 1;
  std::uint64_t count = 0;  ///< 0: not said
  std::uint64_t twice_every = 64;
  bool trace = false;
  bool full_matrix = false;
  bool matrix = false;
  bool json = false;
  bool stop = false;
  bool cells = false;
  bool help = false;
  bool one = false;   ///< --seed was given
  bool many = false;  ///< --seeds or --first was given
  std::string planted;
};

bool to_number(std::string_view text, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

bool to_range(std::string_view text, Arguments& arguments) {
  const std::size_t dots = text.find("..");
  if (dots == std::string_view::npos) return to_number(text, arguments.count);
  std::uint64_t last = 0;
  if (!to_number(text.substr(0, dots), arguments.first) ||
      !to_number(text.substr(dots + 2), last) || last < arguments.first) {
    return false;
  }
  arguments.count = last - arguments.first + 1;
  return true;
}

bool take_flag(std::string_view name, Arguments& arguments) {
  struct Flag {
    std::string_view name;
    bool Arguments::*member;
  };
  static constexpr std::array<Flag, 8> kFlags = {{{"--trace", &Arguments::trace},
                                                  {"--full-matrix", &Arguments::full_matrix},
                                                  {"--matrix", &Arguments::matrix},
                                                  {"--json", &Arguments::json},
                                                  {"--stop", &Arguments::stop},
                                                  {"--cells", &Arguments::cells},
                                                  {"-h", &Arguments::help},
                                                  {"--help", &Arguments::help}}};
  const auto* const found = std::find_if(kFlags.begin(), kFlags.end(),
                                         [&](const Flag& flag) { return flag.name == name; });
  if (found == kFlags.end()) return false;
  arguments.*found->member = true;
  return true;
}

bool take_value(std::string_view name, std::string_view text, Arguments& arguments) {
  if (name == "--twice-every") return to_number(text, arguments.twice_every);
  if (name == "--seeds" || name == "--first") {
    arguments.many = true;
    return name == "--seeds" ? to_range(text, arguments) : to_number(text, arguments.first);
  }
  if (name == "--seed") {
    arguments.one = true;
    arguments.count = 1;
    return to_number(text, arguments.first);
  }
  if (name != "--planted") return false;
  arguments.planted = text;
  return true;
}

/// What is wrong with the arguments; empty: nothing.
std::string parse(int count, char** texts, Arguments& arguments) {
  for (int i = 1; i < count; ++i) {
    if (take_flag(texts[i], arguments)) continue;
    if (i + 1 == count || !take_value(texts[i], texts[i + 1], arguments)) {
      return fmt::format("not understood: {}",
                         fmt::join(texts + i, texts + std::min(i + 2, count), " "));
    }
    ++i;
  }
  if (arguments.help || arguments.cells) return "";
  if (arguments.one && arguments.many) return "--seed is one history, --seeds and --first are many";
  if (arguments.count == 0 && !arguments.planted.empty()) arguments.count = kSeedsForPlanted;
  return arguments.count > 0 ? "" : "--seed N or --seeds COUNT says what is played";
}

struct Failure {
  std::uint64_t seed = 0;
  Violation violation;
};

/// All that many histories add up to.
struct Sum {
  Matrix matrix;
  std::uint64_t seeds = 0;
  std::uint64_t events = 0;
  std::uint64_t requests = 0;
  std::uint64_t processes = 0;
  std::uint64_t twice = 0;
  std::uint64_t failures = 0;
  std::vector<Failure> kept;
  Told told;

  void add(const Outcome& outcome) {
    ++seeds;
    events += outcome.events;
    requests += outcome.requests;
    processes += outcome.processes;
    told.copies_executed += outcome.told.copies_executed;
    told.lied += outcome.told.lied;
    told.lied_twice += outcome.told.lied_twice;
    told.ids_of_before += outcome.told.ids_of_before;
    told.torn_first_lines += outcome.told.torn_first_lines;
    told.late_copies += outcome.told.late_copies;
  }
};

void tell_failure(const Outcome& outcome, std::uint64_t seed, Sum& sum, const Arguments& given) {
  if (++sum.failures > kFailuresShown) return;
  for (const Violation& each : outcome.violations) sum.kept.push_back({seed, each});
  if (given.json) return;
  for (const Violation& each : outcome.violations) {
    std::printf("VIOLATION seed %llu %s: %s\n", static_cast<unsigned long long>(seed),
                each.invariant.c_str(), each.text.c_str());
  }
  std::printf("  to repeat it: tests/simulate --seed %llu --trace%s%s\n",
              static_cast<unsigned long long>(seed), given.planted.empty() ? "" : " --planted ",
              given.planted.c_str());
  std::fflush(stdout);
}

Outcome play_seed(std::uint64_t seed, Sum& sum, const Arguments& given) {
  Outcome outcome = play(seed, given.trace, sum.matrix);
  sum.add(outcome);
  if (given.twice_every > 0 && seed % given.twice_every == 0) {
    Matrix unused;
    ++sum.twice;
    const Outcome again = play(seed, false, unused);
    if (again.digest != outcome.digest) {
      outcome.violations.push_back({"I12", "the same seed tells another history"});
    }
  }
  return outcome;
}

void print_table(const Sum& sum, double took) {
  fmt::print("seeds                {:>14}   ({:.0f} a second)\n", sum.seeds,
             static_cast<double>(sum.seeds) / took);
  fmt::print("processes            {:>14}\n", sum.processes);
  fmt::print("events               {:>14}\n", sum.events);
  fmt::print("requests             {:>14}\n", sum.requests);
  fmt::print("faults               {:>14}\n", sum.matrix.total());
  fmt::print("played twice         {:>14}\n", sum.twice);
  fmt::print("violations           {:>14}\n", sum.failures);
  fmt::print(
      "told apart: copies executed by a server that forgets nonces {}; rows of a lying "
      "server {}, executed again {}; OrderIds of an earlier process {}; "
      "results torn in their first line {}; copies after 60 s, as the process stood still "
      "{}\n",
      sum.told.copies_executed, sum.told.lied, sum.told.lied_twice, sum.told.ids_of_before,
      sum.told.torn_first_lines, sum.told.late_copies);
}

std::string cell_of(Fault fault, Phase phase) {
  return fmt::format("{} x {}", name_of(fault), name_of(phase));
}

template <class Visit>
void for_each_cell(const Visit& visit) {
  for (std::size_t f = 0; f < kFaults; ++f) {
    for (std::size_t p = 0; p < kPhases; ++p) visit(static_cast<Fault>(f), static_cast<Phase>(p));
  }
}

void append_item(std::string& list, const std::string& item) {
  if (!list.empty()) list += ',';
  list += item;
}

/// Which cells can be struck, and which cannot, by name.
void print_cells() {
  std::string possible;
  std::string never;
  for_each_cell([&](Fault fault, Phase phase) {
    const std::string_view why = impossible(fault, phase);
    const std::string name = cell_of(fault, phase);
    if (why.empty()) {
      append_item(possible, fmt::format("\"{}\"", name));
    } else {
      append_item(never, fmt::format("\"{}\":\"{}\"", name, why));
    }
  });
  fmt::print("{{\"possible\":[{}],\"impossible\":{{{}}}}}\n", possible, never);
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
  std::string faults;
  for_each_cell([&](Fault fault, Phase phase) {
    const std::uint64_t count = sum.matrix.count(fault, phase);
    if (count > 0) append_item(faults, fmt::format("\"{}\":{}", cell_of(fault, phase), count));
  });
  std::string failures;
  for (const Failure& each : sum.kept) {
    append_item(failures,
                fmt::format("{{\"seed\":{},\"invariant\":{},\"text\":{}}}", each.seed,
                            quoted(each.violation.invariant), quoted(each.violation.text)));
  }
  fmt::print(
      "{{\"seeds\":{},\"seconds\":{:.3f},\"cpu_seconds\":{:.3f},\"events\":{},\"requests\":{},"
      "\"processes\":{},\"twice\":{},\"failures\":{},\"violations\":[{}],\"copies_executed\":{},"
      "\"lied\":{},\"lied_twice\":{},\"ids_of_before\":{},\"torn_first_lines\":{},"
      "\"late_copies\":{},\"faults\":{{{}}}}}\n",
      sum.seeds, took, static_cast<double>(std::clock()) / CLOCKS_PER_SEC, sum.events, sum.requests,
      sum.processes, sum.twice, sum.failures, failures, sum.told.copies_executed, sum.told.lied,
      sum.told.lied_twice, sum.told.ids_of_before, sum.told.torn_first_lines, sum.told.late_copies,
      faults);
}

/// Each planted bug has to be found; tells by which seed and which invariant.
int run_planted(const Arguments& given) {
  std::uint64_t missed = 0;
  for (const std::string_view name : plantable()) {
    plant(name);
    Sum sum;
    for (std::uint64_t seed = given.first; seed - given.first < given.count; ++seed) {
      const Outcome outcome = play(seed, false, sum.matrix);
      for (const Violation& each : outcome.violations) sum.kept.push_back({seed, each});
      if (!sum.kept.empty()) break;
    }
    if (sum.kept.empty()) {
      ++missed;
      fmt::print("{:<28} NOT FOUND by {} seeds\n", name, given.count);
      continue;
    }
    const Failure& first = sum.kept.front();
    fmt::print("{:<28} seed {:>6}  {:<4} {}\n", name, first.seed, first.violation.invariant,
               first.violation.text);
  }
  fmt::print("planted {}, not found {}\n", plantable().size(), missed);
  return missed > 0 ? 1 : 0;
}

int run(const Arguments& given) {
  if (given.cells) {
    print_cells();
    return 0;
  }
  if (given.planted == "all") return run_planted(given);
  Sum sum;
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint64_t seed = given.first; seed - given.first < given.count; ++seed) {
    const Outcome outcome = play_seed(seed, sum, given);
    if (!outcome.violations.empty()) tell_failure(outcome, seed, sum, given);
    if ((given.stop || !given.planted.empty()) && sum.failures > 0) break;
  }
  const double took =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (given.json) {
    print_json(sum, took);
  } else {
    print_table(sum, took);
    if (given.matrix || given.full_matrix) std::fputs(sum.matrix.to_text().c_str(), stdout);
  }
  const std::string complaints = given.full_matrix ? sum.matrix.complaints() : std::string();
  std::fputs(complaints.c_str(), stdout);
  return sum.failures > 0 || !complaints.empty() ? 1 : 0;
}

}  // namespace
}  // namespace sagorder::simulation

int main(int count, char** texts) {
  using namespace sagorder::simulation;
  Arguments arguments;
  const std::string wrong = parse(count, texts, arguments);
  if (!wrong.empty()) {
    std::fprintf(stderr, "tests/simulate: %s (see --help)\n", wrong.c_str());
    return 2;
  }
  if (arguments.help) {
    std::fputs(kHelp, stdout);
    return 0;
  }
  if (!arguments.planted.empty() && arguments.planted != "all" && !plant(arguments.planted)) {
    std::fprintf(stderr, "tests/simulate: no bug of this name is in this build: %s\n",
                 arguments.planted.c_str());
    return 2;
  }
  return run(arguments);
}
