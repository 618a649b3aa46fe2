#include "io/metrics.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "io/file.hpp"
#include "tests/io/temporary_directory.hpp"

namespace sagorder::io {
namespace {

/// What a scraper reads: every line judged by the format's own words, 0.0.4.
class Scraped {
 public:
  explicit Scraped(const std::string& text) {
    EXPECT_TRUE(text.ends_with('\n'));
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) read(line);
    EXPECT_TRUE(fresh_.empty()) << fresh_ << " has a type and no help";
  }

  [[nodiscard]] double value(const std::string& sample) const {
    const auto found = samples_.find(sample);
    EXPECT_NE(found, samples_.end()) << sample;
    return found == samples_.end() ? -1 : found->second;
  }
  [[nodiscard]] bool has(const std::string& sample) const { return samples_.contains(sample); }
  [[nodiscard]] const std::map<std::string, double>& samples() const { return samples_; }
  [[nodiscard]] const std::map<std::string, std::string>& types() const { return types_; }

 private:
  void read(const std::string& line) {
    static const std::regex help("# HELP ([a-z_]+) (\\S.*)");
    static const std::regex type("# TYPE ([a-z_]+) (counter|gauge|histogram)");
    static const std::regex sample(
        R"re(([a-z_]+)(\{([a-z]+="([^"\\]|\\[\\"n])*"(,[a-z]+="([^"\\]|\\[\\"n])*")*)\})? (\S+))re");
    std::smatch found;
    if (std::regex_match(line, found, help)) {
      EXPECT_TRUE(families_.insert(found[1]).second) << line << ": a family twice";
      fresh_ = family_ = found[1];
    } else if (std::regex_match(line, found, type)) {
      EXPECT_EQ(found[1], family_) << line;
      types_[found[1]] = found[2];
      fresh_.clear();
      const bool counts = std::string(found[1]).ends_with("_total");
      EXPECT_EQ(counts, found[2] == "counter") << line << ": counters, and they alone, end so";
    } else if (std::regex_match(line, found, sample)) {
      std::string base = found[1];
      if (types_[family_] == "histogram") {
        base = std::regex_replace(base, std::regex("_(bucket|sum|count)$"), "");
      }
      EXPECT_EQ(base, family_) << line << ": not under its family";
      std::size_t used = 0;
      const std::string number = found[7];
      const double value = number == "+Inf" ? HUGE_VAL : std::stod(number, &used);
      EXPECT_TRUE(number == "+Inf" || used == number.size()) << line;
      EXPECT_TRUE(samples_.emplace(std::string(found[1]) + std::string(found[2]), value).second)
          << line << ": a sample twice";
    } else {
      ADD_FAILURE() << "no line of the format: " << line;
    }
  }

  std::set<std::string> families_;
  std::map<std::string, std::string> types_;
  std::map<std::string, double> samples_;
  std::string family_, fresh_;
};

class MetricsTest : public testing::Test {
 protected:
  void settle(std::uint64_t row, RecordKind kind, const std::string& region = "cn-shanghai") {
    rows.apply({RecordKind::intent, {row}, {1}});
    rows.apply({kind, {row}, {1}});
    Order order;
    order.region_id = region;
    order.user_count = 5;
    order.period = 12;
    tally.breakdown.settle(order, kind);
  }
  [[nodiscard]] std::string text() const { return metrics_text(view); }

