#include "engine/response.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <utility>

#include "engine/ascii.hpp"
#include "engine/evidence.hpp"
#include "engine/fields.hpp"
#include "engine/json.hpp"
#include "engine/planted.hpp"
#include "engine/xml.hpp"

namespace sagorder {
namespace {

constexpr std::size_t kOrderIdMax = 64;      // digits
constexpr std::size_t kIdMax = 128;          // bytes of a RequestId or SmartAGId
constexpr milliseconds kWaitMax{3'600'000};  // a longer hint is taken for this one
constexpr std::string_view kBom = "\xEF\xBB\xBF";

constexpr std::array<std::string_view, 2> kXmlPlaced = {"CreateSmartAccessGatewaySoftware",
                                                        "CreateSmartAccessGatewaySoftwareResponse"};
constexpr std::string_view kXmlError = "Error";

// ---- fields --------------------------------------------------------------------------------

bool is_order_id(const Field& field) {
  const std::string_view text = field.text;
  if (text.empty() || text.size() > kOrderIdMax || !is_digits(text)) return false;
  if (text.find_first_not_of('0') == std::string_view::npos) return false;
  if (planted(Planted::number_is_no_order_id) && field.type == FieldType::number) return false;
  return field.type == FieldType::text || (field.type == FieldType::number && text[0] != '0');
}

constexpr ByteSet kCodeBytes([](char c) {
  return is_letter(c) || is_digit(c) || c == '.' || c == '_' || c == '-';
});

bool is_code(const Field& field) {
  return field.type == FieldType::text && !field.text.empty() && field.text.size() <= kCodeMax &&
         kCodeBytes.holds_all(field.text);
}

// Visible ones.
constexpr ByteSet kIdBytes([](char c) { return c > ' ' && c < 0x7F; });

// An identifier worth keeping: what is none is left out, for it decides nothing by itself.
std::string_view id_of(const Field& field) {
  const bool fine = field.type == FieldType::text && field.text.size() <= kIdMax &&
                    kIdBytes.holds_all(field.text);
  return fine ? field.text : std::string_view();
}

// ---- headers -------------------------------------------------------------------------------

// Digits, saturated; anything else is no number.
std::optional<std::uint64_t> number_of(std::string_view text) {
  text = trimmed(text);
  if (text.empty() || !is_digits(text)) return std::nullopt;
  std::uint64_t number = UINT64_MAX;
  std::from_chars(text.data(), text.data() + text.size(), number);  // too large: left as it was
  return number;
}

std::optional<milliseconds> wait_of(std::optional<std::uint64_t> number) {
  if (!number) return std::nullopt;
  const auto most = static_cast<std::uint64_t>(kWaitMax.count());
  return milliseconds(static_cast<std::int64_t>(std::min(*number, most)));
}

// `Limit:1,Remain:0,TimeLeft:2000,Reset:1234`; any order, unknown names ignored. Malformed: none.
RateHint quota_of(std::string_view header) {
  RateHint hint;
  while (!header.empty()) {
    const std::string_view item = header.substr(0, header.find(','));
    header.remove_prefix(std::min(item.size() + 1, header.size()));
    const std::size_t colon = item.find(':');
    if (colon == std::string_view::npos) return {};
    const std::string_view name = trimmed(item.substr(0, colon));
    const auto number = number_of(item.substr(colon + 1));
    if (!number) return {};
    if (equal_ignoring_case(name, "Limit")) hint.limit = number;
    if (equal_ignoring_case(name, "Remain")) hint.remain = number;
    if (equal_ignoring_case(name, "TimeLeft")) hint.time_left = wait_of(number);
  }
  return hint;
}

// Fewer remaining is stricter; among equals the longer wait.
bool stricter(const RateHint& a, const RateHint& b) {
  if (a.remain != b.remain) {
    return a.remain.value_or(UINT64_MAX) < b.remain.value_or(UINT64_MAX);
  }
  return a.time_left.value_or(milliseconds{0}) > b.time_left.value_or(milliseconds{0});
}

RateHint hint_of(const Reply& reply) {
  const RateHint user = quota_of(reply.rate_limit_user);
  RateHint hint = quota_of(reply.rate_limit_user_api);
  if (stricter(user, hint)) hint = user;
  hint.retry_after = wait_of(number_of(reply.retry_after));
  return hint;
}

// IMF-fixdate of RFC 9110: `Sun, 06 Nov 1994 08:49:37 GMT`.
std::optional<WallTime> date_of(std::string_view text) {
  using namespace std::chrono;
  constexpr std::string_view kShape = "Www, 00 Mmm 0000 00:00:00 GMT";
  constexpr std::string_view kDays = "SunMonTueWedThuFriSat";
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  text = trimmed(text);
  if (text.size() != kShape.size()) return std::nullopt;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool letter = i < 3 || (i >= 8 && i < 11);
    if (kShape[i] == '0' ? !is_digit(text[i]) : !letter && text[i] != kShape[i]) {
      return std::nullopt;
    }
  }
  const auto number = [&](std::size_t at, std::size_t digits) {
    int value = 0;
    std::from_chars(text.data() + at, text.data() + at + digits, value);
    return value;
  };
  const std::size_t day_name = kDays.find(text.substr(0, 3));
  const std::size_t month_name = kMonths.find(text.substr(8, 3));
  if (day_name == std::string_view::npos || day_name % 3 != 0) return std::nullopt;
  if (month_name == std::string_view::npos || month_name % 3 != 0) return std::nullopt;
  const year_month_day date{year{number(12, 4)}, month{static_cast<unsigned>(month_name / 3 + 1)},
                            day{static_cast<unsigned>(number(5, 2))}};
  const int hour = number(17, 2);
  const int minute = number(20, 2);
  const int second = number(23, 2);  // 60: a leap second
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  if (weekday{sys_days{date}}.c_encoding() != day_name / 3) return std::nullopt;
  return sys_days{date} + hours{hour} + minutes{minute} + seconds{second};
}

// ---- the answer ----------------------------------------------------------------------------

// The name of an order's number anywhere, even nested or in a text: an error with it is no plain
// refusal.
bool mentions_order_id(std::string_view body) {
  constexpr std::string_view kName = "orderid";
  const auto same = [](char a, char b) { return lower(a) == b; };
  return std::search(body.begin(), body.end(), kName.begin(), kName.end(), same) != body.end();
}

AnswerKind kind_of(int status, bool may_place, bool may_refuse, const Fields& fields) {
  const bool has_order_id = fields.order_id.type != FieldType::absent;
  const bool has_code = fields.code.type != FieldType::absent;
  const bool success = status >= 200 && status <= 299;
  if (has_order_id && !has_code && success && may_place && is_order_id(fields.order_id)) {
    return AnswerKind::ordered;
  }
  if (has_code && !has_order_id && may_refuse && is_code(fields.code)) return AnswerKind::error;
  return AnswerKind::not_understood;
}

void clear(Answer& answer) {
  for (std::string* text : {&answer.order_id, &answer.sag_id, &answer.request_id, &answer.code,
                            &answer.message, &answer.body_head}) {
    text->clear();
  }
}

}  // namespace

