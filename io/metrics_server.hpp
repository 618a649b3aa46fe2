// Serves metrics over HTTP on the run's own loop: `GET /metrics`, one answer a connection. It has
// no say in anything, and whoever is at the other end costs the orders no more than the limits
// below.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "engine/moment.hpp"
#include "io/file.hpp"
#include "io/listen_address.hpp"

namespace sagorder::io {

/// A socket that listens there, and where it does. Throws FileError.
struct Listener {
  Fd socket;
  ListenAddress address;
};
Listener listen_at(const ListenAddress& address);

/// `http://127.0.0.1:9464/metrics`
std::string url_of(const ListenAddress& address);

class MetricsServer {
 public:
  static constexpr std::size_t kScrapersMax = 4;       ///< at a time; others wait to be accepted
  static constexpr milliseconds kAcceptEvery{20};      ///< and no more often
  static constexpr std::uint32_t kRequestMax = 8'192;  ///< bytes of a request's header
  static constexpr milliseconds kExchangeMax{5'000};   ///< from accept to close
  static constexpr milliseconds kTextKept{1'000};      ///< the text is made no more often

  /// @param text makes the metrics; called in the context's thread
  MetricsServer(boost::asio::io_context& context, const Listener& listener,
                std::function<std::string()> text);
  ~MetricsServer();
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

  /// Closes everything, so that the context can run dry. Final.
  void close();

 private:
  struct State;
  std::shared_ptr<State> state_;  // handlers share it
};

}  // namespace sagorder::io
