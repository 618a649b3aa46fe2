// The results file: lines appended as rows are settled, a projection of the ledger.
//
// Opening locks it (one run writes a results file at a time) and changes nothing. `scan` reads what
// is there; `cut_torn_tail` removes a last line that a crash left without its end; `append` adds
// whole lines; `rebuild` and `rewrite` put a new file in its place, lock included. CSV gets its
// header with the first line. A file with a path ending in .jsonl or .json is JSON Lines.
//
// A failed append leaves the file as it was before, if the system lets it: no half a line stays.
#pragma once

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "engine/order.hpp"
#include "engine/result.hpp"
#include "io/file.hpp"
#include "io/results_lines.hpp"

namespace sagorder::io {

/// The results file cannot be read or written (exit 74). The text names the file and the cause.
struct OutputError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

ResultFormat result_format_of(std::string_view path);

class ResultsFile {
 public:
  enum class Content : std::uint8_t {
    empty,    ///< no line, or none but the header
    lines,    ///< lines of ours, perhaps with a torn tail
    broken,   ///< begins as ours, then bytes that are not: to be rebuilt
    foreign,  ///< does not begin as ours, or has other columns: not to be touched
  };
  struct Scan {
    Content content = Content::empty;
    std::uint64_t lines = 0;       ///< whole lines, the header not counted
    std::uint64_t torn_bytes = 0;  ///< behind the last whole line
  };
  enum class Fix : std::uint8_t { keep, drop, replace };
  /// Takes whole lines.
  using Sink = std::function<void(std::string_view lines)>;

  /// Opens or creates, and locks. Throws LedgerBusy if another process holds it, else OutputError.
  /// @param input_columns as the results repeat them, behind the eleven of their own
  ResultsFile(std::string path, std::vector<std::string> input_columns);

  /// Reads the whole file; `see` is called for every whole line but the header.
  Scan scan(const std::function<void(const ResultKey&)>& see);

  /// After a scan: removes the torn tail. Durable with the next sync.
  void cut_torn_tail();

  /// Appends whole lines. A file that has no line yet gets its header before them.
  void append(std::string_view lines);
  void sync();

  /// Writes the file anew: header, then what `fill` hands to the sink. The old file stays in place
  /// until the new one is whole and durable.
  void rebuild(const std::function<void(const Sink&)>& fill);

  /// Writes the file anew, line by line. `decide` says what becomes of a line; for `replace`,
  /// `replacement` gets the input's cells out of the old line and appends the new one to `out`.
  void rewrite(
      const std::function<Fix(const ResultKey&)>& decide,
      const std::function<void(const ResultKey&, const Cells&, std::string& out)>& replacement);

  /// Removes the file if this object made it and it is empty still: for a run that was refused.
  void remove_if_unused();

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] ResultFormat format() const { return format_; }
  [[nodiscard]] bool created() const { return created_; }
  [[nodiscard]] std::uint64_t size() const { return size_; }

 private:
  Scan read_lines(const SeeLine& see);
  Scan conclude(Scan scan, ResultScan what, std::string_view rest);
  [[nodiscard]] bool is_torn_by_zeros(std::string_view first_line) const;
  void write_at_end(std::string_view bytes);
  void replace_with(const std::function<void(const Sink&)>& fill);

  std::string path_;
  ResultFormat format_;
  std::vector<std::string> columns_;
  std::string header_;  // CSV: the header line
  Fd file_;
  bool created_ = false;
  std::uint64_t size_ = 0;  // of the whole lines; appends go here
  bool known_ = false;      // read, or new: it may be appended to
  std::uint64_t torn_ = 0;  // bytes behind it
  std::string scratch_;
};

}  // namespace sagorder::io
