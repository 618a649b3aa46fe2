// What the tables say of a batch's hosts and of single rows, over whatever connection: for commands
// that look at a shared batch, or settle rows of it, and are none of its hosts.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "io/postgres.hpp"
#include "io/shared_ledger.hpp"

namespace sagorder::io {

/// What `run --host-life` said where hosts are or were at work, in milliseconds.
inline constexpr std::string_view kFactHostLife = "host_life";

// What each of them means is in io/shared_ledger. `run` is the batch; a host that was not heard of
// for the life that the batch's hosts have counts as dead.

/// The life of the batch's hosts; nullopt: none said it yet.
std::optional<milliseconds> read_host_life(Postgres& database, std::int64_t run);
std::vector<HostSeen> read_hosts(Postgres& database, std::int64_t run);
std::vector<OpenIntent> read_open_intents(Postgres& database, std::int64_t run);
std::optional<OpenIntent> read_under_way(Postgres& database, std::int64_t run, Row row);
std::vector<Step> read_steps(Postgres& database, std::int64_t run, Row row);
bool fence_host(Postgres& database, std::int64_t run, std::int64_t host);

}  // namespace sagorder::io
