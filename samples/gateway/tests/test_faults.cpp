#include <gtest/gtest.h>

#include <set>
#include <stdexcept>
#include <string>

#include "faults.hpp"

namespace gateway {
namespace {

std::string fates(FaultPlan& plan, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += plan.next_request().label + " ";
  return out;
}

TEST(Faults, NoneWithoutAPlan) {
  FaultPlan plan("", 1);
  EXPECT_EQ(plan.next_request().kind, FaultKind::none);
  EXPECT_EQ(plan.next_accept().kind, FaultKind::none);
  EXPECT_EQ(plan.next_handshake().kind, FaultKind::none);
  EXPECT_EQ(plan.next_reuse().kind, FaultKind::none);
  EXPECT_FALSE(plan.has_reuse());
}

TEST(Faults, EveryKindOfTheTableCanBeAskedFor) {
  std::set<FaultKind> kinds;
  for (const FaultFacts& fact : fault_table()) {
    std::string spec(fact.name);
    if (fact.kind == FaultKind::code || fact.kind == FaultKind::code_after) spec += ":X";
    const bool listing = fact.stage == FaultStage::listing;
    FaultPlan plan(listing ? "" : spec, 1, listing ? spec : "");
    const Fault& fault = fact.stage == FaultStage::accept      ? plan.next_accept()
                         : fact.stage == FaultStage::handshake ? plan.next_handshake()
                         : fact.stage == FaultStage::reuse     ? plan.next_reuse()
                         : listing                             ? plan.next_inquiry()
                                                               : plan.next_request();
    EXPECT_EQ(fault.kind, fact.kind) << fact.name;
    EXPECT_EQ(fault.label, spec);
    EXPECT_TRUE(kinds.insert(fact.kind).second) << fact.name;
  }
}

TEST(Faults, ByNumberFromOne) {
  FaultPlan plan("cut@1,html@3-4,cut@6", 1);
  EXPECT_EQ(fates(plan, 7), "cut  html html  cut  ");
}

TEST(Faults, NumbersGoBeforeOdds) {
  FaultPlan plan("dribble,cut@2", 1);
  EXPECT_EQ(fates(plan, 3), "dribble cut dribble ");
}

TEST(Faults, OddsAreKeptAndSeeded) {
  FaultPlan one("cut=0.1,html=0.2", 7), same("cut=0.1,html=0.2", 7), other("cut=0.1,html=0.2", 8);
  EXPECT_EQ(fates(one, 200), fates(same, 200));
  EXPECT_NE(fates(one, 200), fates(other, 200));
  int cuts = 0, pages = 0;
  for (int i = 0; i < 20000; ++i) {
    const FaultKind kind = one.next_request().kind;
    cuts += kind == FaultKind::cut;
    pages += kind == FaultKind::html;
  }
  EXPECT_NEAR(cuts, 2000, 200);
  EXPECT_NEAR(pages, 4000, 300);
}

TEST(Faults, OneDrawEach) {
  // What is struck by number does not shift the fate of those after it.
  FaultPlan plain("cut=0.3", 5), numbered("cut=0.3,html@1", 5);
  plain.next_request();
  numbered.next_request();
  EXPECT_EQ(fates(plain, 100), fates(numbered, 100));
}

TEST(Faults, Codes) {
  FaultPlan plan("code:PAY.X@1,code-after:InternalError:403@2", 1);
  const Fault& first = plan.next_request();
  EXPECT_EQ(first.code, "PAY.X");
  EXPECT_EQ(first.status, 400);
  const Fault& second = plan.next_request();
  EXPECT_EQ(second.kind, FaultKind::code_after);
  EXPECT_EQ(second.code, "InternalError");
  EXPECT_EQ(second.status, 403);
}

TEST(Faults, BadPlans) {
  for (const std::string_view bad :
       {"nope", "cut=2", "cut=-1", "cut=x", "cut=nan", "cut@0", "cut@", "cut@x", "cut@5-3",
        "cut=0.6,html=0.6", "cut:X", "code", "code:", "code:X:99", "code:X:y"}) {
    EXPECT_THROW(FaultPlan(bad, 1), std::invalid_argument) << bad;
  }
}

}  // namespace
}  // namespace gateway
