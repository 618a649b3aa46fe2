#include "tests/simulation/planted.hpp"

#include <algorithm>
#include <array>

#include "engine/planted.hpp"

namespace sagorder::simulation {
namespace {

constexpr std::array<std::string_view, 6> kOfTheWorld = {
    "host-takes-unknown-for-durable", "ledger-lets-both-claim",  "ledger-forgets-the-fence",
    "ledger-forgets-the-canary",      "ledger-counts-late-asks", "ledger-forgets-the-run"};

}  // namespace

std::vector<std::string_view> plantable() {
  std::vector<std::string_view> names(kOfTheWorld.begin(), kOfTheWorld.end());
#ifdef SAGORDER_PLANTED_BUGS
  names.emplace_back("send_before_commit");
  const auto of_the_engine = planted_names_of_hosts();
  names.insert(names.end(), of_the_engine.begin(), of_the_engine.end());
#endif
  return names;
}

bool plant(std::string_view name) {
  const auto names = plantable();
  if (std::find(names.begin(), names.end(), name) == names.end()) return false;
  planted_name = {};
#ifdef SAGORDER_PLANTED_BUGS
  const auto bug = planted_by_name(name);
  planted_bug = bug.value_or(Planted::none);
  if (bug) return true;
#endif
  planted_name = name;
  return true;
}

}  // namespace sagorder::simulation
