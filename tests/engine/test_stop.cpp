#include "engine/stop.hpp"

#include <gtest/gtest.h>

#include <utility>

namespace sagorder {
namespace {

TEST(Stop, EachHasItsName) {
  constexpr std::pair<Stop, std::string_view> kNames[] = {
      {Stop::none, "none"},
      {Stop::interrupted, "interrupted"},
      {Stop::max_orders, "max_orders"},
      {Stop::max_seats, "max_seats"},
      {Stop::max_seat_months, "max_seat_months"},
      {Stop::canary, "canary"},
      {Stop::not_after, "not_after"},
      {Stop::max_failures, "max_failures"},
      {Stop::max_doubts, "max_doubts"},
      {Stop::max_attempts, "max_attempts"},
      {Stop::unreachable, "unreachable"},
      {Stop::credentials, "credentials"},
      {Stop::clock, "clock"},
      {Stop::payment, "payment"},
      {Stop::certificate, "certificate"},
      {Stop::input_changed, "input_changed"},
      {Stop::fenced, "fenced"},
      {Stop::abandoned, "abandoned"},
      {Stop::output_failed, "output_failed"},
      {Stop::ledger_failed, "ledger_failed"},
      {Stop::records_lost, "records_lost"},
  };
  for (const auto& [stop, name] : kNames) {
    EXPECT_EQ(name_of(stop), name);
    EXPECT_EQ(stop_of(name), stop);
  }
  EXPECT_FALSE(stop_of("max-orders"));
  EXPECT_FALSE(stop_of(""));
}

TEST(Stop, PeopleAreToldOfOptionsAndInWords) {
  EXPECT_EQ(words_of(Stop::max_orders), "--max-orders");
  EXPECT_EQ(words_of(Stop::max_seat_months), "--max-seat-months");
  EXPECT_EQ(words_of(Stop::not_after), "--not-after");
  EXPECT_EQ(words_of(Stop::ledger_failed), "ledger not written");
  for (int i = 0; i <= static_cast<int>(Stop::records_lost); ++i) {
    const std::string_view words = words_of(static_cast<Stop>(i));
    EXPECT_FALSE(words.empty()) << i;
    EXPECT_EQ(words.find('_'), std::string_view::npos) << words;
  }
}

}  // namespace
}  // namespace sagorder
