#include "books.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <stdexcept>

namespace gateway {
namespace {

[[noreturn]] void complain(std::string_view line) {
  throw std::runtime_error("the executed log has a line that is not one of its own: " +
                           std::string(line.substr(0, 80)));
}

// What stands behind `,"name":`. A text of the log's cannot hold that: its quotes are escaped.
std::string_view value_of(std::string_view line, std::string_view name) {
  const std::string key = ",\"" + std::string(name) + "\":";
  const std::size_t at = line.find(key);
  return at == std::string_view::npos ? std::string_view() : line.substr(at + key.size());
}

std::string text_of(std::string_view line, std::string_view name) {
  std::string_view value = value_of(line, name);
  if (!value.starts_with('"')) complain(line);
  std::string text;
  for (value.remove_prefix(1); !value.starts_with('"'); value.remove_prefix(1)) {
    if (value.starts_with('\\')) value.remove_prefix(1);
    if (value.empty()) complain(line);
    text.push_back(value.front());
  }
  return text;
}

template <typename Number>
Number number_of(std::string_view line, std::string_view name) {
  const std::string_view value = value_of(line, name);
  Number number = 0;
  if (std::from_chars(value.data(), value.data() + value.size(), number).ec != std::errc())
    complain(line);
  return number;
}

// `2026-01-02T03:04:05.678Z`, as the log writes it.
WallTime time_of(std::string_view line) {
  const std::string text = text_of(line, "at");
  if (text.size() != 24) complain(line);
  const auto second = parse_timestamp(text.substr(0, 19) + "Z");
  int milliseconds = 0;
  const auto end = std::from_chars(text.data() + 20, text.data() + 23, milliseconds).ptr;
  if (!second || end != text.data() + 23) complain(line);
  return *second + std::chrono::milliseconds(milliseconds);
}

}  // namespace

BookedOrder booked_order_of(std::string_view line) {
  constexpr std::string_view kBegin = "{\"seq\":";
  if (!line.starts_with(kBegin)) complain(line);
  BookedOrder order;
  const std::string_view rest = line.substr(kBegin.size());
  if (std::from_chars(rest.data(), rest.data() + rest.size(), order.sequence).ec != std::errc())
    complain(line);
  order.order_id = text_of(line, "order_id");
  order.sag_id = text_of(line, "sag_id");
  order.region_id = text_of(line, "region_id");
  if (!value_of(line, "resource_group_id").empty())
    order.resource_group_id = text_of(line, "resource_group_id");
  order.user_count = number_of<std::int64_t>(line, "user_count");
  order.period = number_of<std::int64_t>(line, "period");
  order.data_plan = number_of<std::int64_t>(line, "data_plan");
  order.paid = value_of(line, "auto_pay").starts_with("true");
  order.at = time_of(line);
  return order;
}

Books::Books(const std::string& executed_log, std::chrono::microseconds listing_delay)
    : delay_(listing_delay) {
  if (executed_log.empty()) return;
  std::ifstream log(executed_log);
  for (std::string line; std::getline(log, line);) add(booked_order_of(line));
}

void Books::add(const Placed& placed, const Order& order, WallTime at) {
  add({placed.sequence, placed.order_id, placed.sag_id, std::string(order.region_id),
       std::string(order.resource_group_id), order.user_count, order.period, order.data_plan,
       order.auto_pay, at});
}

void Books::add(BookedOrder order) {
  if (full_) return;
  orders_.push_back(std::move(order));
  if (orders_.size() <= kOrdersMax) return;
  full_ = true;
  orders_ = {};
}

std::vector<const BookedOrder*> Books::shown(WallTime now) const {
  std::vector<const BookedOrder*> found;
  for (const BookedOrder& order : orders_) {
    if (order.at + delay_ <= now) found.push_back(&order);
  }
  std::sort(found.begin(), found.end(), [](const BookedOrder* a, const BookedOrder* b) {
    return a->at != b->at ? a->at > b->at : a->sequence > b->sequence;
  });
  return found;
}

WallTime end_of_subscription(WallTime at, std::int64_t months) {
  using namespace std::chrono;
  constexpr hours kBeijing(8);
  const year_month_day begin(floor<days>(at + kBeijing));
  const year_month month = begin.year() / begin.month() + std::chrono::months(months);
  const year_month_day_last last(month.year(), month_day_last(month.month()));
  const day same = std::min(begin.day(), last.day());
  return sys_days(month / same) + days(1) - kBeijing;
}

}  // namespace gateway
