#include "io/report_page.hpp"

#include <gtest/gtest.h>

#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "io/report_assets.hpp"
#include "tests/io/temporary_directory.hpp"

namespace sagorder::io {
namespace {

constexpr WallTime kBegin{seconds(1'700'000'000)};

/// What a page must survive in any of its texts.
const std::vector<std::string> kHostile = {
    "</script><script>alert(1)</script>",
    "<!-- <script>",
    "-->]]>&lt;&#x3c;",
    "\"'`\\\" onload=\"x",
    "{{script}} {{data}}",
    std::string("nul\0 bell\a esc\x1b[31m", 19),
    "line\nbreak\r\ttab\xE2\x80\xA8\xE2\x80\xA9",
    "\xE2\x80\xAEright to left\xE2\x80\xAC \xD8\xA7\xD9\x84",
    "\xFF\xFE not UTF-8 \xC3",
    std::string(100'000, 'x'),
};

class ReportPage : public ::testing::Test {
 protected:
  ReportPage() {
    frame_.made = kBegin;
    frame_.results = "r.csv";
  }
  void doubt(std::uint64_t row, const std::string& text) {
    Record record;
    record.row = {row};
    record.attempt = {1};
    record.at = kBegin;
    ASSERT_TRUE(report_.see(record));
    record.kind = RecordKind::in_doubt;
    record.request_id = record.code = record.message = record.evidence = text;
    ASSERT_TRUE(report_.see(record));
  }
  [[nodiscard]] std::string page() const { return to_page(report_, frame_); }

  Report report_{100, {}};
  ReportFrame frame_;
};

/// The text between the first `begin` and the first `end` behind it.
std::string between(const std::string& page, const std::string& begin, const std::string& end) {
  const std::size_t from = page.find(begin);
  if (from == std::string::npos) return {};
  const std::size_t start = from + begin.size();
  return page.substr(start, page.find(end, start) - start);
}

const std::string kDataBegin = "<script type=\"application/json\" id=\"data\">";

nlohmann::json data_of(const std::string& page) {
  return nlohmann::json::parse(between(page, kDataBegin, "</script>"));
}

std::size_t count_of(const std::string& page, const std::string& what) {
  std::size_t count = 0;
  for (std::size_t at = page.find(what); at != std::string::npos; at = page.find(what, at + 1)) {
    ++count;
  }
  return count;
}

TEST_F(ReportPage, IsMarkedAndHoldsWhatItNeeds) {
  const std::string text = page();
  EXPECT_TRUE(text.starts_with(kReportMark));
  for (const std::string_view part : {report_assets().style, report_assets().script,
                                      report_assets().chart_style, report_assets().chart_script}) {
    EXPECT_TRUE(has(text, part));
  }
  EXPECT_TRUE(has(text, "Copyright (c) 2022 Leon Sorokin")) << "the licence goes with the code";
  EXPECT_TRUE(has(text, "THE SOFTWARE IS PROVIDED \"AS IS\""));
  EXPECT_FALSE(has(text, "{{"));
  EXPECT_FALSE(has(text, "src="));
  EXPECT_FALSE(has(text, "href="));
}

TEST_F(ReportPage, ThePolicyNamesScriptsAndStylesByDigest) {
  const std::string policy =
      between(page(), "http-equiv=\"Content-Security-Policy\" content=\"", "\"");
  EXPECT_TRUE(policy.starts_with("default-src 'none'; script-src 'sha256-")) << policy;
  EXPECT_EQ(count_of(policy, "'sha256-"), 3U) << policy;
  EXPECT_FALSE(has(policy, "unsafe")) << policy;
  EXPECT_TRUE(has(policy, "base-uri 'none'; form-action 'none'")) << policy;
}

TEST_F(ReportPage, HostileTextsStayWithinTheData) {
  const std::string calm = page();
  std::uint64_t row = 0;
  for (const std::string& text : kHostile) {
    doubt(++row, text);
    report_.see_line({Row{row}, ResultStatus::in_doubt, text, text, text, text});
    report_.see_line({Row{50 + row}, ResultStatus::invalid, text, text, text, text});
    frame_.notes.push_back(text);
    frame_.results = frame_.ledger = frame_.input = frame_.endpoint = frame_.begun = text;
    frame_.go_on_command = frame_.status_command = text;
    frame_.reconcile_command = frame_.resolve_command = text;
    const std::string wild = page();
    for (const char* what : {"<script", "</script", "<!--", "-->", "<style", "<"}) {
      EXPECT_EQ(count_of(wild, what), count_of(calm, what)) << what << " in " << text.substr(0, 40);
    }
    const std::string block = between(wild, kDataBegin, "</script>");
    for (const char each : block) {
      ASSERT_TRUE(each >= ' ' && each <= '~') << static_cast<int>(each);
    }
    EXPECT_NO_THROW(data_of(wild));
  }
}

TEST_F(ReportPage, TextsArriveReadable) {
  doubt(1, kHostile[0]);
  doubt(2, kHostile[5]);
  doubt(3, kHostile[7]);
  doubt(4, kHostile[9]);
  const auto rows = data_of(page())["doubts"]["rows"];
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_EQ(rows[0]["message"], kHostile[0]);
  EXPECT_EQ(rows[1]["message"], "nul\\x00 bell\\x07 esc\\x1b[31m");
  const std::string turned = rows[2]["message"];
  EXPECT_FALSE(has(turned, "\xE2\x80\xAE"));
  EXPECT_TRUE(has(turned, "\xD8\xA7\xD9\x84")) << "letters stay";
  EXPECT_LT(rows[3]["message"].get<std::string>().size(), 1000U);
}

TEST_F(ReportPage, DataSaysWhatTheReportSays) {
  report_ = Report(3, {{kBegin, {50, seconds(1)}}});
  Record record;
  record.row = {1};
  record.attempt = {1};
  record.at = kBegin + milliseconds(10);
  ASSERT_TRUE(report_.see(record));
  record.kind = RecordKind::placed;
  record.http_status = 200;
  record.latency = milliseconds(17);
  ASSERT_TRUE(report_.see(record));
  report_.see_line({Row{1}, ResultStatus::placed, "", "cn-shanghai", "10", "12"});
  frame_.not_sent = 2;
  const auto data = data_of(page());
  EXPECT_EQ(data["totals"]["placed"], 1);
  EXPECT_EQ(data["totals"]["not_sent"], 2);
  EXPECT_EQ(data["totals"]["seat_months_placed"], 120);
  EXPECT_EQ(data["runs"][0]["limit"], "50/s");
  EXPECT_EQ(data["runs"][0]["per_second"], 50.0);
  EXPECT_EQ(data["runs"][0]["width"], 200);
  EXPECT_EQ(data["runs"][0]["buckets"][0], (std::vector<int>{1}));
  EXPECT_EQ(data["latency"]["quantiles"][0][1], 17);
  EXPECT_EQ(data["latency"]["bars"][0], nlohmann::json::parse("[17, 18, 1, false]"));
  EXPECT_EQ(data["regions"]["rows"][0]["region"], "cn-shanghai");
  EXPECT_EQ(data["made"], 1'700'000'000'000);
}

TEST_F(ReportPage, SaysHowManyRowsItLeavesOut) {
  report_ = Report(5000, {});
  for (std::uint64_t row = 1; row <= 1500; ++row) doubt(row, "closed");
  frame_.in_doubt = report_.in_doubt();
  const auto data = data_of(page());
  EXPECT_EQ(data["doubts"]["rows"].size(), Report::kListedMax);
  EXPECT_EQ(data["doubts"]["left_out"], 500);
}

}  // namespace
}  // namespace sagorder::io
