// The hosts of a batch, as people and programs are told of them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "io/shared_ledger.hpp"

namespace sagorder::io {

inline constexpr std::size_t kHostsListed = 20;  ///< of a batch, in `status`

/// `alive`, `dead` (not heard of for its life), `fenced` (dead for good) or `left`.
std::string_view name_of_state(const HostSeen& host);

/// `NAME (process N, last heard of TIME)`.
std::string to_text(const HostSeen& host);

/// A line each, the first ones those that are alive, then those that have attempts open, the last
/// heard of first. Those that ended and left nothing behind, and more than kHostsListed, are
/// counted.
std::string table_of(std::vector<HostSeen> hosts);

/// All of them, an object each.
nlohmann::ordered_json json_of(const std::vector<HostSeen>& hosts);

/// Throws LedgerBusy, with its name, if one is alive.
void refuse_while_hosts_work(SharedLedger& ledger);

}  // namespace sagorder::io
