// The service: a request in, a reply out. It decides everything and sends nothing; what a reply
// asks of the connection is in its manner. Time is an argument, chance is seeded.
//
// An order is in the executed log before `handle` returns, so before its answer's first byte.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "answers.hpp"
#include "books.hpp"
#include "counts.hpp"
#include "executed_log.hpp"
#include "faults.hpp"
#include "gate.hpp"
#include "keys.hpp"
#include "options.hpp"

namespace gateway {

enum class Manner {
  answer,      // send the bytes
  dribble,     // send them one at a time
  cut,         // send the first `cut` of them, then drop the connection without close_notify
  close,       // send nothing, close in order
  reset,       // send nothing, reset
  hold,        // send nothing, keep the connection until the client drops it
  drop_later,  // send the bytes, then drop the connection unannounced a moment later
};

// Reused for every request of a connection.
struct Reply {
  Manner manner = Manner::answer;
  bool keep_alive = true;
  std::chrono::microseconds delay{0};
  std::string bytes;
  std::string late_bytes;  // sent a moment after the answer, by themselves
  std::size_t cut = 0;
};

class Service {
 public:
  Service(const Options& options, FaultPlan& faults, ExecutedLog& executed, Books& books,
          Counts& counts);

  void handle(const Request& request, std::uint64_t connection, Now now, Reply& reply);
  // Where keys are handed out.
  KeyDesk& keys() { return keys_; }
  // The answer to bytes that are no request; the connection closes after it.
  void refuse_malformed(int status, std::string_view complaint, Now now, Reply& reply);

 private:
  void lose_on_arrival(const Fault& fault, Reply& reply);
  void refuse(const Refusal& refusal, std::string_view more, Reply& reply);
  void refuse_in_place(const Fault& fault, WallTime now, Reply& reply);
  void execute(const Fault& fault, std::uint64_t connection, Now now);
  void answer_key(Now now, Reply& reply);
  void answer_inquired(const Fault& fault, WallTime now, Reply& reply);
  // Sends `body_`, a good answer, as the fault has it.
  void answer(const Fault& fault, Reply& reply);

  // Puts a head before `body_` and both into the reply.
  void send(int status, std::string_view type, std::string_view more, Reply& reply);
  void send_success(std::string_view more, Reply& reply);
  void send_html(int status, std::string_view more, Reply& reply);
  void send_chunked(bool with_length, Reply& reply);
  std::string quota_hint(Now now) const;

  const Options& options_;
  FaultPlan& faults_;
  ExecutedLog& executed_;
  Books& books_;
  Counts& counts_;
  Gate gate_;
  KeyDesk keys_;
  Ids ids_;
  Chance latency_;
  Chance cuts_;
  DateLine date_line_;
  std::string_view date_;  // of the request in hand
  Call call_;
  Placed placed_;
  std::string body_;
};

}  // namespace gateway
