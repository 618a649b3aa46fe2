// CSV bytes to records, as views: RFC 4180, UTF-8 (a BOM is skipped), LF or CRLF, quoted newlines;
// commas, semicolons or tabs between the cells, which is told and not guessed here.
//
// The reader keeps no bytes. The caller holds a buffer, offers what it has from the first unread
// byte on, and gets one of three answers: a record and how many bytes it took; "need more"; or
// "bad" with a line and a column. Any cutting of the input into chunks gives the same records:
// "need more" leaves the reader as it was, and the next call starts at the same byte.
//
// Strict where leniency would change an order: a quote inside an unquoted field, text after a
// closing quote, a bare CR outside quotes, NUL, invalid UTF-8 and an unclosed quote at the end are
// errors; of several in one record the first is named. Lines that are wholly empty are skipped
// (they are no record); a last line without newline counts.
//
// A parser of our own, because libcsv gives neither positions nor views and repairs what it should
// refuse; the tests compare the two wherever libcsv's strict mode accepts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sagorder::csv {

inline constexpr std::size_t kFieldBytesMax = 8 * 1024;
inline constexpr std::size_t kRecordBytesMax = 64 * 1024;
inline constexpr std::size_t kColumnsMax = 256;

/// What one record may take, in bytes as they stand in the file (a field without its outer
/// quotes, a record without its line end). A run of empty lines may take as much as a record.
struct Limits {
  std::size_t field_bytes = kFieldBytesMax;
  std::size_t record_bytes = kRecordBytesMax;
  std::size_t columns = kColumnsMax;
};

/// With the default limits "need more" is never said to an offer of this size or above: a BOM,
/// empty lines, a record and its line end.
inline constexpr std::size_t kOfferBytesMax = 2 * kRecordBytesMax + 16;

/// Length of the longest prefix that is well-formed UTF-8: the place of the first bad byte.
std::size_t utf8_prefix(std::string_view text);

/// Where in the file: line and column count from 1, column in bytes (a BOM is not counted). Lines
/// end at LF, quoted or not.
struct Position {
  std::uint64_t line = 1;
  std::uint64_t column = 1;
};

/// Fields are views into the offered bytes or, for fields with doubled quotes, into the record's
/// own scratch: valid until the next call of `next` with this record, while the bytes stay put.
struct Field {
  std::string_view text;
  Position at;  ///< of the first byte of the cell (the opening quote, if quoted)
};

/// What stands between two cells.
enum class Delimiter : std::uint8_t { comma, semicolon, tab };

struct Record {
  std::vector<Field> fields;
  Delimiter delimiter = Delimiter::comma;  ///< by which they were told apart
  std::uint64_t line = 0;                  ///< the line the record starts on
  std::string scratch;                     ///< unescaped text of fields with doubled quotes
};

enum class Status : std::uint8_t {
  record,     ///< `consumed` bytes made the record
  need_more,  ///< offer the same bytes again with more behind them
  end,        ///< nothing but the end is left (`consumed` may skip blank lines)
  bad,        ///< `complaint` and `at` say what and where; the reader stays there
};

struct Result {
  Status status = Status::end;
  std::size_t consumed = 0;
  Position at;                 ///< bad: where
  std::string_view complaint;  ///< bad: a static sentence that says what and what to do
};

/// Appends a record and its LF, so that Reader gives the same cells back: quoted where it must be.
void append_record(std::string& out, std::span<const std::string_view> cells);

class Reader {
 public:
  Reader() = default;
  explicit Reader(const Limits& limits, Delimiter delimiter = Delimiter::comma)
      : limits_(limits), delimiter_(delimiter) {}

  /// @param bytes from the first unread byte on  @param last no more will follow
  /// consumed is 0 unless the status is record or end (blank lines before a record count to it).
  Result next(std::string_view bytes, bool last, Record& record);

 private:
  Limits limits_;
  Delimiter delimiter_ = Delimiter::comma;
  std::uint64_t line_ = 1;
  bool started_ = false;  // past the place where a BOM may stand
};

}  // namespace sagorder::csv
