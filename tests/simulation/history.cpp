#include "tests/simulation/history.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "tests/simulation/host.hpp"
#include "tests/simulation/stage.hpp"

namespace sagorder::simulation {

Stage::Stage(std::uint64_t seed, bool aloud, Matrix& struck)
    : chance(seed),
      plan(chance),
      trace(clock, aloud),
      matrix(struck),
      oracle(plan, clock, trace),
      disk(oracle),
      network(*this),
      server(*this) {}

Stage::~Stage() = default;

namespace {

constexpr std::uint64_t kEventsMax = 400'000;

bool is_servers(Fault fault) { return fault >= Fault::throttled && fault <= Fault::lies; }

Host* host_on(const Stage& stage, const Link& link) {
  Host* const host = stage.hosts[link.host].get();
  const bool is_its = host != nullptr && host->life() == link.life && host->alive();
  return is_its && link.client_open ? host : nullptr;
}

/// What strikes a process once it has taken so many events.
struct Appointment {
  std::uint64_t at = 0;
  Act act = Act::interrupt;
};

class History {
 public:
  History(std::uint64_t seed, bool aloud, Matrix& struck) : s_(seed, aloud, struck) {
    const Plan& p = s_.plan;
    s_.trace.tell(
        "seed {}: {} rows, {} connections, {} in flight, rate {}, burst {}, {} threads, replay {}, "
        "{} deaths{}",
        seed, p.rows, p.options.connections, p.options.max_in_flight, p.options.rate.count,
        p.options.burst, p.threads,
        p.options.replay == Replay::never ? std::string_view("never")
                                          : std::string_view("same-bytes"),
        p.deaths, p.faultless ? std::string_view(", no faults") : std::string_view());
  }

  Outcome play() {
    if (s_.plan.faultless) {
      live({.place = main_});
      judge_faultless();
    } else {
      for (std::uint32_t i = 0; i < s_.plan.deaths && going(); ++i) live_and_die();
      for (std::uint32_t i = 0; i < s_.plan.quiet_lives && going(); ++i) {
        live({.place = main_});
        meddle();
      }
      if (going()) calm_down();
    }
    drain();
    if (going()) {
      s_.oracle.judge_results(s_.disk, main_, true);
      s_.oracle.judge_rows(s_.disk);
    }
    Outcome outcome;
    outcome.violations = s_.oracle.violations();
    outcome.digest = s_.trace.digest();
    outcome.events = s_.events;
    outcome.requests = s_.oracle.requests();
    outcome.processes = life_;
    outcome.told = s_.oracle.told;
    return outcome;
  }

 private:
  [[nodiscard]] bool going() const { return s_.oracle.violations().empty(); }

  // --- one process, and perhaps a second one beside it

  void start(std::uint32_t index, const Commission& commission) {
    s_.hosts[index] = std::make_unique<Host>(s_, index, ++life_, commission);
  }

  Exit live(const Commission& commission) {
    start(0, commission);
    make_appointments();
    run();
    const Host& host = *s_.hosts[0];
    s_.hosts[1].reset();
    // As its message asks for; what a person moves away is written anew.
    if (host.exit() == Exit::foreign_results) {
      s_.disk.places[host.commission().place].results.remove();
    }
    // Where the batch goes on is where it is remembered.
    if (!s_.disk.memory.empty()) main_ = s_.disk.memory.front().place;
    return host.exit();
  }

  void live_and_die() {
    Commission commission{.place = main_};
    commission.death = 1 + static_cast<std::uint32_t>(s_.chance.below(s_.plan.death_within));
    commission.power = s_.chance.one_in(2);
    live(commission);
    if (!s_.chance.one_in(2)) meddle();
  }

