#include "io/file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>

#include "tests/io/temporary_directory.hpp"

namespace sagorder::io {
namespace {

constexpr int kCreate = O_RDWR | O_CREAT;

TEST(File, IsMadePrivate) {
  const TemporaryDirectory directory;
  const mode_t before = ::umask(0);
  const Fd file = open_private(directory / "new", kCreate);
  ::umask(before);
  EXPECT_EQ(mode_of(directory / "new"), 0600U);
  EXPECT_NE(::fcntl(file.get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(File, IsNotOpenedThroughALink) {
  const TemporaryDirectory directory;
  put(directory / "target", "precious");
  std::filesystem::create_symlink("target", directory / "link");
  std::filesystem::create_symlink("nowhere", directory / "dangling");
  for (const char* name : {"link", "dangling"}) {
    const auto complaint =
        complaint_of<FileError>([&] { open_private(directory / name, kCreate); });
    EXPECT_TRUE(has(complaint, "symbolic link")) << complaint;
    EXPECT_TRUE(has(complaint, directory / name)) << complaint;
  }
  EXPECT_FALSE(std::filesystem::exists(directory / "nowhere"));
  EXPECT_EQ(content_of(directory / "target"), "precious");
}

TEST(File, IsRegular) {
  const TemporaryDirectory directory;
  ASSERT_EQ(::mkfifo((directory / "fifo").c_str(), 0600), 0);
  const auto of_fifo = complaint_of<FileError>([&] { open_private(directory / "fifo", O_RDWR); });
  EXPECT_TRUE(has(of_fifo, "not a regular file")) << of_fifo;
  const auto reading = complaint_of<FileError>([&] { open_to_read(directory / "fifo"); });
  EXPECT_TRUE(has(reading, "not a regular file")) << reading;
  const auto of_directory = complaint_of<FileError>([&] { open_to_read(directory.path()); });
  EXPECT_TRUE(has(of_directory, "directory")) << of_directory;
  EXPECT_THROW(open_private("/dev/null", O_RDWR), FileError);
}

TEST(File, ThatIsMissingIsNamedWithTheSystemsWords) {
  const TemporaryDirectory directory;
  const auto complaint = complaint_of<FileError>([&] { open_to_read(directory / "none"); });
  EXPECT_TRUE(has(complaint, directory / "none")) << complaint;
  EXPECT_TRUE(has(complaint, "No such file")) << complaint;
}

TEST(File, IsReadAsFarAsItGoes) {
  const TemporaryDirectory directory;
  put(directory / "a", "12345");
  char bytes[8];
  const Fd file = open_to_read(directory / "a");
  EXPECT_EQ(read_full(file, bytes, 3, "a"), 3U);
  EXPECT_EQ(read_full(file, bytes, 8, "a"), 2U);
  EXPECT_EQ(read_full(file, bytes, 8, "a"), 0U);
  EXPECT_EQ(read_all(open_to_read(directory / "a"), 5, "a"), "12345");
  EXPECT_THROW(read_all(open_to_read(directory / "a"), 4, "a"), FileError);
  for (const std::size_t size : {65'535U, 65'536U, 65'537U, 200'000U}) {
    const std::string large(size, 'x');
    put(directory / "large", large);
    EXPECT_EQ(read_all(open_to_read(directory / "large"), size, "large"), large);
    EXPECT_EQ(read_all(open_to_read(directory / "large"), 2 * size, "large"), large);
    EXPECT_THROW(read_all(open_to_read(directory / "large"), size - 1, "large"), FileError);
  }
}

TEST(File, WriteReportsAFullDisk) {
  const TemporaryDirectory directory;
  const Fd file = open_private(directory / "a", kCreate);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{100, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto complaint =
      complaint_of<FileError>([&] { write_all(file, std::string(1000, 'x'), "a"); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, handler);
  EXPECT_TRUE(has(complaint, "cannot write")) << complaint;
  EXPECT_EQ(content_of(directory / "a").size(), 100U);
}

TEST(File, LockKeepsASecondOneOut) {
  const TemporaryDirectory directory;
  Fd first = open_private(directory / "a", kCreate);
  const Fd second = open_private(directory / "a", kCreate);
  EXPECT_TRUE(try_lock(first, "a"));
  EXPECT_FALSE(try_lock(second, "a"));
  first.close();
  EXPECT_TRUE(try_lock(second, "a"));
}

TEST(File, IdentityIsOfTheFileAndNotOfTheName) {
  const TemporaryDirectory directory;
  put(directory / "a", "");
  put(directory / "c", "");
  std::filesystem::create_hard_link(directory / "a", directory / "b");
  FileIdentity a, b, c;
  EXPECT_TRUE(identity_of(directory / "a", a));
  EXPECT_TRUE(identity_of(directory / "b", b));
  EXPECT_TRUE(identity_of(directory / "c", c));
  EXPECT_EQ(a, b);
  EXPECT_NE(a, c);
  EXPECT_FALSE(identity_of(directory / "d", a));
  EXPECT_EQ(identity_of(open_to_read(directory / "b"), "b"), b);
}

TEST(File, ReplacementIsWholeOrNotAtAll) {
  const TemporaryDirectory directory;
  put(directory / "a", "old");
  EXPECT_THROW(replace_file(directory / "a",
                            [](const Fd& file) {
                              write_all(file, "half of the n", "a");
                              throw std::runtime_error("interrupted");
                            }),
               std::runtime_error);
  EXPECT_EQ(content_of(directory / "a"), "old");
  EXPECT_EQ(directory.entries(), 1U);
  replace_file(directory / "a", [](const Fd& file) { write_all(file, "new", "a"); });
  EXPECT_EQ(content_of(directory / "a"), "new");
  EXPECT_EQ(mode_of(directory / "a"), 0600U);
  EXPECT_EQ(directory.entries(), 1U);
}

TEST(File, ReplacementDoesNotTakeThePlaceOfALink) {
  const TemporaryDirectory directory;
  put(directory / "target", "precious");
  std::filesystem::create_symlink("target", directory / "link");
  EXPECT_THROW(replace_file(directory / "link", [](const Fd&) {}), FileError);
  EXPECT_TRUE(std::filesystem::is_symlink(directory / "link"));
  EXPECT_EQ(content_of(directory / "target"), "precious");
  EXPECT_EQ(directory.entries(), 2U);
}

TEST(File, FreeNameIsTakenOnce) {
  const TemporaryDirectory directory;
  for (const bool free : {true, false}) {
    Replacement file(directory / "a");
    write_all(file.file(), free ? "first" : "second", "a");
    EXPECT_EQ(file.take_free_name(), free);
  }
  EXPECT_EQ(content_of(directory / "a"), "first");
  EXPECT_EQ(directory.entries(), 1U);
}

TEST(File, UnnamedLeavesNothingBehind) {
  const TemporaryDirectory directory;
  const Fd file = open_unnamed(directory.path());
  write_all(file, "text", "spool");
  EXPECT_EQ(directory.entries(), 0U);
  EXPECT_EQ(size_of(file, "spool"), 4U);
}

TEST(File, DirectoriesAreMadePrivate) {
  const TemporaryDirectory directory;
  make_private_directories(directory / "a/b/c");
  make_private_directories(directory / "a/b/c");
  EXPECT_EQ(mode_of(directory / "a"), 0700U);
  EXPECT_EQ(mode_of(directory / "a/b/c"), 0700U);
  put(directory / "file", "");
  EXPECT_THROW(make_private_directories(directory / "file/d"), FileError);
}

TEST(File, DirectoryPart) {
  EXPECT_EQ(directory_of("a"), ".");
  EXPECT_EQ(directory_of("a/b"), "a");
  EXPECT_EQ(directory_of("/a"), "/");
}

}  // namespace
}  // namespace sagorder::io
