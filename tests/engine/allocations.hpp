// Counts heap allocations, for tests that promise none: linking allocations.cpp replaces the
// global operator new and delete of the whole test binary.
#pragma once

#include <cstdint>

namespace sagorder {

/// Calls of any operator new on the calling thread since it started. Take it before and after.
std::uint64_t allocations_on_this_thread() noexcept;

}  // namespace sagorder
