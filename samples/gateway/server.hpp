// The only loop: it accepts, sweeps, and reads the clocks. Everything it leads to runs on it.
#pragma once

#include <openssl/ssl.h>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "books.hpp"
#include "connection.hpp"
#include "counts.hpp"
#include "executed_log.hpp"
#include "faults.hpp"
#include "key_server.hpp"
#include "options.hpp"
#include "service.hpp"

namespace gateway {

class Server {
 public:
  // Opens the log, makes the certificates if need be, and listens. Throws on failure.
  explicit Server(const Options& options);

  std::uint16_t port() const { return port_; }
  // Where keys are handed out; 0: nowhere.
  std::uint16_t key_port() const { return key_server_ ? key_server_->port() : std::uint16_t{0}; }

  // Until SIGINT or SIGTERM. Throws if the executed log cannot be written.
  void run();

  // Of the run so far.
  std::string counts_json() const;

 private:
  using Acceptor = boost::asio::basic_socket_acceptor<boost::asio::ip::tcp, Executor>;

  void accept();
  void take(Socket socket);
  void sweep();
  Now now() const;

  const Options& options_;
  boost::asio::io_context io_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> tls_;
  ExecutedLog executed_;
  Books books_;
  FaultPlan faults_;
  Counts counts_;
  Service service_;
  Surroundings surroundings_;
  Acceptor acceptor_;
  std::uint16_t port_ = 0;
  std::unique_ptr<KeyServer> key_server_;
  Timer sweep_timer_;
  Timer retry_timer_;
  boost::asio::signal_set signals_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Connection>> connections_;
  std::vector<std::shared_ptr<Connection>> sweeping_;
  SteadyTime started_;
};

}  // namespace gateway
