// Signatures as a pure, staged sum: const in, text out, no clock, no random device.
//
// Two schemes behind one small interface. HMAC-SHA1 (SignatureVersion 1.0):
//   canonical query -> string to sign `METHOD&%2F&enc(query)` -> base64 HMAC-SHA1, key `secret&`.
// ACS3-HMAC-SHA256:
//   canonical request -> `ACS3-HMAC-SHA256\n` + hex SHA-256 of it -> hex HMAC-SHA256, key `secret`.
// Key contexts (the HMAC's inner and outer midstates) are prepared once; signing copies them.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "engine/moment.hpp"
#include "engine/nonce.hpp"
#include "engine/secret.hpp"

namespace sagorder {

enum class Scheme : std::uint8_t { acs3_hmac_sha256, hmac_sha1 };
enum class Method : std::uint8_t { post, get };

/// When and under which nonce an attempt is signed. One stamp a request: it goes into the intent,
/// the signature and the bytes alike, so the clock is never read twice for one signature.
struct Stamp {
  WallTime at;
  Nonce nonce;
};

struct Parameter {
  std::string_view name;
  std::string_view value;
};

/// Appends RFC 3986 percent-encoding of UTF-8 text (unreserved A-Z a-z 0-9 - _ . ~).
void append_encoded(std::string& out, std::string_view text);
/// The same at `at`, where there is room for 3 bytes each and one more. @return its end
char* write_encoded(char* at, std::string_view text);

/// `yyyy-MM-ddTHH:mm:ssZ`, 20 characters, no fraction (rounded down). Years 0000 to 9999; a moment
/// beyond them is written as the nearest one within.
void append_timestamp(std::string& out, WallTime at);
using Timestamp = std::array<char, 20>;
Timestamp timestamp_of(WallTime at);

/// Every stage's text, so that a wrong signature points at the wrong stage. Buffers are reused.
struct SignatureStages {
  std::string canonical;       ///< query (HMAC-SHA1) or request (ACS3)
  std::string string_to_sign;  ///< what is signed
  std::string signature;       ///< base64 or hex
};

/// What is signed. HMAC-SHA1 uses `method` and `parameters` (all of them, common ones included).
/// ACS3 uses all fields; `headers` are the signed ones with lower-case names.
struct SigningInput {
  std::string_view method;                ///< "POST", "GET"
  std::span<const Parameter> parameters;  ///< sorted by name bytes, unencoded
  std::span<const Parameter> headers;     ///< ACS3: sorted by name bytes
  std::string_view hashed_payload;        ///< ACS3: hex SHA-256 of the body
};

class Signer {
 public:
  virtual ~Signer() = default;
  /// Fills the three stages. Thread-safe: all state is const.
  virtual void sign(const SigningInput& input, SignatureStages& stages) const = 0;
  /// The stages after the text that a caller has laid out itself, from prepared pieces: from
  /// `stages.canonical` (ACS3) or `stages.string_to_sign` (HMAC-SHA1) on. Thread-safe too.
  virtual void seal(SignatureStages& stages) const = 0;
  [[nodiscard]] virtual Scheme scheme() const = 0;
};

/// @param opening  HMAC-SHA1: what strings to sign will begin with, hashed once; one that does not
/// is signed all the same
std::unique_ptr<const Signer> make_signer(Scheme scheme, const Secret& secret,
                                          std::string_view opening = {});

}  // namespace sagorder
