#include "tests/simulation/hosts/history.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "tests/simulation/hosts/host.hpp"

namespace sagorder::simulation::hosts {

Stage::Stage(std::uint64_t seed, bool aloud)
    : chance(seed),
      plan(chance),
      trace(clock, aloud),
      oracle(plan, clock, trace),
      ledger(plan, clock, oracle),
      server(*this) {}

Stage::~Stage() = default;

bool Stage::reaches(std::uint32_t host) const {
  if (calm) return true;
  const auto covers = [this](const Span& span) { return span.covers(clock.now()); };
  return std::none_of(plan.outages.begin(), plan.outages.end(), covers) &&
         std::none_of(plan.cut_off[host].begin(), plan.cut_off[host].end(), covers);
}

namespace {

constexpr std::uint64_t kEventsMax = 400'000;
constexpr Time kCalmMax = 900 * kSecond;
constexpr int kCommandsMax = 3;
constexpr int kCommandsMaxBound = 60;  // each may place one order, or find others in its way
constexpr Time kSettleEvery = 5 * kSecond;

class History {
 public:
  History(std::uint64_t seed, bool aloud) : s_(seed, aloud) {
    const Plan& p = s_.plan;
    s_.trace.tell(
        "seed {}: {} hosts, {} rows in ranges of {}, {} connections, {} in flight, rate {}, burst "
        "{}, lease {} ms, dead after {} ms{}",
        seed, p.hosts, p.rows, p.range_rows, p.options.connections, p.options.max_in_flight,
        p.options.rate.count, p.options.burst, p.terms.lease.count(), p.host_life / kMillisecond,
        p.faultless ? std::string_view(", no faults") : std::string_view());
  }

  Outcome play() {
    for (std::uint32_t i = 0; i < s_.plan.hosts; ++i) {
      s_.clock.at(s_.chance.between(0, kSecond), Act::begin, i);
    }
    s_.clock.at(kSettleEvery, Act::settle);
    play_on();
    // What was left open by a host that counted as dead may have turned out not to be executed when
    // all others were at their end: then the same command goes on.
    const int commands = s_.plan.bound() ? kCommandsMaxBound : kCommandsMax;
    for (int i = 0; i < commands && going() && rows_are_left(); ++i) {
      if (s_.ledger.is_canary_lost()) break;
      if (s_.plan.bound()) s_.clock.pass_to(s_.clock.now() + s_.plan.host_life + kSecond);
      begin_all();
      play_on();
    }
    if (going()) judge();
    return outcome();
  }

 private:
  [[nodiscard]] bool going() const { return s_.oracle.violations().empty(); }

  [[nodiscard]] bool rows_are_left() const { return s_.ledger.rows().count_of(State::pending) > 0; }

  void play_on() {
    while (going() && !(s_.calm && s_.clock.empty())) {
      const bool over = s_.clock.empty() || s_.clock.next_at() > s_.plan.faults_until;
      if (!s_.calm && (s_.plan.faultless || over)) {
        calm_down();
        continue;
      }
      route(s_.clock.pop());
      if (++events_ > kEventsMax || s_.clock.now() > s_.plan.faults_until + kCalmMax) {
        s_.oracle.violate("S9", "the hosts do not come to their end");
      }
    }
  }

  void begin_all() {
    for (std::uint32_t i = 0; i < s_.plan.hosts; ++i) begin(i);
  }

  void calm_down() {
    s_.calm = true;
    if (s_.plan.faultless) return;
    s_.clock.pass_to(s_.plan.faults_until);
    s_.trace.tell("calm: nothing fails any more");
    begin_all();
  }

  void begin(std::uint32_t index) {
    const bool lives = std::any_of(s_.lives.begin(), s_.lives.end(), [&](const auto& host) {
      return host->alive() && host->index() == index;
    });
    if (lives) return;
    const auto life = static_cast<Life>(s_.lives.size() + 1);
    s_.lives.push_back(std::make_unique<Host>(s_, index, life));
  }

  void route(const Due& due) {
    switch (due.act) {
      case Act::begin:
        return begin(due.a);
      case Act::settle:
        return settle();
      case Act::asked:
        return s_.host(due.a).serve(due.b);
      case Act::execute:
        return s_.server.on_execute(due.a);
      case Act::handshake:
      case Act::answer:
        return give(s_.server.exchange(due.a).life, due);
      default:
        return give(due.a, due);
    }
  }

  void settle() {
    if (s_.calm || !s_.plan.resolves) return;
    s_.ledger.resolve(s_.server);
    s_.clock.after(kSettleEvery, Act::settle);
  }

  /// To a process that stands still nothing comes; it finds it all when it goes on.
  void give(Life life, const Due& due) {
    Host& host = s_.host(life);
    if (!host.alive()) return;
    if (host.paused_until > s_.clock.now()) {
      return s_.clock.at(host.paused_until, due.act, due.a, due.b);
    }
    if (s_.hits(s_.plan.killed)) return kill(host);
    if (s_.hits(s_.plan.paused)) {
      host.paused_until = s_.clock.now() + s_.chance.between(kMillisecond, 2 * s_.plan.host_life);
      s_.trace.tell("host {} stands still until {} ms", host.index(),
                    host.paused_until / kMillisecond);
      return s_.clock.at(host.paused_until, due.act, due.a, due.b);
    }
    if (s_.hits(s_.plan.interrupted)) s_.clock.after(0, Act::interrupt, life);
    host.take(due);
    if (!host.alive()) begin_again(host.index());
  }

  void kill(Host& host) {
    host.die("is killed");
    begin_again(host.index());
  }

  void begin_again(std::uint32_t index) {
    if (s_.calm || s_.chance.one_in(3)) return;
    s_.clock.after(s_.chance.between(0, 2 * s_.plan.host_life), Act::begin, index);
  }

  void judge() {
    s_.oracle.judge_end(s_.ledger);
    if (!s_.plan.faultless) return;
    const std::uint64_t placed = s_.ledger.rows().count_of(State::placed);
    if (placed != s_.plan.rows || s_.oracle.requests() != placed) {
      s_.oracle.violate("S9", fmt::format("a faultless run of {} rows places {} by {} requests",
                                          s_.plan.rows, placed, s_.oracle.requests()));
    }
  }

  [[nodiscard]] Outcome outcome() const {
    Outcome outcome;
    outcome.violations = s_.oracle.violations();
    outcome.digest = s_.trace.digest();
    outcome.events = events_;
    outcome.requests = s_.oracle.requests();
    outcome.lives = s_.lives.size();
    for (const auto& host : s_.lives) {
      outcome.elsewhere += host->pipeline().tally().elsewhere;
      outcome.fenced += host->pipeline().stop() == Stop::fenced ? 1 : 0;
    }
    outcome.open = s_.ledger.rows().count_of(State::intended);
    return outcome;
  }

  Stage s_;
  std::uint64_t events_ = 0;
};

}  // namespace

Outcome play(std::uint64_t seed, bool aloud) { return History(seed, aloud).play(); }

}  // namespace sagorder::simulation::hosts
