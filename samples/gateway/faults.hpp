// Seeded faults: what goes wrong, when, and how often.
//
// A plan is a comma list of
//   kind              always
//   kind=0.05         with that probability
//   kind@7  kind@3-9  at the 7th, at the 3rd to the 9th, counted from 1 (may be given repeatedly)
// where `code:NAME[:STATUS]` and `code-after:NAME[:STATUS]` (status 400 if not given) count as
// kinds. `@` goes before probabilities. Each lane (accepted connections, handshakes, re-used
// connections, orders, inquiries) has its own count and its own generator, drawn from once per
// event, so the N-th request meets the same fate in every run of a seed, however the others fell.
//
// Faults that need an executed order, or stand in the place of one, strike only requests that
// would otherwise be executed: what would be refused is refused.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "chance.hpp"

namespace gateway {

enum class FaultKind {
  none,
  // On arrival: nothing is checked, no nonce is used up.
  close_before,
  reset_before,
  never_before,
  html_before,
  bad_gateway_before,
  // Checked and the nonce used up, then refused in place of executing.
  internal_error_before,
  unavailable_before,
  throttle,
  throttle_hint,
  throttle_limit,
  code,
  // Executed, then:
  close_after,
  reset_after,
  never_after,
  cut,
  dribble,
  internal_error_after,
  unavailable_after,
  code_after,
  html,
  bad_gateway_after,
  redirect_after,
  chunked,
  connection_close,
  idle_close,
  extra_bytes,
  extra_bytes_late,
  malformed_after,
  no_order_id_after,
  huge_after,
  bad_length_after,
  // Of a listing, answered otherwise as it should be.
  wrong_total,
  short_page,
  // Of a connection.
  accept_close,
  handshake_refused,
  reuse_close,
};

enum class FaultStage { arrival, instead, answer, listing, accept, handshake, reuse };

struct FaultFacts {
  FaultKind kind;
  std::string_view name;
  FaultStage stage;
  std::string_view phrase;
};

// Every kind but `none`, in the order of the help text.
std::span<const FaultFacts> fault_table();

struct Fault {
  FaultKind kind = FaultKind::none;
  FaultStage stage = FaultStage::answer;
  std::string label;  // as in the plan, without its odds; empty for none
  std::string code;   // of code and code_after
  int status = 0;
};

class FaultPlan {
 public:
  // Throws std::invalid_argument, saying what is wrong, on a bad plan.
  // `inquiries` is the plan of the read-only calls, which have a lane of their own.
  FaultPlan(std::string_view plan, std::uint64_t seed, std::string_view inquiries = {});

  // Each draws the fate of the next event of its lane. The reference lives as long as the plan.
  const Fault& next_request() { return requests_.next(); }
  const Fault& next_inquiry() { return inquiries_.next(); }
  const Fault& next_accept() { return accepts_.next(); }
  const Fault& next_handshake() { return handshakes_.next(); }
  const Fault& next_reuse() { return reuses_.next(); }
  bool has_reuse() const { return !reuses_.entries.empty(); }

 private:
  struct Entry {
    Fault fault;
    double probability = 0;  // unless first is set
    std::uint64_t first = 0;
    std::uint64_t last = 0;
  };
  struct Lane {
    const Fault& next();
    std::vector<Entry> entries;
    Chance chance{0};
    std::uint64_t count = 0;
  };

  void add(std::string_view item, bool of_inquiries);
  Lane& lane_of(FaultStage stage);

  Lane requests_, inquiries_, accepts_, handshakes_, reuses_;
};

}  // namespace gateway
