// From an endpoint's name to a TCP connection, by RFC 8305 ("happy eyeballs"): the families of a
// name's addresses take turns, an address that does not answer within kAttemptDelay is joined by
// the next, one that refuses is followed by it at once, and the first that is connected wins. The
// others are closed; not a byte was written to any of them.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/order.hpp"
#include "io/file.hpp"
#include "io/routes.hpp"

namespace sagorder::io {

inline constexpr std::size_t kAddressesMax = 16;  ///< of one host name that are tried
/// RFC 8305, 8: the recommended Connection Attempt Delay.
inline constexpr std::chrono::milliseconds kAttemptDelay{250};

class Dialer : public std::enable_shared_from_this<Dialer> {
 public:
  using Tcp = boost::asio::ip::tcp;

  struct End {
    Fd socket;  ///< connected, non-blocking, without Nagle's delay; closed: there is none
    bool resolved = true;  ///< false: the name has no address
    std::string why;       ///< there is none: the system's words for the last address
  };
  using Heard = std::function<void(End)>;

  /// @param heard is called once, from a handler of the context, unless give_up() comes first
  Dialer(boost::asio::io_context& context, Heard heard);

  /// To be called once. @param pinned addresses to take in this order; empty: those of the name
  void dial(const Endpoint& endpoint, const Routes::Addresses& pinned);

  /// Closes what is open and tells nothing more.
  void give_up();

 private:
  using Error = boost::system::error_code;
  using Socket = std::shared_ptr<Tcp::socket>;

  void resolve(const Endpoint& endpoint);
  void attempt();
  void attempted(const Socket& socket, const Error& error);
  void failed(const Error& error);
  void end(End end);

  boost::asio::io_context& context_;
  Heard heard_;
  Tcp::resolver resolver_;
  boost::asio::steady_timer delay_;
  std::vector<Tcp::endpoint> addresses_;
  std::vector<Socket> sockets_;  // of the attempts under way
  std::size_t next_ = 0;
  std::size_t failed_ = 0;
  bool over_ = false;
};

/// The addresses in the order in which they are tried: of the first one's family and of the other
/// in turn, each family in its own order; at most kAddressesMax.
std::vector<Dialer::Tcp::endpoint> in_turns(const std::vector<Dialer::Tcp::endpoint>& found);

}  // namespace sagorder::io
