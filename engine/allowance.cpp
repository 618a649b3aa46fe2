#include "engine/allowance.hpp"

namespace sagorder {
namespace {

bool fits(const std::optional<std::uint64_t>& limit, std::uint64_t spent, std::uint64_t reserved,
          std::uint64_t wanted) {
  return !limit || spent + reserved + wanted <= *limit;
}

/// What an order is for, and what is left of the limit that it does not fit in.
std::string does_not_fit(const Order& order, std::uint64_t wanted, const char* unit,
                         std::uint64_t limit, std::uint64_t spent) {
  return "row " + std::to_string(order.row.value) + " is for " + std::to_string(wanted) + " " +
         unit + ", and " + std::to_string(limit - spent) + " of " + std::to_string(limit) +
         " are left";
}

}  // namespace

void Allowance::Sum::add(const Order& order) {
  ++orders;
  seats += order.user_count;
  seat_months += order.seat_months();
}

void Allowance::Sum::take_away(const Order& order) {
  --orders;
  seats -= order.user_count;
  seat_months -= order.seat_months();
}

bool Allowance::has_room(const Order& order) const {
  return fits(limits_.max_orders, spent_.orders, reserved_.orders, 1) &&
         fits(limits_.max_seats, spent_.seats, reserved_.seats, order.user_count) &&
         fits(limits_.max_seat_months, spent_.seat_months, reserved_.seat_months,
              order.seat_months());
}

LimitMet Allowance::met_by(const Order& order) const {
  if (!fits(limits_.max_orders, spent_.orders, 0, 1)) {
    return {Stop::max_orders, std::to_string(*limits_.max_orders) +
                                  " orders were placed or may have been, as allowed"};
  }
  if (!fits(limits_.max_seats, spent_.seats, 0, order.user_count)) {
    return {Stop::max_seats,
            does_not_fit(order, order.user_count, "seats", *limits_.max_seats, spent_.seats)};
  }
  return {Stop::max_seat_months, does_not_fit(order, order.seat_months(), "seat-months",
                                              *limits_.max_seat_months, spent_.seat_months)};
}

std::optional<LimitMet> Allowance::judge(Fate fate) {
  if (fate == Fate::not_executed) return std::nullopt;
  ++answered_;
  if (fate == Fate::placed) {
    refusals_in_a_row_ = 0;
    return std::nullopt;
  }
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

}  // namespace sagorder
