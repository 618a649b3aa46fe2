#include "engine/request.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <stdexcept>
#include <utility>

#include "engine/ascii.hpp"

namespace sagorder {
namespace {

constexpr std::string_view kSignatureParameter = "&Signature=";
constexpr std::uint16_t kHttpsPort = 443;
constexpr std::size_t kDigitsMax = 20;  // of a number
// Room for a row's values but its texts: flag, numbers, nonce, timestamp (twice encoded), and to
// spare.
constexpr std::size_t kValuesMax = 192;
constexpr std::size_t kQueryNamesMax = 96;  // of all parameters' names, and PREPAY

constexpr std::string_view name_of(Method method) { return method == Method::get ? "GET" : "POST"; }
constexpr std::string_view text_of(bool flag) { return flag ? "true" : "false"; }

constexpr bool is_nonce_byte(char c) { return is_letter(c) || is_digit(c); }
constexpr ByteSet kNonceBytes(is_nonce_byte);
// And what names, ports and bracketed address literals have besides.
constexpr ByteSet kHostBytes([](char c) {
  return is_nonce_byte(c) || std::string_view("-._:[]").find(c) != std::string_view::npos;
});

// Local, so that the writer of orders has them in line.
void refuse_host(std::string_view host) {
  if (host.empty() || !kHostBytes.holds_all(host)) {
    throw std::invalid_argument("a request's host is empty or has a byte that no host name has");
  }
}

// The nonce stands in a header as it is, and one that was never drawn is all zero bytes.
void refuse_nonce(const Nonce& nonce) {
  if (!kNonceBytes.holds_all(nonce.view())) {
    throw std::invalid_argument("a request's nonce was not drawn");
  }
}

void refuse_key(const AccessKey& key) {
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
  std::array<char, kDigitsMax> digits;
  const auto end = std::to_chars(digits.begin(), digits.end(), number).ptr;
  out.append(digits.data(), end);
}

// Writes into a string that has room for all of it: no look at the room for each piece.
class Pen {
 public:
  /// @param room bytes at most, and one more
  Pen(std::string& text, std::size_t room) : text_(text) {
    if (text_.capacity() < room) text_.reserve(2 * room);  // once for all rows
    text_.resize(room);
    at_ = text_.data();
  }
  ~Pen() { text_.resize(static_cast<std::size_t>(at_ - text_.data())); }
  Pen(const Pen&) = delete;
  Pen& operator=(const Pen&) = delete;

  [[nodiscard]] const char* at() const { return at_; }
  Pen& operator<<(std::string_view text) {
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
    return *this;
  }
  Pen& operator<<(std::unsigned_integral auto number) {
    at_ = std::to_chars(at_, at_ + kDigitsMax, number).ptr;
    return *this;
  }
  Pen& encode(std::string_view text) {
    at_ = write_encoded(at_, text);
    return *this;
  }

 private:
  std::string& text_;
  char* at_;
};

// HMAC-SHA1 needs its parameters twice: encoded for the wire, and that encoded again for the
// string to sign. Both are written side by side, what is the same for all rows from pieces.
struct Piece {
  explicit Piece(std::string_view query) : once(query), twice(encoded(query)) {}
  std::string once;
  std::string twice;
};

class TwiceEncoded {
 public:
  TwiceEncoded(Pen& once, Pen& twice) : once_(once), twice_(twice) {}
  TwiceEncoded& operator<<(const Piece& piece) {
    once_ << piece.once;
    twice_ << piece.twice;
    return *this;
  }
  TwiceEncoded& operator<<(std::string_view value) {
    const char* const begin = once_.at();
    once_.encode(value);
    twice_.encode(std::string_view(begin, static_cast<std::size_t>(once_.at() - begin)));
    return *this;
  }
  TwiceEncoded& operator<<(std::unsigned_integral auto number) {
    once_ << number;
    twice_ << number;  // digits encode to themselves
    return *this;
  }
  /// Text that encodes to itself.
  TwiceEncoded& plain(std::string_view text) {
    once_ << text;
    twice_ << text;
    return *this;
  }
  TwiceEncoded& operator<<(const Timestamp& timestamp) {
    const std::string_view text(timestamp.data(), timestamp.size());
    const std::string_view to_hour = text.substr(0, 13);
    const std::string_view minute = text.substr(14, 2);
    const std::string_view second_and_zone = text.substr(17);
    once_ << to_hour << "%3A" << minute << "%3A" << second_and_zone;
    twice_ << to_hour << "%253A" << minute << "%253A" << second_and_zone;
    return *this;
  }

 private:
  Pen& once_;
  Pen& twice_;
};

// All parameters in the order of their names' bytes, cut where a row's values go.
struct RpcPieces {
  RpcPieces(Method method, const AccessKey& key)
      : begin(joined({"AccessKeyId=", encoded(key.id), "&Action=", kAction, "&AutoPay="})),
        token(key.security_token.empty()
                  ? ""
                  : joined({"&SecurityToken=", encoded(key.security_token.reveal())})),
        string_to_sign_begin(joined({name_of(method), "&%2F&"})),
        head_begin(method == Method::get ? "GET /?" : "POST / HTTP/1.1\r\nhost: ") {
    for (const Piece* piece : {&begin, &charge_type, &format, &region, &resource_group, &token,
                               &this->method, &version, &user_count, &end}) {
      size += piece->once.size();
      size_twice += piece->twice.size();
    }
    size_twice += string_to_sign_begin.size();
  }

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
  std::size_t size = 0;        // of all pieces
  std::size_t size_twice = 0;  // of all pieces twice encoded, and what stands before them
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
    for (const std::string* text : {&canonical_begin, &canonical_host, &canonical_action,
                                    &canonical_token, &canonical_nonce, &canonical_end}) {
      canonical_size += text->size();
    }
    for (const std::string* text :
         {&wire_begin, &wire_host, &wire_middle, &wire_nonce, &wire_authorization}) {
      wire_size += text->size();
    }
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

