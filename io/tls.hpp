// Verified TLS for clients: chain and host name (or address) verified, SNI, TLS 1.2 or later, no
// renegotiation, no compression, session resumption by endpoint, no early data.
//
// A TLS session is offered only to the endpoint (host and port) that gave it, a TLS 1.3 one only
// once. Resuming it shows no certificate on the wire, so the caller asks `certificate_refusal`
// after every handshake: it judges the certificate that the connection stands on, old or new.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "engine/order.hpp"

namespace sagorder::io {

inline constexpr std::size_t kTlsSessionsPerEndpointMax = 32;  ///< the oldest go first
inline constexpr std::size_t kTlsEndpointsMax = 64;            ///< others are not cached

/// The trust anchors cannot be loaded; the text names the file.
struct TlsError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class TlsContext {
 public:
  /// @param ca_file PEM with trust anchors; empty: the system's
  explicit TlsContext(const std::string& ca_file);
  ~TlsContext();
  TlsContext(TlsContext&&) noexcept;
  TlsContext& operator=(TlsContext&&) noexcept;

  /// A client SSL object that will verify `endpoint`, with SNI set and, where one is cached, a
  /// session to resume. The caller sets its BIOs, and frees it before this context. Thread-safe.
  /// Throws TlsError if OpenSSL has no memory or the host cannot be a name.
  [[nodiscard]] SSL* new_ssl(const Endpoint& endpoint) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// After a handshake, finished or failed: why the server is not who it should be, in a person's
/// words; nullopt if that is not the trouble. `finished` also looks at name and dates again.
[[nodiscard]] std::optional<std::string> certificate_refusal(SSL* ssl, const Endpoint& endpoint,
                                                             bool finished);

/// Before a call of OpenSSL whose failure will be asked for: what it queues is then its own. The
/// queue is empty as a rule, and a look costs a quarter of emptying it.
void clear_tls_errors();

/// OpenSSL's oldest queued error in a person's words, without a byte of what the peer sent; empty
/// if there is none. Empties the queue.
[[nodiscard]] std::string take_tls_error();

}  // namespace sagorder::io
