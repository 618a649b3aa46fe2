#include "io/hosts_seen.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <tuple>

#include "io/commands.hpp"

namespace sagorder::io {

std::string_view name_of_state(const HostSeen& host) {
  if (host.alive) return "alive";
  if (host.fenced) return "fenced";
  return host.left ? "left" : "dead";
}

std::string to_text(const HostSeen& host) {
  return fmt::format("{} (process {}, last heard of {})", printable(host.host.name),
                     host.host.process, timestamp(host.heartbeat));
}

std::string table_of(std::vector<HostSeen> hosts) {
  const std::size_t all = hosts.size();
  std::erase_if(hosts, [](const HostSeen& host) {
    return !host.alive && host.left && host.open_intents == 0;
  });
  std::ranges::stable_sort(hosts, [](const HostSeen& a, const HostSeen& b) {
    return std::tuple(a.alive, a.open_intents > 0, a.heartbeat) >
           std::tuple(b.alive, b.open_intents > 0, b.heartbeat);
  });
  const std::size_t listed = std::min(hosts.size(), kHostsListed);
  std::string text;
  for (const HostSeen& host : std::span(hosts).first(listed)) {
    text += fmt::format("{:<24}  {:>8}  {:<6}  {:<24}  {:>10}\n", printable(host.host.name),
                        host.host.process, name_of_state(host), timestamp(host.heartbeat),
                        host.open_intents);
  }
  if (listed > 0) {
    text.insert(0, fmt::format("{:<24}  {:>8}  {:<6}  {:<24}  {:>10}\n", "host", "process", "state",
                               "last heard of", "under way"));
  }
  const std::size_t over = all - listed;
  if (over > 0) {
    text +=
        fmt::format("and {} {}\n", over, over == 1 ? "host that is over" : "hosts that are over");
  }
  return text;
}

nlohmann::ordered_json json_of(const std::vector<HostSeen>& hosts) {
  auto json = nlohmann::ordered_json::array();
  for (const HostSeen& host : hosts) {
    json.push_back({{"name", host.host.name},
                    {"process", host.host.process},
                    {"state", name_of_state(host)},
                    {"begun_at", timestamp(host.begun)},
                    {"last_heard_of_at", timestamp(host.heartbeat)},
                    {"under_way", host.open_intents}});
  }
  return json;
}

void refuse_while_hosts_work(SharedLedger& ledger) {
  for (const HostSeen& host : ledger.hosts()) {
    if (!host.alive) continue;
    throw LedgerBusy(ledger.place() + ": a run is going on, on " + to_text(host));
  }
}

}  // namespace sagorder::io
