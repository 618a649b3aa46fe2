// The executed log: one JSON line for each order that was executed, and nothing else.
//
// A line is handed to the kernel in one write(2) before the first byte of its answer leaves, so it
// survives the gateway being killed (not a power cut: nothing is fsynced, this is a simulation).
// An existing file is continued: its lines are counted, so sequences, and with them OrderIds, go
// on and stay unique across restarts. A torn last line is an error. If a line cannot be written
// the gateway stops: an oracle that forgets is worse than none.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "answers.hpp"
#include "rules.hpp"

namespace gateway {

struct ExecutedOrder {
  const Placed& placed;
  const Order& order;
  std::string_view nonce;
  std::string_view scheme;
  std::string_view format;
  std::string_view fault;  // its label; empty: none
  WallTime at;
  std::uint64_t connection;
};

class ExecutedLog {
 public:
  // An empty path: nothing is written, sequences are counted all the same. Throws
  // std::system_error or std::runtime_error.
  explicit ExecutedLog(const std::string& path);
  ~ExecutedLog();
  ExecutedLog(const ExecutedLog&) = delete;
  ExecutedLog& operator=(const ExecutedLog&) = delete;

  // The sequence the next order will have, from 1.
  std::uint64_t next_sequence() const { return lines_ + 1; }
  void append(const ExecutedOrder& executed);

 private:
  void count_lines();

  int file_ = -1;
  std::uint64_t lines_ = 0;
  std::string line_;
};

// `2026-01-02T03:04:05.678Z`
void append_iso_time(WallTime at, std::string& out);

}  // namespace gateway
