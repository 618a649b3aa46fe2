#include "tests/simulation/plan.hpp"

#include <algorithm>

namespace sagorder::simulation {
namespace {

Time log_between(Chance& chance, Time least, Time most) {
  Time bound = least;
  while (bound < most && !chance.one_in(3)) bound *= 3;
  return chance.between(least, std::min(bound, most));
}

/// Each class is off, rare or frequent in a history of its own: faults hide each other.
void draw_odds(Chance& chance, std::array<Odds, kFaults>& odds) {
  const std::uint64_t share = 1 + chance.below(6);  // of the classes, in sixths
  for (Odds& each : odds) {
    if (chance.below(6) >= share || chance.one_in(3)) continue;
    constexpr std::array<Odds, 4> kLevels = {50, 200, 600, 1'500};
    each = kLevels[chance.below(kLevels.size())];
  }
  const auto of = [&](Fault fault) -> Odds& { return odds[static_cast<std::size_t>(fault)]; };
  // What ends a run at once is rarer, or nothing else would be seen.
  for (const Fault fault :
       {Fault::certificate_refused, Fault::key_refused, Fault::unpaid, Fault::clock_refused,
        Fault::commit_lost, Fault::commit_kept, Fault::append_failed, Fault::memory_failed}) {
    of(fault) /= 3;
  }
  // A server that lies breaks what no client can keep: in few histories, told apart.
  if (!chance.one_in(40)) of(Fault::lies) = 0;
}

}  // namespace

Plan::Plan(Chance& chance) {
  faultless = chance.one_in(12);
  rows =
      static_cast<std::uint32_t>(chance.one_in(6) ? chance.between(13, 40) : chance.between(1, 12));
  if (chance.one_in(6)) invalid = 1'500;
  options.connections = static_cast<std::uint32_t>(chance.between(1, 5));
  options.max_in_flight = static_cast<std::uint32_t>(chance.between(1, 12));
  options.max_doubts = chance.one_in(3) ? static_cast<std::uint32_t>(chance.between(1, 6)) : 1'000;
  options.max_failures = {chance.one_in(4) ? 3U : 1'000U, false};
  if (chance.one_in(10)) options.max_failures = {30, true};
  if (chance.one_in(12)) options.max_orders = chance.between(1, rows);
  if (chance.one_in(12)) options.max_seats = chance.between(1, rows * 20);
  if (chance.one_in(12)) options.max_seat_months = chance.between(1, rows * 20);
  if (chance.one_in(8)) options.canary = static_cast<std::uint64_t>(chance.between(1, 6));
  if (chance.one_in(10)) sends_for = log_between(chance, kMillisecond, 60 * kSecond);
  options.replay = chance.one_in(4) ? Replay::same_bytes : Replay::never;
  if (chance.one_in(2)) {
    options.rate = {0, seconds(1)};
  } else {
    options.rate = {static_cast<std::uint64_t>(chance.between(1, 200)), seconds(1)};
    options.burst = chance.one_in(2) ? 1 : static_cast<std::uint64_t>(chance.between(2, 8));
  }
  by_region = chance.one_in(5);
  if (!by_region) options.endpoint = Endpoint{"localhost", 8443};
  threads = chance.one_in(3) ? 2 : 1;
  if (chance.one_in(3)) scheme = Scheme::hmac_sha1;
  if (chance.one_in(2)) method = Method::get;
  if (chance.one_in(3)) format = ResultFormat::json_lines;
  request_timeout = chance.between(200, 3'000) * kMillisecond;
  connect_timeout = chance.between(200, 2'000) * kMillisecond;

  latency = log_between(chance, 20 * kMicrosecond, 30 * kMillisecond);
  think = log_between(chance, 50 * kMicrosecond, 60 * kMillisecond);
  handshake = log_between(chance, 200 * kMicrosecond, 80 * kMillisecond);
  commit = log_between(chance, 100 * kMicrosecond, 40 * kMillisecond);
  handshakes_together = chance.one_in(4);
  pieces = static_cast<std::uint32_t>(chance.one_in(4) ? 1 : chance.between(2, 5));
  if (faultless) {
    options.max_orders.reset();
    options.max_seats.reset();
    options.max_seat_months.reset();
    sends_for = 0;
    return;
  }
  draw_odds(chance, odds);
  keeps_nonce_rule = of(Fault::forgets_nonce) == 0;
  if (chance.one_in(6)) server_quota = static_cast<std::uint32_t>(chance.between(2, 50));
  deaths = static_cast<std::uint32_t>(chance.one_in(3) ? 0 : 1 + chance.below(5));
  const std::uint64_t whole = 20 + 25 * rows;
  death_within = static_cast<std::uint32_t>(
      chance.one_in(3) ? 12 : chance.between(8, static_cast<std::int64_t>(whole)));
  quiet_lives = static_cast<std::uint32_t>(chance.below(3));
}

}  // namespace sagorder::simulation
