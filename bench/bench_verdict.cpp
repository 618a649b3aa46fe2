// What a verdict costs. Only errors walk the table, so its last and its missing codes are the
// worst.
#include <benchmark/benchmark.h>

#include "engine/verdict.hpp"

namespace sagorder {
namespace {

void judge_placed(benchmark::State& state) {
  Answer answer;
  answer.kind = AnswerKind::ordered;
  answer.http_status = 200;
  answer.order_id = "203783300920296";
  for (auto _ : state) benchmark::DoNotOptimize(judge(answer, true));
}
BENCHMARK(judge_placed);

void judge_error(benchmark::State& state, const char* code) {
  Answer answer;
  answer.kind = AnswerKind::error;
  answer.http_status = 400;
  answer.code = code;
  answer.request_id = "8906582E-6722";
  for (auto _ : state) benchmark::DoNotOptimize(judge(answer, true));
}
BENCHMARK_CAPTURE(judge_error, first_of_the_table, "Throttling");
BENCHMARK_CAPTURE(judge_error, last_of_the_table, "UnknownError");
BENCHMARK_CAPTURE(judge_error, not_in_the_table, "SomethingNobodyHasSeen");

}  // namespace
}  // namespace sagorder
