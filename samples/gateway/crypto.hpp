// The three sums the signatures are made of, over OpenSSL's EVP interface. Each object fetches its
// algorithm once and is reused, because a fetch costs more than the hash of a short text. Not
// thread safe: one loop owns each object. Failures of the library throw std::runtime_error.
#pragma once

#include <openssl/evp.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>

namespace gateway {

using Sha256Bytes = std::array<unsigned char, 32>;

class Sha256 {
 public:
  Sha256();
  Sha256Bytes operator()(std::string_view bytes);

 private:
  std::unique_ptr<EVP_MD, decltype(&EVP_MD_free)> algorithm_;
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

// An HMAC whose key is prepared once.
class Hmac {
 public:
  // `digest` is OpenSSL's name: "SHA1" or "SHA256".
  Hmac(const char* digest, std::string_view key);
  // The mac of `text`; valid until the next call.
  std::string_view operator()(std::string_view text);

 private:
  std::unique_ptr<EVP_MAC_CTX, decltype(&EVP_MAC_CTX_free)> context_;
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac_{};
};

void append_hex(std::string_view bytes, std::string& out);
void append_base64(std::string_view bytes, std::string& out);
std::string_view as_text(const Sha256Bytes& bytes);

// Compares in a time that depends on the lengths only.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace gateway
