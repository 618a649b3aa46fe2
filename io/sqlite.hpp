// SQLite's C interface, as much of it as the ledger needs: what fails is a LedgerError that names
// the file, what was tried and SQLite's own words.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace sagorder::io {

/// To be called before the first connection is opened. By itself SQLite counts the memory that it
/// takes, under a mutex of its own: it would lock it nine times an order, and nobody asks.
void set_up_sqlite();

/// A connection and the name that its errors bear. Closed by whoever opened it.
struct Database {
  std::string path;
  sqlite3* handle = nullptr;

  /// @param what in the infinitive, as in "cannot commit"
  [[noreturn]] void fail(std::string_view what) const;
  /// Statements that give no rows.
  void run(const char* sql, std::string_view what) const;
  /// The first row's first column; 0 if there is none.
  [[nodiscard]] std::int64_t number(const std::string& sql) const;
};

/// A prepared statement. The database outlives it.
class Statement {
 public:
  Statement(const Database& database, const std::string& sql);
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  /// Parameters count from 1.
  void bind(int index, std::int64_t value) const;
  /// The text stays where it is until the statement is reset. Empty text is NULL.
  void bind(int index, std::string_view text) const;
  /// @return true: a row can be read
  bool step(std::string_view what) const;
  void reset() const;
  /// For a statement that gives no rows: steps and resets.
  void execute(std::string_view what) const;

  /// Of the row that can be read; columns count from 0. A text is valid until the next step.
  [[nodiscard]] std::int64_t number(int column) const;
  [[nodiscard]] std::string_view text(int column) const;

 private:
  const Database* database_;
  sqlite3_stmt* statement_ = nullptr;
};

/// One state of all tables, as long as it lives, though another process may be writing.
class Snapshot {
 public:
  explicit Snapshot(const Database& database);
  ~Snapshot();
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

 private:
  const Database* database_;
};

/// The path with its directory's links followed and its own kept: SQLite, told to follow none,
/// refuses a link anywhere. Throws LedgerError if there is no such directory.
std::string sqlite_path(const std::string& path);

/// A path inside an SQLite URI.
std::string sqlite_uri(const std::string& path);

}  // namespace sagorder::io
