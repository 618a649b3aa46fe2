// The contract of io/shared_ledger.hpp, on a real server: hosts are objects of this process, each
// with connections of its own. A host that fell silent is one whose heartbeat was set back.
#include "io/shared_ledger.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "io/ledger_postgres.hpp"
#include "tests/io/ledger_contract.hpp"
#include "tests/io/test_server.hpp"

namespace sagorder::io {
namespace {

using enum RecordKind;
using Indices = std::vector<std::uint32_t>;

const std::string kDigest(kDigestDigits, 'a');
const BucketTerms kTerms{"account", 1, 20, 0.01, 0.02};

class SharedLedgerTest : public testing::Test {
 protected:
  std::unique_ptr<SharedLedger> join() {
    return PostgresLedger::open_to_share(database_.address(), kDigest);
  }
  void silence(const SharedLedger& host) {
    set("host",
        "heartbeat_at = heartbeat_at - interval '31 s' WHERE id = " + std::to_string(host.host()));
  }
  /// As if so much time had passed for the account's bucket.
  void pass(const std::string& time) {
    set("rate",
        "at = at - interval '" + time + "', paused_until = paused_until - interval '" + time + "'");
  }
  void set(const std::string& table, const std::string& what) {
    database_.ask("UPDATE sagorder." + table + " SET " + what);
  }
  TestDatabase database_;
};

std::vector<Record> intents_of(std::initializer_list<std::uint64_t> rows,
                               std::uint32_t attempt = 1) {
  std::vector<Record> records;
  for (const std::uint64_t row : rows) records.push_back(record_of(intent, row, attempt));
  return records;
}

std::uint32_t tokens_of(SharedLedger& host, std::uint32_t wanted) {
  return host.lease(kTerms, {.tokens = wanted}).tokens;
}

// --- the claim

TEST_F(SharedLedgerTest, AnIntentIsOneHostsAlone) {
  const auto first = join();
  const auto second = join();
  EXPECT_EQ(first->claim(intents_of({1, 2})), Indices{});
  EXPECT_EQ(second->claim(intents_of({3, 2, 4, 1})), (Indices{1, 3}));
  EXPECT_EQ(first->claim(intents_of({3})), Indices{0});
  EXPECT_EQ(steps_of(*first).size(), 4U);
  std::map<std::uint64_t, std::int64_t> holder;
  for (const OpenIntent& open : first->open_intents()) holder[open.row.value] = open.host.id;
  EXPECT_EQ(holder,
            (std::map<std::uint64_t, std::int64_t>{
                {1, first->host()}, {2, first->host()}, {3, second->host()}, {4, second->host()}}));
}

TEST_F(SharedLedgerTest, AnotherAttemptIsAnotherClaim) {
  const auto first = join();
  const auto second = join();
  EXPECT_EQ(first->claim(intents_of({1})), Indices{});
  EXPECT_EQ(first->claim(std::vector{record_of(not_executed, 1)}), Indices{});
  EXPECT_EQ(second->claim(intents_of({1}, 2)), Indices{});
  EXPECT_EQ(first->claim(intents_of({1}, 2)), Indices{0});
}

TEST_F(SharedLedgerTest, WhatIsBesideARefusedIntentIsDurable) {
  const auto first = join();
  const auto second = join();
  EXPECT_EQ(first->claim(intents_of({1})), Indices{});
  EXPECT_EQ(second->claim(intents_of({2})), Indices{});
  const std::vector<Record> group = {placed_of(2), record_of(intent, 1), record_of(intent, 3)};
  EXPECT_EQ(second->claim(group), Indices{1});
  EXPECT_EQ(first->outcome_of(Row{2})->order_id, placed_of(2).order_id);
  EXPECT_EQ(steps_of(*first).size(), 4U);
}

TEST_F(SharedLedgerTest, ManyHostsClaimEachAttemptOnce) {
  constexpr std::uint64_t kRows = 400;
  constexpr std::uint32_t kHosts = 4;
  std::mutex mutex;
  std::map<std::uint64_t, int> claimed;
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < kHosts; ++i) {
    threads.emplace_back([&, i] {
      const auto host = join();
      std::vector<Record> all;
      for (std::uint64_t row = 1; row <= kRows; ++row) all.push_back(record_of(intent, row));
      std::shuffle(all.begin(), all.end(), std::mt19937(i));
      for (std::size_t at = 0; at < kRows; at += 40) {
        const std::span<const Record> group(all.data() + at, 40);
        const Indices refused = host->claim(group);
        const std::lock_guard lock(mutex);
        for (std::uint32_t each = 0; each < group.size(); ++each) {
          if (!std::ranges::binary_search(refused, each)) ++claimed[group[each].row.value];
        }
      }
    });
  }
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(claimed.size(), kRows);
  for (const auto& [row, times] : claimed) EXPECT_EQ(times, 1) << "row " << row;
}

TEST_F(SharedLedgerTest, IsHeldAloneOrShared) {
  auto first = join();
  const auto second = join();
  EXPECT_THROW(PostgresLedger(database_.address(), kDigest), LedgerBusy);
  PostgresLedger alone(database_.address(), std::string(kDigestDigits, 'b'));
  EXPECT_THROW(static_cast<void>(alone.claim(intents_of({1}))), LedgerError);
  EXPECT_THROW(static_cast<void>(alone.claim_range(0, 0)), LedgerError);
}

/// Of a session in the place of a lost one a part is no session: who is refused asks again.
TEST_F(SharedLedgerTest, ASessionWithoutItsLocksIsNotTakenForAWholeOne) {
  const auto host = join();
  database_.ask(
      "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
      "AND datname = current_database()");
  EXPECT_THROW(static_cast<void>(host->facts()), LedgerError) << "its connection was cut";
  {
    const PostgresLedger alone(database_.address(), kDigest);
    EXPECT_THROW(host->connect_if_lost(), LedgerBusy);
    EXPECT_THROW(host->connect_if_lost(), LedgerBusy);
  }
  host->connect_if_lost();
  EXPECT_THROW(PostgresLedger(database_.address(), kDigest), LedgerBusy) << "it has its lock again";
}

// --- an older copy

/// The tables in which this host's records were are others now, without a new connection.
TEST_F(SharedLedgerTest, NothingIsClaimedInTablesThatWereRestored) {
  const auto first = join();
  const auto second = join();
  first->set_facts({{"ledger_id", "x"}});
  for (const char* const statement :
       {"ALTER TABLE sagorder.attempt RENAME TO before",
        "CREATE TABLE sagorder.attempt (LIKE sagorder.before) PARTITION BY LIST (run)",
        "CREATE TABLE sagorder.attempt_now PARTITION OF sagorder.attempt DEFAULT"}) {
    database_.ask(statement);
  }
  const auto complaint =
      complaint_of<RecordsLost>([&] { static_cast<void>(first->claim(intents_of({1}))); });
  EXPECT_TRUE(has(complaint, "restored from a copy")) << complaint;
  EXPECT_EQ(database_.ask("SELECT count(*) FROM sagorder.attempt"), "0");
  EXPECT_TRUE(has(second->facts().at("failover"), "restored from a copy"));
}

/// Who misses its own records says so to all others.
TEST_F(SharedLedgerTest, ABatchOfWhichRecordsAreMissingIsMarkedForEveryHost) {
  const auto first = join();
  const auto second = join();
  const auto third = join();
  EXPECT_EQ(first->claim(intents_of({1})), Indices{});
  EXPECT_EQ(second->claim(intents_of({2})), Indices{});
  database_.ask("DELETE FROM sagorder.attempt WHERE \"row\" = 1");
  database_.ask(
      "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
      "AND datname = current_database()");
  EXPECT_THROW(static_cast<void>(tokens_of(*second, 1)), LedgerError) << "its connection was cut";
  EXPECT_EQ(tokens_of(*second, 1), 1U) << "its own is there";
  EXPECT_THROW(static_cast<void>(tokens_of(*first, 1)), LedgerError);
  EXPECT_THROW(static_cast<void>(tokens_of(*first, 1)), RecordsLost);
  EXPECT_THROW(static_cast<void>(tokens_of(*second, 1)), RecordsLost);
  EXPECT_THROW(static_cast<void>(third->claim(intents_of({3}))), AnswerLost);
  EXPECT_THROW(static_cast<void>(third->claim_again(intents_of({3}))), RecordsLost);
  EXPECT_EQ(database_.ask("SELECT count(*) FROM sagorder.attempt WHERE \"row\" = 3"), "0");
  EXPECT_EQ(second->claim_again(std::vector{placed_of(2)}), Indices{}) << "what became is told";
  EXPECT_THROW(static_cast<void>(first->facts()), LedgerError) << "so was this one";
  for (int i = 0; i < 2; ++i) EXPECT_THROW(first->connect_if_lost(), RecordsLost);
}

/// Another server with all records, of which it is not known whether it has all of the others'.
TEST_F(SharedLedgerTest, AServerThatMayHaveForgottenIsRefusedAsOftenAsItIsMet) {
  const auto host = join();
  EXPECT_EQ(host->claim(intents_of({1})), Indices{});
  for (const char* const statement :
       {"ALTER TABLE sagorder.attempt RENAME TO before",
        "CREATE TABLE sagorder.attempt (LIKE sagorder.before) PARTITION BY LIST (run)",
        "CREATE TABLE sagorder.attempt_now PARTITION OF sagorder.attempt DEFAULT",
        "INSERT INTO sagorder.attempt SELECT * FROM sagorder.before",
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE pid <> "
        "pg_backend_pid() AND datname = current_database()"}) {
    database_.ask(statement);
  }
  EXPECT_THROW(static_cast<void>(host->facts()), LedgerError) << "its connection was cut";
  for (int i = 0; i < 2; ++i) EXPECT_THROW(host->connect_if_lost(), RecordsLost);
}

// --- ranges

TEST_F(SharedLedgerTest, RangesAreGivenOutFromTheFirst) {
  const auto first = join();
  const auto second = join();
  EXPECT_TRUE(first->claim_range().for_good) << "there are none";
  first->make_ranges(2 * kRangeRowsMin + 7, 0);
  second->make_ranges(2 * kRangeRowsMin + 7, 0);  // they are there
  const RangeAnswer one = first->claim_range();
  const RangeAnswer two = second->claim_range();
  const RangeAnswer three = first->claim_range();
  ASSERT_TRUE(one.range && two.range && three.range);
  EXPECT_EQ(one.range->first, Row{1});
  EXPECT_EQ(one.range->last, Row{kRangeRowsMin});
  EXPECT_EQ(two.range->first, Row{kRangeRowsMin + 1});
  EXPECT_EQ(three.range->first, Row{2 * kRangeRowsMin + 1});
  EXPECT_EQ(three.range->last, Row{2 * kRangeRowsMin + 7});
  EXPECT_TRUE(one.range->steps.empty());
  const RangeAnswer none = second->claim_range();
  EXPECT_FALSE(none.range);
  EXPECT_FALSE(none.for_good) << "those who hold them may die";
}

TEST_F(SharedLedgerTest, ManyHostsTakeEachRangeOnce) {
  constexpr std::uint64_t kRanges = 40;
  join()->make_ranges(kRanges * kRangeRowsMin, 0);
  std::mutex mutex;
  std::multiset<std::uint64_t> taken;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const auto host = join();
      while (true) {
        const RangeAnswer answer = host->claim_range();
        if (!answer.range) break;
        const std::lock_guard lock(mutex);
        taken.insert(answer.range->first.value);
      }
    });
  }
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(taken.size(), kRanges);
  EXPECT_EQ(std::set(taken.begin(), taken.end()).size(), kRanges);
}

