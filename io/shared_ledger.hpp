// What a ledger can do beyond the port when several hosts share one batch through it.
//
//   claim        the insert of an intent is the claim: of two hosts one has the row and number
//   ranges       a host takes rows by the range; a dead host's ranges go to others
//   lease        renews the heartbeat and takes tokens of the account's one bucket, in one
//   statement
//                on the database's clock; before it, what the host holds of the limits is written
//   run          lasts while hosts are at work; they agree on what all have to have in common
//   fence        a host that is taken for dead is kept from coming back
//
// A row with an intent and no outcome never moves, whatever becomes of its range: the one who takes
// the range over is told of the attempt, and leaves it. What a range is given for is not to try in
// vain; that no row is tried twice rests on the claim alone.
//
// A host is alive as long as its heartbeat is younger than the hosts' life, which is one for all
// that are at work together, and which the ledger knows. That is longer than any lease, so what a
// dead host had leased is over, by its own clock, too.
//
// Ranges, leases and hosts go over a connection of their own: those calls may come from another
// thread than commits do, but one at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/life.hpp"
#include "engine/moment.hpp"
#include "engine/share.hpp"
#include "io/ledger.hpp"
#include "io/plan_uses.hpp"

namespace sagorder::io {

inline constexpr milliseconds kHostLife{30'000};    ///< unless the hosts at work were told another
inline constexpr std::uint64_t kRangeRows = 1'000;  ///< of a range, but for the first and last
inline constexpr std::uint64_t kRangeRowsMin = 20;  ///< of a small batch, for all to have work
inline constexpr std::uint64_t kRangesWanted = 64;

/// Rows of a range of a batch of so many.
constexpr std::uint64_t range_rows(std::uint64_t rows) {
  return std::clamp(rows / kRangesWanted, kRangeRowsMin, kRangeRows);
}

/// This host was fenced: others took it for dead. It stops for good.
struct Fenced : LedgerError {
  using LedgerError::LedgerError;
};

/// No answer came, or one that a moment's disorder gave: whether the records are durable is not
/// known. `claim_again` looks it up.
struct AnswerLost : LedgerError {
  using LedgerError::LedgerError;
};

/// What answers now lacks, or may lack, what was durable: a standby took over that nobody had
/// waited for, or an older copy was restored. Nothing more is to be sent, by no host: the batch is
/// marked, unless it is gone as a whole.
struct RecordsLost : LedgerError {
  using LedgerError::LedgerError;
};

/// Hosts that are at work go by other terms of the rate, or live by another life.
struct OtherTerms : LedgerError {
  using LedgerError::LedgerError;
};

/// What a host says of itself.
struct HostName {
  std::string name;
  std::int64_t process = 0;
};

/// Rows that are this host's to try, both ends included, and all that the ledger has of them, each
/// row's in its order.
struct ClaimedRange {
  Row first;
  Row last;
  std::vector<Step> steps;
};

/// @param range nullopt: there is none now  @param for_good nor will there be: all are done, or
/// @param canary_failed one of the first rows was not placed, so the rest stays where it is
struct RangeAnswer {
  std::optional<ClaimedRange> range;
  bool for_good = false;
  bool canary_failed = false;
};

/// The account's bucket as one host sees it; hosts that are at work together have to agree.
struct BucketTerms {
  std::string account;
  double per_second = 0;  ///< 0: unlimited
  double capacity = 0;    ///< tokens that may be given at once: the burst less those of a lease
  double climb_per_second = 0;  ///< of the factor, once nothing pauses
  double factor_min = 0;
};

struct LeaseAsk {
  std::uint32_t tokens = 0;
  double factor = 1.0;                 ///< below 1: what a throttling answer made of the rate
  nanoseconds paused_for{0};           ///< nothing is to be sent for so long
  std::optional<ShareAsk> share = {};  ///< of the limits
  Share limits = {};                   ///< of all hosts together; kNoLimit: none
};

struct LeaseAnswer {
  std::uint32_t tokens = 0;
  double factor = 1.0;                   ///< of the rate, for all hosts now
  nanoseconds paused_for{0};             ///< nothing is sent for so long
  std::optional<ShareGrant> share = {};  ///< if one was asked for
};

/// A process that is or was at work with the batch.
struct HostSeen {
  std::int64_t id = 0;
  HostName host;
  WallTime begun;
  WallTime heartbeat;  ///< the last one, by the database's clock
  bool alive = false;
  bool fenced = false;
  bool left = false;               ///< it ended its part, or was never at work with ranges
  std::uint64_t open_intents = 0;  ///< attempts of its own without an outcome
  milliseconds life = kHostLife;   ///< not heard of for so long it counts as dead
};

/// An attempt without an outcome.
struct OpenIntent {
  Row row;
  Attempt attempt;
  HostSeen host;
};

class SharedLedger : public Ledger {
 public:
  /// As `commit`, but an intent of a row and number that another host has inserted is refused.
  /// @return the indices of refused intents, ascending; all else is durable
  /// Throws AnswerLost if it is not known what became of them; then nothing else is claimed before
  /// `claim_again` has told.
  [[nodiscard]] virtual std::vector<std::uint32_t> claim(std::span<const Record> records) = 0;
  /// After AnswerLost, the same records: over a new connection, and once the old one can do nothing
  /// any more, it is looked up whether they are durable; if not, they are claimed now. Durable is
  /// what would outlive the server, too. Throws AnswerLost as long as that cannot be told.
  [[nodiscard]] virtual std::vector<std::uint32_t> claim_again(std::span<const Record> records) = 0;

  /// Of what is read and noted once nothing is claimed any more: a new connection, if the one of
  /// the claims was lost.
  virtual void connect_if_lost() = 0;

  /// From that moment on no call waits: what has no answer by then throws LedgerError. May be said
  /// while other threads wait.
  virtual void end_waiting_at(SteadyTime at) = 0;

  /// Adds those that are not there yet. @return all that are there then
  virtual Facts add_facts(const Facts& facts) = 0;
  /// Changes one as a whole, whatever other hosts do. @param change what is there, or empty
  virtual void change_fact(const std::string& name,
                           const std::function<std::string(const std::string& before)>& change) = 0;

  /// Takes a plan for this batch, durably, whichever of its hosts does; also once the batch as a
  /// whole is removed it stays taken.
  /// @return nullopt: it is this batch's; else whose it is
  virtual std::optional<PlanUse> take_plan(const std::string& digest, const std::string& ledger_id,
                                           const std::string& output) = 0;
  /// Gives it back if no order of the batch was begun, and no other host may begin one.
  /// @return whether it did
  virtual bool give_back_plan(const std::string& digest) = 0;

  /// This process among those at work.
  [[nodiscard]] virtual std::int64_t host() const = 0;
  /// When it joined no other was at work: what was is over.
  [[nodiscard]] virtual bool was_first() const = 0;

  /// Whether a host of the run that this one is of has tried a row.
  [[nodiscard]] virtual bool has_run_begun() = 0;

  /// What the hosts of a run have in common is what the first of them says, once each: a run lasts
  /// while hosts are at work. From then on this host is one of it.
  /// @param bound by limits of all hosts together, or a canary: who is of an earlier run, because
  /// it fell silent for so long, then gets no lease any more
  /// @return what was said first; not this host's: it is none of the run
  virtual std::string agree(const std::string& terms, bool bound) = 0;

  /// These processes are known to have ended: this one stands in their place, and joins anew.
  virtual void replace(std::span<const std::int64_t> hosts) = 0;

  /// Makes the ranges of a batch, unless they are made. Before the first of them is claimed.
  /// @param canary rows of the first; 0: as all
  virtual void make_ranges(std::uint64_t rows, std::uint64_t canary) = 0;
  /// Takes the lowest range that is free, else one of a host that is not alive. Behind the first
  /// `canary` rows none is given out before all of those, less `left_out`, are placed.
  [[nodiscard]] virtual RangeAnswer claim_range(std::uint64_t canary = 0,
                                                std::uint64_t left_out = 0) = 0;
  /// Of a range of which nothing is under way here any more: it is done if no row of it is left to
  /// be tried, and none is under way at another host that is alive; else free.
  /// @param left_out rows of it that are no orders  @return whether it is done, and by this host
  virtual bool end_range(Row first, std::uint64_t left_out) = 0;

  /// Throws Fenced, or OtherTerms. What it asks of the limits may be granted though it throws.
  [[nodiscard]] virtual LeaseAnswer lease(const BucketTerms& terms, const LeaseAsk& ask) = 0;
  /// Rows of which the last attempt was one of these processes'.
  virtual void tried_by(std::span<const std::int64_t> hosts,
                        const std::function<void(Row)>& visit) = 0;

  [[nodiscard]] virtual std::vector<HostSeen> hosts() = 0;
  [[nodiscard]] virtual std::vector<OpenIntent> open_intents() = 0;
  /// @return false: it is alive, and is left alone
  [[nodiscard]] virtual bool fence(std::int64_t host) = 0;
  /// The attempt of a row that its host may still be at: it was begun, or is to be sent once more,
  /// and no record has come since. nullopt: there is none.
  [[nodiscard]] virtual std::optional<OpenIntent> under_way(Row row) = 0;
  /// All that the ledger has of a row by now, in its order.
  [[nodiscard]] virtual std::vector<Step> steps(Row row) = 0;
  /// As `commit`, of what an operator knows. Ranges of rows that may be tried again are given out
  /// again, whoever is at work.
  virtual void settle(std::span<const Record> records) = 0;
  /// What a person should know of how safely it is kept: a sentence; empty: nothing.
  [[nodiscard]] virtual std::string caution() = 0;
  /// This process is at work no more: its ranges are free, and it is dead at once.
  /// @param spent of the limits: it gives back what else it holds; nullopt: it keeps it
  virtual void leave(const std::optional<Share>& spent) = 0;
  void leave() { leave(std::nullopt); }
};

}  // namespace sagorder::io
