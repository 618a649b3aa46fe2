// The virtual clock and what is due: time passes from one event to the next and never by itself.
// What is due at the same moment happens in the order in which it was asked for.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "engine/moment.hpp"

namespace sagorder::simulation {

/// ns since the history began.
using Time = std::int64_t;
inline constexpr Time kMicrosecond = 1'000;
inline constexpr Time kMillisecond = 1'000'000;
inline constexpr Time kSecond = 1'000'000'000;

enum class Act : std::uint8_t {
  step,           ///< a process takes the next step of its start: host, life
  timer,          ///< a process's wake-up: host, life
  commit_done,    ///< host, life
  pool_tick,      ///< host, life
  handshake,      ///< a handshake ends: link
  up,             ///< bytes reach the server: link, how many there are then
  down,           ///< bytes reach the client's kernel: link, how many there are then
  down_end,       ///< an end reaches the client: link, which
  client_gone,    ///< the server hears that the client closed: link
  readable,       ///< a client's loop turns to a socket: link
  writable,       ///< the kernel takes bytes again: link
  execute,        ///< the server executes: job
  answer,         ///< the server answers: job
  server_closes,  ///< the server closes a connection it keeps: link, how
  posted,         ///< a completion that the pool posted: host, life
  command,        ///< a word to a pool on another thread: host, life
  mail,           ///< a completion from there: host, life
  interrupt,      ///< host, life
  pause,          ///< the process stands still: host, life
  jump,           ///< the wall clock jumps: host, life
  second,         ///< somebody starts a second process
  change_input,   ///< somebody edits the input under a run: host, life
  // of several hosts on one batch
  begin,   ///< a process begins: host
  asked,   ///< a question reaches the shared ledger: life, ask
  told,    ///< its answer is here, or is not waited for any more: life, ask
  settle,  ///< somebody settles what dead hosts left open
};

struct Due {
  Time at = 0;
  std::uint64_t order = 0;
  Act act = Act::step;
  std::uint32_t a = 0;
  std::uint32_t b = 0;
};

class Clock {
 public:
  [[nodiscard]] Time now() const { return now_; }
  [[nodiscard]] bool empty() const { return due_.empty(); }
  [[nodiscard]] Time next_at() const { return due_.front().at; }

  void at(Time at, Act act, std::uint32_t a = 0, std::uint32_t b = 0) {
    due_.push_back({std::max(at, now_), ++orders_, act, a, b});
    std::push_heap(due_.begin(), due_.end(), later);
  }
  void after(Time wait, Act act, std::uint32_t a = 0, std::uint32_t b = 0) {
    at(now_ + wait, act, a, b);
  }
  Due pop() {
    std::pop_heap(due_.begin(), due_.end(), later);
    const Due due = due_.back();
    due_.pop_back();
    now_ = std::max(now_, due.at);
    return due;
  }
  void pass_to(Time at) { now_ = std::max(now_, at); }

  // --- as clocks show it; the wall clock of the machine may be off
  Time wall_off = 0;
  [[nodiscard]] SteadyTime steady() const { return SteadyTime(seconds(1000) + nanoseconds(now_)); }
  [[nodiscard]] static SteadyTime steady_of(Time at) {
    return SteadyTime(seconds(1000) + nanoseconds(at));
  }
  [[nodiscard]] static Time time_of(SteadyTime at) {
    return (at.time_since_epoch() - nanoseconds(seconds(1000))).count();
  }
  [[nodiscard]] WallTime true_wall() const {
    return WallTime(milliseconds(1'767'323'045'000 + now_ / kMillisecond));
  }
  [[nodiscard]] Moment moment() const {
    return {steady(), true_wall() + milliseconds(wall_off / kMillisecond)};
  }

 private:
  static bool later(const Due& a, const Due& b) {
    return a.at != b.at ? a.at > b.at : a.order > b.order;
  }
  std::vector<Due> due_;
  Time now_ = 0;
  std::uint64_t orders_ = 0;
};

}  // namespace sagorder::simulation
