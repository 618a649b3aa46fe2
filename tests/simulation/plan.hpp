// What a seed draws before its history begins: the batch, the program's settings, the odds of each
// fault (most histories have a few classes of faults, some have none, few have all) and how many
// processes die.
#pragma once

#include <array>
#include <cstdint>

#include "engine/pipeline.hpp"
#include "tests/simulation/chance.hpp"
#include "tests/simulation/clock.hpp"
#include "tests/simulation/matrix.hpp"

namespace sagorder::simulation {

struct Plan {
  Plan() = default;
  explicit Plan(Chance& chance);

  // the batch and the program
  std::uint32_t rows = 1;
  Odds invalid = 0;  ///< rows that --skip-invalid leaves out
  PipelineOptions options;
  Time sends_for = 0;      ///< each process, by --not-after; 0: as long as it wants
  bool by_region = false;  ///< two endpoints
  std::uint32_t threads = 1;
  Scheme scheme = Scheme::acs3_hmac_sha256;
  Method method = Method::post;
  ResultFormat format = ResultFormat::csv;
  Time request_timeout = kSecond;
  Time connect_timeout = kSecond;

  // the world
  Time latency = kMillisecond;    ///< one way, at most
  Time think = kMillisecond;      ///< of the server, at most
  Time handshake = kMillisecond;  ///< at most
  Time commit = kMillisecond;     ///< at most
  bool handshakes_together = false;
  std::uint32_t pieces = 3;  ///< a request or an answer travels in so many at most
  bool keeps_nonce_rule = true;
  bool faultless = false;
  std::array<Odds, kFaults> odds{};
  std::uint32_t server_quota = 0;  ///< requests a second before it throttles; 0: none

  // the processes
  std::uint32_t deaths = 0;        ///< crashes in a row, at most five
  std::uint32_t death_within = 0;  ///< steps: how soon
  std::uint32_t quiet_lives = 0;   ///< lives with faults and without a crash, behind them

  [[nodiscard]] Odds of(Fault fault) const { return odds[static_cast<std::size_t>(fault)]; }
};

/// Rows that --skip-invalid leaves out.
constexpr bool is_invalid(const Plan& plan, std::uint32_t row) {
  return (row * 2'654'435'761U >> 8U) % 10'000 < plan.invalid;
}

}  // namespace sagorder::simulation
