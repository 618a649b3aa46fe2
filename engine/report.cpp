#include "engine/report.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "engine/csv.hpp"

namespace sagorder {
namespace {

constexpr std::size_t kOpenMax = 65'536;  // as many as may be in flight; of more the begin is lost
constexpr WallTime kTimeMin{};
constexpr WallTime kTimeMax{std::chrono::sys_days(std::chrono::year(9999) / 12 / 31)};

/// A file may say anything; beyond these years neither sums nor calendars hold.
WallTime sane(WallTime at) { return std::clamp(at, kTimeMin, kTimeMax); }

/// Not within a character, if the text is UTF-8.
std::string clipped(std::string_view text) {
  if (text.size() <= Report::kTextMax) return std::string(text);
  const std::string_view head = text.substr(0, Report::kTextMax);
  const std::size_t good = csv::utf8_prefix(head);
  const bool cut = head.size() - good < 4;  // at most the begin of one character
  return std::string(cut ? head.substr(0, good) : head) + "...";
}

/// Zero for what is no number, or too large to be summed.
std::uint64_t number_in(std::string_view cell) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  return error == std::errc{} && end == cell.data() + cell.size() ? value : 0;
}

/// Of a start that found an attempt open: it is no answer, and its time is that of the start.
bool is_interruption(const Record& record) {
  return record.kind == RecordKind::in_doubt && record.code == kCodeInterrupted;
}

Record interruption(Row row) {
  Record record;
  record.kind = RecordKind::in_doubt;
  record.row = row;
  record.code = kCodeInterrupted;
  record.message = "an attempt was begun and its outcome is not recorded";
  return record;
}

std::optional<Happening> happening_of(const Record& record) {
  switch (record.kind) {
    case RecordKind::placed:
      return Happening::placed;
    case RecordKind::rejected:
    case RecordKind::not_executed:
      return Happening::refused;
    case RecordKind::in_doubt:
      if (is_interruption(record)) return std::nullopt;
      return Happening::in_doubt;
    case RecordKind::intent:
      return Happening::begun;
    case RecordKind::replay:
    case RecordKind::resolved_placed:
    case RecordKind::resolved_not_placed:
      return std::nullopt;
  }
  return std::nullopt;
}

bool is_resolution(RecordKind kind) {
  return kind == RecordKind::resolved_placed || kind == RecordKind::resolved_not_placed;
}

}  // namespace

Report::Report(std::uint64_t rows, std::vector<RunStart> starts)
    : rows_(rows), starts_(std::move(starts)) {
  for (RunStart& start : starts_) start.begun = sane(start.begun);
}

bool Report::see(const Record& record) {
  if (!rows_.apply({record.kind, record.row, record.attempt})) return false;
  const WallTime at = sane(record.at);
  if (record.kind == RecordKind::intent) begin_attempt(record, at);
  if (const auto what = happening_of(record)) count(*what, at);
  if (is_resolution(record.kind)) ++resolved_;
  if (record.kind != RecordKind::intent && record.kind != RecordKind::replay) {
    end_attempt(record, at);
  }
  return true;
}

void Report::begin_attempt(const Record& record, WallTime at) {
  // A run is known by its first attempt: what was settled between two runs belongs to neither.
  bool first = runs_.empty();
  std::optional<RunStart> start = first ? std::nullopt : runs_.back().start;
  for (; next_start_ < starts_.size() && starts_[next_start_].begun <= at; ++next_start_) {
    start = starts_[next_start_];
    first = true;
  }
  if (first) {
    const WallTime begin = start ? start->begun : at;
    runs_.push_back({start, Timeline(begin, start ? start->limit : RateLimit{}), {}, at});
  }
  if (open_.size() < kOpenMax) open_[record.row.value] = {record.attempt, at};
}

void Report::count(Happening what, WallTime at) {
  if (runs_.empty()) return;
  Run& run = runs_.back();
  run.timeline.add(at, what);
  ++run.counts.at(static_cast<std::size_t>(what));
  run.last = std::max(run.last, at);
}

