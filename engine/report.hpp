// What a report says of a batch: the fold of its ledger's records and its results' lines.
//
//   see(record)     every record, in the order of commits
//   see_line(line)  every line of the results, if there are any; the records come first
//   close(running)  the end: without a run, an attempt that was begun and not settled is a doubt
//
// Memory is a byte a row, and for all else bounded by the constants below: of what is listed the
// lowest rows are kept, and what was left out is counted. Texts are those of the ledger and the
// results, clipped and otherwise as they are: whoever shows them makes them harmless.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/latency.hpp"
#include "engine/life.hpp"
#include "engine/rate.hpp"
#include "engine/result.hpp"
#include "engine/timeline.hpp"

namespace sagorder {

/// When a run began to send, and how fast it was allowed to.
struct RunStart {
  WallTime begun;
  RateLimit limit;
};

/// What a line of the results tells beyond the ledger. The texts are looked at during the call
/// only.
struct ReportLine {
  Row row;
  ResultStatus status = ResultStatus::placed;
  std::string_view message;
  std::string_view region_id, user_count, period;  ///< cells as they stand
};

class Report {
 public:
  static constexpr std::size_t kListedMax = 1000;  ///< rows of each list
  static constexpr std::size_t kCodesMax = 200;
  static constexpr std::size_t kRegionsMax = 64;
  static constexpr std::size_t kTextMax = 600;  ///< bytes kept of a text

  /// One stretch of sending: from a run's start, or from the first record if no start is known.
  struct Run {
    std::optional<RunStart> start;
    Timeline timeline;
    std::array<std::uint64_t, kHappenings> counts{};
    WallTime last;  ///< the last of what it did
  };

  /// What a code came to, with the first row that it met.
  struct Code {
    std::string code;
    RecordKind kind = RecordKind::in_doubt;  ///< not_executed, rejected or in_doubt
    std::uint64_t answers = 0;
    Row row;
    int http_status = 0;  ///< 0: no answer
    std::string message;
  };

  /// A row that is not placed. Of one whose line was not seen, region, seats and period are empty.
  struct Listed {
    Attempt attempt;
    std::optional<WallTime> begun;  ///< the last attempt
    WallTime at;                    ///< of the outcome
    int http_status = 0;
    std::string request_id, code, message, evidence;
    std::string region_id, user_count, period;
  };
  using List = std::map<std::uint64_t, Listed>;  ///< by row

  struct Region {
    std::array<std::uint64_t, 4> lines{};  ///< a count for each ResultStatus
    std::uint64_t seats_placed = 0;
    std::uint64_t seat_months_placed = 0;
  };

  /// @param rows of the input  @param starts of the runs, in their order; those of old are not
  /// known
  Report(std::uint64_t rows, std::vector<RunStart> starts);

  /// @return false: it cannot follow from those before it
  bool see(const Record& record);
  void see_line(const ReportLine& line);
  void close(bool running);

  [[nodiscard]] const Rows& rows() const { return rows_; }
  [[nodiscard]] std::uint64_t in_doubt() const;   ///< those that `close` found to be so included
  [[nodiscard]] std::uint64_t under_way() const;  ///< of a run that goes on
  [[nodiscard]] const std::vector<Run>& runs() const { return runs_; }
  [[nodiscard]] const Latencies& latencies() const { return latencies_; }
  /// The most frequent first.
  [[nodiscard]] std::vector<Code> codes() const;
  [[nodiscard]] std::uint64_t codes_left_out() const { return codes_left_out_; }  ///< answers
  [[nodiscard]] const List& doubts() const { return doubts_; }
  [[nodiscard]] const List& rejected() const { return rejected_; }
  [[nodiscard]] const List& invalid() const { return invalid_; }
  [[nodiscard]] std::uint64_t invalid_lines() const { return invalid_lines_; }
  [[nodiscard]] const std::map<std::string, Region>& regions() const { return regions_; }
  [[nodiscard]] const Region& other_regions() const { return other_regions_; }
  [[nodiscard]] Region all_regions() const;
  [[nodiscard]] std::uint64_t lines() const { return lines_; }
  [[nodiscard]] std::uint64_t resolved() const { return resolved_; }  ///< by an operator

 private:
  struct Open {
    Attempt attempt;
    WallTime begun;
  };

  void begin_attempt(const Record& record, WallTime at);
  void end_attempt(const Record& record, WallTime at);
  void count(Happening what, WallTime at);
  void count_code(const Record& record);
  void list(List& into, const Record& record, WallTime at);
  Region& region(std::string_view region_id);

  Rows rows_;
  std::vector<RunStart> starts_;
  std::size_t next_start_ = 0;
  bool running_ = false;
  std::vector<Run> runs_;
  Latencies latencies_;
  std::unordered_map<std::uint64_t, Open> open_;  // attempts without an outcome
  std::map<std::string, Code> codes_;             // by kind and code
  std::uint64_t codes_left_out_ = 0;
  List doubts_, rejected_, invalid_;
  std::uint64_t invalid_lines_ = 0;
  std::map<std::string, Region> regions_;
  Region other_regions_;
  std::uint64_t lines_ = 0;
  std::uint64_t resolved_ = 0;
};

}  // namespace sagorder
