#include "tests/simulation/host.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

#include "engine/entry.hpp"
#include "engine/expect.hpp"

namespace sagorder::simulation {
namespace {

constexpr std::string_view kRegionNames[] = {"cn-shanghai", "eu-central-1"};

Time slot_of_step(Chance& chance) { return chance.between(10 * kMicrosecond, 3 * kMillisecond); }

}  // namespace

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
  stage_.clock.after(slot_of_step(stage_.chance), Act::step, index_, life_);
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
      if (interrupts_ == 0) intents_gathered_ = commit_under_way_;
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

// ------------------------------------------------------------------------------------- the start

void Host::step(Step step) {
  switch (step) {
    case Step::open_ledger:
      open_ledger();
      break;
    case Step::replay:
      replay();
      break;
    case Step::close_open:
      close_open(false);
      break;
    case Step::closed_open:
      close_open(true);
      break;
    case Step::compare:
      compare();
      break;
    case Step::make_ledger:
      make_ledger();
      break;
    case Step::set_facts:
      set_facts();
      break;
    case Step::repair:
      repair();
      break;
    case Step::drive:
      return drive();
  }
  ++next_step_;
  stage_.clock.after(slot_of_step(stage_.chance), Act::step, index_, life_);
}

/// One process at a time, unless a bug is planted.
bool Host::is_held(const Hold& hold) { return judge_hold(hold) && !planted("host-ignores-lock"); }

void Host::open_ledger() {
  LedgerFile& file = ledger();
  if (file.exists) {
    if (is_held({.locked_by_another = file.locked_by != kNobody})) {
      throw Refused{Exit::busy, "the ledger is held"};
    }
    file.locked_by = index_;
    ledger_opened_ = true;
    if (judge_input(file.begun(), commission_.input)) {
      throw Refused{Exit::changed_input, "another input"};
    }
  }
  refuse_if_remembered();
}

void Host::refuse_if_remembered() {
  const auto views = stage_.disk.remembered(commission_.input, commission_.place);
  const auto found = judge_memory(views, ledger_opened_ ? ledger().begun() : BegunLedger{}, false);
  if (!found) return;
  if (found->obstacle == Obstacle::older_copy) throw Refused{Exit::older_copy, "an older copy"};
  throw Refused{Exit::ordered_before, "ordered before"};
}

void Host::replay() {
  rows_ = std::make_unique<Rows>(stage_.plan.rows);
  if (!ledger_opened_) return;
  for (const Record& record : ledger().records) {
    if (!rows_->apply({record.kind, record.row, record.attempt})) {
      stage_.oracle.violate(
          "I0", fmt::format("the ledger's records of row {} do not follow", record.row.value));
      throw Refused{Exit::disk_failed, "the ledger is not whole"};
    }
  }
  for (std::uint32_t row = 1; row <= stage_.plan.rows; ++row) {
    if (status_of(rows_->state({row}))) mark(row, Phase::settled);
  }
}

void Host::close_open(bool done) {
  if (!done) {
    closing_ = open_as_in_doubt(*rows_, stage_.clock.moment().wall);
    if (planted("host-forgets-open-intents")) {
      for (Record& record : closing_) record.kind = RecordKind::not_executed;
    }
    doubts_found_ = closing_.size();
    if (closing_.empty()) return;
    phase_ = Phase::closing;
    if (closing_.size() > stage_.plan.options.max_in_flight) {
      stage_.oracle.violate("I7", fmt::format("a crash leaves {} doubts, {} may be in flight",
                                              closing_.size(), stage_.plan.options.max_in_flight));
    }
    committing_ = closing_;
    commit_under_way_ = true;
    return;
  }
  if (!commit_under_way_) return;
  commit_under_way_ = false;
  for (const Fault fault : {Fault::commit_lost, Fault::commit_kept}) {
    if (!stage_.hits(fault)) continue;
    stage_.matrix.strike(fault, Phase::closing);
    if (fault == Fault::commit_kept) {
      stage_.disk.make_durable(closing_, commission_.place, life_);
    }
    throw Refused{Exit::disk_failed, "doubts cannot be written"};
  }
  stage_.disk.make_durable(closing_, commission_.place, life_);
  for (const Record& record : closing_) {
    rows_->apply({record.kind, record.row, record.attempt});
    mark(static_cast<std::uint32_t>(record.row.value), Phase::settled);
  }
  phase_ = Phase::start;
}

void Host::scan_results() {
  ResultScanner scanner(stage_.plan.format, {"UserCount", "Note"});
  const std::string& bytes = results().bytes();
  ResultKey key;
  std::uint64_t lines = 0;
  size_ = 0;
  torn_ = 0;
  for (;;) {
    const std::string_view unread = std::string_view(bytes).substr(size_);
    const auto step = scanner.next(unread, true, key);
    if (step.what == ResultScan::line) {
      if (!step.header) {
        projection_->see(key);
        ++lines;
      }
      size_ += step.consumed;
      continue;
    }
    known_ = true;
    if (step.what == ResultScan::torn) torn_ = bytes.size() - size_;
    if (step.what == ResultScan::not_ours) {
      known_ = false;
      const bool zeros = !unread.empty() && unread.front() == '\0';
      if (size_ == 0 && !zeros) {
        stage_.oracle.foreign(unread);
        throw Refused{Exit::foreign_results, "foreign results"};
      }
      projection_->see_broken();
    }
    return;
  }
}

void Host::compare() {
  ResultsBytes& file = results();
  if (is_held({.locked_by_another = file.locked_by != kNobody})) {
    throw Refused{Exit::busy, "the results are held"};
  }
  file.locked_by = index_;
  file.exists = true;
  projection_.emplace(*rows_);
  for (std::uint32_t row = 1; row <= stage_.plan.rows; ++row) {
    if (is_invalid(row)) projection_->mark_invalid({row});
  }
  scan_results();
  if (projection_->repair() != Repair::refuse) return;
  if (!ledger_opened_ && ledger().exists) {  // made, and lines with it, since this one looked
    throw Refused{Exit::busy, "another made the ledger meanwhile"};
  }
  stage_.oracle.violate("I6", fmt::format("a line says more of row {} than the ledger knows",
                                          projection_->unknown_row().value_or(Row{}).value));
  throw Refused{Exit::disk_failed, "the ledger lost records"};
}

void Host::make_ledger() {
  LedgerFile& file = ledger();
  if (ledger_opened_) return;
  if (is_held({.made_by_another = file.exists})) {
    throw Refused{Exit::busy, "another made the ledger meanwhile"};
  }
  file.exists = true;
  file.locked_by = index_;
  ledger_opened_ = true;
}

void Host::set_facts() {
  if (stage_.hits(Fault::facts_failed)) {
    stage_.matrix.strike(Fault::facts_failed, Phase::start);
    throw Refused{Exit::disk_failed, "facts cannot be written"};
  }
  LedgerFile& file = ledger();
  if (!file.id.empty()) return;
  file.id = drawn_token();
  file.input = commission_.input;
}

std::string Host::missing_lines(bool all) {
  std::string lines;
  for (std::uint32_t row = 1; row <= stage_.plan.rows; ++row) {
    if (!all && !projection_->lacks_line({row})) continue;
    fill_order(row);
    if (status_of(rows_->state({row}))) {
      const Record* outcome = stage_.disk.outcome_of(commission_.place, {row});
      writer_.line(*outcome, rows_->attempts({row}), order_.cells, lines);
    } else if (is_invalid(row)) {
      writer_.invalid({row}, "left out", stage_.clock.moment().wall, order_.cells, lines);
    }
  }
  return lines;
}

void Host::repair() {
  phase_ = Phase::repairing;
  small_step();
  const Repair due = projection_->repair();
  if (torn_ > 0 && known_) {
    if (planted("host-keeps-torn-tail")) {
      size_ += torn_;
    } else {
      results().truncate(size_);
    }
    torn_ = 0;
    small_step();
  }
  if (due == Repair::append) {
    stage_.trace.tell("process {} adds lines to the results", index_);
    append_results(missing_lines(false));
    if (append_error_) throw Refused{Exit::disk_failed, "lines cannot be added"};
  } else if (due == Repair::rebuild) {
    stage_.trace.tell("process {} writes the results anew", index_);
    if (stage_.hits(Fault::append_failed)) {
      stage_.matrix.strike(Fault::append_failed, Phase::repairing);
      throw Refused{Exit::disk_failed, "the results cannot be written anew"};
    }
    small_step();
    const std::string lines = missing_lines(true);
    std::string bytes;
    if (!lines.empty()) writer_.header(bytes);
    bytes += lines;
    size_ = bytes.size();
    results().replace(std::move(bytes));
    torn_ = 0;
    known_ = true;
    small_step();
  }
  projection_.reset();
  phase_ = Phase::start;
}

/// As io's: cuts what is torn, gives a file its header, leaves no half line if it can.
void Host::append_results(std::string_view lines) {
  if (lines.empty()) return;
  ResultsBytes& file = results();
  expect(known_, "lines are appended behind what was not read");
  stage_.oracle.shown(lines, "a line");
  if (torn_ > 0) {
    file.truncate(size_);
    torn_ = 0;
  }
  std::string bytes;
  if (size_ == 0) writer_.header(bytes);
  bytes += lines;
  if (death_ > 0 && death_ <= 4) {  // in the middle of it
    death_ = 1;
    file.write(size_, std::string_view(bytes).substr(0, stage_.chance.below(bytes.size() + 1)));
  }
  small_step();
  if (stage_.hits(Fault::append_failed)) {
    stage_.trace.tell("process {} cannot append", index_);
    if (looping_) {
      for (std::uint32_t row = 1; row <= stage_.plan.rows; ++row) {
        if (fresh_lines_[row]) stage_.matrix.strike(Fault::append_failed, Phase::settled);
      }
    } else {
      stage_.matrix.strike(Fault::append_failed, Phase::repairing);
    }
    const std::size_t part = stage_.chance.below(bytes.size());
    file.write(size_, std::string_view(bytes).substr(0, part));
    if (stage_.chance.one_in(3)) {
      torn_ = part;
    } else {
      file.truncate(size_);
    }
    append_error_ = "disk full";
    return;
  }
  file.write(size_, bytes);
  size_ += bytes.size();
  small_step();
}

bool Host::is_invalid(std::uint32_t row) const { return simulation::is_invalid(stage_.plan, row); }

void Host::fill_order(std::uint32_t row) {
  order_.row = {row};
  order_.region_id = kRegionNames[row % 2];
  order_.period = 1;
  order_.user_count = row;
  order_.auto_pay = row % 3 == 0;
  order_.cells.clear();
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, row).ptr;
  order_.cells.push_back({digits, static_cast<std::size_t>(end - digits)});
  order_.cells.push_back(row % 4 == 0 ? "a, \"quoted\"\nnote" : "=note");
}

