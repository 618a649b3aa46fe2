// Where one history plays: its plan, its clock and chance, the world, and at most two processes.
#pragma once

#include <memory>

#include "tests/simulation/chance.hpp"
#include "tests/simulation/clock.hpp"
#include "tests/simulation/disk.hpp"
#include "tests/simulation/matrix.hpp"
#include "tests/simulation/network.hpp"
#include "tests/simulation/oracle.hpp"
#include "tests/simulation/plan.hpp"
#include "tests/simulation/server.hpp"
#include "tests/simulation/trace.hpp"

namespace sagorder::simulation {

class Host;

inline constexpr std::string_view kSecretText = "s+3cAnArY7cr/t=";
inline constexpr std::string_view kTokenText = "t0k+cAnArY7/n";

struct Stage {
  Stage(std::uint64_t seed, bool aloud, Matrix& struck);
  ~Stage();

  Chance chance;
  Plan plan;
  Clock clock;
  Trace trace;
  Matrix& matrix;
  Oracle oracle;
  Disk disk;
  Network network;
  Server server;
  std::unique_ptr<Host> hosts[2];
  bool calm = false;  ///< no fault strikes any more
  std::uint64_t events = 0;

  /// Whether this fault strikes now.
  bool hits(Fault fault) { return !calm && chance.hits(plan.of(fault)); }
  /// A fault struck whatever order is on this link.
  void strike_line(const Link& link, Fault fault);
  /// A link's client is connected and has nothing under way.
  [[nodiscard]] bool rests(const Link& link) const;
  /// A link's client may be struck as a kept connection (see matrix).
  [[nodiscard]] bool strikes_kept(const Link& link) const;
};

}  // namespace sagorder::simulation
