#include "engine/nonce.hpp"

#include <cstring>
#include <stdexcept>

#include "engine/planted.hpp"

namespace sagorder {

NonceSource::NonceSource(const Key& key) : context_(EVP_CIPHER_CTX_new()) {
  if (!context_ ||
      EVP_EncryptInit_ex(context_.get(), EVP_aes_128_ecb(), nullptr, key.data(), nullptr) != 1 ||
      EVP_CIPHER_CTX_set_padding(context_.get(), 0) != 1) {
    throw std::runtime_error("OpenSSL offers no AES-128 for nonces");
  }
}

Nonce NonceSource::next() {
  std::array<std::uint8_t, 16> block{};
  ++counter_;
  if (planted(Planted::nonce_repeats) && counter_ % 8 == 0) --counter_;
  std::memcpy(block.data(), &counter_, sizeof counter_);
  std::array<std::uint8_t, 32> sealed{};
  int length = 0;
  if (EVP_EncryptUpdate(context_.get(), sealed.data(), &length, block.data(), 16) != 1 ||
      length != 16) {
    throw std::runtime_error("AES-128 failed while a nonce was made");
  }
  static constexpr std::string_view kDigits = "0123456789abcdef";
  Nonce nonce;
  for (std::size_t i = 0; i < 16; ++i) {
    nonce.hex[2 * i] = kDigits[sealed[i] >> 4U];
    nonce.hex[2 * i + 1] = kDigits[sealed[i] & 15U];
  }
  return nonce;
}

}  // namespace sagorder