TEST_F(SharedLedgerTest, ADeadHostsRangeGoesToAnotherWithAllThatIsKnown) {
  const auto dead = join();
  const auto alive = join();
  alive->make_ranges(kRangeRowsMin, 0);
  ASSERT_TRUE(dead->claim_range().range);
  EXPECT_EQ(dead->claim(intents_of({1, 2, 3})), Indices{});
  EXPECT_EQ(dead->claim(std::vector{placed_of(1), record_of(not_executed, 2)}), Indices{});
  EXPECT_FALSE(alive->claim_range().range) << "it is alive";
  silence(*dead);
  const RangeAnswer taken = alive->claim_range();
  ASSERT_TRUE(taken.range);
  std::vector<std::string> steps;
  for (const Step& step : taken.range->steps) {
    steps.push_back(std::string(name_of(step.kind)) + " " + std::to_string(step.row.value));
  }
  EXPECT_EQ(steps, (std::vector<std::string>{"intent 1", "intent 2", "intent 3", "placed 1",
                                             "not_executed 2"}));
  // It wakes: what it had under way is its own, what it had not begun is not.
  EXPECT_EQ(alive->claim(intents_of({3})), Indices{0});
  EXPECT_EQ(alive->claim(intents_of({4})), Indices{});
  EXPECT_EQ(dead->claim(intents_of({4})), Indices{0});
  dead->end_range(Row{1}, 0);
  EXPECT_EQ(database_.ask("SELECT host FROM sagorder.range"), std::to_string(alive->host()));
}

