#include "counts.hpp"

#include <cstdio>

#include "answers.hpp"

namespace gateway {
namespace {

void append_counts(std::string_view name,
                   const std::map<std::string, std::uint64_t, std::less<>>& counts,
                   std::string& out) {
  out.append(",\"").append(name).append("\":{");
  for (const auto& [key, count] : counts) {
    if (out.back() != '{') out.push_back(',');
    append_json_string(key, out);
    out.append(":").append(std::to_string(count));
  }
  out.push_back('}');
}

}  // namespace

void RateMeter::note(SteadyTime now) {
  while (!last_second_.empty() && now - last_second_.front() >= std::chrono::seconds(1))
    last_second_.pop_front();
  last_second_.push_back(now);
  if (last_second_.size() > most_) most_ = last_second_.size();
}

std::string Counts::json(std::chrono::nanoseconds elapsed) const {
  std::string out = "{\"connections\":" + std::to_string(connections);
  const auto number = [&](std::string_view name, std::uint64_t value) {
    out.append(",\"").append(name).append("\":").append(std::to_string(value));
  };
  number("connections_open_max", connections_open_max);
  number("connections_refused", connections_refused);
  number("handshakes_failed", handshakes_failed);
  number("tls_resumed", tls_resumed);
  number("requests", requests);
  number("executed", executed);
  number("inquiries", inquiries);
  number("keys_issued", keys_issued);
  number("malformed", malformed);
  number("duplicate_nonces", duplicate_nonces);
  number("in_flight_max", in_flight_max);
  number("requests_per_second_max", request_rate.most());
  char text[40];
  std::snprintf(text, sizeof text, "%.3f", std::chrono::duration<double>(elapsed).count());
  out.append(",\"elapsed_seconds\":").append(text);
  append_counts("refused", refused, out);
  append_counts("faults", faults, out);
  out.push_back('}');
  return out;
}

void count_one(std::map<std::string, std::uint64_t, std::less<>>& counts, std::string_view key) {
  const auto found = counts.find(key);
  if (found != counts.end()) {
    ++found->second;
  } else {
    counts.emplace(key, 1);
  }
}

}  // namespace gateway
