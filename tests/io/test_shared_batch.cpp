#include "io/shared_batch.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <future>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sagorder::io {
namespace {

/// A shared ledger that does as it is told, and notes what it was asked.
class ToldLedger final : public SharedLedger {
 public:
  Facts facts() override { return {}; }
  void set_facts(const Facts&) override {}
  void commit(std::span<const Record>) override {}
  void replay(const std::function<void(const Step&)>&) override {}
  std::optional<Record> outcome_of(Row) override { return std::nullopt; }
  void intents(const std::function<void(const Record&)>&) override {}
  void outcomes(const std::function<void(const Record&)>&) override {}
  void records(const std::function<void(const Record&)>&) override {}
  void add_references(std::span<const std::pair<Row, std::string>>) override {}
  void references(const std::function<void(Row, std::string_view)>&) override {}
  bool created() const override { return true; }
  std::string place() const override { return "told"; }
  void connect_if_lost() override {}
  void end_waiting_at(SteadyTime at) override { ends_at = at; }
  Facts add_facts(const Facts& facts) override { return facts; }
  void change_fact(const std::string&,
                   const std::function<std::string(const std::string&)>&) override {}
  std::optional<PlanUse> take_plan(const std::string&, const std::string&,
                                   const std::string&) override {
    return std::nullopt;
  }
  bool give_back_plan(const std::string&) override { return false; }
  std::int64_t host() const override { return 1; }
  bool was_first() const override { return true; }
  bool has_run_begun() override { return false; }
  void replace(std::span<const std::int64_t>) override {}
  void make_ranges(std::uint64_t, std::uint64_t) override {}
  std::string agree(const std::string& terms, bool) override { return terms; }
  void tried_by(std::span<const std::int64_t>, const std::function<void(Row)>&) override {}
  std::vector<HostSeen> hosts() override { return {}; }
  std::vector<OpenIntent> open_intents() override { return {}; }
  std::optional<OpenIntent> under_way(Row) override { return std::nullopt; }
  std::vector<Step> steps(Row) override { return {}; }
  bool fence(std::int64_t) override { return false; }
  void settle(std::span<const Record>) override {}
  std::string caution() override { return {}; }

  std::vector<std::uint32_t> claim(std::span<const Record>) override {
    if (unanswered > 0) throw AnswerLost("no answer");
    return {2};
  }
  std::vector<std::uint32_t> claim_again(std::span<const Record>) override {
    if (--unanswered > 0) throw AnswerLost("none again");
    return {1};
  }
  RangeAnswer claim_range(std::uint64_t canary, std::uint64_t left_out) override {
    asked += "claim " + std::to_string(canary) + " " + std::to_string(left_out) + ";";
    if (while_claiming) std::exchange(while_claiming, nullptr)();
    if (range_failures-- > 0) throw LedgerError("no answer");
    if (ranges.empty()) return {std::nullopt, true, false};
    RangeAnswer answer;
    answer.range = ranges.front();
    ranges.pop_front();
    return answer;
  }
  bool end_range(Row first, std::uint64_t left_out) override {
    asked += "end " + std::to_string(first.value) + " " + std::to_string(left_out) + ";";
    if (ends_fail) throw LedgerError("no answer");
    return true;
  }
  LeaseAnswer lease(const BucketTerms&, const LeaseAsk& ask) override {
    asked += "lease;";
    if (fenced) throw Fenced("fenced");
    if (lease_fails) throw LedgerError("no answer");
    LeaseAnswer answer;
    answer.tokens = ask.tokens;
    return answer;
  }
  using SharedLedger::leave;
  void leave(const std::optional<Share>& spent) override {
    asked += spent ? "leave " + std::to_string(spent->orders) + ";" : "leave;";
  }

  std::atomic<int> unanswered = 0;
  SteadyTime ends_at;  // when nothing is waited for any more
  std::atomic<int> range_failures = 0;
  std::atomic<bool> fenced = false;
  std::atomic<bool> lease_fails = false;
  std::atomic<bool> ends_fail = false;
  std::function<void()> while_claiming;  // once
  std::deque<ClaimedRange> ranges;
  std::string asked;  // by the asking thread; to be read once it was left
};

class SharedBatchTest : public testing::Test {
 protected:
  void begin(SharedTerms terms = {}) {
    terms.lease = milliseconds(500);
    batch_.emplace(ledger_, std::move(terms), [this](SharedNews news) {
      const std::lock_guard lock(mutex_);
      news_.push_back(std::move(news));
      told_.notify_all();
    });
  }
  /// The next that is told.
  SharedNews next() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(told_.wait_for(lock, seconds(30), [this] { return !news_.empty(); }));
    SharedNews news = std::move(news_.front());
    news_.pop_front();
    return news;
  }

  ToldLedger ledger_;
  std::mutex mutex_;
  std::condition_variable told_;
  std::deque<SharedNews> news_;
  std::optional<SharedBatch> batch_;
};

TEST_F(SharedBatchTest, ACommitReturnsOnlyWhenItIsKnown) {
  begin();
  const std::vector<Record> records(3);
  EXPECT_EQ(batch_->commit(records), (std::vector<std::uint32_t>{2}));
  ledger_.unanswered = 3;
  EXPECT_EQ(batch_->commit(records), (std::vector<std::uint32_t>{1}));
  EXPECT_EQ(ledger_.unanswered, 0);
  EXPECT_NE(std::get<news::Said>(next()).text.find("no answer"), std::string::npos);
  EXPECT_TRUE(news_.empty()) << "it is said once";
}

