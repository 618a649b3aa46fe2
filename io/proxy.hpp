// The HTTP proxy between this machine and the servers, if there is one, and whom it is not for.
//
// It sees host names and sizes, and no request: TLS goes through it, by CONNECT. To the proxy
// itself one speaks plain HTTP. Its password comes from the environment alone, as a secret.
//
// An URL is `[http://][USER[:PASSWORD]@]HOST:PORT`, USER and PASSWORD percent-encoded. The port is
// never guessed: tools differ (80, 1080, 3128).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/order.hpp"
#include "engine/secret.hpp"

namespace sagorder::io {

struct Proxy {
  Endpoint at;
  Secret authorization;  ///< value of Proxy-Authorization; empty: none
  std::string source;    ///< for people: `--proxy`, `HTTPS_PROXY`
};

/// Throws UsageError, which never shows a URL that may hold a password.
/// @param source where the URL stands, for messages
Proxy parse_proxy(std::string_view source, std::string_view url);

/// The hosts that are reached without the proxy: a list with commas or blanks between.
///
///   *                 all
///   example.com       that name and those below it
///   .example.com      those below it; so does *.example.com
///   192.0.2.7, ::1    that address, where an endpoint is written as an address
///   10.0.0.0/8        those addresses, likewise; fd00::/8
///   example.com:8443  each of them with a port (addresses of IPv6 in brackets): that port alone
///
/// What is none of these covers nothing.
class NoProxy {
 public:
  NoProxy() = default;
  explicit NoProxy(std::string_view list);
  [[nodiscard]] bool covers(const Endpoint& endpoint) const;

 private:
  std::vector<std::string> entries_;  // in small letters
};

/// HTTPS_PROXY or https_proxy. UsageError if both are set and differ.
std::optional<Proxy> proxy_of_environment();
/// NO_PROXY or no_proxy, likewise.
NoProxy no_proxy_of_environment();

/// `HOST:PORT`, an address of IPv6 in brackets.
std::string text_of(const Endpoint& endpoint);

}  // namespace sagorder::io
