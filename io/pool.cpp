#include "io/pool.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <stdexcept>
#include <utility>
#include <vector>

#include "engine/expect.hpp"
#include "engine/pipeline.hpp"
#include "engine/reuse.hpp"
#include "io/connection.hpp"

namespace sagorder::io {
namespace {

using ConnectionPointer = std::shared_ptr<Connection>;

SteadyTime steady_now() { return std::chrono::steady_clock::now(); }

/// A fraction of the shortest wait, so that none is overdrawn by much.
milliseconds tick_for(const PoolOptions& options) {
  const milliseconds shortest =
      std::min({options.request_timeout, options.connect_timeout, options.idle});
  return std::clamp(shortest / 8, kPoolTickMin, kPoolTickMax);
}

void check(const PoolOptions& options) {
  if (options.connections < 1 || options.connections > kConnectionsMax) {
    throw std::invalid_argument("connections must be 1 to " + std::to_string(kConnectionsMax));
  }
  if (options.request_timeout <= milliseconds{0} || options.connect_timeout <= milliseconds{0} ||
      options.idle < milliseconds{0}) {
    throw std::invalid_argument("timeouts must be positive");
  }
}

struct IdleConnection {
  Connection* connection = nullptr;
  SteadyTime since;
};
/// A held request and its connection.
struct HeldRequest {
  Exchange exchange;
  Connection* connection = nullptr;
  SteadyTime since;
};
/// Last used last, so the oldest is the first.
using IdleStack = std::vector<IdleConnection>;

Fault given_up() {
  Fault fault;
  fault.kind = FaultKind::cancelled;
  fault.detail = "given up by this program";
  return fault;
}

}  // namespace

struct Pool::State final : Connection::Owner, std::enable_shared_from_this<Pool::State> {
  State(boost::asio::io_context& context_given, const TlsContext& tls_given,
        PoolOptions options_given, Handler handler_given)
      : context(context_given),
        tls(tls_given),
        options(options_given),
        handler(std::move(handler_given)),
        readiness(std::make_shared<Readiness>(context_given)),
        timer(context_given) {}

  boost::asio::io_context& context;
  const TlsContext& tls;
  const PoolOptions options;
  const Handler handler;
  const std::shared_ptr<Readiness> readiness;
  boost::asio::steady_timer timer;
  bool ticking = false;
  bool closed = false;
  PoolCounters counters;
  std::uint32_t under_way = 0;          // sends not yet completed
  std::vector<ConnectionPointer> open;  // busy, held, parked and idle, of all endpoints
  std::vector<Connection*> parked;      // whole exchange, waiting for keep() or retire()
  std::vector<HeldRequest> held;        // connected, waiting for go() or leave()
  std::map<Endpoint, IdleStack> idle;

