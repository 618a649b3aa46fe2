#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "tests/simulation/host.hpp"

namespace sagorder::simulation {

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
  if (commission_.limits) s.oracle.sends_begin(index_, *rows_);
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
  if (!actions.lines.empty()) append_results(actions.lines);
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
  if (commission_.limits) judge_canary(asked.row);
}

/// Until so many are placed, by the disk, no more rows than those are on the wire or settled.
void Host::judge_canary(std::uint32_t row) {
  const std::uint64_t canary = stage_.plan.options.canary;
  if (canary == 0) return;
  Rows rows(stage_.plan.rows);
  for (const Record& record : ledger().records) {
    rows.apply({record.kind, record.row, record.attempt});
  }
  const std::uint64_t placed = rows.count_of(State::placed);
  if (placed >= canary || rows.state({row}) == State::in_doubt) return;  // the same bytes again
  if (placed + rows.count_of(State::intended) > canary) {
    stage_.oracle.violate("I20", fmt::format("row {} is beyond the canary", row));
  }
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

/// What was gathered for the next commit when the interrupt came is committed; no more.
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
