#include "io/exit_code.hpp"

#include <gtest/gtest.h>

namespace sagorder::io {
namespace {

/// A batch with the given numbers of rows in each settled state, and one row besides.
Rows batch(int placed, int rejected, int in_doubt, bool last_placed = true) {
  Rows rows(static_cast<std::uint64_t>(placed + rejected + in_doubt + 1));
  std::uint64_t row = 0;
  const auto settle = [&](RecordKind kind) {
    ++row;
    EXPECT_TRUE(rows.apply({RecordKind::intent, {row}, {1}}));
    EXPECT_TRUE(rows.apply({kind, {row}, {1}}));
  };
  for (int i = 0; i < placed; ++i) settle(RecordKind::placed);
  for (int i = 0; i < rejected; ++i) settle(RecordKind::rejected);
  for (int i = 0; i < in_doubt; ++i) settle(RecordKind::in_doubt);
  if (last_placed) settle(RecordKind::placed);
  return rows;
}

TEST(ExitCode, TellsHowABatchEnded) {
  EXPECT_EQ(exit_code_of(Stop::none, batch(3, 0, 0), 0), ExitCode::all_placed);
  EXPECT_EQ(exit_code_of(Stop::none, batch(3, 1, 0), 0), ExitCode::some_rejected);
  EXPECT_EQ(exit_code_of(Stop::none, batch(3, 0, 0), 2), ExitCode::some_rejected);
  EXPECT_EQ(exit_code_of(Stop::none, batch(3, 1, 1), 2), ExitCode::some_in_doubt);
}

TEST(ExitCode, EveryStopHasItsCode) {
  const std::pair<Stop, ExitCode> expected[] = {{Stop::interrupted, ExitCode::limit},
                                                {Stop::max_orders, ExitCode::limit},
                                                {Stop::max_seats, ExitCode::limit},
                                                {Stop::max_failures, ExitCode::limit},
                                                {Stop::max_seat_months, ExitCode::limit},
                                                {Stop::canary, ExitCode::limit},
                                                {Stop::not_after, ExitCode::limit},
                                                {Stop::max_doubts, ExitCode::limit},
                                                {Stop::max_attempts, ExitCode::limit},
                                                {Stop::unreachable, ExitCode::limit},
                                                {Stop::payment, ExitCode::limit},
                                                {Stop::fenced, ExitCode::limit},
                                                {Stop::credentials, ExitCode::credentials},
                                                {Stop::clock, ExitCode::credentials},
                                                {Stop::certificate, ExitCode::credentials},
                                                {Stop::input_changed, ExitCode::input},
                                                {Stop::abandoned, ExitCode::interrupted},
                                                {Stop::output_failed, ExitCode::unwritable},
                                                {Stop::ledger_failed, ExitCode::unwritable},
                                                {Stop::records_lost, ExitCode::unwritable}};
  for (const auto& [stop, code] : expected) {
    EXPECT_EQ(exit_code_of(stop, batch(1, 1, 0, false), 0), code) << name_of(stop);
  }
}

TEST(ExitCode, DoubtOutweighsAllButABrokenDiskAndAnAbandonedRun) {
  for (int i = 0; i <= static_cast<int>(Stop::records_lost); ++i) {
    const Stop stop = static_cast<Stop>(i);
    const ExitCode code = exit_code_of(stop, batch(1, 1, 1, false), 0);
    const bool graver = stop >= Stop::abandoned;
    EXPECT_EQ(code == ExitCode::some_in_doubt, !graver) << name_of(stop);
  }
}

}  // namespace
}  // namespace sagorder::io
