// Where one history of several hosts plays.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/simulation/chance.hpp"
#include "tests/simulation/clock.hpp"
#include "tests/simulation/hosts/ledger.hpp"
#include "tests/simulation/hosts/oracle.hpp"
#include "tests/simulation/hosts/plan.hpp"
#include "tests/simulation/hosts/server.hpp"
#include "tests/simulation/trace.hpp"

namespace sagorder::simulation::hosts {

class Host;

struct Stage {
  Stage(std::uint64_t seed, bool aloud);
  ~Stage();

  Chance chance;
  Plan plan;
  Clock clock;
  Trace trace;
  Oracle oracle;
  Ledger ledger;
  Server server;
  std::vector<std::unique_ptr<Host>> lives;  ///< all that ever were; a life is its place, from 1
  bool calm = false;                         ///< nothing fails any more

  Host& host(Life life) { return *lives[life - 1]; }
  bool hits(Odds odds) { return !calm && chance.hits(odds); }
  Time hop() { return chance.between(kMicrosecond, plan.latency); }
  /// Whether this host and the ledger can hear each other now.
  [[nodiscard]] bool reaches(std::uint32_t host) const;
};

}  // namespace sagorder::simulation::hosts
