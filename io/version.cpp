#include "io/version.hpp"

#include <openssl/crypto.h>
#include <openssl/opensslv.h>
#include <sqlite3.h>

#include <algorithm>
#include <boost/version.hpp>

#include "commit.hpp"

// Set by CMakeLists.txt: SAGORDER_VERSION, SAGORDER_DATE, SAGORDER_BUILD_TYPE.

namespace sagorder::io {
namespace {

constexpr std::string_view kCommit = SAGORDER_COMMIT;  // empty: not built from a clone

#ifdef __clang__
constexpr std::string_view kCompiler = "clang++ " __clang_version__;
#else
constexpr std::string_view kCompiler = "g++ " __VERSION__;
#endif

std::string library(std::string_view name, std::string_view now, std::string_view then) {
  return std::string(name) + " " + std::string(now) + " (built with " + std::string(then) + ")\n";
}

std::string boost_version() {
  std::string version = BOOST_LIB_VERSION;
  std::replace(version.begin(), version.end(), '_', '.');
  return version;
}

}  // namespace

std::string_view program_version() { return SAGORDER_VERSION; }
std::string_view program_date() { return SAGORDER_DATE; }

std::string version_text() {
  std::string text = "sagorder " + std::string(program_version()) + "\n";
  if (!kCommit.empty()) text += "commit " + std::string(kCommit) + "\n";
  std::string_view compiler = kCompiler;
  while (compiler.ends_with(' ')) compiler.remove_suffix(1);
  text += "build " SAGORDER_BUILD_TYPE ", " + std::string(compiler) + "\n";
  text += library("OpenSSL", OpenSSL_version(OPENSSL_VERSION_STRING), OPENSSL_FULL_VERSION_STR);
  text += library("SQLite", sqlite3_libversion(), SQLITE_VERSION);
  return text + "Boost " + boost_version() + " (headers alone)\n";
}

}  // namespace sagorder::io
