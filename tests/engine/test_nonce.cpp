#include "engine/nonce.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/engine/allocations.hpp"

namespace sagorder {
namespace {

NonceSource::Key key_of(std::uint8_t first) {
  NonceSource::Key key{};
  key[0] = first;
  return key;
}

TEST(Nonce, IsAesOfACounterUnderTheKey) {
  // openssl enc -aes-128-ecb -K 00..00 of the block 01 00..00
  NonceSource source(key_of(0));
  EXPECT_EQ(source.next().view(), "47711816e91d6ff059bbbf2bf58e0fd3");
}

TEST(Nonce, TheSameKeyGivesTheSameNonces) {
  NonceSource one(key_of(1));
  NonceSource two(key_of(1));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(one.next(), two.next());
}

TEST(Nonce, NoTwoAreEqualWithinAProcessOrAcrossKeys) {
  std::set<Nonce> seen;
  for (const std::uint8_t first : {std::uint8_t{1}, std::uint8_t{2}}) {
    NonceSource source(key_of(first));
    for (int i = 0; i < 20'000; ++i) {
      const Nonce nonce = source.next();
      EXPECT_TRUE(std::ranges::all_of(
          nonce.view(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }));
      EXPECT_TRUE(seen.insert(nonce).second);
    }
  }
}

TEST(Nonce, AllocatesNothing) {
  NonceSource source(key_of(3));
  Nonce nonce = source.next();
  const auto before = allocations_on_this_thread();
  for (int i = 0; i < 100; ++i) nonce = source.next();
  EXPECT_EQ(allocations_on_this_thread(), before);
}

}  // namespace
}  // namespace sagorder
