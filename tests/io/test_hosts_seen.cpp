#include "io/hosts_seen.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/io/temporary_directory.hpp"

namespace sagorder::io {
namespace {

HostSeen host(std::int64_t process, int heard_of_after_s) {
  HostSeen host;
  host.id = process;
  host.host = {"h" + std::to_string(process), process};
  host.heartbeat = WallTime(seconds(heard_of_after_s));
  return host;
}

std::vector<HostSeen> one_of_each() {
  std::vector<HostSeen> hosts = {host(1, 10), host(2, 20), host(3, 30), host(4, 40), host(5, 50)};
  hosts[0].alive = true;
  hosts[1].fenced = true;
  hosts[1].open_intents = 2;
  hosts[2].left = true;
  hosts[3].left = true;
  hosts[3].open_intents = 1;
  return hosts;
}

TEST(HostsSeen, HaveAStateEach) {
  std::string states;
  for (const HostSeen& each : one_of_each()) states += std::string(name_of_state(each)) + " ";
  EXPECT_EQ(states, "alive fenced left left dead ");
  const auto json = json_of(one_of_each());
  EXPECT_EQ(json.size(), 5U);
  EXPECT_EQ(json[1]["state"], "fenced");
  EXPECT_EQ(json[1]["under_way"], 2);
  EXPECT_EQ(json[1]["last_heard_of_at"], "1970-01-01T00:00:20.000Z");
}

TEST(HostsSeen, WhoMattersIsToldFirst) {
  const std::string table = table_of(one_of_each());
  std::vector<std::size_t> places;
  for (const char* name : {"\nh1 ", "\nh4 ", "\nh2 ", "\nh5 ", "\nand 1 host that is over"}) {
    places.push_back(table.find(name));
    EXPECT_NE(places.back(), table.npos) << name << " in " << table;
  }
  EXPECT_TRUE(std::ranges::is_sorted(places)) << table;
  EXPECT_EQ(table.find("h3"), table.npos) << table;
  EXPECT_EQ(table_of({}), "");
}

TEST(HostsSeen, ManyAreCounted) {
  std::vector<HostSeen> hosts;
  for (int i = 0; i < 100; ++i) hosts.push_back(host(i, i));
  hosts[0].alive = true;
  const std::string table = table_of(hosts);
  EXPECT_EQ(std::ranges::count(table, '\n'), static_cast<std::ptrdiff_t>(kHostsListed) + 2);
  EXPECT_TRUE(has(table, "\nh0 ")) << table;
  EXPECT_TRUE(has(table, "\nh99 ")) << table;
  EXPECT_TRUE(has(table, "and 80 hosts that are over")) << table;
}

}  // namespace
}  // namespace sagorder::io
