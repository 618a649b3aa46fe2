#include "engine/result.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "engine/ascii.hpp"
#include "engine/expect.hpp"
#include "engine/planted.hpp"
#include "engine/signing.hpp"

namespace sagorder {

namespace {

constexpr std::array<std::string_view, 4> kStatusNames = {"placed", "rejected", "in_doubt",
                                                          "invalid"};
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::string_view kJsonStart = "{\"Row\":";

constexpr csv::Limits kLimits{.field_bytes = kResultLineBytesMax,
                              .record_bytes = kResultLineBytesMax,
                              .columns = 2 * csv::kColumnsMax};

// --- Text ---

// What a text becomes on its way into the file.
struct Ink {
  ResultFormat format = ResultFormat::csv;
  bool tame = false;  // a server's text: control characters are made spaces
};

bool is_control(unsigned char byte) { return byte < 0x20 || byte == 0x7F; }

// True for a byte that is written as it is, whatever the ink; the common case.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (std::size_t byte = 0x20; byte < 256; ++byte) plain[byte] = true;
  for (const std::size_t byte : {0x22U, 0x5CU, 0x7FU, 0xC2U}) plain[byte] = false;
  return plain;
}();

// Bytes that need nothing in either format, not even quotes around their cell: nearly every cell's.
constexpr ByteSet kBare([](char c) {
  return c >= 0x20 && c < 0x7F && c != '"' && c != '\\' && c != ',';
});

void append_json_escape(std::string& out, unsigned char byte) {
  constexpr std::string_view kHex = "0123456789abcdef";
  if (byte == '\n' || byte == '\r' || byte == '\t') {
    out += byte == '\n' ? "\\n" : byte == '\r' ? "\\r" : "\\t";
  } else if (byte < 0x20) {
    out += "\\u00";
    out += kHex[byte >> 4U];
    out += kHex[byte & 15U];
  } else {
    if (byte == '"' || byte == '\\') out += '\\';
    out += static_cast<char>(byte);
  }
}

// Appends the character at `at`, which is none of the plain ones; returns its length.
std::size_t append_special(std::string& out, std::string_view text, std::size_t at, Ink ink) {
  const auto byte = static_cast<unsigned char>(text[at]);
  const auto after = static_cast<unsigned char>(at + 1 < text.size() ? text[at + 1] : '\0');
  const bool wide_control = byte == 0xC2 && after < 0xA0;  // U+0080 to U+009F
  if (ink.tame && (is_control(byte) || wide_control)) {
    out += ' ';
    return wide_control ? 2 : 1;
  }
  if (byte == 0xC2) {
    out += text.substr(at, 2);
    return 2;
  }
  if (ink.format == ResultFormat::json_lines) {
    append_json_escape(out, byte);
  } else if (byte == '\0') {
    out += kReplacement;  // no CSV reader takes it, not even ours
  } else {
    out.append(byte == '"' ? 2 : 1, static_cast<char>(byte));
  }
  return 1;
}

void append_utf8(std::string& out, std::string_view text, Ink ink) {
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (kPlain[static_cast<unsigned char>(text[at])]) {
      ++at;
      continue;
    }
    out += text.substr(done, at - done);
    at += append_special(out, text, at, ink);
    done = at;
  }
  out += text.substr(done);
}

void append_any(std::string& out, std::string_view text, Ink ink) {
  while (true) {
    const std::size_t good = csv::utf8_prefix(text);
    append_utf8(out, text.substr(0, good), ink);
    if (good == text.size()) return;
    out += kReplacement;
    text.remove_prefix(good + 1);
    while (!text.empty() && (static_cast<unsigned char>(text[0]) & 0xC0U) == 0x80U) {
      text.remove_prefix(1);
    }
  }
}

bool is_run_by_spreadsheets(std::string_view cell) {
  if (cell.empty()) return false;
  switch (cell.front()) {
    case '=':
    case '+':
    case '-':
    case '@':
    case '\t':
    case '\r':
    case '\n':
      return true;
    case '\xEF':  // the wide ones
      return cell.starts_with("＝") || cell.starts_with("＋") || cell.starts_with("－") ||
             cell.starts_with("＠");
    default:
      return false;
  }
}

