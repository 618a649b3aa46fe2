// The lines of a results file, one by one, for whoever writes it and whoever only reads it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/order.hpp"
#include "engine/result.hpp"
#include "io/file.hpp"

namespace sagorder::io {

using SeeLine = std::function<void(const ResultKey&, bool header, std::string_view line)>;

/// Where the lines ended, and with what behind them.
struct LinesEnd {
  ResultScan what = ResultScan::end;
  std::uint64_t lines = 0;  ///< whole ones, the header not counted
  std::uint64_t bytes = 0;  ///< of the whole lines
  std::string rest;         ///< what was read of the bytes behind them
};

/// Reads from the file's position on, a chunk at a time. Throws FileError.
LinesEnd for_each_line(const Fd& file, const std::string& path, ResultScanner scanner,
                       const SeeLine& see);

/// The cells of a line of ours: those of kResultColumns, and the input's.
/// @return false: it is none, or has other columns
bool decode_line(ResultFormat format, const std::vector<std::string>& input_columns,
                 std::string_view line, Cells& own, Cells& input);

}  // namespace sagorder::io
