// How "any chunking gives the same records" is kept: a record is judged byte by byte from its
// start, an answer that needs a byte not there yet is "need more", and a limit is overstepped at
// the same byte whether the bytes behind it have come or not. UTF-8 is checked over what lies
// before the byte that settles the record, good or bad, so the first fault is always the one named.
#include "engine/csv.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>

namespace sagorder::csv {

namespace {

constexpr std::string_view kBom = "\xEF\xBB\xBF";
constexpr std::string_view kZipHead = "PK\x03\x04";

constexpr std::string_view kUtf16 =
    "the file is UTF-16 or UTF-32; name that with --encoding, or save it as UTF-8";
constexpr std::string_view kNul =
    "a NUL byte; the file is damaged, no text, or UTF-16 without a byte order mark: for that say "
    "--encoding UTF-16LE or UTF-16BE";
constexpr std::string_view kUtf8 =
    "not valid UTF-8; name the file's encoding, such as --encoding GB18030 (Chinese) or "
    "WINDOWS-1252 (Western European), or save it as UTF-8";
constexpr std::string_view kZip =
    "an Excel workbook or a ZIP archive; save its sheet as CSV (UTF-8), and give that file";
constexpr std::string_view kBareCr =
    "a carriage return without a line feed; end lines with LF or CRLF, or quote the field";
constexpr std::string_view kQuoteInside =
    "a quote inside an unquoted field; quote the whole field and double the quotes inside it";
constexpr std::string_view kTextAfterQuote =
    "text after a closing quote; end the field there, or double the quotes inside it";
constexpr std::string_view kUnclosed =
    "this quote is never closed; add the closing quote, or remove this one";
constexpr std::string_view kFieldTooLong =
    "the field is too long; shorten it to at most 8192 bytes";
constexpr std::string_view kQuotedTooLong =
    "the quoted field is too long; close its quote, or shorten it to at most 8192 bytes";
constexpr std::string_view kRecordTooLong =
    "the record is too long; shorten it to at most 65536 bytes, and see that its quotes close";
constexpr std::string_view kTooManyColumns = "the record has too many columns; keep at most 256";
constexpr std::string_view kTooManyBlanks = "more than 65536 bytes of empty lines; remove them";

// Bytes that end the run of an unquoted field's text, for good or bad.
template <char Delimiter>
constexpr std::array<bool, 256> kStops = [] {
  std::array<bool, 256> stops{};
  for (const char c : {Delimiter, '"', '\r', '\n', '\0'})
    stops[static_cast<unsigned char>(c)] = true;
  return stops;
}();

template <char Delimiter>
const char* find_stop(const char* at, const char* end) {
  while (at != end && !kStops<Delimiter>[static_cast<unsigned char>(*at)]) ++at;
  return at;
}

std::string_view between(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

bool is_utf8(std::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

enum class Next : std::uint8_t { field, record, need_more, bad };

// One record, from its first byte on.
template <char Delimiter>
class Parse {
 public:
  Parse(std::string_view bytes, bool last, const Limits& limits, std::uint64_t line, Record& record)
      : begin_(bytes.data()),
        end_(begin_ + bytes.size()),
        at_(begin_),
        line_begin_(begin_),
        last_(last),
        limits_(limits),
        line_(line),
        record_(record) {}

  Result run() {
    record_.fields.clear();
    record_.scratch.clear();
    record_.line = line_;
    Next next = Next::field;
    while (next == Next::field) {
      if (record_.fields.size() == limits_.columns) {
        next = fail(begin_, kTooManyColumns, at_);
      } else {
        next = at_ != end_ && *at_ == '"' ? quoted() : unquoted();
      }
    }
    return answer(next);
  }

  [[nodiscard]] std::uint64_t line() const { return line_; }

 private:
  Result answer(Next next) {
    if (next == Next::need_more) return {Status::need_more, 0, {}, {}};
    if (next == Next::record && !is_utf8(between(begin_, at_))) next = fail(at_, {}, at_);
    if (next == Next::bad) return {Status::bad, 0, bad_at_, complaint_};
    return {Status::record, static_cast<std::size_t>(at_ - begin_), {}, {}};
  }

  Next unquoted() {
    const char* const start = at_;
    const char* const stop = find_stop<Delimiter>(start, end_);
    if (oversteps(start, stop)) return too_long(start, start, kFieldTooLong);
    if (stop == end_ && !last_) return Next::need_more;
    if (stop != end_ && *stop == '"') return fail(stop, kQuoteInside, stop);
    return close(here(start), between(start, stop), stop);
  }

  Next quoted() {
    const char* const open = at_;
    const Position at = here(open);
    const std::size_t unescaped = record_.scratch.size();
    const char* from = open + 1;
    const char* stop = from;
    while (true) {
      stop = find_quote(stop);
      if (oversteps(open + 1, stop)) return too_long(open, open + 1, kQuotedTooLong);
      if (stop == end_) return last_ ? fail(open, kUnclosed, end_) : Next::need_more;
      if (*stop == '\0') return fail(stop, kNul, stop);
      if (stop + 1 == end_ && !last_) return Next::need_more;
      if (stop + 1 == end_ || stop[1] != '"') break;
      unescape(between(from, stop + 1));
      from = stop += 2;
    }
    const bool plain = from == open + 1;
    if (!plain) unescape(between(from, stop));
    const std::string_view text =
        plain ? between(from, stop) : std::string_view(record_.scratch).substr(unescaped);
    return close(at, text, stop + 1);
  }

  // Takes the field and what ends it: the delimiter, the line end or the file's end.
  Next close(Position at, std::string_view text, const char* stop) {
    record_.fields.push_back({text, at});
    at_ = stop;
    if (stop == end_) return Next::record;
    switch (*stop) {
      case Delimiter:
        at_ = stop + 1;
        return Next::field;
      case '\n':
        return end_line(stop + 1);
      case '\r':
        if (stop + 1 == end_ && !last_) return Next::need_more;
        if (stop + 1 == end_ || stop[1] != '\n') return fail(stop, kBareCr, stop);
        return end_line(stop + 2);
      case '\0':
        return fail(stop, kNul, stop);
      default:
        return fail(stop, kTextAfterQuote, stop);
    }
  }

  Next end_line(const char* next_line) {
    at_ = next_line;
    ++line_;
    return Next::record;
  }

  // The next quote or NUL; counts the lines that it passes.
  const char* find_quote(const char* at) {
    for (; at != end_ && *at != '"' && *at != '\0'; ++at) {
      if (*at != '\n') continue;
      ++line_;
      line_begin_ = at + 1;
    }
    return at;
  }

  void unescape(std::string_view part) {
    // Earlier fields are views into the scratch: it must never move while the record grows.
    record_.scratch.reserve(
        std::min(static_cast<std::size_t>(end_ - begin_), limits_.record_bytes + 1));
    record_.scratch.append(part);
  }

  [[nodiscard]] bool oversteps(const char* field, const char* stop) const {
    return static_cast<std::size_t>(stop - field) > limits_.field_bytes ||
           static_cast<std::size_t>(stop - begin_) > limits_.record_bytes;
  }

  // Which of the two limits comes first does not depend on how many bytes have come.
  Next too_long(const char* open, const char* field, std::string_view complaint) {
    const std::size_t before = static_cast<std::size_t>(field - begin_);
    const bool whole_record = before + limits_.field_bytes > limits_.record_bytes;
    return whole_record ? fail(begin_, kRecordTooLong, open) : fail(open, complaint, open);
  }

  // @param judged_to UTF-8 before this byte is checked first
  Next fail(const char* where, std::string_view complaint, const char* judged_to) {
    const std::string_view judged = between(begin_, judged_to);
    const std::size_t good = utf8_prefix(judged);
    const bool is_good = good == judged.size();
    complaint_ = is_good ? complaint : kUtf8;
    bad_at_ = position_of(is_good ? where : begin_ + good);
    return Next::bad;
  }

  [[nodiscard]] Position here(const char* at) const {
    return {line_, static_cast<std::uint64_t>(at - line_begin_) + 1};
  }

  [[nodiscard]] Position position_of(const char* where) const {
    Position position{record_.line, 1};
    for (const char* at = begin_; at != where; ++at) {
      position.column = *at == '\n' ? 1 : position.column + 1;
      position.line += *at == '\n' ? 1 : 0;
    }
    return position;
  }

  const char* const begin_;
  const char* const end_;
  const char* at_;
  const char* line_begin_;
  const bool last_;
  const Limits& limits_;
  std::uint64_t line_;
  Record& record_;
  Position bad_at_;
  std::string_view complaint_;
};

// One record. Always within its caller: a call costs a record 5 % more instructions.
// @param line moves on over the record
template <char Delimiter>
[[gnu::always_inline]] inline Result parse(std::string_view bytes, bool last, const Limits& limits,
                                           std::uint64_t& line, Record& record) {
  Parse<Delimiter> one(bytes, last, limits, line, record);
  const Result result = one.run();
  line = one.line();
  return result;
}

// Length of the empty lines that `bytes` begins with, stopping once it is over `limit`.
std::size_t empty_lines(std::string_view bytes, std::size_t limit, std::uint64_t& lines) {
  std::size_t at = 0;
  while (at <= limit && at < bytes.size()) {
    const bool crlf = bytes[at] == '\r' && at + 1 < bytes.size() && bytes[at + 1] == '\n';
    if (!crlf && bytes[at] != '\n') break;
    at += crlf ? 2 : 1;
    ++lines;
  }
  return at;
}

bool is_utf16(std::string_view bytes) {
  return bytes.starts_with("\xFF\xFE") || bytes.starts_with("\xFE\xFF");
}

bool in(unsigned char byte, unsigned char low, unsigned char high) {
  return low <= byte && byte <= high;
}

// Length of the well-formed sequence at `at` (Unicode, table 3-7); 0 if there is none.
std::size_t utf8_sequence(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return static_cast<unsigned char>(at + i < text.size() ? text[at + i] : '\0');
  };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  const std::size_t length = in(lead, 0xC2, 0xDF)   ? 2
                             : in(lead, 0xE0, 0xEF) ? 3
                             : in(lead, 0xF0, 0xF4) ? 4
                                                    : 0;
  if (length == 0 || !in(byte(1), low, high)) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if (!in(byte(i), 0x80, 0xBF)) return 0;
  }
  return length;
}

}  // namespace

std::size_t utf8_prefix(std::string_view text) {
  if (is_utf8(text)) return text.size();
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t length = utf8_sequence(text, at);
    if (length == 0) break;
    at += length;
  }
  return at;
}

