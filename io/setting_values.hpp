// What the settings are in the end, in the words in which they are given: for `config show`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/settings.hpp"

namespace sagorder::io {

/// The value of a key (`max-orders`) as texts that a command line would take; one, but of a list
/// any number. nullopt: it has none, and does what its help calls the default. Throws
/// std::logic_error for what is no key.
std::optional<std::vector<std::string>> setting_value(const Settings& settings,
                                                      std::string_view key);

}  // namespace sagorder::io
