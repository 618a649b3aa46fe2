#include "engine/reconcile.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>

namespace sagorder {
namespace {

using std::chrono::minutes;

constexpr WallTime kAt{milliseconds{1'767'323'045'678}};
constexpr Word kBoth{.sole_buyer = true, .same_account = true};

Doubt doubt(std::uint64_t row, WallTime at = kAt) {
  return {Row{row}, at, "cn-shanghai", 10, 5, 12, true, false};
}

Terms terms_of(const Doubt& doubt) {
  return {doubt.region_id, doubt.user_count, doubt.data_plan, doubt.period};
}

LooseOrder order_of(const Doubt& doubt, std::string id, seconds later = seconds(1)) {
  return {std::move(id), std::chrono::floor<seconds>(doubt.at) + later, doubt.auto_pay, "sag-x",
          terms_of(doubt)};
}

// A listing that is whole, and made long after.
Evidence evidence(std::vector<LooseOrder> orders = {}) {
  Evidence made;
  made.survey.orders = std::move(orders);
  made.survey.explained = 1;
  made.listed = 1 + made.survey.orders.size();
  made.from = kAt - std::chrono::hours(24);
  made.to = kAt + std::chrono::hours(24);
  made.as_of = kAt + std::chrono::hours(24);
  return made;
}

std::vector<Finding> findings(const std::vector<Doubt>& doubts, const Evidence& evidence,
                              Word word = kBoth) {
  std::vector<Finding> found;
  for (const Ruling& ruling : reconcile(doubts, evidence, word)) {
    EXPECT_FALSE(ruling.because.empty());
    EXPECT_LE(ruling.because.size(), kBecauseBytesMax);
    EXPECT_EQ(ruling.order_id.empty(), ruling.finding != Finding::found);
    found.push_back(ruling.finding);
  }
  return found;
}

using enum Finding;
using Findings = std::vector<Finding>;

TEST(Reconcile, AnOrderThatMatchesIsFound) {
  const auto rulings =
      reconcile(std::vector{doubt(3)}, evidence({order_of(doubt(3), "77")}), kBoth);
  ASSERT_EQ(rulings.size(), 1U);
  EXPECT_EQ(rulings[0].finding, found);
  EXPECT_EQ(rulings[0].row, Row{3});
  EXPECT_EQ(rulings[0].order_id, "77");
  EXPECT_EQ(rulings[0].sag_id, "sag-x");
  EXPECT_NE(rulings[0].because.find("order 77, created 2026-01-02T03:04:06Z, is of cn-shanghai, "
                                    "10 seats, 5 GB, 12 months"),
            std::string::npos)
      << rulings[0].because;
}

TEST(Reconcile, NoOrderAtAllIsAbsent) {
  const auto rulings = reconcile(std::vector{doubt(3)}, evidence(), kBoth);
  EXPECT_EQ(rulings[0].finding, absent);
  EXPECT_NE(rulings[0].because.find("2026-01-02T02:33:05Z to 2026-01-02T03:40:05Z"),
            std::string::npos)
      << rulings[0].because;
}

TEST(Reconcile, OfOtherTermsOrAnotherTimeIsNotTheRows) {
  std::vector<LooseOrder> others(6, order_of(doubt(1), "77"));
  others[0].terms.region_id = "cn-hangzhou";
  others[1].terms.user_count = 11;
  others[2].terms.data_plan = 6;
  others[3].terms.period = 1;
  others[4].created_at = window_of(doubt(1)).begin - seconds(1);
  others[5].created_at = window_of(doubt(1)).end + seconds(1);
  EXPECT_EQ(findings({doubt(1)}, evidence(others)), Findings{absent});
}

TEST(Reconcile, TheEndsOfTheWindowBelongToIt) {
  for (const WallTime at : {window_of(doubt(1)).begin, window_of(doubt(1)).end}) {
    LooseOrder order = order_of(doubt(1), "77");
    order.created_at = std::chrono::floor<seconds>(at);
    EXPECT_EQ(findings({doubt(1)}, evidence({order})), Findings{found});
  }
}

TEST(Reconcile, ATermThatIsNotKnownMakesItAmbiguous) {
  for (int i = 0; i < 4; ++i) {
    LooseOrder order = order_of(doubt(1), "77");
    if (i == 0) order.terms.region_id.reset();
    if (i == 1) order.terms.user_count.reset();
    if (i == 2) order.terms.data_plan.reset();
    if (i == 3) order.terms.period.reset();
    EXPECT_EQ(findings({doubt(1)}, evidence({order})), Findings{ambiguous}) << i;
    order.terms.user_count = 99;
    if (i != 1) {
      EXPECT_EQ(findings({doubt(1)}, evidence({order})), Findings{absent}) << i;
    }
  }
}

TEST(Reconcile, EqualRowsAreJudgedByCount) {
  const std::vector<Doubt> three = {doubt(1), doubt(2, kAt + seconds(1)),
                                    doubt(3, kAt + seconds(2))};
  const auto orders = [](int count) {
    std::vector<LooseOrder> made;
    for (int i = 0; i < count; ++i) {
      made.push_back(order_of(doubt(1), std::to_string(70 + i), seconds(i)));
    }
    return made;
  };
  EXPECT_EQ(findings(three, evidence(orders(0))), Findings(3, absent));
  EXPECT_EQ(findings(three, evidence(orders(1))), Findings(3, ambiguous));
  EXPECT_EQ(findings(three, evidence(orders(2))), Findings(3, ambiguous));
  EXPECT_EQ(findings(three, evidence(orders(4))), Findings(3, ambiguous));
  EXPECT_EQ(findings(three, evidence(orders(3))), Findings(3, found));
  const auto rulings = reconcile(three, evidence(orders(3)), kBoth);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(rulings[i].order_id, std::to_string(70 + i)) << "by time";
  }
}

TEST(Reconcile, AmongEqualRowsPaymentTellsApart) {
  std::vector<Doubt> two = {doubt(1), doubt(2)};
  two[0].auto_pay = false;
  const auto rulings = reconcile(
      two, evidence({order_of(two[1], "paid"), order_of(two[0], "unpaid", seconds(2))}), kBoth);
  EXPECT_EQ(rulings[0].order_id, "unpaid");
  EXPECT_EQ(rulings[1].order_id, "paid");
  // One of them alone may have been paid by hand since.
  EXPECT_EQ(findings(two, evidence({order_of(two[1], "paid")})), Findings(2, ambiguous));
}

TEST(Reconcile, RowsOfOtherTermsDoNotHinderOneAnother) {
  Doubt other = doubt(2);
  other.period = 1;
  EXPECT_EQ(findings({doubt(1), other}, evidence({order_of(other, "77")})),
            (Findings{absent, found}));
}

TEST(Reconcile, EachRowNeedsAnOrderOfItsOwnTime) {
  const Doubt late = doubt(2, kAt + minutes(50));
  // Both orders are of the late row's time alone.
  EXPECT_EQ(findings({doubt(1), late}, evidence({order_of(late, "77", minutes(20)),
                                                 order_of(late, "78", minutes(21))})),
            (Findings{absent, ambiguous}));
  // One order is of both rows' time, and no row has another.
  EXPECT_EQ(findings({doubt(1), late}, evidence({order_of(late, "77", minutes(-20))})),
            Findings(2, ambiguous));
  // As many orders as rows, and two of them can be of the first row alone.
  const std::vector<Doubt> three = {doubt(1), doubt(2, kAt + minutes(10)),
                                    doubt(3, kAt + minutes(20))};
  EXPECT_EQ(
      findings(three, evidence({order_of(three[0], "77"), order_of(three[0], "78", minutes(-30)),
                                order_of(three[0], "79", minutes(-29))})),
      Findings(3, ambiguous));
}

TEST(Reconcile, NothingIsFoundWithoutTheBuyersWord) {
  const Evidence seen = evidence({order_of(doubt(1), "77")});
  EXPECT_EQ(findings({doubt(1)}, seen, {.sole_buyer = false, .same_account = true}),
            Findings{ambiguous});
  EXPECT_EQ(findings({doubt(1)}, evidence(), {}), Findings{absent}) << "needs no such word";
}

/// Each of two batches would find the order, and one of them be ordered again in the end.
TEST(Reconcile, NothingIsFoundThatMayBeOfAnotherBatchInDoubt) {
  const Evidence seen = evidence({order_of(doubt(1), "77")});
  const Word word = {.sole_buyer = true, .same_account = true, .rivals = true};
  EXPECT_EQ(findings({doubt(1)}, seen, word), Findings{ambiguous});
  EXPECT_EQ(findings({doubt(1)}, evidence(), word), Findings{absent}) << "no order, nobody's";
}

TEST(Reconcile, AnAccountThatNothingShowsSaysNothing) {
  Evidence seen = evidence();
  seen.survey.explained = 0;
  EXPECT_EQ(findings({doubt(1)}, seen, {.sole_buyer = true, .same_account = false}),
            Findings{unknown});
  EXPECT_EQ(findings({doubt(1)}, seen), Findings{absent});
}

TEST(Reconcile, AListingWithAFlawSaysNothing) {
  Evidence seen = evidence({order_of(doubt(1), "77")});
  seen.flaw = "it changed";
  EXPECT_EQ(findings({doubt(1)}, seen), Findings{unknown});
}

TEST(Reconcile, BeforeTheSafeTimeItIsTooEarly) {
  for (const bool with_order : {false, true}) {
    Evidence seen = evidence();
    if (with_order) seen.survey.orders.push_back(order_of(doubt(1), "77"));
    seen.as_of = kAt + kSafeTime - milliseconds(1);
    EXPECT_EQ(findings({doubt(1)}, seen), Findings{too_early});
    seen.as_of = kAt + kSafeTime;
    EXPECT_EQ(findings({doubt(1)}, seen), Findings{with_order ? found : absent});
  }
  // Whoever shares its orders waits with it.
  Evidence seen = evidence({order_of(doubt(1), "77"), order_of(doubt(1), "78")});
  seen.as_of = kAt + kSafeTime;
  EXPECT_EQ(findings({doubt(1), doubt(2, kAt + seconds(1))}, seen),
            (Findings{ambiguous, too_early}));
}

TEST(Reconcile, AWindowThatIsNotCoveredSaysNothing) {
  Evidence seen = evidence();
  seen.from = window_of(doubt(1)).begin;
  EXPECT_EQ(findings({doubt(1)}, seen), Findings{ambiguous});
  seen = evidence();
  seen.to = window_of(doubt(1)).end - milliseconds(1);
  EXPECT_EQ(findings({doubt(1)}, seen), Findings{ambiguous});
}

TEST(Reconcile, AnInstanceThatNoOrderExplainsForbidsAbsence) {
  Evidence seen = evidence();
  seen.survey.gateways.push_back({"sag-9", kAt + seconds(5), terms_of(doubt(1))});
  EXPECT_EQ(findings({doubt(1)}, seen), Findings{ambiguous});
  seen.survey.gateways[0].terms.user_count = 99;
  EXPECT_EQ(findings({doubt(1)}, seen), Findings{absent});
}

TEST(Reconcile, ARowWhoseBytesWereSentTwiceMayHaveTwoOrders) {
  Doubt replayed = doubt(1);
  replayed.replayed = true;
  EXPECT_EQ(findings({replayed, doubt(2)},
                     evidence({order_of(doubt(1), "77"), order_of(doubt(1), "78")})),
            Findings(2, ambiguous));
  EXPECT_EQ(findings({replayed}, evidence()), Findings{absent});
}

// ---- random worlds: whatever happened, no verdict is wrong ----------------------------------

// What happened, and what of it the listing shows.
struct World {
  explicit World(std::uint64_t seed) : random(seed) {
    as_of = kAt + minutes(below(240));
    const int rows = 1 + below(7);
    for (int i = 0; i < rows; ++i) add_row();
    word = {.sole_buyer = chance(0.7), .same_account = chance(0.5)};
    for (int i = below(4); i > 0 && !word.sole_buyer; --i) add_stranger();
    seen.survey.explained = below(4) == 0 && word.same_account ? 0 : 1;
    seen.as_of = as_of;
    seen.to = as_of;
    seen.from = kAt - std::chrono::hours(2);
    if (chance(0.03)) seen.flaw = "a flaw";
    std::shuffle(seen.survey.orders.begin(), seen.survey.orders.end(), random);
  }

