// Bugs that are planted to see whether the simulation finds them: one by name, for a whole process.
// Those of the host are here; those of the engine are the engine's, in a build that has them.
#pragma once

#include <string_view>
#include <vector>

namespace sagorder::simulation {

/// All that this build has.
std::vector<std::string_view> plantable();

/// @return false: there is no such bug in this build
bool plant(std::string_view name);

inline std::string_view planted_name;  // set once, before the first history

inline bool planted(std::string_view name) { return !planted_name.empty() && planted_name == name; }

}  // namespace sagorder::simulation
