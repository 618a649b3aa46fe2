#include "engine/share.hpp"

#include <algorithm>

#include "engine/expect.hpp"
#include "engine/lease.hpp"
#include "engine/planted.hpp"

namespace sagorder {
namespace {

/// Of what is left to a host that holds so much it is given half, and what its next order needs.
std::uint64_t part_of(std::uint64_t most, std::uint64_t held, std::uint64_t least,
                      std::uint64_t wanted) {
  const std::uint64_t half = held + (most - held + 1) / 2;
  return std::min(wanted, std::max(least, half));
}

}  // namespace

Share& Share::operator+=(const Share& other) {
  orders += other.orders;
  seats += other.seats;
  seat_months += other.seat_months;
  return *this;
}

Share& Share::operator-=(const Share& other) {
  orders -= other.orders;
  seats -= other.seats;
  seat_months -= other.seat_months;
  return *this;
}

Share operator*(const Share& share, std::uint64_t times) {
  return {share.orders * times, share.seats * times, share.seat_months * times};
}

Share most_of(const Share& one, const Share& other) {
  return {std::max(one.orders, other.orders), std::max(one.seats, other.seats),
          std::max(one.seat_months, other.seat_months)};
}

Share least_of(const Share& one, const Share& other) {
  return {std::min(one.orders, other.orders), std::min(one.seats, other.seats),
          std::min(one.seat_months, other.seat_months)};
}

Share share_of(const Order& order) { return {1, order.user_count, order.seat_months()}; }

Share granted(const ShareAsk& ask, const Share& most) {
  if (!ask.least.fits_in(most)) return ask.held;
  return {part_of(most.orders, ask.held.orders, ask.least.orders, ask.wanted.orders),
          part_of(most.seats, ask.held.seats, ask.least.seats, ask.wanted.seats),
          part_of(most.seat_months, ask.held.seat_months, ask.least.seat_months,
                  ask.wanted.seat_months)};
}

SteadyTime Holding::due_at(const Share& used, const Share& waiting, bool blocked) const {
  const bool is_short = blocked || !(used + waiting).fits_in(held_);
  return is_short && !asking_ ? again_at_ : SteadyTime::max();
}

bool Holding::has_to_say(const Share& spent, const Share& used, const Share& waiting, bool blocked,
                         SteadyTime now) const {
  if (due_at(used, waiting, blocked) <= now) return true;
  if (waiting == Share{} && used != held_) return true;
  return spent != told_ && now >= told_at_ + kHeartbeat;
}

ShareAsk Holding::ask(const Share& spent, const Share& used, const Share& next,
                      const Share& waiting, bool blocked, SteadyTime now) {
  expect(!asking_, "a share was asked for twice");
  expect(used.fits_in(held_) || planted(Planted::share_taken_unasked),
         "more was spent than this host holds");
  wants_more_ = due_at(used, waiting, blocked) <= now;
  asking_ = true;
  told_ = spent;
  told_at_ = now;
  // What is given back is not held from now on, whatever becomes of the ask.
  const bool gives_back = wants_more_ ? blocked : waiting == Share{};
  if (gives_back) held_ = planted(Planted::share_of_what_is_under_way_given_back) ? spent : used;
  asked_ = {spent, held_, held_, held_};
  if (wants_more_) ask_for_more(used, next, waiting, blocked, now);
  return asked_;
}

void Holding::ask_for_more(const Share& used, const Share& next, const Share& waiting, bool blocked,
                           SteadyTime now) {
  const bool soon = more_at_ != SteadyTime::min() && now < more_at_ + kHeartbeat;
  factor_ = soon && !refused_ ? std::min(2 * factor_, kShareFactorMax) : 1;
  more_at_ = now;
  if (blocked) asked_.least = most_of(held_, used + next);
  asked_.wanted = most_of(asked_.least, used + waiting * factor_);
  if (planted(Planted::share_taken_unasked)) held_ = asked_.wanted;
}

void Holding::granted(const ShareGrant& grant, SteadyTime now) {
  expect(asking_, "a share came that was not asked for");
  expect(asked_.held.fits_in(grant.held), "less of a share came back than is held");
  asking_ = false;
  held_ = grant.held;
  most_ = grant.most;
  more_may_come_ = grant.more_may_come;
  if (!wants_more_) return;
  refused_ = !asked_.least.fits_in(held_);
  if (held_ == asked_.held) again_at_ = now + kHeartbeat;
}

/// The book may have another total than this host: it is said anew, be there a need or not.
void Holding::failed() {
  asking_ = false;
  told_ = {kNoLimit, kNoLimit, kNoLimit};
  more_may_come_ = true;
  more_at_ = SteadyTime::min();
}

bool Holding::is_final(const Share& spent, const Share& next) const {
  return refused_ && !asking_ && !more_may_come_ && asked_.least == spent + next;
}

}  // namespace sagorder
