// Hosts that share a batch in PostgreSQL: ranges, leases and heartbeats, on a connection of their
// own. What each of them means is in io/shared_ledger.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/postgres.hpp"
#include "io/shared_ledger.hpp"

namespace sagorder::io {

class PostgresHosts {
 public:
  /// Looks at the server behind a new connection; throws if it will not do.
  using Check = std::function<void(Postgres&)>;

  /// Each call connects again if the connection was lost in one before. Throws OtherTerms if hosts
  /// are at work that live by another life.
  /// @param host the process's own number in the table of hosts
  /// @param life a host that is not heard of for so long counts as dead
  PostgresHosts(const DatabaseAddress& address, std::string name, std::int64_t run,
                std::int64_t host, milliseconds life, Check check);

  /// It must outlive this.
  void heed(const EndOfWaiting& end) { database_.heed(end); }

  void replace(std::span<const std::int64_t> hosts);
  void make_ranges(std::uint64_t rows, std::uint64_t canary);
  RangeAnswer claim_range(std::uint64_t canary, std::uint64_t left_out);
  bool end_range(Row first, std::uint64_t left_out);
  LeaseAnswer lease(const BucketTerms& terms, const LeaseAsk& ask);
  std::string agree(const std::string& terms, bool bound);
  std::vector<HostSeen> hosts();
  std::vector<OpenIntent> open_intents();
  bool fence(std::int64_t host);
  void leave(const std::optional<Share>& spent);
  [[nodiscard]] bool was_first() const { return first_; }
  bool has_run_begun();

 private:
  /// The first of the hosts that are at work together counts the limits anew, and has all ranges
  /// looked through again: rows of them may have become pending since.
  void begin();
  /// The connection, ready for a statement.
  Postgres& ready();
  void cut_canary(std::int64_t canary);
  [[nodiscard]] bool has_canary_failed(std::uint64_t canary);
  [[nodiscard]] PgValues of_run() const { return PgValues().number(run_); }
  std::vector<Step> steps_of(std::int64_t first, std::int64_t last);
  ShareGrant share(const ShareAsk& ask, const Share& limits);
  void write_share(const Share& held, const Share& spent, std::string_view what);
  [[noreturn]] void refuse_as_of_earlier_run() const;
  [[noreturn]] void refuse_life(milliseconds life) const;
  [[noreturn]] void refuse_lease(const BucketTerms& terms);

  Postgres database_;
  std::int64_t run_;
  std::int64_t host_;
  milliseconds life_;
  Check check_;
  bool checked_ = true;  // since it was connected
  bool first_ = false;
  std::int64_t asked_ = 0;          // for shares of the limits, counted
  std::vector<std::int64_t> held_;  // the first rows of its ranges, as far as answers told
};

}  // namespace sagorder::io
