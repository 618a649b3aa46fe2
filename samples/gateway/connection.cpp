#include "connection.hpp"

#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <cstring>

namespace gateway {
namespace {

constexpr std::size_t kInputBytesFirst = 4096;
constexpr auto kWritePatience = std::chrono::seconds(60);
// "A moment later": long enough for a client to have put the connection back in its pool.
constexpr auto kMoment = std::chrono::milliseconds(5);

}  // namespace

Connection::Connection(Socket socket, std::uint64_t number, Surroundings& surroundings)
    : socket_(std::move(socket)),
      timer_(socket_.get_executor()),
      ssl_(SSL_new(surroundings.tls), &SSL_free),
      number_(number),
      around_(surroundings),
      deadline_(surroundings.now().steady + surroundings.options.idle),
      input_(kInputBytesFirst) {}

void Connection::start() {
  boost::system::error_code error;
  socket_.non_blocking(true, error);
  if (!error) socket_.set_option(boost::asio::ip::tcp::no_delay(true), error);
  if (error || !ssl_ || SSL_set_fd(ssl_.get(), socket_.native_handle()) != 1)
    return close(Ending::silent);
  const Fault& fault = around_.faults.next_handshake();
  if (fault.kind != FaultKind::none) {
    count_one(around_.counts.faults, fault.label);
    return wait_until(Socket::wait_read, &Connection::refuse_handshake);
  }
  shake_hands();
}

void Connection::shake_hands() {
  ERR_clear_error();
  const int result = SSL_accept(ssl_.get());
  if (result == 1) {
    handshaken_ = true;
    if (SSL_session_reused(ssl_.get())) ++around_.counts.tls_resumed;
    return next_request();
  }
  if (!wait_as_told(result, &Connection::shake_hands)) close(Ending::silent);
}

void Connection::refuse_handshake() {
  // The hello is read first: closing over unread bytes would reset the alert away.
  std::array<char, 4096> hello;
  static constexpr std::array<unsigned char, 7> kAlert = {21, 3, 1, 0, 2, 2, 40};
  ::recv(socket_.native_handle(), hello.data(), hello.size(), 0);
  ::send(socket_.native_handle(), kAlert.data(), kAlert.size(), MSG_NOSIGNAL);
  close(Ending::silent);
}

void Connection::on_readable() {
  if (served_ > 0 && around_.faults.has_reuse() && peer_sent_a_request()) {
    const Fault& fault = around_.faults.next_reuse();
    if (fault.kind != FaultKind::none) {
      count_one(around_.counts.faults, fault.label);
      return close(Ending::silent);
    }
  }
  read();
}

// Looks at the record header without taking it: application data longer than any alert.
bool Connection::peer_sent_a_request() {
  std::array<unsigned char, 5> header;
  const ssize_t got = ::recv(socket_.native_handle(), header.data(), header.size(), MSG_PEEK);
  return got == 5 && header[0] == 23 && header[3] * 256 + header[4] > 64;
}

void Connection::read() {
  while (true) {
    if (input_used_ == input_.size()) input_.resize(std::min(input_.size() * 4, kRequestBytesMax));
    ERR_clear_error();
    const int got = SSL_read(ssl_.get(), input_.data() + input_used_,
                             static_cast<int>(input_.size() - input_used_));
    if (got <= 0) {
      if (!wait_as_told(got, &Connection::read)) close(Ending::orderly);
      return;
    }
    input_used_ += static_cast<std::size_t>(got);
    const Parse outcome = parser_.parse({input_.data(), input_used_}, request_);
    if (outcome != Parse::need_more) return take_input();
    if (input_used_ == kRequestBytesMax) return close(Ending::orderly);
    // What is in OpenSSL's own buffer wakes no wait on the socket.
    if (!SSL_has_pending(ssl_.get())) return wait_until(Socket::wait_read, &Connection::read);
  }
}

// A request, or something that is none, is in the input.
void Connection::take_input() {
  const Now now = around_.now();
  const Parse outcome = parser_.parse({input_.data(), input_used_}, request_);
  if (outcome == Parse::complete) {
    in_flight_ = true;
    Counts& counts = around_.counts;
    counts.in_flight_max = std::max(counts.in_flight_max, ++counts.in_flight);
    around_.service.handle(request_, number_, now, reply_);
    input_used_ -= parser_.consumed();
    std::memmove(input_.data(), input_.data() + parser_.consumed(), input_used_);
  } else {
    around_.service.refuse_malformed(parser_.status(), parser_.complaint(), now, reply_);
    input_used_ = 0;
  }
  deadline_ = now.steady + kWritePatience + reply_.delay;
  if (reply_.delay.count() > 0) return wait_for(reply_.delay, &Connection::deliver);
  deliver();
}

void Connection::deliver() {
  written_ = 0;
  write_until_ = reply_.bytes.size();
  switch (reply_.manner) {
    case Manner::close:
      return close(Ending::orderly);
    case Manner::reset:
      return close(Ending::reset);
    case Manner::hold:
      deadline_ = SteadyTime::max();
      return hold();
    case Manner::cut:
      write_until_ = reply_.cut;
      break;
    case Manner::dribble:
      write_until_ = 1;
      deadline_ = SteadyTime::max();
      break;
    case Manner::answer:
    case Manner::drop_later:
      break;
  }
  write();
}

// Reads on, only to learn when the client gives up.
void Connection::hold() {
  std::array<char, 4096> ignored;
  int got;
  do {
    ERR_clear_error();
    got = SSL_read(ssl_.get(), ignored.data(), static_cast<int>(ignored.size()));
  } while (got > 0);
  if (!wait_as_told(got, &Connection::hold)) close(Ending::orderly);
}

void Connection::write() {
  while (written_ < write_until_) {
    ERR_clear_error();
    const int put = SSL_write(ssl_.get(), reply_.bytes.data() + written_,
                              static_cast<int>(write_until_ - written_));
    if (put <= 0) {
      if (!wait_as_told(put, &Connection::write)) close(Ending::silent);
      return;
    }
    written_ += static_cast<std::size_t>(put);
  }
  on_written();
}

void Connection::on_written() {
  if (reply_.manner == Manner::cut) return close(Ending::silent);
  if (written_ < reply_.bytes.size()) {
    ++write_until_;
    return wait_for(around_.options.dribble_gap, &Connection::write);
  }
  if (!reply_.late_bytes.empty()) return wait_for(kMoment, &Connection::write_late_bytes);
  finish_request();
  if (reply_.manner == Manner::drop_later) return wait_for(kMoment, &Connection::drop);
  if (!reply_.keep_alive) return close(Ending::orderly);
  next_request();
}

void Connection::write_late_bytes() {
  reply_.bytes.swap(reply_.late_bytes);
  reply_.late_bytes.clear();
  written_ = 0;
  write_until_ = reply_.bytes.size();
  write();
}

void Connection::drop() { close(Ending::silent); }

void Connection::finish_request() {
  ++served_;
  if (in_flight_) --around_.counts.in_flight;
  in_flight_ = false;
}

void Connection::next_request() {
  deadline_ = around_.now().steady + around_.options.idle;
  if (input_used_ > 0) {
    // Pipelined: through the loop, not the stack, and the others get their turn.
    if (parser_.parse({input_.data(), input_used_}, request_) != Parse::need_more)
      return boost::asio::post(socket_.get_executor(), [self = shared_from_this()] {
        if (!self->closed_) self->take_input();
      });
  }
  if (SSL_has_pending(ssl_.get())) return read();
  wait_until(Socket::wait_read, &Connection::on_readable);
}

// After a call that could not go on: waits for what OpenSSL wants. False: it wants nothing more.
bool Connection::wait_as_told(int result, Step next) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      wait_until(Socket::wait_read, next);
      return true;
    case SSL_ERROR_WANT_WRITE:
      wait_until(Socket::wait_write, next);
      return true;
    default:
      ERR_clear_error();
      return false;
  }
}

void Connection::wait_until(Socket::wait_type readiness, Step next) {
  socket_.async_wait(readiness,
                     [self = shared_from_this(), next](const boost::system::error_code& error) {
                       if (!error && !self->closed_) ((*self).*next)();
                     });
}

void Connection::wait_for(std::chrono::microseconds delay, Step next) {
  timer_.expires_after(delay);
  timer_.async_wait([self = shared_from_this(), next](const boost::system::error_code& error) {
    if (!error && !self->closed_) ((*self).*next)();
  });
}

void Connection::sweep(SteadyTime now) {
  if (!closed_ && now > deadline_) close(Ending::orderly);
}

void Connection::close(Ending ending) {
  if (closed_) return;
  closed_ = true;
  if (!handshaken_) ++around_.counts.handshakes_failed;
  if (in_flight_) --around_.counts.in_flight;
  in_flight_ = false;
  boost::system::error_code ignored;
  if (ending == Ending::orderly && handshaken_) {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
  }
  if (ending == Ending::reset)
    socket_.set_option(boost::asio::socket_base::linger(true, 0), ignored);
  timer_.cancel();
  socket_.close(ignored);
  around_.forget(number_);
}

}  // namespace gateway
