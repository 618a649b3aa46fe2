// Which server and which tables a batch is kept by, and whether others took their place that may
// know less.
//
// A standby that is promoted goes on as another timeline. If commits had waited for it, it knows
// all of them; if not, the last ones may be missing, and nothing in the tables tells. What was
// restored from a dump are other tables, or another cluster, and lacks what was committed since,
// whoever was waited for. So all three are a fact of the batch, with whether commits wait for a
// standby, and whoever comes after a change of the forgetful kind is told.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "io/postgres.hpp"
#include "io/shared_ledger.hpp"

namespace sagorder::io {

inline constexpr std::string_view kFactServer = "server";
/// Commits may be missing: why, a clause for people. Nothing is sent until somebody has looked.
inline constexpr std::string_view kFactFailover = "failover";

class PostgresTimeline {
 public:
  /// As it is now; of a session that may write, and of tables that are made.
  explicit PostgresTimeline(Postgres& database);

  /// Compares with what the batch's last writer found, and notes this one in its place. Where
  /// commits may be missing, the fact `failover` says so from then on. Throws RecordsLost if the
  /// batch is gone.
  /// @param digest of its input
  void note(Postgres& database, std::int64_t run, std::string_view digest) const;

  /// Why commits may be missing, as `note` would find it; nothing is noted. Empty: none are, or a
  /// standby was asked, which cannot tell.
  static std::string look(Postgres& database, std::int64_t run);

  /// Why commits may be missing where `this` was before and `later` is now; empty: none are.
  [[nodiscard]] std::string why_forgetful(const PostgresTimeline& later) const;
  /// The number of the tables; those that are restored from a dump have another one.
  [[nodiscard]] std::int64_t tables() const { return tables_; }

 private:
  explicit PostgresTimeline(std::string_view fact);
  [[nodiscard]] std::string fact() const;
  [[nodiscard]] std::string name() const { return cluster_ + "/" + timeline_; }

  std::string cluster_;      // `7412345678901234567`
  std::string timeline_;     // `00000001`
  std::int64_t tables_ = 0;  // 0: not known
  bool waits_ = false;       // commits wait for a standby
};

/// Why commits may be missing, a clause for people; empty: none are, as far as anybody knows.
std::string commits_missing(const Facts& facts);

/// Marks a batch, if it is there: commits are missing.
/// @param digest of its input  @param why a clause for people
void mark_forgetful(Postgres& database, std::int64_t run, std::string_view digest,
                    std::string_view why);

/// Throws RecordsLost. @param why a clause for people
[[noreturn]] void refuse_as_forgetful(const Postgres& database, std::string_view why);

}  // namespace sagorder::io
