// One order through the whole engine: read, admitted, intended, committed, signed, answered,
// judged, committed, written as a line. The ledger, the wire and the clock cost nothing here.
#include <benchmark/benchmark.h>

#include "tests/engine/steady_path.hpp"

namespace sagorder {
namespace {

void pipeline_order(benchmark::State& state, Scheme scheme) {
  constexpr std::uint64_t kRows = 20'000;
  for (auto _ : state) {
    testing::SteadyPath path(kRows, scheme);
    path.run_until(kRows);
    if (path.placed() != kRows) state.SkipWithError("not every order was placed");
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kRows));
}
BENCHMARK_CAPTURE(pipeline_order, acs3_hmac_sha256, Scheme::acs3_hmac_sha256)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(pipeline_order, hmac_sha1, Scheme::hmac_sha1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace sagorder
