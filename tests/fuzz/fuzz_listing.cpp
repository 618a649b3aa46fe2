// engine/listing: nothing is understood but JSON, and no text comes out that a terminal, a query or
// a results file would take for more than an identifier.
//
// Input: the body of an answer.
#include <nlohmann/json.hpp>
#include <string>

#include "engine/ascii.hpp"
#include "engine/listing.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace sagorder {
namespace {

using fuzz::require;

void require_id(std::string_view text) {
  require(text.size() <= 64, "an identifier of no great length");
  for (const char c : text) {
    require(is_letter(c) || is_digit(c) || c == '-' || c == '_' || c == '.',
            "an identifier of letters and digits");
  }
}

void require_order_id(std::string_view text) {
  require_id(text);
  require(!text.empty() && is_digits(text), "an OrderId of digits");
}

void read_all(std::string_view body) {
  static ListingReader reader;
  const bool is_json = nlohmann::json::accept(body);
  if (const auto page = reader.orders(body)) {
    require(is_json, "a listing of orders that is JSON");
    require(page->orders.size() <= kListedPerPageMax, "a page of bounded length");
    for (const ListedOrder& order : page->orders) {
      require_order_id(order.order_id);
      require_id(order.product_code);
    }
  }
  if (const auto detail = reader.detail(body)) {
    require(is_json, "a detail that is JSON");
    require_order_id(detail->order_id);
    require_id(detail->region);
    for (const std::string& id : detail->instance_ids) require_id(id);
    const auto users = config_value(detail->config, "UserCount");
    require(!users || detail->config.find(*users) != std::string::npos, "a value that was there");
  }
  if (const auto page = reader.gateways(body)) {
    require(is_json, "a listing of instances that is JSON");
    require(page->gateways.size() <= kListedPerPageMax, "a page of bounded length");
    for (const ListedGateway& gateway : page->gateways) {
      require_id(gateway.sag_id);
      require(!gateway.sag_id.empty(), "an instance with a name");
      if (gateway.end_at) months_between(gateway.created_at, *gateway.end_at);
    }
  }
  require(!reader.use_limit(body) || is_json, "a quota that is JSON");
}

}  // namespace
}  // namespace sagorder

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sagorder::read_all({reinterpret_cast<const char*>(data), size});
  return 0;
}
