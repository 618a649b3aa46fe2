#include "engine/verdict.hpp"

#include <algorithm>
#include <array>

#include "engine/planted.hpp"

namespace sagorder {
namespace {

struct Rule {
  std::string_view code;  // exact, or with one placeholder: see `matches`
  Verdict verdict;
};

constexpr Verdict kThrottled{Fate::not_executed, Effect::slow_down};
constexpr Verdict kRowRefused{Fate::rejected, Effect::go_on};
constexpr Verdict kKeyExpired{Fate::not_executed, Effect::renew_key};
constexpr Verdict kKeyRefused{Fate::not_executed, Effect::stop_credentials};
constexpr Verdict kClockRefused{Fate::not_executed, Effect::check_clock};
constexpr Verdict kUnpaid{Fate::in_doubt, Effect::stop_payment};
constexpr Verdict kDoubt{Fate::in_doubt, Effect::go_on};

// The codes, as the vendor's pages and reports name them; case matters. A code that is not here is
// doubt: no guess is made from what a code sounds like.
//
//   <parameter>  RegionId, Period, AutoPay, ChargeType, UserCount, DataPlan, ResourceGroupId
//   <reason>     what a check of one parameter's value can end in (kReasons)
//   <common>     a parameter of every request: were it missing, all rows would meet it
//   <word>       one to 64 letters
//   <any>        anything; only where the verdict is doubt anyhow
constexpr std::array kRules = {
    // Denied by flow control, before the operation. Certain only with a RequestId: `judge` asks.
    Rule{"Throttling", kThrottled},
    Rule{"Throttling.User", kThrottled},
    Rule{"Throttling.Api", kThrottled},
    Rule{"Rejected.Throttling", kThrottled},
    Rule{"OperationFailed.Throttling", kThrottled},

    // What this row says was refused.
    Rule{"MissingParameter", kRowRefused},
    Rule{"MissingParameter.<parameter>", kRowRefused},
    Rule{"Missing<parameter>", kRowRefused},
    Rule{"InvalidParameter", kRowRefused},
    Rule{"InvalidParameter.<parameter>", kRowRefused},
    Rule{"Invalid<parameter>", kRowRefused},
    Rule{"InvalidRegionId.<reason>", kRowRefused},
    Rule{"InvalidPeriod.<reason>", kRowRefused},
    Rule{"InvalidAutoPay.<reason>", kRowRefused},
    Rule{"InvalidChargeType.<reason>", kRowRefused},
    Rule{"InvalidUserCount.<reason>", kRowRefused},
    Rule{"InvalidDataPlan.<reason>", kRowRefused},
    Rule{"InvalidResourceGroupId.<reason>", kRowRefused},
    Rule{"IllegalParam.<parameter>", kRowRefused},
    Rule{"SAG.Invalid<parameter>", kRowRefused},
    Rule{"QuotaExceeded", kRowRefused},  // instances an account; no page gives another name

    // Who asks, or how: every row would meet it.
    Rule{"SignatureDoesNotMatch", kKeyRefused},
    Rule{"IncompleteSignature", kKeyRefused},
    Rule{"InvalidAccessKeyId", kKeyRefused},
    Rule{"InvalidAccessKeyId.NotFound", kKeyRefused},
    Rule{"InvalidSecurityToken", kKeyRefused},
    Rule{"InvalidSecurityToken.Expired", kKeyExpired},
    Rule{"InvalidSecurityToken.<word>", kKeyRefused},
    Rule{"Forbidden", kKeyRefused},
    Rule{"Forbidden.RAM", kKeyRefused},
    Rule{"Forbidden.SubUser", kKeyRefused},
    Rule{"Forbidden.AccessKeyDisabled", kKeyRefused},
    Rule{"RealNameAuthenticationError", kKeyRefused},
    Rule{"Missing<common>", kKeyRefused},
    Rule{"MissingParameter.<common>", kKeyRefused},
    Rule{"InvalidTimeStamp.Format", kKeyRefused},  // how we write it, not when

    // When it was asked.
    Rule{"InvalidTimeStamp.Expired", kClockRefused},
    Rule{"IllegalTimestamp", kClockRefused},

    // An unpaid order may exist.
    Rule{"InsufficientBalance", kUnpaid},
    Rule{"NOT_ENOUGH_BALANCE", kUnpaid},
    Rule{"PAY.<any>", kUnpaid},

    // Known to say nothing about whether the order was placed; listed so that nobody adds them.
    Rule{"SignatureNonceUsed", kDoubt},  // a copy reached the gateway
    Rule{"ServiceUnavailable", kDoubt},
    Rule{"InternalError", kDoubt},
    Rule{"UnknownError", kDoubt},
};

constexpr std::array<std::string_view, 7> kParameters = {
    "RegionId", "Period", "AutoPay", "ChargeType", "UserCount", "DataPlan", "ResourceGroupId"};

constexpr std::array<std::string_view, 6> kReasons = {
    "NotFound", "Malformed", "Format", "NotSupported", "ValueNotSupported", "OutOfRange"};

constexpr std::array<std::string_view, 11> kCommon = {
    "AccessKeyId",     "SecurityToken",    "Signature", "SignatureNonce", "Timestamp", "TimeStamp",
    "SignatureMethod", "SignatureVersion", "Action",    "Version",        "Format"};

constexpr std::size_t kWordMax = 64;

bool is_word(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); };
  return !text.empty() && text.size() <= kWordMax && std::ranges::all_of(text, letter);
}

