// The files that a command writes whole, beside results and ledger: a plan, a summary, metrics, a
// report.
//
// Each replaces its like, so that the same command can be given again, and nothing else: whoever
// mistypes a name must not lose what stands there, a ledger least of all. What a file is, is told
// by its first bytes. An empty file may become any of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sagorder::io {

enum class OwnFile : std::uint8_t { plan, summary, metrics, report };

/// Of the beginning of a file that is looked at.
inline constexpr std::size_t kOwnFileBytesSeen = 4096;

/// @param begin the first bytes of a file, at most kOwnFileBytesSeen
bool is_own(OwnFile kind, std::string_view begin);
/// What a file that is none of these is, for people: `a ledger, or another SQLite database`; empty:
/// not recognised.
std::string other_file(std::string_view begin);

/// By its first bytes. A results file may be CSV or JSON Lines.
bool is_results_file(std::string_view begin);
bool is_database_file(std::string_view begin);
/// The first bytes of a file that is there. Throws FileError.
std::string beginning_of(const std::string& path);

/// To be asked before anything is sent. The text names the option.
/// A Refusal if what stands there is not to be replaced; OutputError if the directory is missing or
/// is sagorder's memory; FileError for a link, for what is no regular file, and if nothing can be
/// made there.
void refuse_bad_place(OwnFile kind, const std::string& path);

}  // namespace sagorder::io
