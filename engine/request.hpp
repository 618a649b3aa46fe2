// Order + stamp + signature -> the bytes on the wire, into the caller's buffer.
//
// The text that is the same for all rows is prepared once; per row only what differs is written
// and signed. The bytes are a whole HTTP/1.1 request, ready for one write:
//   ACS3-HMAC-SHA256  POST /?<parameters>, empty body, x-acs-* headers, accept: application/json
//   HMAC-SHA1         POST / with a form body (default), or GET /?<parameters>
//
// Nothing can break out of its place: what an order says is percent-encoded; a key id, a token or
// a host that could end a header line is refused by std::invalid_argument and never written.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/order.hpp"
#include "engine/signing.hpp"

namespace sagorder {

/// Reused from request to request; `bytes` is what goes out.
struct WireBuffer {
  std::string bytes;
  SignatureStages stages;
};

/// `host` or `host:port`, as the Host header and the ACS3 signature want it (port 443 is left out;
/// IPv6 literals in brackets).
std::string host_header(const Endpoint& endpoint);

/// The endpoint of a RegionId: `smartag.<RegionId>.aliyuncs.com`, port 443.
Endpoint default_endpoint(std::string_view region_id);

/// What stands in a request as it is, looked at before it is written. Each throws
/// std::invalid_argument: a key id with anything but visible ASCII or with a comma, a token with
/// anything but printable ASCII or a space at an end; a host that is empty or has a byte that no
/// host and port are made of; a nonce that was never drawn.
void check_key(const AccessKey& key);
void check_host(std::string_view host);
void check_nonce(const Nonce& nonce);

inline constexpr std::string_view kUserAgent = "sagorder/0.1.0";
/// Hex SHA-256 of an empty body.
inline constexpr std::string_view kHashOfNothing =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

class RequestWriter {
 public:
  /// Throws std::invalid_argument if the key id has anything but visible ASCII or has a comma (it
  /// stands in a comma-separated header), or the token anything but printable ASCII or a space at
  /// an end (a server would trim it and reckon another signature).
  RequestWriter(Scheme scheme, Method method, const AccessKey& key);
  ~RequestWriter();
  RequestWriter(RequestWriter&&) noexcept;
  RequestWriter& operator=(RequestWriter&&) noexcept;

  /// Fills `out.bytes`. No allocation once the buffers have grown. Thread-safe.
  /// @param host as `host_header` makes it; std::invalid_argument if it is empty or has a byte
  /// that no host and port are made of, or if the stamp's nonce was never drawn.
  void write(const Order& order, std::string_view host, const Stamp& stamp, WireBuffer& out) const;

  /// For --dry-run: the canonical text, the string to sign and the request with the signature and
  /// the security token shown as `***`; the secret is in none of them.
  [[nodiscard]] std::string explain(const Order& order, std::string_view host,
                                    const Stamp& stamp) const;

  /// What no answer's evidence may show: the secret and the security token, empty or not.
  [[nodiscard]] std::vector<Secret> secrets() const;

 private:
  struct Prepared;
  std::unique_ptr<const Prepared> prepared_;
};

}  // namespace sagorder
