// Answers of the read-only calls to values. JSON by simdjson; what is not of the documented shape,
// or has an identifier that could be none, is not understood: nothing is concluded from it.
//
// Every text that comes out is of a closed set of characters (digits, letters, '-', '_', '.') and
// of bounded length, but for `config`, which is for `config_value` alone and never shown.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "engine/moment.hpp"

namespace sagorder {

inline constexpr std::size_t kListedPerPageMax = 1000;  ///< entries; more are not understood

/// Where in a listing a page stands.
struct Paging {
  std::uint64_t total = 0;
  std::uint64_t page = 0;
  std::uint64_t page_size = 0;
};

/// One of QueryOrders.
struct ListedOrder {
  std::string order_id;
  WallTime created_at;  ///< whole seconds
  bool is_new = false;  ///< OrderType New: not a renewal, an upgrade, a refund
  bool is_paid = false;
  std::string product_code;  ///< empty: not told
};

struct OrdersPage {
  Paging paging;
  std::vector<ListedOrder> orders;
};

/// What GetOrderDetail adds. The page has no word on what Region and Config hold for this product.
struct OrderDetail {
  std::string order_id;
  std::string region;  ///< empty: not told
  std::string config;
  std::vector<std::string> instance_ids;
};

/// One of DescribeSmartAccessGateways.
struct ListedGateway {
  std::string sag_id;
  std::optional<std::uint64_t> user_count;
  std::optional<std::uint64_t> data_plan;
  WallTime created_at;
  std::optional<WallTime> end_at;
};

struct GatewaysPage {
  Paging paging;
  std::vector<ListedGateway> gateways;
};

struct UseLimit {
  std::uint64_t total = 0;
  std::uint64_t used = 0;
};

/// Puts a listing together out of its pages, and sees when it changed meanwhile: then what was
/// gathered is worth nothing, and the listing is to be asked for anew.
class Gathering {
 public:
  explicit Gathering(std::uint32_t page_size) : page_size_(page_size) {}

  enum class Step : std::uint8_t {
    more,     ///< ask for `next_page`
    whole,    ///< every entry is there, each once
    changed,  ///< the total, a page's length or an entry tells of a change (or of a wrong answer)
  };
  /// @param ids of the page's entries, whose page was asked for
  Step take(const Paging& paging, const std::vector<std::string>& ids);
  [[nodiscard]] std::uint32_t next_page() const { return pages_ + 1; }
  [[nodiscard]] std::uint64_t total() const { return total_; }

 private:
  std::uint32_t page_size_;
  std::uint32_t pages_ = 0;
  std::uint64_t total_ = 0;
  std::unordered_set<std::string> ids_;
};

/// Owns the parser's buffers; one for each thread. nullopt: not understood.
class ListingReader {
 public:
  ListingReader();
  ~ListingReader();
  std::optional<OrdersPage> orders(std::string_view body);
  /// An order that the listing has; several sub-orders are not understood.
  std::optional<OrderDetail> detail(std::string_view body);
  std::optional<GatewaysPage> gateways(std::string_view body);
  std::optional<UseLimit> use_limit(std::string_view body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The value behind `name:` in a Config of the form `module:[name:value;...]`, if that name occurs
/// once, in any module. Names are compared without regard to case.
std::optional<std::string_view> config_value(std::string_view config, std::string_view name);

/// Months from `begin` to `end`, if `end` is near (3 days) a whole number of them, 1 to 120, later:
/// a subscription ends at a midnight after its last day.
std::optional<std::uint32_t> months_between(WallTime begin, WallTime end);

}  // namespace sagorder
