#include "tests/simulation/host.hpp"

#include <utility>

#include "engine/expect.hpp"

namespace sagorder::simulation {

std::string_view name_of(Exit exit) {
  constexpr std::string_view kNames[] = {"running",      "finished",      "crashed",
                                         "busy",         "changed_input", "ordered_before",
                                         "older_copy",   "disk_failed",   "foreign_results",
                                         "contradiction"};
  return kNames[static_cast<std::size_t>(exit)];
}

Host::Host(Stage& stage, std::uint32_t index, std::uint32_t life, const Commission& commission)
    : stage_(stage),
      index_(index),
      life_(life),
      commission_(commission),
      death_(commission.death),
      rows_at_(stage.plan.rows + 1, Phase::unread),
      writer_(stage.plan.format, {"UserCount", "Note"}) {
  stage_.trace.tell("process {} starts on place {} (life {})", index_, commission_.place, life_);
  stage_.oracle.process_begins(index_);
  stage_.clock.after(stage_.chance.between(10 * kMicrosecond, kStepMax), Act::step, index_, life_);
}

Host::~Host() = default;

void Host::small_step() {
  if (death_ > 0 && --death_ == 0) throw Crash{};
}

void Host::mark(std::uint32_t row, Phase phase) {
  if (row < rows_at_.size()) rows_at_[row] = phase;
}

/// What strikes a process strikes every order where it is.
void Host::strike_all(Fault fault) {
  if (!looping_) return stage_.matrix.strike(fault, phase_);
  if (phase_ == Phase::remembering || phase_ == Phase::ending) {
    return stage_.matrix.strike(fault, phase_);
  }
  for (std::uint32_t row = 1; row <= stage_.plan.rows; ++row) {
    stage_.matrix.strike(fault, rows_at_[row]);
  }
}

void Host::end(Exit exit, std::string why) {
  exit_ = exit;
  why_ = std::move(why);
  stage_.trace.tell("process {} ends: {} {}", index_, name_of(exit_), why_);
  for (const auto& pool : pools_) pool->vanish(false);
  stage_.disk.unlock(index_);
}

/// Killed, or the machine with it, and then the other process too.
void Host::die() {
  Host* const other = stage_.hosts[1 - index_].get();
  if (commission_.power && other != nullptr && other->alive()) other->go_down(true);
  go_down(commission_.power);
  if (commission_.power) stage_.disk.lose_power(stage_.chance);
}

/// What was on its way to the disk may have arrived.
void Host::go_down(bool power) {
  strike_all(power ? Fault::power_lost : Fault::killed);
  exit_ = Exit::crashed;
  stage_.trace.tell("process {} {}", index_, power ? "loses its power" : "is killed");
  if (commit_under_way_ && stage_.chance.one_in(2)) {
    stage_.disk.make_durable(committing_, commission_.place, life_);
  }
  commit_under_way_ = false;
  for (const auto& pool : pools_) pool->vanish(power);
  stage_.disk.unlock(index_);
}

void Host::take(const Due& due) {
  try {
    small_step();
    act_on(due);
  } catch (const Crash&) {
    die();
  } catch (const Refused& refused) {
    end(refused.exit, refused.why);
  } catch (const BrokenPromise& broken) {
    stage_.oracle.violate("I0", broken.what());
    end(Exit::contradiction, broken.what());
  }
}

void Host::act_on(const Due& due) {
  Stage& s = stage_;
  switch (due.act) {
    case Act::step:
      return step(static_cast<Step>(next_step_));
    case Act::timer:
      if (!armed_ || *armed_ > s.clock.now() || finished_) return;
      armed_.reset();
      return dispatch(event::Tick{});
    case Act::commit_done:
      return committed();
    case Act::pool_tick:
      return pools_[due.a / 2]->on_tick();
    case Act::posted:
      return pools_[due.a / 2]->on_posted();
    case Act::handshake:
      return pools_[s.network.link(due.a).pool]->on_handshake(due.a);
    case Act::readable:
      s.network.link(due.a).turn_due = false;
      return pools_[s.network.link(due.a).pool]->on_readable(due.a);
    case Act::writable:
      return pools_[s.network.link(due.a).pool]->on_writable(due.a);
    case Act::command: {
      const Command command = commands_.front();
      commands_.pop_front();
      return do_command(command);
    }
    case Act::mail:
      return read_mail();
    case Act::interrupt:
      if (!looping_ || finished_) return;
      if (interrupts_ == 0) intents_gathered_ = pipeline_->in_flight() > 0;
      strike_all(interrupts_++ == 0 ? Fault::interrupted : Fault::interrupted_again);
      s.trace.tell("process {} is interrupted", index_);
      return dispatch(event::Interrupted{});
    case Act::pause:
      if (!looping_ || finished_) return;
      strike_all(Fault::paused);
      paused_until = s.clock.now() + s.chance.between(kMillisecond, 90 * kSecond);
      s.oracle.process_paused(index_, paused_until);
      s.trace.tell("process {} stands still until {} ms", index_, paused_until / kMillisecond);
      return;
    case Act::jump: {
      if (!looping_ || finished_) return;
      strike_all(Fault::clock_jumped);
      s.oracle.clock_jumped();
      s.clock.wall_off = s.chance.between(-2'000, 2'000) * kSecond;
      s.trace.tell("the wall clock jumps: it is off by {} s", s.clock.wall_off / kSecond);
      return;
    }
    case Act::change_input:
      if (!looping_ || finished_) return;
      strike_all(Fault::input_edited);
      input_changed_ = true;
      return;
    default:
      return;
  }
}

}  // namespace sagorder::simulation
