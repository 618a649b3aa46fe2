// One order through the whole engine: read, admitted, intended, committed, signed, answered,
// judged, committed, written as a line. The ledger, the wire and the clock cost nothing here.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "engine/pipeline.hpp"

namespace sagorder {
namespace {

constexpr std::string_view kAnswer =
    R"({"SmartAGId":"sag-gnhe6sywtare5nt","RequestId":"B35789C0-A570-4C2F-96D6-2B46FBB9D64A",)"
    R"("OrderId":"203782300920296"})";

class Bench {
 public:
  Bench(std::uint64_t rows, Scheme scheme)
      : rows_(rows),
        pipeline_(options(), rows_,
                  RequestWriter(scheme, Method::post, {"testid", Secret("testsecret"), Secret()}),
                  ResultWriter(ResultFormat::csv, {"RegionId", "UserCount", "Period"}), {}) {}

  void run() {
    perform(pipeline_.resume(event::Started{}, moment()));
    while (!finished_) {
      if (committing_) {
        committing_ = false;
        perform(pipeline_.resume(event::Committed{}, moment()));
      } else {
        answer_all();
      }
    }
  }
  [[nodiscard]] std::uint64_t placed() const { return pipeline_.tally().placed; }

 private:
  static PipelineOptions options() {
    PipelineOptions options;
    options.endpoint = Endpoint{"localhost", 8443};
    options.rate = {0, seconds(1)};
    options.connections = 64;
    options.max_in_flight = 256;
    return options;
  }

  void answer_all() {
    sent_.swap(answering_);
    sent_.clear();
    for (const Slot slot : answering_) {
      Reply reply;
      reply.status = 200;
      reply.body = kAnswer;
      perform(pipeline_.resume(event::Replied{slot, &reply}, moment()));
    }
  }

  void perform(const Actions& first) {
    take(first);
    while (wanted_ > 0) {
      if (next_ > rows_.count()) {
        take(pipeline_.resume(event::InputEnded{}, moment()));
        continue;
      }
      order_.row = {next_++};
      order_.region_id = "cn-shanghai";
      order_.period = 12;
      order_.user_count = 5;
      order_.cells.clear();
      for (const char* cell : {"cn-shanghai", "5", "12"}) order_.cells.push_back(cell);
      take(pipeline_.resume(event::OrderRead{&order_}, moment()));
    }
  }

  void take(const Actions& actions) {
    wanted_ = actions.wanted_orders;
    finished_ = actions.finished;
    committing_ = committing_ || !actions.commit.empty();
    for (const Send& send : actions.sends) {
      benchmark::DoNotOptimize(send.wire.data());
      sent_.push_back(send.slot);
    }
    benchmark::DoNotOptimize(actions.lines.data());
  }

  Moment moment() {
    steady_ += nanoseconds(100);
    return {steady_, WallTime(milliseconds(1'767'323'045'000))};
  }

  Rows rows_;
  Pipeline pipeline_;
  Order order_;
  SteadyTime steady_{seconds(1000)};
  std::uint64_t next_ = 1;
  std::uint32_t wanted_ = 0;
  bool committing_ = false;
  bool finished_ = false;
  std::vector<Slot> sent_;
  std::vector<Slot> answering_;
};

void pipeline_order(benchmark::State& state) {
  constexpr std::uint64_t kRows = 20'000;
  for (auto _ : state) {
    Bench bench(kRows, state.range(0) == 0 ? Scheme::acs3_hmac_sha256 : Scheme::hmac_sha1);
    bench.run();
    if (bench.placed() != kRows) state.SkipWithError("not every order was placed");
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kRows));
  state.SetLabel(state.range(0) == 0 ? "acs3-hmac-sha256" : "hmac-sha1");
}
BENCHMARK(pipeline_order)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace sagorder
