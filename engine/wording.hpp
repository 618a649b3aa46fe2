// Words for people about a text that is wrong: the text as it may be shown, the name it was meant
// to be, the number it should have been. Only complaints need them, so they may allocate.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace sagorder {

/// In quotes, clipped to 64 bytes (`...` behind), and nothing in it that a terminal would obey or a
/// person overlook: control and invisible characters are escaped.
std::string in_quotes(std::string_view text);

/// The nearest of `names`, if no more than one in `one_in` of its letters differs; else empty.
/// Case, spaces, '_' and '-' are no difference between names.
std::string_view nearest(std::string_view name, std::span<const std::string_view> names,
                         std::size_t one_in);

/// `; did you mean NAME?`, or nothing for no name.
std::string did_you_mean(std::string_view name);

/// Why a text is not a whole number from 1 to 2147483647, and what to write instead. A number is
/// suggested only where nothing else can have been meant.
/// @param text that is none, and not empty
std::string why_no_number(std::string_view text);

}  // namespace sagorder
