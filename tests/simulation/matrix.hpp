// Which fault struck an order in which part of its life, counted. A campaign that never struck a
// possible cell has not tried it; a cell that cannot be struck says why.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace sagorder::simulation {

/// Where an order is, as the host sees it from outside; and the parts of a process's life in which
/// no single order is at stake.
enum class Phase : std::uint8_t {
  between,      ///< no process runs
  start,        ///< a process starts: lock, facts, replay, comparison with the results
  closing,      ///< open intents are being made doubts
  repairing,    ///< the results are being made the ledger's projection
  remembering,  ///< the batch is being remembered, before the first intent
  unread,
  queued,         ///< read; or its intent waits for the commit under way
  intending,      ///< its intent is being committed
  ready,          ///< its intent is durable
  leased,         ///< held: its connection is being made
  connecting,     ///< not held: its connection is being made
  connected,      ///< held: waits for its token
  request_part,   ///< the kernel took none or a part of the request
  request_whole,  ///< the kernel took it all, no byte of an answer came
  answer_part,
  settling,  ///< its outcome is known and not durable
  waiting,   ///< certainly not executed; to be tried again
  settled,
  idle,    ///< a connection without an order
  ending,  ///< the process has settled everything and makes the results durable
};
inline constexpr std::size_t kPhases = 20;

enum class Fault : std::uint8_t {
  // connections
  resolve_failed,
  connect_refused,
  connect_stalled,
  handshake_failed,
  certificate_refused,
  request_fin,
  request_reset,
  request_stalled,
  answer_fin,
  answer_reset,
  answer_stalled,
  half_closed,    ///< the server ends its side, and executes all the same
  server_closed,  ///< a kept connection is closed; it may cross a request
  server_reset,
  stray_bytes,     ///< bytes that nobody asked for; they may cross a request
  reset_at_write,  ///< between the look and the write
  // server
  throttled,
  row_refused,
  key_refused,
  unpaid,
  clock_refused,
  nonce_used,
  sent_twice,  ///< executed; a proxy sends it again, and the copy's refusal is the answer
  unknown_code,
  redirect,
  unavailable,        ///< 503, not executed
  unavailable_after,  ///< 503, executed
  internal,           ///< InternalError, not executed
  internal_after,     ///< InternalError, executed
  internal_late,      ///< InternalError, executed long after the answer
  silent,             ///< no answer, not executed
  silent_after,       ///< no answer, executed
  silent_late,        ///< no answer, executed long after
  slow,               ///< executed; the answer comes when nobody waits any more
  html,               ///< 200 and HTML, not executed
  html_after,         ///< 200 and HTML, executed
  duplicate_keys,     ///< executed; the answer names OrderId twice
  garbled,            ///< executed; the answer is no HTTP
  too_large,          ///< executed; the answer is over the limit
  answers_again,      ///< the same answer comes once more: a later request may meet it
  answers_late,       ///< InternalError, and the true answer behind it
  repeats_id,         ///< executed; answers with an OrderId given before
  forgets_nonce,      ///< a copy is executed as if it were new
  lies,               ///< executed, and answered with a listed refusal: not promised, told apart
  // disk
  commit_lost,  ///< fails, and is not durable
  commit_kept,  ///< fails, and is durable
  commit_slow,
  facts_failed,
  memory_failed,  ///< the memory of batches cannot be written
  append_failed,
  sync_failed,
  // process
  killed,
  power_lost,
  interrupted,
  interrupted_again,
  paused,
  clock_jumped,
  second_process,
  input_edited,
  // people, between two runs
  other_input,
  older_ledger,
  other_output,
  ledger_copied,
  results_altered,
  resolved,
};
inline constexpr std::size_t kFaults = 65;

std::string_view name_of(Phase phase);
std::string_view name_of(Fault fault);

/// Why this fault cannot strike in this phase; empty: it can.
std::string_view impossible(Fault fault, Phase phase);

class Matrix {
 public:
  void strike(Fault fault, Phase phase, std::uint64_t times = 1) {
    counts_[static_cast<std::size_t>(fault)][static_cast<std::size_t>(phase)] += times;
  }
  [[nodiscard]] std::uint64_t count(Fault fault, Phase phase) const {
    return counts_[static_cast<std::size_t>(fault)][static_cast<std::size_t>(phase)];
  }
  [[nodiscard]] std::uint64_t total() const;
  void add(const Matrix& other);
  [[nodiscard]] std::string to_text() const;
  /// Possible cells that were never struck, impossible ones that were; one a line.
  [[nodiscard]] std::string complaints() const;

 private:
  std::array<std::array<std::uint64_t, kPhases>, kFaults> counts_{};
};

}  // namespace sagorder::simulation
