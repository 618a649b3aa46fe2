#include "rules.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "http.hpp"
#include "regions.hpp"

namespace gateway {
namespace {

Refusal missing(std::string_view name) {
  return {400, "Missing" + std::string(name), std::string(name) + " is mandatory for this action."};
}

Refusal invalid(std::string_view name, std::string code = {}) {
  if (code.empty()) code = "Invalid" + std::string(name);
  return {400, code, "The specified parameter " + std::string(name) + " is not valid."};
}

// -?[0-9]+ within the type; no plus sign, no blank, no fraction.
template <typename Integer>
bool read_integer(std::string_view text, std::int64_t& out) {
  Integer number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  out = number;
  return error == std::errc() && end == text.data() + text.size();
}

bool is_period(std::int64_t months, RuleSet rule_set) {
  if (rule_set == RuleSet::page) return months >= 1 && (months <= 12 || months % 12 == 0);
  return (months >= 1 && months <= 9) || months == 12 || months == 24 || months == 36;
}

bool is_user_count(std::int64_t users, RuleSet rule_set) {
  if (rule_set == RuleSet::page) return users >= 1;
  return users >= 5 && users <= 1000 && users % 5 == 0;
}

// The region a vendor endpoint's name stands for; empty for any other host.
std::string_view region_of(std::string_view host) {
  host = host.substr(0, host.find(':'));
  constexpr std::string_view kTail = ".aliyuncs.com";
  if (!host.ends_with(kTail)) return {};
  host.remove_suffix(kTail.size());
  for (const std::string_view head : {"smartag-vpc.", "smartag."}) {
    if (host.starts_with(head)) return host.substr(head.size());
  }
  return {};
}

}  // namespace

std::optional<WallTime> parse_timestamp(std::string_view text) {
  constexpr std::string_view kShape = "dddd-dd-ddTdd:dd:ddZ";
  if (text.size() != kShape.size()) return std::nullopt;
  for (std::size_t i = 0; i < kShape.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kShape[i] == 'd' ? !digit : text[i] != kShape[i]) return std::nullopt;
  }
  const auto number = [&](std::size_t at, std::size_t count) {
    int value = 0;
    for (const char c : text.substr(at, count)) value = value * 10 + (c - '0');
    return value;
  };
  const std::chrono::year_month_day day{std::chrono::year(number(0, 4)),
                                        std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                        std::chrono::day(static_cast<unsigned>(number(8, 2)))};
  const int hours = number(11, 2), minutes = number(14, 2), seconds = number(17, 2);
  if (!day.ok() || hours > 23 || minutes > 59 || seconds > 59) return std::nullopt;
  return WallTime(std::chrono::sys_days(day)) + std::chrono::hours(hours) +
         std::chrono::minutes(minutes) + std::chrono::seconds(seconds);
}

NonceMemory::NonceMemory(std::chrono::seconds window) : window_(window), slots_(1024) {}

bool NonceMemory::seen(std::string_view access_key_id, std::string_view nonce, SteadyTime now) {
  scratch_.assign(access_key_id).push_back('\0');
  scratch_.append(nonce);
  const Sha256Bytes digest = sha256_(scratch_);
  std::uint64_t high;
  std::uint32_t low;
  std::memcpy(&high, digest.data(), sizeof high);
  std::memcpy(&low, digest.data() + sizeof high, sizeof low);

  if (!start_) start_ = now;
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(now - *start_);
  const auto second = static_cast<std::uint32_t>(age.count() + 1);
  if (used_ * 2 >= slots_.size()) grow(second);

  Slot& slot = place_of(high, low);
  const bool found = slot.second != 0 && !expired(slot, second);
  if (slot.second == 0) ++used_;
  slot = {high, low, second};
  return found;
}

bool NonceMemory::expired(const Slot& slot, std::uint32_t second) const {
  return slot.second + static_cast<std::uint64_t>(window_.count()) < second;
}

NonceMemory::Slot& NonceMemory::place_of(std::uint64_t high, std::uint32_t low) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = high & mask;
  while (slots_[at].second != 0 && (slots_[at].high != high || slots_[at].low != low))
    at = (at + 1) & mask;
  return slots_[at];
}

// Keeps the living only, and room for twice as many: memory follows the window's traffic.
void NonceMemory::grow(std::uint32_t second) {
  std::vector<Slot> old;
  old.swap(slots_);
  const auto living =
      static_cast<std::size_t>(std::count_if(old.begin(), old.end(), [&](const Slot& slot) {
        return slot.second != 0 && !expired(slot, second);
      }));
  std::size_t size = 1024;
  while (size < living * 4) size *= 2;
  slots_.assign(size, Slot{});
  used_ = living;
  for (const Slot& slot : old) {
    if (slot.second != 0 && !expired(slot, second)) place_of(slot.high, slot.low) = slot;
  }
}

bool Quota::admit(SteadyTime now) {
  if (admitted_.empty()) return true;
  if (full_ && now - admitted_[next_] < window_) return false;
  admitted_[next_] = now;
  if (++next_ == admitted_.size()) {
    next_ = 0;
    full_ = true;
  }
  return true;
}

std::chrono::nanoseconds Quota::wait(SteadyTime now) const {
  if (admitted_.empty() || !full_) return std::chrono::nanoseconds(0);
  return std::max(std::chrono::nanoseconds(0),
                  std::chrono::nanoseconds(admitted_[next_] + window_ - now));
}

std::optional<Refusal> read_order(const Parameters& parameters, std::string_view host,
                                  RuleSet rule_set, Order& order) {
  for (const std::string_view name :
       {"RegionId", "UserCount", "Period", "DataPlan", "ChargeType", "AutoPay"}) {
    if (parameters.value(name).empty()) return missing(name);
  }
  order.region_id = parameters.value("RegionId");
  order.charge_type = parameters.value("ChargeType");
  order.resource_group_id = parameters.value("ResourceGroupId");

  if (std::find(kRegions.begin(), kRegions.end(), order.region_id) == kRegions.end())
    return invalid("RegionId", "IllegalParam.RegionId");
  const std::string_view endpoint_region = region_of(host);
  if (!endpoint_region.empty() && endpoint_region != order.region_id) {
    return Refusal{404, "InvalidOperation.NotSupportedEndpoint",
                   "The specified endpoint cant operate this region."};
  }
  if (!read_integer<std::int32_t>(parameters.value("UserCount"), order.user_count))
    return invalid("UserCount");
  if (!is_user_count(order.user_count, rule_set))
    return invalid("UserCount", "SAG.InvalidUserCount");
  if (!read_integer<std::int32_t>(parameters.value("Period"), order.period) ||
      !is_period(order.period, rule_set))
    return invalid("Period");
  if (!read_integer<std::int64_t>(parameters.value("DataPlan"), order.data_plan))
    return invalid("DataPlan");
  if (order.data_plan != 5) return invalid("DataPlan", "SAG.InvalidDataPlan");
  if (!equal_ignoring_case(order.charge_type, "PREPAY")) return invalid("ChargeType");
  const std::string_view auto_pay = parameters.value("AutoPay");
  if (auto_pay != "true" && auto_pay != "false") return invalid("AutoPay");
  order.auto_pay = auto_pay == "true";
  return std::nullopt;
}

}  // namespace gateway
