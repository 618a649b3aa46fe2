#include "tests/simulation/hosts/ledger.hpp"

#include <algorithm>

#include "tests/simulation/planted.hpp"

namespace sagorder::simulation::hosts {

Ledger::Ledger(const Plan& plan, const Clock& clock, Oracle& oracle)
    : plan_(plan),
      clock_(clock),
      oracle_(oracle),
      rows_(plan.rows),
      account_(plan.terms, nanoseconds(clock.now())) {
  if (plan.canary_rows > 0) ranges_.push_back({{{1}, {plan.canary_rows}}, std::nullopt, 0, false});
  for (std::uint64_t first = plan.canary_rows + 1; first <= plan.rows; first += plan.range_rows) {
    const std::uint64_t last = std::min<std::uint64_t>(first + plan.range_rows - 1, plan.rows);
    ranges_.push_back({{{first}, {last}}, std::nullopt, 0, false});
  }
}

void Ledger::begin(Life life) {
  if (lives_.count(life) > 0) return;
  const bool alone = std::all_of(lives_.begin(), lives_.end(),
                                 [this](const auto& each) { return is_dead(each.first); });
  if (alone) {
    ++run_;
    held_ = {};
  }
  lives_[life].alive_at = clock_.now();
  lives_[life].run = run_;
  oracle_.began(life, run_);
}

/// By somebody, or because it is of a run that is over.
bool Ledger::is_shut_out(Life life) const {
  const Known& known = lives_.at(life);
  if (known.fenced && !planted("ledger-forgets-the-fence")) return true;
  return plan_.bound() && known.run != run_ && !planted("ledger-forgets-the-run");
}

bool Ledger::is_dead(Life life) const {
  const Known& known = lives_.at(life);
  return known.gone || known.fenced || clock_.now() - known.alive_at > plan_.host_life;
}

Life Ledger::holder(Row row) const {
  return attempts_.at({row.value, rows_.attempts(row).value}).life;
}

std::uint32_t Ledger::open_of(Life life) const {
  std::uint32_t count = 0;
  for (const Row row : rows_.open_intents()) count += holder(row) == life ? 1 : 0;
  return count;
}

// ------------------------------------------------------------------------------------- commits

std::vector<std::uint32_t> Ledger::commit(Life life, std::span<const Record> records) {
  std::vector<std::uint32_t> refused;
  for (std::uint32_t i = 0; i < records.size(); ++i) {
    if (records[i].kind != RecordKind::intent) {
      keep(records[i], life);
    } else if (!claim_row(life, records[i])) {
      refused.push_back(i);
    }
  }
  return refused;
}

bool Ledger::claim_row(Life life, const Record& intent) {
  const auto key = std::pair(intent.row.value, intent.attempt.value);
  const auto found = attempts_.find(key);
  if (found != attempts_.end() && found->second.nonce.view() == intent.nonce.view()) return true;
  if (planted("ledger-lets-both-claim") && found != attempts_.end()) {
    oracle_.durable(intent, life);
    return true;
  }
  const bool fenced = lives_.at(life).fenced && !planted("ledger-forgets-the-fence");
  if (found != attempts_.end() || fenced) return false;
  // As the key's foreign key has it: an attempt follows the one before, which did not execute.
  if (!rows_.apply({intent.kind, intent.row, intent.attempt})) return false;
  attempts_[key] = {intent.nonce, life};
  records_.push_back(intent);
  oracle_.durable(intent, life);
  return true;
}

/// The same outcome again changes nothing, nor does one that cannot follow.
void Ledger::keep(const Record& record, Life life) {
  const bool again = std::any_of(records_.begin(), records_.end(), [&](const Record& other) {
    return other.kind == record.kind && other.row == record.row &&
           other.attempt.value == record.attempt.value;
  });
  if (again || !rows_.apply({record.kind, record.row, record.attempt})) return;
  records_.push_back(record);
  oracle_.durable(record, life);
  if (record.kind != RecordKind::not_executed && record.kind != RecordKind::resolved_not_placed) {
    return;
  }
  for (Held& held : ranges_) {  // its host had counted as dead, or somebody settled it
    if (held.range.first <= record.row && record.row <= held.range.last) held.done = false;
  }
}

// -------------------------------------------------------------------------------------- ranges

Claim Ledger::give(Held& held, Life life, std::uint32_t number) {
  held.holder = life;
  held.number = number;
  Claim claim{held.range, false, {}};
  for (const Record& record : records_) {
    const bool its = held.range.first <= record.row && record.row <= held.range.last;
    if (its) claim.steps.push_back({record.kind, record.row, record.attempt});
  }
  return claim;
}

Claim Ledger::claim(Life life, std::uint32_t number, std::span<const ClaimedRange> known) {
  if (is_shut_out(life)) return {};
  for (Held& held : ranges_) {
    if (held.holder != life) continue;
    if (held.number == number) return give(held, life, number);
    const bool is_known = std::any_of(known.begin(), known.end(), [&](const ClaimedRange& each) {
      return each.number == held.number;
    });
    if (!is_known) held.holder.reset();
  }
  if (is_canary_lost()) return {std::nullopt, true, {}};
  const bool passed = is_canary_placed() || planted("ledger-forgets-the-canary");
  const Row furthest{passed ? plan_.rows : plan_.canary_rows};
  const auto may_go = [&](const Held& held) { return !held.done && held.range.first <= furthest; };
  for (Held& held : ranges_) {
    if (may_go(held) && !held.holder) return give(held, life, number);
  }
  for (Held& held : ranges_) {
    if (may_go(held) && is_dead(*held.holder)) return give(held, life, number);
  }
  const bool all =
      std::all_of(ranges_.begin(), ranges_.end(), [](auto& held) { return held.done; });
  return {std::nullopt, all, {}};
}

bool Ledger::is_canary_placed() const {
  for (Row row{1}; row.value <= plan_.canary_rows; ++row.value) {
    if (rows_.state(row) != State::placed) return false;
  }
  return true;
}

/// One was not placed, or its host died while it was under way.
bool Ledger::is_canary_lost() const {
  for (Row row{1}; row.value <= plan_.canary_rows; ++row.value) {
    const State state = rows_.state(row);
    if (state == State::rejected || state == State::in_doubt) return true;
    if (state == State::intended && is_dead(holder(row))) return true;
  }
  return false;
}

bool Ledger::is_done(const Range& range) const {
  for (Row row = range.first; row <= range.last; ++row.value) {
    const State state = rows_.state(row);
    if (state == State::pending) return false;
    if (state == State::intended && !is_dead(holder(row))) return false;
  }
  return true;
}

void Ledger::over(Life life, const ClaimedRange& over) {
  for (Held& held : ranges_) {
    if (held.holder != life || held.number != over.number) continue;
    held.done = is_done(held.range);
    held.holder.reset();
  }
}

// -------------------------------------------------------------------------------------- leases

std::optional<Leased> Ledger::lease(Life life, const LeaseWish& wish, std::uint32_t number) {
  if (is_shut_out(life)) return std::nullopt;
  lives_.at(life).alive_at = clock_.now();
  Leased leased;
  if (wish.share) leased.share = share(life, *wish.share, number);
  leased.grant = account_.lease(wish, nanoseconds(clock_.now()));
  return leased;
}

ShareGrant Ledger::share(Life life, const ShareAsk& ask, std::uint32_t number) {
  Known& known = lives_.at(life);
  const Share others = known.run == run_ ? held_ - known.held : held_;
  ShareGrant grant;
  grant.most = plan_.limits - others;
  grant.held = granted(ask, grant.most);
  grant.more_may_come = std::any_of(lives_.begin(), lives_.end(), [&](const auto& each) {
    const Known& other = each.second;
    return each.first != life && other.run == run_ && !is_dead(each.first) &&
           other.held != other.spent;
  });
  const bool late = known.asked >= number && !planted("ledger-counts-late-asks");
  if (known.gone || late) return grant;  // nobody hears of it
  known.asked = number;
  write_share(known, grant.held, ask.spent);
  return grant;
}

void Ledger::write_share(Known& known, const Share& held, const Share& spent) {
  if (known.run == run_) held_ = held_ - known.held + held;
  known.held = held;
  known.spent = spent;
}

void Ledger::end(Life life, const std::optional<Share>& spent) {
  Known& known = lives_.at(life);
  if (spent && !known.fenced) write_share(known, *spent, *spent);
  known.gone = true;
}

std::size_t Ledger::fenced() const {
  return static_cast<std::size_t>(std::count_if(
      lives_.begin(), lives_.end(), [](const auto& each) { return each.second.fenced; }));
}

void Ledger::resolve(const Server& server) {
  for (const Row row : rows_.open_intents()) {
    const Life life = holder(row);
    const auto number = static_cast<std::uint32_t>(row.value);
    if (!is_dead(life) || server.is_under_way(number)) continue;
    lives_.at(life).fenced = true;
    oracle_.fenced(life);
    Record record;
    record.row = row;
    record.attempt = rows_.attempts(row);
    const auto id = oracle_.id_of(number);
    // An open intent is in doubt: that is recorded with what settles it.
    record.kind = RecordKind::in_doubt;
    keep(record, 0);
    record.kind = id ? RecordKind::resolved_placed : RecordKind::resolved_not_placed;
    if (id) record.order_id = std::to_string(*id);
    keep(record, 0);
  }
}

}  // namespace sagorder::simulation::hosts
