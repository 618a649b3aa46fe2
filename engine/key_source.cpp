#include "engine/key_source.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include "engine/ascii.hpp"

namespace sagorder {
namespace {

constexpr std::uint16_t kHttpPort = 80;
constexpr std::uint16_t kHttpsPort = 443;

bool is_host(std::string_view host) {
  const bool literal = host.find(':') != std::string_view::npos;
  const auto allowed = [literal](char c) {
    return is_letter(c) || is_digit(c) || c == '.' || c == '-' || (literal && c == ':');
  };
  return !host.empty() && std::ranges::all_of(host, allowed);
}

std::uint16_t port_of(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) {
    throw std::invalid_argument("its port is no number from 1 to 65535");
  }
  return port;
}

/// `HOST`, `HOST:PORT`, `[ADDRESS]:PORT`.
Endpoint endpoint_of(std::string_view text, std::uint16_t default_port) {
  std::string_view host = text.substr(0, text.find(':'));
  std::string_view rest = text.substr(host.size());
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) throw std::invalid_argument("its address has no ]");
    host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
  }
  if (!is_host(host)) throw std::invalid_argument("it names no host");
  if (rest.empty()) return {std::string(host), default_port};
  if (rest.front() != ':') throw std::invalid_argument("behind its host stands no port");
  return {std::string(host), port_of(rest.substr(1))};
}

}  // namespace

Endpoint default_metadata_endpoint() { return {"100.100.100.200", kHttpPort}; }

Endpoint default_sts_endpoint(std::string_view region, bool vpc) {
  if (region.empty()) return {"sts.aliyuncs.com", kHttpsPort};
  return {std::string(vpc ? "sts-vpc." : "sts.").append(region).append(".aliyuncs.com"),
          kHttpsPort};
}

bool is_loopback(std::string_view host) {
  if (host == "localhost" || host == "::1" || host == "[::1]") return true;
  const bool numeric = std::ranges::all_of(host, [](char c) { return is_digit(c) || c == '.'; });
  return numeric && host.starts_with("127.") && std::ranges::count(host, '.') == 3;
}

KeyUri parse_key_uri(std::string_view text) {
  constexpr std::string_view kPlain = "http://";
  constexpr std::string_view kTls = "https://";
  if (text.size() > kKeyUriMax) throw std::invalid_argument("it is too long");
  const auto plain = [](char c) { return c > ' ' && c < 0x7f && c != '#'; };
  if (!std::ranges::all_of(text, plain)) {
    throw std::invalid_argument("it has a blank, a # or a character beyond ASCII");
  }
  KeyUri uri;
  uri.tls = text.starts_with(kTls);
  if (!uri.tls && !text.starts_with(kPlain)) {
    throw std::invalid_argument("it begins with neither https:// nor http://");
  }
  text.remove_prefix(uri.tls ? kTls.size() : kPlain.size());
  const std::string_view authority = text.substr(0, text.find_first_of("/?"));
  uri.endpoint = endpoint_of(authority, uri.tls ? kHttpsPort : kHttpPort);
  const std::string_view target = text.substr(authority.size());
  uri.target = (target.starts_with('/') ? "" : "/") + std::string(target);
  if (!uri.tls && !is_loopback(uri.endpoint.host)) {
    throw std::invalid_argument(
        "it is plain HTTP to another machine, where a key could be read on the way: use https://");
  }
  return uri;
}

}  // namespace sagorder
