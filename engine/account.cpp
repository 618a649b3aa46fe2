#include "engine/account.hpp"

#include <algorithm>
#include <cmath>

#include "engine/planted.hpp"

namespace sagorder {
namespace {

double in_seconds(nanoseconds span) { return std::chrono::duration<double>(span).count(); }

/// What the rate gives in a lease's length.
double in_a_lease(const RateLimit& rate, milliseconds lease) {
  return rate.per_second() * in_seconds(lease);
}

}  // namespace

double AccountTerms::capacity() const {
  if (planted(Planted::lease_is_free)) return static_cast<double>(burst);
  return static_cast<double>(burst) - in_a_lease(rate, lease);
}

std::uint64_t least_burst(const RateLimit& rate, milliseconds lease) {
  return 1 + static_cast<std::uint64_t>(std::ceil(in_a_lease(rate, lease)));
}

std::uint64_t default_shared_burst(const RateLimit& rate, milliseconds lease) {
  return 1 + static_cast<std::uint64_t>(std::ceil(1.5 * in_a_lease(rate, lease)));
}

milliseconds longest_lease(const RateLimit& rate, std::uint64_t burst) {
  if (rate.unlimited()) return kLeaseLengthMax;
  const double spare = static_cast<double>(burst) - 1;
  const auto longest = milliseconds(static_cast<std::int64_t>(1e3 * spare / rate.per_second()));
  return std::min(longest, kLeaseLengthMax);
}

std::optional<std::string> complaint_of(const AccountTerms& terms) {
  if (terms.rate.unlimited() || terms.capacity() >= 1) return std::nullopt;
  const std::string words = "a burst of " + std::to_string(terms.burst) + " is too small for " +
                            to_string(terms.rate) + " leased for " +
                            std::to_string(terms.lease.count()) + " ms at a time; " +
                            std::to_string(least_burst(terms.rate, terms.lease)) + " would do";
  const milliseconds longest = longest_lease(terms.rate, terms.burst);
  if (longest < kLeaseLengthMin) return words;
  return words + ", or a lease of " + std::to_string(longest.count()) + " ms";
}

Account::Account(const AccountTerms& terms, nanoseconds now)
    : terms_(terms), at_(now), paused_until_(now) {}

LeaseGrant Account::lease(const LeaseWish& wish, nanoseconds now) {
  now = std::max(now, at_);
  const double elapsed = in_seconds(now - at_);
  at_ = now;
  level_ = std::max(0.0, level_ - terms_.rate.per_second() * factor_ * elapsed);
  if (now >= paused_until_) factor_ = std::min(1.0, factor_ + kClimbPerSecond * elapsed);
  factor_ = std::min(factor_, std::max(wish.factor, kFactorMin));
  paused_until_ = std::max(paused_until_, now + wish.paused_for);

  LeaseGrant grant{0, factor_, paused_until_ - now};
  if (grant.paused_for > nanoseconds(0)) return grant;
  const double room = std::floor(terms_.capacity() - level_);
  if (terms_.rate.unlimited() || room >= wish.tokens) {
    grant.tokens = wish.tokens;
  } else if (room > 0) {
    grant.tokens = static_cast<std::uint32_t>(room);
  }
  level_ += grant.tokens;
  return grant;
}

}  // namespace sagorder
