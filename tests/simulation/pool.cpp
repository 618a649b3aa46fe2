#include "tests/simulation/pool.hpp"

#include <algorithm>
#include <cstring>

#include "engine/reuse.hpp"
#include "tests/simulation/host.hpp"
#include "tests/simulation/stage.hpp"

namespace sagorder::simulation {

namespace {

constexpr Time kIdleMax = 5 * kSecond;

}  // namespace

Reply Mail::reply() const {
  return {status, texts[0], texts[1], texts[2], texts[3], texts[4], texts[5], surplus};
}

Pool::Pool(Stage& stage, Host& host, std::uint32_t index, std::uint32_t connections, bool apart)
    : stage_(stage), host_(host), index_(index), connections_(connections), apart_(apart) {}

Pool::~Pool() = default;

std::uint32_t Pool::line_index(const Link& link) { return link.line; }
Link& Pool::link_of(const Line& line) const { return stage_.network.link(line.link); }

std::uint32_t Pool::row_on(const Link& link) const { return line_of(link).row; }

Phase Pool::phase_on(const Link& link) const {
  const Line& line = line_of(link);
  switch (line.state) {
    case State::connecting:
      return line.hold ? Phase::leased : Phase::connecting;
    case State::writing:
      return Phase::request_part;
    case State::reading:
      return line.answered > 0 || !link.received.empty() ? Phase::answer_part
                                                         : Phase::request_whole;
    case State::idle:
      return line.held ? Phase::connected : Phase::idle;
    case State::closed:
      break;
  }
  return Phase::settling;
}

std::uint32_t Pool::new_line() {
  if (free_lines_.empty()) {
    lines_.push_back(std::make_unique<Line>());
    return static_cast<std::uint32_t>(lines_.size() - 1);
  }
  const std::uint32_t index = free_lines_.back();
  free_lines_.pop_back();
  return index;
}

bool Pool::send(Slot slot, const Endpoint* endpoint, std::string_view wire, bool hold) {
  if (under_way_ + parked_.size() >= connections_) {
    stage_.oracle.violate("I0", "the pool is given more exchanges than it has connections");
  }
  ++under_way_;
  if (closed_) {
    complete_later(slot, {FaultKind::cancelled, 0, 0, "given up"});
    return false;
  }
  const Time now = stage_.clock.now();
  const std::uint32_t row = read_request(wire).row;
  const Time answer_by = now + stage_.plan.request_timeout;
  if (const auto found = lease(endpoint)) {
    Line& line = *lines_[*found];
    line.answer_by = answer_by;
    if (hold) {
      line.slot = slot;
      line.row = row;
      line.wire = wire;
      line.held = true;
      return true;
    }
    begin_on(*found, slot, wire, row);
    return false;
  }
  make_room();
  const std::uint32_t index = new_line();
  Line& line = *lines_[index];
  line.state = State::connecting;
  line.endpoint = endpoint;
  line.slot = slot;
  line.row = row;
  line.wire = wire;
  line.hold = hold;
  line.held = false;
  line.answer_by = answer_by;
  line.connect_by = std::min(now + stage_.plan.connect_timeout, answer_by);
  line.answered = 0;
  line.written = 0;
  open_.push_back(index);
  host_.mark(row, hold ? Phase::leased : Phase::connecting);
  line.link = stage_.network.connect(host_.index(), host_.life(), index_, index);
  if (Link& link = link_of(line); link.handshake_fault == Fault::connect_stalled) {
    stage_.strike_line(link, Fault::connect_stalled);
  }
  start_ticking();
  return false;
}

std::optional<std::uint32_t> Pool::lease(const Endpoint* endpoint) {
  for (std::size_t i = idle_.size(); i-- > 0;) {
    const Idle last = idle_[i];
    if (lines_[last.line]->endpoint != endpoint) continue;
    idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(i));
    const nanoseconds idle(stage_.clock.now() - last.since);
    if (while_idle(idle, nanoseconds(kIdleMax)) != Reuse::again) {
      shut(*lines_[last.line]);
    } else if (still_good(last.line)) {
      return last.line;
    }
  }
  return std::nullopt;
}