  Rows rows{10};
  Tally tally;
  Pacer pacer{RateLimit{10, seconds(1)}, 1};
  RunView run{rows, tally, pacer, 9};
  MetricsView view{run, 1, 3, "3f09c2d1", WallTime(seconds(1'700'000'000)), {}, {}};
};

TEST_F(MetricsTest, AreThoseOfTheRunAndTheBatch) {
  settle(1, RecordKind::placed);
  settle(2, RecordKind::rejected);
  settle(3, RecordKind::in_doubt, "cn-hangzhou");
  rows.apply({RecordKind::intent, {4}, {1}});
  tally.breakdown.count("QuotaExceeded", RecordKind::rejected);
  tally.sent = 4;
  const Scraped scraped(text());
  EXPECT_EQ(scraped.value(R"(sagorder_batch_rows{state="placed"})"), 1);
  EXPECT_EQ(scraped.value(R"(sagorder_batch_rows{state="under_way"})"), 1);
  EXPECT_EQ(scraped.value(R"(sagorder_batch_rows{state="not_sent"})"), 5);
  EXPECT_EQ(scraped.value(R"(sagorder_batch_rows{state="invalid"})"), 1);
  EXPECT_EQ(
      scraped.value(R"(sagorder_rows_settled_total{region="cn-hangzhou",outcome="in_doubt"})"), 1);
  EXPECT_EQ(scraped.value(R"(sagorder_seats_placed_total{region="cn-shanghai"})"), 5);
  EXPECT_EQ(scraped.value(R"(sagorder_seat_months_placed_total{region="cn-shanghai"})"), 60);
  EXPECT_EQ(
      scraped.value(R"(sagorder_outcomes_by_code_total{code="QuotaExceeded",outcome="rejected"})"),
      1);
  EXPECT_EQ(scraped.value("sagorder_requests_total"), 4);
  EXPECT_EQ(scraped.value("sagorder_requests_on_wire"), 3);
  EXPECT_EQ(scraped.value("sagorder_rate_limit_orders_per_second"), 10);
  EXPECT_EQ(scraped.value("sagorder_run_over"), 0);
  EXPECT_EQ(scraped.value("sagorder_run_started_timestamp_seconds"), 1.7e9);
  EXPECT_FALSE(scraped.has("sagorder_connects_total"));
}

/// No two have the same number, so that none can stand in another's place.
TEST_F(MetricsTest, EachCountIsItsOwn) {
  tally.intents = 11;
  tally.sent = 12;
  tally.throttled = 13;
  tally.faults = 14;
  tally.replays = 15;
  tally.commits = 16;
  view.network = PoolCounters{21, 22, 23, 24, 25, 26};
  tally.latency.add(seconds(1));
  for (int i = 0; i < 2; ++i) tally.since_due.add(seconds(2));
  for (int i = 0; i < 3; ++i) tally.commit.add(seconds(4));
  const Scraped scraped(text());
  const std::pair<const char*, double> wanted[] = {{"attempts_total", 11},
                                                   {"requests_total", 12},
                                                   {"throttled_total", 13},
                                                   {"faults_total", 14},
                                                   {"replays_total", 15},
                                                   {"commits_total", 16},
                                                   {"connects_total", 21},
                                                   {"handshakes_resumed_total", 22},
                                                   {"connections_reused_total", 23},
                                                   {"connections_discarded_total", 24},
                                                   {"written_bytes_total", 25},
                                                   {"read_bytes_total", 26},
                                                   {"answer_duration_seconds_count", 1},
                                                   {"due_duration_seconds_count", 2},
                                                   {"commit_duration_seconds_count", 3}};
  for (const auto& [name, value] : wanted) {
    EXPECT_EQ(scraped.value(std::string("sagorder_") + name), value) << name;
  }
}

TEST_F(MetricsTest, HistogramsAreCumulativeAndExact) {
  tally.latency.add(milliseconds(1));
  tally.latency.add(nanoseconds((1 << 20) - 1));
  tally.latency.add(nanoseconds(1 << 20));
  tally.latency.add(seconds(100));
  const Scraped scraped(text());
  const std::string name = "sagorder_answer_duration_seconds";
  EXPECT_EQ(scraped.value(name + R"(_bucket{le="0.000524287"})"), 0);
  EXPECT_EQ(scraped.value(name + R"(_bucket{le="0.001048575"})"), 2);
  EXPECT_EQ(scraped.value(name + R"(_bucket{le="0.002097151"})"), 3);
  EXPECT_EQ(scraped.value(name + R"(_bucket{le="68.719476735"})"), 3);
  EXPECT_EQ(scraped.value(name + R"(_bucket{le="+Inf"})"), 4);
  EXPECT_EQ(scraped.value(name + "_count"), 4);
  EXPECT_NEAR(scraped.value(name + "_sum"), 100.003097151, 1e-9);
}

TEST_F(MetricsTest, TimesAddUpAndTheEndIsTold) {
  tally.waits.turn(WaitFor::rate, SteadyTime(seconds(1)));
  tally.waits.turn(WaitFor::ledger, SteadyTime(seconds(3)));
  pacer.throttled({}, SteadyTime(seconds(1)));
  view.over = MetricsView::Over{WallTime(seconds(1'700'000'009)), 3};
  view.network = PoolCounters{.connects = 7};
  const Scraped scraped(text());
  EXPECT_EQ(scraped.value(R"(sagorder_waited_seconds_total{reason="rate"})"), 2);
  EXPECT_EQ(scraped.value("sagorder_rate_limit_orders_per_second"), 5);
  EXPECT_EQ(scraped.value("sagorder_rate_asked_orders_per_second"), 10);
  EXPECT_EQ(scraped.value("sagorder_rate_lowered"), 1);
  EXPECT_EQ(scraped.value("sagorder_run_over"), 1);
  EXPECT_EQ(scraped.value("sagorder_run_exit_code"), 3);
  EXPECT_EQ(scraped.value("sagorder_run_ended_timestamp_seconds"), 1'700'000'009);
  EXPECT_EQ(scraped.value("sagorder_connects_total"), 7);
}

TEST_F(MetricsTest, UnlimitedIsInfinite) {
  const Pacer unlimited(RateLimit{0, seconds(1)}, 1);
  const RunView fast{rows, tally, unlimited, 9};
  const Scraped scraped(metrics_text({fast, 0, 0, "r", {}, {}, {}}));
  EXPECT_EQ(scraped.value("sagorder_rate_limit_orders_per_second"), HUGE_VAL);
}

TEST_F(MetricsTest, WhatAServerWritesIsALabelAndNothingElse) {
  tally.breakdown.count("a\"b\\c\n} 7\x1b[0m", RecordKind::in_doubt);
  const Scraped scraped(text());
  EXPECT_EQ(
      scraped.value(
          R"(sagorder_outcomes_by_code_total{code="a\"b\\c\\n} 7\\x1b[0m",outcome="in_doubt"})"),
      1);
}

TEST_F(MetricsTest, AreBoundedWhateverComes) {
  for (int i = 0; i < 1000; ++i) {
    Order order;
    order.region_id = "region-" + std::to_string(i);
    tally.breakdown.settle(order, RecordKind::placed);
    tally.breakdown.count("Code" + std::to_string(i), RecordKind::rejected);
  }
  EXPECT_LT(Scraped(text()).samples().size(), 700U);
}

TEST(WriteMetrics, ReplacesWholeAndKeepsTheMode) {
  const TemporaryDirectory directory;
  const std::string path = directory / "m.prom";
  const auto mode = [&] {
    struct stat file = {};
    EXPECT_EQ(::stat(path.c_str(), &file), 0);
    return file.st_mode & 0777U;
  };
  write_metrics(path, "a 1\n");
  EXPECT_EQ(content_of(path), "a 1\n");
  EXPECT_EQ(mode(), 0600U);
  ::chmod(path.c_str(), 0644);
  write_metrics(path, "b\n");
  EXPECT_EQ(content_of(path), "b\n");
  EXPECT_EQ(mode(), 0644U) << "a collector of another user reads it";
  EXPECT_THROW(write_metrics(directory / "none/m.prom", "a\n"), FileError);
}

}  // namespace
}  // namespace sagorder::io
