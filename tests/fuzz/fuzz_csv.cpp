// engine/csv: however the bytes are cut, the records, their places and the complaint are the same.
//
// Input: limits (two bytes), how it is cut (one byte), the file.
#include <string>
#include <vector>

#include "engine/csv.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace sagorder::csv {
namespace {

using fuzz::Chunks;
using fuzz::Digest;
using fuzz::require;

constexpr std::size_t kFileMax = 64 * 1024;
constexpr std::string_view kBom = "\xEF\xBB\xBF";

/// An offer ends where this array does: a look beyond it is a look beyond the array.
std::array<char, kFileMax> offered;

std::string_view offer(std::string_view bytes) {
  char* const begin = offered.data() + offered.size() - bytes.size();
  if (!bytes.empty()) std::memcpy(begin, bytes.data(), bytes.size());
  return {begin, bytes.size()};
}

struct Reading {
  Digest digest;
  std::uint64_t records = 0;
  Position bad_at;
  std::string_view complaint;  // static
  bool operator==(const Reading& other) const {
    return digest == other.digest && records == other.records && bad_at.line == other.bad_at.line &&
           bad_at.column == other.bad_at.column && complaint == other.complaint;
  }
};

/// Where lines begin, a BOM left out: the places that people count by.
class Lines {
 public:
  void count(std::string_view file) {
    file_ = file;
    begins_.clear();
    begins_.push_back(file.starts_with(kBom) ? kBom.size() : 0);
    for (std::size_t i = begins_[0]; i < file.size(); ++i) {
      if (file[i] == '\n') begins_.push_back(i + 1);
    }
  }
  [[nodiscard]] std::size_t offset(Position at) const {
    require(at.line >= 1 && at.line <= begins_.size(), "a line is one of the file's");
    require(at.column >= 1, "columns count from 1");
    const std::size_t offset = begins_[at.line - 1] + at.column - 1;
    const std::size_t end = at.line == begins_.size() ? file_.size() : begins_[at.line] - 1;
    require(offset <= end, "a column is inside its line");
    return offset;
  }
  void require_inside(Position at) const { static_cast<void>(offset(at)); }
  [[nodiscard]] std::string_view from(Position at) const { return file_.substr(offset(at)); }

 private:
  std::string_view file_;
  std::vector<std::size_t> begins_;
};

Lines lines;
std::string again;  // the good records, every field quoted
std::size_t again_begins = 0;

void check_field(const Field& field, const Limits& limits) {
  require(field.text.size() <= limits.field_bytes, "a field keeps its limit");
  const std::string_view there = lines.from(field.at);
  if (there.starts_with('"')) return;  // `again` tells whether its text is right
  require(there.starts_with(field.text), "an unquoted field stands where it is said to stand");
  const std::string_view behind = there.substr(field.text.size());
  require(behind.empty() || behind[0] == ',' || behind[0] == '\r' || behind[0] == '\n',
          "an unquoted field ends at a comma or at its line's end");
}

void check_record(const Record& record, const Limits& limits) {
  require(!record.fields.empty() && record.fields.size() <= limits.columns,
          "a record keeps its limit of columns");
  require(record.fields.front().at.line == record.line,
          "a record starts where its first cell does");
  for (const Field& field : record.fields) check_field(field, limits);
}

void write_again(const Record& record) {
  for (const Field& field : record.fields) {
    again += again.size() == again_begins ? "\"" : ",\"";
    for (const char c : field.text) again.append(c == '"' ? 2 : 1, c);
    again += '"';
  }
  again += '\n';
  again_begins = again.size();
}

void add(Reading& reading, const Record& record) {
  ++reading.records;
  reading.digest.add(record.fields.size());
  for (const Field& field : record.fields) {
    reading.digest.add(field.at.line);
    reading.digest.add(field.at.column);
    reading.digest.add(field.text);
  }
}

Record record;

/// @param chunks nullptr: all at once
Reading read(std::string_view file, const Limits& limits, Chunks* chunks, bool first_time) {
  Reader reader(limits);
  Reading reading;
  std::size_t at = 0;
  std::size_t seen = chunks == nullptr ? file.size() : 0;
  while (true) {
    const bool last = seen == file.size();
    const std::string_view bytes = offer(file.substr(at, seen - at));
    const Result result = reader.next(bytes, last, record);
    require(result.consumed <= bytes.size(), "no more is consumed than was offered");
    switch (result.status) {
      case Status::need_more:
        require(!last && result.consumed == 0, "need_more consumes nothing, and not at the end");
        require(bytes.size() < 2 * limits.record_bytes + 16, "a large offer is never too small");
        seen = std::min(file.size(), seen + chunks->next());
        continue;
      case Status::record:
        require(result.consumed > 0, "a record takes bytes");
        require(result.consumed <= 2 * limits.record_bytes + 16, "a record keeps its limit");
        at += result.consumed;
        add(reading, record);
        if (first_time) {
          check_record(record, limits);
          write_again(record);
        }
        continue;
      case Status::end:
        require(last && at + result.consumed == file.size(), "the end is where the file ends");
        return reading;
      case Status::bad:
        require(!result.complaint.empty(), "what is bad is complained of");
        reading.bad_at = result.at;
        reading.complaint = result.complaint;
        return reading;
    }
  }
}

/// The records' texts, places aside.
Digest texts_of(std::string_view file, const Limits& limits, std::uint64_t& records) {
  Reader reader(limits);
  Digest digest;
  records = 0;
  for (std::size_t at = 0;;) {
    const Result result = reader.next(file.substr(at), true, record);
    if (result.status != Status::record) return digest;
    at += result.consumed;
    ++records;
    digest.add(record.fields.size());
    for (const Field& field : record.fields) digest.add(field.text);
  }
}

void check_round_trip(std::string_view file, const Limits& limits) {
  Limits wide;
  wide.field_bytes = wide.record_bytes = 4 * kFileMax;
  std::uint64_t records = 0;
  std::uint64_t records_again = 0;
  const Digest texts = texts_of(file, limits, records);
  const Digest texts_again = texts_of(again, wide, records_again);
  require(records == records_again && texts == texts_again,
          "written anew with every field quoted, the records are the same");
}

Limits limits_of(std::uint16_t drawn) {
  if (drawn % 4 == 0) return {};
  Limits limits;
  limits.field_bytes = 1 + drawn % 61;
  limits.record_bytes = limits.field_bytes + drawn / 61 % 127;
  limits.columns = 1 + drawn % 9;
  return limits;
}

}  // namespace
}  // namespace sagorder::csv

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sagorder::csv;
  sagorder::fuzz::Draw draw(data, size);
  const Limits limits = limits_of(draw.number());
  sagorder::fuzz::Chunks chunks(draw.byte());
  const std::string_view file = draw.rest();
  if (file.size() > kFileMax) return 0;
  lines.count(file);
  again.clear();
  again_begins = 0;
  const Reading whole = read(file, limits, nullptr, true);
  if (!whole.complaint.empty()) lines.require_inside(whole.bad_at);
  sagorder::fuzz::require(read(file, limits, &chunks, false) == whole,
                          "any cutting gives the same records and the same complaint");
  check_round_trip(file, limits);
  return 0;
}
