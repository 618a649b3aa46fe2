#include "engine/report.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

#include "engine/csv.hpp"

namespace sagorder {
namespace {

constexpr WallTime kBegin{seconds(1'700'000'000)};
constexpr RateLimit kLimit{10, seconds(1)};

/// A report that is told records in short.
class ReportTest : public ::testing::Test {
 protected:
  void see(RecordKind kind, std::uint64_t row, milliseconds at, const std::string& code = {},
           int http_status = 0, std::uint32_t attempt = 1) {
    Record record;
    record.kind = kind;
    record.row = {row};
    record.attempt = {attempt};
    record.at = kBegin + at;
    record.code = code;
    record.message = code.empty() ? "" : "of row " + std::to_string(row);
    record.http_status = http_status;
    record.latency = milliseconds(http_status == 0 ? 0 : 20);
    ASSERT_TRUE(report_.see(record)) << name_of(kind) << " of row " << row;
  }
  void intend(std::uint64_t row, milliseconds at, std::uint32_t attempt = 1) {
    see(RecordKind::intent, row, at, "", 0, attempt);
  }
  void place(std::uint64_t row, milliseconds at) {
    intend(row, at);
    see(RecordKind::placed, row, at + milliseconds(20), "", 200);
  }
  void line(std::uint64_t row, ResultStatus status, std::string_view region,
            std::string_view seats = "5", std::string_view period = "12") {
    report_.see_line({Row{row}, status, "why", region, seats, period});
  }

  Report report_{5000, {{kBegin, kLimit}}};
};

TEST_F(ReportTest, OfNoRecordSaysSo) {
  report_.close(false);
  EXPECT_TRUE(report_.runs().empty());
  EXPECT_TRUE(report_.codes().empty());
  EXPECT_TRUE(report_.doubts().empty());
  EXPECT_EQ(report_.latencies().count(), 0U);
  EXPECT_EQ(report_.rows().count_of(State::pending), 5000U);
  EXPECT_EQ(report_.in_doubt(), 0U);
}

TEST_F(ReportTest, CountsWhatAttemptsCameTo) {
  place(1, milliseconds(0));
  intend(2, milliseconds(100));
  see(RecordKind::rejected, 2, milliseconds(200), "QuotaExceeded", 400);
  intend(3, milliseconds(1200));
  see(RecordKind::not_executed, 3, milliseconds(1300), "Throttling", 429);
  intend(3, milliseconds(2100), 2);
  see(RecordKind::in_doubt, 3, milliseconds(2200), "closed", 0, 2);
  ASSERT_EQ(report_.runs().size(), 1U);
  const Report::Run& run = report_.runs().front();
  EXPECT_EQ(run.counts, (std::array<std::uint64_t, 4>{4, 1, 2, 1}));
  EXPECT_EQ(run.timeline.width(), seconds(1));
  EXPECT_EQ(run.timeline.buckets().at(0), (Timeline::Bucket{2, 1, 1, 0}));
  EXPECT_EQ(run.timeline.buckets().at(1), (Timeline::Bucket{1, 0, 1, 0}));
  EXPECT_EQ(run.timeline.buckets().at(2), (Timeline::Bucket{1, 0, 0, 1}));
  EXPECT_EQ(run.last, kBegin + milliseconds(2200));
  EXPECT_EQ(report_.latencies().count(), 3U) << "of answers alone";
  EXPECT_EQ(report_.in_doubt(), 1U);
}

TEST_F(ReportTest, ARecordThatCannotFollowIsRefused) {
  place(1, milliseconds(0));
  Record twice;
  twice.row = {1};
  twice.attempt = {2};
  EXPECT_FALSE(report_.see(twice));
}

TEST_F(ReportTest, TellsRunsApartByTheirStarts) {
  report_ =
      Report(5000, {{kBegin + seconds(100), kLimit}, {kBegin + seconds(200), {0, seconds(1)}}});
  place(1, seconds(1));  // of a run whose start is no longer known
  place(2, seconds(100));
  place(3, seconds(150));
  intend(4, seconds(151));
  see(RecordKind::in_doubt, 4, seconds(199), std::string(kCodeInterrupted));  // of the next start
  place(5, seconds(201));
  const auto& runs = report_.runs();
  ASSERT_EQ(runs.size(), 3U);
  EXPECT_FALSE(runs[0].start);
  EXPECT_EQ(runs[0].timeline.begin(), kBegin + seconds(1));
  EXPECT_EQ(runs[0].counts[0], 1U);
  EXPECT_EQ(runs[1].start->limit.count, 10U);
  EXPECT_EQ(runs[1].timeline.begin(), kBegin + seconds(100));
  EXPECT_EQ(runs[1].counts[0], 3U);
  EXPECT_EQ(runs[1].counts[3], 0U) << "nothing answered then";
  EXPECT_EQ(runs[1].last, kBegin + seconds(151));
  EXPECT_TRUE(runs[2].start->limit.unlimited());
  EXPECT_EQ(runs[2].counts[1], 1U);
}

TEST_F(ReportTest, OfALedgerWithoutStartsIsOneRun) {
  report_ = Report(5000, {});
  place(1, seconds(5));
  place(2, seconds(500));
  ASSERT_EQ(report_.runs().size(), 1U);
  EXPECT_FALSE(report_.runs()[0].start);
  EXPECT_EQ(report_.runs()[0].timeline.begin(), kBegin + seconds(5));
}

TEST_F(ReportTest, CodesAreCountedByWhatTheyCameTo) {
  for (std::uint64_t row = 1; row <= 3; ++row) {
    intend(row, milliseconds(0));
    see(RecordKind::rejected, row, milliseconds(1), "QuotaExceeded", 400);
  }
  for (std::uint64_t row = 4; row <= 8; ++row) {
    intend(row, milliseconds(0));
    see(RecordKind::in_doubt, row, milliseconds(1), "closed");
  }
  intend(9, milliseconds(0));
  see(RecordKind::in_doubt, 9, milliseconds(1), "QuotaExceeded", 500);
  const auto codes = report_.codes();
  ASSERT_EQ(codes.size(), 3U);
  EXPECT_EQ(codes[0].code, "closed");
  EXPECT_EQ(codes[0].kind, RecordKind::in_doubt);
  EXPECT_EQ(codes[0].answers, 5U);
  EXPECT_EQ(codes[0].row, Row{4});
  EXPECT_EQ(codes[1].code, "QuotaExceeded");
  EXPECT_EQ(codes[1].answers, 3U);
  EXPECT_EQ(codes[1].http_status, 400);
  EXPECT_EQ(codes[1].message, "of row 1");
  EXPECT_EQ(codes[2].http_status, 500);
}

TEST_F(ReportTest, ADoubtIsListedUntilItEnds) {
  intend(7, milliseconds(10));
  see(RecordKind::in_doubt, 7, milliseconds(50), "closed");
  ASSERT_TRUE(report_.doubts().contains(7));
  EXPECT_EQ(report_.doubts().at(7).begun, kBegin + milliseconds(10));
  EXPECT_EQ(report_.doubts().at(7).code, "closed");
  EXPECT_EQ(report_.doubts().at(7).message, "of row 7");
  see(RecordKind::replay, 7, milliseconds(60));
  see(RecordKind::in_doubt, 7, milliseconds(70), "SignatureNonceUsed", 400);
  EXPECT_EQ(report_.doubts().at(7).begun, kBegin + milliseconds(10));
  EXPECT_EQ(report_.doubts().at(7).code, "SignatureNonceUsed");
  see(RecordKind::resolved_not_placed, 7, seconds(90), "Resolved");
  EXPECT_TRUE(report_.doubts().empty());
  EXPECT_EQ(report_.resolved(), 1U);
  EXPECT_EQ(report_.codes().size(), 2U) << "an operator's words are no code";
  EXPECT_EQ(report_.latencies().count(), 1U);
  intend(7, seconds(100), 2);
  see(RecordKind::in_doubt, 7, seconds(101), "timeout", 0, 2);
  EXPECT_EQ(report_.doubts().at(7).begun, kBegin + seconds(100));
  EXPECT_EQ(report_.doubts().at(7).attempt.value, 2U);
}

TEST_F(ReportTest, WithoutARunAnOpenAttemptIsADoubt) {
  intend(3, milliseconds(30));
  Report going_on = report_;
  going_on.close(true);
  EXPECT_TRUE(going_on.doubts().empty());
  EXPECT_EQ(going_on.under_way(), 1U);
  EXPECT_EQ(going_on.in_doubt(), 0U);
  report_.close(false);
  EXPECT_EQ(report_.under_way(), 0U);
  EXPECT_EQ(report_.in_doubt(), 1U);
  EXPECT_EQ(report_.doubts().at(3).code, kCodeInterrupted);
  EXPECT_EQ(report_.doubts().at(3).begun, kBegin + milliseconds(30));
}

TEST_F(ReportTest, LinesGiveRegionsSeatsAndInvalidRows) {
  intend(2, milliseconds(0));
  see(RecordKind::rejected, 2, milliseconds(1), "QuotaExceeded", 400);
  line(1, ResultStatus::placed, "cn-shanghai", "10", "12");
  line(2, ResultStatus::rejected, "cn-hangzhou", "20", "6");
  line(3, ResultStatus::placed, "cn-shanghai", "5", "1");
  line(4, ResultStatus::invalid, "", "1,000", "13");
  line(5, ResultStatus::placed, "cn-shanghai", "99999999999999999999", "1");
  const Report::Region& region = report_.regions().at("cn-shanghai");
  EXPECT_EQ(region.lines[0], 3U);
  EXPECT_EQ(region.seats_placed, 15U);
  EXPECT_EQ(region.seat_months_placed, 125U);
  EXPECT_EQ(report_.regions().at("cn-hangzhou").lines[1], 1U);
  EXPECT_EQ(report_.all_regions().seats_placed, 15U);
  EXPECT_EQ(report_.rejected().at(2).region_id, "cn-hangzhou");
  EXPECT_EQ(report_.rejected().at(2).user_count, "20");
  EXPECT_EQ(report_.invalid().at(4).message, "why");
  EXPECT_EQ(report_.invalid().at(4).user_count, "1,000");
  EXPECT_EQ(report_.invalid_lines(), 1U);
  EXPECT_EQ(report_.lines(), 5U);
}

TEST_F(ReportTest, KeepsTheLowestRowsAndCountsTheRest) {
  for (std::uint64_t row = 5000; row >= 1; --row) {
    intend(row, milliseconds(0));
    see(RecordKind::in_doubt, row, milliseconds(1), "closed");
  }
  EXPECT_EQ(report_.doubts().size(), Report::kListedMax);
  EXPECT_EQ(report_.doubts().begin()->first, 1U);
  EXPECT_EQ(report_.doubts().rbegin()->first, Report::kListedMax);
  EXPECT_EQ(report_.in_doubt(), 5000U);
}

TEST_F(ReportTest, CodesAndRegionsAreBounded) {
  for (std::uint64_t row = 1; row <= 1000; ++row) {
    intend(row, milliseconds(0));
    see(RecordKind::rejected, row, milliseconds(1), "Code" + std::to_string(row), 400);
    line(row, ResultStatus::rejected, "region-" + std::to_string(row));
  }
  EXPECT_EQ(report_.codes().size(), Report::kCodesMax);
  EXPECT_EQ(report_.codes_left_out(), 1000 - Report::kCodesMax);
  EXPECT_EQ(report_.regions().size(), Report::kRegionsMax);
  EXPECT_EQ(report_.other_regions().lines[1], 1000 - Report::kRegionsMax);
  EXPECT_EQ(report_.all_regions().lines[1], 1000U);
}

TEST_F(ReportTest, LongTextsAreClippedBetweenCharacters) {
  std::string text(Report::kTextMax - 1, 'x');
  text += "\xE2\x82\xAC and more";  // a euro sign across the limit
  intend(1, milliseconds(0));
  see(RecordKind::in_doubt, 1, milliseconds(1), text);
  const std::string& kept = report_.doubts().at(1).code;
  EXPECT_EQ(kept, std::string(Report::kTextMax - 1, 'x') + "...");
  intend(2, milliseconds(0));
  see(RecordKind::in_doubt, 2, milliseconds(1), std::string(10'000, '\xFF'));
  EXPECT_EQ(report_.doubts().at(2).code.size(), Report::kTextMax + 3);
}

TEST_F(ReportTest, TimesThatNoClockShowsAreOutside) {
  constexpr auto kEnd = std::numeric_limits<std::int64_t>::max();
  report_ = Report(5000, {{WallTime(milliseconds(-kEnd)), kLimit}});
  for (const std::int64_t at : {kEnd, -kEnd, std::int64_t{0}}) {
    Record record;
    record.row = {static_cast<std::uint64_t>(1 + report_.rows().count_of(State::intended))};
    record.attempt = {1};
    record.at = WallTime(milliseconds(at));
    ASSERT_TRUE(report_.see(record));
  }
  ASSERT_EQ(report_.runs().size(), 1U);
  EXPECT_EQ(report_.runs()[0].timeline.outside(), 1U);
}

}  // namespace
}  // namespace sagorder