bool needs_quotes(std::string_view cell) {
  return std::ranges::any_of(cell,
                             [](char c) { return c == ',' || c == '"' || c == '\n' || c == '\r'; });
}

void append_csv_cell(std::string& out, std::string_view cell, bool tame) {
  const bool formula = is_run_by_spreadsheets(cell);
  if (!formula && kBare.holds_all(cell)) {
    out += cell;
    return;
  }
  const bool quotes = needs_quotes(cell);
  if (quotes) out += '"';
  if (formula) out += '\'';
  append_any(out, cell, {ResultFormat::csv, tame});
  if (quotes) out += '"';
}

void append_json_string(std::string& out, std::string_view text, bool tame) {
  out += '"';
  if (kBare.holds_all(text)) {
    out += text;
  } else {
    append_any(out, text, {ResultFormat::json_lines, tame});
  }
  out += '"';
}

void append_cell(std::string& out, std::string_view text, Ink ink) {
  if (ink.format == ResultFormat::csv) return append_csv_cell(out, text, ink.tame);
  append_json_string(out, text, ink.tame);
}

template <typename Number>
void append_number(std::string& out, Number number) {
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

// `yyyy-MM-ddTHH:mm:ss.mmmZ`.
void append_time(std::string& out, WallTime at) {
  const Timestamp to_second = timestamp_of(at);
  std::array<char, 24> text{};
  std::copy_n(to_second.begin(), 19, text.begin());
  const auto ms = static_cast<unsigned>((at - std::chrono::floor<seconds>(at)).count());
  text[19] = '.';
  text[20] = static_cast<char>('0' + ms / 100);
  text[21] = static_cast<char>('0' + ms / 10 % 10);
  text[22] = static_cast<char>('0' + ms % 10);
  text[23] = 'Z';
  out.append(text.data(), text.size());
}

ResultStatus status_of_kind(RecordKind kind) {
  switch (kind) {
    case RecordKind::placed:
    case RecordKind::resolved_placed:
      return ResultStatus::placed;
    case RecordKind::rejected:
      return ResultStatus::rejected;
    case RecordKind::in_doubt:
      if (planted(Planted::doubt_shown_as_rejected)) return ResultStatus::rejected;
      return ResultStatus::in_doubt;
    case RecordKind::intent:
    case RecordKind::not_executed:
    case RecordKind::replay:
    case RecordKind::resolved_not_placed:
      break;
  }
  throw BrokenPromise("a result line of a record that is no outcome");
}

// The input columns as a line names them: CSV cells of the header, or `,"Name":`.
std::vector<std::string> keys_of(ResultFormat format, const std::vector<std::string>& columns) {
  std::vector<std::string> keys;
  for (const std::string& column : columns) {
    std::string& key = keys.emplace_back(",");
    append_cell(key, column, {format, false});
    if (format == ResultFormat::json_lines) key += ':';
  }
  return keys;
}

std::string csv_header(const std::vector<std::string>& keys) {
  std::string header;
  for (const std::string_view column : kResultColumns) {
    if (!header.empty()) header += ',';
    header += column;
  }
  for (const std::string& key : keys) header += key;
  return header += '\n';
}

// --- Reading back ---

std::optional<Row> row_of(std::string_view text) {
  Row row;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), row.value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && text.front() != '0' ? std::optional(row) : std::nullopt;
}

std::optional<ResultStatus> status_named(std::string_view name) {
  const auto found = std::ranges::find(kStatusNames, name);
  if (found == kStatusNames.end()) return std::nullopt;
  return static_cast<ResultStatus>(found - kStatusNames.begin());
}

bool fill(ResultKey& key, std::string_view row, std::string_view status) {
  const std::optional<Row> number = row_of(row);
  const std::optional<ResultStatus> named = status_named(status);
  if (!number || !named) return false;
  key.row = *number;
  key.status = *named;
  return true;
}

// Walks a JSON line of the one shape that we write; every step fails on anything else.
class JsonLine {
 public:
  explicit JsonLine(std::string_view text) : rest_(text) {}