Look Pool::look(const Line& line) const {
  const Link& link = link_of(line);
  if (!link.received.empty()) return Look::dirty;
  return link.end == End::none ? Look::clean : Look::ended;
}

/// If not, it is closed.
bool Pool::still_good(std::uint32_t index) {
  Line& line = *lines_[index];
  const bool good = line.state == State::idle && before_use(look(line)) == Reuse::again;
  if (!good) shut(line);
  return good;
}

void Pool::begin_on(std::uint32_t index, Slot slot, std::string_view wire, std::uint32_t row) {
  Line& line = *lines_[index];
  line.slot = slot;
  line.wire = wire;
  line.row = row;
  line.hold = false;
  auto failed = begin(index);
  if (!failed) return;
  complete_later(slot, *std::move(failed));
}

/// @return a fault if it failed at once
std::optional<sagorder::Fault> Pool::begin(std::uint32_t index) {
  Line& line = *lines_[index];
  line.held = false;
  line.state = State::writing;
  line.answered = 0;
  line.written = 0;
  line.fresh_answer = false;
  host_.mark(line.row, Phase::request_part);
  Link& link = link_of(line);
  if (stage_.hits(Fault::reset_at_write)) {
    stage_.strike_line(link, Fault::reset_at_write);
    link.end = End::reset;
    link.server_open = false;
  }
  stage_.network.begin_exchange(line.link);
  return write(line);
}

std::optional<sagorder::Fault> Pool::write(Line& line) {
  const bool first = line.written == 0;
  const std::int64_t taken = stage_.network.write(line.link, line.wire.substr(line.written));
  if (taken < 0) {
    auto failed =
        fault_of(line, line.written == 0 ? FaultKind::closed_before_write : FaultKind::reset,
                 "write failed");
    shut(line);
    return failed;
  }
  if (first) host_.first_byte(line.wire);
  line.written += static_cast<std::size_t>(taken);
  if (line.written < line.wire.size()) return std::nullopt;
  line.state = State::reading;
  host_.mark(line.row, Phase::request_whole);
  Link& link = link_of(line);
  if (!link.received.empty() || link.end != End::none) stage_.network.wake_client(line.link);
  return std::nullopt;
}

void Pool::on_writable(std::uint32_t link) {
  Line& line = line_of(stage_.network.link(link));
  if (line.state != State::writing) return;
  const std::uint32_t index = stage_.network.link(link).line;
  if (auto failed = write(line)) finish(index, nullptr, &*failed);
}

void Pool::on_handshake(std::uint32_t index) {
  Link& link = stage_.network.link(index);
  Line& line = line_of(link);
  const std::uint32_t mine = link.line;
  if (line.state != State::connecting) return;
  const Fault fault = link.handshake_fault;
  if (fault != Fault::answers_again) {
    stage_.strike_line(link, fault);
    stage_.trace.tell("link {}: {}", index, name_of(fault));
  }
  switch (fault) {
    case Fault::resolve_failed:
      return fail(mine, FaultKind::resolve_failed, "no such host");
    case Fault::connect_refused:
      return fail(mine, FaultKind::connect_failed, "refused");
    case Fault::handshake_failed:
      return fail(mine, FaultKind::tls_failed, "handshake failed");
    case Fault::certificate_refused:
      return fail(mine, FaultKind::certificate_refused, "certificate");
    default:
      break;
  }
  const Look seen = look(line);
  if (seen == Look::dirty) return fail(mine, FaultKind::unsolicited_bytes, "bytes before");
  if (seen == Look::ended) return fail(mine, FaultKind::closed_before_write, "closed at once");
  if (stage_.clock.now() >= line.connect_by) {
    return fail(mine, FaultKind::connect_timed_out, "no connection in time");
  }
  if (line.hold) {
    line.state = State::idle;
    line.held = true;
    return host_.completed(*this, nullptr, nullptr, line.slot, true);
  }
  if (auto failed = begin(mine)) finish(mine, nullptr, &*failed);
}

