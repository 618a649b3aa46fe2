#include "engine/life.hpp"

#include <algorithm>
#include <array>

#include "engine/planted.hpp"

namespace sagorder {
namespace {

constexpr std::array<std::string_view, kStates> kStateNames = {"pending", "intended", "placed",
                                                               "rejected", "in_doubt"};
constexpr std::array<std::string_view, kRecordKinds> kKindNames = {
    "intent",   "not_executed", "placed",          "rejected",
    "in_doubt", "replay",       "resolved_placed", "resolved_not_placed"};

// A row's byte: three bits of state, five of attempts. 31 attempts or more are counted aside.
constexpr std::uint8_t kStateBits = 3;
constexpr std::uint8_t kStateMask = (1U << kStateBits) - 1;
constexpr std::uint32_t kAttemptsInByte = (1U << (8 - kStateBits)) - 1;

}  // namespace

std::string_view name_of(State state) { return kStateNames[static_cast<std::size_t>(state)]; }

std::string_view name_of(RecordKind kind) { return kKindNames[static_cast<std::size_t>(kind)]; }

std::optional<RecordKind> record_kind_of(std::string_view name) {
  const auto* const found = std::find(kKindNames.begin(), kKindNames.end(), name);
  if (found == kKindNames.end()) return std::nullopt;
  return static_cast<RecordKind>(found - kKindNames.begin());
}

std::optional<State> next_state(State state, RecordKind kind) {
  using enum State;
  constexpr auto kNone = std::nullopt;
  using Line = std::array<std::optional<State>, kRecordKinds>;
  // in the order of RecordKind:
  //  intent    not_executed  placed  rejected  in_doubt  replay    resolved_placed  .._not_placed
  static constexpr std::array<Line, kStates> kTable = {{
      {intended, kNone, kNone, kNone, kNone, kNone, kNone, kNone},         // pending
      {kNone, pending, placed, rejected, in_doubt, kNone, kNone, kNone},   // intended
      {kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone},            // placed
      {kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone},            // rejected
      {kNone, kNone, placed, kNone, in_doubt, in_doubt, placed, pending},  // in_doubt
  }};
  if (planted(Planted::replay_after_restart) && state == in_doubt && kind == RecordKind::intent) {
    return intended;
  }
  if (planted(Planted::refusal_ends_doubt) && state == in_doubt) {
    if (kind == RecordKind::rejected || kind == RecordKind::not_executed) {
      return kind == RecordKind::rejected ? rejected : pending;
    }
  }
  return kTable[static_cast<std::size_t>(state)][static_cast<std::size_t>(kind)];
}

Rows::Rows(std::uint64_t count) : states_(count, 0) { counts_[0] = count; }

bool Rows::apply(const Step& step) {
  if (step.row.value == 0 || step.row.value > states_.size()) return false;
  const State before = state(step.row);
  const std::uint32_t begun = attempts(step.row).value;
  const bool intent = step.kind == RecordKind::intent;
  if (step.attempt.value != begun + (intent ? 1 : 0)) return false;
  const std::optional<State> after = next_state(before, step.kind);
  if (!after) return false;

  std::uint8_t& byte = states_[step.row.value - 1];
  if (step.attempt.value >= kAttemptsInByte) many_attempts_[step.row.value] = step.attempt.value;
  const std::uint32_t kept = std::min(step.attempt.value, kAttemptsInByte);
  byte = static_cast<std::uint8_t>((kept << kStateBits) | static_cast<std::uint32_t>(*after));
  --counts_[static_cast<std::size_t>(before)];
  ++counts_[static_cast<std::size_t>(*after)];
  return true;
}

State Rows::state(Row row) const {
  return static_cast<State>(states_.at(row.value - 1) & kStateMask);
}

Attempt Rows::attempts(Row row) const {
  const std::uint32_t kept = static_cast<std::uint32_t>(states_.at(row.value - 1)) >> kStateBits;
  return {kept < kAttemptsInByte ? kept : many_attempts_.at(row.value)};
}

std::uint64_t Rows::count_of(State state) const { return counts_[static_cast<std::size_t>(state)]; }

std::vector<Row> Rows::open_intents() const {
  std::vector<Row> open;
  for (std::uint64_t i = 0; i < states_.size(); ++i) {
    if (state({i + 1}) == State::intended) open.push_back({i + 1});
  }
  return open;
}

void Rows::forget(Row row) {
  --counts_[static_cast<std::size_t>(state(row))];
  ++counts_[static_cast<std::size_t>(State::pending)];
  states_.at(row.value - 1) = 0;
}

bool Rows::touched(Row row) const { return attempts(row).value > 0; }

Record interrupted(Row row, Attempt attempt, WallTime now) {
  Record record;
  record.kind = RecordKind::in_doubt;
  record.row = row;
  record.attempt = attempt;
  record.at = now;
  record.code = kCodeInterrupted;
  record.message = "the program ended after this attempt was recorded and before its answer was";
  return record;
}

std::vector<Record> open_as_in_doubt(const Rows& rows, WallTime now) {
  std::vector<Record> records;
  for (const Row row : rows.open_intents()) {
    records.push_back(interrupted(row, rows.attempts(row), now));
    if (planted(Planted::resume_resends)) records.back().kind = RecordKind::not_executed;
  }
  return records;
}

}  // namespace sagorder
