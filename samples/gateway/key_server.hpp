// The plain HTTP side of the gateway: where keys are handed out on loopback (keys.hpp). A request,
// an answer, and the connection ends.
#pragma once

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>

#include "connection.hpp"
#include "keys.hpp"
#include "options.hpp"

namespace gateway {

class KeyServer {
 public:
  // Listens at once. Throws on failure. What it is given outlives it.
  KeyServer(boost::asio::io_context& io, const Options& options, KeyDesk& desk,
            std::function<Now()> now);

  std::uint16_t port() const { return port_; }
  void start() { accept(); }

 private:
  void accept();

  KeyDesk& desk_;
  std::function<Now()> now_;
  boost::asio::basic_socket_acceptor<boost::asio::ip::tcp, Executor> acceptor_;
  std::uint16_t port_;
};

}  // namespace gateway
