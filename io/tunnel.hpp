// A way through an HTTP proxy: CONNECT (RFC 9110, 9.3.6), then the bytes go both ways as they are.
//
// Nothing of an order is written before the tunnel is open, so whatever happens here, nothing was
// executed. A proxy has no business with bytes behind its answer: the server speaks only once it
// was spoken to. Such bytes end the tunnel before TLS could take them for the server's.
//
// Of what a proxy says nothing is repeated but the number of its status.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "engine/order.hpp"
#include "engine/verdict.hpp"
#include "io/proxy.hpp"
#include "io/wire.hpp"

namespace sagorder::io {

inline constexpr std::size_t kTunnelAnswerMax = 16 * 1024;  ///< bytes of a proxy's answer

class Tunnel {
 public:
  enum class Progress : std::uint8_t {
    waits,   ///< for the socket: `go_on` once it is ready
    open,    ///< the next byte is for the server, or from it
    failed,  ///< for good: `kind` and `why`
  };

  /// @param wire of a connection to the proxy; outlives it
  Tunnel(const Endpoint& to, const Proxy& proxy, Wire& wire);
  ~Tunnel();
  Tunnel(const Tunnel&) = delete;
  Tunnel& operator=(const Tunnel&) = delete;

  [[nodiscard]] Progress go_on();

  [[nodiscard]] FaultKind kind() const { return kind_; }
  [[nodiscard]] const std::string& why() const { return why_; }

 private:
  Progress write();
  Progress read();
  Progress judge(std::size_t header_bytes);
  Progress fail(std::string why, FaultKind kind = FaultKind::proxy_failed);
  [[nodiscard]] std::string refused_with(int status) const;

  Wire& wire_;
  const std::string to_;
  const std::string proxy_;
  const bool has_password_;
  std::string request_;
  std::size_t written_ = 0;
  std::array<char, kTunnelAnswerMax> answer_{};
  std::size_t read_ = 0;
  FaultKind kind_ = FaultKind::proxy_failed;
  std::string why_;
};

}  // namespace sagorder::io
