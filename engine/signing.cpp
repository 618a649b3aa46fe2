// Deprecated in OpenSSL 3.0, and used here on purpose: SHA1_* and SHA256_* are the only interface
// whose state is a plain struct, so an HMAC's midstates can be kept and copied. Measured for one
// HMAC-SHA1 of an order: 364 ns so, 540 ns with copied EVP_MD_CTX (each copy allocates), 1210 ns
// with EVP_MAC_init (the key is set up again each time).
#define OPENSSL_SUPPRESS_DEPRECATED
#include "engine/signing.hpp"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <span>

namespace sagorder {
namespace {

constexpr std::string_view kUpperHex = "0123456789ABCDEF";
constexpr std::string_view kLowerHex = "0123456789abcdef";
constexpr std::string_view kAcs3Algorithm = "ACS3-HMAC-SHA256";

// One byte's encoding; a copy of four bytes and a step of `length` writes it without a branch.
struct Escape {
  std::array<char, 3> text{};
  std::uint8_t length = 0;
};
static_assert(sizeof(Escape) == 4);

constexpr bool unreserved(unsigned char byte) {
  return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
         (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '.' || byte == '~';
}

constexpr std::array<Escape, 256> kEscapes = [] {
  std::array<Escape, 256> table{};
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (unreserved(static_cast<unsigned char>(i))) {
      table[i] = {{static_cast<char>(i), 0, 0}, 1};
    } else {
      table[i] = {{'%', kUpperHex[i >> 4U], kUpperHex[i & 15U]}, 3};
    }
  }
  return table;
}();

constexpr std::ptrdiff_t kGroup = 8;

// Whether each of the eight bytes encodes to itself.
bool is_unreserved(const char* bytes) {
  unsigned longest = 0;
  for (std::ptrdiff_t i = 0; i < kGroup; ++i) {
    longest |= kEscapes[static_cast<unsigned char>(bytes[i])].length;
  }
  return longest == 1;
}

char* write_each_encoded(char* at, const char* from, const char* end) {
  for (; from != end; ++from) {
    const Escape escape = kEscapes[static_cast<unsigned char>(*from)];
    std::memcpy(at, &escape, sizeof escape);  // four bytes, the last of them beyond the end
    at += escape.length;
  }
  return at;
}

struct Sha1 {
  using Context = SHA_CTX;
  static constexpr std::size_t kDigestBytes = SHA_DIGEST_LENGTH;
  static void init(Context& context) { SHA1_Init(&context); }
  static void update(Context& context, const void* bytes, std::size_t count) {
    SHA1_Update(&context, bytes, count);
  }
  static void finish(Context& context, unsigned char* digest) { SHA1_Final(digest, &context); }
};

struct Sha256 {
  using Context = SHA256_CTX;
  static constexpr std::size_t kDigestBytes = SHA256_DIGEST_LENGTH;
  static void init(Context& context) { SHA256_Init(&context); }
  static void update(Context& context, const void* bytes, std::size_t count) {
    SHA256_Update(&context, bytes, count);
  }
  static void finish(Context& context, unsigned char* digest) { SHA256_Final(digest, &context); }
};

template <class Hash>
using Digest = std::array<unsigned char, Hash::kDigestBytes>;

// An HMAC key as its two midstates: the hash after one block of key ^ ipad, and of key ^ opad. What
// all texts begin with (most of them, at least) is hashed once as well, as far as its blocks go.
template <class Hash>
class KeyContext {
 public:
  KeyContext(std::string_view key, std::string_view opening)
      : opening_(opening.substr(0, opening.size() / kBlockBytes * kBlockBytes)) {
    std::array<unsigned char, kBlockBytes> block{};
    if (key.size() > block.size()) {
      typename Hash::Context context;
      Hash::init(context);
      Hash::update(context, key.data(), key.size());
      Hash::finish(context, block.data());
    } else {
      std::copy(key.begin(), key.end(), block.begin());
    }
    begin(inner_, block, 0x36);
    begin(outer_, block, 0x5c);
    OPENSSL_cleanse(block.data(), block.size());
    opened_ = inner_;
    Hash::update(opened_, opening_.data(), opening_.size());
  }
  ~KeyContext() {
    OPENSSL_cleanse(&inner_, sizeof inner_);
    OPENSSL_cleanse(&opened_, sizeof opened_);
    OPENSSL_cleanse(&outer_, sizeof outer_);
  }
  KeyContext(const KeyContext&) = delete;
  KeyContext& operator=(const KeyContext&) = delete;

