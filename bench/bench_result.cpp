// Outcomes to lines, and lines back to keys. MB/s of output, lines a second.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "engine/result.hpp"

namespace sagorder {
namespace {

constexpr std::uint64_t kLines = 50'000;

std::vector<std::string> columns() { return {"RegionId", "Period", "UserCount", "Note"}; }

void append_lines(const ResultWriter& writer, std::string& out) {
  Record record;
  record.kind = RecordKind::placed;
  record.http_status = 200;
  record.latency = milliseconds(123);
  record.order_id = "202778336800296";
  record.sag_id = "sag-gnhe6sywtare5nt";
  record.request_id = "B35789C0-A570-4C2F-96D6-2B46FBB9D64A";
  Cells cells;
  for (const std::string_view cell : {"cn-shanghai", "12", "25", "Shanghai, \"new\" office"}) {
    cells.push_back(cell);
  }
  for (std::uint64_t row = 1; row <= kLines; ++row) {
    record.row = Row{row};
    record.at = WallTime(milliseconds(1'700'000'000'000 + static_cast<std::int64_t>(row)));
    writer.line(record, Attempt{1}, cells, out);
  }
}

void count_bytes(benchmark::State& state, std::size_t bytes) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kLines));
}

void write(benchmark::State& state, ResultFormat format) {
  const ResultWriter writer(format, columns());
  std::string out;
  for (auto _ : state) {
    out.clear();
    append_lines(writer, out);
    benchmark::DoNotOptimize(out.data());
  }
  count_bytes(state, out.size());
}

void scan(benchmark::State& state, ResultFormat format) {
  const ResultWriter writer(format, columns());
  std::string file;
  writer.header(file);
  append_lines(writer, file);
  for (auto _ : state) {
    ResultScanner scanner(format, columns());
    ResultKey key;
    std::string_view rest = file;
    while (!rest.empty()) {
      const auto step = scanner.next(rest, true, key);
      if (step.what != ResultScan::line) throw std::runtime_error("a line that is not ours");
      rest.remove_prefix(step.consumed);
    }
    benchmark::DoNotOptimize(key);
  }
  count_bytes(state, file.size());
}

BENCHMARK_CAPTURE(write, csv, ResultFormat::csv);
BENCHMARK_CAPTURE(write, json_lines, ResultFormat::json_lines);
BENCHMARK_CAPTURE(scan, csv, ResultFormat::csv);
BENCHMARK_CAPTURE(scan, json_lines, ResultFormat::json_lines);

}  // namespace
}  // namespace sagorder