  void make_appointments() {
    appointments_.clear();
    taken_ = 0;
    const std::uint64_t whole = 10 + 25 * s_.plan.rows;
    const auto meet = [&](Fault fault, Act act) {
      const Odds odds = std::min<Odds>(s_.plan.of(fault) * 5, 8'000);
      if (s_.calm || !s_.chance.hits(odds)) return;
      appointments_.push_back({1 + s_.chance.below(whole), act});
      if (act == Act::interrupt &&
          s_.chance.hits(std::min<Odds>(s_.plan.of(Fault::interrupted_again) * 5, 8'000))) {
        appointments_.push_back(
            {appointments_.back().at + 1 + s_.chance.below(s_.chance.one_in(2) ? 3 : 12), act});
      }
    };
    meet(Fault::interrupted, Act::interrupt);
    meet(Fault::paused, Act::pause);
    meet(Fault::paused, Act::pause);
    meet(Fault::clock_jumped, Act::jump);
    meet(Fault::second_process, Act::second);
    meet(Fault::input_edited, Act::change_input);
  }

  void keep_appointments() {
    ++taken_;
    for (const Appointment& each : appointments_) {
      if (each.at != taken_) continue;
      s_.clock.after(0, each.act, 0, s_.hosts[0]->life());
    }
  }

  [[nodiscard]] bool anybody_alive() const {
    return std::any_of(std::begin(s_.hosts), std::end(s_.hosts),
                       [](const auto& host) { return host && host->alive(); });
  }

  void run() {
    const std::uint64_t most = s_.events + kEventsMax;
    while (anybody_alive()) {
      if (s_.clock.empty()) {
        s_.oracle.violate("I8", "a process waits for nothing");
        return;
      }
      if (s_.events > most) {
        s_.oracle.violate("I8", "a process does not end");
        return;
      }
      route(s_.clock.pop());
    }
  }

  // --- what is due

  void route(const Due& due) {
    ++s_.events;
    switch (due.act) {
      case Act::up:
        return s_.network.on_up(due.a, due.b);
      case Act::down:
        return s_.network.on_down(due.a, due.b);
      case Act::down_end:
        return s_.network.on_down_end(due.a, static_cast<End>(due.b));
      case Act::client_gone:
        return s_.server.on_client_gone(due.a);
      case Act::execute:
        return s_.server.on_execute(due.a);
      case Act::answer:
        return s_.server.on_answer(due.a);
      case Act::server_closes:
        return s_.server.on_close(due.a, due.b);
      case Act::second:
        return start_second(due.b);
      case Act::handshake:
      case Act::readable:
      case Act::writable:
        if (Host* const host = host_on(s_, s_.network.link(due.a))) give(*host, due);
        return;
      default:
        break;
    }
    Host* const host = s_.hosts[due.a % 2].get();
    if (host != nullptr && host->life() == due.b && host->alive()) give(*host, due);
  }

  /// To a process that stands still nothing comes; it finds it all when it goes on.
  void give(Host& host, const Due& due) {
    if (host.paused_until > s_.clock.now()) {
      return s_.clock.at(host.paused_until, due.act, due.a, due.b);
    }
    host.take(due);
    if (host.exit() == Exit::finished) judge_end(host);
    if (&host == s_.hosts[0].get()) keep_appointments();
  }

  void start_second(std::uint32_t life) {
    Host* const first = s_.hosts[0].get();
    if (first == nullptr || first->life() != life || !first->alive() || s_.hosts[1]) return;
    first->strike_all(Fault::second_process);
    Commission commission{.place = s_.chance.one_in(4) ? 1 - main_ : main_};
    if (s_.chance.one_in(6)) commission.death = 1 + static_cast<std::uint32_t>(s_.chance.below(30));
    start(1, commission);
  }

  void drain_until(Time at) {
    while (!s_.clock.empty() && s_.clock.next_at() <= at) route(s_.clock.pop());
    s_.clock.pass_to(at);
  }

  void drain() {
    while (!s_.clock.empty()) route(s_.clock.pop());
  }

  // --- people

  bool meddles(Fault fault) { return s_.chance.hits(std::min<Odds>(s_.plan.of(fault) * 4, 6'000)); }

  void strike(Fault fault) {
    s_.matrix.strike(fault, Phase::between);
    s_.trace.tell("somebody: {}", name_of(fault));
  }

  void meddle() {
    drain_until(s_.clock.now() + (s_.chance.one_in(3) ? s_.chance.between(0, 300 * kSecond)
                                                      : s_.chance.between(0, kSecond)));
    if (!going()) return;
    LedgerFile& ledger = s_.disk.places[main_].ledger;
    if (!ledger.id.empty() && meddles(Fault::other_input)) {
      strike(Fault::other_input);
      refused({.place = main_, .input = "two"}, Exit::changed_input);
    }
    if (meddles(Fault::other_output)) try_other_output();
    if (meddles(Fault::older_ledger)) put_older_ledger();
    if (!s_.disk.memory.empty() && meddles(Fault::ledger_copied)) copy_ledger();
    if (meddles(Fault::results_altered)) alter_results();
    if (meddles(Fault::resolved)) resolve();
    if (s_.chance.one_in(3)) s_.clock.wall_off = 0;
  }

  void refused(const Commission& commission, Exit expected) {
    const std::uint64_t before = s_.oracle.requests();
    start(0, commission);
    appointments_.clear();
    run();
    const Exit exit = s_.hosts[0]->exit();
    if (exit != expected || s_.oracle.requests() != before) {
      s_.oracle.violate("I14", fmt::format("a process was to be refused ({}) and ended as {}",
                                           name_of(expected), name_of(exit)));
    }
  }

  void try_other_output() {
    strike(Fault::other_output);
    const std::uint32_t other = 1 - main_;
    if (!s_.disk.memory.empty()) return refused({.place = other}, Exit::ordered_before);
    live({.place = other});  // nothing of the batch was ever sent: it may begin anew
    if (s_.disk.memory.empty()) main_ = s_.chance.one_in(2) ? other : main_;
  }

  /// A copy under another name, beside the one that it was made of.
  void copy_ledger() {
    strike(Fault::ledger_copied);
    Place& other = s_.disk.places[1 - main_];
    LedgerFile before = s_.disk.places[main_].ledger;
    std::swap(other.ledger, before);
    refused({.place = 1 - main_}, Exit::ordered_before);
    std::swap(other.ledger, before);
  }

  void put_older_ledger() {
    Place& place = s_.disk.places[main_];
    if (!place.copy) {
      if (!place.ledger.id.empty()) place.copy = place.ledger;
      return;
    }
    const auto& memory = s_.disk.memory;
    const bool later = std::any_of(memory.begin(), memory.end(), [&](const Remembered& entry) {
      return entry.ledger_id == place.copy->id && entry.run != place.copy->runs[0] &&
             entry.run != place.copy->runs[1];
    });
    if (!later || place.copy->id != place.ledger.id) return;
    strike(Fault::older_ledger);
    std::swap(place.ledger, *place.copy);
    refused({.place = main_}, Exit::older_copy);
    std::swap(place.ledger, *place.copy);
    place.ledger.locked_by = kNobody;
  }

  /// Removed, cut anywhere, or with every line in it twice.
  void alter_results() {
    strike(Fault::results_altered);
    ResultsBytes& results = s_.disk.places[main_].results;
    const std::string bytes = results.bytes();
    const std::uint64_t way = s_.chance.below(3);
    if (way == 0) return results.remove();
    if (way == 1) return results.replace(bytes.substr(0, s_.chance.below(bytes.size() + 1)));
    std::string header;
    ResultWriter(s_.plan.format, {"UserCount", "Note"}).header(header);
    if (!bytes.starts_with(header) || !bytes.ends_with('\n')) return;
    results.replace(bytes + bytes.substr(header.size()));
  }

  /// Of what became of a row in doubt, once nothing is under way: by the truth.
  void resolve() {
    drain();
    Place& place = s_.disk.places[main_];
    Rows rows(s_.plan.rows);
    for (const Record& record : place.ledger.records) {
      rows.apply({record.kind, record.row, record.attempt});
    }
    std::vector<Record> records;
    for (std::uint32_t row = 1; row <= s_.plan.rows; ++row) {
      if (rows.state({row}) != State::in_doubt || s_.chance.one_in(2)) continue;
      Record record;
      record.row = {row};
      record.attempt = rows.attempts({row});
      record.kind = RecordKind::resolved_not_placed;
      if (s_.oracle.executions(row) > 0) {
        record.kind = RecordKind::resolved_placed;
        record.order_id = std::to_string(s_.oracle.ids(row).front());
      }
      records.push_back(std::move(record));
    }
    if (records.empty()) return;
    strike(Fault::resolved);
    s_.disk.make_durable(records, main_, life_);
  }

  // --- the end

  void calm_down() {
    s_.calm = true;
    s_.clock.wall_off = 0;
    s_.trace.tell("calm: no fault strikes any more");
    const RateLimit& rate = s_.plan.options.rate;
    const Time interval = rate.unlimited() ? 0 : kSecond / static_cast<Time>(rate.count);
    const Time most = 60 * kSecond + s_.plan.rows * (interval + 5 * kSecond);
    const Time begin = s_.clock.now();
    if (live({.place = main_, .limits = false}) == Exit::foreign_results) {
      live({.place = main_, .limits = false});
    }
    if (!going()) return;
    const Host& host = *s_.hosts[0];
    if (host.exit() != Exit::finished || host.stop() != Stop::none) {
      s_.oracle.violate(
          "I8", fmt::format("the calm run ends as {}: {}", name_of(host.exit()), host.why()));
      return;
    }
    if (s_.clock.now() - begin > most) s_.oracle.violate("I8", "the calm run takes too long");
    judge_ended();
    const std::uint64_t before = s_.oracle.requests();
    live({.place = main_, .limits = false});
    if (s_.oracle.requests() != before) {
      s_.oracle.violate("I10", "a finished batch sends");
    }
  }

  [[nodiscard]] Rows states() const {
    Rows rows(s_.plan.rows);
    for (const Record& record : s_.disk.places[main_].ledger.records) {
      rows.apply({record.kind, record.row, record.attempt});
    }
    return rows;
  }

  [[nodiscard]] std::uint32_t invalid_rows() const {
    std::uint32_t count = 0;
    for (std::uint32_t row = 1; row <= s_.plan.rows; ++row) count += is_invalid(s_.plan, row);
    return count;
  }

  void judge_ended() {
    const Rows rows = states();
    const std::uint64_t open = rows.count_of(State::pending) + rows.count_of(State::intended);
    // What was placed before it was left out stays placed; here nothing is left out late.
    if (open != invalid_rows()) {
      s_.oracle.violate("I8",
                        fmt::format("{} rows are not settled in the end", open - invalid_rows()));
    }
  }

  void judge_faultless() {
    const Host& host = *s_.hosts[0];
    if (host.exit() != Exit::finished || host.stop() != Stop::none) {
      s_.oracle.violate(
          "I7", fmt::format("a faultless run ends as {}: {}", name_of(host.exit()), host.why()));
    }
    const Rows rows = states();
    const std::uint64_t valid = s_.plan.rows - invalid_rows();
    if (rows.count_of(State::placed) != valid || s_.oracle.requests() != valid) {
      s_.oracle.violate("I7",
                        fmt::format("a faultless run of {} rows places {} with {} requests", valid,
                                    rows.count_of(State::placed), s_.oracle.requests()));
    }
  }

  void judge_end(const Host& host) {
    const bool whole = host.output_whole() && host.stop() != Stop::ledger_failed;
    s_.oracle.judge_results(s_.disk, host.commission().place, whole);
  }

  Stage s_;
  std::uint32_t main_ = 0;
  std::uint32_t life_ = 0;
  std::vector<Appointment> appointments_;
  std::uint64_t taken_ = 0;
};

}  // namespace

void Stage::strike_line(const Link& link, Fault fault) {
  Host* const host = host_on(*this, link);
  if (host == nullptr) return;
  Phase phase = host->pool(link.pool).phase_on(link);
  if (is_servers(fault)) phase = Phase::request_whole;
  if (impossible(fault, phase).empty()) matrix.strike(fault, phase);
}

bool Stage::rests(const Link& link) const {
  Host* const host = host_on(*this, link);
  if (host == nullptr) return false;
  const Phase phase = host->pool(link.pool).phase_on(link);
  return phase == Phase::idle || phase == Phase::connected;
}

bool Stage::strikes_kept(const Link& link) const {
  Host* const host = host_on(*this, link);
  if (host == nullptr) return false;
  const Phase phase = host->pool(link.pool).phase_on(link);
  return impossible(Fault::server_closed, phase).empty();
}

Outcome play(std::uint64_t seed, bool aloud, Matrix& struck) {
  return History(seed, aloud, struck).play();
}

}  // namespace sagorder::simulation