TEST_F(SharedBatchTest, ACommitThatIsGivenUpFails) {
  begin();
  ledger_.unanswered = 1'000'000;
  const std::vector<Record> records(3);
  auto commit = std::async(std::launch::async, [&] { return batch_->commit(records); });
  static_cast<void>(next());
  batch_->give_up();
  EXPECT_THROW(commit.get(), LedgerError);
}

TEST_F(SharedBatchTest, WhereItIsToEndTheLedgerIsWaitedForALittleLonger) {
  begin();
  ledger_.unanswered = 1'000'000;
  ledger_.ends_fail = true;
  const SteadyTime before = std::chrono::steady_clock::now();
  batch_->end_waiting();
  EXPECT_GE(ledger_.ends_at, before + kEndPatience);
  EXPECT_LE(ledger_.ends_at, std::chrono::steady_clock::now() + kEndPatience);
  EXPECT_THROW(batch_->commit(std::vector<Record>(1)), LedgerError);
  EXPECT_EQ(ledger_.unanswered, 1'000'000) << "it is not looked up";
  batch_->end_range({Row{1}, Row{2}});
  batch_->leave();
  EXPECT_EQ(ledger_.asked, "end 1 0;") << "nor is anything asked again";
  EXPECT_TRUE(news_.empty()) << "nothing is said of looking it up";
}

TEST_F(SharedBatchTest, ALeaseEndsByTheTimeBeforeItWasAskedFor) {
  begin();
  const SteadyTime before = std::chrono::steady_clock::now();
  batch_->lease({.tokens = 7});
  const auto leased = std::get<news::Leased>(next());
  EXPECT_EQ(leased.answer.tokens, 7U);
  EXPECT_GE(leased.until, before + milliseconds(500));
  EXPECT_LE(leased.until, std::chrono::steady_clock::now() + milliseconds(500));
}

TEST_F(SharedBatchTest, ALeaseThatFailsIsTold) {
  begin();
  ledger_.lease_fails = true;
  batch_->lease({});
  EXPECT_FALSE(std::get<news::NotLeased>(next()).for_good);
  ledger_.fenced = true;
  batch_->lease({});
  EXPECT_TRUE(std::get<news::NotLeased>(next()).for_good);
}

TEST_F(SharedBatchTest, ARangeIsAskedForUntilThereIsAnAnswer) {
  begin();
  ledger_.range_failures = 3;
  ledger_.ranges.push_back({Row{1}, Row{20}, {}});
  batch_->claim_range();
  EXPECT_EQ(std::get<RangeAnswer>(next()).range->last, Row{20});
  batch_->lease({});
  static_cast<void>(next());
  batch_->leave();
  EXPECT_EQ(ledger_.asked, "claim 0 0;claim 0 0;claim 0 0;claim 0 0;lease;leave;");
}

TEST_F(SharedBatchTest, ALeaseDoesNotWaitForARangeThatFindsNoAnswer) {
  begin();
  ledger_.range_failures = 1'000'000;
  ledger_.while_claiming = [this] { batch_->lease({.tokens = 3}); };
  batch_->claim_range();
  EXPECT_EQ(std::get<news::Leased>(next()).answer.tokens, 3U);
}

TEST_F(SharedBatchTest, ARangeWithNothingLeftIsEndedAtOnce) {
  SharedTerms terms;
  terms.left_out = {Row{2}, Row{30}};
  begin(std::move(terms));
  const Step intent{RecordKind::intent, Row{1}, Attempt{1}};
  ledger_.ranges.push_back({Row{1}, Row{2}, {intent}});
  ledger_.ranges.push_back(
      {Row{3}, Row{3}, {intent, {RecordKind::not_executed, Row{3}, Attempt{1}}}});
  batch_->claim_range();
  EXPECT_EQ(std::get<RangeAnswer>(next()).range->first, Row{3});
  batch_->leave();
  EXPECT_EQ(ledger_.asked, "claim 0 0;end 1 1;claim 0 0;leave;");
}

TEST_F(SharedBatchTest, TheCanaryIsMindedUntilARangeBehindItCame) {
  SharedTerms terms;
  terms.canary_rows = 5;
  terms.left_out = {Row{2}};
  begin(std::move(terms));
  ledger_.ranges.push_back({Row{1}, Row{5}, {}});
  ledger_.ranges.push_back({Row{6}, Row{9}, {}});
  ledger_.ranges.push_back({Row{10}, Row{19}, {}});
  for (int i = 0; i < 3; ++i) {
    batch_->claim_range();
    static_cast<void>(next());
  }
  batch_->leave();
  EXPECT_EQ(ledger_.asked, "claim 5 1;claim 5 1;claim 0 0;leave;");
}

TEST_F(SharedBatchTest, WhatIsOverIsToldBeforeItLeaves) {
  begin();
  batch_->end_range({Row{1}, Row{20}});
  batch_->leave();
  EXPECT_EQ(ledger_.asked, "end 1 0;leave;");
}

TEST_F(SharedBatchTest, WhatIsSpentIsSaidAsItLeaves) {
  begin();
  batch_->leave(Share{7, 8, 9});
  EXPECT_EQ(ledger_.asked, "leave 7;");
}

}  // namespace
}  // namespace sagorder::io
