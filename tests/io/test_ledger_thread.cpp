#include "io/ledger_thread.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <stdexcept>
#include <thread>
#include <vector>

namespace sagorder::io {
namespace {

/// Holds each commit until it is let go; keeps the rows of what was committed.
class HeldLedger final : public Ledger {
 public:
  Facts facts() override { return {}; }
  void set_facts(const Facts&) override {}
  void replay(const std::function<void(const Step&)>&) override {}
  std::optional<Record> outcome_of(Row) override { return std::nullopt; }
  void intents(const std::function<void(const Record&)>&) override {}
  void outcomes(const std::function<void(const Record&)>&) override {}
  void records(const std::function<void(const Record&)>&) override {}
  void add_references(std::span<const std::pair<Row, std::string>>) override {}
  void references(const std::function<void(Row, std::string_view)>&) override {}
  bool created() const override { return true; }
  std::string place() const override { return "held"; }

  void commit(std::span<const Record> records) override {
    while (!let_go) std::this_thread::yield();
    thread = std::this_thread::get_id();
    if (failing) throw LedgerError("the disk is full");
    for (const Record& record : records) rows.push_back(record.row.value);
  }

  std::atomic<bool> let_go = true;
  bool failing = false;
  std::vector<std::uint64_t> rows;
  std::thread::id thread;
};

std::vector<Record> group_of(std::uint64_t row) {
  Record record;
  record.row = Row{row};
  return {record};
}

TEST(LedgerThread, CommitsElsewhereAndReports) {
  HeldLedger ledger;
  std::promise<std::thread::id> done;
  const auto group = group_of(7);
  {
    LedgerThread thread(ledger, [&](const std::exception_ptr& failure) {
      EXPECT_EQ(failure, nullptr);
      done.set_value(std::this_thread::get_id());
    });
    thread.commit(group);
    const auto id = done.get_future().get();
    EXPECT_NE(id, std::this_thread::get_id());
    EXPECT_EQ(id, ledger.thread);
  }
  EXPECT_EQ(ledger.rows, std::vector<std::uint64_t>{7});
}

TEST(LedgerThread, HandsTheFailureOver) {
  HeldLedger ledger;
  ledger.failing = true;
  std::promise<std::exception_ptr> failed;
  const auto group = group_of(1);
  LedgerThread thread(ledger, [&](std::exception_ptr failure) { failed.set_value(failure); });
  thread.commit(group);
  EXPECT_THROW(std::rethrow_exception(failed.get_future().get()), LedgerError);
}

TEST(LedgerThread, DoesNotMakeTheCallerWait) {
  HeldLedger ledger;
  ledger.let_go = false;
  std::atomic<int> dones = 0;
  const auto group = group_of(1);
  LedgerThread thread(ledger, [&](const std::exception_ptr&) { ++dones; });
  thread.commit(group);
  EXPECT_EQ(dones, 0);
  ledger.let_go = true;
}

TEST(LedgerThread, DestructorWaitsForTheGroupUnderWay) {
  HeldLedger ledger;
  ledger.let_go = false;
  std::atomic<int> dones = 0;
  const auto group = group_of(3);
  std::thread release;
  {
    LedgerThread thread(ledger, [&](const std::exception_ptr&) { ++dones; });
    thread.commit(group);
    release = std::thread([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      ledger.let_go = true;
    });
  }
  EXPECT_EQ(dones, 1);
  EXPECT_EQ(ledger.rows, std::vector<std::uint64_t>{3});
  release.join();
}

TEST(LedgerThread, TakesTheNextGroupFromWithinDone) {
  HeldLedger ledger;
  constexpr std::uint64_t kGroups = 1000;
  std::vector<Record> group = group_of(1);
  std::promise<void> finished;
  LedgerThread* self = nullptr;
  LedgerThread thread(ledger, [&](const std::exception_ptr&) {
    if (group.front().row.value == kGroups) return finished.set_value();
    ++group.front().row.value;
    self->commit(group);
  });
  self = &thread;
  thread.commit(group);
  finished.get_future().get();
  ASSERT_EQ(ledger.rows.size(), kGroups);
  EXPECT_EQ(ledger.rows.back(), kGroups);
}

TEST(LedgerThreadDeath, TwoGroupsAtOnceEndTheProgram) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto two_at_once = [] {
    HeldLedger ledger;
    ledger.let_go = false;
    const auto group = group_of(1);
    LedgerThread thread(ledger, [](const std::exception_ptr&) {});
    thread.commit(group);
    thread.commit(group);
  };
  EXPECT_DEATH(two_at_once(), "");
}

}  // namespace
}  // namespace sagorder::io
