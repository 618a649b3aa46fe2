// The oracle of several hosts: knows what truly happened and judges by that alone.
//
//   S0  no host contradicts itself, and none keeps the ledger busy with two asks of a kind
//   S1  a row is executed at most once, whichever hosts tried it
//   S2  the first byte of a nonce on the wire => its intent is durable and this host's (of a copy:
//       its replay record)
//   S3  executed => placed with that OrderId, in doubt, or an open intent of a host
//   S4  no byte leaves but under a lease that holds, by true time, and each token is used once
//   S5  the wire of all hosts together keeps burst + rate x time in every window
//   S6  a host leaves at most max-in-flight open intents
//   S7  once the ledger knows of a pause that one host was told, no host sends in it, but for what
//       was leased before
//   S8  no byte of a host leaves once it was fenced
//   S9  once faults stop, every row ends and every host comes to its end, in bounded time (the
//       same command may have to be given again)
//   S10 all hosts together write at most one line of a row, and only of a durable outcome (hosts
//       that were fenced apart)
//   S11 the same seed tells the same history (judged by main)
//   S12 nothing leaves from behind the canary before all of it is placed; and no attempt of a host
//       leaves once it recorded that one of the canary is rejected or in doubt
//   S13 what hosts of one run have placed, in doubt or open never exceeds a limit; and in a history
//       without faults every run but the last spends all of --max-orders
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/life.hpp"
#include "tests/simulation/clock.hpp"
#include "tests/simulation/hosts/plan.hpp"
#include "tests/simulation/trace.hpp"

namespace sagorder::simulation::hosts {

class Ledger;

struct Violation {
  std::string invariant;
  std::string text;
};

class Oracle {
 public:
  Oracle(const Plan& plan, const Clock& clock, Trace& trace)
      : plan_(plan), clock_(clock), trace_(trace) {}

  void violate(std::string_view invariant, std::string text);
  [[nodiscard]] const std::vector<Violation>& violations() const { return violations_; }

  // --- the ledger
  void durable(const Record& record, Life life);
  void fenced(Life life) { fenced_.insert(life); }
  void began(Life life, std::uint32_t run) { runs_[life] = run; }
  /// An ask for a lease was served that left its host at `asked_at`.
  void served(Life life, Time asked_at);

  // --- the hosts
  void leased(Life life, std::uint32_t tokens, Time asked_at);
  /// The gateway told it to send nothing for so long.
  void told_to_pause(Life life, Time pause) {
    pauses_[life] = {clock_.now(), clock_.now() + pause};
  }
  void written(Life life, std::uint32_t row, std::string_view nonce);
  void line(Life life, std::uint32_t row, State durable);

  // --- the server
  /// @return the OrderId that it gives
  std::uint64_t executed(std::uint32_t row);
  [[nodiscard]] std::optional<std::uint64_t> id_of(std::uint32_t row) const;

  void judge_end(const Ledger& ledger);
  [[nodiscard]] std::uint64_t requests() const { return requests_; }

 private:
  struct Attempted {
    std::uint32_t row = 0;
    Life life = 0;
    std::uint32_t writes = 0;
    bool replayed = false;  // its record is durable
  };
  struct Tokens {
    std::uint32_t count = 0;
    Time until = 0;
  };
  void judge_lease(Life life, std::uint32_t row);
  void judge_rate();
  void count_spent(const Record& record, Life life);
  void judge_runs();
  void judge_canary(Life life, std::uint32_t row, bool copy);

  const Plan& plan_;
  const Clock& clock_;
  Trace& trace_;
  std::vector<Violation> violations_;
  std::map<std::string, Attempted, std::less<>> attempts_;                 // by nonce
  std::map<std::pair<std::uint64_t, std::uint32_t>, std::string> nonces_;  // by row and number
  std::map<std::uint32_t, std::vector<std::uint64_t>> ids_;                // by row
  std::map<Life, std::vector<Tokens>> tokens_;
  std::map<Life, Span> pauses_;  // told to a host
  std::vector<Span> quiet_;      // known to the ledger
  std::set<Life> fenced_;
  std::map<Life, std::uint32_t> runs_;            // of the batch, counted
  std::map<std::uint32_t, Share> spent_;          // by run
  std::map<std::uint64_t, std::uint32_t> whose_;  // by row: the run that has it spent
  std::set<std::uint64_t> placed_;                // of the canary
  std::map<Life, std::set<std::uint64_t>> lost_;  // likewise: rejected or in doubt, by whose record
  std::map<std::uint32_t, std::uint32_t> lines_;  // by row
  std::uint64_t requests_ = 0;
  double level_ = 0;  // of the wire's bucket
  Time level_at_ = 0;
};

}  // namespace sagorder::simulation::hosts
