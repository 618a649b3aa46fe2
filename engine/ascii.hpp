// ASCII letters, digits and white space, whatever the locale; other bytes are none of them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace sagorder {

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
constexpr bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) { return is_lower(lower(c)); }
constexpr bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/// A kind of bytes, as a table.
class ByteSet {
 public:
  template <class Is>
  constexpr explicit ByteSet(Is is) {
    for (std::size_t i = 0; i < holds_.size(); ++i) holds_[i] = is(static_cast<char>(i));
  }
  /// Also of none. No end before the last byte: what is asked so is nearly always true, and this
  /// way it costs least.
  [[nodiscard]] constexpr bool holds_all(std::string_view text) const {
    bool all = true;
    for (const char c : text) all &= holds_[static_cast<unsigned char>(c)];
    return all;
  }

 private:
  std::array<bool, 256> holds_{};
};

/// True for an empty text too.
inline bool is_digits(std::string_view text) {
  static constexpr ByteSet kDigits(is_digit);
  return kDigits.holds_all(text);
}

inline bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

/// Without the white space around it.
inline std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace sagorder
