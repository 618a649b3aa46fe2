#include "engine/verdict.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace sagorder {
namespace {

// Told apart in a failure's message.
std::string text_of(Verdict verdict) {
  return "fate " + std::to_string(static_cast<int>(verdict.fate)) + ", effect " +
         std::to_string(static_cast<int>(verdict.effect));
}

void expect_verdict(Verdict actual, Fate fate, Effect effect) {
  EXPECT_EQ(actual, (Verdict{fate, effect})) << text_of(actual);
}

constexpr Verdict kDoubt{Fate::in_doubt, Effect::go_on};

Answer error_of(std::string code, int status, bool with_request_id = true) {
  Answer answer;
  answer.kind = AnswerKind::error;
  answer.http_status = status;
  answer.code = std::move(code);
  if (with_request_id) answer.request_id = "8906582E-6722";
  return answer;
}

// The list, written down a second time and in full: what a 4xx answer with this code means.
struct Listed {
  Verdict verdict;
  std::vector<std::string> codes;
};

const std::vector<Listed>& listed() {
  static const std::vector<Listed> kListed = {
      {{Fate::not_executed, Effect::slow_down},
       {"Throttling", "Throttling.User", "Throttling.Api", "Rejected.Throttling",
        "OperationFailed.Throttling"}},
      {{Fate::rejected, Effect::go_on},
       {"MissingParameter",
        "MissingParameter.Period",
        "MissingRegionId",
        "MissingPeriod",
        "MissingAutoPay",
        "MissingChargeType",
        "MissingUserCount",
        "MissingDataPlan",
        "MissingResourceGroupId",
        "InvalidParameter",
        "InvalidParameter.UserCount",
        "InvalidRegionId",
        "InvalidPeriod",
        "InvalidAutoPay",
        "InvalidChargeType",
        "InvalidUserCount",
        "InvalidDataPlan",
        "InvalidResourceGroupId",
        "InvalidRegionId.NotFound",
        "InvalidRegionId.Malformed",
        "InvalidPeriod.ValueNotSupported",
        "InvalidAutoPay.Malformed",
        "InvalidChargeType.NotSupported",
        "InvalidUserCount.OutOfRange",
        "InvalidDataPlan.Format",
        "InvalidResourceGroupId.NotFound",
        "IllegalParam.RegionId",
        "IllegalParam.Period",
        "SAG.InvalidUserCount",
        "SAG.InvalidDataPlan",
        "QuotaExceeded"}},
      {{Fate::not_executed, Effect::stop_credentials},
       {"SignatureDoesNotMatch",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidAccessKeyId.NotFound",
        "InvalidSecurityToken",
        "InvalidSecurityToken.Malformed",
        "InvalidSecurityToken.MismatchWithAccessKey",
        "Forbidden",
        "Forbidden.RAM",
        "Forbidden.SubUser",
        "Forbidden.AccessKeyDisabled",
        "RealNameAuthenticationError",
        "InvalidTimeStamp.Format",
        "MissingAccessKeyId",
        "MissingSecurityToken",
        "MissingSignature",
        "MissingSignatureNonce",
        "MissingSignatureMethod",
        "MissingSignatureVersion",
        "MissingTimestamp",
        "MissingTimeStamp",
        "MissingAction",
        "MissingVersion",
        "MissingFormat",
        "MissingParameter.AccessKeyId"}},
      {{Fate::not_executed, Effect::renew_key}, {"InvalidSecurityToken.Expired"}},
      {{Fate::not_executed, Effect::check_clock}, {"InvalidTimeStamp.Expired", "IllegalTimestamp"}},
      {{Fate::in_doubt, Effect::stop_payment},
       {"InsufficientBalance", "NOT_ENOUGH_BALANCE", "PAY.INSUFFICIENT_BALANCE", "PAY.x"}},
      {{Fate::in_doubt, Effect::go_on},
       {"SignatureNonceUsed", "ServiceUnavailable", "InternalError", "UnknownError"}},
  };
  return kListed;
}

TEST(Verdict, EveryListedCodeUnderEveryStatus) {
  for (const Listed& group : listed()) {
    for (const std::string& code : group.codes) {
      EXPECT_EQ(judge_code(code), group.verdict) << code;
      const bool throttling = group.verdict.effect == Effect::slow_down;
      for (int status = 100; status <= 599; ++status) {
        for (const bool with_id : {true, false}) {
          const bool believed = status >= 400 && status <= 499 && (with_id || !throttling);
          const Fate fate = believed ? group.verdict.fate : Fate::in_doubt;
          const Verdict verdict = judge(error_of(code, status, with_id), true);
          ASSERT_EQ(verdict, (Verdict{fate, group.verdict.effect}))
              << code << ' ' << status << ' ' << with_id << ": " << text_of(verdict);
        }
      }
    }
  }
}

TEST(Verdict, ACodeNobodyHasSeenIsDoubtUnderEveryStatus) {
  for (const char* code : {"",
                           "OK",
                           "200",
                           "Success",
                           "SomethingNew",
                           "throttling",
                           "THROTTLING",
                           "Throttling.",
                           "Throttling.Resource",
                           "Throttling.User.x",
                           "xThrottling",
                           "Throttling ",
                           "ServiceBusy",
                           "Forbidden.",
                           "Forbidden.Unknown",
                           "forbidden",
                           "ForbiddenX",
                           "Invalid",
                           "InvalidX",
                           "InvalidRegion",
                           "InvalidRegionIdX",
                           "InvalidRegionId.",
                           "InvalidRegionId.Whatever",
                           "InvalidRegionId.NotFound.x",
                           "InvalidOrderStatus",
                           "InvalidPeriodUnit",
                           "Invalid<parameter>",
                           "InvalidInstance.NotFound",
                           "InvalidParameter.",
                           "InvalidParameter.Order",
                           "InvalidAccessKeyId.",
                           "InvalidAccessKeyId.Whatever",
                           "InvalidSecurityToken.",
                           "InvalidSecurityToken.a.b",
                           "InvalidSecurityToken.1",
                           "InvalidSecurityToken.a{",
                           "InvalidSecurityToken.a[",
                           "InvalidTimeStamp",
                           "InvalidTimeStamp.Whatever",
                           "Missing",
                           "MissingX",
                           "MissingParameterX",
                           "MissingParameter.Order",
                           "IllegalParam",
                           "IllegalParam.",
                           "IllegalParam.X",
                           "SAG.",
                           "SAG.Invalid",
                           "SAG.InvalidX",
                           "SAG.InvalidUserCount.x",
                           "QuotaExceeded.",
                           "QuotaExceededX",
                           "QuotaExceeded.Order",
                           "PAY",
                           "PAY.",
                           "PAYX",
                           "Pay.x",
                           "InsufficientBalance.x",
                           "OrderFailed",
                           "OperationFailed",
                           "OperationDenied",
                           "IdempotentParameterMismatch"}) {
    EXPECT_EQ(judge_code(code), kDoubt) << code;
    for (int status = 100; status <= 599; ++status) {
      ASSERT_EQ(judge(error_of(code, status), true), kDoubt) << code << ' ' << status;
    }
  }
}

TEST(Verdict, AWordHasAnEnd) {
  const std::string begin = "InvalidSecurityToken.";
  EXPECT_EQ(judge_code(begin + std::string(64, 'x')).effect, Effect::stop_credentials);
  EXPECT_EQ(judge_code(begin + std::string(65, 'x')), kDoubt);
}

TEST(Verdict, AnOrderIdMeansPlacedAtEvery2xx) {
  for (int status = 200; status <= 299; ++status) {
    Answer answer;
    answer.kind = AnswerKind::ordered;
    answer.http_status = status;
    answer.order_id = "203783300920296";
    for (const bool first : {true, false}) {
      expect_verdict(judge(answer, first), Fate::placed, Effect::go_on);
    }
  }
}

TEST(Verdict, WhatIsNotUnderstoodIsDoubtUnderEveryStatus) {
  for (int status = 0; status <= 700; ++status) {
    Answer answer;
    answer.http_status = status;
    answer.code = "Throttling";  // whatever is left in the fields: the kind decides
    answer.request_id = "r";
    EXPECT_EQ(judge(answer, true), kDoubt);
    EXPECT_EQ(judge(answer, false), kDoubt);
  }
}

TEST(Verdict, AfterAReplayOnlyAnOrderIdSaysAnything) {
  for (const Listed& group : listed()) {
    for (const std::string& code : group.codes) {
      SCOPED_TRACE(code);
      for (const int status : {200, 302, 400, 403, 404, 429, 500, 503}) {
        const bool clock = group.verdict.effect == Effect::check_clock;
        const Effect effect = clock ? Effect::go_on : group.verdict.effect;
        expect_verdict(judge(error_of(code, status), false), Fate::in_doubt, effect);
      }
    }
  }
}

TEST(Verdict, ARefusalWithBytesBehindItIsDoubt) {
  for (const Listed& group : listed()) {
    const bool clock = group.verdict.effect == Effect::check_clock;
    for (const std::string& code : group.codes) {
      SCOPED_TRACE(code);
      Answer answer = error_of(code, 400);
      answer.surplus = true;
      expect_verdict(judge(answer, true), Fate::in_doubt,
                     clock ? Effect::go_on : group.verdict.effect);
    }
  }
  Answer placed;
  placed.kind = AnswerKind::ordered;
  placed.surplus = true;
  expect_verdict(judge(placed, true), Fate::placed, Effect::go_on);
}

// ---- faults --------------------------------------------------------------------------------

Effect effect_without_a_byte(FaultKind kind) {
  switch (kind) {
    case FaultKind::certificate_refused:
      return Effect::stop_certificate;
    case FaultKind::identity_refused:
      return Effect::stop_credentials;
    case FaultKind::closed_before_write:
    case FaultKind::unsolicited_bytes:
    case FaultKind::cancelled:
      return Effect::go_on;
    default:
      return Effect::back_off;
  }
}

TEST(Verdict, AFaultIsJudgedByTheBytesThatWereAccepted) {
  for (int i = 0; i < kFaultKinds; ++i) {
    Fault fault;
    fault.kind = static_cast<FaultKind>(i);
    const Effect effect = effect_without_a_byte(fault.kind);
    for (const std::uint64_t answered : {0U, 1U, 1000U}) {
      fault.bytes_answered = answered;
      fault.bytes_accepted = 0;
      expect_verdict(judge(fault, true), Fate::not_executed, effect);
      expect_verdict(judge(fault, false), Fate::in_doubt, effect);
      for (const std::uint64_t accepted : {std::uint64_t{1}, std::uint64_t{715}, UINT64_MAX}) {
        fault.bytes_accepted = accepted;
        // Doubt always; and who we are is not accepted from any row.
        const bool ours = fault.kind == FaultKind::identity_refused;
        const Effect after = ours ? Effect::stop_credentials : Effect::go_on;
        expect_verdict(judge(fault, true), Fate::in_doubt, after);
        expect_verdict(judge(fault, false), Fate::in_doubt, after);
      }
    }
  }
}

TEST(Verdict, EveryFaultHasItsName) {
  EXPECT_EQ(name_of(FaultKind::resolve_failed), "resolve_failed");
  EXPECT_EQ(name_of(FaultKind::certificate_refused), "certificate_refused");
  EXPECT_EQ(name_of(FaultKind::timed_out), "timed_out");
  EXPECT_EQ(name_of(FaultKind::cancelled), "cancelled");
  EXPECT_EQ(name_of(FaultKind::proxy_failed), "proxy_failed");
  EXPECT_EQ(name_of(FaultKind::identity_refused), "identity_refused");
  std::set<std::string_view> names;
  for (int i = 0; i < kFaultKinds; ++i) names.insert(name_of(static_cast<FaultKind>(i)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(kFaultKinds));
  EXPECT_EQ(names.count(""), 0U);
}

}  // namespace
}  // namespace sagorder
