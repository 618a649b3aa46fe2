#include "engine/request.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <utility>

namespace sagorder {
namespace {

constexpr std::string_view kUserAgent = "sagorder/0.1.0";
constexpr std::string_view kHashOfNothing =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr std::string_view kSignatureParameter = "&Signature=";
constexpr std::uint16_t kHttpsPort = 443;

constexpr std::string_view name_of(Method method) { return method == Method::get ? "GET" : "POST"; }
constexpr std::string_view text_of(bool flag) { return flag ? "true" : "false"; }

// Letters and digits, and what names, ports and bracketed address literals have besides.
constexpr std::array<bool, 256> kHostBytes = [] {
  std::array<bool, 256> table{};
  constexpr std::string_view kBytes =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:[]";
  for (const char c : kBytes) table[static_cast<unsigned char>(c)] = true;
  return table;
}();

void check_host(std::string_view host) {
  const bool fine =
      std::ranges::all_of(host, [](char c) { return kHostBytes[static_cast<unsigned char>(c)]; });
  if (host.empty() || !fine) {
    throw std::invalid_argument("a request's host is empty or has a byte that no host name has");
  }
}

// The nonce stands in a header as it is, and one that was never drawn is all zero bytes.
void check_nonce(const Nonce& nonce) {
  const auto alphanumeric = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  if (!std::ranges::all_of(nonce.hex, alphanumeric)) {
    throw std::invalid_argument("a request's nonce was not drawn");
  }
}

void check_key(const AccessKey& key) {
  const auto visible = [](char c) { return c > ' ' && c < 0x7f; };
  if (!std::ranges::all_of(key.id, [&](char c) { return visible(c) && c != ','; })) {
    throw std::invalid_argument("the AccessKey id has a space, a comma or an unprintable byte");
  }
  const std::string_view token = key.security_token.reveal();
  if (!std::ranges::all_of(token, [&](char c) { return visible(c) || c == ' '; })) {
    throw std::invalid_argument("the security token has an unprintable byte");
  }
  if (token.starts_with(' ') || token.ends_with(' ')) {
    throw std::invalid_argument("the security token begins or ends with a space");
  }
}

std::string joined(std::initializer_list<std::string_view> parts) {
  std::size_t size = 0;
  for (const std::string_view part : parts) size += part.size();
  std::string out;
  out.reserve(size);
  for (const std::string_view part : parts) out.append(part);
  return out;
}

std::string encoded(std::string_view text) {
  std::string out;
  append_encoded(out, text);
  return out;
}

void append_number(std::string& out, std::unsigned_integral auto number) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.begin(), digits.end(), number).ptr;
  out.append(digits.data(), end);
}

// HMAC-SHA1 needs its parameters twice: encoded for the wire, and that encoded again for the
// string to sign. Both are written side by side, what is the same for all rows from pieces.
struct Piece {
  explicit Piece(std::string_view query) : once(query), twice(encoded(query)) {}
  std::string once;
  std::string twice;
};

class TwiceEncoded {
 public:
  TwiceEncoded(std::string& once, std::string& twice) : once_(once), twice_(twice) {}
  TwiceEncoded& operator<<(const Piece& piece) {
    once_ += piece.once;
    twice_ += piece.twice;
    return *this;
  }
  TwiceEncoded& operator<<(std::string_view value) {
    const std::size_t begin = once_.size();
    append_encoded(once_, value);
    append_encoded(twice_, std::string_view(once_).substr(begin));
    return *this;
  }
  TwiceEncoded& operator<<(std::unsigned_integral auto number) {
    const std::size_t begin = once_.size();
    append_number(once_, number);
    twice_.append(once_, begin);  // digits encode to themselves
    return *this;
  }
  TwiceEncoded& operator<<(const Nonce& nonce) {
    once_.append(nonce.view());
    twice_.append(nonce.view());  // so do hex digits
    return *this;
  }

