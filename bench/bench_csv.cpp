// CSV bytes to records, offered in chunks of 256 KiB as the orders file does. MB/s of input.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>

#include "engine/csv.hpp"

namespace sagorder {
namespace {

constexpr std::size_t kChunk = 256 * 1024;
constexpr std::size_t kInput = 16 * 1024 * 1024;

// The line again and again, each # a number of its own, so that branches are not learnt by heart.
std::string repeated(std::string_view line) {
  std::mt19937_64 random(1);
  std::string input;
  while (input.size() < kInput) {
    for (const char c : line) {
      if (c == '#') {
        input += std::to_string(random() >> (random() % 30 + 34));
      } else {
        input += c;
      }
    }
  }
  return input;
}

std::uint64_t count_records(std::string_view input) {
  csv::Reader reader;
  csv::Record record;
  std::uint64_t records = 0;
  std::size_t at = 0;
  std::size_t offered = kChunk;
  while (true) {
    const bool last = at + offered >= input.size();
    const csv::Result result = reader.next(input.substr(at, offered), last, record);
    if (result.status == csv::Status::end) return records;
    if (result.status == csv::Status::bad) throw std::runtime_error("the input is not CSV");
    if (result.status == csv::Status::need_more) {
      offered = kChunk;
      continue;
    }
    ++records;
    at += result.consumed;
    offered = offered > result.consumed ? offered - result.consumed : kChunk;
  }
}

void read(benchmark::State& state, std::string_view line) {
  const std::string input = repeated(line);
  std::uint64_t records = 0;
  for (auto _ : state) records += count_records(input);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(input.size()));
  state.SetItemsProcessed(static_cast<std::int64_t>(records));
}

BENCHMARK_CAPTURE(read, plain, "cn-shanghai,#,#,5,PREPAY,true,Shanghai office\n");
BENCHMARK_CAPTURE(read, narrow, "cn-shanghai,#,#\n");
BENCHMARK_CAPTURE(read, quoted,
                  "\"cn-shanghai\",\"#\",\"#\",\"5\",\"PREPAY\",\"true\",\"a, b\"\r\n");
BENCHMARK_CAPTURE(read, doubled, "cn-shanghai,#,#,5,PREPAY,true,\"the \"\"new\"\" office\"\n");
BENCHMARK_CAPTURE(read, utf8, "cn-shanghai,#,#,5,PREPAY,true,上海办公室\n");

}  // namespace
}  // namespace sagorder
