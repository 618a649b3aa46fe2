// `--ledger postgresql://...`: the address of a ledger that is kept in a database.
//
// It is what libpq takes as a URI, and `#DIGEST` behind it if one of the database's batches is
// meant and no other. A password never stands in it, for it would stand in the list of processes,
// in the shell's history and in every command that is proposed: libpq finds one in PGPASSWORD, in
// ~/.pgpass (PGPASSFILE) or in what PGSERVICE names.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sagorder::io {

inline constexpr std::size_t kDigestDigits = 64;    ///< of the SHA-256 of an input, in hex
inline constexpr std::size_t kDigestDigitsMin = 8;  ///< of the beginning that names a batch

struct DatabaseAddress {
  std::string uri;    ///< for libpq
  std::string batch;  ///< the beginning of an input's digest; empty: any
};

/// Whether a ledger's name is an address at all, rather than a file's path.
bool is_database(std::string_view ledger);

/// Of a name that is one.
DatabaseAddress database_address(std::string_view ledger);

/// What is wrong with an address, in words that do not repeat it; nullopt: nothing.
std::optional<std::string> wrong_with_address(std::string_view ledger);

/// An address as it may be shown, whatever stands in it: `***` in the place of a password.
std::string without_password(std::string_view text);

}  // namespace sagorder::io