TEST_F(SharedLedgerTest, ARangeIsDoneWhenNoRowOfItCanBeTried) {
  const auto host = join();
  host->make_ranges(4, 0);
  const auto end = [&](std::uint64_t left_out) {
    EXPECT_TRUE(host->claim_range().range);
    host->end_range(Row{1}, left_out);
    return database_.ask("SELECT done FROM sagorder.range") == "t";
  };
  EXPECT_FALSE(end(3)) << "row 1 was not begun";
  EXPECT_EQ(host->claim(intents_of({1, 2, 3})), Indices{});
  EXPECT_TRUE(end(1)) << "what is under way never moves";
  EXPECT_TRUE(host->claim_range().for_good);
  set("range", "done = false");
  EXPECT_FALSE(end(0)) << "row 4 was not begun";
  EXPECT_EQ(host->claim(std::vector{record_of(not_executed, 2), record_of(rejected, 3)}),
            Indices{});
  EXPECT_FALSE(end(1)) << "row 2 is pending";
  EXPECT_EQ(host->claim(intents_of({2}, 2)), Indices{});
  EXPECT_EQ(host->claim(std::vector{placed_of(2, 2), record_of(in_doubt, 1)}), Indices{});
  EXPECT_EQ(host->claim(std::vector{record_of(replay, 1)}), Indices{});
  EXPECT_TRUE(end(1));
}

TEST_F(SharedLedgerTest, ALeavingHostFreesItsRanges) {
  const auto first = join();
  const auto second = join();
  first->make_ranges(5, 0);
  ASSERT_TRUE(first->claim_range().range);
  first->leave();
  EXPECT_TRUE(second->claim_range().range);
  EXPECT_THROW(static_cast<void>(tokens_of(*first, 1)), Fenced);
}

TEST_F(SharedLedgerTest, TheFirstAtWorkLooksThroughAllRangesAgain) {
  {
    const auto before = join();
    before->make_ranges(1, 0);
    ASSERT_TRUE(before->claim_range().range);
    EXPECT_EQ(before->claim(intents_of({1})), Indices{});
    before->end_range(Row{1}, 0);
    EXPECT_EQ(before->claim(std::vector{record_of(not_executed, 1)}), Indices{});
    const auto other = join();
    EXPECT_FALSE(other->was_first());
    EXPECT_TRUE(other->claim_range().for_good) << "one is at work";
    before->leave();
    other->leave();
  }
  const auto first = join();
  EXPECT_TRUE(first->was_first());
  EXPECT_TRUE(first->claim_range().range);
}

TEST_F(SharedLedgerTest, TheCanaryGoesFirst) {
  const auto first = join();
  const auto second = join();
  first->make_ranges(10, 3);
  const RangeAnswer canary = first->claim_range(3);
  ASSERT_TRUE(canary.range);
  EXPECT_EQ(canary.range->last, Row{3});
  EXPECT_FALSE(second->claim_range(3).range);
  EXPECT_EQ(first->claim(intents_of({1, 2, 3})), Indices{});
  EXPECT_EQ(first->claim(std::vector{placed_of(1), record_of(in_doubt, 2)}), Indices{});
  EXPECT_FALSE(second->claim_range(3).range);
  EXPECT_EQ(first->claim(std::vector{record_of(resolved_placed, 2), record_of(rejected, 3)}),
            Indices{});
  const RangeAnswer none = second->claim_range(3);
  EXPECT_FALSE(none.range) << "one was rejected";
  const RangeAnswer rest = second->claim_range(3, 1);
  ASSERT_TRUE(rest.range) << "had it been no order";
  EXPECT_EQ(rest.range->first, Row{4});
}

