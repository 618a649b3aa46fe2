#include "tests/simulation/hosts/plan.hpp"

namespace sagorder::simulation::hosts {
namespace {

std::uint32_t between(Chance& chance, std::int64_t least, std::int64_t most) {
  return static_cast<std::uint32_t>(chance.between(least, most));
}

/// Off, rare or frequent: faults hide each other.
Odds odds(Chance& chance, Odds most) {
  if (chance.one_in(2)) return 0;
  return most / (chance.one_in(2) ? 1 : 8);
}

std::vector<Span> spans(Chance& chance, Time within) {
  std::vector<Span> all;
  for (std::uint64_t i = chance.below(3); i > 0; --i) {
    const Time from = chance.between(0, within);
    all.push_back({from, from + chance.between(kMillisecond, 8 * kSecond)});
  }
  return all;
}

void draw_rate(Chance& chance, Plan& plan) {
  const milliseconds lengths[] = {milliseconds(100), milliseconds(500), milliseconds(2'000)};
  plan.options.sharing = Sharing{lengths[chance.below(3)]};
  const milliseconds lease = plan.options.sharing->lease;
  const std::uint64_t counts[] = {0, 3, 20, 200};
  plan.options.rate = {counts[chance.below(4)], seconds(1)};
  plan.options.burst = chance.one_in(3) ? least_burst(plan.options.rate, lease)
                                        : default_shared_burst(plan.options.rate, lease);
  plan.terms = {plan.options.rate, plan.options.burst, lease};
}

/// Each row can be ordered in a run of its own.
void draw_limits(Chance& chance, Plan& plan) {
  if (chance.one_in(3)) plan.limits.orders = between(chance, 1, plan.rows + 2);
  const std::int64_t all = plan.rows * (plan.rows + 1) / 2;
  if (chance.one_in(6)) plan.limits.seats = between(chance, plan.rows, all);
  if (chance.one_in(6)) plan.limits.seat_months = between(chance, plan.rows, all);
  const auto limit = [](std::uint64_t value) {
    return value == kNoLimit ? std::nullopt : std::optional(value);
  };
  plan.options.max_orders = limit(plan.limits.orders);
  plan.options.max_seats = limit(plan.limits.seats);
  plan.options.max_seat_months = limit(plan.limits.seat_months);
}

}  // namespace

Plan::Plan(Chance& chance) {
  faultless = chance.one_in(12);
  hosts = between(chance, 2, kHostsMax);
  rows = between(chance, 1, 30);
  range_rows = between(chance, 1, 8);
  options.endpoint = Endpoint{"localhost", 8443};
  options.connections = between(chance, 1, 4);
  options.max_in_flight = between(chance, 1, 8);
  options.max_doubts = 1'000'000;
  options.max_failures = {1'000'000, false};
  draw_rate(chance, *this);
  host_life = chance.between(2 * kSecond + ask_timeout, 10 * kSecond);
  latency = chance.between(kMicrosecond, chance.one_in(2) ? kMillisecond : 40 * kMillisecond);
  think = chance.between(kMicrosecond, chance.one_in(2) ? kMillisecond : 200 * kMillisecond);
  handshake = chance.between(kMicrosecond, chance.one_in(2) ? kMillisecond : 300 * kMillisecond);
  if (chance.one_in(4)) canary_rows = between(chance, 1, rows);
  options.sharing->canary_rows = canary_rows;
  draw_limits(chance, *this);
  if (faultless) return;
  if (chance.one_in(4)) options.replay = Replay::same_bytes;
  throttled = odds(chance, 2'000);
  row_refused = odds(chance, 1'000);
  answer_lost = odds(chance, 1'000);
  request_lost = odds(chance, 1'000);
  server_error = odds(chance, 1'000);
  connect_refused = odds(chance, 2'000);
  ask_lost = odds(chance, 2'000);
  ask_slow = odds(chance, 1'000);
  commit_failed = odds(chance, 100);
  killed = odds(chance, 150);
  paused = odds(chance, 150);
  interrupted = odds(chance, 20);
  resolves = chance.one_in(2);
  faults_until = chance.between(2 * kSecond, 30 * kSecond);
  if (chance.one_in(2)) outages = spans(chance, faults_until);
  for (auto& each : cut_off) {
    if (chance.one_in(3)) each = spans(chance, faults_until);
  }
}

}  // namespace sagorder::simulation::hosts
