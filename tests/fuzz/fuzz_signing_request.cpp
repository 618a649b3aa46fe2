// engine/request: whatever a legal order says, the bytes are one HTTP request with exactly its
// parameters, and an ACS3 signature is that of the bytes that are sent.
//
// Input: how it is sent (one byte), numbers, the stamp, then the region and the resource group.
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "engine/request.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace sagorder {
namespace {

using fuzz::Draw;
using fuzz::require;

constexpr std::string_view kId = "LTAI+test/id=1";
constexpr std::string_view kSecret = "a secret & its = signs";
constexpr std::string_view kToken = "CAIS+/=&%tok en";
constexpr std::array<std::string_view, 4> kHosts = {"smartag.cn-hangzhou.aliyuncs.com",
                                                    "localhost:8443", "[::1]:1", "127.0.0.1"};

RequestWriter writer_of(Scheme scheme, Method method, bool token) {
  AccessKey key;
  key.id = kId;
  key.secret = Secret(std::string(kSecret));
  if (token) key.security_token = Secret(std::string(kToken));
  return {scheme, method, key};
}

struct Way {
  Scheme scheme;
  Method method;
  bool token;
  RequestWriter writer;
  Way(Scheme scheme_of, Method method_of, bool has_token)
      : scheme(scheme_of),
        method(method_of),
        token(has_token),
        writer(writer_of(scheme_of, method_of, has_token)) {}
};

const Way& way_of(std::uint8_t drawn) {
  static const std::vector<Way> ways = [] {
    std::vector<Way> made;
    for (const bool token : {false, true}) {
      made.emplace_back(Scheme::acs3_hmac_sha256, Method::post, token);
      made.emplace_back(Scheme::hmac_sha1, Method::post, token);
      made.emplace_back(Scheme::hmac_sha1, Method::get, token);
    }
    return made;
  }();
  return ways[drawn % ways.size()];
}

std::uint64_t wide_number(Draw& draw) {
  std::uint64_t number = 0;
  for (int i = 0; i < 4; ++i) number = number << 16U | draw.number();
  return number >> draw.byte() % 64U;
}

void fill(Order& order, Stamp& stamp, Draw& draw) {
  constexpr std::string_view kRegionBytes = "abcdefghijklmnopqrstuvwxyz0123456789-";
  constexpr std::string_view kHex = "0123456789abcdef";
  order.period = static_cast<std::uint32_t>(wide_number(draw));
  order.user_count = static_cast<std::uint32_t>(wide_number(draw));
  order.data_plan = wide_number(draw);
  order.auto_pay = draw.byte() % 2 == 1;
  // Years 1970 to 9999: what the wire has room for.
  stamp.at = WallTime(milliseconds(wide_number(draw) % 253'402'300'800'000U));
  const std::uint64_t nonce = wide_number(draw);
  for (std::size_t i = 0; i < stamp.nonce.hex.size(); ++i) {
    stamp.nonce.hex[i] = kHex[nonce >> (4 * i % 64) & 15U];
  }
  order.region_id.clear();
  for (const char c : draw.text(draw.byte() % 65)) {
    order.region_id += kRegionBytes[static_cast<unsigned char>(c) % kRegionBytes.size()];
  }
  order.resource_group_id = draw.rest();
}

// ---- the bytes, read as a server would ---------------------------------------------------------

using Pair = std::pair<std::string, std::string>;

struct Request {
  std::string_view method, target, version, body;
  std::vector<Pair> headers;  // names as sent

  [[nodiscard]] std::string_view header(std::string_view name) const {
    std::string_view value;
    int count = 0;
    for (const Pair& pair : headers) {
      if (pair.first != name) continue;
      value = pair.second;
      ++count;
    }
    require(count <= 1, "no header stands twice");
    return value;
  }
};

std::string_view take_to(std::string_view& text, std::string_view mark) {
  const std::size_t at = text.find(mark);
  require(at != std::string_view::npos, "a request has all its marks");
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(at + mark.size());
  return taken;
}

Request parsed(std::string_view wire) {
  std::string_view head = take_to(wire, "\r\n\r\n");
  Request request;
  request.body = wire;
  std::string lines(head);
  lines += "\r\n";
  std::string_view left = head.substr(0, head.find("\r\n"));
  require(std::ranges::count(left, ' ') == 2, "a request line has three parts");
  request.method = take_to(left, " ");
  request.target = take_to(left, " ");
  request.version = left;
  std::string_view all = lines;
  take_to(all, "\r\n");
  while (!all.empty()) {
    std::string_view line = take_to(all, "\r\n");
    const std::string_view name = take_to(line, ": ");
    request.headers.emplace_back(name, line);
  }
  for (const char c : head) {
    require((c >= ' ' && c < 0x7F) || c == '\r' || c == '\n', "a header is printable ASCII");
  }
  require(static_cast<std::size_t>(std::ranges::count(head, '\n')) == request.headers.size() &&
              static_cast<std::size_t>(std::ranges::count(head, '\r')) == request.headers.size(),
          "no line breaks but those between headers");
  return request;
}

std::string decoded(std::string_view text) {
  const auto digit = [](char c) {
    const bool fine = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
    require(fine, "percent-encoding is two upper-case hex digits");
    return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'A' + 10);
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '%') {
      require(i + 2 < text.size(), "percent-encoding is whole");
      out += static_cast<char>(digit(text[i + 1]) << 4U | digit(text[i + 2]));
      i += 2;
      continue;
    }
    const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                            (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';
    require(unreserved, "what is reserved is encoded");
    out += c;
  }
  return out;
}

