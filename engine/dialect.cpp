#include "engine/dialect.hpp"

#include <algorithm>
#include <array>

#include "engine/intake.hpp"

namespace sagorder {
namespace {

using csv::Delimiter;

constexpr std::array kDelimiters = {Delimiter::comma, Delimiter::semicolon, Delimiter::tab};

bool in(unsigned char byte, unsigned low, unsigned high) { return low <= byte && byte <= high; }

/// Nothing beyond ASCII but GB2312's punctuation (rows 1 to 3) and ideographs (rows 16 to 87), and
/// one of its common ones (to row 55) at least: broken UTF-8 can look like the others. The last
/// byte may be half of a character.
bool is_chinese(std::string_view bytes) {
  bool common = false;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto lead = static_cast<unsigned char>(bytes[i]);
    if (lead < 0x80) continue;
    if (++i == bytes.size()) return common;
    if (!in(lead, 0xB0, 0xF7) && !in(lead, 0xA1, 0xA3)) return false;
    if (!in(static_cast<unsigned char>(bytes[i]), 0xA1, 0xFE)) return false;
    common = common || in(lead, 0xB0, 0xD7);
  }
  return common;
}

/// But for a sequence that the end of the look cuts.
bool is_utf8(std::string_view bytes) {
  const std::size_t cut_most = bytes.size() < kDialectBytes ? 0 : 3;
  return csv::utf8_prefix(bytes) + cut_most >= bytes.size();
}

enum class Fit : std::uint8_t { no, yes, need_more };

Fit fit(std::string_view bytes, bool last, Delimiter delimiter) {
  csv::Record header;
  const csv::Result result = csv::Reader({}, delimiter).next(bytes, last, header);
  if (result.status == csv::Status::need_more) return Fit::need_more;
  if (result.status != csv::Status::record || header.fields.size() < 2) return Fit::no;
  const bool named = std::ranges::any_of(
      header.fields, [](const csv::Field& field) { return is_parameter(field.text); });
  return named ? Fit::yes : Fit::no;
}

}  // namespace

std::string_view encoding_of(std::string_view bytes) {
  using namespace std::string_view_literals;
  if (bytes.starts_with("\xFF\xFE\0\0"sv) || bytes.starts_with("\0\0\xFE\xFF"sv)) return {};
  if (bytes.starts_with("\xFF\xFE")) return "UTF-16LE";
  if (bytes.starts_with("\xFE\xFF")) return "UTF-16BE";
  if (bytes.starts_with("\x84\x31\x95\x33")) return "GB18030";
  return !is_utf8(bytes) && is_chinese(bytes) ? "GB18030" : std::string_view();
}

DelimiterSeen delimiter_of(std::string_view bytes, bool last) {
  using What = DelimiterSeen::What;
  DelimiterSeen seen;
  int fits = 0;
  for (const Delimiter delimiter : kDelimiters) {
    const Fit one = fit(bytes, last, delimiter);
    if (one == Fit::need_more) return {What::need_more, delimiter};
    if (one == Fit::yes && fits++ == 0) seen.delimiter = delimiter;
  }
  if (fits > 1) seen.what = What::ambiguous;
  return seen;
}

}  // namespace sagorder
