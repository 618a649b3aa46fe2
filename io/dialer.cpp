#include "io/dialer.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

namespace sagorder::io {

std::vector<Dialer::Tcp::endpoint> in_turns(const std::vector<Dialer::Tcp::endpoint>& found) {
  std::vector<Dialer::Tcp::endpoint> own;
  std::vector<Dialer::Tcp::endpoint> other;
  for (const auto& each : found) {
    (each.protocol() == found.front().protocol() ? own : other).push_back(each);
  }
  std::vector<Dialer::Tcp::endpoint> mixed;
  for (std::size_t i = 0; i < std::max(own.size(), other.size()); ++i) {
    if (i < own.size()) mixed.push_back(own[i]);
    if (i < other.size()) mixed.push_back(other[i]);
  }
  mixed.resize(std::min(mixed.size(), kAddressesMax));
  return mixed;
}

Dialer::Dialer(boost::asio::io_context& context, Heard heard)
    : context_(context), heard_(std::move(heard)), resolver_(context), delay_(context) {}

void Dialer::dial(const Endpoint& endpoint, const Routes::Addresses& pinned) {
  Error not_literal;
  const auto literal = boost::asio::ip::make_address(endpoint.host, not_literal);
  if (not_literal && pinned.empty()) return resolve(endpoint);
  const Routes::Addresses addresses = pinned.empty() ? Routes::Addresses{literal} : pinned;
  for (const auto& each : addresses) addresses_.emplace_back(each, endpoint.port);
  addresses_.resize(std::min(addresses_.size(), kAddressesMax));
  // Later, as a failure to open a socket must not be told from within this call.
  boost::asio::post(context_, [self = shared_from_this()] {
    if (!self->over_) self->attempt();
  });
}

void Dialer::resolve(const Endpoint& endpoint) {
  resolver_.async_resolve(
      endpoint.host, std::to_string(endpoint.port), Tcp::resolver::numeric_service,
      [self = shared_from_this()](const Error& error, const Tcp::resolver::results_type& found) {
        if (self->over_) return;
        if (error || found.empty()) return self->end({Fd(), false, error.message()});
        std::vector<Tcp::endpoint> addresses;
        for (const auto& entry : found) addresses.push_back(entry.endpoint());
        self->addresses_ = in_turns(addresses);
        self->attempt();
      });
}

void Dialer::attempt() {
  const Tcp::endpoint address = addresses_[next_++];
  const Socket socket = std::make_shared<Tcp::socket>(context_);
  Error error;
  socket->open(address.protocol(), error);
  if (!error) socket->set_option(Tcp::no_delay(true), error);
  if (!error) socket->non_blocking(true, error);
  if (error) return failed(error);
  sockets_.push_back(socket);
  socket->async_connect(address, [self = shared_from_this(), socket](const Error& result) {
    if (!self->over_) self->attempted(socket, result);
  });
  if (next_ == addresses_.size()) return;
  delay_.expires_after(kAttemptDelay);
  delay_.async_wait([self = shared_from_this(), mine = next_](const Error& cancelled) {
    if (!cancelled && !self->over_ && mine == self->next_) self->attempt();
  });
}

void Dialer::attempted(const Socket& socket, const Error& error) {
  if (!error) return end({Fd(socket->release()), true, {}});
  std::erase(sockets_, socket);
  failed(error);
}

/// The next address at once; after the last, nothing but those still under way.
void Dialer::failed(const Error& error) {
  ++failed_;
  delay_.cancel();
  if (next_ < addresses_.size()) return attempt();
  if (failed_ == addresses_.size()) end({Fd(), true, error.message()});
}

void Dialer::end(End end) {
  const Heard heard = std::exchange(heard_, nullptr);
  give_up();
  heard(std::move(end));
}

void Dialer::give_up() {
  over_ = true;
  heard_ = nullptr;  // it may hold who holds this
  resolver_.cancel();
  delay_.cancel();
  Error ignored;
  for (const Socket& socket : sockets_) socket->close(ignored);
  sockets_.clear();
}

}  // namespace sagorder::io
