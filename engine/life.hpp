// The life of a row: record kinds, the total state table, and replay.
//
//   pending -> intended -> placed | rejected | in_doubt, and intended -> pending only when the
//   attempt certainly did not execute. Doubt is sticky: an OrderId or an operator ends it.
//
// A ledger is a sequence of records; a row's state is the fold of its records. A record that does
// not follow from the state before it means that the ledger is not ours or not whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/moment.hpp"
#include "engine/nonce.hpp"
#include "engine/order.hpp"

namespace sagorder {

enum class State : std::uint8_t {
  pending,   ///< may be attempted
  intended,  ///< an attempt may be on its way; found so at start: in doubt
  placed,    ///< OrderId known
  rejected,  ///< refused for good
  in_doubt,  ///< may have executed; never attempted again by itself
};
inline constexpr int kStates = 5;

enum class RecordKind : std::uint8_t {
  intent,               ///< attempt k with nonce n may be sent from now on
  not_executed,         ///< attempt k certainly did not execute
  placed,               ///< attempt k executed: OrderId
  rejected,             ///< attempt k was refused for what the row says
  in_doubt,             ///< attempt k may have executed
  replay,               ///< the identical bytes of attempt k are about to be sent once more
  resolved_placed,      ///< an operator's evidence: it was placed, as this OrderId
  resolved_not_placed,  ///< an operator's evidence: it was not placed; pending again
};
inline constexpr int kRecordKinds = 8;

std::string_view name_of(State state);
std::string_view name_of(RecordKind kind);
std::optional<RecordKind> record_kind_of(std::string_view name);

/// The total table: the state after, or nullopt if such a record cannot follow.
std::optional<State> next_state(State state, RecordKind kind);

/// One line of the ledger. Strings are reused when records are.
struct Record {
  RecordKind kind = RecordKind::intent;
  Row row;
  Attempt attempt;
  WallTime at;              ///< intent: the timestamp that is signed; else when it was decided
  Nonce nonce;              ///< intent only
  int http_status = 0;      ///< 0: no answer
  milliseconds latency{0};  ///< first byte of the request to the end of the answer
  std::string order_id;
  std::string sag_id;
  std::string request_id;
  std::string code;      ///< the API's, or the name of a fault
  std::string message;   ///< the API's, or a sentence on the fault
  std::string evidence;  ///< in_doubt: the body's first bytes; resolved_*: the operator's words
};

/// What replay needs of a record.
struct Step {
  RecordKind kind;
  Row row;
  Attempt attempt;
};

/// The rows' states as the ledger tells them. One byte a row.
class Rows {
 public:
  /// @param count rows of the input; steps of other rows are refused.
  explicit Rows(std::uint64_t count);

  /// Folds one record in. @return false: it cannot follow (unknown row, wrong attempt number,
  /// no such transition); the state is left as it was.
  bool apply(const Step& step);

  [[nodiscard]] std::uint64_t count() const { return states_.size(); }
  [[nodiscard]] State state(Row row) const;
  [[nodiscard]] Attempt attempts(Row row) const;  ///< attempts begun so far
  [[nodiscard]] std::uint64_t count_of(State state) const;
  /// Rows with an intent and no outcome, ascending: they open as in doubt.
  [[nodiscard]] std::vector<Row> open_intents() const;
  [[nodiscard]] bool touched(Row row) const;  ///< has any record

  /// Of a ledger that other hosts write, too: what is known of this row may be outdated. It is as
  /// if it had no record; they are folded in again from the first.
  void forget(Row row);

 private:
  std::vector<std::uint8_t> states_;  // state in the low bits, attempts (saturated) above
  std::unordered_map<std::uint64_t, std::uint32_t> many_attempts_;  // beyond what a byte holds
  std::uint64_t counts_[kStates] = {};
};

/// The code of an attempt that a start found open; no server gave it.
inline constexpr std::string_view kCodeInterrupted = "Interrupted";

/// The code of an attempt that was recorded and taken back before a byte of it was sent.
inline constexpr std::string_view kCodeNotSent = "NotSent";

/// An open attempt's own, once nobody is at it any more.
Record interrupted(Row row, Attempt attempt, WallTime now);

/// The records with which a start closes what a crash left open.
std::vector<Record> open_as_in_doubt(const Rows& rows, WallTime now);

}  // namespace sagorder