struct AnswerReader::State {
  JsonReader json;
  XmlReader xml;
  HiddenValues hidden;
  std::string shown;      // a text without them
  std::string date_text;  // the last `Date`, which is another once a second
  std::optional<WallTime> date;

  std::optional<WallTime> date_told(std::string_view text) {
    if (text != date_text) {
      date_text = text;
      date = date_of(text);
    }
    return date;
  }

  // For people: without what is hidden, and only then clipped.
  void append_shown(std::string& out, std::string_view text, std::size_t most,
                    std::string_view control) {
    if (text.empty()) return;
    shown.clear();
    if (planted(Planted::clipped_before_hidden)) text = text.substr(0, most);
    hidden.append(shown, text, most);
    append_printable(out, shown, most, control);
    redact(out);
  }

  // An identifier or a code, in which nothing is hidden as a rule.
  void assign_shown(std::string& out, std::string_view text) const {
    out.clear();
    hidden.append(out, text, text.size());
  }

  // What the body says about the order, if it is well-formed.
  struct Understood {
    bool may_place = true;  // XML: the root's name says which it is
    bool may_refuse = true;
    Fields fields;
  };

  bool understand(std::string_view body, Understood& out) {
    if (body.starts_with(kBom)) body.remove_prefix(kBom.size());
    body = trimmed(body);
    if (body.starts_with('{')) return json.read(body, out.fields);
    if (!body.starts_with('<')) return false;
    const std::string_view root = xml.read(body, out.fields);
    out.may_place = std::ranges::find(kXmlPlaced, root) != kXmlPlaced.end();
    out.may_refuse = root == kXmlError;
    return out.may_place || out.may_refuse;
  }
};

AnswerReader::AnswerReader() : state_(std::make_unique<State>()) {}
AnswerReader::~AnswerReader() = default;
AnswerReader::AnswerReader(AnswerReader&&) noexcept = default;
AnswerReader& AnswerReader::operator=(AnswerReader&&) noexcept = default;

void AnswerReader::hide(std::vector<Secret> values) {
  state_->hidden = HiddenValues(std::move(values));
}

void AnswerReader::read(const Reply& reply, Answer& answer) {
  clear(answer);
  answer.http_status = reply.status;
  answer.surplus = reply.surplus;
  answer.kind = AnswerKind::not_understood;
  answer.hint = hint_of(reply);
  answer.server_at = state_->date_told(reply.date);

  State::Understood understood;
  const Fields& fields = understood.fields;
  const bool real_status = reply.status >= 100 && reply.status <= 599;
  if (real_status && state_->understand(reply.body, understood)) {
    answer.kind = kind_of(reply.status, understood.may_place, understood.may_refuse, fields);
    state_->assign_shown(answer.request_id, id_of(fields.request_id));
    state_->assign_shown(answer.sag_id, id_of(fields.sag_id));
    state_->append_shown(answer.message, fields.message.text, kMessageMax, " ");
  }
  if (answer.kind == AnswerKind::error && mentions_order_id(reply.body)) {
    answer.kind = AnswerKind::not_understood;
  }
  if (answer.kind == AnswerKind::ordered) answer.order_id = fields.order_id.text;
  // A secret in it makes it a code that nobody knows.
  if (answer.kind == AnswerKind::error) state_->assign_shown(answer.code, fields.code.text);
  if (answer.kind != AnswerKind::ordered) {
    state_->append_shown(answer.body_head, reply.body, kBodyHeadMax, ".");
  }
}

}  // namespace sagorder