PipelineOptions Host::options() const {
  PipelineOptions options = stage_.plan.options;
  if (commission_.limits) return options;
  options.max_doubts = 1'000'000;
  options.max_failures = {1'000'000, false};
  options.max_orders.reset();
  options.max_seats.reset();
  return options;
}

/// 15 digits: no heap.
std::string Host::drawn_token() {
  return fmt::format("{:015x}", stage_.chance.next() & 0xFFFFFFFFFFFFFFU);
}

void Host::remember_batch() {
  Stage& s = stage_;
  phase_ = Phase::remembering;
  small_step();
  LedgerFile& file = ledger();
  auto& memory = s.disk.memory;
  const auto is_ours = [&](const Remembered& entry) {
    return entry.input == file.input && entry.ledger_id == file.id;
  };
  std::string last = file.runs[0];
  new_batch_ = true;
  for (const Remembered& entry : memory) {
    if (!is_ours(entry)) continue;
    new_batch_ = false;
    if (knows_run(file.begun(), entry.run)) last = entry.run;
  }
  // What is compared under the memory's lock is what the ledger knew before this run.
  const std::array<std::string, 2> known = file.runs;
  const std::string run = drawn_token();
  if (s.hits(Fault::facts_failed)) {
    s.matrix.strike(Fault::facts_failed, Phase::remembering);
    throw Refused{Exit::disk_failed, "the run's token cannot be written"};
  }
  file.runs = {run, last};
  small_step();
  if (s.hits(Fault::memory_failed)) {
    s.matrix.strike(Fault::memory_failed, Phase::remembering);
    throw Refused{Exit::disk_failed, "the batch cannot be remembered"};
  }
  if (!planted("host-remembers-nothing")) {
    // As it is then: not as it looks from elsewhere, for the files were looked at before.
    std::vector<RememberedBatch> views = s.disk.remembered(file.input, commission_.place);
    for (RememberedBatch& view : views) view.stands_there = false;
    if (const auto found = judge_memory(views, {file.id, {}, known}, false)) {
      if (found->obstacle == Obstacle::older_copy) {
        throw Refused{Exit::older_copy, "an older copy, meanwhile"};
      }
      throw Refused{Exit::ordered_before, "ordered before, meanwhile"};
    }
    const auto ours = std::find_if(memory.begin(), memory.end(), is_ours);
    if (ours == memory.end()) {
      memory.push_back({file.input, file.id, run, commission_.place});
    } else {
      ours->run = run;
      ours->place = commission_.place;
    }
  }
  small_step();
  phase_ = Phase::start;
}