  bool literal(std::string_view expected) {
    if (!rest_.starts_with(expected)) return false;
    rest_.remove_prefix(expected.size());
    return true;
  }
  // `,"name":`
  bool key(std::string_view name) { return literal(",\"") && literal(name) && literal("\":"); }
  bool number(std::string_view& digits) {
    digits = rest_.substr(0, std::min(rest_.find_first_not_of("0123456789"), rest_.size()));
    return !digits.empty() && literal(digits);
  }
  // @param raw the text between the quotes, its escapes as they stand
  bool string(std::string_view& raw) {
    if (!literal("\"")) return false;
    std::size_t at = 0;
    while (at < rest_.size() && rest_[at] != '"') {
      if (static_cast<unsigned char>(rest_[at]) < 0x20) return false;
      at += rest_[at] == '\\' ? 2 : 1;
    }
    if (at >= rest_.size()) return false;
    raw = rest_.substr(0, at);
    return literal(raw) && literal("\"");
  }

 private:
  std::string_view rest_;
};

// The members after Row and Status, in the order of kResultColumns, then the input's.
bool read_members(JsonLine& line, const std::vector<std::string>& keys, ResultKey& key) {
  std::string_view text;
  if (!line.key("OrderId") || !line.string(text)) return false;
  key.order_id.assign(text);
  for (const std::string_view name : {"SmartAGId", "RequestId", "Code", "Message"}) {
    if (!line.key(name) || !line.string(text)) return false;
  }
  if (!line.key("HttpStatus") || !(line.literal("null") || line.number(text))) return false;
  if (!line.key("Attempts") || !line.number(text)) return false;
  if (!line.key("LatencyMs") || !line.number(text)) return false;
  if (!line.key("FinishedAt") || !line.string(text)) return false;
  for (const std::string& column : keys) {
    if (!line.literal(column) || !line.string(text)) return false;
  }
  return line.literal("}\n");
}

bool read_json_line(std::string_view text, const std::vector<std::string>& keys, ResultKey& key) {
  JsonLine line(text);
  std::string_view row;
  std::string_view status;
  return line.literal(kJsonStart) && line.number(row) && line.key("Status") &&
         line.string(status) && fill(key, row, status) && read_members(line, keys, key);
}

}  // namespace

std::string_view name_of(ResultStatus status) {
  return kStatusNames.at(static_cast<std::size_t>(status));
}

std::optional<ResultStatus> status_of(State state) {
  switch (state) {
    case State::placed:
      return ResultStatus::placed;
    case State::rejected:
      return ResultStatus::rejected;
    case State::in_doubt:
      return ResultStatus::in_doubt;
    case State::pending:
    case State::intended:
      break;
  }
  return std::nullopt;
}

// --- ResultWriter ---

struct ResultWriter::Line {
  Row row;
  ResultStatus status = ResultStatus::placed;
  std::array<std::string_view, 5> texts;  // OrderId to Message
  int http_status = 0;
  Attempt attempts;
  milliseconds latency{0};
  WallTime at;
};

ResultWriter::ResultWriter(ResultFormat format, const std::vector<std::string>& input_columns)
    : format_(format), keys_(keys_of(format, input_columns)) {}

void ResultWriter::header(std::string& out) const {
  if (format_ == ResultFormat::csv) out += csv_header(keys_);
}

void ResultWriter::line(const Record& outcome, Attempt attempts, const Cells& cells,
                        std::string& out) const {
  Line line;
  line.row = outcome.row;
  line.status = status_of_kind(outcome.kind);
  line.texts = {outcome.order_id, outcome.sag_id, outcome.request_id, outcome.code,
                outcome.message};
  line.http_status = outcome.http_status;
  line.attempts = attempts;
  line.latency = outcome.latency;
  line.at = outcome.at;
  write(line, cells, out);
}

void ResultWriter::invalid(Row row, std::string_view why, WallTime at, const Cells& cells,
                           std::string& out) const {
  Line line;
  line.row = row;
  line.status = ResultStatus::invalid;
  line.texts.back() = why;
  line.at = at;
  write(line, cells, out);
}

void ResultWriter::write(const Line& line, const Cells& cells, std::string& out) const {
  expect(cells.size() == keys_.size(), "a result line with other cells than the input's columns");
  if (format_ == ResultFormat::csv) {
    write_csv(line, cells, out);
  } else {
    write_json(line, cells, out);
  }
}