  std::size_t canonical_size = 0;  // of all its pieces
  std::size_t wire_size = 0;       // likewise
};

void write_query(Pen& out, const Order& order) {
  out << "AutoPay=" << text_of(order.auto_pay) << "&ChargeType=" << kChargeTypePrepay
      << "&DataPlan=" << order.data_plan << "&Period=" << order.period << "&RegionId=";
  out.encode(order.region_id);
  if (!order.resource_group_id.empty()) {
    (out << "&ResourceGroupId=").encode(order.resource_group_id);
  }
  out << "&UserCount=" << order.user_count;
}

void write_acs3(const Acs3Pieces& pieces, const Signer& signer, const Order& order,
                std::string_view host, const Stamp& stamp, WireBuffer& out) {
  const std::size_t texts = order.region_id.size() + order.resource_group_id.size();
  const std::size_t query_max = kQueryNamesMax + kValuesMax + 3 * texts;
  const Timestamp timestamp = timestamp_of(stamp.at);
  const std::string_view at(timestamp.data(), timestamp.size());
  std::string_view query;
  {
    Pen canonical(out.stages.canonical, pieces.canonical_size + query_max + host.size());
    canonical << pieces.canonical_begin;
    const char* const begin = canonical.at();
    write_query(canonical, order);
    query = {begin, static_cast<std::size_t>(canonical.at() - begin)};
    canonical << pieces.canonical_host << host << pieces.canonical_action << at
              << pieces.canonical_token << pieces.canonical_nonce << stamp.nonce.view()
              << pieces.canonical_end;
  }
  signer.seal(out.stages);
  const std::string& signature = out.stages.signature;
  Pen wire(out.bytes,
           pieces.wire_size + query.size() + host.size() + signature.size() + kValuesMax);
  wire << pieces.wire_begin << query << pieces.wire_host << host << pieces.wire_middle << at
       << pieces.wire_nonce << stamp.nonce.view() << pieces.wire_authorization << signature
       << "\r\n\r\n";
}

void lay_out_rpc(const RpcPieces& pieces, const Order& order, const Stamp& stamp,
                 SignatureStages& stages) {
  const std::size_t texts = order.region_id.size() + order.resource_group_id.size();
  Pen canonical(stages.canonical, pieces.size + kValuesMax + 3 * texts);
  Pen string_to_sign(stages.string_to_sign, pieces.size_twice + kValuesMax + 5 * texts);
  string_to_sign << pieces.string_to_sign_begin;
  TwiceEncoded query(canonical, string_to_sign);
  (query << pieces.begin).plain(text_of(order.auto_pay));
  query << pieces.charge_type << order.data_plan << pieces.format << order.period << pieces.region
        << order.region_id;
  if (!order.resource_group_id.empty()) {
    query << pieces.resource_group << order.resource_group_id;
  }
  (query << pieces.token << pieces.method).plain(stamp.nonce.view());
  query << pieces.version << timestamp_of(stamp.at) << pieces.user_count << order.user_count
        << pieces.end;
}

// How long Base64 text becomes: '+', '/' and '=' take three bytes each.
std::size_t encoded_size(std::string_view base64) {
  std::size_t reserved = 0;
  for (const char c : base64) reserved += c == '+' || c == '/' || c == '=' ? 1 : 0;
  return base64.size() + 2 * reserved;
}

void write_rpc(const RpcPieces& pieces, const Signer& signer, Method method, const Order& order,
               std::string_view host, const Stamp& stamp, WireBuffer& out) {
  lay_out_rpc(pieces, order, stamp, out.stages);
  signer.seal(out.stages);
  const std::string& query = out.stages.canonical;
  const std::string& signature = out.stages.signature;
  const std::size_t body = query.size() + kSignatureParameter.size() + encoded_size(signature);
  Pen wire(out.bytes,
           pieces.head_begin.size() + host.size() + pieces.head_end.size() + body + kValuesMax);
  wire << pieces.head_begin;
  if (method == Method::get) {
    (wire << query << kSignatureParameter).encode(signature);
    wire << " HTTP/1.1\r\nhost: " << host << pieces.head_end << "\r\n";
  } else {
    wire << host << pieces.head_end
         << "content-type: application/x-www-form-urlencoded\r\ncontent-length: " << body
         << "\r\n\r\n";
    (wire << query << kSignatureParameter).encode(signature);
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

void check_host(std::string_view host) { refuse_host(host); }
void check_nonce(const Nonce& nonce) { refuse_nonce(nonce); }
void check_key(const AccessKey& key) { refuse_key(key); }

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
        rpc(method_of, key),
        acs3(method_of, key),
        signer(make_signer(scheme_of, key.secret,
                           joined({rpc.string_to_sign_begin, rpc.begin.twice}))) {}

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
  RpcPieces rpc;
  Acs3Pieces acs3;
  std::unique_ptr<const Signer> signer;
};

RequestWriter::RequestWriter(Scheme scheme, Method method, const AccessKey& key) {
  refuse_key(key);
  prepared_ = std::make_unique<const Prepared>(scheme, method, key);
}
RequestWriter::~RequestWriter() = default;
RequestWriter::RequestWriter(RequestWriter&&) noexcept = default;
RequestWriter& RequestWriter::operator=(RequestWriter&&) noexcept = default;

void RequestWriter::write(const Order& order, std::string_view host, const Stamp& stamp,
                          WireBuffer& out) const {
  refuse_host(host);
  refuse_nonce(stamp.nonce);
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
