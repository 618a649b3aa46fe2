// The ledger in one SQLite file: WAL, synchronous=FULL, 0600.
//
//   meta(name, value)                the facts
//   intent(seq, row, attempt, ...)   attempts that may have been sent, with nonce and timestamp
//   outcome(seq, kind, row, ...)     every other record
//   kind(id, name)                   the names of the kinds
//   reference(row, value)            the rows' References, if the input has such a column
//   orders                           a view for people: one line a row, with its state
//
// `seq` counts the records of both tables from 1, in the order of commits and without a gap; a gap
// or a number twice means that the file is damaged. Rows are only ever appended.
//
// The lock is an flock of the database file itself, held by a descriptor that is open from before
// SQLite opens the file until after it closed it. (Closing any descriptor of the file earlier would
// drop the POSIX locks that SQLite holds in this process; so a process opens a ledger once.) After
// each commit the file and its -wal must still bear their names: records in a file that was removed
// are not durable. A commit that fails ends the object's use for writing.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "io/ledger.hpp"

namespace sagorder::io {

inline constexpr int kLedgerFormat = 1;  ///< user_version; a newer one is refused

class SqliteLedger final : public Ledger {
 public:
  /// Opens or creates, and locks. Throws LedgerBusy, or LedgerError if the file is foreign, newer,
  /// damaged or cannot be made.
  explicit SqliteLedger(const std::string& path);

  /// Without a lock, also while a run holds it. Creates nothing; a file that is not there is a
  /// LedgerError. commit and set_facts throw; outcome_of reads the whole table unless a run made
  /// its index.
  static std::unique_ptr<SqliteLedger> open_for_reading(const std::string& path);

  ~SqliteLedger() override;
  SqliteLedger(const SqliteLedger&) = delete;
  SqliteLedger& operator=(const SqliteLedger&) = delete;

  [[nodiscard]] bool created() const override;
  [[nodiscard]] std::string place() const override;
  /// After each checkpoint, by which what the log held came into the file.
  void before_new_log(const std::function<void()>& renew) override;

  [[nodiscard]] Facts facts() override;
  void set_facts(const Facts& facts) override;
  void commit(std::span<const Record> records) override;
  void replay(const std::function<void(const Step&)>& visit) override;
  [[nodiscard]] std::optional<Record> outcome_of(Row row) override;
  void intents(const std::function<void(const Record&)>& visit) override;
  void outcomes(const std::function<void(const Record&)>& visit) override;

  /// Ledgers of older programs get the table, which those do not mind.
  void add_references(std::span<const std::pair<Row, std::string>> references) override;
  /// Throws LedgerError if none was ever added.
  void references(const std::function<void(Row, std::string_view)>& visit) override;
  void records(const std::function<void(const Record&)>& visit) override;

 private:
  struct State;
  explicit SqliteLedger(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sagorder::io
