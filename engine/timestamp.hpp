// The API's timestamps, read: `2017-06-08T09:41:30Z`. Writing them is signing's (signing.hpp).
#pragma once

#include <optional>
#include <string_view>

#include "engine/moment.hpp"

namespace sagorder {

/// nullopt: another form, or no day or time that there is.
std::optional<WallTime> parse_timestamp(std::string_view text);

}  // namespace sagorder