// -------------------------------------------------------------------------------------- the loop

void Host::drive() {
  Stage& s = stage_;
  if (const Host* other = s.hosts[1 - index_].get();
      other != nullptr && other->alive() && other->looping_ &&
      other->commission_.place == commission_.place) {
    s.oracle.violate("I13", "two processes run on one ledger");
  }
  NonceSource::Key key{};
  for (auto& byte : key) byte = static_cast<std::uint8_t>(s.chance.next());
  pipeline_ = std::make_unique<Pipeline>(
      options(), *rows_,
      RequestWriter(
          s.plan.scheme, s.plan.method,
          AccessKey{"testid", Secret(std::string(kSecretText)), Secret(std::string(kTokenText))}),
      ResultWriter(s.plan.format, {"UserCount", "Note"}), key);
  std::uint32_t left = 0;
  for (std::uint32_t row = 1; row <= s.plan.rows; ++row) {
    left += !is_invalid(row) && rows_->state({row}) == State::pending ? 1 : 0;
  }
  looping_ = true;
  s.oracle.run_begins(life_, commission_.limits);
  if (left == 0) return conclude();
  const std::uint32_t count = std::min(s.plan.threads, s.plan.options.connections);
  for (std::uint32_t i = 0; i < count; ++i) {
    pools_.push_back(std::make_unique<Pool>(
        s, *this, i, (s.plan.options.connections + count - 1) / count, count > 1));
  }
  owner_.resize(s.plan.options.max_in_flight + kReadAhead, 0);
  row_of_.resize(owner_.size(), 0);
  fresh_lines_.assign(s.plan.rows + 1, false);
  dispatch(event::Started{});
}

