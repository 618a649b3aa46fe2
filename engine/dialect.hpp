// What a file shows of how it is written: its encoding by its first bytes, its delimiter by its
// header.
//
// Taken for granted is only what can be seen. What might be read in two ways is not: then the user
// is asked to say which (--encoding, --delimiter).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/csv.hpp"

namespace sagorder {

/// As many bytes are looked at; a file that has no more is looked at whole.
inline constexpr std::size_t kDialectBytes = 64 * 1024;

/// As iconv names it; empty: UTF-8, or something that the CSV reader will complain of.
///
///   UTF-16LE, UTF-16BE   by the byte order mark (and not that of UTF-32)
///   GB18030              by its mark (84 31 95 33); or it is no UTF-8, and whatever is not ASCII
///   is
///                        Chinese of GB2312, a common ideograph among it, as Excel writes it in
///                        China. Big5 and Korean can look alike. All parameters are ASCII in each
///                        of them: a wrong guess changes no order, but how carried cells read.
///
/// @param bytes the file's first, unpacked: kDialectBytes of them unless it has fewer
std::string_view encoding_of(std::string_view bytes);

/// What a header says of the delimiter.
struct DelimiterSeen {
  enum class What : std::uint8_t {
    known,      ///< `delimiter`
    need_more,  ///< the header has not ended
    ambiguous,  ///< more than one makes columns with a parameter among them
  };
  What what = What::known;
  csv::Delimiter delimiter = csv::Delimiter::comma;
};

/// A delimiter fits if it makes two columns or more, one of them named as a parameter. None that
/// fits is the comma: its complaint is then the right one. Any cutting of `bytes` gives the same.
/// @param bytes from the file's first on, UTF-8  @param last no more will follow
DelimiterSeen delimiter_of(std::string_view bytes, bool last);

}  // namespace sagorder