 private:
  std::string& once_;
  std::string& twice_;
};

// All parameters in the order of their names' bytes, cut where a row's values go.
struct RpcPieces {
  RpcPieces(Method method, const AccessKey& key)
      : begin(joined({"AccessKeyId=", encoded(key.id), "&Action=", kAction, "&AutoPay="})),
        token(key.security_token.empty()
                  ? ""
                  : joined({"&SecurityToken=", encoded(key.security_token.reveal())})),
        string_to_sign_begin(joined({name_of(method), "&%2F&"})),
        head_begin(method == Method::get ? "GET /?" : "POST / HTTP/1.1\r\nhost: ") {}

  Piece begin;
  Piece charge_type{joined({"&ChargeType=", kChargeTypePrepay, "&DataPlan="})};
  Piece format{"&Format=JSON&Period="};
  Piece region{"&RegionId="};
  Piece resource_group{"&ResourceGroupId="};
  Piece token;
  Piece method{"&SignatureMethod=HMAC-SHA1&SignatureNonce="};
  Piece version{"&SignatureVersion=1.0&Timestamp="};
  Piece user_count{"&UserCount="};
  Piece end{joined({"&Version=", kVersion})};

  std::string string_to_sign_begin;
  std::string head_begin;
  std::string head_end =
      joined({"\r\naccept: application/json\r\nuser-agent: ", kUserAgent, "\r\n"});
};

// The canonical request and the wire's header, cut where a row's values go.
struct Acs3Pieces {
  Acs3Pieces(Method method, const AccessKey& key) {
    const std::string_view token = key.security_token.reveal();
    const std::string signed_names = joined({"host;x-acs-action;x-acs-content-sha256;x-acs-date;",
                                             token.empty() ? "" : "x-acs-security-token;",
                                             "x-acs-signature-nonce;", "x-acs-version"});

    canonical_begin = joined({name_of(method), "\n/\n"});
    if (!token.empty()) canonical_token = joined({"\nx-acs-security-token:", token});
    canonical_end =
        joined({"\nx-acs-version:", kVersion, "\n\n", signed_names, "\n", kHashOfNothing});

    wire_begin = joined({name_of(method), " /?"});
    wire_middle = joined({"\r\nx-acs-action: ", kAction,                 //
                          "\r\nx-acs-version: ", kVersion,               //
                          "\r\nx-acs-content-sha256: ", kHashOfNothing,  //
                          token.empty() ? "" : "\r\nx-acs-security-token: ", token,
                          "\r\naccept: application/json",                        //
                          "\r\nuser-agent: ", kUserAgent,                        //
                          method == Method::get ? "" : "\r\ncontent-length: 0",  //
                          "\r\nx-acs-date: "});
    wire_authorization = joined({"\r\nauthorization: ACS3-HMAC-SHA256 Credential=", key.id,
                                 ",SignedHeaders=", signed_names, ",Signature="});
  }

  std::string canonical_begin;
  std::string canonical_host = "\nhost:";
  std::string canonical_action = joined(
      {"\nx-acs-action:", kAction, "\nx-acs-content-sha256:", kHashOfNothing, "\nx-acs-date:"});
  std::string canonical_token;
  std::string canonical_nonce = "\nx-acs-signature-nonce:";
  std::string canonical_end;

  std::string wire_begin;
  std::string wire_host = " HTTP/1.1\r\nhost: ";
  std::string wire_middle;
  std::string wire_nonce = "\r\nx-acs-signature-nonce: ";
  std::string wire_authorization;
};

void append_query(std::string& out, const Order& order) {
  out.append("AutoPay=").append(text_of(order.auto_pay));
  out.append("&ChargeType=").append(kChargeTypePrepay).append("&DataPlan=");
  append_number(out, order.data_plan);
  out.append("&Period=");
  append_number(out, order.period);
  out.append("&RegionId=");
  append_encoded(out, order.region_id);
  if (!order.resource_group_id.empty()) {
    out.append("&ResourceGroupId=");
    append_encoded(out, order.resource_group_id);
  }
  out.append("&UserCount=");
  append_number(out, order.user_count);
}