TEST_F(SharedLedgerTest, AnotherRunsCanaryIsOneRangeToo) {
  struct Case {
    std::uint64_t canary, first, behind;  // its rows, and where the first two ranges end
  };
  constexpr std::uint64_t kRows = 3 * kRangeRowsMin;
  for (const Case& each : {Case{0, kRangeRowsMin, 2 * kRangeRowsMin}, Case{5, 5, kRangeRowsMin},
                           Case{2, 2, 5}, Case{45, 45, kRows}, Case{kRows, kRows, 0}}) {
    const auto host = join();
    host->make_ranges(kRows, each.canary);
    host->make_ranges(kRows, each.canary);  // another host of the same run
    const RangeAnswer first = host->claim_range();
    ASSERT_TRUE(first.range);
    EXPECT_EQ(first.range->first, Row{1});
    EXPECT_EQ(first.range->last, Row{each.first}) << each.canary;
    const RangeAnswer behind = host->claim_range();
    EXPECT_EQ(behind.range ? behind.range->last.value : 0, each.behind) << each.canary;
    host->leave();
  }
  EXPECT_EQ(database_.ask("SELECT sum(\"last\" - \"first\" + 1) FROM sagorder.range"),
            std::to_string(kRows));
}

// --- leases

TEST_F(SharedLedgerTest, HostsShareOneBucket) {
  const auto first = join();
  const auto second = join();
  EXPECT_EQ(tokens_of(*first, 15), 15U);
  EXPECT_LE(tokens_of(*second, 15), 7U) << "5 were left, and a moment's worth";
  set("rate", "level = 20, at = clock_timestamp() + interval '1 h'");
  EXPECT_EQ(tokens_of(*second, 1), 0U) << "a clock that is set back gives nothing";
  set("rate", "at = clock_timestamp(), paused_until = clock_timestamp()");
  pass("10 s");
  EXPECT_GE(tokens_of(*first, 10), 10U);
  pass("1 h");
  EXPECT_EQ(tokens_of(*first, 100), 20U) << "never more than it holds";
}

TEST_F(SharedLedgerTest, TheBucketIsKeptInEveryWindow) {
  struct Given {
    SteadyTime asked, answered;
    std::uint32_t tokens;
  };
  std::mutex mutex;
  std::vector<Given> all;
  std::vector<std::thread> threads;
  const BucketTerms terms{"account", 1'000, 20, 0.1, 0.01};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const auto host = join();
      for (int asks = 0; asks < 40; ++asks) {
        const SteadyTime asked = std::chrono::steady_clock::now();
        const std::uint32_t tokens = host->lease(terms, {.tokens = 7}).tokens;
        const std::lock_guard lock(mutex);
        all.push_back({asked, std::chrono::steady_clock::now(), tokens});
      }
    });
  }
  for (std::thread& each : threads) each.join();
  for (const Given& begin : all) {
    for (const Given& end : all) {
      double within = 0;
      for (const Given& each : all) {
        if (each.asked >= begin.asked && each.answered <= end.answered) within += each.tokens;
      }
      const double width = std::chrono::duration<double>(end.answered - begin.asked).count();
      ASSERT_LE(within, terms.capacity + terms.per_second * std::max(0.0, width) + 1e-6);
    }
  }
}

TEST_F(SharedLedgerTest, ThrottlingSeenByOneSlowsAll) {
  const auto first = join();
  const auto second = join();
  const LeaseAnswer told = first->lease(kTerms, {.tokens = 5, .factor = 0.5});
  EXPECT_EQ(told.factor, 0.5);
  EXPECT_EQ(told.tokens, 5U);
  EXPECT_LT(second->lease(kTerms, {}).factor, 0.6);
  pass("20 s");
  const double climbed = second->lease(kTerms, {}).factor;
  EXPECT_GE(climbed, 0.7);
  EXPECT_LT(climbed, 0.9);
  const LeaseAnswer paused = second->lease(kTerms, {.tokens = 1, .paused_for = seconds(60)});
  EXPECT_EQ(paused.tokens, 0U);
  const LeaseAnswer other = first->lease(kTerms, {.tokens = 1});
  EXPECT_EQ(other.tokens, 0U);
  EXPECT_GT(other.paused_for, seconds(50));
  pass("60 s");
  EXPECT_EQ(first->lease(kTerms, {.tokens = 1}).tokens, 1U);
  EXPECT_GE(first->lease(kTerms, {.factor = 0}).factor, kTerms.factor_min);
}

