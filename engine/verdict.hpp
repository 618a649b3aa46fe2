// The one table: what an Answer or a Fault means for the row, and for the run.
//
// Only a code on the list means refused; the default for the unknown is doubt. Judged by Code,
// never by status alone: the vendor's tables give InternalError under 403 and throttling under 400.
// A status can only add doubt: a refusal under another status than 4xx is not believed. Nor is one
// with bytes behind it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/response.hpp"

namespace sagorder {

enum class FaultKind : std::uint8_t {
  resolve_failed,       ///< no address for the host name
  connect_failed,       ///< refused, unreachable, reset while connecting
  connect_timed_out,    ///< no connection in time
  tls_failed,           ///< the handshake failed for another reason than the certificate
  certificate_refused,  ///< chain or host name not verified
  closed_before_write,  ///< a connection found closed or dirty before the first byte
  reset,                ///< connection reset while writing or waiting
  closed,               ///< end of file before a complete answer
  timed_out,            ///< the whole-exchange deadline passed
  answer_malformed,     ///< not HTTP, truncated, both Content-Length and Transfer-Encoding
  answer_too_large,     ///< header or body over the limit
  unsolicited_bytes,    ///< bytes before the request was sent or after the answer's end
  cancelled,            ///< given up by this program (second interrupt)
  proxy_failed,         ///< a proxy on the way made no tunnel
  identity_refused,     ///< the proxy's password, or our certificate, is missing or not accepted
};
inline constexpr int kFaultKinds = 15;
std::string_view name_of(FaultKind kind);

/// A transport fault, with what decides: how many bytes of this request were accepted by the
/// kernel (counted below TLS), and how many bytes of an answer came back.
struct Fault {
  FaultKind kind = FaultKind::closed;
  std::uint64_t bytes_accepted = 0;
  std::uint64_t bytes_answered = 0;
  std::string detail;  ///< for a person: host, port, the system's or OpenSSL's words
};

/// What it means for the row.
enum class Fate : std::uint8_t {
  placed,        ///< executed, OrderId known
  rejected,      ///< certainly not executed, and never will be as it stands
  in_doubt,      ///< may have executed
  not_executed,  ///< certainly not executed: pending again
};

/// What it means for the run.
enum class Effect : std::uint8_t {
  go_on,
  slow_down,         ///< throttled: lower the rate, wait as hinted
  back_off,          ///< no connection: wait, then probe
  check_clock,       ///< timestamp refused: stop if the Date header says that the clock is off
  renew_key,         ///< the key has expired: another one, if it can be had, or stop
  stop_credentials,  ///< key, signature, token, permission, password or certificate of ours:
                     ///< every row would meet it
  stop_payment,      ///< balance or payment: an unpaid order may exist
  stop_certificate,  ///< the server is not who it should be
};

struct Verdict {
  Fate fate = Fate::in_doubt;
  Effect effect = Effect::go_on;
  auto operator<=>(const Verdict&) const = default;
};

/// @param first_sending false when these bytes were sent before (--replay same-bytes): then only
/// an OrderId says anything, and all else is doubt.
Verdict judge(const Answer& answer, bool first_sending);
Verdict judge(const Fault& fault, bool first_sending);

/// What a code on the list means by itself; in_doubt/go_on for every other.
Verdict judge_code(std::string_view code);

}  // namespace sagorder
