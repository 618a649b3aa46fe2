// A secret: text that cannot be printed by accident and is wiped when it goes.
#pragma once

#include <openssl/crypto.h>

#include <ostream>
#include <string>
#include <string_view>
#include <utility>

namespace sagorder {

/// Holds an access key's secret or a security token. Streams and formatters see `***`;
/// `reveal()` is the one way in, to be called only where a key context is prepared or a header is
/// written.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  Secret(const Secret&) = default;
  // A move copies and wipes: a short text stays in the moved-from string itself.
  // NOLINTNEXTLINE(performance-move-constructor-init)
  Secret(Secret&& other) noexcept : text_(other.text_) { other.wipe(); }
  Secret& operator=(const Secret& other) {
    if (this != &other) {
      wipe();
      text_ = other.text_;
    }
    return *this;
  }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      wipe();
      text_ = other.text_;
      other.wipe();
    }
    return *this;
  }
  ~Secret() { wipe(); }

  [[nodiscard]] std::string_view reveal() const { return text_; }
  [[nodiscard]] bool empty() const { return text_.empty(); }

  friend std::ostream& operator<<(std::ostream& out, const Secret& /*unprinted*/) {
    return out << "***";
  }

 private:
  void wipe() noexcept {
    OPENSSL_cleanse(text_.data(), text_.size());
    text_.clear();
  }
  std::string text_;
};

/// What signs: an AccessKey and, with temporary (STS) credentials, its security token.
struct AccessKey {
  std::string id;
  Secret secret;
  Secret security_token;  ///< empty: a permanent key
};

}  // namespace sagorder
