#include "tests/io/failing_disk.hpp"

#include <cstdlib>
#include <cstring>

namespace sagorder::io {
namespace {

struct Plan {
  int steps = 0;
  int syncs = 0;
  int fail_at = 0;  // 0: never
  int code = SQLITE_OK;
  bool failed = false;

  int next() {
    ++steps;
    if (steps != fail_at) return SQLITE_OK;
    failed = true;
    return code;
  }
};
Plan plan;

/// What SQLite holds: its own methods first, then the file of the system's.
struct File {
  sqlite3_file base;
  sqlite3_file* real;
};

sqlite3_file* real_of(sqlite3_file* file) { return reinterpret_cast<File*>(file)->real; }

sqlite3_io_methods methods = [] {
  sqlite3_io_methods table{};
  table.iVersion = 2;
  table.xClose = [](sqlite3_file* file) {
    sqlite3_file* const real = real_of(file);
    const int code = real->pMethods->xClose(real);
    std::free(real);
    return code;
  };
  table.xRead = [](sqlite3_file* file, void* into, int size, sqlite3_int64 at) {
    return real_of(file)->pMethods->xRead(real_of(file), into, size, at);
  };
  table.xWrite = [](sqlite3_file* file, const void* from, int size, sqlite3_int64 at) {
    if (const int code = plan.next(); code != SQLITE_OK) return code;
    return real_of(file)->pMethods->xWrite(real_of(file), from, size, at);
  };
  table.xTruncate = [](sqlite3_file* file, sqlite3_int64 size) {
    if (const int code = plan.next(); code != SQLITE_OK) return code;
    return real_of(file)->pMethods->xTruncate(real_of(file), size);
  };
  table.xSync = [](sqlite3_file* file, int flags) {
    ++plan.syncs;
    if (const int code = plan.next(); code != SQLITE_OK) return code;
    return real_of(file)->pMethods->xSync(real_of(file), flags);
  };
  table.xFileSize = [](sqlite3_file* file, sqlite3_int64* size) {
    return real_of(file)->pMethods->xFileSize(real_of(file), size);
  };
  table.xLock = [](sqlite3_file* file, int level) {
    return real_of(file)->pMethods->xLock(real_of(file), level);
  };
  table.xUnlock = [](sqlite3_file* file, int level) {
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
  };
  table.xCheckReservedLock = [](sqlite3_file* file, int* held) {
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), held);
  };
  table.xFileControl = [](sqlite3_file* file, int operation, void* argument) {
    return real_of(file)->pMethods->xFileControl(real_of(file), operation, argument);
  };
  table.xSectorSize = [](sqlite3_file* file) {
    return real_of(file)->pMethods->xSectorSize(real_of(file));
  };
  table.xDeviceCharacteristics = [](sqlite3_file* file) {
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
  };
  table.xShmMap = [](sqlite3_file* file, int page, int size, int extend, void volatile** at) {
    return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, at);
  };
  table.xShmLock = [](sqlite3_file* file, int offset, int count, int flags) {
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
  };
  table.xShmBarrier = [](sqlite3_file* file) {
    real_of(file)->pMethods->xShmBarrier(real_of(file));
  };
  table.xShmUnmap = [](sqlite3_file* file, int remove) {
    return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
  };
  return table;
}();

sqlite3_vfs* system_disk = nullptr;
sqlite3_vfs failing{};

int open_file(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* flags_out) {
  auto* const real =
      static_cast<sqlite3_file*>(std::calloc(1, static_cast<std::size_t>(system_disk->szOsFile)));
  const int code = system_disk->xOpen(system_disk, name, real, flags, flags_out);
  auto* const ours = reinterpret_cast<File*>(file);
  ours->base.pMethods = code == SQLITE_OK ? &methods : nullptr;
  ours->real = real;
  if (code != SQLITE_OK) std::free(real);
  return code;
}

}  // namespace

FailingDisk::FailingDisk() {
  plan = {};
  system_disk = sqlite3_vfs_find(nullptr);
  failing = *system_disk;
  failing.zName = "failing";
  failing.szOsFile = sizeof(File);
  failing.pNext = nullptr;
  failing.xOpen = open_file;
  sqlite3_vfs_register(&failing, 1);
}

FailingDisk::~FailingDisk() {
  sqlite3_vfs_unregister(&failing);
  sqlite3_vfs_register(system_disk, 1);
}

void FailingDisk::fail_at(int step, int code) { plan = {0, 0, step, code, false}; }
void FailingDisk::heal() { plan = {}; }
int FailingDisk::steps() const { return plan.steps; }
int FailingDisk::syncs() const { return plan.syncs; }
bool FailingDisk::failed() const { return plan.failed; }

}  // namespace sagorder::io
