#include "crypto.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>

#include <stdexcept>

namespace gateway {
namespace {

const unsigned char* as_bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

void require(bool done, const char* what) {
  if (!done) throw std::runtime_error(std::string("OpenSSL failed: ") + what);
}

}  // namespace

Sha256::Sha256()
    : algorithm_(EVP_MD_fetch(nullptr, "SHA256", nullptr), &EVP_MD_free),
      context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
  require(algorithm_ && context_, "SHA256");
}

Sha256Bytes Sha256::operator()(std::string_view bytes) {
  Sha256Bytes digest;
  require(EVP_DigestInit_ex2(context_.get(), algorithm_.get(), nullptr) == 1 &&
              EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1 &&
              EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) == 1,
          "digest");
  return digest;
}

Hmac::Hmac(const char* digest, std::string_view key) : context_(nullptr, &EVP_MAC_CTX_free) {
  const std::unique_ptr<EVP_MAC, decltype(&EVP_MAC_free)> algorithm(
      EVP_MAC_fetch(nullptr, "HMAC", nullptr), &EVP_MAC_free);
  require(algorithm != nullptr, "HMAC");
  context_.reset(EVP_MAC_CTX_new(algorithm.get()));
  std::string name = digest;
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name.data(), 0),
      OSSL_PARAM_construct_end()};
  require(context_ && EVP_MAC_init(context_.get(), as_bytes(key), key.size(), parameters) == 1,
          "HMAC key");
}

std::string_view Hmac::operator()(std::string_view text) {
  std::size_t length = 0;
  // No key here: the context goes back to the one it was made with.
  require(EVP_MAC_init(context_.get(), nullptr, 0, nullptr) == 1 &&
              EVP_MAC_update(context_.get(), as_bytes(text), text.size()) == 1 &&
              EVP_MAC_final(context_.get(), mac_.data(), &length, mac_.size()) == 1,
          "HMAC");
  return {reinterpret_cast<const char*>(mac_.data()), length};
}

void append_hex(std::string_view bytes, std::string& out) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
}

void append_base64(std::string_view bytes, std::string& out) {
  const std::size_t start = out.size();
  out.resize(start + (bytes.size() + 2) / 3 * 4 + 1);  // the library adds a NUL
  const int written = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data() + start),
                                      as_bytes(bytes), static_cast<int>(bytes.size()));
  out.resize(start + static_cast<std::size_t>(written));
}

std::string_view as_text(const Sha256Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace gateway