TEST_F(SharedLedgerTest, WithoutARateEveryTokenIsGiven) {
  const auto host = join();
  const BucketTerms unlimited{"account", 0, 0, 0.1, 0.01};
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(host->lease(unlimited, {.tokens = 100'000}).tokens, 100'000U);
  }
}

TEST_F(SharedLedgerTest, HostsAtWorkHaveToAgreeOnTheRate) {
  const auto first = join();
  const auto second = join();
  EXPECT_EQ(tokens_of(*first, 1), 1U);
  BucketTerms other = kTerms;
  other.per_second = 2;
  const auto complaint =
      complaint_of<LedgerError>([&] { static_cast<void>(second->lease(other, {.tokens = 1})); });
  EXPECT_TRUE(has(complaint, " 1/s, and 20 at once")) << complaint;
  EXPECT_TRUE(has(complaint, "--rate")) << complaint;
  pass("31 s");
  EXPECT_EQ(second->lease(other, {.tokens = 1}).tokens, 1U) << "nobody asked for so long";
  other.account = "another";
  EXPECT_EQ(first->lease(other, {.tokens = 20}).tokens, 20U) << "another account's bucket";
}

// --- limits

Share orders(std::uint64_t count) { return {count, 10 * count, 120 * count}; }

class LimitsTest : public SharedLedgerTest {
 protected:
  static constexpr Share kLimits{15, 100, kNoLimit};
  std::unique_ptr<SharedLedger> join_run(const std::string& terms = "the terms") {
    auto host = join();
    EXPECT_EQ(host->agree(terms, true), terms);
    return host;
  }
  static ShareGrant ask(SharedLedger& host, const ShareAsk& ask) {
    return host.lease(kTerms, {.share = ask, .limits = kLimits}).share.value();
  }
  /// All or nothing, beyond what was held.
  static Share hold(SharedLedger& host, const Share& wanted, const Share& held = {}) {
    return ask(host, {held, held, wanted, wanted}).held;
  }
  std::string sum() { return database_.ask("SELECT orders FROM sagorder.run"); }
};

TEST_F(LimitsTest, HoldAcrossHosts) {
  const auto first = join_run();
  const auto second = join_run();
  EXPECT_EQ(hold(*first, orders(6)), orders(6));
  EXPECT_EQ(hold(*second, orders(5)), Share{}) << "not so many seats are left";
  EXPECT_EQ(hold(*second, orders(4)), orders(4));
  EXPECT_EQ(ask(*first, {orders(6), orders(6), orders(6), orders(9)}).held, (Share{9, 60, 1080}));
  EXPECT_EQ(sum(), "13");
  EXPECT_EQ(hold(*first, orders(5), orders(2)), orders(5)) << "it gave one back";
  EXPECT_EQ(hold(*second, orders(5), orders(4)), orders(5));
  EXPECT_EQ(sum(), "10");
}

TEST_F(LimitsTest, AnAskSaysTotalsSoThatALostOneDoesNoHarm) {
  const auto host = join_run();
  EXPECT_EQ(hold(*host, orders(8)), orders(8));
  EXPECT_EQ(hold(*host, orders(8)), orders(8)) << "as one that never heard of it";
  EXPECT_EQ(sum(), "8");
  EXPECT_EQ(hold(*host, {}), Share{});
  EXPECT_EQ(sum(), "0");
}

TEST_F(LimitsTest, AnAskThatComesLateChangesNothing) {
  const auto host = join_run();
  EXPECT_EQ(hold(*host, orders(8)), orders(8));
  set("host", "asked = 1000");  // a later one came before
  static_cast<void>(ask(*host, {}));
  EXPECT_EQ(sum(), "8");
  EXPECT_EQ(database_.ask("SELECT orders FROM sagorder.host"), "8");
}

TEST_F(LimitsTest, OfWhatIsLeftHalfIsGranted) {
  const auto first = join_run();
  const auto second = join_run();
  EXPECT_EQ(ask(*first, {{}, {}, {1, 1, 1}, {90, 9, 9}}).held.orders, 8U);
  EXPECT_EQ(ask(*second, {{}, {}, {1, 1, 1}, {90, 9, 9}}).held.orders, 4U);
}

TEST_F(LimitsTest, WhetherMoreMayComeIsWhatLiveHostsHoldUnspent) {
  const auto first = join_run();
  const auto second = join_run();
  const auto may_come = [&] { return ask(*second, {}).more_may_come; };
  EXPECT_FALSE(may_come());
  EXPECT_EQ(hold(*first, orders(8)), orders(8));
  EXPECT_TRUE(may_come());
  EXPECT_EQ(ask(*second, {}).most, (Share{7, 20, kNoLimit - 960}));
  silence(*first);
  EXPECT_FALSE(may_come()) << "a dead host gives nothing back";
  EXPECT_EQ(ask(*second, {}).most.orders, 7U) << "nor does anybody else in its place";
  EXPECT_EQ(ask(*first, {orders(7), orders(8), orders(8), orders(8)}).held, orders(8));
  EXPECT_TRUE(may_come()) << "it was alive after all";
  static_cast<void>(ask(*first, {orders(8), orders(8), orders(8), orders(8)}));
  EXPECT_FALSE(may_come()) << "it has spent all that it holds";
}

TEST_F(LimitsTest, WhoLeavesGivesBackWhatItHasNotSpent) {
  const auto first = join_run();
  const auto second = join_run();
  EXPECT_EQ(hold(*first, orders(8)), orders(8));
  first->leave(orders(3));
  EXPECT_EQ(sum(), "3");
  first->leave(orders(1));
  EXPECT_EQ(sum(), "3") << "once";
  EXPECT_EQ(hold(*second, orders(7)), orders(7));
  second->leave();
  EXPECT_EQ(sum(), "10") << "what is not known stays";
}

TEST_F(LimitsTest, ADeadAndFencedHostGivesNothingBack) {
  const auto dead = join_run();
  const auto alive = join_run();
  EXPECT_EQ(hold(*dead, orders(8)), orders(8));
  silence(*dead);
  EXPECT_TRUE(alive->fence(dead->host()));
  dead->leave(orders(3));
  EXPECT_EQ(sum(), "8");
  EXPECT_EQ(hold(*alive, orders(3)), Share{});
}

TEST_F(LimitsTest, ARunLastsWhileHostsAreAtWork) {
  const auto first = join_run();
  EXPECT_EQ(hold(*first, orders(10)), orders(10));
  const auto second = join_run();
  EXPECT_EQ(hold(*second, orders(1)), Share{});
  first->leave(orders(10));
  EXPECT_EQ(hold(*second, orders(1)), Share{}) << "it goes on";
  second->leave(Share{});
  const auto next = join_run("other terms");
  EXPECT_EQ(hold(*next, orders(10)), orders(10)) << "counted anew";
}

TEST_F(LimitsTest, ARunHasBegunOnceAHostOfItHasTriedARow) {
  {
    const auto first = join_run();
    first->make_ranges(5, 0);
    const auto other = join_run();
    EXPECT_FALSE(other->has_run_begun());
    EXPECT_EQ(first->claim(intents_of({1})), Indices{});
    EXPECT_TRUE(first->has_run_begun());
    EXPECT_TRUE(other->has_run_begun());
    first->leave();
    EXPECT_TRUE(other->has_run_begun()) << "by one that has ended";
    other->leave();
  }
  const auto next = join_run();
  EXPECT_FALSE(next->has_run_begun()) << "that was another one";
  EXPECT_FALSE(join_run()->has_run_begun()) << "also for who is not the first";
}

/// The table of attempts is locked for longer than an ask of a working host may take.
TEST_F(LimitsTest, WhetherARunHasBegunMayTakeItsTimeInALargeBatch) {
  const auto host = join_run();
  host->make_ranges(5, 0);
  EXPECT_EQ(host->claim(intents_of({1})), Indices{});
  Postgres other(database_.address(), Postgres::Use::writing);
  const std::jthread slowly([&] {
    other.run("BEGIN; LOCK TABLE sagorder.attempt; SELECT pg_sleep(3.3); COMMIT", "lock");
  });
  while (database_.ask("SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND "
                       "granted AND relation = 'sagorder.attempt'::regclass") == "0") {
  }
  EXPECT_TRUE(host->has_run_begun());
}

TEST_F(LimitsTest, WhoSleptThroughTheEndOfItsRunIsNoneOfTheNext) {
  const auto asleep = join_run();
  EXPECT_EQ(hold(*asleep, orders(6)), orders(6));
  silence(*asleep);
  const auto next = join_run();
  EXPECT_TRUE(next->was_first());
  EXPECT_EQ(hold(*next, orders(10)), orders(10));
  next->make_ranges(5, 0);
  const auto complaint = complaint_of<Fenced>([&] { static_cast<void>(ask(*asleep, {})); });
  EXPECT_TRUE(has(complaint, "new run")) << complaint;
  const auto again =
      complaint_of<Fenced>([&] { static_cast<void>(asleep->lease(kTerms, {.tokens = 1})); });
  EXPECT_TRUE(has(again, "new run")) << again;
  EXPECT_FALSE(asleep->claim_range().range);
  asleep->leave(Share{});
  EXPECT_EQ(sum(), "10") << "what it held was of the other run";
}

TEST_F(LimitsTest, WithoutLimitsWhoSleptGoesOn) {
  const auto asleep = join();
  EXPECT_EQ(asleep->agree("none", false), "none");
  silence(*asleep);
  const auto next = join();
  EXPECT_EQ(next->agree("none", false), "none");
  EXPECT_EQ(tokens_of(*asleep, 1), 1U);
}

TEST_F(LimitsTest, TheFirstToSayItSaysWhatAllHaveInCommon) {
  const auto first = join();
  const auto second = join();
  EXPECT_EQ(second->agree("these", true), "these") << "whoever of them joined first";
  EXPECT_EQ(first->agree("those", true), "these");
  EXPECT_THROW(static_cast<void>(ask(*first, {})), Fenced) << "it is none of them";
  first->leave();
  second->leave();
  const auto third = join();
  EXPECT_EQ(third->agree("those", true), "those") << "the run is over";
}

TEST_F(LimitsTest, ManyHostsHoldNoMoreTogether) {
  constexpr Share kMoreThanHalf{8, 1, 1};
  std::atomic<std::uint64_t> held = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const auto host = join_run();
      for (int asks = 0; asks < 60; ++asks) {
        const ShareGrant grant = ask(*host, {{}, {}, kMoreThanHalf, kMoreThanHalf});
        EXPECT_LE(held += grant.held.orders, kLimits.orders);
        std::this_thread::sleep_for(milliseconds(2));
        held -= grant.held.orders;  // and then it gives it back
        static_cast<void>(ask(*host, {}));
      }
      host->leave(Share{});
    });
  }
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(sum(), "0");
}

