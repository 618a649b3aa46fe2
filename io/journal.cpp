#include "io/journal.hpp"

#include <sys/stat.h>

#include <cstdlib>
#include <string>

namespace sagorder::io {

bool is_journal(int fd) {
  const char* const named = std::getenv("JOURNAL_STREAM");
  struct stat stream = {};
  if (named == nullptr || ::fstat(fd, &stream) != 0) return false;
  return named == std::to_string(stream.st_dev) + ":" + std::to_string(stream.st_ino);
}

}  // namespace sagorder::io