  bool send(const Exchange& exchange, const Endpoint& endpoint);
  Connection* lease(const Endpoint& endpoint, SteadyTime now);
  void begin_on(Connection& connection, const Exchange& exchange);
  void go(std::uint32_t slot);
  void leave(std::uint32_t slot);
  std::optional<HeldRequest> take_held(std::uint32_t slot);
  void connect(const Endpoint& endpoint, const Exchange& exchange, SteadyTime now);
  void make_room();
  void finished(Connection& connection, const Reply* reply, const Fault* fault) override;
  void connected(Connection& connection) override;
  void complete_later(std::uint32_t slot, Fault fault);
  Connection* take_parked(std::uint32_t slot);
  Connection* take_idle(std::uint32_t slot);
  void keep(std::uint32_t slot);
  void retire(std::uint32_t slot);
  void drop(Connection& connection);
  void close_all();
  void close_old(SteadyTime now);
  void tick();
  void start_ticking();
  void count(Connection& connection);
};

bool Pool::State::send(const Exchange& exchange, const Endpoint& endpoint) {
  expect(under_way + parked.size() < options.connections, "more exchanges than connections");
  expect(!exchange.wire.empty() && exchange.wire.size() <= kWireBytesMax,
         "a request of no bytes or too many");
  ++under_way;
  if (closed) {
    complete_later(exchange.slot, given_up());
    return false;
  }
  const SteadyTime now = steady_now();
  Exchange timed = exchange;
  timed.answer_by = now + options.request_timeout;
  Connection* connection = lease(endpoint, now);
  if (connection == nullptr) {
    connect(endpoint, timed, now);
    return false;
  }
  if (exchange.hold) {
    held.push_back({timed, connection, now});
    return true;
  }
  begin_on(*connection, timed);
  return false;
}

void Pool::State::connected(Connection& connection) {
  const auto self = shared_from_this();  // the handler may destroy the pool
  held.push_back({connection.last_exchange(), &connection, steady_now()});
  handler(Completion{.slot = connection.slot()});
}

std::optional<HeldRequest> Pool::State::take_held(std::uint32_t slot) {
  const auto found = std::find_if(held.begin(), held.end(), [&](const HeldRequest& each) {
    return each.exchange.slot == slot;
  });
  if (found == held.end()) return std::nullopt;
  const HeldRequest taken = *found;
  held.erase(found);
  return taken;
}

void Pool::State::go(std::uint32_t slot) {
  const auto taken = take_held(slot);
  if (!taken) return;
  Connection& connection = *taken->connection;
  const SteadyTime now = steady_now();
  const bool old = while_idle(now - taken->since, options.idle) != Reuse::again;
  if (old) connection.close();
  if (old || !connection.still_good(now)) {
    ++counters.discarded;
    drop(connection);
    Fault fault;
    fault.kind = FaultKind::closed_before_write;
    fault.detail = old ? "the connection grew old while the request waited for its turn"
                       : "closed by the server while the request waited for its turn";
    return complete_later(slot, std::move(fault));
  }
  Exchange timed = taken->exchange;
  timed.answer_by = now + options.request_timeout;
  begin_on(connection, timed);
}

void Pool::State::leave(std::uint32_t slot) {
  if (const auto taken = take_held(slot)) {
    idle[taken->connection->endpoint()].push_back({taken->connection, steady_now()});
    return complete_later(slot, given_up());
  }
  const auto connecting = std::find_if(open.begin(), open.end(), [&](const auto& each) {
    return each->slot() == slot && each->phase() < Connection::Phase::writing;
  });
  if (connecting == open.end()) return;  // it has failed meanwhile, and said so
  const ConnectionPointer leaving = *connecting;
  complete_later(slot, leaving->abandon());
  drop(*leaving);
}

/// The idle connection of this endpoint that was used last and is still good; others met on the
/// way are closed: not a byte of the request was offered to them.
Connection* Pool::State::lease(const Endpoint& endpoint, SteadyTime now) {
  const auto found = idle.find(endpoint);
  if (found == idle.end()) return nullptr;
  IdleStack& stack = found->second;
  while (!stack.empty()) {
    const IdleConnection last = stack.back();
    stack.pop_back();
    if (while_idle(now - last.since, options.idle) != Reuse::again) {
      last.connection->close();
    } else if (last.connection->still_good(now)) {
      return last.connection;
    } else {
      ++counters.discarded;
    }
    drop(*last.connection);
  }
  return nullptr;
}

void Pool::State::begin_on(Connection& connection, const Exchange& exchange) {
  if (connection.has_served()) ++counters.reused;
  std::optional<Fault> failed = connection.exchange(exchange);
  if (!failed) return;
  drop(connection);
  complete_later(exchange.slot, *std::move(failed));
}

void Pool::State::connect(const Endpoint& endpoint, const Exchange& exchange, SteadyTime now) {
  make_room();
  ++counters.connects;
  open.push_back(
      std::make_shared<Connection>(context, readiness, tls, endpoint, *this, *options.routes));
  open.back()->open(exchange, now + options.connect_timeout);
  start_ticking();
}

/// If all connections are open, at least one is idle: an exchange holds one connection, busy or
/// parked, and send() saw fewer of both than connections. A parked one is no more than what the
/// caller may count as under way: the driver does so until it hears of the completion, and gives
/// its word on it before it sends again. The one that was idle longest gives way.
void Pool::State::make_room() {
  if (open.size() < options.connections) return;
  IdleStack* oldest = nullptr;
  for (auto& [endpoint, stack] : idle) {
    if (stack.empty()) continue;
    if (oldest == nullptr || stack.front().since < oldest->front().since) oldest = &stack;
  }
  expect(oldest != nullptr, "no idle connection to give way");
  Connection& leaving = *oldest->front().connection;
  oldest->erase(oldest->begin());
  leaving.close();
  drop(leaving);
}

void Pool::State::finished(Connection& connection, const Reply* reply, const Fault* fault) {
  const auto self = shared_from_this();  // the handler may destroy the pool
  // The reply's views live in the connection, which the caller holds even if it is dropped here.
  const std::uint32_t slot = connection.slot();
  if (connection.phase() == Connection::Phase::idle) {
    count(connection);
    if (options.wait_for_word) {
      parked.push_back(&connection);
    } else {
      idle[connection.endpoint()].push_back({&connection, steady_now()});
    }
  } else {
    drop(connection);
  }
  --under_way;
  handler(Completion{.slot = slot, .reply = reply, .fault = fault});
}

void Pool::State::complete_later(std::uint32_t slot, Fault fault) {
  boost::asio::post(context, [weak = weak_from_this(), slot, fault = std::move(fault)] {
    const auto self = weak.lock();
    if (!self) return;
    --self->under_way;
    self->handler(Completion{.slot = slot, .reply = nullptr, .fault = &fault});
  });
}

Connection* Pool::State::take_parked(std::uint32_t slot) {
  const auto found = std::find_if(parked.begin(), parked.end(),
                                  [&](const Connection* each) { return each->slot() == slot; });
  if (found == parked.end()) return nullptr;
  Connection* taken = *found;
  parked.erase(found);
  return taken;
}

/// Several may have served this slot, one after the other: the one used last.
Connection* Pool::State::take_idle(std::uint32_t slot) {
  IdleStack* from = nullptr;
  IdleStack::iterator latest{};
  for (auto& [endpoint, stack] : idle) {
    for (auto each = stack.begin(); each != stack.end(); ++each) {
      if (each->connection->slot() != slot) continue;
      if (from != nullptr && each->since < latest->since) continue;
      from = &stack;
      latest = each;
    }
  }
  if (from == nullptr) return nullptr;
  Connection* taken = latest->connection;
  from->erase(latest);
  return taken;
}

void Pool::State::keep(std::uint32_t slot) {
  Connection* kept = take_parked(slot);
  if (kept != nullptr) idle[kept->endpoint()].push_back({kept, steady_now()});
}

void Pool::State::retire(std::uint32_t slot) {
  Connection* leaving = take_parked(slot);
  if (leaving == nullptr) leaving = take_idle(slot);
  if (leaving == nullptr) return;
  leaving->close();
  drop(*leaving);
}

/// Forgets a connection that is closed.
void Pool::State::drop(Connection& connection) {
  count(connection);
  const auto found = std::find_if(open.begin(), open.end(),
                                  [&](const auto& held) { return held.get() == &connection; });
  expect(found != open.end(), "a connection that is not the pool's");
  std::swap(*found, open.back());
  open.pop_back();
}

void Pool::State::count(Connection& connection) {
  const Traffic traffic = connection.take_traffic();
  counters.bytes_written += traffic.written;
  counters.bytes_read += traffic.read;
  if (connection.take_resumed()) ++counters.handshakes_resumed;
}

void Pool::State::close_all() {
  closed = true;
  timer.cancel();
  for (const HeldRequest& one : held) complete_later(one.exchange.slot, given_up());
  held.clear();
  for (const ConnectionPointer& connection : open) {
    if (connection->busy()) {
      complete_later(connection->slot(), connection->abandon());
    } else {
      connection->close();
    }
    count(*connection);
  }
  open.clear();
  parked.clear();
  idle.clear();
}

void Pool::State::close_old(SteadyTime now) {
  for (auto& [endpoint, stack] : idle) {
    while (!stack.empty() && while_idle(now - stack.front().since, options.idle) != Reuse::again) {
      Connection& leaving = *stack.front().connection;
      stack.erase(stack.begin());
      leaving.close();
      drop(leaving);
    }
  }
}

void Pool::State::start_ticking() {
  if (ticking || closed || open.empty()) return;
  ticking = true;
  timer.expires_after(tick_for(options));
  timer.async_wait([weak = weak_from_this()](const boost::system::error_code&) {
    if (const auto self = weak.lock()) self->tick();
  });
}

void Pool::State::tick() {
  ticking = false;
  const SteadyTime now = steady_now();
  close_old(now);
  // A copy: what expires leaves `open`, and its handler may send.
  const std::vector<ConnectionPointer> looked_at = open;
  for (const ConnectionPointer& connection : looked_at) connection->expire(now);
  start_ticking();
}

Pool::Pool(boost::asio::io_context& context, const TlsContext& tls, PoolOptions options,
           Handler handler) {
  check(options);
  state_ = std::make_shared<State>(context, tls, options, std::move(handler));
}

Pool::~Pool() { state_->close_all(); }

bool Pool::send(std::uint32_t slot, const Endpoint& endpoint, std::string_view wire, bool hold) {
  return state_->send(Exchange{.slot = slot, .wire = wire, .answer_by = {}, .hold = hold},
                      endpoint);
}

void Pool::go(std::uint32_t slot, SteadyTime until) {
  // Asked as late as can be: this process may have stood still since it was decided.
  if (until != SteadyTime::max() && steady_now() >= until) return state_->leave(slot);
  state_->go(slot);
}

void Pool::leave(std::uint32_t slot) { state_->leave(slot); }

void Pool::keep(std::uint32_t slot) { state_->keep(slot); }

void Pool::retire(std::uint32_t slot) { state_->retire(slot); }

void Pool::close() { state_->close_all(); }

const PoolCounters& Pool::counters() const { return state_->counters; }

}  // namespace sagorder::io
