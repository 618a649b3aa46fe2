#include "tests/engine/steady_path.hpp"

#include <gtest/gtest.h>

#include "tests/engine/allocations.hpp"

namespace sagorder {
namespace {

// Halfway every slot was used and every buffer has grown: from then on an order costs no
// allocation, from its record to its line.
TEST(SteadyPath, AllocatesNothingOnceTheBuffersHaveGrown) {
  for (const Scheme scheme : {Scheme::acs3_hmac_sha256, Scheme::hmac_sha1}) {
    constexpr std::uint64_t kRows = 20'000;
    testing::SteadyPath path(kRows, scheme);
    path.run_until(kRows / 2);
    const auto before = allocations_on_this_thread();
    path.run_until(kRows - kRows / 10);  // the end gathers larger groups than any before
    EXPECT_EQ(allocations_on_this_thread() - before, 0U);
    path.run_until(kRows);
    EXPECT_EQ(path.placed(), kRows);
    EXPECT_GT(path.line_bytes(), 50 * kRows);
  }
}

}  // namespace
}  // namespace sagorder
