// What the account's listings say, less what the ledger explains: the orders and instances that a
// row in doubt may have made. Values in, values out; nothing is asked here.
//
// Words. An order is *explained* if the ledger has its OrderId on a row that is placed. An order's
// *terms* are its region, seats, data plan and period; a term that cannot be known for certain is
// absent, and then the order may be anybody's. Terms come
//
//   of a paid order    from its instance (DescribeSmartAccessGateways, a documented shape), unless
//                      another order (a renewal, an upgrade) has touched that instance since;
//   of an unpaid one   from GetOrderDetail's Region and Config, whose words for this product are
//                      documented nowhere: they are believed only if they say of explained orders
//                      exactly what the ledger ordered (*calibration*).
//
// An order of another product is left out: one whose ProductCode is not that of the explained
// orders, or whose instances are no `sag-`.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/listing.hpp"
#include "engine/moment.hpp"

namespace sagorder {

/// What an order is of, as far as it is known.
struct Terms {
  std::optional<std::string> region_id;
  std::optional<std::uint64_t> user_count;
  std::optional<std::uint64_t> data_plan;
  std::optional<std::uint32_t> period;  ///< months
  bool operator==(const Terms&) const = default;
};

/// An order of the ledger's.
struct Explained {
  std::string sag_id;          ///< empty: the ledger does not know it
  std::optional<Terms> terms;  ///< whole; given for those that calibrate
  bool ours = true;            ///< false: another ledger explains it
};

/// An order that the ledger does not explain.
struct LooseOrder {
  std::string order_id;
  WallTime created_at;
  bool is_paid = false;
  std::string sag_id;  ///< empty: none, or not told
  Terms terms;
};

/// An instance that neither the ledger nor a listed order explains.
struct LooseGateway {
  std::string sag_id;
  WallTime created_at;
  Terms terms;
};

/// Everything that was listed. Each list whole.
struct Listed {
  std::vector<ListedOrder> orders;
  std::map<std::string, OrderDetail, std::less<>> details;                 ///< by OrderId
  std::map<std::string, std::vector<ListedGateway>, std::less<>> regions;  ///< by RegionId
};

using ExplainedOrders = std::map<std::string, Explained, std::less<>>;  ///< by OrderId

struct Survey {
  std::vector<LooseOrder> orders;
  std::vector<LooseGateway> gateways;
  std::uint64_t explained = 0;  ///< listed orders that this ledger explains
  bool config_believed = false;
};

/// The OrderIds whose details a survey needs: what is not explained and may be of this product,
/// explained orders whose instance is not known, and up to kCalibratingMax that calibrate.
inline constexpr std::size_t kCalibratingMax = 8;
std::vector<std::string> details_needed(const std::vector<ListedOrder>& orders,
                                        const ExplainedOrders& explained);

Survey survey(const Listed& listed, const ExplainedOrders& explained);

}  // namespace sagorder
