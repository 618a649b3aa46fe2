// The books: every order that was executed, as the read-only calls show it.
//
// An order appears `listing_delay` after it was executed, and its instance with it: a listing of
// the vendor's is promised by nobody to be complete at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "answers.hpp"
#include "rules.hpp"

namespace gateway {

struct BookedOrder {
  std::uint64_t sequence = 0;
  std::string order_id;
  std::string sag_id;
  std::string region_id;
  std::string resource_group_id;  // empty: not given
  std::int64_t user_count = 0;
  std::int64_t period = 0;  // months
  std::int64_t data_plan = 0;
  bool paid = false;  // AutoPay; without it there is no instance
  WallTime at;
};

class Books {
 public:
  // With more than these the read-only calls are refused: half a listing would be a lie.
  static constexpr std::size_t kOrdersMax = 1'000'000;

  // Goes on with what an executed log says; an empty path, or no file, is an empty book. Throws
  // std::runtime_error if a line is not one of the log's.
  Books(const std::string& executed_log, std::chrono::microseconds listing_delay);

  void add(const Placed& placed, const Order& order, WallTime at);
  bool full() const { return full_; }

  // What the listings show at `now`, the newest first, as the vendor's console does.
  std::vector<const BookedOrder*> shown(WallTime now) const;

 private:
  void add(BookedOrder order);

  std::chrono::microseconds delay_;
  std::vector<BookedOrder> orders_;
  bool full_ = false;
};

// One line of an executed log; throws std::runtime_error if it is none.
BookedOrder booked_order_of(std::string_view line);

// When a subscription of `months` ends that begins at `at`: at the midnight (UTC+8) after the same
// day of a later month, or after that month's last day. So the page's example has it.
WallTime end_of_subscription(WallTime at, std::int64_t months);

}  // namespace gateway
