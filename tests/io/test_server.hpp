// The PostgreSQL server that end_to_end/database.py started for the tests, and ways to get between
// it and a client.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>

#include "io/file.hpp"
#include "io/postgres.hpp"
#include "tests/io/temporary_directory.hpp"

namespace sagorder::io {

inline std::string address_from(const char* variable) {
  const char* const value = std::getenv(variable);
  if (value != nullptr) return value;
  throw std::runtime_error(std::string(variable) +
                           " is not set: start these tests by tests/end_to_end/database.py");
}

inline std::string server_address() { return address_from("SAGORDER_TEST_SERVER"); }

/// The address with another database in it.
inline std::string with_database(std::string address, const std::string& name) {
  const std::size_t begin = address.find("///") + 3;
  return address.replace(begin, address.find('?') - begin, name);
}

/// Runs SQL as somebody else would. @return the first row's first cell
inline std::string ask(const std::string& address, const std::string& sql) {
  Postgres database({address, ""}, Postgres::Use::writing);
  const PgRows rows = database.query(sql.c_str(), "ask");
  return rows.count() == 0 ? "" : std::string(rows.text(0, 0));
}

/// A database without tables, as long as the object lives. To make one takes the server a while,
/// so all without options are one, a test after the other.
class TestDatabase {
 public:
  TestDatabase() : name_("test") {
    static const std::string kMade = io::ask(server_address(), "CREATE DATABASE test");
  }
  /// One of its own.
  explicit TestDatabase(const std::string& options) {
    static int made = 0;
    name_ = "test_" + std::to_string(++made);
    io::ask(server_address(), "CREATE DATABASE " + name_ + " " + options);
    own_ = true;
  }
  ~TestDatabase() {
    if (!own_) ask("DROP SCHEMA IF EXISTS sagorder CASCADE");
  }
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::string uri() const { return with_database(server_address(), name_); }
  [[nodiscard]] DatabaseAddress address() const { return {uri(), ""}; }
  std::string ask(const std::string& sql) const { return io::ask(uri(), sql); }

 private:
  std::string name_;
  bool own_ = false;
};

inline sockaddr_un socket_in(const std::string& folder) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (folder + "/.s.PGSQL.5432").copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

/// Stands between one client and the server, and cuts the two apart when it is told to.
class Relay {
 public:
  enum class Cut { never, before_request, before_answer };

  Relay() : listening_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const sockaddr_un address = socket_in(folder_.path());
    const auto* const named = reinterpret_cast<const sockaddr*>(&address);
    EXPECT_EQ(::bind(listening_.get(), named, sizeof address), 0);
    EXPECT_EQ(::listen(listening_.get(), 1), 0);
    thread_ = std::thread([this] { work(); });
  }
  ~Relay() {
    ::shutdown(listening_.get(), SHUT_RDWR);
    thread_.join();
  }
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  /// Of the database, through here.
  [[nodiscard]] DatabaseAddress to(const TestDatabase& database) const {
    std::string uri = database.uri();
    const std::size_t begin = uri.find("host=") + 5;
    uri.replace(begin, uri.find('&') - begin, folder_.path());
    return {uri, ""};
  }

  /// At the next request: it does not arrive, or its answer does not.
  void cut(Cut when) { cut_ = when; }

 private:
  void work() {
    const Fd client(::accept(listening_.get(), nullptr, nullptr));
    if (!client.open()) return;
    const std::string address = server_address();
    const std::size_t begin = address.find("host=") + 5;
    const sockaddr_un there = socket_in(address.substr(begin, address.find('&') - begin));
    const Fd server(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(server.get(), reinterpret_cast<const sockaddr*>(&there), sizeof there) != 0) {
      return;
    }
    while (true) {
      pollfd ends[] = {{client.get(), POLLIN, 0}, {server.get(), POLLIN, 0}};
      ::poll(ends, 2, -1);
      if (ends[0].revents != 0) {
        if (cut_ == Cut::before_request || !pass(client, server)) return;
      }
      if (ends[1].revents != 0) {
        if (cut_ == Cut::before_answer || !pass(server, client)) return;
      }
    }
  }

  static bool pass(const Fd& from, const Fd& to) {
    std::array<char, 65'536> bytes{};
    const ssize_t size = ::read(from.get(), bytes.data(), bytes.size());
    if (size <= 0) return false;
    return ::send(to.get(), bytes.data(), static_cast<std::size_t>(size), MSG_NOSIGNAL) == size;
  }

  TemporaryDirectory folder_;
  Fd listening_;
  std::atomic<Cut> cut_ = Cut::never;
  std::thread thread_;
};

}  // namespace sagorder::io
