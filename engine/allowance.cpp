#include "engine/allowance.hpp"

#include <algorithm>

#include "engine/planted.hpp"

namespace sagorder {
namespace {

/// What an order is for, and what is left of the limit that it does not fit in.
std::string does_not_fit(const Order& order, std::uint64_t wanted, const char* unit,
                         std::uint64_t limit, std::uint64_t left) {
  return "row " + std::to_string(order.row.value) + " is for " + std::to_string(wanted) + " " +
         unit + ", and " + std::to_string(left) + " of " + std::to_string(limit) + " are left";
}

/// From now to then, within what a point of the steady clock can bear.
nanoseconds until(WallTime then, WallTime now) {
  constexpr std::chrono::hours kFarAway{24 * 365 * 100};
  return std::min<milliseconds>(then - now, kFarAway);
}

}  // namespace

Share most_by(const Limits& limits) {
  return {limits.max_orders.value_or(kNoLimit), limits.max_seats.value_or(kNoLimit),
          limits.max_seat_months.value_or(kNoLimit)};
}

Allowance::Allowance(const Limits& limits, const Rows& rows, bool shared)
    : limits_(limits),
      most_(most_by(limits)),
      placed_(rows.count_of(State::placed)),
      rejected_(rows.count_of(State::rejected)),
      doubted_(rows.count_of(State::in_doubt)) {
  if (planted(Planted::canary_of_run_alone)) rejected_ = doubted_ = 0;
  if (shared && most_ != Share{kNoLimit, kNoLimit, kNoLimit}) holding_.emplace();
}

void Allowance::begin(Moment now) {
  if (limits_.not_after) over_at_ = now.steady + until(*limits_.not_after, now.wall);
}

void Allowance::settle(const Order& order, RecordKind outcome) {
  if (outcome == RecordKind::placed) ++placed_;
  if (outcome != RecordKind::rejected) spent_ += share_of(order);
}

bool Allowance::has_room(const Order& order) const {
  return canary_has_room() && (spent_ + under_way() + share_of(order)).fits_in(room());
}

LimitMet Allowance::met_by(const Order& order) const {
  if (!canary_has_room()) return {Stop::canary, canary_detail()};
  const Share wanted = share_of(order);
  const Share& most = holding_ ? holding_->most() : most_;
  const Share left = most - least_of(most, spent_);
  if (wanted.orders > left.orders) {
    const std::string allowed = std::to_string(*limits_.max_orders);
    if (holding_) return {Stop::max_orders, "of " + allowed + " for all hosts none is left"};
    return {Stop::max_orders, allowed + (allowed == "1" ? " order was" : " orders were") +
                                  " placed or may have been, as allowed"};
  }
  if (wanted.seats > left.seats) {
    return {Stop::max_seats,
            does_not_fit(order, wanted.seats, "seats", *limits_.max_seats, left.seats),
            wanted.seats > most_.seats};
  }
  return {Stop::max_seat_months,
          does_not_fit(order, wanted.seat_months, "seat-months", *limits_.max_seat_months,
                       left.seat_months),
          wanted.seat_months > most_.seat_months};
}

std::optional<LimitMet> Allowance::judge(Fate fate) {
  if (fate == Fate::not_executed) return std::nullopt;
  ++answered_;
  if (fate == Fate::placed) {
    refusals_in_a_row_ = 0;
    return std::nullopt;
  }
  if (!canary_passed()) ++(fate == Fate::rejected ? rejected_ : doubted_);
  if (canary_failed()) return LimitMet{Stop::canary, canary_detail()};
  if (fate == Fate::rejected) return judge_refusals();
  if (++doubts_ < limits_.max_doubts) return std::nullopt;
  return LimitMet{Stop::max_doubts, std::to_string(doubts_) + " new rows in doubt"};
}

std::optional<LimitMet> Allowance::judge_refusals() {
  ++refusals_in_a_row_;
  ++refusals_;
  const FailureLimit& limit = limits_.max_failures;
  const bool too_many =
      limit.percent ? answered_ >= kFailureShareFrom && refusals_ * 100 > answered_ * limit.value
                    : refusals_in_a_row_ >= limit.value;
  if (!too_many) return std::nullopt;
  return LimitMet{Stop::max_failures,
                  limit.percent
                      ? "more than " + std::to_string(limit.value) + "% of the orders were refused"
                      : std::to_string(refusals_in_a_row_) + " refusals in a row"};
}

// --------------------------------------------------------------- limits that hosts share

SteadyTime Allowance::share_due_at(bool blocked) const {
  return holding_ ? holding_->due_at(spent_ + reserved_, waiting_, blocked) : SteadyTime::max();
}

std::optional<ShareAsk> Allowance::ask_for_share(const Order* next, SteadyTime now) {
  const bool blocked = next != nullptr;
  const Share used = spent_ + reserved_;
  const bool speaks = holding_ && holding_->has_to_say(spent_, used, waiting_, blocked, now);
  if (!speaks) return std::nullopt;
  return holding_->ask(spent_, used, blocked ? share_of(*next) : Share{}, waiting_, blocked, now);
}

void Allowance::share_granted(const ShareGrant& grant, SteadyTime now) {
  if (holding_) holding_->granted(grant, now);
}

// -------------------------------------------------------------------------------------- canary

std::uint64_t Allowance::not_placed() const {
  return rejected_ + (planted(Planted::canary_ignores_doubt) ? 0 : doubted_);
}

bool Allowance::canary_has_room() const {
  return canary_passed() || (!canary_failed() && placed_ + under_way().orders < limits_.canary);
}

std::string Allowance::canary_detail() const {
  const std::string first = std::to_string(limits_.canary);
  return "of the batch's orders so far " + std::to_string(placed_) + " are placed, " +
         std::to_string(rejected_) + " rejected, " + std::to_string(doubted_) +
         " in doubt; --canary " + first + " lets the rest go only if the first " + first +
         " are placed and no row is rejected or in doubt";
}

// ------------------------------------------------------------------------------------ deadline

bool Allowance::is_over(Moment now) const {
  return limits_.not_after && (now.wall >= *limits_.not_after || now.steady >= over_at_);
}

SteadyTime Allowance::over_at(Moment now) const {
  return std::min(over_at_, now.steady + until(*limits_.not_after, now.wall));
}

}  // namespace sagorder
