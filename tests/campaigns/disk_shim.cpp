// A disk that fails as it is told, put before a program by LD_PRELOAD. Test only.
//
//   DISK_SHIM_ROOT  only files below this directory are looked at
//   DISK_SHIM_LOG   a line for each call looked at: CALL CLASS NUMBER, and what was done to it
//   DISK_SHIM_PLAN  CALL:CLASS:NUMBER:WHAT[:ever]
//
//   CALL    open write sync rename link truncate unlink mkdir, and to read: openread read
//   CLASS   ledger wal shm results state summary folder other, by the file's name
//   NUMBER  from 1: the how-manieth such call of the process is struck; `ever`: and all after it
//   WHAT    the name of an errno; `short`: half of the bytes are written or read; `kill`: the
//           process dies before the call; `lost`: a sync fails with EIO, and what was written since
//           the last good one is gone from the file at once; `lostlater`: gone when the program
//           ends, unless it was written again, as with a page that the system took for clean and
//           then dropped; `powercut`: the process dies before the call, and whatever no sync has
//           kept is gone: writes, and names that were made, changed or removed and whose directory
//           was not synced since
//
// What is gone is what the file's own bytes were before: writes are undone, the length with them.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

template <class Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

std::string setting(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

int error_of(std::string_view name) {
  static constexpr std::pair<std::string_view, int> kErrors[] = {
      {"EIO", EIO},       {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EINTR", EINTR},
      {"EROFS", EROFS},   {"EMFILE", EMFILE}, {"EACCES", EACCES}, {"EFBIG", EFBIG},
      {"ENOLCK", ENOLCK}, {"ENOMEM", ENOMEM}};
  for (const auto& [known, number] : kErrors) {
    if (known == name) return number;
  }
  return 0;
}

/// The bytes that a write replaced, and the length before it.
struct Undo {
  off_t at = 0;
  std::size_t size = 0;
  std::string before;
  off_t length = 0;
};
/// Writes of one file that can be undone, and a descriptor of our own for that. It is kept: to
/// close any descriptor of a file frees the locks that the process has on it.
struct Written {
  int fd = -1;
  std::vector<Undo> undos;
};
using File = std::pair<dev_t, ino_t>;

/// What happened to a name, and the directory whose sync keeps it.
struct Named {
  std::string folder;
  std::function<void()> undo;
};

struct Shim {
  std::mutex mutex;
  std::string root = setting("DISK_SHIM_ROOT");
  std::string call, kind, what;
  long number = 0;
  bool ever = false;
  int log = -1;
  std::map<std::string, long> counts;
  std::map<File, Written> unsynced;
  std::map<File, std::vector<Undo>> doomed;
  std::vector<Named> names;

  Shim() {
    const std::string path = setting("DISK_SHIM_LOG");
    if (!path.empty()) {
      log = static_cast<int>(syscall(SYS_openat, AT_FDCWD, path.c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    }
    std::string plan = setting("DISK_SHIM_PLAN");
    std::vector<std::string> words;
    while (!plan.empty()) {
      const std::size_t colon = std::min(plan.find(':'), plan.size());
      words.push_back(plan.substr(0, colon));
      plan.erase(0, colon + 1);
    }
    if (words.size() < 4) return;
    call = words[0];
    kind = words[1];
    number = std::strtol(words[2].c_str(), nullptr, 10);
    what = words[3];
    ever = words.size() > 4;
  }
};

Shim& shim() {
  static Shim* const kShim = new Shim;  // never destroyed: files are closed after everything else
  return *kShim;
}

bool ends(std::string_view text, std::string_view end) { return text.ends_with(end); }
bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::string class_of(const std::string& path) {
  if (has(path, "/state/") || ends(path, "/state")) return "state";
  const std::string_view name = std::string_view(path).substr(path.rfind('/') + 1);
  if (has(name, ".ledger-wal")) return "wal";
  if (has(name, ".ledger-shm")) return "shm";
  if (has(name, ".ledger")) return "ledger";
  if (has(name, "results")) return "results";
  if (has(name, "summary")) return "summary";
  if (has(name, "orders")) return "orders";
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return "folder";
  return "other";
}

std::string path_of(int fd) {
  char link[64];
  char path[4096];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t size = ::readlink(link, path, sizeof path);
  return size > 0 ? std::string(path, static_cast<std::size_t>(size)) : std::string();
}

std::string absolute(const char* path) {
  if (*path == '/') return path;
  char folder[4096];
  return ::getcwd(folder, sizeof folder) == nullptr ? path : std::string(folder) + "/" + path;
}

File file_of(int fd) {
  struct stat status {};
  ::fstat(fd, &status);
  return {status.st_dev, status.st_ino};
}

void lose_all();

/// Counts a call. @return what to do to it; empty: let it pass
std::string meet(const char* call, const std::string& path) {
  const int error = errno;
  Shim& all = shim();
  std::string todo;
  if (!all.root.empty() && path.starts_with(all.root)) {
    const std::lock_guard lock(all.mutex);
    const std::string kind = class_of(path);
    const long number = ++all.counts[std::string(call) + " " + kind];
    const bool mine = call == all.call && kind == all.kind;
    if (mine && (number == all.number || (all.ever && number > all.number))) todo = all.what;
    const std::string line =
        std::string(call) + " " + kind + " " + std::to_string(number) + " " + todo + "\n";
    if (all.log >= 0) syscall(SYS_write, all.log, line.data(), line.size());
    if (todo == "powercut") lose_all();
    if (todo == "kill" || todo == "powercut") ::kill(::getpid(), SIGKILL);
  }
  errno = error;
  return todo;
}

/// Whether the call fails; then errno is set.
bool fails(const std::string& todo) {
  const int error = error_of(todo);
  if (error != 0) errno = error;
  return error != 0;
}

// --- what was written and not synced

using Pwrite = ssize_t (*)(int, const void*, size_t, off_t);
using Pread = ssize_t (*)(int, void*, size_t, off_t);
using Ftruncate = int (*)(int, off_t);

/// Called before bytes are written, if they may have to be taken back.
void remember(int fd, off_t at, std::size_t size) {
  Shim& all = shim();
  const bool wanted = all.what.starts_with("lost") || all.what == "powercut";
  const std::string path = wanted ? path_of(fd) : std::string();
  if (!wanted || !path.starts_with(all.root)) return;
  const int error = errno;
  const std::lock_guard lock(all.mutex);
  Written& written = all.unsynced[file_of(fd)];
  if (written.fd < 0) {
    written.fd = static_cast<int>(syscall(SYS_openat, AT_FDCWD, path.c_str(), O_RDWR | O_CLOEXEC));
  }
  struct stat status {};
  ::fstat(fd, &status);
  Undo undo{at, size, std::string(size, '\0'), status.st_size};
  const ssize_t got = real<Pread>("pread")(written.fd, undo.before.data(), size, at);
  undo.before.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  std::erase_if(all.doomed[file_of(fd)], [&](const Undo& each) {  // it will be synced anew
    return each.at < at + static_cast<off_t>(size) && at < each.at + static_cast<off_t>(each.size);
  });
  written.undos.push_back(std::move(undo));
  errno = error;
}

void take_back(int fd, const std::vector<Undo>& undos) {
  for (auto undo = undos.rbegin(); undo != undos.rend(); ++undo) {
    struct stat status {};
    ::fstat(fd, &status);
    real<Pwrite>("pwrite")(fd, undo->before.data(), undo->before.size(), undo->at);
    // Only the end of the file shrinks: what was written behind it later stays.
    const off_t end = undo->at + static_cast<off_t>(undo->size);
    if (end >= status.st_size && undo->length < status.st_size) {
      real<Ftruncate>("ftruncate")(fd, undo->length);
    }
  }
}

void lose(int fd, bool later) {
  Shim& all = shim();
  const std::lock_guard lock(all.mutex);
  const std::vector<Undo> undos = std::exchange(all.unsynced[file_of(fd)].undos, {});
  if (!later) return take_back(all.unsynced[file_of(fd)].fd, undos);
  std::vector<Undo>& doomed = all.doomed[file_of(fd)];
  doomed.insert(doomed.end(), undos.begin(), undos.end());
}

/// Also from within `meet`, which holds the lock.
void lose_all() {
  Shim& all = shim();
  for (const auto& [file, written] : all.unsynced) take_back(written.fd, written.undos);
  for (auto named = all.names.rbegin(); named != all.names.rend(); ++named) named->undo();
}

// --- names that were not synced

bool watches_names(const std::string& path) {
  return shim().what == "powercut" && path.starts_with(shim().root);
}

void remember_name(const std::string& path, std::function<void()> undo) {
  Shim& all = shim();
  const std::lock_guard lock(all.mutex);
  all.names.push_back({path.substr(0, path.rfind('/')), std::move(undo)});
}

bool is_there(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

void remove_name(const std::string& path) { syscall(SYS_unlinkat, AT_FDCWD, path.c_str(), 0); }

/// A name that goes away, with what it stood for. @return what puts it back; empty: nothing there
std::function<void()> keeper_of(const std::string& path) {
  const int held =
      static_cast<int>(syscall(SYS_openat, AT_FDCWD, path.c_str(), O_RDONLY | O_CLOEXEC));
  if (held < 0) return {};
  return [path, held] {
    const int made = static_cast<int>(syscall(SYS_openat, AT_FDCWD, path.c_str(),
                                              O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    char bytes[4096];
    off_t at = 0;
    for (ssize_t got = 0; (got = real<Pread>("pread")(held, bytes, sizeof bytes, at)) > 0;) {
      real<Pwrite>("pwrite")(made, bytes, static_cast<std::size_t>(got), at);
      at += got;
    }
  };
}

/// To be called before a file may be made. @return what to call with the descriptor
std::function<void(int)> maker_of(const std::string& path, int flags) {
  const bool makes = (flags & O_CREAT) != 0 && watches_names(path) && !is_there(path);
  if (!makes) return [](int) {};
  return [path](int fd) {
    if (fd >= 0) remember_name(path, [path] { remove_name(path); });
  };
}

__attribute__((destructor)) void lose_at_the_end() {
  Shim& all = shim();
  for (const auto& [file, doomed] : all.doomed) take_back(all.unsynced[file].fd, doomed);
}

ssize_t write_at(int fd, const void* bytes, std::size_t size, off_t at, const char* name) {
  const std::string todo = meet("write", path_of(fd));
  if (fails(todo)) return -1;
  if (todo == "short" && size > 1) size /= 2;
  remember(fd, at, size);
  return real<Pwrite>(name)(fd, bytes, size, at);
}

ssize_t read_at(int fd, void* bytes, std::size_t size, off_t at, const char* name) {
  const std::string todo = meet("read", path_of(fd));
  if (fails(todo)) return -1;
  if (todo == "short" && size > 1) size /= 2;
  return real<Pread>(name)(fd, bytes, size, at);
}

int sync_by(int fd, const char* name) {
  const std::string todo = meet("sync", path_of(fd));
  if (todo == "lost" || todo == "lostlater") {
    lose(fd, todo == "lostlater");
    errno = EIO;
    return -1;
  }
  if (fails(todo)) return -1;
  const int result = real<int (*)(int)>(name)(fd);
  if (result == 0) {
    Shim& all = shim();
    const std::lock_guard lock(all.mutex);
    all.unsynced[file_of(fd)].undos.clear();
    const std::string path = path_of(fd);
    std::erase_if(all.names, [&](const Named& named) { return named.folder == path; });
  }
  return result;
}

int open_by(const char* name, const char* path, int flags, mode_t mode) {
  const bool writes = (flags & (O_WRONLY | O_RDWR | O_CREAT)) != 0;
  if (fails(meet(writes ? "open" : "openread", absolute(path)))) return -1;
  const auto made = maker_of(absolute(path), flags);
  const int fd = real<int (*)(const char*, int, ...)>(name)(path, flags, mode);
  const int error = errno;
  made(fd);
  errno = error;
  return fd;
}

int openat_by(const char* name, int folder, const char* path, int flags, mode_t mode) {
  if (folder == AT_FDCWD) return open_by("open", path, flags, mode);
  return real<int (*)(int, const char*, int, ...)>(name)(folder, path, flags, mode);
}

int mkostemp_by(const char* name, char* path, int flags) {
  if (fails(meet("open", absolute(path)))) return -1;
  const int fd = real<int (*)(char*, int)>(name)(path, flags);
  const std::string made = absolute(path);
  if (fd >= 0 && watches_names(made)) remember_name(made, [made] { remove_name(made); });
  return fd;
}

int two_names(const char* call, const char* from, const char* to) {
  const std::string source = absolute(from);
  const std::string target = absolute(to);
  if (fails(meet(call, target))) return -1;
  const bool watched = watches_names(target);
  const auto before = watched ? keeper_of(target) : std::function<void()>();
  const int result = real<int (*)(const char*, const char*)>(call)(from, to);
  if (result != 0 || !watched) return result;
  if (std::string_view(call) == "link") {
    remember_name(target, [target] { remove_name(target); });
  } else {
    remember_name(target, [source, target, before] {
      syscall(SYS_renameat2, AT_FDCWD, target.c_str(), AT_FDCWD, source.c_str(), 0);
      if (before) before();
    });
  }
  return result;
}

int unlink_by(const char* path) {
  const std::string name = absolute(path);
  if (fails(meet("unlink", name))) return -1;
  const auto before = watches_names(name) ? keeper_of(name) : std::function<void()>();
  const int result = real<int (*)(const char*)>("unlink")(path);
  if (result == 0 && before) remember_name(name, before);
  return result;
}

int mkdir_by(const char* path, mode_t mode) {
  const std::string name = absolute(path);
  if (fails(meet("mkdir", name))) return -1;
  const int result = real<int (*)(const char*, mode_t)>("mkdir")(path, mode);
  if (result == 0 && watches_names(name)) {
    remember_name(name, [name] { syscall(SYS_unlinkat, AT_FDCWD, name.c_str(), AT_REMOVEDIR); });
  }
  return result;
}

mode_t mode_in(int flags, va_list rest) {
  const bool makes = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  return makes ? static_cast<mode_t>(va_arg(rest, int)) : 0;
}

}  // namespace

// The names that programs and libraries are linked to, those for large files among them.
extern "C" {

#define SHIM_OPEN(NAME)                        \
  int NAME(const char* path, int flags, ...) { \
    va_list rest;                              \
    va_start(rest, flags);                     \
    const mode_t mode = mode_in(flags, rest);  \
    va_end(rest);                              \
    return open_by(#NAME, path, flags, mode);  \
  }
#define SHIM_OPENAT(NAME)                                  \
  int NAME(int folder, const char* path, int flags, ...) { \
    va_list rest;                                          \
    va_start(rest, flags);                                 \
    const mode_t mode = mode_in(flags, rest);              \
    va_end(rest);                                          \
    return openat_by(#NAME, folder, path, flags, mode);    \
  }
SHIM_OPEN(open)
SHIM_OPEN(open64)
SHIM_OPENAT(openat)
SHIM_OPENAT(openat64)

// Fortified builds call these.
int __open_2(const char* path, int flags) { return open_by("__open_2", path, flags, 0); }
int __open64_2(const char* path, int flags) { return open_by("__open64_2", path, flags, 0); }

int mkostemp(char* path, int flags) { return mkostemp_by("mkostemp", path, flags); }
int mkostemp64(char* path, int flags) { return mkostemp_by("mkostemp64", path, flags); }

ssize_t write(int fd, const void* bytes, size_t size) {
  const std::string todo = fd > 2 ? meet("write", path_of(fd)) : std::string();
  if (fails(todo)) return -1;
  if (todo == "short" && size > 1) size /= 2;
  if (fd > 2) remember(fd, lseek(fd, 0, SEEK_CUR), size);
  return real<ssize_t (*)(int, const void*, size_t)>("write")(fd, bytes, size);
}
ssize_t pwrite(int fd, const void* bytes, size_t size, off_t at) {
  return write_at(fd, bytes, size, at, "pwrite");
}
ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t at) {
  return write_at(fd, bytes, size, at, "pwrite64");
}

ssize_t read(int fd, void* bytes, size_t size) {
  const std::string todo = fd > 2 ? meet("read", path_of(fd)) : std::string();
  if (fails(todo)) return -1;
  if (todo == "short" && size > 1) size /= 2;
  return real<ssize_t (*)(int, void*, size_t)>("read")(fd, bytes, size);
}
ssize_t pread(int fd, void* bytes, size_t size, off_t at) {
  return read_at(fd, bytes, size, at, "pread");
}
ssize_t pread64(int fd, void* bytes, size_t size, off64_t at) {
  return read_at(fd, bytes, size, at, "pread64");
}

int fsync(int fd) { return sync_by(fd, "fsync"); }
int fdatasync(int fd) { return sync_by(fd, "fdatasync"); }

int ftruncate(int fd, off_t size) {
  if (fails(meet("truncate", path_of(fd)))) return -1;
  return real<Ftruncate>("ftruncate")(fd, size);
}
int ftruncate64(int fd, off64_t size) {
  if (fails(meet("truncate", path_of(fd)))) return -1;
  return real<int (*)(int, off64_t)>("ftruncate64")(fd, size);
}

int rename(const char* from, const char* to) noexcept { return two_names("rename", from, to); }
int link(const char* from, const char* to) noexcept { return two_names("link", from, to); }
int unlink(const char* path) noexcept { return unlink_by(path); }
int mkdir(const char* path, mode_t mode) noexcept { return mkdir_by(path, mode); }
}
