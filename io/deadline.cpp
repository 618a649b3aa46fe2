#include "io/deadline.hpp"

#include <algorithm>

#include "engine/ascii.hpp"
#include "io/settings.hpp"

namespace sagorder::io {
namespace {

/// Takes RFC 3339 apart, from the left to the right; every part must be there.
class Reading {
 public:
  explicit Reading(std::string_view text) : rest_(text) {}

  /// @return -1 if there are not so many digits
  int number(std::size_t digits) {
    if (rest_.size() < digits || !is_digits(rest_.substr(0, digits))) return -1;
    int value = 0;
    for (const char digit : rest_.substr(0, digits)) value = value * 10 + (digit - '0');
    rest_.remove_prefix(digits);
    return value;
  }
  bool skip(std::string_view one_of) {
    if (rest_.empty() || one_of.find(rest_.front()) == std::string_view::npos) return false;
    rest_.remove_prefix(1);
    return true;
  }
  /// `.5`, `.123456`, or nothing. @return whole ms; -1: a point without digits
  int fraction_ms() {
    if (!skip(".")) return 0;
    int value = 0;
    std::size_t digits = 0;
    for (; !rest_.empty() && is_digit(rest_.front()); ++digits) {
      if (digits < 3) value = value * 10 + (rest_.front() - '0');
      rest_.remove_prefix(1);
    }
    for (std::size_t i = digits; i < 3; ++i) value *= 10;
    return digits == 0 ? -1 : value;
  }
  /// `Z`, `+08:00` or `-03:30`. @return how far local time is ahead of UTC
  std::optional<std::chrono::minutes> zone() {
    if (skip("Zz")) return std::chrono::minutes(0);
    const bool behind = !rest_.empty() && rest_.front() == '-';
    if (!skip("+-")) return std::nullopt;
    const int hours = number(2);
    const bool whole = skip(":");
    const int minutes = number(2);
    if (!whole || hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
    return std::chrono::minutes((hours * 60 + minutes) * (behind ? -1 : 1));
  }
  [[nodiscard]] bool over() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

std::optional<WallTime> date_and_time(std::string_view text) {
  Reading reading(text);
  const int year = reading.number(4);
  bool whole = reading.skip("-");
  const int month = reading.number(2);
  whole = reading.skip("-") && whole;
  const int day = reading.number(2);
  whole = reading.skip("Tt") && whole;
  const int hour = reading.number(2);
  whole = reading.skip(":") && whole;
  const int minute = reading.number(2);
  whole = reading.skip(":") && whole;
  const int second = reading.number(2);
  const int ms = reading.fraction_ms();
  const auto zone = reading.zone();
  if (!whole || !zone || !reading.over()) return std::nullopt;
  if (std::min({year, month, day, hour, minute, second, ms}) < 0) return std::nullopt;
  if (hour > 23 || minute > 59 || second > 59) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day)));
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         seconds(second) + milliseconds(ms) - *zone;
}

}  // namespace

std::optional<Deadline> Deadline::parse(std::string_view text) {
  if (const auto at = date_and_time(text)) return Deadline(*at);
  const auto after = parse_duration(text, kDeadlineMax);
  if (!after || after->count() == 0) return std::nullopt;
  return Deadline(*after);
}

}  // namespace sagorder::io
