// Which server a batch is kept by, and whether another one took its place that may know less.
//
// A standby that is promoted goes on as another timeline. If commits had waited for it, it knows
// all of them; if not, the last ones may be missing, and nothing in the tables tells. So the
// timeline is a fact of the batch, with whether commits wait for a standby, and whoever comes after
// a failover of the second kind is told.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "io/postgres.hpp"

namespace sagorder::io {

inline constexpr std::string_view kFactServer = "server";
inline constexpr std::string_view kFactFailover = "failover";  ///< commits may be missing since

class PostgresTimeline {
 public:
  /// As the server is now; of a session that may write.
  explicit PostgresTimeline(Postgres& database);

  /// Compares with what the batch's last writer found, and notes this one in its place. Where
  /// commits may be missing, the fact `failover` says so from then on.
  void note(Postgres& database, std::int64_t run) const;

  /// Whether commits may be missing behind a failover from `this` to `later`.
  [[nodiscard]] bool may_lack_commits(const PostgresTimeline& later) const {
    return later.name_ != name_ && !waits_;
  }
  /// `7412345678901234567/00000001`: the cluster, and its timeline.
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  explicit PostgresTimeline(const std::string& fact);
  [[nodiscard]] std::string fact() const;

  std::string name_;
  bool waits_ = false;  // commits wait for a standby
};

}  // namespace sagorder::io
