#include "engine/lease.hpp"

#include <algorithm>
#include <cmath>

#include "engine/expect.hpp"
#include "engine/planted.hpp"

namespace sagorder {
namespace {

constexpr std::uint32_t kWantedFirst = 2;
/// Tokens that end within this share of a lease are not counted on: an ask takes its time.
constexpr int kAheadShare = 4;
constexpr std::uint32_t kManyTokens = 1U << 30U;  // of a lease without a rate

std::uint32_t worth(const RateLimit& rate, milliseconds length) {
  const double tokens = rate.per_second() * std::chrono::duration<double>(length).count();
  return std::max(1U, static_cast<std::uint32_t>(std::ceil(tokens)));
}

}  // namespace

Lease::Lease(milliseconds length, const RateLimit& rate)
    : length_(length),
      unlimited_(rate.unlimited()),
      most_(worth(rate, length)),
      wanted_(kWantedFirst),
      spacing_(length_ / kAsksInALease) {}

// -------------------------------------------------------------------------------------- asking

SteadyTime Lease::due_at(bool needed, SteadyTime now) const {
  if (asking_) return SteadyTime::max();
  if (asked_at_ == SteadyTime::min()) return now;
  const SteadyTime soonest = this->soonest();
  const SteadyTime heartbeat = asked_at_ + std::max<nanoseconds>(kHeartbeat, spacing_);
  if (!needed) return heartbeat;
  if (!enough(now)) return soonest;
  // There are enough, so at least one grant, until the next one ends.
  const SteadyTime ends = unlimited_ ? held_until_ : grant(0).until;
  return std::min(heartbeat, std::max(soonest, ends - length_ / kAheadShare));
}

SteadyTime Lease::soonest() const {
  if (asking_) return SteadyTime::max();
  return asked_at_ == SteadyTime::min() ? asked_at_ : asked_at_ + spacing_;
}

/// Half of what is wanted, for as long as an ask may take.
bool Lease::enough(SteadyTime now) const {
  const SteadyTime then = now + length_ / kAheadShare;
  return unlimited_ ? held_until_ > then : 2 * tokens_beyond(then) > wanted_;
}

std::uint32_t Lease::ask(bool needed, SteadyTime now) {
  expect(!asking_, "a lease was asked for twice");
  drop_ended(now);
  needed = needed || asked_at_ == SteadyTime::min();
  asking_ = true;
  asked_at_ = now;
  wanted_ = std::min(most_, 2 * used_ + kWantedFirst);
  used_ = 0;
  asked_for_ = 0;
  if (needed && !unlimited_) {
    const std::uint32_t at_hand = tokens_beyond(now + length_ / kAheadShare);
    asked_for_ = wanted_ - std::min(wanted_, at_hand);
  }
  return asked_for_;
}

void Lease::granted(std::uint32_t tokens, SteadyTime until, SteadyTime now) {
  expect(asking_, "a lease came that was not asked for");
  expect(tokens <= asked_for_, "more tokens came than were asked for");
  asking_ = false;
  const nanoseconds shortest = length_ / kAsksInALease;
  const bool in_vain = asked_for_ > 0 && tokens == 0;
  spacing_ = in_vain ? std::min(2 * std::max(spacing_, shortest), length_ / 2) : shortest;
  until = std::min(until, asked_at_ + length_);
  if (planted(Planted::lease_from_its_answer)) until = now + length_;
  held_until_ = std::max(held_until_, until);
  drop_ended(now);
  if (tokens == 0 || until <= now) return;
  expect(count_ < kGrantsMax, "more leases at a time than their asks can give");
  grant(count_++) = {tokens, until};
}

void Lease::failed() {
  expect(asking_, "a lease failed that was not asked for");
  asking_ = false;
  const nanoseconds first = length_ / kAsksInALease;
  spacing_ = std::min<nanoseconds>(2 * std::max(spacing_, first), kLeaseRetryMax);
}

// --------------------------------------------------------------------------------------- using

std::uint32_t Lease::tokens_beyond(SteadyTime then) const {
  const bool unending = planted(Planted::tokens_do_not_expire);
  if (unlimited_) return held_until_ > then || unending ? kManyTokens : 0;
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    if (grant(i).until > then || unending) sum += grant(i).tokens;
  }
  return sum;
}

SteadyTime Lease::take(SteadyTime now) {
  expect(tokens(now) > 0, "a token was taken that is not there");
  ++used_;
  if (unlimited_) return held_until_;
  drop_ended(now);
  --grant(0).tokens;
  return grant(0).until;
}

/// And those that are used up.
void Lease::drop_ended(SteadyTime now) {
  const bool unending = planted(Planted::tokens_do_not_expire) && count_ < kGrantsMax;
  while (count_ > 0 && (grant(0).tokens == 0 || (grant(0).until <= now && !unending))) {
    first_ = (first_ + 1) % kGrantsMax;
    --count_;
  }
}

}  // namespace sagorder
