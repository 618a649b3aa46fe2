#include "tests/simulation/matrix.hpp"

#include <fmt/format.h>

#include <initializer_list>
#include <iterator>

namespace sagorder::simulation {
namespace {

using Mask = std::uint32_t;

constexpr Mask of(std::initializer_list<Phase> phases) {
  Mask mask = 0;
  for (const Phase phase : phases) mask |= 1U << static_cast<unsigned>(phase);
  return mask;
}

using enum Phase;
constexpr Mask kOrders = of({unread, queued, intending, ready, leased, connecting, connected,
                             request_part, request_whole, answer_part, settling, waiting, settled});
constexpr Mask kMaking = of({leased, connecting});
constexpr Mask kUnderWay = of({request_part, request_whole});

struct Rule {
  std::string_view name;
  Mask possible;
  std::string_view reason;  // why nowhere else
};

constexpr std::string_view kOnlyMaking = "only a connection that is being made ends so";
constexpr std::string_view kOnlyRequest = "it strikes the request's bytes on their way";
constexpr std::string_view kOnlyAnswer = "it strikes the answer's bytes on their way";
constexpr std::string_view kOnlyKept = "it strikes a connection that is open and not yet answering";
constexpr std::string_view kOnlyRead = "a server answers a request that it has read";
constexpr std::string_view kOnlyCommit = "only what a commit holds is struck by its end";
constexpr std::string_view kOnlyFacts = "facts are written at a start and before the first intent";
constexpr std::string_view kOnlyMemory =
    "the memory is written before the first intent, and "
    "taken back at an end";
constexpr std::string_view kOnlyLines = "lines are appended once rows are settled, or repaired";
constexpr std::string_view kOnlySync = "the results are synced when they are whole";
constexpr std::string_view kOnlyProcess = "a process must run";
constexpr std::string_view kOnlyLoop = "its loop must run: before, a signal kills, nothing waits";
constexpr std::string_view kOnlyPeople = "people act between two runs";

constexpr Mask kRead = of({request_whole});
constexpr Mask kKept = of({idle, connected, request_part, request_whole});

constexpr std::array<Rule, kFaults> kRules = {{
    {"resolve_failed", kMaking, kOnlyMaking},
    {"connect_refused", kMaking, kOnlyMaking},
    {"connect_stalled", kMaking, kOnlyMaking},
    {"handshake_failed", kMaking, kOnlyMaking},
    {"certificate_refused", kMaking, kOnlyMaking},
    {"request_fin", kUnderWay, kOnlyRequest},
    {"request_reset", kUnderWay, kOnlyRequest},
    {"request_stalled", kUnderWay, kOnlyRequest},
    {"answer_fin", of({request_whole, answer_part}), kOnlyAnswer},
    {"answer_reset", of({request_whole, answer_part}), kOnlyAnswer},
    {"answer_stalled", of({request_whole, answer_part}), kOnlyAnswer},
    {"half_closed", kUnderWay, kOnlyRequest},
    {"server_closed", kKept, kOnlyKept},
    {"server_reset", kKept, kOnlyKept},
    {"stray_bytes", kKept, kOnlyKept},
    {"reset_at_write", of({request_part}), "it strikes the first write"},
    {"throttled", kRead, kOnlyRead},
    {"row_refused", kRead, kOnlyRead},
    {"key_refused", kRead, kOnlyRead},
    {"unpaid", kRead, kOnlyRead},
    {"clock_refused", kRead, kOnlyRead},
    {"nonce_used", kRead, kOnlyRead},
    {"sent_twice", kRead, kOnlyRead},
    {"unknown_code", kRead, kOnlyRead},
    {"redirect", kRead, kOnlyRead},
    {"unavailable", kRead, kOnlyRead},
    {"unavailable_after", kRead, kOnlyRead},
    {"internal", kRead, kOnlyRead},
    {"internal_after", kRead, kOnlyRead},
    {"internal_late", kRead, kOnlyRead},
    {"silent", kRead, kOnlyRead},
    {"silent_after", kRead, kOnlyRead},
    {"silent_late", kRead, kOnlyRead},
    {"slow", kRead, kOnlyRead},
    {"html", kRead, kOnlyRead},
    {"html_after", kRead, kOnlyRead},
    {"duplicate_keys", kRead, kOnlyRead},
    {"garbled", kRead, kOnlyRead},
    {"too_large", kRead, kOnlyRead},
    {"answers_again", kRead, kOnlyRead},
    {"answers_late", kRead, kOnlyRead},
    {"repeats_id", kRead, kOnlyRead},
    {"forgets_nonce", kRead, kOnlyRead},
    {"lies", kRead, kOnlyRead},
    {"commit_lost", of({intending, settling, closing}), kOnlyCommit},
    {"commit_kept", of({intending, settling, closing}), kOnlyCommit},
    {"commit_slow", of({intending, settling}), kOnlyCommit},
    {"facts_failed", of({start, remembering}), kOnlyFacts},
    {"memory_failed", of({remembering, ending}), kOnlyMemory},
    {"append_failed", of({settled, repairing}), kOnlyLines},
    {"sync_failed", of({ending}), kOnlySync},
    {"killed", kOrders | of({start, closing, repairing, remembering, ending}), kOnlyProcess},
    {"power_lost", kOrders | of({start, closing, repairing, remembering, ending}), kOnlyProcess},
    {"interrupted", kOrders, kOnlyLoop},
    {"interrupted_again", kOrders, kOnlyLoop},
    {"paused", kOrders, kOnlyLoop},
    {"clock_jumped", kOrders, kOnlyLoop},
    {"second_process", kOrders | of({start, closing}),
     "the process before it must run, and between two events"},
    {"input_edited", kOrders, kOnlyLoop},
    {"other_input", of({between}), kOnlyPeople},
    {"older_ledger", of({between}), kOnlyPeople},
    {"other_output", of({between}), kOnlyPeople},
    {"ledger_copied", of({between}), kOnlyPeople},
    {"results_altered", of({between}), kOnlyPeople},
    {"resolved", of({between}), kOnlyPeople},
}};

constexpr std::array<std::string_view, kPhases> kPhaseNames = {
    "between",    "start",     "closing",      "repairing",     "remembering",
    "unread",     "queued",    "intending",    "ready",         "leased",
    "connecting", "connected", "request_part", "request_whole", "answer_part",
    "settling",   "waiting",   "settled",      "idle",          "ending"};

}  // namespace

std::string_view name_of(Phase phase) { return kPhaseNames[static_cast<std::size_t>(phase)]; }
std::string_view name_of(Fault fault) { return kRules[static_cast<std::size_t>(fault)].name; }

std::string_view impossible(Fault fault, Phase phase) {
  const Rule& rule = kRules[static_cast<std::size_t>(fault)];
  return (rule.possible >> static_cast<unsigned>(phase) & 1U) != 0 ? std::string_view()
                                                                   : rule.reason;
}

std::uint64_t Matrix::total() const {
  std::uint64_t sum = 0;
  for (const auto& line : counts_) {
    for (const std::uint64_t count : line) sum += count;
  }
  return sum;
}

void Matrix::add(const Matrix& other) {
  for (std::size_t f = 0; f < kFaults; ++f) {
    for (std::size_t p = 0; p < kPhases; ++p) counts_[f][p] += other.counts_[f][p];
  }
}

std::string Matrix::to_text() const {
  std::string text = fmt::format("{:<20}", "fault x phase");
  const auto out = std::back_inserter(text);
  for (const std::string_view name : kPhaseNames) fmt::format_to(out, " {:>10.10}", name);
  text += '\n';
  for (std::size_t f = 0; f < kFaults; ++f) {
    fmt::format_to(out, "{:<20}", kRules[f].name);
    for (std::size_t p = 0; p < kPhases; ++p) {
      const bool never = !impossible(static_cast<Fault>(f), static_cast<Phase>(p)).empty();
      if (never && counts_[f][p] == 0) {
        fmt::format_to(out, " {:>10}", "-");
      } else {
        fmt::format_to(out, " {:>10}", counts_[f][p]);
      }
    }
    text += '\n';
  }
  return text;
}

std::string Matrix::complaints() const {
  std::string text;
  const auto out = std::back_inserter(text);
  for (std::size_t f = 0; f < kFaults; ++f) {
    for (std::size_t p = 0; p < kPhases; ++p) {
      const auto fault = static_cast<Fault>(f);
      const auto phase = static_cast<Phase>(p);
      const std::string_view why = impossible(fault, phase);
      if (why.empty() && counts_[f][p] == 0) {
        fmt::format_to(out, "never struck: {} x {}\n", name_of(fault), name_of(phase));
      } else if (!why.empty() && counts_[f][p] > 0) {
        fmt::format_to(out, "struck, though impossible ({}): {} x {}\n", why, name_of(fault),
                       name_of(phase));
      }
    }
  }
  return text;
}

}  // namespace sagorder::simulation
