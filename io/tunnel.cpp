#include "io/tunnel.hpp"

#include <openssl/crypto.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "engine/ascii.hpp"

namespace sagorder::io {
namespace {

/// 407; and 401, which is for servers, and which tinyproxy says to a wrong password.
bool is_about_password(int status) { return status == 407 || status == 401; }

std::string words(int error) { return std::generic_category().message(error); }

std::string request_to(const std::string& to, const Secret& authorization) {
  std::string text;
  text.reserve(128 + 2 * to.size() + authorization.reveal().size());  // no copy is left behind
  text.append("CONNECT ").append(to).append(" HTTP/1.1\r\nHost: ").append(to).append("\r\n");
  if (!authorization.empty()) {
    text.append("Proxy-Authorization: ").append(authorization.reveal()).append("\r\n");
  }
  return text.append("\r\n");
}

/// Of `HTTP/1.1 200 ...`; 0: it is none.
int status_of(std::string_view line) {
  constexpr std::string_view kVersion = "HTTP/1.";
  if (line.size() < 12 || !line.starts_with(kVersion) || !is_digit(line[7]) || line[8] != ' ' ||
      !is_digits(line.substr(9, 3)) || (line.size() > 12 && is_digit(line[12]))) {
    return 0;
  }
  return (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
}

}  // namespace

Tunnel::Tunnel(const Endpoint& to, const Proxy& proxy, Wire& wire)
    : wire_(wire),
      to_(text_of(to)),
      proxy_(text_of(proxy.at)),
      has_password_(!proxy.authorization.empty()),
      request_(request_to(to_, proxy.authorization)) {}

Tunnel::~Tunnel() { OPENSSL_cleanse(request_.data(), request_.size()); }

Tunnel::Progress Tunnel::go_on() {
  if (written_ < request_.size()) {
    const Progress progress = write();
    if (written_ < request_.size()) return progress;
  }
  return read();
}

Tunnel::Progress Tunnel::write() {
  while (written_ < request_.size()) {
    const ssize_t sent = ::send(wire_.fd, request_.data() + written_, request_.size() - written_,
                                MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && is_temporary(errno)) return Progress::waits;
    if (sent < 0) return fail("broke off when it was asked for " + to_ + ": " + words(errno));
    written_ += static_cast<std::size_t>(sent);
    wire_.accepted += static_cast<std::uint64_t>(sent);
  }
  return Progress::waits;
}

Tunnel::Progress Tunnel::read() {
  for (;;) {
    const ssize_t got =
        ::recv(wire_.fd, answer_.data() + read_, answer_.size() - read_, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && is_temporary(errno)) return Progress::waits;
    if (got < 0) return fail("broke off when it was asked for " + to_ + ": " + words(errno));
    if (got == 0) return fail("closed the connection when it was asked for " + to_);
    read_ += static_cast<std::size_t>(got);
    wire_.received += static_cast<std::uint64_t>(got);
    const std::size_t end = std::string_view(answer_.data(), read_).find("\r\n\r\n");
    if (end != std::string_view::npos) return judge(end + 4);
    if (read_ == answer_.size()) return fail("answers at too great a length");
  }
}

Tunnel::Progress Tunnel::judge(std::size_t header_bytes) {
  const int status = status_of(std::string_view(answer_.data(), header_bytes));
  if (status == 0) return fail("does not speak HTTP/1.1; is it a proxy?");
  if (is_about_password(status)) return fail(refused_with(status), FaultKind::identity_refused);
  // A 2xx answer to CONNECT has no body, whatever its fields say.
  if (status < 200 || status > 299) return fail(refused_with(status));
  if (read_ > header_bytes) {
    return fail("sent bytes behind its answer, which are not the server's; nothing was sent on");
  }
  return Progress::open;
}

std::string Tunnel::refused_with(int status) const {
  const std::string number = " (" + std::to_string(status) + ")";
  if (is_about_password(status)) {
    return (has_password_ ? "does not accept this user and password"
                          : "wants a user and a password") +
           number + "; set HTTPS_PROXY to http://USER:PASSWORD@" + proxy_;
  }
  if (status == 403) return "does not allow connections to " + to_ + number;
  if (status >= 500) return "cannot reach " + to_ + number;
  return "refuses to connect to " + to_ + number;
}

Tunnel::Progress Tunnel::fail(std::string why, FaultKind kind) {
  why_ = "the proxy " + proxy_ + " " + std::move(why);
  kind_ = kind;
  return Progress::failed;
}

}  // namespace sagorder::io
