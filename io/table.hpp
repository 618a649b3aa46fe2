// A table for people: in columns where the terminal is wide enough, else each line below its name
// and in words, so that nothing wraps into its neighbour.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sagorder::io {

struct TableColumn {
  std::string_view name;
  std::size_t width;
};

class Table {
 public:
  /// @param columns the first one, of names, is to the left, those after it are to the right
  /// @param indent blanks before each line
  Table(std::vector<TableColumn> columns, std::size_t indent)
      : columns_(std::move(columns)), indent_(indent) {}

  /// @param cells one a column, the name first
  void add(std::vector<std::string> cells) { lines_.push_back(std::move(cells)); }

  /// Lines, each with its end. @param wide columns of the terminal; 0: it is none
  [[nodiscard]] std::string text(int wide) const;

 private:
  [[nodiscard]] std::string in_columns() const;
  [[nodiscard]] std::string in_words(std::size_t wide) const;
  [[nodiscard]] std::size_t width() const;

  std::vector<TableColumn> columns_;
  std::size_t indent_;
  std::vector<std::vector<std::string>> lines_;
};

/// A sentence in lines of the terminal's width, the later ones indented; as it is if it fits.
/// @param line without its end  @param wide columns of the terminal; 0: it is none
std::string fitted(std::string_view line, int wide);

}  // namespace sagorder::io