void Host::dispatch(const Event& event, std::optional<Slot> answered) {
  perform(pipeline_->resume(event, stage_.clock.moment()), answered);
  for (;;) {
    if (append_error_) {
      const std::string reason = *std::exchange(append_error_, std::nullopt);
      perform(pipeline_->resume(event::AppendFailed{reason}, stage_.clock.moment()));
    } else if (!connected_.empty()) {
      const Slot slot = connected_.front();
      connected_.pop_front();
      mark(row_of_[slot], Phase::connected);
      perform(pipeline_->resume(event::Connected{slot}, stage_.clock.moment()));
    } else if (wanted_ > 0) {
      read_one();
    } else {
      break;
    }
  }
  if (finished_) conclude();
}

void Host::perform(const Actions& actions, std::optional<Slot> answered) {
  wanted_ = actions.wanted_orders;
  finished_ = actions.finished;
  if (!actions.notice.empty()) stage_.oracle.shown(actions.notice, "a notice");
  if (!actions.lines.empty()) append_results(actions.lines);
  if (!actions.commit.empty()) commit(actions.commit);
  const bool apart = pools_.size() > 1;
  for (const Slot slot : actions.retire) {
    if (!planted("host-retires-nothing")) tell_pool({Word::retire, owner_[slot], slot, {}});
  }
  const auto& retired = actions.retire;
  if (answered && apart && std::find(retired.begin(), retired.end(), *answered) == retired.end()) {
    tell_pool({Word::keep, owner_[*answered], *answered, {}});
  }
  for (const Slot slot : actions.leave) tell_pool({Word::leave, owner_[slot], slot, {}});
  for (const Send& one : actions.sends) send(one);
  for (const Slot slot : actions.go) tell_pool({Word::go, owner_[slot], slot, {}});
  if (actions.wake_at) {
    const Time at = Clock::time_of(*actions.wake_at);
    if (!armed_ || *armed_ > at) {
      armed_ = at;
      stage_.clock.at(at + stage_.chance.between(0, 60 * kMicrosecond), Act::timer, index_, life_);
    }
  }
  if (actions.cancel) {
    for (std::uint32_t i = 0; i < pools_.size(); ++i) tell_pool({Word::close, i, 0, {}});
  }
  small_step();
}

