// The ledger in a PostgreSQL database: the schema `sagorder`, made by io/postgres_schema.
//
//   run(id, input_sha256, holder)    a batch; the same content is the same batch from every host
//   fact(run, name, value)           the facts
//   host(id, run, name, ...)         each process that opened it for writing
//   attempt(run, row, number, ...)   attempts that may have been sent; its key is the claim
//   outcome(run, row, seq, ...)      every other record
//   plan(digest, ledger_id, ...)     the batch that used a plan
//   reference(run, row, value)       the rows' References, if the input has such a column
//   orders                           a view for people: one line a row, with its state
//
// attempt and outcome have a partition for each run, and rows are only ever appended. `seq` orders
// the records of a run: a commit draws a number of the database's, and counts its records behind
// it.
//
// A group is one statement, and so one transaction: with synchronous_commit=on it is durable when
// the server is ready for the next. If the connection is lost before, nobody knows whether it is;
// the commit fails, and the object's use for writing ends.
//
// One process holds a batch at a time, by a lock of its session; or hosts share it, and then all of
// them hold that lock together. It is gone with the session, so that it needs no tidying, and
// nothing is committed without it, for both are of one session. Who settles rows holds it together
// with them, and a second one, by which there is one such process at a time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "io/database_address.hpp"
#include "io/shared_ledger.hpp"

namespace sagorder::io {

inline constexpr std::size_t kGroupMax = std::size_t{1} << 20;  ///< records of one commit

/// It cannot be told which of a database's batches is meant; the text lists them.
struct SeveralBatches : LedgerError {
  using LedgerError::LedgerError;
};

/// Which batch of a database is meant.
struct BatchWanted {
  std::string digest = {};  ///< of its input, or the beginning; empty: not known
  std::string output = {};  ///< absolute path of its results; for where several batches are there
};

class PostgresHosts;

class PostgresLedger final : public SharedLedger {
 public:
  /// Opens the batch of this input for writing, or makes it, and locks it. Throws LedgerBusy with
  /// the name of the host that holds it, or LedgerError.
  /// @param digest 64 hex digits
  PostgresLedger(const DatabaseAddress& address, const std::string& digest);

  /// The same, of a batch that is there. nullptr: there is none. Throws SeveralBatches, too.
  static std::unique_ptr<PostgresLedger> open_if_there(const DatabaseAddress& address,
                                                       const BatchWanted& wanted);

  /// Opens the batch of this input, or makes it, to share it with other hosts. Throws LedgerBusy if
  /// one holds it alone, and OtherTerms if hosts are at work that live by another life.
  /// @param life a host that is not heard of for so long counts as dead
  static std::unique_ptr<PostgresLedger> open_to_share(const DatabaseAddress& address,
                                                       const std::string& digest,
                                                       milliseconds life = kHostLife);

  /// Opens a batch that is there to settle rows of it, also while hosts share it; it is none of
  /// them. Throws LedgerBusy if one holds it alone, or somebody else settles rows. nullptr: there
  /// is none. Throws SeveralBatches, too.
  static std::unique_ptr<PostgresLedger> open_to_settle(const DatabaseAddress& address,
                                                        const BatchWanted& wanted);

  /// Without a lock, also while a run holds it; commit and set_facts throw. nullptr: there is none.
  static std::unique_ptr<PostgresLedger> open_for_reading(const DatabaseAddress& address,
                                                          const BatchWanted& wanted);

  ~PostgresLedger() override;
  PostgresLedger(const PostgresLedger&) = delete;
  PostgresLedger& operator=(const PostgresLedger&) = delete;

  /// Whether a process holds the batch alone, or hosts that share it are alive.
  [[nodiscard]] bool held();

  [[nodiscard]] bool created() const override;
  [[nodiscard]] std::string place() const override;
  [[nodiscard]] Facts facts() override;
  void set_facts(const Facts& facts) override;
  void commit(std::span<const Record> records) override;
  void replay(const std::function<void(const Step&)>& visit) override;
  [[nodiscard]] std::optional<Record> outcome_of(Row row) override;
  [[nodiscard]] std::vector<Record> outcomes_of(Row first, Row last) override;
  void intents(const std::function<void(const Record&)>& visit) override;
  void outcomes(const std::function<void(const Record&)>& visit) override;
  void records(const std::function<void(const Record&)>& visit) override;
  void add_references(std::span<const std::pair<Row, std::string>> references) override;
  void references(const std::function<void(Row, std::string_view)>& visit) override;

  // However it was opened.
  [[nodiscard]] std::vector<HostSeen> hosts() override;
  [[nodiscard]] std::vector<OpenIntent> open_intents() override;
  [[nodiscard]] std::optional<OpenIntent> under_way(Row row) override;
  [[nodiscard]] std::vector<Step> steps(Row row) override;
  [[nodiscard]] bool fence(std::int64_t host) override;
  void settle(std::span<const Record> records) override;
  [[nodiscard]] std::string caution() override;

  // Of a batch that is open to be shared; else they throw LedgerError.
  [[nodiscard]] std::vector<std::uint32_t> claim(std::span<const Record> records) override;
  [[nodiscard]] std::vector<std::uint32_t> claim_again(std::span<const Record> records) override;
  void connect_if_lost() override;
  void end_waiting_at(SteadyTime at) override;
  Facts add_facts(const Facts& facts) override;
  void change_fact(const std::string& name,
                   const std::function<std::string(const std::string& before)>& change) override;
  std::optional<PlanUse> take_plan(const std::string& digest, const std::string& ledger_id,
                                   const std::string& output) override;
  bool give_back_plan(const std::string& digest) override;
  [[nodiscard]] std::int64_t host() const override;
  [[nodiscard]] bool was_first() const override;
  [[nodiscard]] bool has_run_begun() override;
  void replace(std::span<const std::int64_t> hosts) override;
  void make_ranges(std::uint64_t rows, std::uint64_t canary) override;
  [[nodiscard]] RangeAnswer claim_range(std::uint64_t canary, std::uint64_t left_out) override;
  bool end_range(Row first, std::uint64_t left_out) override;
  [[nodiscard]] LeaseAnswer lease(const BucketTerms& terms, const LeaseAsk& ask) override;
  std::string agree(const std::string& terms, bool bound) override;
  void tried_by(std::span<const std::int64_t> hosts,
                const std::function<void(Row)>& visit) override;
  using SharedLedger::leave;
  void leave(const std::optional<Share>& spent) override;

 private:
  struct State;
  explicit PostgresLedger(std::unique_ptr<State> state);
  [[nodiscard]] PostgresHosts& hosts_at_work() const;
  std::unique_ptr<State> state_;
};

}  // namespace sagorder::io
