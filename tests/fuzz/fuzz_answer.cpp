// engine/response and engine/verdict: no order without an OrderId of digits that was there, no
// refusal without a listed code that stands alone under 4xx, doubt for all else, no secret shown.
//
// The lists here are the oracle's own: written from what the vendor's pages say of each code, never
// from the table that is judged.
//
// Input: status, flags and fault (three bytes), four headers if a flag says so (each with its
// length before it), the body.
#include <charconv>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/ascii.hpp"
#include "engine/csv.hpp"
#include "engine/response.hpp"
#include "engine/verdict.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace sagorder {
namespace {

using fuzz::Draw;
using fuzz::require;

constexpr std::array kStatuses = {200, 400, 403, 404, 500, 503, 201, 204, 299, 300, 302, 399,
                                  401, 409, 429, 499, 501, 599, 100, 99,  600, 0,   -1,  199};

// ---- what is hidden -------------------------------------------------------------------------

constexpr std::string_view kSecret = "Zq9/w=K+3#v&Y7";
constexpr std::string_view kToken = "CAIS\"tok\\en/7%2F";

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = is_letter(c) || is_digit(c) || c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += {'%', kDigits[byte >> 4U], kDigits[byte & 15U]};
    }
  }
  return out;
}

/// With JSON's escapes undone, as whoever reads the evidence would.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    ++i;
    unsigned code = 0;
    const std::string_view hex = text.substr(i + 1, 4);
    const auto read = std::from_chars(hex.data(), hex.data() + hex.size(), code, 16);
    if (text[i] == 'u' && hex.size() == 4 && read.ptr == hex.data() + 4 && code < 0x80) {
      out += static_cast<char>(code);
      i += 4;
    } else {
      out += text[i];
    }
  }
  return out;
}

void check_hidden(std::string_view shown) {
  static const std::array<std::string, 6> kForms = {
      std::string(kSecret), percent_encoded(kSecret), percent_encoded(percent_encoded(kSecret)),
      std::string(kToken),  percent_encoded(kToken),  percent_encoded(percent_encoded(kToken))};
  const bool escapes = shown.find('\\') != std::string_view::npos;
  const std::string plain = escapes ? unescaped(shown) : std::string();
  for (const std::string& form : kForms) {
    require(shown.find(form) == std::string_view::npos, "no secret is shown");
    require(!escapes || plain.find(form) == std::string::npos, "no secret is shown in escapes");
  }
}

// ---- the codes --------------------------------------------------------------------------------

enum class Means : std::uint8_t { nothing, throttled, row, key, expired_key, clock, payment };

template <std::size_t count>
bool among(const std::array<std::string_view, count>& list, std::string_view text) {
  return std::ranges::find(list, text) != list.end();
}

/// The rest of `code` behind `prefix`; empty if it begins otherwise.
std::string_view behind(std::string_view prefix, std::string_view code) {
  return code.starts_with(prefix) ? code.substr(prefix.size()) : std::string_view();
}

bool about_this_row(std::string_view code) {
  constexpr std::array<std::string_view, 7> kOrderParameters = {
      "AutoPay", "ChargeType", "DataPlan", "Period", "RegionId", "ResourceGroupId", "UserCount"};
  constexpr std::array<std::string_view, 6> kWhy = {
      "NotFound", "Malformed", "Format", "NotSupported", "ValueNotSupported", "OutOfRange"};
  if (code == "MissingParameter" || code == "InvalidParameter" || code == "QuotaExceeded") {
    return true;
  }
  for (const std::string_view prefix : {"MissingParameter.", "InvalidParameter.", "IllegalParam.",
                                        "SAG.Invalid", "Missing", "Invalid"}) {
    if (among(kOrderParameters, behind(prefix, code))) return true;
  }
  const std::string_view named = behind("Invalid", code);
  const std::size_t dot = named.find('.');
  return dot != std::string_view::npos && among(kOrderParameters, named.substr(0, dot)) &&
         among(kWhy, named.substr(dot + 1));
}

bool about_the_key(std::string_view code) {
  constexpr std::array<std::string_view, 11> kCodes = {"SignatureDoesNotMatch",
                                                       "IncompleteSignature",
                                                       "InvalidAccessKeyId",
                                                       "InvalidAccessKeyId.NotFound",
                                                       "InvalidSecurityToken",
                                                       "Forbidden",
                                                       "Forbidden.RAM",
                                                       "Forbidden.SubUser",
                                                       "Forbidden.AccessKeyDisabled",
                                                       "RealNameAuthenticationError",
                                                       "InvalidTimeStamp.Format"};
  constexpr std::array<std::string_view, 11> kCommonParameters = {
      "AccessKeyId", "Action",          "Format",         "SecurityToken",
      "Signature",   "SignatureMethod", "SignatureNonce", "SignatureVersion",
      "TimeStamp",   "Timestamp",       "Version"};
  const std::string_view token = behind("InvalidSecurityToken.", code);
  return among(kCodes, code) || among(kCommonParameters, behind("Missing", code)) ||
         among(kCommonParameters, behind("MissingParameter.", code)) ||
         (!token.empty() && token.size() <= 64 && std::ranges::all_of(token, is_letter));
}