  int below(int limit) { return static_cast<int>(random() % static_cast<unsigned>(limit)); }
  bool chance(double odds) { return static_cast<double>(random() >> 11) * 0x1p-53 < odds; }

  void add_row() {
    Doubt made = doubt(doubts.size() + 1, kAt + minutes(below(90)));
    made.user_count = 5 + static_cast<std::uint64_t>(below(2)) * 5;
    made.period = chance(0.8) ? 12 : 1;
    made.auto_pay = chance(0.5);
    made.replayed = chance(0.05);
    doubts.push_back(made);
    const int executed = chance(0.5) ? 1 + (made.replayed ? below(2) : 0) : 0;
    for (int i = 0; i < executed; ++i) {
      const std::string id = std::to_string(next_id++);
      orders_of[made.row].insert(id);
      list(made, id, made.auto_pay || chance(0.1));
    }
  }

  // The server's clock is off by what it tolerates, and takes its time.
  void list(const Doubt& made, const std::string& id, bool paid) {
    const Window window = window_of(made);
    const auto span = std::chrono::duration_cast<seconds>(window.end - window.begin).count();
    const WallTime created = window.begin + seconds(below(static_cast<int>(span)));
    const WallTime listed = created + minutes(below(static_cast<int>(kListingDelay.count() / 60)));
    if (listed > as_of) return;
    LooseOrder order{id, std::chrono::floor<seconds>(created), paid, paid ? "sag-" + id : "",
                     terms_of(made)};
    forget_some(order.terms);
    if (chance(0.03) && paid) {
      // Of a listing that lacks the order the instances tell.
      seen.survey.gateways.push_back({order.sag_id, created, order.terms});
    } else {
      seen.survey.orders.push_back(std::move(order));
    }
  }

