// A disk that fails at a chosen step: SQLite's file system with a counter before every write, sync
// and truncation.
#pragma once

#include <sqlite3.h>

namespace sagorder::io {

/// While it lives, SQLite opens files through it. From the chosen step on, that step fails once or
/// all steps fail.
class FailingDisk {
 public:
  FailingDisk();
  ~FailingDisk();
  FailingDisk(const FailingDisk&) = delete;
  FailingDisk& operator=(const FailingDisk&) = delete;

  /// @param step counted from 1, from now on  @param code what SQLite is told, such as
  /// SQLITE_IOERR_FSYNC or SQLITE_FULL
  void fail_at(int step, int code);
  void heal();
  /// Steps since fail_at or heal.
  [[nodiscard]] int steps() const;
  [[nodiscard]] int syncs() const;
  [[nodiscard]] bool failed() const;
};

}  // namespace sagorder::io
