#include "io/outcome_log.hpp"

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace sagorder::io {
namespace {

std::string_view words_of(RecordKind kind) {
  if (kind == RecordKind::rejected) return "a row was rejected";
  if (kind == RecordKind::in_doubt) return "a row is in doubt";
  return "a row was not ordered and stays not sent";
}

std::string_view words_of_many(RecordKind kind) {
  if (kind == RecordKind::rejected) return "more rows were rejected";
  if (kind == RecordKind::in_doubt) return "more rows are in doubt";
  return "more rows were not ordered and stay not sent";
}

constexpr RecordKind kKinds[] = {RecordKind::rejected, RecordKind::in_doubt,
                                 RecordKind::not_executed};

}  // namespace

void OutcomeLog::tell(const Record& record) {
  if (log_.is_watched()) return;
  if (++seen_.at(static_cast<std::size_t>(record.kind)) > kLinesMax) return;
  const std::string row = std::to_string(record.row.value);
  const std::string_view words = words_of(record.kind);
  if (record.order_id.empty()) {
    return log_.warning(words,
                        {{"row", row, true}, {"code", record.code}, {"why", record.message}});
  }
  log_.warning(words, {{"row", row, true},
                       {"code", record.code},
                       {"OrderId", record.order_id},
                       {"why", record.message}});
}

void OutcomeLog::tell_rest() {
  for (const RecordKind kind : kKinds) {
    std::uint64_t& seen = seen_.at(static_cast<std::size_t>(kind));
    if (seen > kLinesMax) {
      const bool has_line = kind != RecordKind::not_executed;
      log_.warning(fmt::format("{}: {}{}", words_of_many(kind), seen - kLinesMax,
                               has_line ? "; the results have all of them" : ""));
    }
    seen = 0;
  }
}

}  // namespace sagorder::io
