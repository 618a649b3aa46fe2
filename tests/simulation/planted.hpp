// Bugs that are planted to see whether the simulation finds them: one by name, for a whole process.
// Those of the host are here; those of the engine, if this build has them, are asked of the engine.
#pragma once

#include <string_view>

namespace sagorder::simulation {

/// @return false: there is no such bug in this build
bool plant(std::string_view name);

inline std::string_view planted_name;  // NOLINT: set once, before the first history

inline bool planted(std::string_view name) { return !planted_name.empty() && planted_name == name; }

}  // namespace sagorder::simulation
