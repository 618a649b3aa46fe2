#include "tests/simulation/hosts/host.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "engine/expect.hpp"
#include "tests/simulation/planted.hpp"

namespace sagorder::simulation::hosts {
Host::Host(Stage& stage, std::uint32_t index, Life life)
    : stage_(stage),
      index_(index),
      life_(life),
      clock_off_(stage.chance.between(0, 1'000'000 * kSecond)),
      rows_(stage.plan.rows) {
  stage_.trace.tell("host {} begins (life {})", index_, life_);
  NonceSource::Key key{};
  for (auto& byte : key) byte = static_cast<std::uint8_t>(stage_.chance.next());
  pipeline_ =
      std::make_unique<Pipeline>(stage_.plan.options, rows_,
                                 RequestWriter(Scheme::acs3_hmac_sha256, Method::post,
                                               AccessKey{"testid", Secret("testsecret"), Secret()}),
                                 ResultWriter(ResultFormat::csv, {"UserCount"}), key);
  ask(Ask(Kind::begin));
}

Moment Host::moment() const {
  Moment now = stage_.clock.moment();
  now.steady += nanoseconds(clock_off_);
  return now;
}

void Host::die(std::string_view how) {
  stage_.trace.tell("host {} {} (life {})", index_, how, life_);
  alive_ = false;
}

void Host::take(const Due& due) {
  try {
    act_on(due);
  } catch (const BrokenPromise& broken) {
    stage_.oracle.violate("S0", broken.what());
    alive_ = false;
  }
}

void Host::act_on(const Due& due) {
  switch (due.act) {
    case Act::timer:
      if (!armed_ || *armed_ > stage_.clock.now()) return;
      armed_.reset();
      return dispatch(event::Tick{});
    case Act::told:
      return told(due.b);
    case Act::handshake:
      return connected(due.a);
    case Act::answer:
      return answered(due.a);
    case Act::interrupt:
      if (!begun_) return;
      stage_.trace.tell("host {} is interrupted", index_);
      return dispatch(event::Interrupted{});
    default:
      return;
  }
}

// ------------------------------------------------------------------------------------ the engine

void Host::dispatch(const Event& event) {
  perform(pipeline_->resume(event, moment()));
  while (wanted_ > 0) read_one();
  if (!finished_ || !alive_) return;
  die(fmt::format("ends: {}", name_of(pipeline_->stop())));
  if (stage_.calm || !stage_.chance.one_in(8)) stage_.ledger.end(life_, pipeline_->spent());
}

void Host::perform(const Actions& actions) {
  wanted_ = actions.wanted_orders;
  finished_ = actions.finished;
  if (!actions.notice.empty()) stage_.trace.tell("host {} says: {}", index_, actions.notice);
  for (const Range& range : actions.ranges_over) end_range(range);
  if (!actions.commit.empty()) {
    Ask commit(Kind::commit);
    commit.records.assign(actions.commit.begin(), actions.commit.end());
    ask(std::move(commit));
  }
  for (const Slot slot : actions.leave) {
    const std::uint32_t index = exchange_of(slot);
    stage_.server.exchange(index).state = Exchange::State::leaving;
    stage_.clock.after(stage_.hop(), Act::handshake, index);
  }
  for (const Send& one : actions.sends) send(one);
  for (const Slot slot : actions.go) stage_.server.go(exchange_of(slot));
  append(actions.lines);
  if (actions.wanted_range) {
    Ask claim(Kind::claim);
    claim.number = ++claims_;
    claim.held = held_;
    ask(std::move(claim));
  }
  if (actions.lease) {
    Ask lease(Kind::lease);
    lease.wish = *actions.lease;
    lease.number = ++leases_;
    lease.over = over_;
    ask(std::move(lease));
  }
  if (!actions.wake_at) return;
  const Time at = Clock::time_of(*actions.wake_at - nanoseconds(clock_off_));
  if (armed_ && *armed_ <= at && *armed_ > stage_.clock.now()) return;
  armed_ = at;
  stage_.clock.at(at, Act::timer, life_);
}

void Host::end_range(const Range& range) {
  const auto its = std::find_if(held_.begin(), held_.end(), [&](const ClaimedRange& each) {
    return each.range.first == range.first;
  });
  expect(its != held_.end(), "a range is over that is not held");
  over_.push_back(*its);
  held_.erase(its);
}

void Host::read_one() {
  if (range_.first > range_.last) {
    return perform(pipeline_->resume(event::InputEnded{}, moment()));
  }
  const Row row = range_.first;
  ++range_.first.value;
  order_.row = row;
  order_.region_id = "cn-shanghai";
  order_.period = 1;
  order_.user_count = static_cast<std::uint32_t>(row.value);
  order_.cells.clear();
  order_.cells.push_back(std::to_string(row.value));
  perform(pipeline_->resume(event::OrderRead{&order_}, moment()));
}

void Host::append(std::string_view lines) {
  while (!lines.empty()) {
    std::uint32_t row = 0;
    std::from_chars(lines.data(), lines.data() + lines.size(), row);
    stage_.oracle.line(life_, row, stage_.ledger.rows().state({row}));
    lines.remove_prefix(lines.find('\n') + 1);
  }
}

// ---------------------------------------------------------------------------------- the requests

void Host::send(const Send& send) {
  const std::uint32_t index = stage_.server.connect(index_, life_, send);
  exchanges_.push_back(index);
  if (send.hold) return;
  stage_.server.exchange(index).state = Exchange::State::connected;
  stage_.server.go(index);
}

std::uint32_t Host::exchange_of(Slot slot) const {
  for (std::size_t i = exchanges_.size(); i-- > 0;) {
    if (stage_.server.exchange(exchanges_[i]).slot == slot) return exchanges_[i];
  }
  throw BrokenPromise("a slot has no request");
}

void Host::fault(Slot slot, FaultKind kind, std::uint64_t bytes) {
  const sagorder::Fault fault{kind, bytes, 0, "detail"};
  dispatch(event::Faulted{slot, &fault});
}

void Host::connected(std::uint32_t index) {
  Exchange& exchange = stage_.server.exchange(index);
  if (exchange.state == Exchange::State::leaving) {
    exchange.state = Exchange::State::over;
    return fault(exchange.slot, FaultKind::cancelled, 0);
  }
  if (exchange.state != Exchange::State::connecting) return;
  if (exchange.refused) {
    exchange.state = Exchange::State::over;
    return fault(exchange.slot, FaultKind::connect_failed, 0);
  }
  exchange.state = Exchange::State::connected;
  dispatch(event::Connected{exchange.slot});
}

void Host::answered(std::uint32_t index) {
  Exchange& exchange = stage_.server.exchange(index);
  exchange.state = Exchange::State::over;
  if (exchange.lost) return fault(exchange.slot, FaultKind::reset, 400);
  if (exchange.pause > 0) stage_.oracle.told_to_pause(life_, exchange.pause);
  const std::string body = exchange.body;
  const std::string retry_after = exchange.retry_after;
  Reply reply;
  reply.status = exchange.status;
  reply.body = body;
  reply.retry_after = retry_after;
  dispatch(event::Replied{exchange.slot, &reply});
}

// ------------------------------------------------------------------------------------ the ledger

void Host::ask(Ask ask) {
  Stage& s = stage_;
  const auto index = static_cast<std::uint32_t>(asks_.size());
  ask.at = s.clock.now();
  ask.asked_at = moment().steady;
  const bool lost = s.hits(s.plan.ask_lost) || !s.reaches(index_);
  const Time slow = s.hits(s.plan.ask_slow) ? s.chance.between(0, 3 * s.plan.ask_timeout) : 0;
  asks_.push_back(std::move(ask));
  if (!lost) s.clock.after(s.hop() + slow, Act::asked, life_, index);
  s.clock.after(s.plan.ask_timeout, Act::told, life_, index);
}

void Host::serve(std::uint32_t index) {
  Stage& s = stage_;
  Ask& ask = asks_[index];
  if (!s.reaches(index_)) return;
  switch (ask.kind) {
    case Kind::begin:
      s.ledger.begin(life_);
      break;
    case Kind::commit:
      ask.failed = s.hits(s.plan.commit_failed);
      if (!ask.failed || s.chance.one_in(2)) ask.refused = s.ledger.commit(life_, ask.records);
      break;
    case Kind::claim:
      ask.claim = s.ledger.claim(life_, ask.number, ask.held);
      break;
    case Kind::lease:
      for (const ClaimedRange& each : ask.over) s.ledger.over(life_, each);
      ask.grant = s.ledger.lease(life_, ask.wish, ask.number);
      if (ask.grant) s.oracle.served(life_, ask.at);
      break;
  }
  if (s.hits(s.plan.ask_lost)) return;
  ask.told_at = s.clock.now() + s.hop();
  s.clock.at(ask.told_at, Act::told, life_, index);
}

bool Host::is_answered(const Ask& ask, Time now) { return ask.told_at >= 0 && ask.told_at <= now; }

void Host::told(std::uint32_t index) {
  Ask& ask = asks_[index];
  if (ask.concluded) return;
  ask.concluded = true;
  if (is_answered(ask, stage_.clock.now())) return conclude(ask);
  stage_.trace.tell("host {}: the ledger did not answer {}", index_, static_cast<int>(ask.kind));
  unknown(ask);
}

/// Nothing is known of what it led to. Of a lease nothing is needed; all else is said again.
void Host::unknown(Ask& ask) {
  if (ask.kind == Kind::lease) return dispatch(event::LeaseFailed{"no answer", false});
  if (ask.kind == Kind::commit && planted("host-takes-unknown-for-durable")) {
    return dispatch(event::Committed{});
  }
  say_again(ask);
}

void Host::say_again(const Ask& ask) {
  Ask again(ask.kind);
  again.records = ask.records;
  again.number = ask.number;
  again.held = ask.held;
  this->ask(std::move(again));
}

void Host::conclude(Ask& ask) {
  switch (ask.kind) {
    case Kind::begin:
      begun_ = true;
      return dispatch(event::Started{});
    case Kind::commit: {
      if (ask.failed) return dispatch(event::CommitFailed{"disk"});
      const std::vector<std::uint32_t> refused = ask.refused;
      return dispatch(event::Committed{refused});
    }
    case Kind::claim: {
      const Claim claim = ask.claim;
      if (!claim.range) return dispatch(event::NoRange{claim.for_good});
      stage_.trace.tell("host {} claims rows {} to {}", index_, claim.range->first.value,
                        claim.range->last.value);
      range_ = *claim.range;
      std::erase_if(held_, [&](const ClaimedRange& each) {  // lost meanwhile: this claim counts
        return each.range.first == claim.range->first;
      });
      held_.push_back({range_, ask.number});
      return dispatch(event::RangeClaimed{range_.first, range_.last, claim.steps});
    }
    case Kind::lease:
      break;
  }
  std::erase_if(over_, [&](const ClaimedRange& each) {
    return std::any_of(ask.over.begin(), ask.over.end(),
                       [&](const ClaimedRange& told) { return told.number == each.number; });
  });
  if (!ask.grant) return dispatch(event::LeaseFailed{"fenced", true});
  const LeaseGrant grant = ask.grant->grant;
  const std::optional<ShareGrant> share = ask.grant->share;
  stage_.oracle.leased(life_, grant.tokens, ask.at);
  const SteadyTime until = ask.asked_at + stage_.plan.terms.lease;
  dispatch(event::Leased{grant.tokens, until, grant.factor, grant.paused_for, share});
}

}  // namespace sagorder::simulation::hosts
