// One question in plain HTTP, over a connection of its own, and its answer. For addresses within
// the machine (a metadata service, a credentials URI on loopback), never for orders.
//
// The answer is read as strictly as one over TLS (http_answer). What failed is a Fault, with the
// bytes that the socket accepted.
//
// Life: shared, as asio's handlers hold it. `done` is called once, from a handler of the
// io_context; never after `cancel`.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "engine/moment.hpp"
#include "engine/order.hpp"
#include "engine/secret.hpp"
#include "engine/verdict.hpp"
#include "io/http_answer.hpp"

namespace sagorder::io {

class PlainExchange final : public std::enable_shared_from_this<PlainExchange> {
 public:
  /// Exactly one of the two is set; views are valid during the call.
  using Done = std::function<void(const Reply* reply, const Fault* fault)>;

  PlainExchange(boost::asio::io_context& context, Endpoint endpoint, Secret wire, Done done);
  PlainExchange(const PlainExchange&) = delete;
  PlainExchange& operator=(const PlainExchange&) = delete;

  /// To be called once.
  void start(milliseconds connect_timeout, milliseconds answer_timeout);
  void cancel();

 private:
  using Error = boost::system::error_code;
  using Tcp = boost::asio::ip::tcp;

  void resolved(const Error& error, const Tcp::resolver::results_type& found);
  void connected(const Error& error);
  void write();
  void read();
  void received(const Error& error, std::size_t count);
  void expire_after(milliseconds timeout, FaultKind kind);
  void fail(FaultKind kind, std::string_view words);
  void end(const Reply* reply, const Fault* fault);

  const Endpoint endpoint_;
  const Secret wire_;
  Done done_;
  Tcp::resolver resolver_;
  Tcp::socket socket_;
  boost::asio::steady_timer timer_;
  milliseconds answer_timeout_{0};
  HttpAnswer answer_;
  std::uint64_t accepted_ = 0;
  std::uint64_t answered_ = 0;
};

}  // namespace sagorder::io
