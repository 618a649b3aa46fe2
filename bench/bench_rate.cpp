// What the token bucket costs an order: two gates, and now and then a climb.
#include <benchmark/benchmark.h>

#include "engine/rate.hpp"

namespace sagorder {
namespace {

void rate_admit_and_send(benchmark::State& state) {
  Pacer pacer({1'000'000, seconds(1)}, 10'000);
  SteadyTime now{seconds(1000)};
  for (auto _ : state) {
    now += nanoseconds(1000);
    benchmark::DoNotOptimize(pacer.admit(now));
    benchmark::DoNotOptimize(pacer.send(now));
    pacer.recover(now);
  }
}
BENCHMARK(rate_admit_and_send);

void rate_unlimited(benchmark::State& state) {
  Pacer pacer({0, seconds(1)}, 1);
  SteadyTime now{seconds(1000)};
  for (auto _ : state) {
    now += nanoseconds(1000);
    benchmark::DoNotOptimize(pacer.admit(now));
    benchmark::DoNotOptimize(pacer.send(now));
  }
}
BENCHMARK(rate_unlimited);

}  // namespace
}  // namespace sagorder
