// Named places at which a build for tests dies on request, as by a crash at just that moment.
//
// SAGORDER_KILL_AT="NAME:K" raises SIGKILL when the program comes to the point NAME for the K-th
// time, from 1. Only the program sagorder-kill-points of tests/campaigns is built with
// SAGORDER_KILL_POINTS; in every other the points are nothing, and no byte of a binary tells of
// them. A name is `what:where`, written once in the sources: the campaign finds them there.
#pragma once

#include <cstddef>

#ifdef SAGORDER_KILL_POINTS

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string_view>

namespace sagorder::io {

inline void kill_point(std::string_view name) {
  static std::atomic<long> passes{0};
  static const char* const kAt = std::getenv("SAGORDER_KILL_AT");
  if (kAt == nullptr) return;
  const std::string_view at(kAt);
  const std::size_t colon = at.rfind(':');
  if (at.substr(0, colon) != name) return;
  if (++passes != std::strtol(kAt + colon + 1, nullptr, 10)) return;
  ::kill(::getpid(), SIGKILL);
  for (;;) ::pause();
}

/// How much of so many bytes is written at once: a part, so that there is a moment between two.
constexpr std::size_t piece_of(std::size_t bytes) { return (bytes + 1) / 2; }

/// What comes only after so much work, comes in a short batch too.
constexpr int sooner(int limit) { return limit / 64; }

}  // namespace sagorder::io

#else

namespace sagorder::io {

constexpr void kill_point(const char* /*name*/) {}
constexpr std::size_t piece_of(std::size_t bytes) { return bytes; }
constexpr int sooner(int limit) { return limit; }

}  // namespace sagorder::io

#endif