Means meaning_of(std::string_view code) {
  constexpr std::array<std::string_view, 5> kThrottling = {"Throttling", "Throttling.User",
                                                           "Throttling.Api", "Rejected.Throttling",
                                                           "OperationFailed.Throttling"};
  if (among(kThrottling, code)) return Means::throttled;
  if (about_this_row(code)) return Means::row;
  if (code == "InvalidSecurityToken.Expired") return Means::expired_key;
  if (about_the_key(code)) return Means::key;
  if (code == "InvalidTimeStamp.Expired" || code == "IllegalTimestamp") return Means::clock;
  const bool unpaid = code == "InsufficientBalance" || code == "NOT_ENOUGH_BALANCE" ||
                      !behind("PAY.", code).empty();
  return unpaid ? Means::payment : Means::nothing;
}

Verdict expected_of(const Answer& answer, bool first_sending) {
  if (answer.kind == AnswerKind::ordered) return {Fate::placed, Effect::go_on};
  if (answer.kind == AnswerKind::not_understood) return {};
  const bool alone = first_sending && !answer.surplus;
  const bool believed = alone && answer.http_status >= 400 && answer.http_status <= 499;
  const Fate not_executed = believed ? Fate::not_executed : Fate::in_doubt;
  switch (meaning_of(answer.code)) {
    case Means::throttled:
      return {answer.request_id.empty() ? Fate::in_doubt : not_executed, Effect::slow_down};
    case Means::row:
      return {believed ? Fate::rejected : Fate::in_doubt, Effect::go_on};
    case Means::expired_key:
      return {not_executed, Effect::renew_key};
    case Means::key:
      return {not_executed, Effect::stop_credentials};
    case Means::clock:
      return {not_executed, alone ? Effect::check_clock : Effect::go_on};
    case Means::payment:
      return {Fate::in_doubt, Effect::stop_payment};
    case Means::nothing:
      return {};
  }
  return {};
}

// ---- what the body holds, by another parser ----------------------------------------------------

/// The names that decide, in the outermost object.
struct Seen final : nlohmann::json_sax<nlohmann::json> {
  int depth = 0;
  int order_ids = 0;
  int codes = 0;
  bool bad = false;
  bool beyond = false;  // a number that this parser cannot hold: it is no witness
  std::string name, order_id, code;

  void value(std::string_view text) {
    if (depth != 1) return;
    if (name == "orderid") order_id = text;
    if (name == "code") code = text;
  }
  bool key(string_t& text) override {
    if (depth != 1) return true;
    name.clear();
    for (const char c : text) name += lower(c);
    order_ids += name == "orderid" ? 1 : 0;
    codes += name == "code" ? 1 : 0;
    return true;
  }
  bool null() override { return true; }
  bool boolean(bool /*unused*/) override { return true; }
  bool number_integer(number_integer_t number) override {
    value(std::to_string(number));
    return true;
  }
  bool number_unsigned(number_unsigned_t number) override {
    value(std::to_string(number));
    return true;
  }
  bool number_float(number_float_t /*unused*/, const string_t& text) override {
    value(text);
    return true;
  }
  bool string(string_t& text) override {
    value(text);
    return true;
  }
  bool binary(binary_t& /*unused*/) override { return true; }
  bool start_object(std::size_t /*unused*/) override { return ++depth > 0; }
  bool end_object() override { return --depth >= 0; }
  bool start_array(std::size_t /*unused*/) override { return ++depth > 0; }
  bool end_array() override { return --depth >= 0; }
  bool parse_error(std::size_t /*unused*/, const std::string& /*unused*/,
                   const nlohmann::detail::exception& error) override {
    beyond = error.id == 406;
    bad = !beyond;
    return false;
  }
};

bool mentions(std::string_view body, std::string_view name) {
  const auto same = [](char a, char b) { return lower(a) == b; };
  return std::search(body.begin(), body.end(), name.begin(), name.end(), same) != body.end();
}