bool fits(std::string_view placeholder, std::string_view text) {
  const auto among = [text](const auto& set) { return std::ranges::find(set, text) != set.end(); };
  if (placeholder == "<parameter>") return among(kParameters);
  if (placeholder == "<reason>") return among(kReasons);
  if (placeholder == "<common>") return among(kCommon);
  if (placeholder == "<word>") return is_word(text);
  return !text.empty();  // <any>
}

consteval bool placeholders_are_known() {
  constexpr std::array<std::string_view, 5> kPlaceholders = {"<parameter>", "<reason>", "<common>",
                                                             "<word>", "<any>"};
  for (const Rule& rule : kRules) {
    const std::size_t at = rule.code.find('<');
    if (at == std::string_view::npos) continue;
    if (std::ranges::find(kPlaceholders, rule.code.substr(at)) == kPlaceholders.end()) return false;
  }
  return true;
}
static_assert(placeholders_are_known());

// A placeholder stands at a rule's end.
bool matches(std::string_view rule, std::string_view code) {
  const std::size_t at = rule.find('<');
  if (at == std::string_view::npos) return code == rule;
  return code.starts_with(rule.substr(0, at)) && fits(rule.substr(at), code.substr(at));
}

bool refused(Fate fate) { return fate == Fate::rejected || fate == Fate::not_executed; }

// Only an OrderId says anything: copies sent before may have executed, whatever this one met; or
// the server sent more than one answer. Nor is the clock worth a look: replayed bytes were stamped
// when they were first sent, and a server that answers twice is no witness.
Verdict no_refusal(Verdict verdict) {
  if (verdict.fate == Fate::placed) return verdict;
  if (verdict.effect == Effect::check_clock) verdict.effect = Effect::go_on;
  return {Fate::in_doubt, verdict.effect};
}

// A refusal is believed under 4xx alone. Under another status the two contradict each other: 2xx
// says done, 5xx and 3xx that something on the way broke. Then the row is in doubt; what the code
// means for the run (wrong key, too fast) holds all the same.
Verdict judge_error(const Answer& answer) {
  if (planted(Planted::internal_error_rejected) && answer.code == "InternalError" &&
      answer.http_status == 403) {
    return kRowRefused;
  }
  if (planted(Planted::unavailable_not_executed) && answer.code == "ServiceUnavailable") {
    return kThrottled;
  }
  Verdict verdict = judge_code(answer.code);
  const bool client_error = answer.http_status >= 400 && answer.http_status <= 499;
  const bool throttled = verdict.effect == Effect::slow_down;
  const bool vouched = !throttled || !answer.request_id.empty();
  if (refused(verdict.fate) && !(client_error && vouched)) verdict.fate = Fate::in_doubt;
  return verdict;
}

