// Read-only calls -> the bytes on the wire. They spend nothing, so they may be sent again at will,
// each time with a new stamp.
//
//   QueryOrders, GetOrderDetail                  the billing API, 2017-12-14
//   DescribeSmartAccessGateways,
//   GetSmartAccessGatewayUseLimit                Smart Access Gateway, 2018-03-13
//   AssumeRole                                   STS, 2015-04-01: a key for a while
//
// Source: the vendor's pages of these operations and the models of its SDKs. Requests have the two
// forms that orders have (request.hpp), signed the same way.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/key_source.hpp"
#include "engine/moment.hpp"
#include "engine/order.hpp"
#include "engine/request.hpp"
#include "engine/signing.hpp"

namespace sagorder {

inline constexpr std::string_view kBillingVersion = "2017-12-14";
inline constexpr std::string_view kStsVersion = "2015-04-01";
/// The billing API's page advises 20 at most; DescribeSmartAccessGateways gives 50 at most.
inline constexpr std::uint32_t kOrdersPageSize = 20;
inline constexpr std::uint32_t kGatewaysPageSize = 50;

struct Query {
  std::string_view action;
  std::string_view version;
  std::vector<std::pair<std::string, std::string>> parameters;  ///< of its own, sorted by name
};

/// Orders of every type and product, created from `begin` to `end`; whole seconds, both ends
/// widened to them. @param page from 1
Query orders_query(WallTime begin, WallTime end, std::uint32_t page);
Query order_detail_query(std::string_view order_id);
/// Instances of the software kind.
Query gateways_query(std::string_view region_id, std::uint32_t page);
Query use_limit_query(std::string_view region_id);
Query assume_role_query(const RoleTerms& role);

/// Where the billing API answers: the vendor's Chinese site. Accounts of its international site
/// have business.ap-southeast-1.aliyuncs.com.
Endpoint default_billing_endpoint();

class QueryWriter {
 public:
  /// Throws std::invalid_argument as RequestWriter does.
  QueryWriter(Scheme scheme, Method method, const AccessKey& key);
  ~QueryWriter();
  QueryWriter(QueryWriter&&) noexcept;
  QueryWriter& operator=(QueryWriter&&) noexcept;

  /// Fills `out.bytes` with a whole HTTP/1.1 request. @param host as `host_header` makes it
  void write(const Query& query, std::string_view host, const Stamp& stamp, WireBuffer& out) const;

  /// What no answer's evidence may show.
  [[nodiscard]] std::vector<Secret> secrets() const;

 private:
  struct Prepared;
  std::unique_ptr<const Prepared> prepared_;
};

}  // namespace sagorder
