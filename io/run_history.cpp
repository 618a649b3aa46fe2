#include "io/run_history.hpp"

#include <nlohmann/json.hpp>

#include "engine/stop.hpp"
#include "io/log.hpp"

namespace sagorder::io {
namespace {

using nlohmann::json;

constexpr const char* kAt = "at_ms";
constexpr const char* kRate = "rate";
constexpr const char* kRun = "run";
constexpr const char* kEnded = "ended_ms";
constexpr const char* kStop = "stop";
constexpr const char* kExitCode = "exit_code";

json array_of(std::string_view fact) {
  json runs = json::parse(fact, nullptr, false);
  return runs.is_array() ? runs : json::array();
}

/// nullptr: it is not there, or no whole number.
const json* number_in(const json& run, const char* name) {
  const auto found = run.find(name);
  return found != run.end() && found->is_number_integer() ? &*found : nullptr;
}
const json* text_in(const json& run, const char* name) {
  const auto found = run.find(name);
  return found != run.end() && found->is_string() ? &*found : nullptr;
}

WallTime time_of(const json& ms) { return WallTime(milliseconds(ms.get<std::int64_t>())); }

std::optional<RunKnown> known(const json& run) {
  if (!run.is_object()) return std::nullopt;
  const json* const at = number_in(run, kAt);
  const json* const rate = text_in(run, kRate);
  const auto limit =
      rate != nullptr ? parse_rate(rate->get_ref<const std::string&>()) : std::nullopt;
  if (at == nullptr || !limit) return std::nullopt;
  RunKnown found{{time_of(*at), *limit}, {}, {}};
  if (const json* const name = text_in(run, kRun)) found.run = name->get<std::string>();
  const json* const ended = number_in(run, kEnded);
  const json* const stop = text_in(run, kStop);
  const json* const code = number_in(run, kExitCode);
  if (ended != nullptr && stop != nullptr && code != nullptr) {
    found.end = RunEnd{time_of(*ended), stop->get<std::string>(), code->get<int>()};
  }
  return found;
}

}  // namespace

std::string words_of(const RunEnd& end) {
  const auto stop = stop_of(end.stop);
  return stop ? std::string(words_of(*stop)) : printable(end.stop);
}

std::string with_run(std::string_view fact, const RunStart& start, std::string_view run) {
  json runs = array_of(fact);
  json one = {{kAt, start.begun.time_since_epoch().count()}, {kRate, to_string(start.limit)}};
  if (!run.empty()) one[kRun] = run;
  runs.push_back(std::move(one));
  while (runs.size() > kRunStartsMax) runs.erase(runs.begin());
  return runs.dump();
}

std::string with_end(std::string_view fact, std::string_view run, const RunEnd& end) {
  json runs = array_of(fact);
  const auto ours = std::find_if(runs.rbegin(), runs.rend(), [&](const json& each) {
    const json* const name = each.is_object() ? text_in(each, kRun) : nullptr;
    return name != nullptr && name->get_ref<const std::string&>() == run;
  });
  if (ours == runs.rend()) return std::string(fact);
  (*ours)[kEnded] = end.at.time_since_epoch().count();
  (*ours)[kStop] = end.stop;
  (*ours)[kExitCode] = end.exit_code;
  return runs.dump();
}

std::vector<RunKnown> runs_known(std::string_view fact) {
  std::vector<RunKnown> runs;
  for (const json& run : array_of(fact)) {
    if (runs.size() == kRunStartsMax) break;
    if (auto one = known(run)) runs.push_back(std::move(*one));
  }
  return runs;
}

std::vector<RunStart> run_starts_of(std::string_view fact) {
  std::vector<RunStart> starts;
  for (const RunKnown& run : runs_known(fact)) starts.push_back(run.start);
  return starts;
}

}  // namespace sagorder::io