  void forget_some(Terms& terms) {
    if (!chance(0.1)) return;
    if (chance(0.5)) terms.region_id.reset();
    if (chance(0.5)) terms.user_count.reset();
    if (chance(0.5)) terms.period.reset();
  }

  // An order that has nothing to do with the batch.
  void add_stranger() {
    Doubt other = doubt(0, kAt + minutes(below(90)));
    other.user_count = 5 + static_cast<std::uint64_t>(below(3)) * 5;
    list(other, std::to_string(next_id++), chance(0.5));
  }

  std::mt19937_64 random;
  int next_id = 100;
  WallTime as_of;
  std::vector<Doubt> doubts;
  std::map<Row, std::set<std::string>> orders_of;  // those that each row made
  Evidence seen;
  Word word;
};

std::string key_of(const Doubt& doubt) {
  return std::to_string(doubt.user_count) + "/" + std::to_string(doubt.period);
}

TEST(ReconcileProperty, NoVerdictIsEverWrong) {
  std::map<Finding, int> count;
  for (std::uint64_t seed = 1; seed <= 40'000; ++seed) {
    World world(seed);
    const std::string trace = "seed " + std::to_string(seed);
    const auto rulings = reconcile(world.doubts, world.seen, world.word);
    ASSERT_EQ(rulings.size(), world.doubts.size()) << trace;
    // Equal rows cannot be told apart: what they were given together is what they made together.
    std::map<std::string, std::set<std::string>> given;
    std::map<std::string, std::set<std::string>> made;
    for (std::size_t i = 0; i < rulings.size(); ++i) {
      const Ruling& ruling = rulings[i];
      const auto& own = world.orders_of[ruling.row];
      ++count[ruling.finding];
      if (ruling.finding == absent) {
        ASSERT_TRUE(own.empty()) << trace << ", row " << ruling.row.value;
      }
      if (ruling.finding != found) continue;
      ASSERT_EQ(own.size(), 1U) << trace << ", row " << ruling.row.value;
      ASSERT_TRUE(world.word.sole_buyer) << trace;
      const std::string key = key_of(world.doubts[i]);
      ASSERT_TRUE(given[key].insert(ruling.order_id).second) << trace << ": given twice";
      made[key].insert(*own.begin());
    }
    ASSERT_EQ(given, made) << trace;
  }
  // And it is not by saying nothing.
  EXPECT_GT(count[found], 5'000);
  EXPECT_GT(count[absent], 10'000);
  EXPECT_GT(count[ambiguous], 5'000);
  EXPECT_GT(count[too_early], 5'000);
}

}  // namespace
}  // namespace sagorder