void ResultWriter::write_csv(const Line& line, const Cells& cells, std::string& out) const {
  append_number(out, line.row.value);
  out.append(",").append(name_of(line.status));
  for (const std::string_view text : line.texts) {
    append_csv_cell(out += ',', text.substr(0, kResultTextBytesMax), true);
  }
  out += ',';
  if (line.http_status != 0) append_number(out, line.http_status);
  append_number(out += ',', line.attempts.value);
  append_number(out += ',', line.latency.count());
  append_time(out += ',', line.at);
  for (std::size_t i = 0; i < keys_.size(); ++i) append_csv_cell(out += ',', cells[i], false);
  out += '\n';
}

void ResultWriter::write_json(const Line& line, const Cells& cells, std::string& out) const {
  append_number(out += kJsonStart, line.row.value);
  out.append(",\"Status\":\"").append(name_of(line.status)).append("\"");
  for (std::size_t i = 0; i < line.texts.size(); ++i) {
    out.append(",\"").append(kResultColumns[2 + i]).append("\":");
    append_json_string(out, line.texts[i].substr(0, kResultTextBytesMax), true);
  }
  out += ",\"HttpStatus\":";
  if (line.http_status != 0) {
    append_number(out, line.http_status);
  } else {
    out += "null";
  }
  append_number(out += ",\"Attempts\":", line.attempts.value);
  append_number(out += ",\"LatencyMs\":", line.latency.count());
  append_time(out += ",\"FinishedAt\":\"", line.at);
  out += '"';
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    append_json_string(out += keys_[i], cells[i], false);
  }
  out += "}\n";
}

// --- ResultScanner ---

ResultScanner::ResultScanner(ResultFormat format, const std::vector<std::string>& input_columns)
    : format_(format),
      keys_(keys_of(format, input_columns)),
      header_(csv_header(keys_)),
      reader_(kLimits) {}

ResultScanner::Step ResultScanner::next(std::string_view bytes, bool last, ResultKey& key) {
  if (bytes.empty()) return {.what = ResultScan::end, .need_more = !last};
  return format_ == ResultFormat::csv ? next_csv(bytes, last, key) : next_json(bytes, last, key);
}

// The end of a file of ours that was cut is the beginning of a line of ours.
ResultScanner::Step ResultScanner::torn(std::string_view bytes, std::string_view start) const {
  const std::size_t shared = std::min(bytes.size(), start.size());
  const bool ours = bytes.substr(0, shared) == start.substr(0, shared);
  return {.what = ours ? ResultScan::torn : ResultScan::not_ours};
}

ResultScanner::Step ResultScanner::next_csv(std::string_view bytes, bool last, ResultKey& key) {
  // Never the reader's `last`: to it a line without line end would be whole.
  const bool whole = planted(Planted::torn_line_taken) && last;
  const csv::Result result = reader_.next(bytes, whole, record_);
  if (result.status == csv::Status::need_more) {
    if (!last) return {.need_more = true};
    return header_seen_ ? Step{.what = ResultScan::torn} : torn(bytes, header_);
  }
  if (result.status != csv::Status::record) return {.what = ResultScan::not_ours};
  const Step line{.what = ResultScan::line, .header = !header_seen_, .consumed = result.consumed};
  const bool ours = header_seen_ ? record_.fields.size() == kResultColumns.size() + keys_.size() &&
                                       fill(key, record_.fields[0].text, record_.fields[1].text)
                                 : bytes.substr(0, result.consumed) == header_;
  if (!ours) return {.what = ResultScan::not_ours};
  if (header_seen_) key.order_id.assign(record_.fields[2].text);
  header_seen_ = true;
  return line;
}

ResultScanner::Step ResultScanner::next_json(std::string_view bytes, bool last,
                                             ResultKey& key) const {
  const std::size_t end = bytes.substr(0, kResultLineBytesMax).find('\n');
  if (end == std::string_view::npos) {
    if (bytes.size() >= kResultLineBytesMax) return {.what = ResultScan::not_ours};
    return last ? torn(bytes, kJsonStart) : Step{.need_more = true};
  }
  if (!read_json_line(bytes.substr(0, end + 1), keys_, key)) return {.what = ResultScan::not_ours};
  return {.what = ResultScan::line, .consumed = end + 1};
}

}  // namespace sagorder
