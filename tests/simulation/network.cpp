#include "tests/simulation/network.hpp"

#include <algorithm>

#include "tests/simulation/stage.hpp"

namespace sagorder::simulation {

Time Network::hop() { return stage_.chance.between(kMicrosecond, stage_.plan.latency); }

void Network::strike(const Link& link, Fault fault) {
  if (!link.client_open) return;
  stage_.strike_line(link, fault);
}

std::uint32_t Network::connect(std::uint32_t host, std::uint32_t life, std::uint32_t pool,
                               std::uint32_t line) {
  Stage& s = stage_;
  const auto index = static_cast<std::uint32_t>(links_.size());
  links_.push_back(std::make_unique<Link>());
  Link& link = *links_.back();
  link.host = host;
  link.life = life;
  link.pool = pool;
  link.line = line;
  Time takes = s.chance.between(20 * kMicrosecond, s.plan.handshake);
  if (s.plan.handshakes_together) {  // several end in the same moment
    const Time grid = s.plan.handshake;
    takes = (s.clock.now() + takes + grid) / grid * grid - s.clock.now();
  }
  for (const Fault fault : {Fault::resolve_failed, Fault::connect_refused, Fault::connect_stalled,
                            Fault::handshake_failed, Fault::certificate_refused}) {
    if (!s.hits(fault)) continue;
    link.handshake_fault = fault;
    break;
  }
  if (link.handshake_fault != Fault::connect_stalled) {
    s.clock.after(takes, Act::handshake, index);
  }
  return index;
}

void Network::begin_exchange(std::uint32_t index) {
  Link& link = *links_[index];
  Stage& s = stage_;
  const std::size_t from = link.up.size();
  constexpr std::size_t kRequestBytes = 700;
  for (const Fault fault :
       {Fault::request_fin, Fault::request_reset, Fault::request_stalled, Fault::half_closed}) {
    if (!s.hits(fault)) continue;
    link.up_fault = fault;
    link.up_cut = from + (s.chance.one_in(8) ? 0 : s.chance.below(kRequestBytes));
    return;
  }
  for (const Fault fault : {Fault::answer_fin, Fault::answer_reset, Fault::answer_stalled}) {
    if (!s.hits(fault)) continue;
    link.down_fault = fault;
    link.down_cut = link.down.size() + (s.chance.one_in(4) ? 0 : s.chance.below(320));
    return;
  }
}

std::int64_t Network::write(std::uint32_t index, std::string_view bytes) {
  Link& link = *links_[index];
  Stage& s = stage_;
  if (link.end == End::reset || !link.client_open) return -1;
  std::size_t taken = bytes.size();
  if (s.chance.one_in(6) && !s.plan.faultless) {
    taken = 1 + static_cast<std::size_t>(s.chance.below(bytes.size()));
  }
  const std::size_t from = link.up.size();
  link.up.append(bytes.substr(0, taken));
  deliver(index, from, link.up.size(), link.up_last, Act::up);
  if (taken < bytes.size()) s.clock.after(hop(), Act::writable, index);
  return static_cast<std::int64_t>(taken);
}

/// In pieces, cut anywhere, in order.
void Network::deliver(std::uint32_t index, std::size_t from, std::size_t to, Time& last, Act act) {
  Stage& s = stage_;
  const std::uint64_t pieces = 1 + s.chance.below(s.plan.pieces);
  last = std::max(last, s.clock.now() + hop());
  for (std::uint64_t i = 1; i < pieces && from + 1 < to; ++i) {
    const std::size_t cut = from + 1 + static_cast<std::size_t>(s.chance.below(to - from - 1));
    s.clock.at(last, act, index, static_cast<std::uint32_t>(cut));
    from = cut;
    last += s.chance.between(0, s.plan.latency / 2);
  }
  s.clock.at(last, act, index, static_cast<std::uint32_t>(to));
  ++last;
}

void Network::close(std::uint32_t index) {
  Link& link = *links_[index];
  if (!link.client_open) return;
  link.client_open = false;
  link.received.clear();
  link.up_last = std::max(link.up_last, stage_.clock.now() + hop());
  stage_.clock.at(link.up_last, Act::client_gone, index);
}

void Network::lose_power(std::uint32_t index) {
  Link& link = *links_[index];
  if (!link.client_open) return;
  link.client_open = false;
  link.received.clear();
  // Some of what the kernel took is on its way already.
  if (stage_.chance.one_in(2) && link.up.size() > link.up_delivered) {
    const std::size_t left = link.up.size() - link.up_delivered;
    link.up_cut = std::min(
        link.up_cut, link.up_delivered + static_cast<std::size_t>(stage_.chance.below(left + 1)));
    link.up_fault = Fault::request_stalled;
  }
}

void Network::wake_client(std::uint32_t index) {
  Link& link = *links_[index];
  if (!link.client_open || link.turn_due) return;
  link.turn_due = true;
  stage_.clock.after(stage_.chance.between(0, 20 * kMicrosecond), Act::readable, index);
}

void Network::on_up(std::uint32_t index, std::size_t upto) {
  Link& link = *links_[index];
  if (link.up_dead || upto <= link.up_delivered) return;
  const bool cut = upto >= link.up_cut;
  link.up_delivered = cut ? std::max(link.up_delivered, link.up_cut) : upto;
  if (!cut) return stage_.server.on_bytes(index);
  const Fault fault = link.up_fault;
  link.up_cut = std::string::npos;
  strike(link, fault);
  stage_.trace.tell("link {}: {} after {} bytes of requests", index, name_of(fault),
                    link.up_delivered);
  if (fault == Fault::half_closed) {  // the server's side ends, and it goes on reading
    link.up_delivered = upto;
    end_from_server(index, stage_.chance.one_in(2) ? End::fin : End::farewell);
    return stage_.server.on_bytes(index);
  }
  link.up_dead = true;
  if (fault == Fault::request_stalled) {
    link.down_dead = true;
    return stage_.server.on_bytes(index);
  }
  end_from_server(index, fault == Fault::request_reset
                             ? End::reset
                             : (stage_.chance.one_in(2) ? End::fin : End::farewell));
  stage_.server.on_bytes(index);  // the last byte may have been the request's last
}

void Network::answer(std::uint32_t index, std::string_view bytes) {
  Link& link = *links_[index];
  if (!link.server_open || link.down_dead) return;
  const std::size_t from = link.down.size();
  link.down.append(bytes);
  deliver(index, from, link.down.size(), link.down_last, Act::down);
}

void Network::answer_at_once(std::uint32_t index, std::string_view bytes) {
  Link& link = *links_[index];
  if (!link.server_open || link.down_dead || link.end != End::none || !link.client_open) return;
  if (link.down_delivered != link.down.size()) return;
  link.down.append(bytes);
  link.down_delivered = link.down.size();
  link.received.append(bytes);
}

void Network::end_from_server(std::uint32_t index, End end) {
  Link& link = *links_[index];
  if (!link.server_open) return;
  link.server_open = false;
  // A reset may overtake what was sent before it.
  const bool overtakes = end == End::reset && stage_.chance.one_in(2);
  const Time at =
      overtakes ? stage_.clock.now() + hop() : std::max(link.down_last, stage_.clock.now() + hop());
  stage_.clock.at(at, Act::down_end, index, static_cast<std::uint32_t>(end));
}

void Network::on_down(std::uint32_t index, std::size_t upto) {
  Link& link = *links_[index];
  if (link.down_dead || link.end != End::none || upto <= link.down_delivered) return;
  const bool cut = upto >= link.down_cut;
  const std::size_t to = cut ? std::max(link.down_delivered, link.down_cut) : upto;
  if (link.client_open) {
    link.received.append(link.down, link.down_delivered, to - link.down_delivered);
  }
  link.down_delivered = to;
  if (cut) {
    strike(link, link.down_fault);
    stage_.trace.tell("link {}: {} after {} bytes of answers", index, name_of(link.down_fault), to);
    link.down_dead = true;
    link.down_cut = std::string::npos;
    link.server_open = false;
    if (link.down_fault != Fault::answer_stalled) {
      link.end = link.down_fault == Fault::answer_reset ? End::reset : End::fin;
    }
  }
  wake_client(index);
}

void Network::on_down_end(std::uint32_t index, End end) {
  Link& link = *links_[index];
  if (link.end != End::none || (link.down_dead && end != End::reset)) return;
  link.end = end;
  link.down_dead = true;
  if (end == End::reset && stage_.chance.one_in(2)) link.received.clear();
  wake_client(index);
}

}  // namespace sagorder::simulation
