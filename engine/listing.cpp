#include "engine/listing.hpp"

#include <simdjson.h>

#include <algorithm>
#include <chrono>

#include "engine/ascii.hpp"
#include "engine/timestamp.hpp"

namespace sagorder {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::size_t kIdMax = 64;         // bytes of an identifier
constexpr std::size_t kConfigMax = 4096;   // bytes of a Config
constexpr std::size_t kInstancesMax = 16;  // of one order
constexpr std::uint32_t kMonthsMax = 120;
constexpr auto kEndTolerance = std::chrono::days(3);
constexpr std::string_view kBom = "\xEF\xBB\xBF";

bool is_id(std::string_view text) {
  const auto allowed = [](char c) {
    return is_letter(c) || is_digit(c) || c == '-' || c == '_' || c == '.';
  };
  return !text.empty() && text.size() <= kIdMax && std::ranges::all_of(text, allowed);
}

bool is_order_id(std::string_view text) {
  return !text.empty() && text.size() <= kIdMax && std::ranges::all_of(text, is_digit);
}

/// A member's text; empty if it is absent or null.
std::optional<std::string_view> text_of(const object& in, const char* name) {
  const auto member = in.at_key(name);
  if (member.error() == simdjson::NO_SUCH_FIELD || member.is_null()) return std::string_view();
  std::string_view text;
  if (member.get_string().get(text)) return std::nullopt;
  return text;
}

/// Of an identifier that decides nothing by itself: what is none is left out.
std::string id_of(const object& in, const char* name) {
  const auto text = text_of(in, name);
  return text && is_id(*text) ? std::string(*text) : std::string();
}

/// An OrderId, text or number.
std::string order_id_of(const object& in) {
  const auto member = in.at_key("OrderId");
  std::uint64_t number = 0;
  if (!member.get_uint64().get(number)) return number == 0 ? "" : std::to_string(number);
  const auto text = text_of(in, "OrderId");
  return text && is_order_id(*text) ? std::string(*text) : std::string();
}

std::optional<std::uint64_t> number_of(const object& in, const char* name) {
  std::uint64_t number = 0;
  if (in.at_key(name).get_uint64().get(number)) return std::nullopt;
  return number;
}

/// Milliseconds since 1970, up to the year 9999.
std::optional<WallTime> moment_of(const object& in, const char* name) {
  constexpr std::uint64_t kLast = 253'402'300'799'999;
  const auto number = number_of(in, name);
  if (!number || *number == 0 || *number > kLast) return std::nullopt;
  return WallTime(milliseconds(static_cast<std::int64_t>(*number)));
}

std::optional<Paging> paging_of(const object& in, const char* page_name) {
  const auto total = number_of(in, "TotalCount");
  const auto page = number_of(in, page_name);
  const auto size = number_of(in, "PageSize");
  if (!total || !page || !size) return std::nullopt;
  return Paging{*total, *page, *size};
}

/// The array `item` in the object `list`; an absent or null one is empty.
bool items_of(const object& in, const char* list, const char* item, std::vector<object>& items) {
  items.clear();
  const auto outer = in.at_key(list);
  if (outer.error() == simdjson::NO_SUCH_FIELD || outer.is_null()) return true;
  object holder;
  array elements;
  if (outer.get_object().get(holder) || holder.at_key(item).get_array().get(elements)) return false;
  for (const element each : elements) {
    object found;
    if (items.size() == kListedPerPageMax || each.get_object().get(found)) return false;
    items.push_back(found);
  }
  return true;
}

/// The billing API says `Success` with 200, and may say an error with it too.
bool billing_data(const object& root, object& data) {
  const auto code = text_of(root, "Code");
  bool success = true;
  const auto told = root.at_key("Success");
  if (told.error() != simdjson::NO_SUCH_FIELD && told.get_bool().get(success)) return false;
  return code && (code->empty() || *code == "Success") && success &&
         !root.at_key("Data").get_object().get(data);
}

bool order_of(const object& in, ListedOrder& order) {
  order.order_id = order_id_of(in);
  const auto created = text_of(in, "CreateTime");
  const auto at = created ? parse_timestamp(*created) : std::nullopt;
  const auto type = text_of(in, "OrderType");
  const auto payment = text_of(in, "PaymentStatus");
  if (order.order_id.empty() || !at || !type || !payment) return false;
  order.created_at = *at;
  order.is_new = *type == "New";
  order.is_paid = *payment == "Paid";
  order.product_code = id_of(in, "ProductCode");
  return true;
}

}  // namespace

struct ListingReader::State {
  simdjson::dom::parser parser;

  /// simdjson checks the whole text.
  std::optional<object> root(std::string_view body) {
    if (body.starts_with(kBom)) body.remove_prefix(kBom.size());
    object found;
    if (parser.parse(body.data(), body.size(), true).get_object().get(found)) return std::nullopt;
    return found;
  }