// --- plans

TEST_F(SharedLedgerTest, APlanIsOneBatchs) {
  const auto first = join();
  const auto second = join();
  EXPECT_FALSE(first->take_plan("digest", "this batch", "/a.csv"));
  EXPECT_FALSE(second->take_plan("digest", "this batch", "/b.csv")) << "from whichever host";
  database_.ask("DELETE FROM sagorder.run");
  const auto again = join();
  const auto other = again->take_plan("digest", "another batch", "/c.csv");
  ASSERT_TRUE(other) << "also once the batch was removed";
  EXPECT_EQ(other->ledger_id, "this batch");
  EXPECT_EQ(other->output, "/a.csv");
  EXPECT_EQ(other->used_at.size(), 24U) << other->used_at;
  EXPECT_FALSE(again->take_plan("another digest", "another batch", "/c.csv"));
}

TEST_F(SharedLedgerTest, APlanIsGivenBackByABatchThatNobodyBegan) {
  const auto first = join();
  EXPECT_FALSE(first->take_plan("digest", "this batch", "/a.csv"));
  {
    const auto second = join();
    silence(*second);
    EXPECT_FALSE(first->give_back_plan("digest")) << "it may come back, and begin";
    second->leave();
  }
  EXPECT_TRUE(first->give_back_plan("digest"));
  EXPECT_FALSE(first->give_back_plan("digest")) << "once";
  EXPECT_FALSE(first->take_plan("digest", "another batch", "/a.csv"));
  EXPECT_EQ(first->claim(intents_of({1})), Indices{});
  EXPECT_FALSE(first->give_back_plan("digest")) << "an order was begun";
}

// --- hosts

