#include "engine/evidence.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <functional>
#include <utility>

#include "engine/ascii.hpp"
#include "engine/planted.hpp"
#include "engine/signing.hpp"

namespace sagorder {
namespace {

// A character of UTF-8 text, or a byte that belongs to none.
struct Character {
  std::uint32_t code = 0;
  std::size_t size = 0;  // bytes; 0: invalid
  bool cut = false;      // invalid only because the text ends too early
};

Character character_at(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4) return {};
  std::uint32_t code = lead & (0x7FU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if (i == text.size()) return {0, 0, true};
    if ((byte(i) & 0xC0U) != 0x80U) return {};
    code = code << 6U | (byte(i) & 0x3FU);
  }
  constexpr std::array<std::uint32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kSmallest[size] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return {};
  return {code, size};
}

// Control characters, and those that reorder or break lines: nothing a terminal should act on.
constexpr bool unprintable(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x2028 || code == 0x2029 ||
         (code >= 0x200E && code <= 0x200F) || (code >= 0x202A && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069);
}

std::size_t find_ignoring_case(std::string_view text, std::string_view what, std::size_t from) {
  const auto begin = text.begin() + static_cast<std::ptrdiff_t>(std::min(from, text.size()));
  const auto found = std::search(begin, text.end(), what.begin(), what.end(),
                                 [](char x, char y) { return lower(x) == lower(y); });
  if (found == text.end()) return std::string_view::npos;
  return static_cast<std::size_t>(found - text.begin());
}

// On a wrong signature the server echoes what it signed, AccessKeyId and token in it.
void cut_string_to_sign(std::string& text) {
  constexpr std::array<std::string_view, 4> kMarkers = {"string to sign", "stringtosign",
                                                        "canonical request", "canonicalrequest"};
  std::size_t cut = text.size();
  for (const std::string_view marker : kMarkers) {
    const std::size_t at = find_ignoring_case(text, marker, 0);
    if (at != std::string::npos) cut = std::min(cut, at + marker.size());
  }
  if (cut == text.size()) return;
  text.resize(cut);
  text.append(" ***");
}

// Where the value begins that a name ending at `at` is given: after quotes and one of `=`, `:`, an
// encoding of them, or the end of an XML tag. npos: no value follows.
std::size_t value_after(std::string_view text, std::size_t at) {
  const auto skip = [&](std::string_view any) {
    while (at < text.size() && any.find(text[at]) != std::string_view::npos) ++at;
  };
  skip("\\\"' ");
  constexpr std::array<std::string_view, 8> kAssigns = {"=",   ":",   ">",     "u003D",
                                                        "%3D", "%3A", "%253D", "%253A"};
  for (const std::string_view assign : kAssigns) {
    if (!equal_ignoring_case(text.substr(at, assign.size()), assign)) continue;
    at += assign.size();
    skip("\\\"' ");
    return at;
  }
  return std::string_view::npos;
}

std::size_t value_end(std::string_view text, std::size_t begin) {
  const std::size_t end = std::min(text.find_first_of("&\"'<>,;\\ ", begin), text.size());
  return std::min(find_ignoring_case(text, "%26", begin), end);
}

void hide_values(std::string& text) {
  constexpr std::array<std::string_view, 5> kNames = {"AccessKeyId", "SecurityToken",
                                                      "security-token", "Credential", "Signature"};
  for (const std::string_view name : kNames) {
    std::size_t at = 0;
    while ((at = find_ignoring_case(text, name, at)) != std::string::npos) {
      at += name.size();
      const std::size_t begin = value_after(text, at);
      if (begin == std::string::npos) continue;
      const std::size_t end = value_end(text, begin);
      if (end != begin) text.replace(begin, end - begin, "***");
      at = begin;
    }
  }
}

// Whether `text` begins with the JSON escape `\uXXXX` of `c`.
bool is_numbered(std::string_view text, char c) {
  if (text.size() < 6 || text[1] != 'u') return false;
  unsigned code = 0;
  const auto [end, error] = std::from_chars(text.data() + 2, text.data() + 6, code, 16);
  return error == std::errc() && end == text.data() + 6 && code == static_cast<unsigned char>(c);
}

// Bytes of the JSON escape for `c` that `text` begins with: `\/`, `\u003d`. 0: it begins with none.
std::size_t escape_size(std::string_view text, char c) {
  if (text.size() < 2 || text[0] != '\\') return 0;
  if (is_numbered(text, c)) return 6;  // first, or a `u` would take the `\u` of its own number
  return text[1] == c ? 2 : 0;
}

// Bytes of `value` that `text` begins with, escapes included. 0: it begins otherwise.
std::size_t value_size(std::string_view text, std::string_view value) {
  if (text.starts_with(value)) return value.size();
  std::size_t size = 0;
  for (const char c : value) {
    const std::string_view rest = text.substr(size);
    // The escape first: of `\\`, a backslash of the value is both bytes.
    const std::size_t escape = escape_size(rest, c);
    const std::size_t step = escape > 0 ? escape : rest.starts_with(c) ? 1 : 0;
    if (step == 0) return 0;
    size += step;
  }
  return size;
}

}  // namespace

void append_printable(std::string& out, std::string_view text, std::size_t most,
                      std::string_view control) {
  text = text.substr(0, most);
  while (!text.empty()) {
    const Character character = character_at(text);
    if (character.cut) return;
    const std::size_t size = std::max<std::size_t>(character.size, 1);
    if (character.size == 0) {
      out.append("\xEF\xBF\xBD");  // U+FFFD
    } else if (is_space(text[0])) {
      out += ' ';
    } else if (unprintable(character.code)) {
      out.append(control);
    } else {
      out.append(text.substr(0, size));
    }
    text.remove_prefix(size);
  }
}

void redact(std::string& text) {
  cut_string_to_sign(text);
  hide_values(text);
}

HiddenValues::HiddenValues(std::vector<Secret> values) {
  for (Secret& form : values) {
    if (form.reveal().size() < kHiddenMin) continue;
    for (int times = 0; times <= 2; ++times) {
      std::string encoded;
      append_encoded(encoded, form.reveal());
      const bool same = encoded == form.reveal();
      forms_.push_back(std::exchange(form, Secret(std::move(encoded))));
      if (same) break;
    }
  }
  std::ranges::sort(forms_, std::ranges::greater(),
                    [](const Secret& form) { return form.reveal().size(); });
}

void HiddenValues::append(std::string& out, std::string_view text, std::size_t most) const {
  const auto stands_in = [text](const Secret& form) {
    return text.find(form.reveal()) != std::string_view::npos;
  };
  const bool escaped = text.find('\\') != std::string_view::npos;
  if (!escaped && std::ranges::none_of(forms_, stands_in)) {
    out.append(text.substr(0, most));
    return;
  }
  const std::size_t end = out.size() + most;
  while (!text.empty() && out.size() < end) {
    std::size_t size = 0;
    for (const Secret& form : forms_) {
      if (planted(Planted::secret_in_evidence)) break;
      size = value_size(text, form.reveal());
      if (size > 0) break;
    }
    out.append(size > 0 ? "***" : text.substr(0, 1));
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
}

}  // namespace sagorder
