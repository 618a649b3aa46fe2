// The port behind which a ledger keeps its promises; every implementation passes the same contract
// tests.
//
//   open    takes the lock (one process holds a ledger at a time), creates or checks the format
//   commit  makes a group of records durable, all or none; when it has returned they survive power
//           loss. A commit that throws is never retried: whether it is durable is unknown.
//   replay  gives every durable record back, each row's in the order in which they were committed
//
// All calls block; `LedgerThread` gives commits a thread of their own.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/life.hpp"

namespace sagorder::io {

/// The ledger cannot be read or written (exit 74). The text names the file, or the database without
/// any password, and the cause.
struct LedgerError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Another process holds the ledger (exit 75).
struct LedgerBusy : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Facts of the batch, kept with the records: text by name.
///   ledger_id       32 hex digits, drawn when the ledger was made
///   input_sha256    of the input's bytes
///   input_path, output_path, rows, columns, settings, command, created_at, ...
using Facts = std::map<std::string, std::string, std::less<>>;

class Ledger {
 public:
  virtual ~Ledger() = default;

  [[nodiscard]] virtual Facts facts() = 0;
  /// Durable when it returns. Existing names are overwritten.
  virtual void set_facts(const Facts& facts) = 0;

  virtual void commit(std::span<const Record> records) = 0;

  virtual void replay(const std::function<void(const Step&)>& visit) = 0;

  /// The last outcome record of a row, whole; nullopt if it has none. The first call may prepare
  /// an index.
  [[nodiscard]] virtual std::optional<Record> outcome_of(Row row) = 0;

  /// The same of the rows from one to another, both included, that have one; ascending.
  [[nodiscard]] virtual std::vector<Record> outcomes_of(Row first, Row last) {
    std::vector<Record> records;
    for (Row row = first; row <= last; ++row.value) {
      if (auto record = outcome_of(row)) records.push_back(*std::move(record));
    }
    return records;
  }

  /// Every intent record, in the order of commits.
  virtual void intents(const std::function<void(const Record&)>& visit) = 0;

  /// Every outcome record, in the order of commits.
  virtual void outcomes(const std::function<void(const Record&)>& visit) = 0;

  /// Every record, whole, in the order of commits, of one state of the ledger.
  virtual void records(const std::function<void(const Record&)>& visit) = 0;

  /// Adds References of rows, durably; a row that has one keeps the last.
  virtual void add_references(std::span<const std::pair<Row, std::string>> references) = 0;
  /// Every row that has a Reference, ascending. A file to which none was ever added throws.
  virtual void references(const std::function<void(Row, std::string_view)>& visit) = 0;

  /// True if this object made the ledger: it has no facts and no records yet.
  [[nodiscard]] virtual bool created() const = 0;
  /// The file's path, or the database's address with the batch.
  [[nodiscard]] virtual std::string place() const = 0;

  /// Called before the first commit after what was committed by then has left a log that can be
  /// lost by itself; it may set facts. What it throws fails the commit. A ledger without such a log
  /// never calls it.
  virtual void before_new_log(const std::function<void()>& /*renew*/) {}
};

}  // namespace sagorder::io
