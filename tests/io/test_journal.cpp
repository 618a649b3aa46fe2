#include "io/journal.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "tests/io/temporary_directory.hpp"

namespace sagorder::io {
namespace {

TEST(Journal, ReadsTheStreamThatItNames) {
  const TemporaryDirectory directory;
  std::FILE* const file = std::fopen((directory / "stream").c_str(), "w");
  struct stat stream = {};
  ASSERT_EQ(fstat(fileno(file), &stream), 0);
  const std::string named = std::to_string(stream.st_dev) + ":" + std::to_string(stream.st_ino);
  {
    const Variable variable("JOURNAL_STREAM", named.c_str());
    EXPECT_TRUE(is_journal(fileno(file)));
    EXPECT_FALSE(is_journal(STDIN_FILENO)) << "another stream";
    EXPECT_FALSE(is_journal(-1));
  }
  for (const char* other : {"", "1", ":", "8:7", "x:y"}) {
    const Variable variable("JOURNAL_STREAM", other);
    EXPECT_FALSE(is_journal(fileno(file))) << other;
  }
  const Variable variable("JOURNAL_STREAM", nullptr);
  EXPECT_FALSE(is_journal(fileno(file)));
  std::fclose(file);
}

}  // namespace
}  // namespace sagorder::io
