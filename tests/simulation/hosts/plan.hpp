// What a seed draws before its history of several hosts begins: the batch, how it is shared, the
// rate, and the odds of each fault. Some histories have no fault at all.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/account.hpp"
#include "engine/pipeline.hpp"
#include "tests/simulation/chance.hpp"
#include "tests/simulation/clock.hpp"

namespace sagorder::simulation::hosts {

inline constexpr std::uint32_t kHostsMax = 4;

/// A process, counted over the history from 1.
using Life = std::uint32_t;

/// From its first moment to before its last.
struct Span {
  Time from = 0;
  Time until = 0;
  [[nodiscard]] bool covers(Time at) const { return from <= at && at < until; }
};

struct Plan {
  explicit Plan(Chance& chance);

  // the batch and the program
  std::uint32_t hosts = 2;
  std::uint32_t rows = 1;
  std::uint32_t range_rows = 1;
  PipelineOptions options;
  AccountTerms terms;
  std::uint32_t canary_rows = 0;  ///< they go first, as one range; 0: none
  /// Of what a run buys, for all hosts together.
  Share limits = {kNoLimit, kNoLimit, kNoLimit};
  [[nodiscard]] bool bound() const {
    return canary_rows > 0 || limits != Share{kNoLimit, kNoLimit, kNoLimit};
  }
  Time host_life = 3 * kSecond;  ///< without a sign of life for so long it counts as dead
  Time ask_timeout = kSecond;    ///< the ledger's answer is waited for so long

  // the world
  Time latency = kMillisecond;    ///< to the ledger and to the server, one way, at most
  Time think = kMillisecond;      ///< of the server, at most
  Time handshake = kMillisecond;  ///< at most
  bool faultless = false;

  // the server
  Odds throttled = 0;
  Odds row_refused = 0;
  Odds answer_lost = 0;   ///< executed
  Odds request_lost = 0;  ///< not executed
  Odds server_error = 0;  ///< 5xx, half of them executed
  Odds connect_refused = 0;

  // the ledger
  Odds ask_lost = 0;                     ///< there, or its answer on the way back
  Odds ask_slow = 0;                     ///< it may arrive when it is not waited for any more
  Odds commit_failed = 0;                ///< for good; half of them are durable all the same
  std::vector<Span> outages;             ///< failovers: nothing is lost but what was under way
  std::vector<Span> cut_off[kHostsMax];  ///< this host cannot reach it

  // the processes
  Odds killed = 0;  ///< at each event
  Odds paused = 0;
  Odds interrupted = 0;
  bool resolves = false;             ///< somebody settles what dead hosts left open, by the truth
  Time faults_until = 20 * kSecond;  ///< from then on nothing fails
};

}  // namespace sagorder::simulation::hosts
