// Which build this is: for bug reports, and for who has to know what is deployed. No date and no
// path of the machine that built it, so that the same source builds the same program.
#pragma once

#include <string>
#include <string_view>

namespace sagorder::io {

/// `0.1.0`: the version of CMake's project.
std::string_view program_version();

/// `2026-11-23`: the day of this version's sources, for the man pages.
std::string_view program_date();

/// What --version prints: the version, the commit where the source is a clone, the build, and the
/// libraries as they are now and as they were at the build. Lines end with a newline.
std::string version_text();

}  // namespace sagorder::io
