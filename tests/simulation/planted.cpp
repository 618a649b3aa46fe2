#include "tests/simulation/planted.hpp"

#include <algorithm>
#include <array>

#include "engine/planted.hpp"

namespace sagorder::simulation {
namespace {

constexpr std::array<std::string_view, 6> kOfTheHost = {
    "host-ignores-lock",      "host-forgets-open-intents", "host-keeps-torn-tail",
    "host-remembers-nothing", "host-retires-nothing",      "host-tells-commit-early"};

}  // namespace

std::vector<std::string_view> plantable() {
  std::vector<std::string_view> names(kOfTheHost.begin(), kOfTheHost.end());
#ifdef SAGORDER_PLANTED_BUGS
  const auto of_the_engine = planted_names();
  names.insert(names.end(), of_the_engine.begin(), of_the_engine.end());
#endif
  return names;
}

bool plant(std::string_view name) {
#ifdef SAGORDER_PLANTED_BUGS
  const auto bug = planted_by_name(name);
  planted_bug = bug.value_or(Planted::none);
  if (bug) {
    planted_name = {};
    return true;
  }
#endif
  const auto* const found = std::find(kOfTheHost.begin(), kOfTheHost.end(), name);
  if (found == kOfTheHost.end()) return false;
  planted_name = *found;
  return true;
}

}  // namespace sagorder::simulation
