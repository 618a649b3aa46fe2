// The shared ledger, as its statements leave it: each call is one transaction, and what it did is
// kept through every failure (its copies are synchronous). What io's statements have to keep:
//
//   commit   the insert of an intent is the claim: the key is (row, number). The same intent again,
//            by its nonce, is the same claim, so that a commit of which nothing was heard can be
//            said again. An outcome that cannot follow, because somebody settled the row meanwhile,
//            is passed over. A fenced host claims nothing.
//   claim    the lowest free range, else the lowest of a host that counts as dead; the same claim
//            again, by its number, gives the same range. It names the claims that the host still
//            holds: of another, whose answer was lost, it knows nothing, and that one is free.
//            Behind the canary's range none is given before all of its rows are placed, and none
//            at all once one of them is not
//   over     of the range of one claim: it is done if every row of it has its outcome, or an open
//            intent of a dead host; else it is free again. A row that turns out not to have been
//            executed makes its range one to do again
//   lease    a sign of life, and tokens of the account's bucket; a fenced host gets nothing. With
//            it a host says what it holds of the limits and asks for more (engine/share); asks are
//            numbered, and one that comes behind a later one changes nothing
//   run      lasts while hosts are at work: who begins while no other counts as alive begins a new
//            one, of which nothing is spent. Where there are limits, a host of an earlier one,
//            which had counted as dead, gets no lease and no range any more
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "engine/account.hpp"
#include "engine/life.hpp"
#include "engine/ranges.hpp"
#include "tests/simulation/hosts/oracle.hpp"
#include "tests/simulation/hosts/plan.hpp"
#include "tests/simulation/hosts/server.hpp"

namespace sagorder::simulation::hosts {

/// A range, and the claim that gave it, counted by its host.
struct ClaimedRange {
  Range range;
  std::uint32_t number = 0;
};

struct Leased {
  LeaseGrant grant;
  std::optional<ShareGrant> share;
};

struct Claim {
  std::optional<Range> range;
  bool for_good = false;
  std::vector<Step> steps;
};

class Ledger {
 public:
  Ledger(const Plan& plan, const Clock& clock, Oracle& oracle);

  void begin(Life life);
  /// It ended in good order: what it holds is free at once, and of the limits all but what it
  /// spent.
  void end(Life life, const std::optional<Share>& spent);
  /// @return indices of the intents that are another's
  std::vector<std::uint32_t> commit(Life life, std::span<const Record> records);
  Claim claim(Life life, std::uint32_t number, std::span<const ClaimedRange> held);
  void over(Life life, const ClaimedRange& over);
  /// @param number of the ask, counted by its host  @return nullopt: it was fenced
  std::optional<Leased> lease(Life life, const LeaseWish& wish, std::uint32_t number);

  /// What dead hosts left open is settled by the truth, once they are fenced and nothing of it is
  /// on its way any more.
  void resolve(const Server& server);

  [[nodiscard]] const Rows& rows() const { return rows_; }
  [[nodiscard]] const std::vector<Record>& records() const { return records_; }
  [[nodiscard]] bool is_dead(Life life) const;
  [[nodiscard]] bool is_fenced(Life life) const { return lives_.at(life).fenced; }
  /// Whose the last attempt of a row is; there is one.
  [[nodiscard]] Life holder(Row row) const;
  [[nodiscard]] std::uint32_t open_of(Life life) const;
  [[nodiscard]] std::size_t fenced() const;
  /// One of the first orders was not placed, so the rest stays where it is.
  [[nodiscard]] bool is_canary_lost() const;

 private:
  struct Known {
    Time alive_at = 0;
    bool fenced = false;
    bool gone = false;
    std::uint32_t run = 0;
    std::uint32_t asked = 0;  // the last ask for a share
    Share held;
    Share spent;
  };
  struct Held {
    Range range;
    std::optional<Life> holder;
    std::uint32_t number = 0;  // of the claim
    bool done = false;
  };
  struct Attempted {
    Nonce nonce;
    Life life = 0;
  };
  bool claim_row(Life life, const Record& intent);
  void keep(const Record& record, Life life);
  [[nodiscard]] bool is_shut_out(Life life) const;
  ShareGrant share(Life life, const ShareAsk& ask, std::uint32_t number);
  void write_share(Known& known, const Share& held, const Share& spent);
  [[nodiscard]] bool is_done(const Range& range) const;
  [[nodiscard]] bool is_canary_placed() const;
  Claim give(Held& held, Life life, std::uint32_t number);

  const Plan& plan_;
  const Clock& clock_;
  Oracle& oracle_;
  Rows rows_;
  std::vector<Record> records_;
  std::map<std::pair<std::uint64_t, std::uint32_t>, Attempted> attempts_;
  std::vector<Held> ranges_;
  std::map<Life, Known> lives_;
  Account account_;
  std::uint32_t run_ = 0;
  Share held_;  // by the hosts of this run
};

}  // namespace sagorder::simulation::hosts