Result Reader::next(std::string_view bytes, bool last, Record& record) {
  if (!started_ && is_utf16(bytes)) return {Status::bad, 0, {1, 1}, kUtf16};
  if (!started_ && bytes.starts_with(kZipHead)) return {Status::bad, 0, {1, 1}, kZip};
  // Half a BOM is no field yet, however short fields have to be.
  const bool half_bom = bytes.size() < kBom.size() && kBom.starts_with(bytes);
  if (!started_ && !last && half_bom) return {Status::need_more, 0, {}, {}};
  record.delimiter = delimiter_;
  std::size_t skipped = !started_ && bytes.starts_with(kBom) ? kBom.size() : 0;
  std::uint64_t line = line_;
  const std::size_t empty = empty_lines(bytes.substr(skipped), limits_.record_bytes, line);
  if (empty > limits_.record_bytes) return {Status::bad, 0, {line_, 1}, kTooManyBlanks};
  skipped += empty;
  Result result{last ? Status::end : Status::need_more, 0, {}, {}};
  if (skipped < bytes.size()) {
    const std::string_view rest = bytes.substr(skipped);
    switch (delimiter_) {
      case Delimiter::comma:
        result = parse<','>(rest, last, limits_, line, record);
        break;
      case Delimiter::semicolon:
        result = parse<';'>(rest, last, limits_, line, record);
        break;
      case Delimiter::tab:
        result = parse<'\t'>(rest, last, limits_, line, record);
        break;
    }
  }
  if (result.status == Status::record || result.status == Status::end) {
    result.consumed += skipped;
    line_ = line;
    started_ = true;
  }
  return result;
}

void append_record(std::string& out, std::span<const std::string_view> cells) {
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (i != 0) out += ',';
    const std::string_view cell = cells[i];
    // A record of one empty cell would be an empty line, which is none; and a first cell that
    // begins as a BOM does would lose it.
    const bool lonely = cells.size() == 1 && cell.empty();
    const bool quotes = lonely || cell.find_first_of(",\"\r\n") != std::string_view::npos ||
                        (i == 0 && cell.starts_with("\xEF\xBB\xBF"));
    if (!quotes) {
      out += cell;
      continue;
    }
    out += '"';
    for (const char c : cell) out.append(c == '"' ? 2 : 1, c);
    out += '"';
  }
  out += '\n';
}

}  // namespace sagorder::csv
