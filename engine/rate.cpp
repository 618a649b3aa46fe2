#include "engine/rate.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "engine/planted.hpp"

namespace sagorder {
namespace {

constexpr seconds kRound{1};                 // throttling answers this close count as one
constexpr milliseconds kPauseUnhinted{100};  // when the gateway gives no hint
constexpr double kFactorFree = 2.0;          // unlimited again once at twice the measured rate
constexpr milliseconds kMeasuredOver{20};    // a shorter time says little about a rate
constexpr double kMeasuredMin = 10.0;  // orders a second, if throttled before anything is known

std::optional<std::uint64_t> parse_count(std::string_view& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end == text.data()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

std::optional<std::chrono::seconds> unit_of(std::string_view text) {
  if (text == "s") return seconds(1);
  if (text == "m") return seconds(60);
  if (text == "h") return seconds(3600);
  return std::nullopt;
}

}  // namespace

double RateLimit::per_second() const {
  if (unlimited()) return 0;
  return static_cast<double>(count) * 1e9 / static_cast<double>(window.count());
}

nanoseconds RateLimit::interval() const {
  if (unlimited()) return nanoseconds(0);
  const auto orders = static_cast<std::int64_t>(count);
  return nanoseconds((window.count() + orders - 1) / orders);  // rounded up: never above the rate
}

std::optional<RateLimit> parse_rate(std::string_view text) {
  if (text == "unlimited") return RateLimit{0, seconds(1)};
  const auto count = parse_count(text);
  if (!count || *count == 0 || *count > kRateCountMax) return std::nullopt;
  if (text.empty()) return RateLimit{*count, seconds(1)};
  if (text.front() != '/') return std::nullopt;
  text.remove_prefix(1);
  const bool counted = !text.empty() && text.front() >= '0' && text.front() <= '9';
  const auto units = counted ? parse_count(text) : std::optional<std::uint64_t>(1);
  const auto unit = unit_of(text);
  if (!units || !unit || *units == 0) return std::nullopt;
  if (*units > static_cast<std::uint64_t>(kRateWindowMax / *unit)) return std::nullopt;
  return RateLimit{*count, *unit * static_cast<std::int64_t>(*units)};
}

std::string to_string(const RateLimit& rate) {
  if (rate.unlimited()) return "unlimited";
  const auto window = std::chrono::duration_cast<seconds>(rate.window).count();
  const std::string unit = window == 1 ? "s" : std::to_string(window) + "s";
  return std::to_string(rate.count) + "/" + unit;
}

std::uint64_t default_burst(const RateLimit& rate) {
  return 1 + static_cast<std::uint64_t>(std::llround(rate.per_second() / 100.0));
}

TokenBucket::TokenBucket(nanoseconds interval, std::uint64_t burst)
    : interval_(interval), burst_(static_cast<std::int64_t>(burst)) {}

bool TokenBucket::take(SteadyTime now) {
  if (interval_.count() == 0) return true;
  if (now < ready_at()) return false;
  if (!planted(Planted::bucket_saves_up)) arrival_ = std::max(arrival_, now);
  arrival_ += interval_;
  return true;
}

SteadyTime TokenBucket::ready_at() const { return arrival_ - interval_ * (burst_ - 1); }

SteadyTime TokenBucket::ready_at(SteadyTime now, std::uint32_t ahead) const {
  if (ahead == 0) return ready_at();
  return std::max(arrival_, now) + interval_ * (static_cast<std::int64_t>(ahead) + 1 - burst_);
}

void TokenBucket::set_interval(nanoseconds interval, SteadyTime now) {
  // What is owed stays the same number of tokens: time owed is scaled with the interval.
  if (interval_.count() > 0 && arrival_ > now) {
    const double scale =
        static_cast<double>(interval.count()) / static_cast<double>(interval_.count());
    const double owed = static_cast<double>((arrival_ - now).count()) * scale;
    arrival_ = now + nanoseconds(static_cast<std::int64_t>(std::ceil(owed)));
  } else if (interval_.count() == 0) {
    arrival_ = now + interval * burst_;  // nothing was saved up while there was no limit
  }
  if (planted(Planted::bucket_filled_by_change)) arrival_ = {};
  interval_ = interval;
}

Pacer::Pacer(const RateLimit& rate, std::uint64_t burst)
    : interval_(rate.interval()), admit_(interval_, burst), send_(interval_, burst) {}

bool Pacer::admit(SteadyTime now) { return now >= paused_until_ && admit_.take(now); }

bool Pacer::send(SteadyTime now) {
  if (now < paused_until_ || !send_.take(now)) return false;
  if (now - window_begin_ >= seconds(1)) {
    const double span = std::chrono::duration<double>(now - window_begin_).count();
    measured_ = static_cast<double>(window_count_) / span;
    window_begin_ = now;
    window_count_ = 0;
  }
  ++window_count_;
  return true;
}

SteadyTime Pacer::admit_at(SteadyTime now) const {
  return std::max({now, paused_until_, admit_.ready_at()});
}

SteadyTime Pacer::send_at(SteadyTime now, std::uint32_t ahead) const {
  return std::max({now, paused_until_, send_.ready_at(now, ahead)});
}

void Pacer::throttled(const RateHint& hint, SteadyTime now) {
  nanoseconds pause = kPauseUnhinted;
  if (hint.retry_after) pause = *hint.retry_after;
  if (hint.time_left && hint.remain.value_or(0) == 0) {
    pause = std::max<nanoseconds>(pause, *hint.time_left);
  }
  paused_until_ = std::max(paused_until_, now + pause);
  recover(now);
  const bool same_round = lowered() && now - lowered_at_ < kRound;
  if (same_round) return;
  if (interval_.count() == 0 && base_ == 0) {
    const auto span = std::max<nanoseconds>(now - window_begin_, kMeasuredOver);
    const double lately =
        static_cast<double>(window_count_) * 1e9 / static_cast<double>(span.count());
    base_ = std::max({measured_, lately, kMeasuredMin});
    factor_ = 1.0;
  }
  lowered_at_ = now;
  recovered_at_ = now;
  set_factor(std::max(kFactorMin, factor_ / 2), now);
}

void Pacer::hinted(const RateHint& hint, SteadyTime now) {
  if (hint.retry_after) paused_until_ = std::max(paused_until_, now + *hint.retry_after);
  if (hint.remain == 0U && hint.time_left) {
    paused_until_ = std::max(paused_until_, now + *hint.time_left);
  }
}

void Pacer::follow(double factor, nanoseconds pause, SteadyTime now) {
  paused_until_ = std::max(paused_until_, now + pause);
  recover(now);
  if (interval_.count() == 0 || factor >= factor_) return;
  recovered_at_ = now;
  set_factor(std::max(kFactorMin, factor), now);
}

void Pacer::recover(SteadyTime now) {
  if (!lowered() || now - recovered_at_ < kRound || now < paused_until_) return;
  const double elapsed = std::chrono::duration<double>(now - recovered_at_).count();
  recovered_at_ = now;
  const double factor = factor_ + kClimbPerSecond * elapsed;
  if (interval_.count() > 0) {
    set_factor(std::min(1.0, factor), now);
  } else if (factor < kFactorFree) {
    set_factor(factor, now);
  } else {
    base_ = 0;
    factor_ = 1.0;
    admit_.set_interval(nanoseconds(0), now);
    send_.set_interval(nanoseconds(0), now);
  }
}

void Pacer::set_factor(double factor, SteadyTime now) {
  factor_ = factor;
  const double asked = interval_.count() > 0 ? static_cast<double>(interval_.count()) : 1e9 / base_;
  const auto interval = nanoseconds(static_cast<std::int64_t>(std::ceil(asked / factor)));
  admit_.set_interval(interval, now);
  send_.set_interval(interval, now);
}

double Pacer::current_rate() const {
  if (interval_.count() > 0) return factor_ * 1e9 / static_cast<double>(interval_.count());
  return base_ * factor_;
}

double Pacer::asked_rate() const {
  return interval_.count() > 0 ? 1e9 / static_cast<double>(interval_.count()) : 0;
}

bool Pacer::lowered() const { return interval_.count() > 0 ? factor_ < 1.0 : base_ > 0; }

}  // namespace sagorder
