#include "io/run_starts.hpp"

#include <nlohmann/json.hpp>

namespace sagorder::io {
namespace {

using nlohmann::json;

constexpr const char* kAt = "at_ms";
constexpr const char* kRate = "rate";

json array_of(std::string_view fact) {
  json runs = json::parse(fact, nullptr, false);
  return runs.is_array() ? runs : json::array();
}

}  // namespace

std::string with_run(std::string_view fact, const RunStart& start) {
  json runs = array_of(fact);
  runs.push_back({{kAt, start.begun.time_since_epoch().count()}, {kRate, to_string(start.limit)}});
  while (runs.size() > kRunStartsMax) runs.erase(runs.begin());
  return runs.dump();
}

std::vector<RunStart> run_starts_of(std::string_view fact) {
  std::vector<RunStart> starts;
  for (const json& run : array_of(fact)) {
    if (!run.is_object() || starts.size() == kRunStartsMax) continue;
    const auto at = run.find(kAt);
    const auto rate = run.find(kRate);
    if (at == run.end() || rate == run.end()) continue;
    if (!at->is_number_integer() || !rate->is_string()) continue;
    const auto limit = parse_rate(rate->get_ref<const std::string&>());
    if (limit) starts.push_back({WallTime(milliseconds(at->get<std::int64_t>())), *limit});
  }
  return starts;
}

}  // namespace sagorder::io
