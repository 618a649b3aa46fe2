// Interrupts while a run gets ready, or ends: SIGINT, SIGTERM, and SIGHUP unless it is ignored.
//
// The first one is noted, for whoever waits to end in order: what was made so far is taken back. A
// second one ends the process at once, with the same exit code and a sentence. While the run's loop
// listens by itself this does not.
#pragma once

#include <csignal>
#include <map>

#include "engine/moment.hpp"

namespace sagorder::io {

class NotedSignals {
 public:
  /// One at a time in a process.
  NotedSignals();
  ~NotedSignals();
  NotedSignals(const NotedSignals&) = delete;
  NotedSignals& operator=(const NotedSignals&) = delete;

  [[nodiscard]] bool interrupted() const;
  /// Becomes readable with an interrupt, and stays so.
  [[nodiscard]] int readable() const { return event_; }
  /// Waits so long, or until an interrupt.
  void wait(milliseconds span) const;

  /// Somebody else handles these signals by now: leaves them as they are.
  void hand_over() { before_.clear(); }
  /// Nobody else does any more. What was noted before is forgotten.
  /// @param again what is said as a second one ends the process; lives as long as it
  void take_over(const char* again);

 private:
  void listen();

  int event_;
  std::map<int, struct sigaction> before_;
};

}  // namespace sagorder::io
