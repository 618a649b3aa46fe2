#include "tests/simulation/host.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "engine/entry.hpp"

namespace sagorder::simulation {

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
  stage_.clock.after(stage_.chance.between(10 * kMicrosecond, kStepMax), Act::step, index_, life_);
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

PipelineOptions Host::options() const {
  PipelineOptions options = stage_.plan.options;
  if (commission_.limits) {
    const auto span = milliseconds(stage_.plan.sends_for / kMillisecond);
    if (span > milliseconds(0)) options.not_after = stage_.clock.moment().wall + span;
    return options;
  }
  options.max_doubts = 1'000'000;
  options.max_failures = {1'000'000, false};
  options.max_orders.reset();
  options.max_seats.reset();
  options.max_seat_months.reset();
  options.canary = 0;
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

}  // namespace sagorder::simulation