std::vector<Pair> parameters_of(std::string_view query) {
  std::vector<Pair> parameters;
  std::string text(query);
  text += '&';
  std::string_view rest = text;
  while (!rest.empty()) {
    std::string_view item = take_to(rest, "&");
    const std::string_view name = take_to(item, "=");
    parameters.emplace_back(decoded(name), decoded(item));
  }
  return parameters;
}

std::string timestamp_text(WallTime at) {
  const Timestamp timestamp = timestamp_of(at);
  return {timestamp.data(), timestamp.size()};
}

std::vector<Pair> expected_of(const Way& way, const Order& order, const Stamp& stamp) {
  std::vector<Pair> expected = {{"AutoPay", order.auto_pay ? "true" : "false"},
                                {"ChargeType", "PREPAY"},
                                {"DataPlan", std::to_string(order.data_plan)},
                                {"Period", std::to_string(order.period)},
                                {"RegionId", order.region_id},
                                {"UserCount", std::to_string(order.user_count)}};
  if (!order.resource_group_id.empty()) {
    expected.emplace_back("ResourceGroupId", order.resource_group_id);
  }
  if (way.scheme == Scheme::hmac_sha1) {
    expected.insert(expected.end(), {{"AccessKeyId", std::string(kId)},
                                     {"Action", "CreateSmartAccessGatewaySoftware"},
                                     {"Format", "JSON"},
                                     {"SignatureMethod", "HMAC-SHA1"},
                                     {"SignatureNonce", std::string(stamp.nonce.view())},
                                     {"SignatureVersion", "1.0"},
                                     {"Timestamp", timestamp_text(stamp.at)},
                                     {"Version", "2018-03-13"}});
    if (way.token) expected.emplace_back("SecurityToken", std::string(kToken));
  }
  std::ranges::sort(expected);
  return expected;
}

// ---- the ACS3 signature, of what is sent -------------------------------------------------------

std::string hex_of(const unsigned char* bytes, std::size_t count) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += {kHex[bytes[i] >> 4U], kHex[bytes[i] & 15U]};
  return out;
}

std::string sha256_of(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
  return hex_of(digest.data(), size);
}

std::string acs3_signature(const Request& request, std::string_view query, std::string_view names) {
  std::string canonical = std::string(request.method) + "\n/\n" + std::string(query) + "\n";
  std::string left(names);
  left += ';';
  std::string_view rest = left;
  while (!rest.empty()) {
    const std::string_view name = take_to(rest, ";");
    canonical.append(name).append(":").append(request.header(name)).append("\n");
  }
  canonical.append("\n").append(names).append("\n").append(sha256_of(request.body));
  const std::string text = "ACS3-HMAC-SHA256\n" + sha256_of(canonical);
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned size = 0;
  HMAC(EVP_sha256(), kSecret.data(), static_cast<int>(kSecret.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac.data(), &size);
  return hex_of(mac.data(), size);
}

void check_acs3(const Request& request, std::string_view query, const Way& way,
                const Stamp& stamp) {
  std::string_view authorization = request.header("authorization");
  require(take_to(authorization, "Credential=") == "ACS3-HMAC-SHA256 ", "the scheme is named");
  require(take_to(authorization, ",SignedHeaders=") == kId, "the key is named");
  const std::string_view names = take_to(authorization, ",Signature=");
  for (const Pair& pair : request.headers) {
    const bool must = pair.first == "host" || pair.first.starts_with("x-acs-");
    require(
        !must || (";" + std::string(names) + ";").find(";" + pair.first + ";") != std::string::npos,
        "every header of the scheme is signed");
  }
  require(request.header("x-acs-signature-nonce") == stamp.nonce.view(),
          "the nonce is the stamp's");
  require(request.header("x-acs-date") == timestamp_text(stamp.at), "the date is the stamp's");
  require(request.header("x-acs-security-token") == (way.token ? kToken : ""), "the token is sent");
  require(acs3_signature(request, query, names) == authorization,
          "the signature is that of the bytes that are sent");
}

Order order;
Stamp stamp;
WireBuffer wire;

}  // namespace
}  // namespace sagorder

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sagorder;
  Draw draw(data, size);
  const std::uint8_t how = draw.byte();
  const Way& way = way_of(how);
  const std::string_view host = kHosts[how / 8 % kHosts.size()];
  fill(order, stamp, draw);
  way.writer.write(order, host, stamp, wire);

  const Request request = parsed(wire.bytes);
  const bool form = way.scheme == Scheme::hmac_sha1 && way.method == Method::post;
  require(request.method == (way.method == Method::get ? "GET" : "POST"), "the method is as asked");
  require(request.version == "HTTP/1.1", "it is HTTP/1.1");
  require(request.header("host") == host, "the host is as asked");
  require(request.target.starts_with(form ? "/" : "/?"), "the target is the root");
  const std::string_view length = request.header("content-length");
  require(length == (way.method == Method::get ? "" : std::to_string(request.body.size())),
          "the length is the body's");
  require(form || request.body.empty(), "only a form has a body");
  const std::string_view query = form ? request.body : request.target.substr(2);

  std::vector<Pair> parameters = parameters_of(query);
  if (way.scheme == Scheme::hmac_sha1) {
    require(parameters.back().first == "Signature" && parameters.back().second.size() == 28,
            "the signature ends the parameters");
    parameters.pop_back();
  }
  std::ranges::sort(parameters);
  require(parameters == expected_of(way, order, stamp),
          "the parameters are the order's, and no more");
  if (way.scheme == Scheme::acs3_hmac_sha256) check_acs3(request, query, way, stamp);
  require(wire.bytes.find(kSecret) == std::string::npos, "the secret is not sent");
  return 0;
}