void Pool::go(Slot slot) {
  const auto held = std::find_if(open_.begin(), open_.end(), [&](std::uint32_t each) {
    return lines_[each]->held && lines_[each]->slot == slot;
  });
  if (held == open_.end()) return;
  const std::uint32_t index = *held;
  Line& line = *lines_[index];
  line.held = false;
  if (!still_good(index)) {
    return complete_later(slot, {FaultKind::closed_before_write, 0, 0, "closed meanwhile"});
  }
  line.answer_by = stage_.clock.now() + stage_.plan.request_timeout;
  begin_on(index, slot, line.wire, line.row);
}

void Pool::leave(Slot slot) {
  for (const std::uint32_t index : open_) {
    Line& line = *lines_[index];
    if (line.slot != slot) continue;
    if (line.held) {
      line.held = false;
      idle_.push_back({index, stage_.clock.now()});
      return complete_later(slot, {FaultKind::cancelled, 0, 0, "left"});
    }
    if (line.state != State::connecting) continue;
    complete_later(slot, {FaultKind::cancelled, 0, 0, "left"});
    return shut(line);
  }
}

std::optional<std::uint32_t> Pool::take(std::vector<std::uint32_t>& from, Slot slot) {
  const auto found = std::find_if(from.begin(), from.end(),
                                  [&](std::uint32_t each) { return lines_[each]->slot == slot; });
  if (found == from.end()) return std::nullopt;
  const std::uint32_t index = *found;
  from.erase(found);
  return index;
}

void Pool::keep(Slot slot) {
  if (const auto kept = take(parked_, slot)) idle_.push_back({*kept, stage_.clock.now()});
}

void Pool::retire(Slot slot) {
  auto leaving = take(parked_, slot);
  if (!leaving) {
    for (std::size_t i = idle_.size(); i-- > 0;) {
      if (lines_[idle_[i].line]->slot != slot) continue;
      leaving = idle_[i].line;
      idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(i));
      break;
    }
  }
  if (leaving) shut(*lines_[*leaving]);
}

void Pool::make_room() {
  if (open_.size() < connections_) return;
  if (idle_.empty()) {
    stage_.oracle.violate("I0", "no idle connection to give way");
    return;
  }
  const std::uint32_t oldest = idle_.front().line;
  idle_.erase(idle_.begin());
  shut(*lines_[oldest]);
}

void Pool::on_readable(std::uint32_t index) {
  Link& link = stage_.network.link(index);
  Line& line = line_of(link);
  if (line.state == State::reading) read(link.line);
}

void Pool::read(std::uint32_t index) {
  Line& line = *lines_[index];
  Link& link = link_of(line);
  if (!line.fresh_answer) line.answer.restart();
  line.fresh_answer = true;
  std::size_t at = 0;
  while (at < link.received.size()) {
    const auto room = line.answer.room();
    const std::size_t count = std::min(room.size(), link.received.size() - at);
    std::memcpy(room.data(), link.received.data() + at, count);
    at += count;
    if (line.answered == 0) host_.mark(line.row, Phase::answer_part);
    line.answered += count;
    const auto progress = line.answer.take(count);
    if (progress == io::HttpAnswer::Progress::need_more) continue;
    link.received.erase(0, at);
    if (progress == io::HttpAnswer::Progress::whole) return answered(index);
    const bool large = progress == io::HttpAnswer::Progress::too_large;
    return fail(index, large ? FaultKind::answer_too_large : FaultKind::answer_malformed,
                "not understood");
  }
  link.received.clear();
  switch (link.end) {
    case End::none:
      return;
    case End::farewell:
      if (line.answer.take_end()) return answered(index);
      return fail(index, FaultKind::closed, "closed by the server");
    case End::fin:
      return fail(index, FaultKind::closed, "closed by the server");
    case End::reset:
      return fail(index, FaultKind::reset, "reset");
  }
}

/// The answer is whole and stands, whatever is found behind it.
void Pool::answered(std::uint32_t index) {
  Line& line = *lines_[index];
  line.state = State::idle;
  const Reply reply = line.answer.reply();
  const bool asked_to_close = !line.answer.keeps_alive();
  if (after({.asked_to_close = asked_to_close, .surplus = reply.surplus}) != Reuse::again) {
    shut(line);
  }
  finish(index, &reply, nullptr);
}

sagorder::Fault Pool::fault_of(const Line& line, FaultKind kind, const char* words) const {
  const bool offered = line.state == State::writing || line.state == State::reading;
  return {kind, offered ? line.written : 0, offered ? line.answered : 0, words};
}

