#include "inquiries.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "document.hpp"
#include "executed_log.hpp"
#include "regions.hpp"

namespace gateway {
namespace {

// The vendor advises 20 a page for QueryOrders and names no most; the page of
// DescribeSmartAccessGateways says 10 and at most 50.
constexpr std::int64_t kOrdersPageDefault = 20;
constexpr std::int64_t kOrdersPageMax = 100;
constexpr std::int64_t kGatewaysPageDefault = 10;
constexpr std::int64_t kGatewaysPageMax = 50;
constexpr std::int64_t kPageNumberMax = 1'000'000;
constexpr auto kListedByDefault = std::chrono::hours(1);
// Not documented for this product: a model.
constexpr std::string_view kProductCode = "smartag";

using Orders = std::vector<const BookedOrder*>;

Refusal invalid(std::string_view name) {
  return {400, "InvalidParameter",
          "The specified parameter " + std::string(name) + " is not valid."};
}

struct Page {
  std::int64_t number = 1;
  std::int64_t size = 0;
};

bool read_number(const Parameters& parameters, std::string_view name, std::int64_t most,
                 std::int64_t& number) {
  const Parameter* given = parameters.find(name);
  if (!given) return true;
  const std::string_view text = given->value;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number >= 1 && number <= most;
}

bool read_time(const Parameters& parameters, std::string_view name, WallTime& time) {
  const Parameter* given = parameters.find(name);
  if (!given) return true;
  const auto parsed = parse_timestamp(given->value);
  if (parsed) time = *parsed;
  return parsed.has_value();
}

// True if the parameter is absent or says `value`.
bool asks_for(const Parameters& parameters, std::string_view name, std::string_view value) {
  const Parameter* given = parameters.find(name);
  return !given || given->value == value;
}

Orders page_of(const Orders& all, const Page& page, ListingFault fault) {
  const auto begin = std::min(all.size(), static_cast<std::size_t>((page.number - 1) * page.size));
  const auto end = std::min(all.size(), begin + static_cast<std::size_t>(page.size));
  Orders found(all.begin() + static_cast<std::ptrdiff_t>(begin),
               all.begin() + static_cast<std::ptrdiff_t>(end));
  if (fault == ListingFault::short_page && !found.empty()) found.pop_back();
  return found;
}

std::int64_t total_of(const Orders& all, ListingFault fault) {
  return static_cast<std::int64_t>(all.size()) + (fault == ListingFault::wrong_total ? 1 : 0);
}

// The billing API's times have no fraction.
std::string second_of(WallTime at) {
  std::string text;
  append_iso_time(at, text);
  return text.replace(19, 4, "");
}

std::int64_t milliseconds_of(WallTime at) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count();
}

// ---- the billing API -----------------------------------------------------------------------

void begin_billing(Document& document, std::string_view request_id) {
  document.text("Code", "Success");
  document.text("Message", "Successful!");
  document.text("RequestId", request_id);
  document.truth("Success", true);
  document.open("Data");
  document.text("HostName", "");
}

void add_page(Document& document, const Page& page, std::int64_t total) {
  document.number("PageNum", page.number);
  document.number("PageSize", page.size);
  document.number("TotalCount", total);
}

void add_order(Document& document, const BookedOrder& order) {
  document.text("OrderId", order.order_id);
  document.text("CreateTime", second_of(order.at));
  document.text("OrderType", "New");
  document.text("PaymentStatus", order.paid ? "Paid" : "Unpaid");
  if (order.paid) document.text("PaymentTime", second_of(order.at));
  document.text("ProductCode", kProductCode);
  document.text("ProductType", "");
  document.text("SubscriptionType", "Subscription");
  document.text("Currency", "CNY");
}

// The form is the documented one, the names within it are a model.
std::string config_of(const BookedOrder& order) {
  return "sag_software:[UserCount:" + std::to_string(order.user_count) +
         ";DataPlan:" + std::to_string(order.data_plan) +
         ";Period:" + std::to_string(order.period) + ";Region:" + order.region_id + ";]";
}

void add_detail(Document& document, const BookedOrder& order) {
  add_order(document, order);
  document.text("SubOrderId", order.order_id + "1");
  document.text("Region", order.region_id);
  document.text("Quantity", "1");
  document.text("Config", config_of(order));
  document.text("InstanceIDs", order.paid ? "[\"" + order.sag_id + "\"]" : "[]");
  if (!order.paid) return;
  document.text("UsageStartTime", second_of(order.at));
  document.text("UsageEndTime", second_of(end_of_subscription(order.at, order.period)));
}

std::optional<Refusal> list_orders(const Inquiry& inquiry, const Books& books, std::string& body) {
  const Parameters& given = inquiry.call.parameters;
  Page page{1, kOrdersPageDefault};
  WallTime begin = inquiry.now - kListedByDefault;
  WallTime end = inquiry.now;
  if (!read_number(given, "PageNum", kPageNumberMax, page.number)) return invalid("PageNum");
  if (!read_number(given, "PageSize", kOrdersPageMax, page.size)) return invalid("PageSize");
  if (!read_time(given, "CreateTimeStart", begin)) return invalid("CreateTimeStart");
  if (!read_time(given, "CreateTimeEnd", end)) return invalid("CreateTimeEnd");
  if (end < begin) return invalid("CreateTimeEnd");

  Orders found = books.shown(inquiry.now);
  const bool none = !asks_for(given, "OrderType", "New") ||
                    !asks_for(given, "ProductCode", kProductCode) ||
                    !asks_for(given, "SubscriptionType", "Subscription");
  std::erase_if(found, [&](const BookedOrder* order) {
    return none || order->at < begin || order->at > end ||
           !asks_for(given, "PaymentStatus", order->paid ? "Paid" : "Unpaid");
  });
  Document document(inquiry.call.format, "QueryOrdersResponse", body);
  begin_billing(document, inquiry.request_id);
  add_page(document, page, total_of(found, inquiry.fault));
  document.items("OrderList", "Order", page_of(found, page, inquiry.fault),
                 [&](const BookedOrder* order) { add_order(document, *order); });
  document.finish();
  return std::nullopt;
}

std::optional<Refusal> order_detail(const Inquiry& inquiry, const Books& books, std::string& body) {
  const std::string_view id = inquiry.call.parameters.value("OrderId");
  if (id.empty()) return Refusal{400, "MissingParameter", "OrderId is mandatory for this action."};
  Orders found = books.shown(inquiry.now);
  std::erase_if(found, [&](const BookedOrder* order) { return order->order_id != id; });
  Document document(inquiry.call.format, "GetOrderDetailResponse", body);
  begin_billing(document, inquiry.request_id);
  add_page(document, {1, kOrdersPageDefault}, total_of(found, ListingFault::none));
  document.items("OrderList", "Order", found,
                 [&](const BookedOrder* order) { add_detail(document, *order); });
  document.finish();
  return std::nullopt;
}

// ---- Smart Access Gateway ------------------------------------------------------------------

// Filters that nothing here could meet are refused, rather than taken for met.
constexpr std::array<std::string_view, 6> kFiltersUnknown = {
    "Name", "SerialNumber", "AclIds", "UnboundAclIds", "AssociatedCcnId", "HardwareType"};

void add_gateway(Document& document, const BookedOrder& order) {
  document.text("SmartAGId", order.sag_id);
  document.text("Name", "");
  document.text("Status", "Active");
  document.text("HardwareVersion", "sag-software");
  document.number("UserCount", order.user_count);
  document.number("DataPlan", order.data_plan);
  document.text("ResourceGroupId", order.resource_group_id);
  document.number("CreateTime", milliseconds_of(order.at));
  document.number("EndTime", milliseconds_of(end_of_subscription(order.at, order.period)));
}

std::optional<Refusal> list_gateways(const Inquiry& inquiry, const Books& books,
                                     std::string& body) {
  const Parameters& given = inquiry.call.parameters;
  Page page{1, kGatewaysPageDefault};
  if (!read_number(given, "PageNumber", kPageNumberMax, page.number)) return invalid("PageNumber");
  if (!read_number(given, "PageSize", kGatewaysPageMax, page.size)) return invalid("PageSize");
  for (const std::string_view name : kFiltersUnknown) {
    if (given.find(name)) return invalid(name);
  }
  Orders found = books.shown(inquiry.now);
  const bool none =
      !asks_for(given, "InstanceType", "software") || !asks_for(given, "Status", "Active");
  std::erase_if(found, [&](const BookedOrder* order) {
    return none || !order->paid || !asks_for(given, "RegionId", order->region_id) ||
           !asks_for(given, "SmartAGId", order->sag_id) ||
           !asks_for(given, "ResourceGroupId", order->resource_group_id);
  });
  Document document(inquiry.call.format, "DescribeSmartAccessGatewaysResponse", body);
  document.text("RequestId", inquiry.request_id);
  document.number("TotalCount", total_of(found, inquiry.fault));
  document.number("PageNumber", page.number);
  document.number("PageSize", page.size);
  document.items("SmartAccessGateways", "SmartAccessGateway", page_of(found, page, inquiry.fault),
                 [&](const BookedOrder* order) { add_gateway(document, *order); });
  document.finish();
  return std::nullopt;
}

std::optional<Refusal> use_limit(const Inquiry& inquiry, const Books& books, std::string& body) {
  const std::string_view region = inquiry.call.parameters.value("RegionId");
  if (region.empty()) return Refusal{400, "MissingRegionId", "RegionId is mandatory."};
  if (std::find(kRegions.begin(), kRegions.end(), region) == kRegions.end())
    return Refusal{404, "InvalidRegionId.NotFound", "The specified RegionId does not exist."};
  const Orders all = books.shown(inquiry.now);
  Document document(inquiry.call.format, "GetSmartAccessGatewayUseLimitResponse", body);
  document.text("RequestId", inquiry.request_id);
  document.number("TotalAmount", inquiry.use_limit);
  document.number("UsedAmount", std::count_if(all.begin(), all.end(), [](const BookedOrder* order) {
                    return order->paid;
                  }));
  document.finish();
  return std::nullopt;
}

}  // namespace

std::optional<Refusal> answer_inquiry(const Inquiry& inquiry, const Books& books,
                                      std::string& body) {
  if (books.full())
    return Refusal{503, "ServiceUnavailable", "This gateway executed more than it keeps."};
  switch (inquiry.call.operation) {
    case Operation::list_orders:
      return list_orders(inquiry, books, body);
    case Operation::order_detail:
      return order_detail(inquiry, books, body);
    case Operation::list_gateways:
      return list_gateways(inquiry, books, body);
    case Operation::use_limit:
      return use_limit(inquiry, books, body);
    case Operation::create_software:
    case Operation::assume_role:
    case Operation::assume_role_with_oidc:
      break;
  }
  return Refusal{500, "InternalError", "This is no inquiry."};
}

}  // namespace gateway
