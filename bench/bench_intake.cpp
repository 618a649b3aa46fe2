// CSV bytes to orders: what one pass over the input costs. MB/s of input, rows a second.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "engine/intake.hpp"

namespace sagorder {
namespace {

constexpr std::size_t kInput = 16 * 1024 * 1024;

// Rows that differ, so that branches are not learnt by heart.
std::string orders(bool all_columns) {
  std::mt19937_64 random(1);
  std::string input = "RegionId,Period,UserCount";
  input += all_columns ? ",DataPlan,ChargeType,AutoPay,ResourceGroupId,Note\n" : "\n";
  while (input.size() < kInput) {
    input.append(kRegions[random() % kRegions.size()]).append(",");
    input.append(std::to_string(1 + random() % 9)).append(",");
    input.append(std::to_string(5 * (1 + random() % 200)));
    if (all_columns) {
      input.append(",5,PREPAY,").append(random() % 2 == 0 ? "true" : "false");
      input.append(",rg-acfmxyz").append(std::to_string(random() % 100000));
      input.append(random() % 4 == 0 ? ",\"a \"\"new\"\" office, north\"" : ",Office 12");
    }
    input += '\n';
  }
  return input;
}

std::uint64_t take(std::string_view input, const IntakeOptions& options) {
  Intake intake(options);
  csv::Reader reader;
  csv::Record record;
  Order order;
  std::vector<Complaint> complaints;
  std::uint64_t rows = 0;
  for (bool header = true;; header = false) {
    const csv::Result result = reader.next(input, true, record);
    if (result.status != csv::Status::record) break;
    input.remove_prefix(result.consumed);
    const bool good =
        header ? intake.header(record, complaints) : intake.row(record, order, complaints);
    if (!good) throw std::runtime_error(to_string(complaints.front(), "bench"));
    benchmark::DoNotOptimize(order);
    ++rows;
  }
  return rows;
}

void intake(benchmark::State& state, bool all_columns) {
  const std::string input = orders(all_columns);
  IntakeOptions options;
  if (all_columns) options.carry = {"Note"};
  std::uint64_t rows = 0;
  for (auto _ : state) rows += take(input, options);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(input.size()));
  state.SetItemsProcessed(static_cast<std::int64_t>(rows));
}

BENCHMARK_CAPTURE(intake, three_columns, false);
BENCHMARK_CAPTURE(intake, all_columns, true);

}  // namespace
}  // namespace sagorder
