// Verified TLS for clients: chain and host name (or address) verified, SNI, TLS 1.2 or later, no
// renegotiation, no compression, session resumption by endpoint, no early data.
//
// A TLS session is offered only to the endpoint (host and port) that gave it, a TLS 1.3 one only
// once. Resuming it shows no certificate on the wire, so the caller asks `certificate_refusal`
// after every handshake: it judges the certificate that the connection stands on, old or new.
//
// A server may ask who we are (mutual TLS). In TLS 1.3 the handshake then ends here before the
// server has judged our certificate: `awaits_word_on_us` is true until it has said something.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "engine/order.hpp"
#include "engine/secret.hpp"

namespace sagorder::io {

inline constexpr std::size_t kTlsSessionsPerEndpointMax = 32;  ///< the oldest go first
inline constexpr std::size_t kTlsEndpointsMax = 64;            ///< others are not cached
/// The variable with the passphrase of an encrypted --client-key.
inline constexpr const char* kClientPassphrase = "SAGORDER_CLIENT_KEY_PASSPHRASE";

/// Trust anchors or our own certificate cannot be loaded; the text names the file.
struct TlsError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Who we are, for servers that ask. Empty: nobody.
struct ClientCertificate {
  std::string certificate_file;  ///< PEM: ours, then those that signed it
  std::string key_file;          ///< PEM; a file that others may read is refused
  Secret passphrase;             ///< of an encrypted key; empty: there is none
};

class TlsContext {
 public:
  /// @param ca_file PEM with trust anchors; empty: those of SSL_CERT_FILE and SSL_CERT_DIR, else
  /// the system's
  explicit TlsContext(const std::string& ca_file, const ClientCertificate& client = {});
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

/// Where the trust anchors are taken from, for people.
[[nodiscard]] std::string trust_anchors(const std::string& ca_file);

/// The server asked who we are, over TLS 1.3, and has said nothing since.
[[nodiscard]] bool awaits_word_on_us(SSL* ssl);

/// After a failure, with OpenSSL's queue as it left it: the server asked who we are, and ended the
/// connection with an alert about our certificate or the lack of one; in a person's words.
[[nodiscard]] std::optional<std::string> identity_refusal(SSL* ssl);

/// Before a call of OpenSSL whose failure will be asked for: what it queues is then its own. The
/// queue is empty as a rule, and a look costs a quarter of emptying it.
void clear_tls_errors();

/// OpenSSL's oldest queued error in a person's words, without a byte of what the peer sent; empty
/// if there is none. Empties the queue.
[[nodiscard]] std::string take_tls_error();

}  // namespace sagorder::io