void Host::send(const Send& send) {
  std::uint32_t least = 0;
  for (std::uint32_t i = 1; i < pools_.size(); ++i) {
    if (pools_[i]->under_way_of_driver < pools_[least]->under_way_of_driver) least = i;
  }
  ++pools_[least]->under_way_of_driver;
  owner_[send.slot] = least;
  const std::uint32_t row = read_request(send.wire).row;
  row_of_[send.slot] = row;
  stage_.trace.tell("process {}: row {} is {} in slot {}", index_, row,
                    send.hold ? std::string_view("to be held") : std::string_view("sent"),
                    send.slot);
  tell_pool({Word::send, least, send.slot, send});
}

void Host::tell_pool(const Command& command) {
  if (pools_.size() == 1) return do_command(command);
  command_last_ =
      std::max(command_last_, stage_.clock.now()) + stage_.chance.between(0, kMailMax / 8);
  command_last_ = std::min(command_last_, stage_.clock.now() + kMailMax - 1);
  commands_.push_back(command);
  stage_.clock.at(command_last_, Act::command, index_, life_);
}

void Host::do_command(const Command& command) {
  Pool& pool = *pools_[command.pool];
  switch (command.word) {
    case Word::send:
      if (!pool.send(command.slot, command.send.endpoint, command.send.wire, command.send.hold)) {
        return;
      }
      if (pools_.size() == 1) {
        connected_.push_back(command.slot);
      } else {
        completed(pool, nullptr, nullptr, command.slot, true);
      }
      return;
    case Word::go:
      return pool.go(command.slot);
    case Word::leave:
      return pool.leave(command.slot);
    case Word::retire:
      return pool.retire(command.slot);
    case Word::keep:
      return pool.keep(command.slot);
    case Word::close:
      return pool.close();
  }
}

void Host::first_byte(std::string_view wire) {
  const Asked asked = read_request(wire);
  ++sent_;
  stage_.trace.tell("process {}: the first byte of row {} is on the wire", index_, asked.row);
  stage_.oracle.written(stage_.oracle.attempt_of(asked.nonce, asked.row), asked.row, index_);
}

void Host::completed(Pool& pool, const Reply* reply, const sagorder::Fault* fault, Slot slot,
                     bool is_connected) {
  if (pools_.size() > 1) {
    Mail mail;
    mail.slot = slot;
    mail.connected = is_connected;
    if (fault != nullptr) {
      mail.failed = true;
      mail.fault = *fault;
    } else if (reply != nullptr) {
      mail.status = reply->status;
      mail.surplus = reply->surplus;
      const std::string_view views[] = {
          reply->body,        reply->content_type,    reply->date,
          reply->retry_after, reply->rate_limit_user, reply->rate_limit_user_api};
      for (std::size_t i = 0; i < std::size(views); ++i) mail.texts[i] = views[i];
    }
    mail_last_ = std::max(mail_last_, stage_.clock.now()) + stage_.chance.between(0, kMailMax / 8);
    mail_.emplace_back(static_cast<std::uint32_t>(&pool == pools_[0].get() ? 0 : 1),
                       std::move(mail));
    stage_.clock.at(mail_last_, Act::mail, index_, life_);
    return;
  }
  if (finished_) return;
  if (is_connected) return connected(slot);
  --pool.under_way_of_driver;
  if (reply != nullptr) {
    dispatch(event::Replied{slot, reply}, slot);
  } else {
    stage_.trace.tell("process {}: slot {} faults: {} ({} bytes taken)", index_, slot,
                      name_of(fault->kind), fault->bytes_accepted);
    dispatch(event::Faulted{slot, fault});
  }
}

void Host::connected(Slot slot) {
  mark(row_of_[slot], Phase::connected);
  dispatch(event::Connected{slot});
}

void Host::read_mail() {
  const auto [from, mail] = std::move(mail_.front());
  mail_.pop_front();
  if (finished_) return;
  if (mail.connected) return connected(mail.slot);
  --pools_[from]->under_way_of_driver;
  if (mail.failed) {
    stage_.trace.tell("process {}: slot {} faults: {} ({} bytes taken)", index_, mail.slot,
                      name_of(mail.fault.kind), mail.fault.bytes_accepted);
    return dispatch(event::Faulted{mail.slot, &mail.fault});
  }
  const Reply reply = mail.reply();
  dispatch(event::Replied{mail.slot, &reply}, mail.slot);
}

