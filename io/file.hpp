// Files that hold money's traces: private, never through a link, whole or not at all.
//
// A file is *private* when it is made 0600, opened without following a link at its last component,
// closed on exec, and regular: directories, fifos, sockets and devices are refused. Errors are
// FileError; the text names the file, what was tried and the system's words. A write is durable
// after `sync_file`, a name after `sync_directory_of`; neither is retried when it fails.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace sagorder::io {

struct FileError : std::runtime_error {
  /// @param code errno, or 0 when the system was not asked
  FileError(const std::string& text, int code) : std::runtime_error(text), code_(code) {}
  [[nodiscard]] int code() const { return code_; }

 private:
  int code_;
};

/// `PATH: cannot WHAT: the system's words` for errno `code`.
FileError file_error(std::string_view path, std::string_view what, int code);

/// Owns a file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int number) : number_(number) {}
  Fd(Fd&& other) noexcept : number_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept;
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { close(); }

  [[nodiscard]] int get() const { return number_; }
  [[nodiscard]] bool open() const { return number_ >= 0; }
  int release() noexcept;
  void close() noexcept;

 private:
  int number_ = -1;
};

/// What a file is, whatever its name: two paths with equal identities are one file.
struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const FileIdentity&) const = default;
};

/// @param flags as of open(2): access mode, O_CREAT, O_EXCL; O_NOFOLLOW and O_CLOEXEC are added
Fd open_private(const std::string& path, int flags);

/// A regular file to read; links are followed. Refuses all but regular files.
Fd open_to_read(const std::string& path);

FileIdentity identity_of(const Fd& file, std::string_view path);
/// @return false: nothing there (or a dangling link). Links are followed.
bool identity_of(const std::string& path, FileIdentity& identity);

std::uint64_t size_of(const Fd& file, std::string_view path);

/// Writes all of it at the file position, or throws; what was written by then stays.
void write_all(const Fd& file, std::string_view bytes, std::string_view path);
/// Reads up to `size` bytes at the file position. @return fewer only at the end of the file
std::size_t read_full(const Fd& file, char* into, std::size_t size, std::string_view path);
/// The whole file; refuses more than `limit` bytes.
std::string read_all(const Fd& file, std::size_t limit, std::string_view path);

void sync_file(const Fd& file, std::string_view path);
/// Makes the names in the directory that holds `path` durable.
void sync_directory_of(const std::string& path);

/// The directory part of a path, "." if it has none.
std::string directory_of(const std::string& path);

/// Throws FileError if `path` itself is a symbolic link, wherever it points; whoever made the link
/// would choose where things are written.
void refuse_link(const std::string& path);

/// Makes a directory and its parents, new ones 0700.
void make_private_directories(const std::string& path);

/// Advisory lock of the whole file, freed when the last descriptor closes.
/// @return false: another process holds it
bool try_lock(const Fd& file, std::string_view path);
/// Waits for it.
void lock(const Fd& file, std::string_view path);

/// A new private file beside `path`, under a name of its own until it takes the place of `path`.
/// It is removed again if it never does. A symbolic link at `path` is refused.
class Replacement {
 public:
  explicit Replacement(const std::string& path);
  ~Replacement();
  Replacement(const Replacement&) = delete;
  Replacement& operator=(const Replacement&) = delete;

  [[nodiscard]] const Fd& file() const { return file_; }
  [[nodiscard]] const std::string& name() const { return name_; }

  /// Syncs, renames over `path`, syncs the directory. @return the descriptor
  Fd take_over();
  /// Renames over `path` and syncs nothing; has the mode of the file that was there.
  void take_over_as_it_is();
  /// Syncs, links as `path`, syncs the directory. @return false: `path` is there already
  bool take_free_name();

 private:
  std::string path_;
  std::string name_;
  Fd file_;
  bool named_ = true;
};

/// Replaces `path` whole: whoever opens it sees all of the old content or all of the new.
void replace_file(const std::string& path, const std::function<void(const Fd&)>& write);

/// $TMPDIR, else /tmp.
std::string temporary_directory();

/// A file without a name in `directory`: gone when it is closed, whatever happens.
Fd open_unnamed(const std::string& directory);

}  // namespace sagorder::io
