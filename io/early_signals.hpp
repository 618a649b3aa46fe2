// Interrupts while a run gets ready: SIGINT, SIGTERM, and SIGHUP unless it is ignored.
//
// The first one is noted, for whoever waits to end in order: what was made so far is taken back. A
// second one ends the process at once, with the same exit code and a sentence. Once the run's loop
// listens by itself this no longer does.
#pragma once

#include <csignal>
#include <map>

#include "engine/moment.hpp"

namespace sagorder::io {

class EarlySignals {
 public:
  /// One at a time in a process.
  EarlySignals();
  ~EarlySignals();
  EarlySignals(const EarlySignals&) = delete;
  EarlySignals& operator=(const EarlySignals&) = delete;

  [[nodiscard]] bool interrupted() const;
  /// Becomes readable with an interrupt, and stays so.
  [[nodiscard]] int readable() const { return event_; }
  /// Waits so long, or until an interrupt.
  void wait(milliseconds span) const;

  /// Somebody else handles these signals by now: leaves them as they are.
  void hand_over() { before_.clear(); }

 private:
  int event_;
  std::map<int, struct sigaction> before_;
};

}  // namespace sagorder::io
