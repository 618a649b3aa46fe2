#include "io/sqlite.hpp"

#include <sqlite3.h>

#include <filesystem>
#include <utility>

#include "io/file.hpp"
#include "io/ledger.hpp"

namespace sagorder::io {

void set_up_sqlite() {
  static const int kCode = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  // SQLITE_MISUSE: somebody opened a database before. It works as well, only slower.
  static_cast<void>(kCode);
}

void Database::fail(std::string_view what) const {
  if (sqlite3_errcode(handle) == SQLITE_NOTADB) {
    throw LedgerError(path + ": is no sagorder ledger (no SQLite database); it is left alone");
  }
  std::string text = path + ": cannot " + std::string(what) + ": " + sqlite3_errmsg(handle);
  text += " (SQLite " + std::to_string(sqlite3_extended_errcode(handle)) + ")";
  throw LedgerError(text);
}

void Database::run(const char* sql, std::string_view what) const {
  if (sqlite3_exec(handle, sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail(what);
}

std::int64_t Database::number(const std::string& sql) const {
  const Statement statement(*this, sql);
  return statement.step("read it") ? statement.number(0) : 0;
}

Statement::Statement(const Database& database, const std::string& sql) : database_(&database) {
  if (sqlite3_prepare_v3(database.handle, sql.c_str(), static_cast<int>(sql.size()) + 1,
                         SQLITE_PREPARE_PERSISTENT, &statement_, nullptr) != SQLITE_OK) {
    database.fail("read its tables");
  }
}

Statement::~Statement() { sqlite3_finalize(statement_); }

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_), statement_(std::exchange(other.statement_, nullptr)) {}

void Statement::bind(int index, std::int64_t value) const {
  if (sqlite3_bind_int64(statement_, index, value) != SQLITE_OK) database_->fail("bind a number");
}

void Statement::bind(int index, std::string_view text) const {
  const int code = text.empty() ? sqlite3_bind_null(statement_, index)
                                : sqlite3_bind_text64(statement_, index, text.data(), text.size(),
                                                      SQLITE_STATIC, SQLITE_UTF8);
  if (code != SQLITE_OK) database_->fail("bind a text");
}

bool Statement::step(std::string_view what) const {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) database_->fail(what);
  return false;
}

void Statement::reset() const { sqlite3_reset(statement_); }

void Statement::execute(std::string_view what) const {
  step(what);
  reset();
}

std::int64_t Statement::number(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string_view Statement::text(int column) const {
  const auto* bytes = sqlite3_column_text(statement_, column);
  if (bytes == nullptr) return {};
  return {reinterpret_cast<const char*>(bytes),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

Snapshot::Snapshot(const Database& database) : database_(&database) {
  database.run("BEGIN", "begin to read it");
}

Snapshot::~Snapshot() { sqlite3_exec(database_->handle, "COMMIT", nullptr, nullptr, nullptr); }

std::string sqlite_path(const std::string& path) {
  std::error_code error;
  const auto directory = std::filesystem::canonical(directory_of(path), error);
  if (error) throw LedgerError(path + ": cannot find its directory: " + error.message());
  return (directory / std::filesystem::path(path).filename()).string();
}

std::string sqlite_uri(const std::string& path) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string uri = "file:";
  for (const char each : path) {
    const auto byte = static_cast<unsigned char>(each);
    if (each == '%' || each == '?' || each == '#') {
      uri += {'%', kDigits[byte >> 4U], kDigits[byte & 15U]};
    } else {
      uri += each;
    }
  }
  return uri;
}

}  // namespace sagorder::io
