// SignatureNonce: 32 hex digits, unique by construction and not to be guessed.
//
// A nonce is AES-128 of a counter under a key that the driver drew at random for this process: a
// permutation, so no two are equal within a process, and across processes they are as good as
// random. Chance comes in as the key; the same key gives the same nonces, as a simulation needs.
#pragma once

#include <openssl/evp.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

namespace sagorder {

struct Nonce {
  std::array<char, 32> hex{};
  [[nodiscard]] std::string_view view() const { return {hex.data(), hex.size()}; }
  auto operator<=>(const Nonce&) const = default;
};

class NonceSource {
 public:
  using Key = std::array<std::uint8_t, 16>;
  /// Throws std::runtime_error if OpenSSL has no AES.
  explicit NonceSource(const Key& key);
  [[nodiscard]] Nonce next();

 private:
  struct Free {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
  };
  std::unique_ptr<EVP_CIPHER_CTX, Free> context_;
  std::uint64_t counter_ = 0;
};

}  // namespace sagorder