TEST_F(SharedLedgerTest, HostsAreSeenWithWhatTheyHaveOpen) {
  const auto first = join();
  const auto second = join();
  EXPECT_EQ(first->claim(intents_of({1, 2})), Indices{});
  EXPECT_EQ(first->claim(std::vector{placed_of(1)}), Indices{});
  silence(*first);
  const std::vector<HostSeen> hosts = second->hosts();
  ASSERT_EQ(hosts.size(), 2U);
  EXPECT_EQ(hosts[0].id, first->host());
  EXPECT_FALSE(hosts[0].alive);
  EXPECT_EQ(hosts[0].open_intents, 1U);
  EXPECT_EQ(hosts[0].host.process, ::getpid());
  EXPECT_GT(hosts[0].begun, hosts[0].heartbeat);
  EXPECT_TRUE(hosts[1].alive);
  EXPECT_EQ(hosts[1].open_intents, 0U);
  const std::vector<OpenIntent> open = second->open_intents();
  ASSERT_EQ(open.size(), 1U);
  EXPECT_EQ(open[0].row, Row{2});
  EXPECT_EQ(open[0].host.host.name, hosts[0].host.name);
}

/// By the life that the hosts at work were told, whoever looks or settles.
TEST_F(SharedLedgerTest, HostsLiveByWhatTheyWereTold) {
  const auto join_for = [&](milliseconds life) {
    return PostgresLedger::open_to_share(database_.address(), kDigest, life);
  };
  const auto silent_for = [&](const std::string& seconds) {
    set("host", "heartbeat_at = clock_timestamp() - interval '" + seconds + "'");
  };
  auto host = join_for(seconds(5));
  EXPECT_EQ(host->claim(intents_of({1})), Indices{});
  const auto complaint = complaint_of<OtherTerms>([&] { join(); });
  EXPECT_TRUE(has(complaint, "--host-life 5s, and this one was told 30s")) << complaint;
  EXPECT_TRUE(host->facts().empty()) << "it is the ledger's own affair";
  const auto settling =
      PostgresLedger::open_to_settle(database_.address(), {.digest = kDigest, .output = {}});
  const auto looking =
      PostgresLedger::open_for_reading(database_.address(), {.digest = kDigest, .output = {}});
  silent_for("3 s");
  EXPECT_TRUE(looking->hosts()[0].alive);
  EXPECT_EQ(looking->hosts()[0].life, seconds(5));
  EXPECT_FALSE(settling->fence(host->host()));
  silent_for("6 s");
  EXPECT_FALSE(looking->hosts()[0].alive);
  EXPECT_FALSE(looking->open_intents()[0].host.alive);
  EXPECT_FALSE(settling->under_way(Row{1})->host.alive);
  const auto next = join_for(seconds(60));  // all others are dead
  EXPECT_TRUE(next->was_first());
  EXPECT_TRUE(looking->hosts()[0].alive) << "by the life of those that are at work now";
  EXPECT_EQ(looking->open_intents()[0].host.life, seconds(60));
  silent_for("61 s");
  EXPECT_TRUE(settling->fence(host->host()));
}

TEST_F(SharedLedgerTest, AFencedHostNeverSendsAgain) {
  const auto dead = join();
  const auto alive = join();
  EXPECT_EQ(dead->claim(intents_of({1})), Indices{});
  EXPECT_FALSE(alive->fence(dead->host())) << "it is alive";
  EXPECT_EQ(tokens_of(*dead, 1), 1U);
  silence(*dead);
  EXPECT_TRUE(alive->fence(dead->host()));
  EXPECT_TRUE(alive->fence(dead->host())) << "again";
  EXPECT_TRUE(alive->hosts()[0].fenced);
  const auto complaint = complaint_of<Fenced>([&] { static_cast<void>(tokens_of(*dead, 1)); });
  EXPECT_TRUE(has(complaint, "fenced")) << complaint;
  EXPECT_THROW(static_cast<void>(dead->claim(intents_of({2}))), Fenced);
  EXPECT_FALSE(dead->claim_range().range);
  EXPECT_EQ(steps_of(*alive).size(), 1U);
  EXPECT_EQ(tokens_of(*alive, 1), 1U);
}

TEST_F(SharedLedgerTest, AskingKeepsAHostAlive) {
  const auto host = join();
  const auto other = join();
  silence(*host);
  EXPECT_EQ(host->lease(kTerms, {}).tokens, 0U);
  EXPECT_FALSE(other->fence(host->host()));
}

// --- settling

class SettlingTest : public SharedLedgerTest {
 protected:
  std::unique_ptr<SharedLedger> settler() {
    return PostgresLedger::open_to_settle(database_.address(), {.digest = kDigest});
  }
  /// Row 1 in doubt, and placed are the others of the only range, which is done.
  std::unique_ptr<SharedLedger> with_one_doubt() {
    auto host = join();
    host->make_ranges(2, 0);
    EXPECT_TRUE(host->claim_range().range);
    EXPECT_EQ(host->claim(intents_of({1, 2})), Indices{});
    EXPECT_EQ(host->claim(std::vector{record_of(in_doubt, 1), placed_of(2)}), Indices{});
    return host;
  }
  std::string done() { return database_.ask("SELECT done FROM sagorder.range"); }
  /// Somebody else's transaction, at a moment of its own.
  Postgres other() { return {database_.address(), Postgres::Use::writing}; }
};

/// Calls it on another thread. @return whether it had to wait for what is done meanwhile
bool waits_for(const std::function<void()>& call, const std::function<void()>& meanwhile) {
  std::atomic<bool> over = false;
  std::thread thread([&] {
    call();
    over = true;
  });
  std::this_thread::sleep_for(milliseconds(200));
  const bool waited = !over;
  meanwhile();
  thread.join();
  return waited;
}

