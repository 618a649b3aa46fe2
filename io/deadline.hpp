// A point in time as people give it: RFC 3339 with its zone, `2026-11-23T18:00:00Z` or
// `...T18:00:00.5+08:00`, or a duration from now with its unit, `90m`.
#pragma once

#include <optional>
#include <string_view>

#include "engine/moment.hpp"

namespace sagorder::io {

inline constexpr milliseconds kDeadlineMax = std::chrono::hours(24 * 366);  ///< from now

class Deadline {
 public:
  /// Of a fraction of a second whole milliseconds are kept. nullopt: neither of the two, a date
  /// that is none, a leap second, or a duration of 0 or over kDeadlineMax.
  static std::optional<Deadline> parse(std::string_view text);

  [[nodiscard]] bool counts_from_now() const { return !at_; }
  [[nodiscard]] WallTime from(WallTime now) const { return at_ ? *at_ : now + after_; }

 private:
  explicit Deadline(WallTime at) : at_(at) {}
  explicit Deadline(milliseconds after) : after_(after) {}
  std::optional<WallTime> at_;
  milliseconds after_{0};
};

}  // namespace sagorder::io
