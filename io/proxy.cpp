#include "io/proxy.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <charconv>
#include <cstdlib>

#include "engine/ascii.hpp"
#include "io/settings.hpp"

namespace sagorder::io {
namespace {

using Address = boost::asio::ip::address;

constexpr std::string_view kForm = "must be http://HOST:PORT";

/// Wiped when it goes.
struct Wiped {
  std::string text;
  ~Wiped() { OPENSSL_cleanse(text.data(), text.size()); }
};

UsageError wrong(std::string_view source, std::string_view rule) {
  return UsageError(std::string(source) + ": " + std::string(rule));
}

std::optional<Address> address_of(std::string_view text) {
  boost::system::error_code none;
  const Address address = boost::asio::ip::make_address(text, none);
  return none ? std::nullopt : std::optional(address);
}

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  const char small = lower(c);
  return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

void append_decoded(std::string_view text, std::string_view source, std::string& out) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      throw wrong(source,
                  "has a % in its user or password that is not followed by two hex digits; "
                  "write %25 for %");
    }
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
}

/// RFC 7617. @param user_info `USER[:PASSWORD]`, percent-encoded
Secret basic_authorization(std::string_view user_info, std::string_view source) {
  const std::size_t colon = std::min(user_info.find(':'), user_info.size());
  Wiped plain;
  plain.text.reserve(user_info.size() + 1);  // so that no copy is left behind
  append_decoded(user_info.substr(0, colon), source, plain.text);
  if (plain.text.find(':') != std::string::npos) {
    throw wrong(source, "has a user with a colon in it, which no proxy could tell from a password");
  }
  plain.text += ':';
  append_decoded(user_info.substr(std::min(colon + 1, user_info.size())), source, plain.text);
  Wiped encoded;
  encoded.text.resize(4 * ((plain.text.size() + 2) / 3) + 1);
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.text.data()),
                                   reinterpret_cast<const unsigned char*>(plain.text.data()),
                                   static_cast<int>(plain.text.size()));
  encoded.text.resize(static_cast<std::size_t>(size));
  encoded.text.insert(0, "Basic ");
  return Secret(encoded.text);
}

std::string_view without_scheme(std::string_view source, std::string_view url) {
  const std::size_t mark = url.find("://");
  if (mark == std::string_view::npos) return url;
  if (!equal_ignoring_case(url.substr(0, mark), "http")) {
    throw wrong(source,
                "only proxies that speak plain HTTP are known; the URL begins with http://");
  }
  return url.substr(mark + 3);
}

/// An entry's port, cut off; 0: it has none. The host loses its brackets.
std::uint16_t take_port(std::string_view& entry) {
  const bool bracketed = entry.starts_with('[');
  const std::size_t close = bracketed ? entry.find(']') : 0;
  if (close == std::string_view::npos) return 0;
  const std::size_t colon = entry.find(':', close);
  const bool many = !bracketed && colon != entry.rfind(':');  // an address of IPv6
  std::uint16_t port = 0;
  if (colon != std::string_view::npos && !many) {
    std::from_chars(entry.data() + colon + 1, entry.data() + entry.size(), port);
    entry = entry.substr(0, colon);
  }
  if (bracketed) entry = entry.substr(1, close - 1);
  return port;
}

template <std::size_t N>
bool share_bits(const std::array<unsigned char, N>& a, const std::array<unsigned char, N>& b,
                unsigned bits) {
  if (bits > N * 8) return false;
  for (unsigned bit = 0; bit < bits; ++bit) {
    const unsigned mask = 128U >> (bit % 8);
    if (((a[bit / 8] ^ b[bit / 8]) & mask) != 0) return false;
  }
  return true;
}

