#include "io/table.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "io/manual.hpp"

namespace sagorder::io {
namespace {

constexpr std::size_t kHanging = 4;  // what later lines are indented by
constexpr std::size_t kWideMin = 20;
constexpr char kTogether = '\x1f';  // in the place of a blank where no line may end

/// @param indent of the first line; the later ones have `hanging`
std::string lines_of(std::string_view text, std::size_t wide, std::size_t indent,
                     std::size_t hanging) {
  const std::string lines = filled(text, std::max(wide, kWideMin) - hanging);
  std::string shown(indent, ' ');
  for (const char each : lines) {
    shown += each;
    if (each == '\n') shown.append(hanging, ' ');
  }
  return shown + "\n";
}

}  // namespace

std::size_t Table::width() const {
  std::size_t width = indent_ + columns_.size() - 1;
  for (const TableColumn& column : columns_) width += column.width;
  return width;
}

std::string Table::text(int wide) const {
  const bool narrow = wide > 0 && static_cast<std::size_t>(wide) < width();
  return narrow ? in_words(static_cast<std::size_t>(wide)) : in_columns();
}

std::string Table::in_columns() const {
  std::string text;
  const auto add = [&](const auto& cell_of) {
    text.append(indent_, ' ');
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::size_t width = columns_[i].width;
      text += i == 0 ? fmt::format("{:<{}}", cell_of(i), width)
                     : fmt::format(" {:>{}}", cell_of(i), width);
    }
    text += '\n';
  };
  add([&](std::size_t i) { return columns_[i].name; });
  for (const auto& cells : lines_) add([&](std::size_t i) { return std::string_view(cells[i]); });
  return text;
}

std::string Table::in_words(std::size_t wide) const {
  std::string text;
  for (const auto& cells : lines_) {
    text += lines_of(cells[0], wide, indent_, indent_ + kHanging);
    std::string words;
    for (std::size_t i = 1; i < columns_.size(); ++i) {
      std::string pair = fmt::format("{} {}", columns_[i].name, cells[i]);
      std::ranges::replace(pair, ' ', kTogether);
      words += (i == 1 ? "" : ", ") + pair;
    }
    std::string lines = lines_of(words, wide, indent_ + kHanging, indent_ + kHanging);
    std::ranges::replace(lines, kTogether, ' ');
    text += lines;
  }
  return text;
}

std::string fitted(std::string_view line, int wide) {
  if (wide <= 0 || line.size() <= static_cast<std::size_t>(wide)) return std::string(line) + "\n";
  const std::size_t indent = std::min(line.find_first_not_of(' '), line.size());
  return lines_of(line.substr(indent), static_cast<std::size_t>(wide), indent, indent + kHanging);
}

}  // namespace sagorder::io
