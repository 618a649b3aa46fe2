#include "io/repeats.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "tests/io/temporary_directory.hpp"

namespace sagorder::io {
namespace {

class RepeatsTest : public ::testing::Test {
 protected:
  SortedSpill list(std::size_t in_memory = 4) { return SortedSpill(directory_.path(), in_memory); }
  Placed placed(std::string_view text, std::uint64_t row) {
    return {maker_.of(text), row, row + 1};
  }
  TemporaryDirectory directory_;
  FingerprintMaker maker_;
};

TEST_F(RepeatsTest, AFingerprintIsTheBeginningOfSha256) {
  const Fingerprint abc = maker_.of("abc");  // FIPS 180-4's example
  EXPECT_EQ(abc, (Fingerprint{0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
                              0xde, 0x5d, 0xae, 0x22, 0x23}));
  EXPECT_EQ(maker_.of("abc"), abc);
  EXPECT_NE(maker_.of("abd"), abc);
  EXPECT_NE(maker_.of(""), abc);
}

TEST_F(RepeatsTest, WhatWasAddedComesBackSortedHoweverLittleFitsInMemory) {
  std::mt19937_64 chance(1);
  for (const std::size_t in_memory : {1U, 2U, 7U, 100U, 1000U}) {
    SortedSpill sorted = list(in_memory);
    std::vector<Placed> all;
    for (std::uint64_t row = 1; row <= 500; ++row) {
      all.push_back(placed(std::to_string(chance() % 400), row));
      sorted.add(all.back());
    }
    std::ranges::sort(all);
    sorted.sort();
    EXPECT_EQ(sorted.size(), 500U);
    for (int pass = 0; pass < 2; ++pass) {
      for (const Placed& each : all) ASSERT_EQ(sorted.next(), each);
      EXPECT_EQ(sorted.next(), std::nullopt);
      sorted.rewind();
    }
  }
}

TEST_F(RepeatsTest, NothingIsInAnEmptyList) {
  SortedSpill empty = list();
  empty.sort();
  EXPECT_EQ(empty.next(), std::nullopt);
  EXPECT_EQ(repeats_within(empty).count, 0U);
}

TEST_F(RepeatsTest, ARepeatNamesTheFirstPlaceOfItsText) {
  SortedSpill texts = list();
  for (const auto& [row, text] : std::map<std::uint64_t, const char*>{
           {1, "a"}, {2, "b"}, {3, "c"}, {4, "b"}, {5, "b"}, {6, "a"}, {7, "d"}}) {
    texts.add(placed(text, row));
  }
  texts.sort();
  const Repeats found = repeats_within(texts);
  EXPECT_EQ(found.count, 3U);
  ASSERT_EQ(found.first.size(), 3U);
  const std::pair<std::uint64_t, std::uint64_t> expected[] = {{4, 2}, {5, 2}, {6, 1}};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(found.first[i].here.row, expected[i].first);
    EXPECT_EQ(found.first[i].before.row, expected[i].second);
    EXPECT_EQ(found.first[i].before.line, expected[i].second + 1);
  }
}

TEST_F(RepeatsTest, OfManyTheFirstAreNamedAndAllCounted) {
  SortedSpill texts = list(16);
  for (std::uint64_t row = 1; row <= 1000; ++row) {
    texts.add(placed(std::to_string(row % 500), row));
  }
  texts.sort();
  const Repeats found = repeats_within(texts);
  EXPECT_EQ(found.count, 500U);
  ASSERT_EQ(found.first.size(), Repeats::kNamed);
  for (std::size_t i = 0; i < Repeats::kNamed; ++i) {
    EXPECT_EQ(found.first[i].here.row, 501 + i);
    EXPECT_EQ(found.first[i].before.row, 1 + i);
  }
}

TEST_F(RepeatsTest, BetweenTwoListsOnlyWhatCountsCounts) {
  SortedSpill texts = list();
  SortedSpill others = list();
  for (std::uint64_t row = 1; row <= 20; ++row) texts.add(placed(std::to_string(row), row));
  for (std::uint64_t row = 1; row <= 20; ++row) {
    others.add(placed(std::to_string(row * 3), 100 + row));  // 3, 6, ... 60, each twice
    others.add(placed(std::to_string(row * 3), 200 + row));
  }
  texts.sort();
  others.sort();
  const Repeats found =
      repeats_between(texts, others, [](const Placed& each) { return each.row != 9; });
  EXPECT_EQ(found.count, 5U);  // 3, 6, 12, 15, 18
  ASSERT_EQ(found.first.size(), 5U);
  EXPECT_EQ(found.first[2].here.row, 12U);
  EXPECT_EQ(found.first[2].before.row, 104U);
}

}  // namespace
}  // namespace sagorder::io