bool is_in_network(const Address& address, std::string_view network) {
  const std::size_t slash = network.find('/');
  const auto base = address_of(network.substr(0, slash));
  unsigned bits = 0;
  const char* const end = network.data() + network.size();
  const auto [stop, error] = std::from_chars(network.data() + slash + 1, end, bits);
  if (!base || error != std::errc{} || stop != end) return false;
  if (address.is_v4() != base->is_v4()) return false;
  return address.is_v4() ? share_bits(address.to_v4().to_bytes(), base->to_v4().to_bytes(), bits)
                         : share_bits(address.to_v6().to_bytes(), base->to_v6().to_bytes(), bits);
}

bool is_below(std::string_view host, std::string_view suffix) {
  return host.size() > suffix.size() && host.ends_with(suffix);
}

bool covers(std::string_view entry, const Endpoint& endpoint) {
  if (entry == "*") return true;
  const bool network = entry.find('/') != std::string_view::npos;
  const std::uint16_t port = network ? std::uint16_t{0} : take_port(entry);
  if (port != 0 && port != endpoint.port) return false;
  if (const auto address = address_of(endpoint.host)) {
    return network ? is_in_network(*address, entry) : address_of(entry) == address;
  }
  if (entry.starts_with("*.")) entry.remove_prefix(1);
  if (entry.starts_with('.')) return is_below(endpoint.host, entry);
  return endpoint.host == entry ||
         (!entry.empty() && is_below(endpoint.host, "." + std::string(entry)));
}

/// A variable in capitals or in small letters; empty: neither is set, or to nothing.
std::string variable(const char* capitals, const char* small) {
  const auto value_of = [](const char* name) {
    const char* const value = std::getenv(name);
    return std::string_view(value == nullptr ? "" : value);
  };
  const std::string_view one = value_of(capitals);
  const std::string_view other = value_of(small);
  if (!one.empty() && !other.empty() && one != other) {
    throw UsageError(std::string(capitals) + " and " + small + " are both set, and differ",
                     "unset one of them, or say --proxy URL or --proxy none");
  }
  return std::string(one.empty() ? other : one);
}

}  // namespace

Proxy parse_proxy(std::string_view source, std::string_view url) {
  std::string_view rest = without_scheme(source, url);
  const std::size_t at = rest.rfind('@');
  Proxy proxy;
  proxy.source = source;
  if (at != std::string_view::npos) {
    proxy.authorization = basic_authorization(rest.substr(0, at), source);
    rest.remove_prefix(at + 1);
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  const std::size_t host_end = rest.starts_with('[') ? rest.find(']') : 0;
  const auto endpoint = parse_endpoint("https://" + std::string(rest));
  if (!endpoint) throw wrong(source, kForm);
  if (rest.find(':', host_end) == std::string_view::npos) {
    throw wrong(source, "names no port; " + std::string(kForm));
  }
  proxy.at = *endpoint;
  return proxy;
}

NoProxy::NoProxy(std::string_view list) {
  std::string entry;
  const auto close = [&] {
    if (!entry.empty()) entries_.push_back(std::move(entry));
    entry.clear();
  };
  for (const char c : list) {
    if (c == ',' || is_space(c)) {
      close();
    } else {
      entry += lower(c);
    }
  }
  close();
}

bool NoProxy::covers(const Endpoint& endpoint) const {
  return std::ranges::any_of(entries_,
                             [&](const std::string& entry) { return io::covers(entry, endpoint); });
}

std::optional<Proxy> proxy_of_environment() {
  const Wiped url{variable("HTTPS_PROXY", "https_proxy")};
  if (url.text.empty()) return std::nullopt;
  return parse_proxy("HTTPS_PROXY", url.text);
}

NoProxy no_proxy_of_environment() { return NoProxy(variable("NO_PROXY", "no_proxy")); }

std::string text_of(const Endpoint& endpoint) {
  const bool is_ipv6 = endpoint.host.find(':') != std::string::npos;
  return (is_ipv6 ? "[" + endpoint.host + "]" : endpoint.host) + ":" +
         std::to_string(endpoint.port);
}

}  // namespace sagorder::io
