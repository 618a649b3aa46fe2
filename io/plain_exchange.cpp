#include "io/plain_exchange.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/write.hpp>
#include <string>
#include <utility>

namespace sagorder::io {
namespace asio = boost::asio;

PlainExchange::PlainExchange(asio::io_context& context, Endpoint endpoint, Secret wire, Done done)
    : endpoint_(std::move(endpoint)),
      wire_(std::move(wire)),
      done_(std::move(done)),
      resolver_(context),
      socket_(context),
      timer_(context) {}

void PlainExchange::start(milliseconds connect_timeout, milliseconds answer_timeout) {
  answer_timeout_ = answer_timeout;
  expire_after(connect_timeout, FaultKind::connect_timed_out);
  resolver_.async_resolve(endpoint_.host, std::to_string(endpoint_.port),
                          Tcp::resolver::numeric_service,
                          [self = shared_from_this()](const Error& error, const auto& found) {
                            self->resolved(error, found);
                          });
}

void PlainExchange::cancel() {
  done_ = nullptr;
  Error ignored;
  resolver_.cancel();
  timer_.cancel();
  socket_.close(ignored);
}

void PlainExchange::resolved(const Error& error, const Tcp::resolver::results_type& found) {
  if (!done_) return;
  if (error) return fail(FaultKind::resolve_failed, error.message());
  asio::async_connect(socket_, found,
                      [self = shared_from_this()](const Error& result, const Tcp::endpoint&) {
                        self->connected(result);
                      });
}

void PlainExchange::connected(const Error& error) {
  if (!done_) return;
  if (error) return fail(FaultKind::connect_failed, error.message());
  expire_after(answer_timeout_, FaultKind::timed_out);
  write();
}

void PlainExchange::write() {
  const std::string_view wire = wire_.reveal();
  asio::async_write(socket_, asio::buffer(wire.data(), wire.size()),
                    [self = shared_from_this()](const Error& error, std::size_t count) {
                      if (!self->done_) return;
                      self->accepted_ = count;
                      if (error) return self->fail(FaultKind::reset, error.message());
                      self->answer_.restart();
                      self->read();
                    });
}

void PlainExchange::read() {
  const std::span<char> room = answer_.room();
  socket_.async_read_some(asio::buffer(room.data(), room.size()),
                          [self = shared_from_this()](const Error& error, std::size_t count) {
                            if (self->done_) self->received(error, count);
                          });
}

void PlainExchange::received(const Error& error, std::size_t count) {
  answered_ += count;
  if (error == asio::error::eof) {
    if (!answer_.take_end()) return fail(FaultKind::closed, "closed before the answer's end");
  } else if (error) {
    return fail(FaultKind::reset, error.message());
  } else {
    switch (answer_.take(count)) {
      case HttpAnswer::Progress::need_more:
        return read();
      case HttpAnswer::Progress::malformed:
        return fail(FaultKind::answer_malformed, answer_.complaint());
      case HttpAnswer::Progress::too_large:
        return fail(FaultKind::answer_too_large, answer_.complaint());
      case HttpAnswer::Progress::whole:
        break;
    }
  }
  const Reply reply = answer_.reply();
  end(&reply, nullptr);
}

void PlainExchange::expire_after(milliseconds timeout, FaultKind kind) {
  timer_.expires_after(timeout);
  timer_.async_wait([self = shared_from_this(), kind, timeout](const Error& error) {
    if (error || !self->done_) return;
    self->fail(kind, "nothing within " + std::to_string(timeout.count()) + " ms");
  });
}

void PlainExchange::fail(FaultKind kind, std::string_view words) {
  const Fault fault{kind, accepted_, answered_, std::string(words)};
  end(nullptr, &fault);
}

void PlainExchange::end(const Reply* reply, const Fault* fault) {
  const Done done = std::exchange(done_, nullptr);
  cancel();
  done(reply, fault);
}

}  // namespace sagorder::io
