// What a command that orders nothing is doing, while it takes a moment: the progress of a run
// before its first order, on standard error.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "io/orders_file.hpp"
#include "io/progress.hpp"

namespace sagorder::io {

/// What it hands out must not outlive it.
class WorkShown {
 public:
  WorkShown();
  ~WorkShown() { hide(); }
  WorkShown(const WorkShown&) = delete;
  WorkShown& operator=(const WorkShown&) = delete;

  /// @param name the file's; `-` is standard input
  OrdersFile::Watch reading(const std::string& name);
  /// @param ledger its path  @param rows of the batch
  std::function<void(std::uint64_t records)> replaying(const std::string& ledger,
                                                       std::uint64_t rows);
  /// Before anything else is written to the terminal.
  void hide() { progress_.hide(); }

 private:
  Progress progress_;
};

/// The work's name, and how far replaying is: records of about so many, mostly two a row.
std::string reading_of_file(const std::string& name);
std::uint64_t records_about(std::uint64_t rows, std::uint64_t so_far);

}  // namespace sagorder::io