void Report::end_attempt(const Record& record, WallTime at) {
  const std::uint64_t row = record.row.value;
  if (record.http_status > 0 && !is_resolution(record.kind)) latencies_.add(record.latency);
  if (!record.code.empty() && !is_resolution(record.kind)) count_code(record);
  if (record.kind == RecordKind::in_doubt) {
    list(doubts_, record, at);
  } else {
    doubts_.erase(row);
  }
  if (record.kind == RecordKind::rejected) list(rejected_, record, at);
  open_.erase(row);
}

void Report::count_code(const Record& record) {
  const std::string code = clipped(record.code);
  const std::string key = std::string(name_of(record.kind)) + ' ' + code;
  auto found = codes_.find(key);
  if (found == codes_.end()) {
    if (codes_.size() >= kCodesMax) {
      ++codes_left_out_;
      return;
    }
    found = codes_
                .emplace(key, Code{code, record.kind, 0, record.row, record.http_status,
                                   clipped(record.message)})
                .first;
  }
  ++found->second.answers;
}

/// Keeps the lowest rows.
void Report::list(List& into, const Record& record, WallTime at) {
  const std::uint64_t row = record.row.value;
  if (into.size() >= kListedMax && !into.contains(row)) {
    const auto last = std::prev(into.end());
    if (row > last->first) return;
    into.erase(last);
  }
  Listed& listed = into[row];
  listed.attempt = record.attempt;
  const auto open = open_.find(row);
  if (open != open_.end()) listed.begun = open->second.begun;
  listed.at = at;
  listed.http_status = record.http_status;
  listed.request_id = clipped(record.request_id);
  listed.code = clipped(record.code);
  listed.message = clipped(record.message);
  listed.evidence = clipped(record.evidence);
}

Report::Region& Report::region(std::string_view region_id) {
  const std::string name = clipped(region_id);
  const auto found = regions_.find(name);
  if (found != regions_.end()) return found->second;
  return regions_.size() < kRegionsMax ? regions_[name] : other_regions_;
}

void Report::see_line(const ReportLine& line) {
  ++lines_;
  Region& counts = region(line.region_id);
  ++counts.lines.at(static_cast<std::size_t>(line.status));
  if (line.status == ResultStatus::placed) {
    const std::uint64_t seats = number_in(line.user_count);
    counts.seats_placed += seats;
    counts.seat_months_placed += seats * number_in(line.period);
  }
  if (line.status == ResultStatus::invalid) {
    ++invalid_lines_;
    Record why;
    why.row = line.row;
    why.message = line.message;
    list(invalid_, why, WallTime());
  }
  for (List* const each : {&doubts_, &rejected_, &invalid_}) {
    const auto listed = each->find(line.row.value);
    if (listed == each->end()) continue;
    listed->second.region_id = clipped(line.region_id);
    listed->second.user_count = clipped(line.user_count);
    listed->second.period = clipped(line.period);
  }
}

void Report::close(bool running) {
  running_ = running;
  if (running || rows_.count_of(State::intended) == 0) return;
  std::size_t most = kListedMax;
  for (const Row row : rows_.open_intents()) {
    if (most-- == 0) break;
    Record record = interruption(row);
    record.attempt = rows_.attempts(row);
    list(doubts_, record, WallTime());
  }
}

std::uint64_t Report::in_doubt() const {
  return rows_.count_of(State::in_doubt) + (running_ ? 0 : rows_.count_of(State::intended));
}

std::uint64_t Report::under_way() const { return running_ ? rows_.count_of(State::intended) : 0; }

std::vector<Report::Code> Report::codes() const {
  std::vector<Code> codes;
  for (const auto& [key, code] : codes_) codes.push_back(code);
  std::ranges::stable_sort(codes,
                           [](const Code& a, const Code& b) { return a.answers > b.answers; });
  return codes;
}

Report::Region Report::all_regions() const {
  Region all = other_regions_;
  for (const auto& [name, region] : regions_) {
    for (std::size_t i = 0; i < all.lines.size(); ++i) all.lines[i] += region.lines[i];
    all.seats_placed += region.seats_placed;
    all.seat_months_placed += region.seat_months_placed;
  }
  return all;
}

}  // namespace sagorder
