#include "engine/wording.hpp"

#include <algorithm>
#include <array>

#include "engine/ascii.hpp"

namespace sagorder {

namespace {

constexpr std::size_t kShownBytesMax = 64;

// --- A text ---

std::string_view clipped(std::string_view text) {
  if (text.size() <= kShownBytesMax) return text;
  std::size_t size = kShownBytesMax;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) --size;
  return text.substr(0, size);
}

void append_hex(std::string& out, unsigned char byte) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += kHex[byte >> 4U];
  out += kHex[byte & 15U];
}

struct Invisible {
  std::string_view bytes;
  std::string_view shown;
};
// Spaces that look like others, marks without width, and those that turn text around.
constexpr std::array kInvisible = {
    Invisible{"\xC2\xA0", "\\u00a0"},     Invisible{"\xE3\x80\x80", "\\u3000"},
    Invisible{"\xE2\x80\x8B", "\\u200b"}, Invisible{"\xE2\x80\x8C", "\\u200c"},
    Invisible{"\xE2\x80\x8D", "\\u200d"}, Invisible{"\xE2\x80\x8E", "\\u200e"},
    Invisible{"\xE2\x80\x8F", "\\u200f"}, Invisible{"\xE2\x80\xA8", "\\u2028"},
    Invisible{"\xE2\x80\xA9", "\\u2029"}, Invisible{"\xE2\x80\xAA", "\\u202a"},
    Invisible{"\xE2\x80\xAB", "\\u202b"}, Invisible{"\xE2\x80\xAC", "\\u202c"},
    Invisible{"\xE2\x80\xAD", "\\u202d"}, Invisible{"\xE2\x80\xAE", "\\u202e"},
    Invisible{"\xE2\x81\xA0", "\\u2060"}, Invisible{"\xE2\x81\xA6", "\\u2066"},
    Invisible{"\xE2\x81\xA7", "\\u2067"}, Invisible{"\xE2\x81\xA8", "\\u2068"},
    Invisible{"\xE2\x81\xA9", "\\u2069"}, Invisible{"\xEF\xBB\xBF", "\\ufeff"}};

// Appends the first character of `text`; returns how many bytes of it were taken.
std::size_t append_shown(std::string& out, std::string_view text) {
  const auto byte = static_cast<unsigned char>(text[0]);
  const auto after = static_cast<unsigned char>(text.size() > 1 ? text[1] : '\0');
  if (byte == '\n' || byte == '\r' || byte == '\t') {
    out += byte == '\n' ? "\\n" : byte == '\r' ? "\\r" : "\\t";
    return 1;
  }
  if (byte < 0x20 || byte == 0x7F) {
    append_hex(out += "\\x", byte);
    return 1;
  }
  if (byte == 0xC2 && 0x80 <= after && after < 0xA0) {  // U+0080 to U+009F
    append_hex(out += "\\u00", after);
    return 2;
  }
  for (const Invisible& invisible : kInvisible) {
    if (!text.starts_with(invisible.bytes)) continue;
    out += invisible.shown;
    return invisible.bytes.size();
  }
  if (byte == '"' || byte == '\\') out += '\\';
  out += text[0];
  return 1;
}

// --- A name ---

// Case, spaces, '_' and '-' are no difference between names.
std::string folded(std::string_view name) {
  std::string fold;
  for (const char c : name.substr(0, 2 * kShownBytesMax)) {
    if (c != ' ' && c != '_' && c != '-') fold += lower(c);
  }
  return fold.substr(0, kShownBytesMax);
}

// Letters left out, added, replaced, or exchanged with the next: one each.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  using Line = std::array<std::size_t, kShownBytesMax + 1>;
  Line before{}, last{}, line{};
  for (std::size_t j = 0; j <= b.size(); ++j) line[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before = last;
    last = line;
    line[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      line[j] = std::min({replaced, last[j] + 1, line[j - 1] + 1});
      const bool exchanged = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (exchanged) line[j] = std::min(line[j], before[j - 2] + 1);
    }
  }
  return line[b.size()];
}

// --- A number ---

bool is_in_thousands(std::string_view text) {
  for (; text.size() >= 4; text.remove_prefix(4)) {
    if (is_digit(text[0]) || !is_digits(text.substr(1, 3))) return false;
  }
  return text.empty();
}

// Why a text with digits in front is not a whole number, and what to write instead. A number is
// suggested only where nothing else can have been meant.
std::string why_no_number(std::string_view digits, std::string_view rest) {
  std::string number(
      clipped(digits.substr(std::min(digits.find_first_not_of('0'), digits.size()))));
  const bool has_more_digits = rest.find_first_of("0123456789") != std::string_view::npos;
  std::string why = "write the number alone, in digits";
  if (rest.starts_with('.') && is_digits(rest.substr(1))) {
    why = "write a whole number, without a decimal point";
    const bool is_whole = rest == "." || rest == ".0" || rest == ".00";
    if (!is_whole) number.clear();
  } else if (has_more_digits && rest.find_first_not_of("0123456789,.'_ ") == rest.npos) {
    why = "write it without separators";
    if (!is_in_thousands(rest)) number.clear();
    for (const char c : clipped(rest)) {
      if (!number.empty() && is_digit(c)) number += c;
    }
  } else if (has_more_digits) {
    number.clear();
  }
  return number.empty() ? why : why + ", as " + number;
}

}  // namespace

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  std::string_view shown = clipped(text);
  const bool whole = shown.size() == text.size();
  while (!shown.empty()) shown.remove_prefix(append_shown(out, shown));
  return out += whole ? "\"" : "...\"";
}

std::string_view nearest(std::string_view name, std::span<const std::string_view> names,
                         std::size_t one_in) {
  const std::string fold = folded(name);
  std::string_view best;
  std::size_t best_distance = kShownBytesMax;
  for (const std::string_view candidate : names) {
    const std::string candidate_fold = folded(candidate);
    const auto [shorter, longer] = std::minmax({fold.size(), candidate_fold.size()});
    // No distance is less than the difference in length, which is known at once.
    if ((longer - shorter) * one_in > candidate_fold.size()) continue;
    const std::size_t distance = edit_distance(fold, candidate_fold);
    if (distance >= best_distance || distance * one_in > candidate_fold.size()) continue;
    best = candidate;
    best_distance = distance;
  }
  return best;
}

std::string did_you_mean(std::string_view name) {
  return name.empty() ? std::string() : "; did you mean " + std::string(name) + "?";
}

std::string why_no_number(std::string_view text) {
  const bool is_signed = text.starts_with('+') || text.starts_with('-');
  const std::string_view bare = text.substr(is_signed ? 1 : 0);
  const std::size_t count = std::min(bare.find_first_not_of("0123456789"), bare.size());
  const std::string_view digits = bare.substr(0, count);
  if (digits.empty()) return "write a whole number in digits 0 to 9";
  if (text.front() == '-') return "it must be a whole number of 1 or more";
  if (count < bare.size()) return why_no_number(digits, bare.substr(count));
  const std::size_t leading = digits.find_first_not_of('0');
  if (leading == digits.npos) return "it must be 1 or more";
  const std::string plain(clipped(digits.substr(leading)));
  if (is_signed) return "write it without a sign, as " + plain;
  if (leading > 0) return "write it without leading zeros, as " + plain;
  return "it must be at most 2147483647";
}

}  // namespace sagorder
