#include "io/work_shown.hpp"

#include <unistd.h>

#include <algorithm>

#include "io/driver.hpp"
#include "io/process.hpp"

namespace sagorder::io {

std::string reading_of_file(const std::string& name) {
  return "reading " + (name == "-" ? "standard input" : name);
}

std::uint64_t records_about(std::uint64_t rows, std::uint64_t so_far) {
  return std::max(2 * rows, so_far);
}

WorkShown::WorkShown()
    : progress_(ProgressMode::automatic, is_terminal(STDERR_FILENO),
                [] { return terminal_width(STDERR_FILENO); }) {}

OrdersFile::Watch WorkShown::reading(const std::string& name) {
  return [this, what = reading_of_file(name)](std::uint64_t bytes, std::uint64_t of) {
    progress_.work(what, bytes, of, now().steady);
  };
}

std::function<void(std::uint64_t)> WorkShown::replaying(const std::string& ledger,
                                                        std::uint64_t rows) {
  return [this, what = "replaying " + ledger, rows](std::uint64_t records) {
    progress_.work(what, records, records_about(rows, records), now().steady);
  };
}

}  // namespace sagorder::io
