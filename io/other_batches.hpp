// What other batches of this user ordered, as far as the memory of batches leads to their ledgers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/order.hpp"

namespace sagorder::io {

/// Ledgers that are read for one question, the last begun first.
inline constexpr std::size_t kOtherLedgersMax = 64;
/// Of a ledger that is read for it.
inline constexpr std::uint64_t kOtherLedgerBytesMax = std::uint64_t{1} << 30;

struct OtherRow {
  std::string ledger;
  std::string output;
  Row row;
};

struct OrderIdSearch {
  std::optional<OtherRow> found;
  std::uint64_t unread = 0;  ///< beyond these limits, missing, damaged or in a database
};

/// Looks for the row of another batch that has this OrderId.
/// @param own_id ledger_id of the batch that asks: neither it nor a copy of it is looked at
OrderIdSearch find_order_id(std::string_view order_id, std::string_view own_id);

}  // namespace sagorder::io