  /// A JSON array in a text: `["sag-1"]`. Nothing, `null` and `[]` are none.
  static bool instances_of(std::string_view text, std::vector<std::string>& ids) {
    ids.clear();
    text = trimmed(text);
    if (text.empty() || text == "null") return true;
    simdjson::dom::parser inner;
    array elements;
    if (inner.parse(text.data(), text.size(), true).get_array().get(elements)) return false;
    for (const element each : elements) {
      std::string_view id;
      if (each.get_string().get(id) || !is_id(id) || ids.size() == kInstancesMax) return false;
      ids.emplace_back(id);
    }
    return true;
  }
};

Gathering::Step Gathering::take(const Paging& paging, const std::vector<std::string>& ids) {
  if (pages_ == 0) total_ = paging.total;
  ++pages_;
  const std::uint64_t before = ids_.size();
  const std::uint64_t due = std::min<std::uint64_t>(page_size_, total_ - before);
  if (paging.total != total_ || paging.page != pages_ || paging.page_size != page_size_ ||
      ids.size() != due) {
    return Step::changed;
  }
  ids_.insert(ids.begin(), ids.end());
  if (ids_.size() != before + due) return Step::changed;
  return ids_.size() == total_ ? Step::whole : Step::more;
}

ListingReader::ListingReader() : state_(std::make_unique<State>()) {}
ListingReader::~ListingReader() = default;

std::optional<OrdersPage> ListingReader::orders(std::string_view body) {
  const auto root = state_->root(body);
  object data;
  std::vector<object> items;
  if (!root || !billing_data(*root, data)) return std::nullopt;
  const auto paging = paging_of(data, "PageNum");
  if (!paging || !items_of(data, "OrderList", "Order", items)) return std::nullopt;
  OrdersPage page{*paging, std::vector<ListedOrder>(items.size())};
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!order_of(items[i], page.orders[i])) return std::nullopt;
  }
  return page;
}

std::optional<OrderDetail> ListingReader::detail(std::string_view body) {
  const auto root = state_->root(body);
  object data;
  std::vector<object> items;
  if (!root || !billing_data(*root, data)) return std::nullopt;
  if (!items_of(data, "OrderList", "Order", items) || items.size() != 1) return std::nullopt;
  OrderDetail detail;
  detail.order_id = order_id_of(items[0]);
  detail.region = id_of(items[0], "Region");
  const auto config = text_of(items[0], "Config");
  const auto instances = text_of(items[0], "InstanceIDs");
  if (detail.order_id.empty() || !instances ||
      !State::instances_of(*instances, detail.instance_ids)) {
    return std::nullopt;
  }
  if (config && config->size() <= kConfigMax) detail.config = *config;
  return detail;
}

std::optional<GatewaysPage> ListingReader::gateways(std::string_view body) {
  const auto root = state_->root(body);
  std::vector<object> items;
  if (!root || root->at_key("Code").error() != simdjson::NO_SUCH_FIELD) return std::nullopt;
  const auto paging = paging_of(*root, "PageNumber");
  if (!paging || !items_of(*root, "SmartAccessGateways", "SmartAccessGateway", items)) {
    return std::nullopt;
  }
  GatewaysPage page{*paging, {}};
  for (const object& item : items) {
    const auto created = moment_of(item, "CreateTime");
    ListedGateway gateway{id_of(item, "SmartAGId"), number_of(item, "UserCount"),
                          number_of(item, "DataPlan"), created.value_or(WallTime()),
                          moment_of(item, "EndTime")};
    if (gateway.sag_id.empty() || !created) return std::nullopt;
    page.gateways.push_back(std::move(gateway));
  }
  return page;
}

std::optional<UseLimit> ListingReader::use_limit(std::string_view body) {
  const auto root = state_->root(body);
  if (!root || root->at_key("Code").error() != simdjson::NO_SUCH_FIELD) return std::nullopt;
  const auto total = number_of(*root, "TotalAmount");
  const auto used = number_of(*root, "UsedAmount");
  if (!total || !used) return std::nullopt;
  return UseLimit{*total, *used};
}

std::optional<std::string_view> config_value(std::string_view config, std::string_view name) {
  constexpr std::string_view kBounds = "[];";
  std::optional<std::string_view> value;
  while (!config.empty()) {
    const std::string_view item = config.substr(0, config.find_first_of(kBounds));
    config.remove_prefix(std::min(item.size() + 1, config.size()));
    const std::size_t colon = item.find(':');
    if (colon == std::string_view::npos || !equal_ignoring_case(item.substr(0, colon), name)) {
      continue;
    }
    if (value) return std::nullopt;
    value = item.substr(colon + 1);
  }
  return value;
}

std::optional<std::uint32_t> months_between(WallTime begin, WallTime end) {
  using namespace std::chrono;
  const auto day_of_begin = floor<days>(begin);
  const year_month_day first(day_of_begin);
  for (std::uint32_t count = 1; count <= kMonthsMax; ++count) {
    const year_month month = first.year() / first.month() + months(static_cast<int>(count));
    const day last = year_month_day_last(month.year(), month_day_last(month.month())).day();
    const WallTime later = sys_days(month / std::min(first.day(), last)) + (begin - day_of_begin);
    if (end < later - kEndTolerance) return std::nullopt;
    if (end <= later + kEndTolerance) return count;
  }
  return std::nullopt;
}

}  // namespace sagorder
