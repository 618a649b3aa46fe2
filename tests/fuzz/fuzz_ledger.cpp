// engine/life: whatever records come in whatever order, a row's state is what the rules make of
// them, an illegal record changes nothing, and no attempt follows one that may have executed.
//
// Input: how many rows (one byte), then three bytes a record: kind, row, attempt.
#include <vector>

#include "engine/life.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace sagorder {
namespace {

using fuzz::require;

constexpr std::size_t kRowsMax = 24;
constexpr std::size_t kRecordsMax = 4096;

/// What one row's records say, reckoned by the design's words.
struct Truth {
  std::uint32_t attempts = 0;
  bool on_its_way = false;      // an attempt without an outcome
  bool maybe_executed = false;  // doubt that nobody has ended
  bool placed = false;
  bool rejected = false;

  [[nodiscard]] State state() const {
    if (placed) return State::placed;
    if (rejected) return State::rejected;
    if (maybe_executed) return State::in_doubt;
    return on_its_way ? State::intended : State::pending;
  }

  [[nodiscard]] bool settled() const { return placed || rejected; }

  /// @return false: it cannot be, and nothing has changed
  bool take(RecordKind kind, std::uint32_t attempt) {
    if (settled()) return false;
    const bool free = !on_its_way && !maybe_executed;
    if (kind == RecordKind::intent) {
      if (!free || attempt != attempts + 1) return false;
      attempts = attempt;
      on_its_way = true;
      return true;
    }
    if (free || attempt != attempts) return false;
    switch (kind) {
      case RecordKind::intent:
        return false;
      case RecordKind::not_executed:  // no word against a doubt
      case RecordKind::rejected:
        if (maybe_executed) return false;
        on_its_way = false;
        rejected = kind == RecordKind::rejected;
        return true;
      case RecordKind::placed:
        on_its_way = maybe_executed = false;
        placed = true;
        return true;
      case RecordKind::in_doubt:
        on_its_way = false;
        maybe_executed = true;
        return true;
      case RecordKind::replay:
        return maybe_executed;
      case RecordKind::resolved_placed:
      case RecordKind::resolved_not_placed:
        if (!maybe_executed) return false;
        maybe_executed = false;
        placed = kind == RecordKind::resolved_placed;
        return true;
    }
    return false;
  }
};

std::vector<Truth> truths;

void check_row(const Rows& rows, std::size_t index) {
  const Row row{index + 1};
  require(rows.state(row) == truths[index].state(), "a row is in the state its records make");
  require(rows.attempts(row).value == truths[index].attempts, "its attempts are counted");
  require(rows.touched(row) == (truths[index].attempts > 0),
          "a row is touched by its first intent");
}

void check_all(const Rows& rows) {
  std::array<std::uint64_t, kStates> counts{};
  for (std::size_t i = 0; i < truths.size(); ++i) {
    check_row(rows, i);
    ++counts[static_cast<std::size_t>(truths[i].state())];
  }
  for (std::size_t state = 0; state < counts.size(); ++state) {
    require(rows.count_of(static_cast<State>(state)) == counts[state], "the states are counted");
  }
}

void apply(Rows& rows, RecordKind kind, std::uint64_t row, std::uint32_t attempt) {
  const bool there = row >= 1 && row <= truths.size();
  const bool may = there && truths[row - 1].take(kind, attempt);
  require(rows.apply({kind, Row{row}, Attempt{attempt}}) == may,
          "a record is taken if it may follow, and else refused");
  if (there) check_row(rows, row - 1);
}

/// Near the attempt that would be right, or anything.
std::uint32_t attempt_of(std::uint8_t drawn, std::uint64_t row, RecordKind kind) {
  if (row < 1 || row > truths.size()) return drawn;
  const std::uint32_t right = truths[row - 1].attempts + (kind == RecordKind::intent ? 1 : 0);
  if (drawn < 0xE0) return right;
  if (drawn < 0xF0) return drawn - 0xE0;
  return drawn == 0xFF ? UINT32_MAX : right + drawn - 0xF7;
}

void close(Rows& rows) {
  std::size_t open = 0;
  for (const Truth& truth : truths) open += truth.on_its_way ? 1 : 0;
  const std::vector<Record> records = open_as_in_doubt(rows, WallTime{});
  require(records.size() == open, "a start closes each attempt without an outcome, and no other");
  for (const Record& record : records) {
    require(record.kind == RecordKind::in_doubt, "what a start closes is in doubt");
    apply(rows, record.kind, record.row.value, record.attempt.value);
  }
  require(rows.open_intents().empty() && rows.count_of(State::intended) == 0,
          "after a start no attempt is left without an outcome");
}

}  // namespace
}  // namespace sagorder

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sagorder;
  fuzz::Draw draw(data, size);
  truths.assign(draw.byte() % kRowsMax, Truth{});
  Rows rows(truths.size());
  require(rows.count() == truths.size(), "there are as many rows as were asked for");
  for (std::size_t count = 0; !draw.empty() && count < kRecordsMax; ++count) {
    const std::uint8_t first = draw.byte();
    const auto kind = static_cast<RecordKind>(first % kRecordKinds);
    const std::uint8_t second = draw.byte();
    const std::uint64_t row = second == 0xFF ? UINT64_MAX : second % (kRowsMax + 2);
    const std::uint8_t third = draw.byte();
    apply(rows, kind, row, attempt_of(third, row, kind));
    // More attempts than a byte holds.
    const std::size_t tries = first >= 0xFE ? third % 64 : 0;
    for (std::size_t i = 0; i < tries && row <= truths.size() && row > 0; ++i) {
      apply(rows, RecordKind::intent, row, attempt_of(0, row, RecordKind::intent));
      apply(rows, RecordKind::not_executed, row, attempt_of(0, row, RecordKind::not_executed));
    }
  }
  check_all(rows);
  close(rows);
  check_all(rows);
  return 0;
}