  [[nodiscard]] Digest<Hash> mac(std::string_view text) const {
    Digest<Hash> digest;
    const bool opened = text.starts_with(opening_);
    auto context = opened ? opened_ : inner_;
    if (opened) text.remove_prefix(opening_.size());
    Hash::update(context, text.data(), text.size());
    Hash::finish(context, digest.data());
    context = outer_;
    Hash::update(context, digest.data(), digest.size());
    Hash::finish(context, digest.data());
    return digest;
  }

 private:
  static constexpr std::size_t kBlockBytes = 64;  // of SHA-1 and SHA-256 alike

  static void begin(typename Hash::Context& context, std::array<unsigned char, kBlockBytes> block,
                    unsigned char pad) {
    for (unsigned char& byte : block) byte ^= pad;
    Hash::init(context);
    Hash::update(context, block.data(), block.size());
    OPENSSL_cleanse(block.data(), block.size());
  }

  std::string opening_;
  typename Hash::Context inner_;
  typename Hash::Context opened_;  // after the opening
  typename Hash::Context outer_;
};

constexpr std::array<std::array<char, 2>, 256> kHexPairs = [] {
  std::array<std::array<char, 2>, 256> table{};
  for (std::size_t i = 0; i < table.size(); ++i)
    table[i] = {kLowerHex[i >> 4U], kLowerHex[i & 15U]};
  return table;
}();

void append_hex(std::string& out, const Digest<Sha256>& digest) {
  std::array<char, 2 * Sha256::kDigestBytes> text;
  for (std::size_t i = 0; i < digest.size(); ++i) {
    std::memcpy(text.data() + 2 * i, kHexPairs[digest[i]].data(), 2);
  }
  out.append(text.data(), text.size());
}

void assign_base64(std::string& out, const Digest<Sha1>& digest) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  static_assert(Sha1::kDigestBytes % 3 == 2, "the last group has two bytes and one '='");
  std::array<char, 4 * ((Sha1::kDigestBytes + 2) / 3)> text;
  const auto put = [&text](std::size_t group, unsigned bits) {
    text[4 * group] = kDigits[bits >> 18U];
    text[4 * group + 1] = kDigits[bits >> 12U & 63U];
    text[4 * group + 2] = kDigits[bits >> 6U & 63U];
    text[4 * group + 3] = kDigits[bits & 63U];
  };
  constexpr std::size_t kWhole = Sha1::kDigestBytes / 3;
  for (std::size_t i = 0; i < kWhole; ++i) {
    const unsigned char* bytes = digest.data() + 3 * i;
    put(i, unsigned{bytes[0]} << 16U | unsigned{bytes[1]} << 8U | bytes[2]);
  }
  put(kWhole, unsigned{digest[3 * kWhole]} << 16U | unsigned{digest[3 * kWhole + 1]} << 8U);
  text.back() = '=';
  out.assign(text.data(), text.size());
}

void append_query(std::string& out, std::span<const Parameter> parameters) {
  std::size_t room = 1;
  for (const Parameter& parameter : parameters) {
    room += 3 * (parameter.name.size() + parameter.value.size()) + 2;
  }
  const std::size_t begin = out.size();
  out.resize(begin + room);
  char* end = out.data() + begin;
  for (const Parameter& parameter : parameters) {
    end = write_encoded(end, parameter.name);
    *end++ = '=';
    end = write_encoded(end, parameter.value);
    *end++ = '&';
  }
  if (!parameters.empty()) --end;
  out.resize(static_cast<std::size_t>(end - out.data()));
}

class HmacSha1Signer final : public Signer {
 public:
  HmacSha1Signer(const Secret& secret, std::string_view opening)
      : key_(with_ampersand(secret).reveal(), opening) {}

  void sign(const SigningInput& input, SignatureStages& stages) const override {
    stages.canonical.clear();
    append_query(stages.canonical, input.parameters);
    stages.string_to_sign.assign(input.method);
    stages.string_to_sign.append("&%2F&");
    append_encoded(stages.string_to_sign, stages.canonical);
    seal(stages);
  }

  void seal(SignatureStages& stages) const override {
    assign_base64(stages.signature, key_.mac(stages.string_to_sign));
  }

  [[nodiscard]] Scheme scheme() const override { return Scheme::hmac_sha1; }

 private:
  static Secret with_ampersand(const Secret& secret) {
    std::string key;
    key.reserve(secret.reveal().size() + 1);  // no copy of the secret left behind by a growth
    key.append(secret.reveal()).append("&");
    Secret made(key);
    OPENSSL_cleanse(key.data(), key.size());
    return made;
  }