void Pool::fail(std::uint32_t index, FaultKind kind, const char* words) {
  Line& line = *lines_[index];
  const sagorder::Fault fault = fault_of(line, kind, words);
  if (after({.fault = kind}) == Reuse::never) {
    shut(line);
  } else {
    line.state = State::idle;
  }
  finish(index, nullptr, &fault);
}

/// Closes a line; it is forgotten by whoever holds it.
void Pool::shut(Line& line) {
  if (line.state == State::closed) return;
  line.state = State::closed;
  line.held = false;
  stage_.network.close(line.link);
  const auto found = std::find_if(open_.begin(), open_.end(),
                                  [&](std::uint32_t each) { return lines_[each].get() == &line; });
  free_lines_.push_back(*found);
  open_.erase(found);
}

void Pool::finish(std::uint32_t index, const Reply* reply, const sagorder::Fault* fault) {
  Line& line = *lines_[index];
  const Slot slot = line.slot;
  host_.mark(line.row, Phase::settling);
  if (line.state == State::idle) {
    if (apart_) {
      parked_.push_back(index);
    } else {
      idle_.push_back({index, stage_.clock.now()});
    }
  }
  --under_way_;
  host_.completed(*this, reply, fault, slot, false);
}

void Pool::complete_later(Slot slot, sagorder::Fault fault) {
  Mail mail;
  mail.slot = slot;
  mail.failed = true;
  mail.fault = std::move(fault);
  posted_.push_back(std::move(mail));
  stage_.clock.after(stage_.chance.between(0, 5 * kMicrosecond), Act::posted,
                     host_.index() + 2 * index_, host_.life());
}

void Pool::on_posted() {
  const Mail mail = std::move(posted_.front());
  posted_.pop_front();
  --under_way_;
  host_.completed(*this, nullptr, &mail.fault, mail.slot, false);
}

void Pool::close() {
  closed_ = true;
  const std::vector<std::uint32_t> all = open_;
  for (const std::uint32_t index : all) {
    Line& line = *lines_[index];
    const bool parked = std::find(parked_.begin(), parked_.end(), index) != parked_.end();
    if (line.held || (line.state != State::idle && !parked)) {
      host_.mark(line.row, Phase::settling);
      complete_later(line.slot, fault_of(line, FaultKind::cancelled, "given up"));
    }
    shut(line);
  }
  parked_.clear();
  idle_.clear();
}

void Pool::start_ticking() {
  if (ticking_ || closed_ || open_.empty()) return;
  ticking_ = true;
  const Time shortest =
      std::min({stage_.plan.request_timeout, stage_.plan.connect_timeout, kIdleMax});
  const Time tick = std::clamp(shortest / 8, 5 * kMillisecond, 100 * kMillisecond);
  stage_.clock.after(tick, Act::pool_tick, host_.index() + 2 * index_, host_.life());
}

void Pool::on_tick() {
  ticking_ = false;
  const Time now = stage_.clock.now();
  while (!idle_.empty() && while_idle(nanoseconds(now - idle_.front().since),
                                      nanoseconds(kIdleMax)) != Reuse::again) {
    const std::uint32_t leaving = idle_.front().line;
    idle_.erase(idle_.begin());
    shut(*lines_[leaving]);
  }
  const std::vector<std::uint32_t> looked_at = open_;
  for (const std::uint32_t index : looked_at) {
    const Line& line = *lines_[index];
    if (line.state == State::connecting && now >= line.connect_by) {
      fail(index, FaultKind::connect_timed_out, "no connection in time");
    } else if ((line.state == State::writing || line.state == State::reading) &&
               now >= line.answer_by) {
      fail(index, FaultKind::timed_out, "no whole answer in time");
    }
  }
  start_ticking();
}

void Pool::vanish(bool power) {
  for (const std::uint32_t index : open_) {
    if (power) {
      stage_.network.lose_power(lines_[index]->link);
    } else {
      stage_.network.close(lines_[index]->link);
    }
    lines_[index]->state = State::closed;
    lines_[index]->held = false;
  }
  open_.clear();
  idle_.clear();
  parked_.clear();
}

}  // namespace sagorder::simulation
