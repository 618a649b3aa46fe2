// What happened, in numbers: the gateway's own side of the story, given out once at the end.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "rules.hpp"

namespace gateway {

// The most events in any window of one second. Keeps the last second's times.
class RateMeter {
 public:
  void note(SteadyTime now);
  std::size_t most() const { return most_; }

 private:
  std::deque<SteadyTime> last_second_;
  std::size_t most_ = 0;
};

struct Counts {
  std::uint64_t connections = 0;
  std::uint64_t connections_open_max = 0;
  std::uint64_t connections_refused = 0;  // above the limit
  std::uint64_t handshakes_failed = 0;
  std::uint64_t tls_resumed = 0;
  std::uint64_t requests = 0;  // complete ones, whatever became of them
  std::uint64_t executed = 0;
  std::uint64_t inquiries = 0;  // read-only calls answered
  std::uint64_t keys_issued = 0;
  std::uint64_t malformed = 0;  // not HTTP, or not to its limits
  std::uint64_t duplicate_nonces = 0;
  std::uint64_t in_flight = 0;
  std::uint64_t in_flight_max = 0;
  std::map<std::string, std::uint64_t, std::less<>> refused;  // by code, faults excepted
  std::map<std::string, std::uint64_t, std::less<>> faults;   // by label, those that struck
  RateMeter request_rate;

  // One line of JSON without the newline.
  std::string json(std::chrono::nanoseconds elapsed) const;
};

void count_one(std::map<std::string, std::uint64_t, std::less<>>& counts, std::string_view key);

}  // namespace gateway
