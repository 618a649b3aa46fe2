#include "io/orders_file.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/io/temporary_directory.hpp"

namespace sagorder::io {
namespace {

using What = OrdersFile::What;

struct Pass {
  std::vector<std::string> records;  // cells joined by |
  What end = What::end;
  csv::Result bad;
};

Pass read_pass(OrdersFile& file) {
  Pass pass;
  csv::Record record;
  while (true) {
    const auto step = file.next(record);
    if (step.what != What::record) {
      pass.end = step.what;
      pass.bad = step.bad;
      return pass;
    }
    std::string line;
    for (const csv::Field& field : record.fields) {
      if (!line.empty()) line += '|';
      line += field.text;
    }
    pass.records.push_back(line);
  }
}

/// A file of so many bytes at least, with fields of changing length and quoted newlines.
std::string long_csv(std::size_t bytes) {
  std::string text = "RegionId,Note\n";
  for (std::size_t i = 0; text.size() < bytes; ++i) {
    text += "cn-shanghai,\"row " + std::to_string(i) + "\n" + std::string(i % 211, 'x') + "\"\n";
  }
  return text;
}

TEST(OrdersFile, GivesRecordsTwiceAndItsDigest) {
  const TemporaryDirectory directory;
  put(directory / "a.csv", "RegionId,Period\ncn-shanghai,1\n");
  OrdersFile file(directory / "a.csv");
  EXPECT_EQ(file.sha256(), "");
  const Pass first = read_pass(file);
  EXPECT_EQ(first.records, (std::vector<std::string>{"RegionId|Period", "cn-shanghai|1"}));
  EXPECT_EQ(first.end, What::end);
  // sha256sum of the same bytes
  EXPECT_EQ(file.sha256(), "d868b94ddc2bc70c39a1a00f8afde7eb037f1607b2d6bf9ed49e9109160a57e5");
  EXPECT_EQ(file.size(), 30U);
  file.rewind();
  const Pass second = read_pass(file);
  EXPECT_EQ(second.records, first.records);
  EXPECT_EQ(second.end, What::end);
  csv::Record record;
  EXPECT_EQ(file.next(record).what, What::end);
}

TEST(OrdersFile, OfNothingHasNoRecord) {
  const TemporaryDirectory directory;
  put(directory / "a.csv", "");
  OrdersFile file(directory / "a.csv");
  for (int pass = 0; pass < 2; ++pass) {
    EXPECT_EQ(read_pass(file).end, What::end);
    EXPECT_EQ(file.size(), 0U);
    file.rewind();
  }
  put(directory / "a.csv", "x\n");
  EXPECT_EQ(read_pass(file).end, What::changed);
}

TEST(OrdersFile, ReadsAcrossBlocksOfAnySize) {
  constexpr std::size_t kBlock = OrdersFile::kBlockBytes;
  for (const std::size_t bytes : {kBlock - 1, kBlock, kBlock + 1, 2 * kBlock, 5 * kBlock + 77}) {
    const TemporaryDirectory directory;
    std::string text = long_csv(bytes);
    text.resize(bytes, 'y');  // cut inside the last record's quotes, perhaps
    text.back() = '\n';
    if (std::ranges::count(text, '"') % 2 != 0) text[bytes - 2] = '"';
    put(directory / "a.csv", text);
    OrdersFile file(directory / "a.csv");
    const Pass first = read_pass(file);
    ASSERT_EQ(first.end, What::end) << bytes << ": " << first.bad.complaint;
    file.rewind();
    const Pass second = read_pass(file);
    EXPECT_EQ(second.end, What::end) << bytes;
    EXPECT_EQ(second.records, first.records);

    csv::Reader whole;
    csv::Record record;
    std::size_t count = 0;
    for (std::string_view rest = text;; ++count) {
      const auto result = whole.next(rest, true, record);
      if (result.status != csv::Status::record) break;
      rest.remove_prefix(result.consumed);
    }
    EXPECT_EQ(first.records.size(), count);
  }
}

TEST(OrdersFile, SaysWhereItIsBad) {
  const TemporaryDirectory directory;
  put(directory / "a.csv", "a,b\nc,d\"e\n");
  OrdersFile file(directory / "a.csv");
  const Pass pass = read_pass(file);
  EXPECT_EQ(pass.end, What::bad);
  EXPECT_EQ(pass.bad.at.line, 2U);
  EXPECT_EQ(pass.bad.at.column, 4U);
  EXPECT_EQ(file.sha256(), "");
}

TEST(OrdersFile, SecondPassIsOfTheSameBytes) {
  constexpr std::size_t kBlock = OrdersFile::kBlockBytes;
  const std::string text = long_csv(3 * kBlock);
  // Where one byte differs, no record that ends in that block or behind it is handed out.
  for (const std::size_t at : {std::size_t{20}, kBlock + 5, text.size() - 3}) {
    const TemporaryDirectory directory;
    put(directory / "a.csv", text);
    OrdersFile file(directory / "a.csv");
    const Pass first = read_pass(file);
    ASSERT_EQ(first.end, What::end);
    std::string other = text;
    other[at] = other[at] == 'z' ? 'y' : 'z';
    put(directory / "a.csv", other);
    file.rewind();
    const Pass second = read_pass(file);
    EXPECT_EQ(second.end, What::changed) << at;
    EXPECT_LT(second.records.size(), first.records.size());
    EXPECT_TRUE(std::equal(second.records.begin(), second.records.end(), first.records.begin()));
    csv::Record record;
    EXPECT_EQ(file.next(record).what, What::changed) << "for good";
  }
}

TEST(OrdersFile, SecondPassIsNeitherShorterNorLonger) {
  constexpr std::size_t kBlock = OrdersFile::kBlockBytes;
  for (const std::size_t bytes : {std::size_t{100}, kBlock, 2 * kBlock}) {
    std::string text = long_csv(bytes).substr(0, bytes);
    std::ranges::replace(text, '"', '_');
    text.back() = '\n';
    for (const bool longer : {true, false}) {
      const TemporaryDirectory directory;
      put(directory / "a.csv", text);
      OrdersFile file(directory / "a.csv");
      const Pass first = read_pass(file);
      ASSERT_EQ(first.end, What::end);
      if (longer) {
        std::ofstream(directory / "a.csv", std::ios::app) << "cn-shanghai,more\n";
      } else {
        std::filesystem::resize_file(directory / "a.csv", bytes - 1);
      }
      file.rewind();
      const Pass second = read_pass(file);
      EXPECT_EQ(second.end, What::changed) << bytes << " longer " << longer;
      EXPECT_LT(second.records.size(), first.records.size());
      if (bytes <= kBlock) {
        EXPECT_TRUE(second.records.empty()) << "out of the last block";
      }
    }
  }
}

TEST(OrdersFile, ThatWasReplacedByAnotherIsReadAsItWas) {
  const TemporaryDirectory directory;
  put(directory / "a.csv", "a\n1\n");
  OrdersFile file(directory / "a.csv");
  const Pass first = read_pass(file);
  put(directory / "b.csv", "a\n2\n");
  std::filesystem::rename(directory / "b.csv", directory / "a.csv");
  file.rewind();
  EXPECT_EQ(read_pass(file).records, first.records);
}

TEST(OrdersFile, SpoolsWhatCannotBeReadTwice) {
  const TemporaryDirectory directory;
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const std::string text = long_csv(3 * OrdersFile::kBlockBytes);
  std::thread writer([&] {
    const Fd out(ends[1]);
    write_all(out, text, "pipe");
  });
  OrdersFile file("standard input", Fd(ends[0]), directory.path());
  writer.join();
  EXPECT_EQ(directory.entries(), 0U) << "the copy has no name";
  EXPECT_EQ(file.size(), text.size());
  const Pass first = read_pass(file);
  EXPECT_EQ(first.end, What::end);
  file.rewind();
  EXPECT_EQ(read_pass(file).records, first.records);

  put(directory / "a.csv", text);
  OrdersFile same(directory / "a.csv");
  read_pass(same);
  EXPECT_EQ(same.sha256(), file.sha256());
}

TEST(OrdersFile, SpoolsWhereItIsTold) {
  const TemporaryDirectory directory;
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ::close(ends[1]);
  const auto complaint = complaint_of<InputError>(
      [&] { OrdersFile("standard input", Fd(ends[0]), directory / "missing"); });
  EXPECT_TRUE(has(complaint, directory / "missing")) << complaint;
}

TEST(OrdersFile, IsAFile) {
  const TemporaryDirectory directory;
  for (const std::string& path : {directory / "none", directory.path(), std::string("/dev/zero")}) {
    const auto complaint = complaint_of<InputError>([&] { OrdersFile file(path); });
    EXPECT_TRUE(has(complaint, path)) << complaint;
  }
}

/// As UTF-16, without a mark.
std::string utf16le(std::string_view ascii) {
  std::string bytes;
  for (const char each : ascii) bytes.append({each, '\0'});
  return bytes;
}

TEST(OrdersFile, OfAnotherEncodingHasTheDigestOfItsText) {
  const TemporaryDirectory directory;
  // Text that takes more than a block, and bytes that take twice as many.
  const std::string text = long_csv(OrdersFile::kBlockBytes + 1'000);
  put(directory / "a.csv", text);
  put(directory / "b.csv", "\xFF\xFE" + utf16le(text));
  put(directory / "c.csv", utf16le(text));
  OrdersFile plain(directory / "a.csv");
  OrdersFile marked(directory / "b.csv");
  OrdersFile told(directory / "c.csv", "", {}, {"UTF-16LE", std::nullopt});
  const Pass first = read_pass(plain);
  for (OrdersFile* const file : {&marked, &told}) {
    for (int pass = 0; pass < 2; ++pass) {
      const Pass same = read_pass(*file);
      EXPECT_EQ(same.end, What::end);
      EXPECT_EQ(same.records, first.records);
      EXPECT_EQ(file->sha256(), plain.sha256());
      EXPECT_EQ(file->recognised(), file == &marked ? "UTF-16LE" : "");
      file->rewind();
    }
  }
  EXPECT_EQ(plain.recognised(), "");
}

TEST(OrdersFile, OfAnotherEncodingIsComparedAsItStandsOnTheDisk) {
  const TemporaryDirectory directory;
  const std::string text = long_csv(2 * OrdersFile::kBlockBytes);
  put(directory / "a.csv", "\xFF\xFE" + utf16le(text));
  OrdersFile file(directory / "a.csv");
  const Pass first = read_pass(file);
  std::string other = text;
  other[text.size() - 3] = 'y';
  put(directory / "a.csv", "\xFF\xFE" + utf16le(other));
  file.rewind();
  const Pass second = read_pass(file);
  EXPECT_EQ(second.end, What::changed);
  EXPECT_LT(second.records.size(), first.records.size());
}

TEST(OrdersFile, TakesItsDelimiterFromTheHeaderOnceOrAsTold) {
  const TemporaryDirectory directory;
  put(directory / "a.csv", "RegionId;Period\na,b;c\n");
  OrdersFile file(directory / "a.csv");
  for (int pass = 0; pass < 2; ++pass) {
    EXPECT_EQ(read_pass(file).records, (std::vector<std::string>{"RegionId|Period", "a,b|c"}));
    EXPECT_EQ(file.recognised(), "semicolons between columns");
    file.rewind();
  }
  OrdersFile told(directory / "a.csv", "", {}, {"", csv::Delimiter::comma});
  EXPECT_EQ(read_pass(told).records, (std::vector<std::string>{"RegionId;Period", "a|b;c"}));
  put(directory / "b.csv", "RegionId;Period,UserCount\n");
  OrdersFile ambiguous(directory / "b.csv");
  const Pass refused = read_pass(ambiguous);
  EXPECT_EQ(refused.end, What::bad);
  EXPECT_NE(refused.bad.complaint.find("--delimiter"), std::string_view::npos);
  EXPECT_EQ(read_pass(ambiguous).end, What::bad);
}

}  // namespace
}  // namespace sagorder::io