  KeyContext<Sha1> key_;
};

class Acs3Signer final : public Signer {
 public:
  explicit Acs3Signer(const Secret& secret) : key_(secret.reveal(), {}) { Sha256::init(fresh_); }

  void sign(const SigningInput& input, SignatureStages& stages) const override {
    write_canonical(input, stages.canonical);
    seal(stages);
  }

  void seal(SignatureStages& stages) const override {
    Digest<Sha256> digest;
    auto context = fresh_;
    Sha256::update(context, stages.canonical.data(), stages.canonical.size());
    Sha256::finish(context, digest.data());
    stages.string_to_sign.assign(kAcs3Algorithm).append("\n");
    append_hex(stages.string_to_sign, digest);
    stages.signature.clear();
    append_hex(stages.signature, key_.mac(stages.string_to_sign));
  }

  [[nodiscard]] Scheme scheme() const override { return Scheme::acs3_hmac_sha256; }

 private:
  static void write_canonical(const SigningInput& input, std::string& out) {
    out.assign(input.method).append("\n/\n");
    append_query(out, input.parameters);
    out += '\n';
    for (const Parameter& header : input.headers) {
      out.append(header.name).append(":").append(header.value).append("\n");
    }
    for (std::size_t i = 0; i < input.headers.size(); ++i) {
      out.append(i == 0 ? "\n" : ";").append(input.headers[i].name);
    }
    if (input.headers.empty()) out += '\n';
    out += '\n';
    out.append(input.hashed_payload);
  }

  KeyContext<Sha256> key_;
  Sha256::Context fresh_;
};

Timestamp write_timestamp(std::chrono::sys_seconds at) {
  using namespace std::chrono;
  constexpr sys_seconds kFirst = sys_days{year{0} / January / 1};
  constexpr sys_seconds kLast = sys_days{year{10'000} / January / 1} - seconds{1};
  at = std::clamp(at, kFirst, kLast);
  const sys_days day = floor<days>(at);
  const year_month_day date{day};
  const hh_mm_ss time{at - day};
  Timestamp text = {'0', '0', '0', '0', '-', '0', '0', '-', '0', '0',
                    'T', '0', '0', ':', '0', '0', ':', '0', '0', 'Z'};
  const auto put = [&text](std::size_t at_byte, unsigned below_100) {
    text[at_byte] = static_cast<char>('0' + below_100 / 10);
    text[at_byte + 1] = static_cast<char>('0' + below_100 % 10);
  };
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
  put(0, year / 100);
  put(2, year % 100);
  put(5, static_cast<unsigned>(date.month()));
  put(8, static_cast<unsigned>(date.day()));
  put(11, static_cast<unsigned>(time.hours().count()));
  put(14, static_cast<unsigned>(time.minutes().count()));
  put(17, static_cast<unsigned>(time.seconds().count()));
  return text;
}

}  // namespace

char* write_encoded(char* at, std::string_view text) {
  const char* from = text.data();
  const char* const end = from + text.size();
  // Most text encodes to itself, and eight bytes at a time are quicker than one.
  for (; end - from >= kGroup; from += kGroup) {
    if (is_unreserved(from)) {
      std::memcpy(at, from, kGroup);
      at += kGroup;
    } else {
      at = write_each_encoded(at, from, from + kGroup);
    }
  }
  return write_each_encoded(at, from, end);
}

void append_encoded(std::string& out, std::string_view text) {
  const std::size_t begin = out.size();
  out.resize(begin + 3 * text.size() + 1);
  const char* end = write_encoded(out.data() + begin, text);
  out.resize(static_cast<std::size_t>(end - out.data()));
}

Timestamp timestamp_of(WallTime at) {
  struct Written {
    std::chrono::sys_seconds second;
    Timestamp text;
  };
  // Nearly every one is of the same second as the one before.
  thread_local constinit Written last{std::chrono::sys_seconds::min(), {}};
  const auto second = std::chrono::floor<seconds>(at);
  if (second != last.second) last = {second, write_timestamp(second)};
  return last.text;
}

void append_timestamp(std::string& out, WallTime at) {
  const Timestamp text = timestamp_of(at);
  out.append(text.data(), text.size());
}

std::unique_ptr<const Signer> make_signer(Scheme scheme, const Secret& secret,
                                          std::string_view opening) {
  if (scheme == Scheme::hmac_sha1) return std::make_unique<HmacSha1Signer>(secret, opening);
  return std::make_unique<Acs3Signer>(secret);
}

}  // namespace sagorder