TEST_F(SettlingTest, OneAtATimeBesideHostsThatShare) {
  EXPECT_EQ(settler(), nullptr) << "there is no batch";
  const auto host = join();
  const auto settling = settler();
  ASSERT_TRUE(settling);
  EXPECT_THROW(settler(), LedgerBusy);
  const std::vector<HostSeen> hosts = settling->hosts();
  ASSERT_EQ(hosts.size(), 2U);
  EXPECT_TRUE(hosts[0].alive);
  EXPECT_FALSE(hosts[1].alive) << "it takes no part in what hosts share";
  EXPECT_TRUE(hosts[1].left);
  EXPECT_THROW(static_cast<void>(tokens_of(*settling, 1)), LedgerError);
}

TEST_F(SettlingTest, NotBesideOneThatHoldsItAlone) {
  PostgresLedger alone(database_.address(), kDigest);
  EXPECT_THROW(settler(), LedgerBusy);
  const auto reading = PostgresLedger::open_for_reading(database_.address(), {.digest = kDigest});
  EXPECT_TRUE(reading->held());
  EXPECT_TRUE(reading->hosts()[0].alive) << "its lock says so";
}

TEST_F(SettlingTest, WhatAHostMayStillBeAtIsToldWithItsName) {
  const auto host = join();
  EXPECT_EQ(host->claim(intents_of({1, 2, 3})), Indices{});
  EXPECT_EQ(host->claim(std::vector{placed_of(1), record_of(in_doubt, 2), record_of(replay, 2)}),
            Indices{});
  const auto settling = settler();
  EXPECT_FALSE(settling->under_way(Row{1}));
  EXPECT_FALSE(settling->under_way(Row{4}));
  for (const std::uint64_t row : {2U, 3U}) {
    const auto open = settling->under_way(Row{row});
    ASSERT_TRUE(open) << row;
    EXPECT_EQ(open->host.id, host->host());
    EXPECT_TRUE(open->host.alive);
    EXPECT_EQ(open->attempt, Attempt{1});
  }
  std::vector<RecordKind> kinds;
  for (const Step& step : settling->steps(Row{2})) kinds.push_back(step.kind);
  EXPECT_EQ(kinds, (std::vector{intent, in_doubt, replay}));
}

TEST_F(SettlingTest, ARangeIsGivenOutAgainForARowThatIsPending) {
  const auto host = with_one_doubt();
  host->end_range(Row{1}, 0);
  EXPECT_EQ(done(), "t");
  const auto settling = settler();
  settling->settle(std::vector{record_of(resolved_placed, 1)});
  EXPECT_EQ(done(), "t");
  database_.ask("DELETE FROM sagorder.outcome WHERE kind = 6");
  settling->settle(std::vector{record_of(resolved_not_placed, 1)});
  EXPECT_EQ(done(), "f");
  const RangeAnswer again = host->claim_range();
  ASSERT_TRUE(again.range);
  EXPECT_EQ(again.range->steps.back().kind, resolved_not_placed);
  EXPECT_EQ(host->claim(intents_of({1}, 2)), Indices{});
}

TEST_F(SettlingTest, ARangeThatIsGivenBackMeanwhileIsNotDone) {
  const auto host = with_one_doubt();
  Postgres settling = other();
  settling.run("BEGIN; UPDATE sagorder.range SET done = false", "try");
  const bool waited = waits_for([&] { host->end_range(Row{1}, 0); },
                                [&] {
                                  settling.run(
                                      "INSERT INTO sagorder.outcome(run, \"row\", seq, kind, "
                                      "attempt, host, at_ms) SELECT id, 1, 1::bigint << 40, 7, 1, "
                                      "1, 0 FROM sagorder.run; COMMIT",
                                      "try");
                                });
  EXPECT_TRUE(waited);
  EXPECT_EQ(done(), "f");
}

TEST_F(SettlingTest, AFenceWaitsForACommitUnderWay) {
  const auto dead = join();
  silence(*dead);
  const auto settling = settler();
  Postgres commit = other();
  // As a claim does it.
  commit.run("BEGIN; SELECT FROM sagorder.host WHERE fenced_at IS NULL AND id = " +
                 std::to_string(dead->host()) + " FOR KEY SHARE",
             "try");
  bool fenced = false;
  EXPECT_TRUE(waits_for([&] { fenced = settling->fence(dead->host()); },
                        [&] { commit.run("COMMIT", "try"); }));
  EXPECT_TRUE(fenced);
}

TEST_F(SettlingTest, ACommitThatWaitedForAFenceIsRefused) {
  const auto dead = join();
  EXPECT_EQ(dead->claim(intents_of({1})), Indices{});
  Postgres fence = other();
  const std::string host = std::to_string(dead->host());
  fence.run("BEGIN; SELECT FROM sagorder.host WHERE id = " + host + " FOR UPDATE", "try");
  std::string complaint;
  EXPECT_TRUE(waits_for(
      [&] {
        complaint = complaint_of<Fenced>(
            [&] { static_cast<void>(dead->claim(std::vector{placed_of(1)})); });
      },
      [&] {
        fence.run("UPDATE sagorder.host SET fenced_at = now() WHERE id = " + host + "; COMMIT",
                  "try");
      }));
  EXPECT_TRUE(has(complaint, "fenced")) << complaint;
  EXPECT_EQ(database_.ask("SELECT count(*) FROM sagorder.outcome"), "0");
}

TEST_F(SettlingTest, AHeartbeatDoesNotWaitForACommit) {
  const auto host = join();
  Postgres commit = other();
  commit.run("BEGIN; SELECT FROM sagorder.host WHERE id = " + std::to_string(host->host()) +
                 " FOR KEY SHARE",
             "try");
  EXPECT_EQ(tokens_of(*host, 1), 1U);
  commit.run("COMMIT", "try");
}

}  // namespace
}  // namespace sagorder::io
