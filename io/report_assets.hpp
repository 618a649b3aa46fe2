// The files of io/report/, as they are, inside the program.
#pragma once

#include <string_view>

namespace sagorder::io {

struct ReportAssets {
  std::string_view page;  ///< HTML with {{names}} of what is put into it
  std::string_view style;
  std::string_view script;
  std::string_view chart_style, chart_script, chart_licence;  ///< uPlot
};

const ReportAssets& report_assets();

}  // namespace sagorder::io
