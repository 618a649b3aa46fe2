#include "io/results_lines.hpp"

#include <nlohmann/json.hpp>

#include "engine/csv.hpp"

namespace sagorder::io {
namespace {

constexpr std::size_t kChunkBytes = 256 * 1024;

std::string text_of(const nlohmann::json& line, std::string_view column) {
  const auto found = line.find(column);
  if (found == line.end() || found->is_null()) return {};
  return found->is_string() ? found->get<std::string>() : found->dump();
}

bool decode_json(const std::vector<std::string>& input_columns, std::string_view line, Cells& own,
                 Cells& input) {
  const auto object = nlohmann::json::parse(line, nullptr, false);
  if (!object.is_object()) return false;
  for (const std::string_view column : kResultColumns) own.push_back(text_of(object, column));
  for (const std::string& column : input_columns) input.push_back(text_of(object, column));
  return true;
}

bool decode_csv(const std::vector<std::string>& input_columns, std::string_view line, Cells& own,
                Cells& input) {
  csv::Reader reader(csv::Limits{line.size(), line.size(), line.size() + 1});
  csv::Record record;
  const std::size_t width = kResultColumns.size() + input_columns.size();
  if (reader.next(line, true, record).status != csv::Status::record) return false;
  if (record.fields.size() != width) return false;
  for (std::size_t i = 0; i < width; ++i) {
    (i < kResultColumns.size() ? own : input).push_back(record.fields[i].text);
  }
  return true;
}

}  // namespace

LinesEnd for_each_line(const Fd& file, const std::string& path, ResultScanner scanner,
                       const SeeLine& see) {
  ResultKey key;
  LinesEnd end;
  std::string buffer;
  std::size_t begin = 0;
  bool last = false;
  while (true) {
    const std::string_view unread = std::string_view(buffer).substr(begin);
    const auto step = scanner.next(unread, last, key);
    if (step.need_more) {
      buffer.erase(0, begin);
      begin = 0;
      const std::size_t held = buffer.size();
      buffer.resize(held + kChunkBytes);
      const std::size_t got = read_full(file, buffer.data() + held, kChunkBytes, path);
      buffer.resize(held + got);
      last = got < kChunkBytes;
      continue;
    }
    if (step.what != ResultScan::line) {
      end.what = step.what;
      end.rest = unread;
      return end;
    }
    see(key, step.header, unread.substr(0, step.consumed));
    end.lines += step.header ? 0 : 1;
    begin += step.consumed;
    end.bytes += step.consumed;
  }
}

bool decode_line(ResultFormat format, const std::vector<std::string>& input_columns,
                 std::string_view line, Cells& own, Cells& input) {
  own.clear();
  input.clear();
  return format == ResultFormat::csv ? decode_csv(input_columns, line, own, input)
                                     : decode_json(input_columns, line, own, input);
}

}  // namespace sagorder::io