void write_acs3(const Acs3Pieces& pieces, const Signer& signer, const Order& order,
                std::string_view host, const Stamp& stamp, WireBuffer& out) {
  std::string& canonical = out.stages.canonical;
  canonical = pieces.canonical_begin;
  const std::size_t query_begin = canonical.size();
  append_query(canonical, order);
  const std::size_t query_size = canonical.size() - query_begin;
  canonical.append(pieces.canonical_host).append(host).append(pieces.canonical_action);
  const Timestamp timestamp = timestamp_of(stamp.at);
  canonical.append(timestamp.data(), timestamp.size());
  canonical.append(pieces.canonical_token).append(pieces.canonical_nonce);
  canonical.append(stamp.nonce.view()).append(pieces.canonical_end);
  signer.seal(out.stages);

  const std::string_view query = std::string_view(canonical).substr(query_begin, query_size);
  std::string& wire = out.bytes;
  wire = pieces.wire_begin;
  wire.append(query).append(pieces.wire_host).append(host);
  wire.append(pieces.wire_middle).append(timestamp.data(), timestamp.size());
  wire.append(pieces.wire_nonce).append(stamp.nonce.view());
  wire.append(pieces.wire_authorization).append(out.stages.signature).append("\r\n\r\n");
}

void lay_out_rpc(const RpcPieces& pieces, const Order& order, const Stamp& stamp,
                 SignatureStages& stages) {
  const Timestamp timestamp = timestamp_of(stamp.at);
  stages.canonical.clear();
  stages.string_to_sign = pieces.string_to_sign_begin;
  TwiceEncoded query(stages.canonical, stages.string_to_sign);
  query << pieces.begin << text_of(order.auto_pay) << pieces.charge_type << order.data_plan
        << pieces.format << order.period << pieces.region << order.region_id;
  if (!order.resource_group_id.empty()) {
    query << pieces.resource_group << order.resource_group_id;
  }
  query << pieces.token << pieces.method << stamp.nonce << pieces.version
        << std::string_view(timestamp.data(), timestamp.size()) << pieces.user_count
        << order.user_count << pieces.end;
}

// How long Base64 text becomes: '+', '/' and '=' take three bytes each.
std::size_t encoded_size(std::string_view base64) {
  const auto reserved =
      std::ranges::count_if(base64, [](char c) { return c == '+' || c == '/' || c == '='; });
  return base64.size() + 2 * static_cast<std::size_t>(reserved);
}

void write_rpc(const RpcPieces& pieces, const Signer& signer, Method method, const Order& order,
               std::string_view host, const Stamp& stamp, WireBuffer& out) {
  lay_out_rpc(pieces, order, stamp, out.stages);
  signer.seal(out.stages);
  const std::string& query = out.stages.canonical;
  const std::string& signature = out.stages.signature;
  std::string& wire = out.bytes;
  wire = pieces.head_begin;
  if (method == Method::get) {
    wire.append(query).append(kSignatureParameter);
    append_encoded(wire, signature);
    wire.append(" HTTP/1.1\r\nhost: ").append(host).append(pieces.head_end).append("\r\n");
  } else {
    wire.append(host).append(pieces.head_end);
    wire.append("content-type: application/x-www-form-urlencoded\r\ncontent-length: ");
    append_number(wire, query.size() + kSignatureParameter.size() + encoded_size(signature));
    wire.append("\r\n\r\n").append(query).append(kSignatureParameter);
    append_encoded(wire, signature);
  }
}

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size()) {
    text.replace(at, what.size(), with);
  }
}

// Each line two spaces in; the wire's CR goes.
void append_indented(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const std::string_view whole = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(whole.size() + 1, text.size()));
    const std::string_view line = whole.substr(0, whole.find('\r'));
    if (!line.empty()) out.append("  ").append(line);
    out += '\n';
  }
}

}  // namespace

