// A report as one HTML page that needs nothing else: styles, scripts and data are in it, and its
// content policy lets it load nothing. Scripts and styles are named by their SHA-256; the data is a
// JSON block, from which texts reach the page as text alone.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/report.hpp"

namespace sagorder::io {

/// What a page says beyond the report. Texts may hold anything.
struct ReportFrame {
  WallTime made;
  bool running = false;
  std::string results, ledger, input, endpoint;
  std::string begun;  ///< RFC 3339
  std::uint64_t in_doubt = 0, invalid = 0, not_sent = 0;
  std::string go_on_command;   ///< empty: nothing is left to send, or a run goes on
  std::string status_command;  ///< lists every doubt
  std::string reconcile_command;
  std::string resolve_command;  ///< a row's options go behind it
  std::vector<std::string> notes;
};

/// What every page begins with: a file that does not is none of ours.
inline constexpr std::string_view kReportMark = "<!DOCTYPE html>\n<!-- a report of sagorder -->\n";

std::string to_page(const Report& report, const ReportFrame& frame);

}  // namespace sagorder::io
