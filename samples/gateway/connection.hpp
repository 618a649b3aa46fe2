// One TLS connection, driven by readiness: the socket says when, OpenSSL reads and writes it
// directly. That is about half the system calls and copies of a stream with buffers of its own,
// and it leaves room for the faults, which need the bare socket.
//
// Life: handshake, then read a request, reply, read again, until somebody closes. One request at
// a time; pipelined ones wait in the input buffer. Every state has a deadline that the server's
// sweep enforces. Each pending wait holds a reference; after close nothing is touched.
#pragma once

#include <openssl/ssl.h>

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "counts.hpp"
#include "faults.hpp"
#include "http.hpp"
#include "options.hpp"
#include "service.hpp"

namespace gateway {

using Executor = boost::asio::io_context::executor_type;
using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, Executor>;
using Timer = boost::asio::basic_waitable_timer<
    std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;

// What the connections share. Outlives them all.
struct Surroundings {
  const Options& options;
  Service& service;
  FaultPlan& faults;
  Counts& counts;
  SSL_CTX* tls;
  std::function<Now()> now;
  std::function<void(std::uint64_t)> forget;  // called once, when the connection has closed
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Socket socket, std::uint64_t number, Surroundings& surroundings);

  void start();
  // Closes if the state's deadline has passed.
  void sweep(SteadyTime now);

 private:
  enum class Ending {
    orderly,  // close_notify, FIN
    silent,   // FIN alone (the kernel makes it a reset if unread bytes are left)
    reset,
  };
  using Step = void (Connection::*)();

  void shake_hands();
  void refuse_handshake();
  void on_readable();
  void read();
  void take_input();
  void deliver();
  void hold();
  void write();
  void on_written();
  void write_late_bytes();
  void drop();
  void next_request();
  void finish_request();

  bool peer_sent_a_request();
  bool wait_as_told(int result, Step next);
  void wait_until(Socket::wait_type readiness, Step next);
  void wait_for(std::chrono::microseconds delay, Step next);
  void close(Ending ending);

  Socket socket_;
  Timer timer_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
  const std::uint64_t number_;
  Surroundings& around_;
  bool closed_ = false;
  bool handshaken_ = false;
  bool in_flight_ = false;
  std::uint64_t served_ = 0;
  SteadyTime deadline_;

  std::vector<char> input_;
  std::size_t input_used_ = 0;
  RequestParser parser_;
  Request request_;
  Reply reply_;
  std::size_t written_ = 0;
  std::size_t write_until_ = 0;  // how much of the reply is to be sent now
};

}  // namespace gateway
