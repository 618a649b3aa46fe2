// How an endpoint is reached: straight or through the proxy, and at which addresses.
//
// --proxy stands before HTTPS_PROXY and its NO_PROXY; --resolve before the system's resolver.
// Through a proxy it is the proxy who looks an endpoint's name up: --resolve then counts for the
// proxy's own.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <map>
#include <optional>
#include <vector>

#include "engine/order.hpp"
#include "io/proxy.hpp"
#include "io/settings.hpp"

namespace sagorder::io {

class Routes {
 public:
  using Addresses = std::vector<boost::asio::ip::address>;

  Routes() = default;  ///< straight to all, by the system's resolver
  Routes(std::optional<Proxy> proxy, NoProxy exceptions, const std::vector<Pin>& pins);

  /// nullptr: straight. It lives as long as this.
  [[nodiscard]] const Proxy* proxy_for(const Endpoint& endpoint) const;
  /// Of --resolve, in its order; empty: to be looked up.
  [[nodiscard]] Addresses addresses_of(const Endpoint& endpoint) const;

  /// What those use who were given none.
  static const Routes& straight();

 private:
  std::optional<Proxy> proxy_;
  NoProxy exceptions_;
  std::map<Endpoint, Addresses> pins_;
};

/// By settings and environment. Throws UsageError.
Routes find_routes(const Settings& settings);

}  // namespace sagorder::io