// For a request of which no byte was accepted.
Effect effect_of(FaultKind kind) {
  switch (kind) {
    case FaultKind::resolve_failed:
    case FaultKind::connect_failed:
    case FaultKind::connect_timed_out:
    case FaultKind::tls_failed:
    case FaultKind::timed_out:
    case FaultKind::reset:
    case FaultKind::closed:
    case FaultKind::answer_malformed:
    case FaultKind::answer_too_large:
    case FaultKind::proxy_failed:
      break;
    case FaultKind::identity_refused:
      return Effect::stop_credentials;
    case FaultKind::certificate_refused:
      return Effect::stop_certificate;
    case FaultKind::closed_before_write:  // an idle connection's natural end: take another
    case FaultKind::unsolicited_bytes:
    case FaultKind::cancelled:
      return Effect::go_on;
  }
  return Effect::back_off;
}

}  // namespace

std::string_view name_of(FaultKind kind) {
  constexpr std::array<std::string_view, kFaultKinds> kNames = {"resolve_failed",
                                                                "connect_failed",
                                                                "connect_timed_out",
                                                                "tls_failed",
                                                                "certificate_refused",
                                                                "closed_before_write",
                                                                "reset",
                                                                "closed",
                                                                "timed_out",
                                                                "answer_malformed",
                                                                "answer_too_large",
                                                                "unsolicited_bytes",
                                                                "cancelled",
                                                                "proxy_failed",
                                                                "identity_refused"};
  return kNames[static_cast<std::size_t>(kind)];
}

Verdict judge_code(std::string_view code) {
  const auto rule =
      std::ranges::find_if(kRules, [code](const Rule& r) { return matches(r.code, code); });
  if (planted(Planted::resign_on_nonce_used) && code == "SignatureNonceUsed") return kThrottled;
  if (planted(Planted::payment_rejected) && code.starts_with("PAY.")) return kRowRefused;
  if (planted(Planted::unknown_code_rejected) && rule == kRules.end()) return kRowRefused;
  return rule == kRules.end() ? kDoubt : rule->verdict;
}

Verdict judge(const Answer& answer, bool first_sending) {
  Verdict verdict = kDoubt;
  if (answer.kind == AnswerKind::ordered) verdict = {Fate::placed, Effect::go_on};
  if (answer.kind == AnswerKind::error) verdict = judge_error(answer);
  if (planted(Planted::broken_success_rejected) && answer.http_status / 100 == 2 &&
      answer.kind == AnswerKind::not_understood) {
    verdict = kRowRefused;
  }
  if (planted(Planted::server_error_not_executed) && answer.http_status >= 500) {
    verdict = kThrottled;
  }
  if (planted(Planted::refusal_ends_doubt)) return verdict;
  return first_sending && !answer.surplus ? verdict : no_refusal(verdict);
}

Verdict judge(const Fault& fault, bool first_sending) {
  Verdict verdict = kDoubt;
  if (fault.bytes_accepted == 0) verdict = {Fate::not_executed, effect_of(fault.kind)};
  // It comes too late to say what became of this row, and early enough to spare the others.
  if (fault.kind == FaultKind::identity_refused) verdict.effect = effect_of(fault.kind);
  if ((planted(Planted::retry_on_reset) && fault.bytes_answered == 0 &&
       (fault.kind == FaultKind::reset || fault.kind == FaultKind::closed)) ||
      (planted(Planted::retry_on_timeout) && fault.kind == FaultKind::timed_out) ||
      (planted(Planted::retry_on_garbage) && fault.kind == FaultKind::answer_malformed) ||
      (planted(Planted::cancelled_not_executed) && fault.kind == FaultKind::cancelled)) {
    return {Fate::not_executed, Effect::go_on};
  }
  return first_sending ? verdict : no_refusal(verdict);
}

}  // namespace sagorder