void check_body(const Answer& answer, std::string_view body) {
  if (body.starts_with("\xEF\xBB\xBF")) body.remove_prefix(3);
  body = trimmed(body);
  require(mentions(body, answer.kind == AnswerKind::ordered ? "orderid" : "code") ||
              body.find('\\') != std::string_view::npos,
          "what is understood was there");
  if (!body.starts_with('{')) {
    require(body.starts_with('<'), "an answer is JSON or XML");
    return;
  }
  Seen seen;
  nlohmann::json::sax_parse(body.begin(), body.end(), &seen);
  if (seen.beyond) return;
  require(!seen.bad, "what is understood is JSON to the last byte");
  const bool ordered = answer.kind == AnswerKind::ordered;
  require(seen.order_ids == (ordered ? 1 : 0) && seen.codes == (ordered ? 0 : 1),
          "an answer has one OrderId and no Code, or one Code and no OrderId");
  require(ordered ? seen.order_id == answer.order_id : seen.code == answer.code,
          "the OrderId and the Code are those of the body");
}

// ---- the answer --------------------------------------------------------------------------------

void check_kind(const Answer& answer) {
  const bool ordered = answer.kind == AnswerKind::ordered;
  const bool error = answer.kind == AnswerKind::error;
  require(ordered != answer.order_id.empty(),
          "an OrderId goes with an order, and with nothing else");
  require(error != answer.code.empty(), "a Code goes with an error, and with nothing else");
  if (!ordered) return;
  require(answer.http_status >= 200 && answer.http_status <= 299, "an order is answered with 2xx");
  require(answer.order_id.size() <= 64 && is_digits(answer.order_id), "an OrderId is digits");
  require(answer.order_id.find_first_not_of('0') != std::string::npos, "an OrderId is not zero");
}

void check_shown(std::string_view shown, std::size_t most) {
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  require(std::ranges::none_of(shown, control), "nothing that is shown acts on a terminal");
  require(csv::utf8_prefix(shown) == shown.size(), "what is shown is UTF-8");
  require(shown.size() <= 9 * most + 16, "what is shown is clipped");
}

void check_hint(const RateHint& hint) {
  for (const auto& wait : {hint.retry_after, hint.time_left}) {
    require(!wait || (wait->count() >= 0 && *wait <= std::chrono::hours(1)), "a wait has an end");
  }
}

void check_fault(FaultKind kind, std::uint64_t accepted, bool first_sending) {
  const Verdict verdict = judge(Fault{kind, accepted, 0, {}}, first_sending);
  const bool untouched = accepted == 0 && first_sending;
  require(verdict.fate == (untouched ? Fate::not_executed : Fate::in_doubt),
          "a fault is certain only if no byte of a first sending was accepted");
}

AnswerReader& hiding_reader() {
  static AnswerReader reader = [] {
    AnswerReader made;
    made.hide({Secret(std::string(kSecret)), Secret(std::string(kToken)), Secret()});
    return made;
  }();
  return reader;
}

AnswerReader plain_reader;
Answer answer;
Answer answer_again;

}  // namespace
}  // namespace sagorder

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sagorder;
  Draw draw(data, size);
  Reply reply;
  reply.status = kStatuses[draw.byte() % kStatuses.size()];
  const unsigned flags = draw.byte();
  const bool first_sending = (flags & 1U) == 0;
  const bool hides = (flags & 4U) != 0;
  reply.surplus = (flags & 2U) != 0;
  const std::uint8_t fault = draw.byte();
  check_fault(static_cast<FaultKind>(fault % kFaultKinds), fault / kFaultKinds, first_sending);
  if ((flags & 8U) != 0) {
    reply.date = draw.short_text();
    reply.retry_after = draw.short_text();
    reply.rate_limit_user = draw.short_text();
    reply.rate_limit_user_api = draw.short_text();
  }
  reply.body = draw.rest();

  AnswerReader& reader = hides ? hiding_reader() : plain_reader;
  reader.read(reply, answer);
  require(answer.http_status == reply.status && answer.surplus == reply.surplus,
          "an answer keeps its status and its surplus");
  check_kind(answer);
  check_shown(answer.message, kMessageMax);
  check_shown(answer.body_head, kBodyHeadMax);
  check_hint(answer.hint);
  if (hides) {
    check_hidden(answer.message);
    check_hidden(answer.body_head);
  }
  require(judge(answer, first_sending) == expected_of(answer, first_sending),
          "the verdict is the list's, and doubt for what is not on it");
  if (answer.kind == AnswerKind::not_understood) return 0;
  check_body(answer, reply.body);
  reader.read(reply, answer_again);
  require(answer_again.kind == answer.kind && answer_again.order_id == answer.order_id &&
              answer_again.code == answer.code && answer_again.message == answer.message,
          "the same answer reads the same twice");
  return 0;
}
