// What a server shows of itself in a TLS handshake, sound or not. Nothing is sent behind the
// handshake, so a server that is not who it should be learns no more than that somebody called.
#pragma once

#include <string>
#include <vector>

#include "engine/moment.hpp"
#include "engine/order.hpp"
#include "io/routes.hpp"
#include "io/tls.hpp"

namespace sagorder::io {

inline constexpr std::size_t kChainShownMax = 8;   ///< certificates
inline constexpr std::size_t kNameShownMax = 256;  ///< bytes of a subject or an issuer

struct Certificate {
  std::string subject;  ///< RFC 2253; bytes of the server's, to be shown by `printable` alone
  std::string issuer;
  WallTime not_before;
  WallTime not_after;
};

struct TlsSurvey {
  std::string failure;             ///< why there was no handshake; empty: there was
  std::string identity_refusal;    ///< why the server does not take us for who we are, or say
  std::string version;             ///< `TLSv1.3`
  std::string refusal;             ///< why the server is not who it should be; empty: it is
  std::vector<Certificate> chain;  ///< as sent, the server's own first
};

/// Connects and shakes hands, within `timeout`.
/// @param tls of its own: no session of a server that is refused is kept for others
TlsSurvey survey_tls(const TlsContext& tls, const Routes& routes, const Endpoint& endpoint,
                     milliseconds timeout);

}  // namespace sagorder::io