void Host::commit(std::span<const Record> records) {
  Stage& s = stage_;
  if (!remembered_) {
    remember_batch();
    remembered_ = true;
  }
  if (commit_under_way_) s.oracle.violate("I0", "two commits at a time");
  committing_ = records;
  commit_under_way_ = true;
  judge_stopped(records);
  for (const Record& record : records) {
    const auto row = static_cast<std::uint32_t>(record.row.value);
    mark(row, record.kind == RecordKind::intent ? Phase::intending : Phase::settling);
  }
  commit_fault_ = Fault::answers_again;
  for (const Fault fault : {Fault::commit_lost, Fault::commit_kept}) {
    if (s.hits(fault)) commit_fault_ = fault;
  }
  Time takes = s.chance.between(10 * kMicrosecond, s.plan.commit);
  const bool slow = s.hits(Fault::commit_slow);
  if (slow) takes += s.chance.between(kMillisecond, 400 * kSecond);
  for (const Record& record : records) {
    const Phase phase = rows_at_[record.row.value];
    if (slow) s.matrix.strike(Fault::commit_slow, phase);
    if (commit_fault_ != Fault::answers_again) s.matrix.strike(commit_fault_, phase);
  }
  s.clock.after(takes, Act::commit_done, index_, life_);
}

/// What was gathered beside the commit under way when the interrupt came is committed; no more.
void Host::judge_stopped(std::span<const Record> records) {
  if (interrupts_ == 0) return;
  const bool intents = std::any_of(records.begin(), records.end(), [](const Record& record) {
    return record.kind == RecordKind::intent;
  });
  if (intents && !intents_gathered_) {
    stage_.oracle.violate("I19", "a row is intended after the interrupt");
  }
  intents_gathered_ = false;
}

void Host::committed() {
  if (!commit_under_way_) return;
  commit_under_way_ = false;
  const bool failed = commit_fault_ != Fault::answers_again;
  if (planted("host-tells-commit-early")) {  // the disk follows one commit later
    stage_.disk.make_durable(late_, commission_.place, life_);
    late_.assign(committing_.begin(), committing_.end());
  } else if (!failed || commit_fault_ == Fault::commit_kept) {
    stage_.disk.make_durable(committing_, commission_.place, life_);
  }
  if (failed) {
    stage_.trace.tell("process {}: a commit fails", index_);
    return dispatch(event::CommitFailed{"disk"});
  }
  std::fill(fresh_lines_.begin(), fresh_lines_.end(), false);
  for (const Record& record : committing_) {
    const auto row = static_cast<std::uint32_t>(record.row.value);
    switch (record.kind) {
      case RecordKind::intent:
      case RecordKind::replay:
        mark(row, Phase::ready);
        break;
      case RecordKind::not_executed:
        mark(row, Phase::waiting);
        break;
      default:
        mark(row, Phase::settled);
        fresh_lines_[row] = true;
    }
  }
  small_step();
  dispatch(event::Committed{});
}

void Host::read_one() {
  const Moment now = stage_.clock.moment();
  if (input_changed_) {
    perform(pipeline_->resume(event::InputChanged{}, now));
  } else if (next_row_ > stage_.plan.rows) {
    perform(pipeline_->resume(event::InputEnded{}, now));
  } else {
    const std::uint32_t row = next_row_++;
    if (is_invalid(row)) return;
    fill_order(row);
    if (rows_->state({row}) == State::pending) mark(row, Phase::queued);
    perform(pipeline_->resume(event::OrderRead{&order_}, now));
  }
}

void Host::conclude() {
  Stage& s = stage_;
  phase_ = Phase::ending;
  small_step();
  output_whole_ = pipeline_->stop() != Stop::output_failed;
  if (s.hits(Fault::sync_failed)) {
    s.matrix.strike(Fault::sync_failed, Phase::ending);
    output_whole_ = false;
  } else {
    results().sync();
  }
  s.oracle.shown(pipeline_->stop_detail(), "the reason of a stop");
  small_step();
  if (new_batch_ && pipeline_->tally().sent == 0) {
    if (s.hits(Fault::memory_failed)) {
      s.matrix.strike(Fault::memory_failed, Phase::ending);
      throw Refused{Exit::disk_failed, "the batch cannot be forgotten"};
    }
    auto& memory = s.disk.memory;
    memory.erase(std::remove_if(memory.begin(), memory.end(),
                                [&](const Remembered& entry) {
                                  return entry.input == ledger().input &&
                                         entry.ledger_id == ledger().id;
                                }),
                 memory.end());
    small_step();
  }
  end(Exit::finished, fmt::format("{} {}", name_of(pipeline_->stop()), pipeline_->stop_detail()));
}

}  // namespace sagorder::simulation
