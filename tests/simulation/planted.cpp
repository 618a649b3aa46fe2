#include "tests/simulation/planted.hpp"

#include <algorithm>
#include <array>

namespace sagorder::simulation {
namespace {

constexpr std::array<std::string_view, 6> kOfTheHost = {
    "host-ignores-lock",      "host-forgets-open-intents", "host-keeps-torn-tail",
    "host-remembers-nothing", "host-retires-nothing",      "host-tells-commit-early"};

}  // namespace

bool plant(std::string_view name) {
  const auto* const found = std::find(kOfTheHost.begin(), kOfTheHost.end(), name);
  if (found == kOfTheHost.end()) return false;
  planted_name = *found;
  return true;
}

}  // namespace sagorder::simulation
