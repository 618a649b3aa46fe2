// A run's numbers for Prometheus: its text format, version 0.0.4. Seconds, bytes and counts;
// counters end in _total and begin anew with each run, whose name `sagorder_run_info` tells. Rows
// by state are the batch's. At most some hundred lines, whatever the run: regions and codes are
// bounded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "io/pool.hpp"
#include "io/run_view.hpp"

namespace sagorder::io {

inline constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

struct MetricsView {
  const RunView& run;
  std::uint64_t invalid = 0;  ///< rows left out
  std::uint32_t on_wire = 0;  ///< requests whose answers are awaited
  std::string_view run_id;
  WallTime begun{};
  struct Over {
    WallTime at;
    int exit_code = 0;
  };
  std::optional<Over> over;             ///< nullopt: the run goes on
  std::optional<PoolCounters> network;  ///< nullopt: not known now
  /// Before its first order: it says nothing of the batch, at which it may not even have looked.
  bool refused = false;
};

/// Lines, each with its end.
std::string metrics_text(const MetricsView& view);

/// Makes the text the whole of `path`, at once for whoever opens it. It is not made durable: who
/// reads it looks at a machine that runs. Made 0600; a file that is there keeps its mode.
/// Throws FileError.
void write_metrics(const std::string& path, std::string_view text);

}  // namespace sagorder::io