std::string host_header(const Endpoint& endpoint) {
  const bool literal = endpoint.host.find(':') != std::string::npos;
  const bool bare = literal && !endpoint.host.starts_with('[');
  std::string out = joined({bare ? "[" : "", endpoint.host, bare ? "]" : ""});
  if (endpoint.port != kHttpsPort) {
    out += ':';
    append_number(out, endpoint.port);
  }
  return out;
}

Endpoint default_endpoint(std::string_view region_id) {
  return {joined({"smartag.", region_id, ".aliyuncs.com"}), kHttpsPort};
}

struct RequestWriter::Prepared {
  Prepared(Scheme scheme_of, Method method_of, const AccessKey& key)
      : scheme(scheme_of),
        method(method_of),
        secret(key.secret),
        security_token(key.security_token),
        signer(make_signer(scheme_of, key.secret)),
        rpc(method_of, key),
        acs3(method_of, key) {}

  // A security token is as good as a password while it lives.
  ~Prepared() {
    for (std::string* text :
         {&rpc.token.once, &rpc.token.twice, &acs3.canonical_token, &acs3.wire_middle}) {
      OPENSSL_cleanse(text->data(), text->size());
    }
  }

  Scheme scheme;
  Method method;
  Secret secret;
  Secret security_token;
  std::unique_ptr<const Signer> signer;
  RpcPieces rpc;
  Acs3Pieces acs3;
};

RequestWriter::RequestWriter(Scheme scheme, Method method, const AccessKey& key) {
  check_key(key);
  prepared_ = std::make_unique<const Prepared>(scheme, method, key);
}
RequestWriter::~RequestWriter() = default;
RequestWriter::RequestWriter(RequestWriter&&) noexcept = default;
RequestWriter& RequestWriter::operator=(RequestWriter&&) noexcept = default;

void RequestWriter::write(const Order& order, std::string_view host, const Stamp& stamp,
                          WireBuffer& out) const {
  check_host(host);
  check_nonce(stamp.nonce);
  const Prepared& p = *prepared_;
  if (p.scheme == Scheme::hmac_sha1) {
    write_rpc(p.rpc, *p.signer, p.method, order, host, stamp, out);
  } else {
    write_acs3(p.acs3, *p.signer, order, host, stamp, out);
  }
}

std::string RequestWriter::explain(const Order& order, std::string_view host,
                                   const Stamp& stamp) const {
  WireBuffer wire;
  write(order, host, stamp, wire);
  const bool rpc = prepared_->scheme == Scheme::hmac_sha1;
  std::string out = joined({"Row ", std::to_string(order.row.value), ", to https://", host,
                            ", signed with ", rpc ? "HMAC-SHA1" : "ACS3-HMAC-SHA256",
                            rpc ? "\n\nCanonical query\n" : "\n\nCanonical request\n"});
  append_indented(out, wire.stages.canonical);
  out += "\nString to sign\n";
  append_indented(out, wire.stages.string_to_sign);
  out += "\nRequest (*** hides secrets)\n";
  append_indented(out, wire.bytes);

  const auto hide = [&out](std::string_view name, const std::string& value) {
    replace_all(out, joined({name, value}), joined({name, "***"}));
  };
  hide("Signature=", wire.stages.signature);
  hide("Signature=", encoded(wire.stages.signature));
  if (const std::string token(prepared_->security_token.reveal()); !token.empty()) {
    hide("x-acs-security-token:", token);
    hide("x-acs-security-token: ", token);
    hide("SecurityToken=", encoded(token));
    hide("SecurityToken%3D", encoded(encoded(token)));
  }
  return out;
}

std::vector<Secret> RequestWriter::secrets() const {
  return {prepared_->secret, prepared_->security_token};
}

}  // namespace sagorder
