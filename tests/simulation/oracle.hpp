// The oracle: knows what truly happened (the server executes, the wire carries, the disk keeps) and
// judges by that alone, never by what the engine says of itself.
//
//   I1   a row is executed at most once
//   I2   executed => placed with that OrderId, or in doubt
//   I3   placed(id) => that row's request produced that id; no id is placed twice
//   I4   rejected, invalid, pending => never executed
//   I5   the first byte of a nonce on the wire => its intent is durable (a copy: its replay record)
//   I6   the results are the projection of the ledger, and no line is written before its outcome
//   I7   doubts of one crash <= max-in-flight; a faultless run has none, and one request a row
//   I8   once faults stop, every row ends in bounded time
//   I9   the wire keeps burst + rate x time in every window
//   I10  a finished batch sends nothing
//   I11  the above under crashes during recovery (the history's doing; judged by the others)
//   I12  the same seed tells the same history (judged by main)
//   I13  a second process refuses
//   I14  a changed input, an older ledger and a second output are refused
//   I15  a secret is in no line, record or notice
//   I16  --replay same-bytes keeps I1 while the server's nonce rule holds
//   I17  one run places, or leaves in doubt, no more than the limits on what it buys allow
//   I18  no request leaves under a timestamp of more than 300 s ago
//   I19  after an interrupt no row is intended any more
//   I20  --canary: until its orders are placed no other row is on the wire, and none at all in a
//        run that found one of the batch's rows rejected or in doubt
//   I21  --not-after: no first byte leaves after it
//   I0   the program never contradicts itself, and its pool is never asked for too much
//
// What cannot be known is told apart and counted, not judged: a server that executes and answers a
// listed refusal (`lies`); an OrderId of an earlier process given again; copies that a server which
// forgets nonces executes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/life.hpp"
#include "tests/simulation/clock.hpp"
#include "tests/simulation/plan.hpp"
#include "tests/simulation/trace.hpp"

namespace sagorder::simulation {

/// In the secret, whatever is kept of it.
inline constexpr std::string_view kCanary = "cAnArY7";

class Disk;

struct Violation {
  std::string invariant;
  std::string text;
};

/// What is told apart, not judged.
struct Told {
  std::uint64_t copies_executed = 0;   ///< by a server that forgot the nonce
  std::uint64_t lied = 0;              ///< rows executed and answered with a listed refusal
  std::uint64_t lied_twice = 0;        ///< of them: executed again
  std::uint64_t late_copies = 0;       ///< left after 60 s: the process stood still
  std::uint64_t torn_first_lines = 0;  ///< results that a person had to move away
  std::uint64_t ids_of_before = 0;     ///< an OrderId that could not be known to be another's
};

/// A nonce, and what became of it.
struct Attempted {
  Nonce nonce;
  std::uint32_t row = 0;
  std::uint32_t place = 0;
  WallTime stamped;
  bool durable = false;
  bool replay_durable = false;
  bool reached = false;  ///< the server remembers it
  std::uint32_t writes = 0;
  Time first_written = 0;
  Time durable_at = 0;
};

class Oracle {
 public:
  Oracle(const Plan& plan, const Clock& clock, Trace& trace)
      : plan_(plan), clock_(clock), trace_(trace), truth_(plan.rows + 1) {}

  void violate(std::string_view invariant, std::string text);
  [[nodiscard]] const std::vector<Violation>& violations() const { return violations_; }

  // --- the server
  /// @return the OrderId it gives
  std::uint64_t executed(std::uint32_t row, std::uint32_t attempted);
  void lied(std::uint32_t row);
  [[nodiscard]] std::uint32_t executions(std::uint32_t row) const {
    return static_cast<std::uint32_t>(truth_.at(row).ids.size());
  }
  [[nodiscard]] const std::vector<std::uint64_t>& ids(std::uint32_t row) const {
    return truth_.at(row).ids;
  }
  [[nodiscard]] std::uint64_t last_id() const { return kFirstId + row_of_id_.size() - 1; }
  [[nodiscard]] bool is_id(std::uint64_t id) const { return id >= kFirstId && id <= last_id(); }

  // --- the wire
  /// @return an index; made if the nonce was never seen
  std::uint32_t attempt_of(std::string_view nonce, std::uint32_t row);
  Attempted& attempted(std::uint32_t index) { return attempts_[index]; }
  void written(std::uint32_t attempted, std::uint32_t row, std::uint32_t host);
  void process_begins(std::uint32_t host);
  /// Its threads may hold what has its token: until it goes on the wire is not judged.
  void process_paused(std::uint32_t host, Time until);
  void clock_jumped() { jumped_at_ = clock_.now(); }
  void run_begins(std::uint32_t life, bool limited);
  /// What the canary and the deadline allow this process, by what it found.
  void sends_begin(std::uint32_t host, const Rows& rows);
  [[nodiscard]] std::uint64_t requests() const { return requests_; }

  // --- the disk
  void durable(const Record& record, std::uint32_t place, std::uint32_t life);
  /// Nothing of the secret may be in it.
  void shown(std::string_view text, const char* where);

  /// Results that begin with what is not ours: after a power loss it may be a part of a first line
  /// and zeros, which a person has to move away; nothing else may be.
  void foreign(std::string_view bytes);

  /// At the end of a process that ended well, and at the end of the history.
  void judge_results(const Disk& disk, std::uint32_t place, bool whole);
  void judge_rows(const Disk& disk);

  Told told;

 private:
  static constexpr std::uint64_t kFirstId = 200'000'000'000'001;
  struct Truth {
    std::vector<std::uint64_t> ids;
    std::uint32_t nonce = 0;
    bool lied = false;
  };
  struct IdOf {
    std::uint32_t row = 0;
    std::uint32_t placed_in = 0;  // life + 1; 0: not placed
  };
  struct Wire {
    Time arrival = 0;
    Time unjudged_until = 0;
    Time paused_at = -1;
    Time last = 0;             // nothing may be sent after; 0: no deadline
    bool canary_lost = false;  // it may send nothing at all
  };
  /// What one run spent, of the limits that it was given.
  struct Spent {
    std::uint32_t life = 0;
    std::uint64_t orders = 0;
    std::uint64_t seats = 0;
    std::vector<bool> counted;  // by row
  };
  void judge_rate(std::uint32_t host);
  void judge_age(const Attempted& attempt, std::uint32_t host);
  void judge_allowed(std::uint32_t row, std::uint32_t host);
  void spend(std::uint32_t row, std::uint32_t life);

  const Plan& plan_;
  const Clock& clock_;
  Trace& trace_;
  std::vector<Violation> violations_;
  std::vector<Truth> truth_;  // by row
  std::vector<IdOf> row_of_id_;
  std::vector<Attempted> attempts_;
  std::uint64_t requests_ = 0;
  Wire wires_[2];
  Spent spent_[2];
  Time jumped_at_ = -1;
};

/// How long a word between two threads may take, at most.
inline constexpr Time kMailMax = 300 * kMicrosecond;

}  // namespace sagorder::simulation
