// Outcome to one output line (CSV or JSON Lines), and back: what a results file already says.
//
// Columns: Row,Status,OrderId,SmartAGId,RequestId,Code,Message,HttpStatus,Attempts,LatencyMs,
// FinishedAt, then every input column. The file is a projection of the ledger.
//
// CSV is RFC 4180 with LF. A cell or a column's name that a spreadsheet would run as a formula
// (its first character one of = + - @, their full-width forms, TAB, CR or LF) gets a ' in front;
// so does a plain -5 in a carried column, which a spreadsheet would have shown as it is. JSON Lines
// hold the text itself, every value a string but Row, HttpStatus, Attempts and LatencyMs.
// HttpStatus is empty (null) if there was no answer. Whatever a server sends, a line is valid UTF-8
// without control characters of the server's: it gets spaces and U+FFFD in their place.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/csv.hpp"
#include "engine/life.hpp"
#include "engine/order.hpp"

namespace sagorder {

enum class ResultFormat : std::uint8_t { csv, json_lines };

inline constexpr std::array<std::string_view, 11> kResultColumns = {
    "Row",     "Status",     "OrderId",  "SmartAGId", "RequestId", "Code",
    "Message", "HttpStatus", "Attempts", "LatencyMs", "FinishedAt"};

enum class ResultStatus : std::uint8_t { placed, rejected, in_doubt, invalid };
std::string_view name_of(ResultStatus status);
/// The status of a settled row; nullopt for pending and intended ones, which have no line.
std::optional<ResultStatus> status_of(State state);

/// No line is longer, and none that is may be one of ours. Follows from the limits of csv.hpp, six
/// bytes for a byte at worst, and from what a text of the server's may take (longer ones are cut).
inline constexpr std::size_t kResultLineBytesMax = 1024 * 1024;
inline constexpr std::size_t kResultTextBytesMax = 4096;

class ResultWriter {
 public:
  ResultWriter(ResultFormat format, const std::vector<std::string>& input_columns);
  /// CSV: the header line. JSON Lines: nothing.
  void header(std::string& out) const;
  /// Appends one line for an outcome record (placed, rejected, in_doubt, resolved_placed); any
  /// other kind, or cells that are not those of the columns, are a BrokenPromise.
  void line(const Record& outcome, Attempt attempts, const Cells& cells, std::string& out) const;
  /// Appends one line for a row that --skip-invalid left out.
  void invalid(Row row, std::string_view why, WallTime at, const Cells& cells,
               std::string& out) const;

 private:
  struct Line;
  void write(const Line& line, const Cells& cells, std::string& out) const;
  void write_csv(const Line& line, const Cells& cells, std::string& out) const;
  void write_json(const Line& line, const Cells& cells, std::string& out) const;

  ResultFormat format_;
  std::vector<std::string> keys_;  // of the input columns, as they stand in the file
};

/// What one line of a results file says. Strings are reused.
struct ResultKey {
  Row row;
  ResultStatus status = ResultStatus::placed;
  std::string order_id;
};

enum class ResultScan : std::uint8_t {
  line,      ///< `consumed` bytes were a whole line
  torn,      ///< the rest has no line end: cut it off
  end,       ///< nothing left
  not_ours,  ///< not a results file of this format and these columns
};

/// Reads a results file back, line by line, from chunks cut anywhere. Only lines of exactly the
/// shape that ResultWriter gives for these columns are ours.
class ResultScanner {
 public:
  ResultScanner(ResultFormat format, const std::vector<std::string>& input_columns);
  struct Step {
    ResultScan what = ResultScan::end;
    bool need_more = false;  ///< offer the same bytes again with more behind them
    bool header = false;     ///< the line was the CSV header
    std::size_t consumed = 0;
  };
  Step next(std::string_view bytes, bool last, ResultKey& key);

 private:
  Step next_csv(std::string_view bytes, bool last, ResultKey& key);
  Step next_json(std::string_view bytes, bool last, ResultKey& key) const;
  [[nodiscard]] Step torn(std::string_view bytes, std::string_view start) const;

  ResultFormat format_;
  std::vector<std::string> keys_;
  std::string header_;
  csv::Reader reader_;
  csv::Record record_;
  bool header_seen_ = false;
};

}  // namespace sagorder
