#include "io/file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include "io/kill_point.hpp"

namespace sagorder::io {
namespace {

constexpr mode_t kPrivate = 0600;

FileError refusal(std::string_view path, std::string_view why) {
  return FileError(std::string(path) + ": " + std::string(why), 0);
}

struct stat status_of(const Fd& file, std::string_view path) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw file_error(path, "look at it", errno);
  return status;
}

void require_regular(const Fd& file, std::string_view path) {
  const mode_t mode = status_of(file, path).st_mode;
  if (S_ISREG(mode)) return;
  if (S_ISDIR(mode)) throw refusal(path, "is a directory, not a file");
  throw refusal(
      path,
      "is not a regular file (a pipe, a socket or a device); for orders, pipe them in and "
      "name the input -");
}

constexpr std::string_view kIsLink = ": is a symbolic link; name the file that it points to";

Fd open_checked(const std::string& path, int flags, std::string_view what) {
  // Without O_NONBLOCK, opening a fifo would wait for its other end.
  Fd file(::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK, kPrivate));
  if (file.open()) {
    require_regular(file, path);
    return file;
  }
  const int code = errno;
  if (code == ELOOP && (flags & O_NOFOLLOW) != 0) {
    throw FileError(path + std::string(kIsLink), code);
  }
  throw file_error(path, what, code);
}

}  // namespace

FileError file_error(std::string_view path, std::string_view what, int code) {
  return FileError(std::string(path) + ": cannot " + std::string(what) + ": " +
                       std::generic_category().message(code),
                   code);
}

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    close();
    number_ = other.release();
  }
  return *this;
}

int Fd::release() noexcept { return std::exchange(number_, -1); }

void Fd::close() noexcept {
  if (number_ >= 0) ::close(release());
}

Fd open_private(const std::string& path, int flags) {
  return open_checked(path, flags | O_NOFOLLOW, (flags & O_CREAT) != 0 ? "create it" : "open it");
}

Fd open_to_read(const std::string& path) { return open_checked(path, O_RDONLY, "open it"); }

FileIdentity identity_of(const Fd& file, std::string_view path) {
  const struct stat status = status_of(file, path);
  return {status.st_dev, status.st_ino};
}

bool identity_of(const std::string& path, FileIdentity& identity) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return false;
    throw file_error(path, "look at it", errno);
  }
  identity = {status.st_dev, status.st_ino};
  return true;
}

std::uint64_t size_of(const Fd& file, std::string_view path) {
  return static_cast<std::uint64_t>(status_of(file, path).st_size);
}

void write_all(const Fd& file, std::string_view bytes, std::string_view path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
    if (written > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (written == 0) {
      throw file_error(path, "write to it", EIO);
    } else if (errno != EINTR) {
      throw file_error(path, "write to it", errno);
    }
  }
}

std::size_t read_full(const Fd& file, char* into, std::size_t size, std::string_view path) {
  std::size_t filled = 0;
  while (filled < size) {
    const ssize_t got = ::read(file.get(), into + filled, size - filled);
    if (got == 0) break;
    if (got > 0) {
      filled += static_cast<std::size_t>(got);
    } else if (errno != EINTR) {
      throw file_error(path, "read it", errno);
    }
  }
  return filled;
}

std::string read_all(const Fd& file, std::size_t limit, std::string_view path) {
  // In pieces: memory for what is there, and not for what there may be at most.
  constexpr std::size_t kPiece = std::size_t{64} * 1024;
  std::string bytes;
  for (;;) {
    const std::size_t before = bytes.size();
    const std::size_t piece = std::min(kPiece, limit + 1 - before);
    bytes.resize(before + piece);
    const std::size_t count = read_full(file, bytes.data() + before, piece, path);
    bytes.resize(before + count);
    if (bytes.size() > limit) {
      throw refusal(path, "is larger than the " + std::to_string(limit) + " bytes it may have");
    }
    if (count < piece) return bytes;
  }
}

void sync_file(const Fd& file, std::string_view path) {
  if (::fsync(file.get()) != 0) throw file_error(path, "make it durable", errno);
}

std::string directory_of(const std::string& path) {
  const std::string directory = std::filesystem::path(path).parent_path().string();
  return directory.empty() ? "." : directory;
}

void sync_directory_of(const std::string& path) {
  const std::string directory = directory_of(path);
  const Fd handle(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!handle.open()) throw file_error(directory, "open the directory", errno);
  sync_file(handle, directory);
}

void refuse_link(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISLNK(status.st_mode)) return;
  throw FileError(path + std::string(kIsLink), ELOOP);
}

void make_private_directories(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) {
    if (!S_ISDIR(status.st_mode)) throw refusal(path, "is in the way: it is no directory");
    return;
  }
  const std::string parent = directory_of(path);
  if (parent != path) make_private_directories(parent);
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    throw file_error(path, "make the directory", errno);
  }
  sync_directory_of(path);
}

bool try_lock(const Fd& file, std::string_view path) {
  while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) throw file_error(path, "lock it", errno);
  }
  return true;
}

void lock(const Fd& file, std::string_view path) {
  while (::flock(file.get(), LOCK_EX) != 0) {
    if (errno != EINTR) throw file_error(path, "lock it", errno);
  }
}

Replacement::Replacement(const std::string& path) : path_(path), name_(path + ".XXXXXX") {
  refuse_link(path);
  file_ = Fd(::mkostemp(name_.data(), O_CLOEXEC));  // O_EXCL, 0600
  if (!file_.open()) throw file_error(path, "make a new file beside it", errno);
}

Replacement::~Replacement() {
  if (named_) ::unlink(name_.c_str());
}

Fd Replacement::take_over() {
  sync_file(file_, name_);
  kill_point("file:before-rename");
  if (::rename(name_.c_str(), path_.c_str()) != 0) throw file_error(path_, "replace it", errno);
  named_ = false;
  kill_point("file:renamed");
  sync_directory_of(path_);
  return std::move(file_);
}

void Replacement::take_over_as_it_is() {
  struct stat before = {};
  const bool there = ::stat(path_.c_str(), &before) == 0;
  if (there && ::fchmod(file_.get(), before.st_mode & 0777U) != 0) {
    throw file_error(path_, "keep its mode", errno);
  }
  if (::rename(name_.c_str(), path_.c_str()) != 0) throw file_error(path_, "replace it", errno);
  named_ = false;
}

bool Replacement::take_free_name() {
  sync_file(file_, name_);
  kill_point("file:before-link");
  if (::link(name_.c_str(), path_.c_str()) != 0) {
    if (errno == EEXIST) return false;
    throw file_error(path_, "create it", errno);
  }
  kill_point("file:linked");
  sync_directory_of(path_);
  return true;
}

void replace_file(const std::string& path, const std::function<void(const Fd&)>& write) {
  Replacement replacement(path);
  write(replacement.file());
  replacement.take_over();
}

std::string temporary_directory() {
  const char* const given = std::getenv("TMPDIR");
  return given != nullptr && *given != '\0' ? given : "/tmp";
}

Fd open_unnamed(const std::string& directory) {
  Fd file(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, kPrivate));
  if (file.open()) return file;
  // Not every file system has O_TMPFILE.
  std::string name = directory + "/sagorder.XXXXXX";
  file = Fd(::mkostemp(name.data(), O_CLOEXEC));
  if (!file.open()) throw file_error(directory, "make a temporary file in it", errno);
  if (::unlink(name.c_str()) != 0) throw file_error(name, "remove the name of it", errno);
  return file;
}

}  // namespace sagorder::io
