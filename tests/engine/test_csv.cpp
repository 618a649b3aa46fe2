#include "engine/csv.hpp"

#include <csv.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <ostream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/engine/allocations.hpp"

namespace sagorder::csv {
namespace {

using namespace std::string_literals;

struct Cell {
  std::string text;
  std::uint64_t line = 0;
  std::uint64_t column = 0;
  bool operator==(const Cell&) const = default;
};

struct Fault {
  std::uint64_t line = 0;
  std::uint64_t column = 0;
  std::string complaint;
  bool operator==(const Fault&) const = default;
};

struct Reading {
  std::vector<std::vector<Cell>> records;
  std::optional<Fault> fault;
  bool operator==(const Reading&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Cell& cell) {
  return out << cell.line << ':' << cell.column << testing::PrintToString(cell.text);
}
std::ostream& operator<<(std::ostream& out, const Fault& fault) {
  return out << fault.line << ':' << fault.column << ' ' << fault.complaint;
}

std::vector<Cell> cells_of(const Record& record) {
  std::vector<Cell> cells;
  for (const Field& field : record.fields) {
    cells.push_back({std::string(field.text), field.at.line, field.at.column});
  }
  return cells;
}

/// How many bytes of the whole input the reader may see, given what it has seen so far.
using Chunks = std::function<std::size_t(std::size_t seen)>;

// Each offer is a copy of exactly the bytes seen, so that a sanitizer catches a look beyond.
Reading read(std::string_view input, const Limits& limits, const Chunks& more) {
  Reader reader(limits);
  Record record;
  Reading reading;
  std::size_t at = 0;
  std::size_t seen = more(0);
  while (true) {
    const std::vector<char> offer(input.data() + at, input.data() + seen);
    const bool last = seen == input.size();
    const Result result = reader.next({offer.data(), offer.size()}, last, record);
    switch (result.status) {
      case Status::record:
        reading.records.push_back(cells_of(record));
        at += result.consumed;
        break;
      case Status::need_more:
        EXPECT_FALSE(last);
        EXPECT_EQ(result.consumed, 0U);
        if (last || result.consumed != 0) return reading;
        seen = more(seen);
        break;
      case Status::bad:
        EXPECT_EQ(result.consumed, 0U);
        reading.fault = {result.at.line, result.at.column, std::string(result.complaint)};
        return reading;
      case Status::end:
        EXPECT_TRUE(last);
        EXPECT_EQ(at + result.consumed, input.size());
        return reading;
    }
  }
}

Reading read_at_once(std::string_view input, const Limits& limits = {}) {
  return read(input, limits, [&](std::size_t) { return input.size(); });
}

/// Reads at once, byte by byte and at every cut; the three must agree.
Reading read_every_way(std::string_view input, const Limits& limits = {}) {
  const Reading once = read_at_once(input, limits);
  const auto step = [](std::size_t seen) { return seen + 1; };
  if (!input.empty()) {
    EXPECT_EQ(read(input, limits, step), once) << "byte by byte";
  }
  for (std::size_t cut = 0; cut < input.size(); ++cut) {
    const auto two = [&](std::size_t seen) { return seen == 0 && cut != 0 ? cut : input.size(); };
    EXPECT_EQ(read(input, limits, two), once) << "cut at " << cut;
  }
  return once;
}

std::vector<std::vector<std::string>> texts(const Reading& reading) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& record : reading.records) {
    rows.emplace_back();
    for (const Cell& cell : record) rows.back().push_back(cell.text);
  }
  return rows;
}

struct Good {
  std::string input;
  std::vector<std::vector<std::string>> rows;
};

TEST(Csv, ReadsRecordsHoweverTheyAreCut) {
  const std::vector<Good> cases = {
      {"", {}},
      {"\n\r\n\n", {}},
      {"\xEF\xBB\xBF", {}},
      {"\xEF\xBB\xBF\n", {}},
      {"a", {{"a"}}},
      {"a\n", {{"a"}}},
      {"a\r\n", {{"a"}}},
      {"a,b\nc,d", {{"a", "b"}, {"c", "d"}}},
      {"a,b\r\nc,d\r\n", {{"a", "b"}, {"c", "d"}}},
      {",\n", {{"", ""}}},
      {",", {{"", ""}}},
      {"a,\n,b\n", {{"a", ""}, {"", "b"}}},
      {"\n\na\n\r\n\nb\n\n", {{"a"}, {"b"}}},
      {" a , b \n \n", {{" a ", " b "}, {" "}}},
      {"\"\"\n", {{""}}},
      {"\"\"", {{""}}},
      {"\"a,b\",\"c\nd\"\n", {{"a,b", "c\nd"}}},
      {"\"a\r\nb\"\r\n", {{"a\r\nb"}}},
      {"\"a\rb\",\"\r\"\n", {{"a\rb", "\r"}}},
      {"\"\"\"\",\"a\"\"b\",\"\"\"c\"\"\"\n", {{"\"", "a\"b", "\"c\""}}},
      {"\"a\"\"\",\"\"\"b\",c\n\"\"\"d\"", {{"a\"", "\"b", "c"}, {"\"d"}}},
      {"\xEF\xBB\xBFRegionId,备注\n\"上\n海\",𝔸\n", {{"RegionId", "备注"}, {"上\n海", "𝔸"}}},
      {"a\n\xEF\xBB\xBF"
       "b\n",
       {{"a"},
        {"\xEF\xBB\xBF"
         "b"}}},
      {"\x1b[31m,\x7f,\t\n", {{"\x1b[31m", "\x7f", "\t"}}},
  };
  for (const Good& good : cases) {
    SCOPED_TRACE(testing::PrintToString(good.input));
    const Reading reading = read_every_way(good.input);
    EXPECT_EQ(reading.fault, std::nullopt);
    EXPECT_EQ(texts(reading), good.rows);
  }
}

TEST(Csv, SaysWhereEachFieldStands) {
  const Reading reading = read_every_way(
      "\xEF\xBB\xBF"
      "ab,\"c\n\nd\",e\r\n\r\n上,\"\"\"\",f\n\"\n\",\n");
  const std::vector<std::vector<Cell>> expected = {
      {{"ab", 1, 1}, {"c\n\nd", 1, 4}, {"e", 3, 4}},
      {{"上", 5, 1}, {"\"", 5, 5}, {"f", 5, 10}},
      {{"\n", 6, 1}, {"", 7, 3}},
  };
  EXPECT_EQ(reading.records, expected);
}

TEST(Csv, SaysOnWhichLineARecordStarts) {
  Reader reader;
  Record record;
  const std::string_view input = "\n\na,\"\n\"\nb\n";
  const Result first = reader.next(input, true, record);
  EXPECT_EQ(record.line, 3U);
  reader.next(input.substr(first.consumed), true, record);
  EXPECT_EQ(record.line, 5U);
}

struct Bad {
  std::string input;
  std::uint64_t line;
  std::uint64_t column;
  std::string_view words;   ///< part of the complaint
  std::size_t records = 0;  ///< good ones before it
};

void expect_bad(const Bad& bad, const Limits& limits) {
  SCOPED_TRACE(testing::PrintToString(bad.input));
  const Reading reading = read_every_way(bad.input, limits);
  ASSERT_TRUE(reading.fault.has_value());
  EXPECT_EQ(reading.fault->line, bad.line) << *reading.fault;
  EXPECT_EQ(reading.fault->column, bad.column) << *reading.fault;
  EXPECT_NE(reading.fault->complaint.find(bad.words), std::string::npos) << *reading.fault;
  EXPECT_EQ(reading.records.size(), bad.records);
}

TEST(Csv, RefusesWhatWouldHaveToBeGuessed) {
  const std::vector<Bad> cases = {
      {"a\rb\n", 1, 2, "carriage return"},
      {"a\r", 1, 2, "carriage return"},
      {"a\n\r", 2, 1, "carriage return", 1},
      {"\r\r\n", 1, 1, "carriage return"},
      {"\"a\"\rb\n", 1, 4, "carriage return"},
      {"a,b\0c\n"s, 1, 4, "NUL"},
      {"\"a\0\"\n"s, 1, 3, "NUL"},
      {"\"a\"\0\n"s, 1, 4, "NUL"},
      {"R\0e\0"s, 1, 2, "UTF-16"},
      {"a,b\"c\n", 1, 4, "quote inside"},
      {"a\nb, \"c\"\n", 2, 4, "quote inside", 1},
      {"\"a\"b\n", 1, 4, "text after"},
      {"a\n\"b\nc\" ,d\n", 3, 3, "text after", 1},
      {"\"a", 1, 1, "never closed"},
      {"a\nb,\"c\nd\n", 2, 3, "never closed", 1},
      {"\"a\"\"", 1, 1, "never closed"},
      {"\"", 1, 1, "never closed"},
      {"\xFF\xFER\0e\0"s, 1, 1, "UTF-16"},
      {"\xFE\xFF\0R"s, 1, 1, "UTF-16"},
      {"\xFE\xFF", 1, 1, "UTF-16"},
      {"a,\xFF\n", 1, 3, "not valid UTF-8"},
      {"\"\nab\xC3\"\n", 2, 3, "not valid UTF-8"},
      {"a,\xE4\xB8", 1, 3, "not valid UTF-8"},
      {"\xEF\xBB", 1, 1, "not valid UTF-8"},
      {"\xC0\xAF\n", 1, 1, "not valid UTF-8"},
      {"\xED\xA0\x80\n", 1, 1, "not valid UTF-8"},
      {"\xF4\x90\x80\x80\n", 1, 1, "not valid UTF-8"},
      {"\xE0\x9F\xBF\n", 1, 1, "not valid UTF-8"},
      {"\xF0\x8F\xBF\xBF\n", 1, 1, "not valid UTF-8"},
      {"a\n\xFF\xFE", 2, 1, "not valid UTF-8", 1},
      {"上\x80\n", 1, 4, "not valid UTF-8"},
  };
  for (const Bad& bad : cases) expect_bad(bad, {});
}

TEST(Csv, NamesTheFirstFaultOfARecord) {
  const std::vector<Bad> cases = {
      {"\xFF,a\rb\n", 1, 1, "not valid UTF-8"},      {"a\rb,\xFF\n", 1, 2, "carriage return"},
      {"\xC3\rb\n", 1, 1, "not valid UTF-8"},        {"\"\xFF\"b\n", 1, 2, "UTF-8"},
      {"\xFF,\"b", 1, 1, "not valid UTF-8"},         {"a\nb,\xFF,123456789", 2, 3, "UTF-8", 1},
      {"\xFF,1,2,3,4,5\n", 1, 1, "not valid UTF-8"},
  };
  for (const Bad& bad : cases)
    expect_bad(bad, {.field_bytes = 8, .record_bytes = 24, .columns = 4});
}

TEST(Csv, HasLimits) {
  const Limits limits{.field_bytes = 8, .record_bytes = 24, .columns = 4};
  const std::vector<Bad> cases = {
      {"a,123456789\n", 1, 3, "field is too long"},
      {"a,123456789", 1, 3, "field is too long"},
      {"a\n123456789\"\n", 2, 1, "field is too long", 1},
      {"a,\"123456789\"\n", 1, 3, "quoted field is too long"},
      {"a,\"\"\"\"\"\"\"\"\"\"\"\"\n", 1, 3, "quoted field is too long"},
      {"a,\"\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n", 1, 3, "quoted field is too long"},
      {"a\n\"1234567\",1234567,1234567\n", 2, 1, "record is too long", 1},
      {"1,2,3,4,5\n", 1, 1, "too many columns"},
      {"a\n1,2,3,4,", 2, 1, "too many columns", 1},
      {"\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\na", 1, 1, "empty lines"},
  };
  for (const Bad& bad : cases) expect_bad(bad, limits);
  const std::vector<std::string> at_the_limit = {
      "12345678,\"12345678\"\r\n", "1,2,3,4\n", "\"1234567\",1234567,123456\n",
      "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\na"};
  for (const std::string& input : at_the_limit) {
    SCOPED_TRACE(input);
    EXPECT_EQ(read_every_way(input, limits).fault, std::nullopt);
  }
}

TEST(Csv, HalfABomIsNoFieldYet) {
  Limits limits;
  limits.field_bytes = 1;
  const std::vector<std::vector<std::string>> rows = {{"a"}};
  EXPECT_EQ(texts(read_every_way("\xEF\xBB\xBF\x61\n", limits)), rows);
  const Reading half = read_every_way("\xEF\xBB", limits);
  ASSERT_TRUE(half.fault);
  EXPECT_EQ(half.fault->column, 1U);
}

TEST(Csv, TheLimitsAreThoseOfTheHeader) {
  const auto fault = [](const std::string& input) { return read_at_once(input).fault; };
  EXPECT_FALSE(fault(std::string(kFieldBytesMax, 'x') + "\n").has_value());
  EXPECT_EQ(fault("a," + std::string(kFieldBytesMax + 1, 'x'))->column, 3U);
  std::string wide(kColumnsMax - 1, ',');
  EXPECT_FALSE(fault(wide + "\n").has_value());
  EXPECT_TRUE(fault(wide + ",\n").has_value());
  std::string record;
  for (int i = 0; i < 8; ++i) record += std::string(kFieldBytesMax - 1, 'x') + ",";
  ASSERT_EQ(record.size(), kRecordBytesMax);
  EXPECT_FALSE(fault(record + "\n").has_value());
  EXPECT_TRUE(fault(record + "x\n").has_value());
}

TEST(Csv, NeverAsksForMoreThanAnOffer) {
  const std::string empty_lines(kRecordBytesMax, '\n');
  std::string record;
  for (int i = 0; i < 8; ++i) record += std::string(kFieldBytesMax - 1, 'x') + ",";
  const std::string offer = "\xEF\xBB\xBF" + empty_lines + record;
  for (const std::string_view end : {"\r", "\"", "x", ""}) {
    std::string input = offer + std::string(end);
    input.resize(std::max(input.size(), kOfferBytesMax), 'x');
    Reader reader;
    Record kept;
    EXPECT_NE(reader.next(input, false, kept).status, Status::need_more) << end;
  }
}

TEST(Csv, StaysWhereItIsAfterABadRecord) {
  Reader reader;
  Record record;
  const std::string_view input = "a\nb\"\n";
  ASSERT_EQ(reader.next(input, true, record).status, Status::record);
  for (int i = 0; i < 2; ++i) {
    const Result again = reader.next(input.substr(2), true, record);
    EXPECT_EQ(again.status, Status::bad);
    EXPECT_EQ(again.at.line, 2U);
  }
}

TEST(Csv, FieldsAreViewsIntoTheOffer) {
  const std::string input = "plain,\"quoted\",\"dou\"\"bled\",\"\"\"\"\n";
  Reader reader;
  Record record;
  ASSERT_EQ(reader.next(input, true, record).status, Status::record);
  EXPECT_EQ(record.fields[0].text.data(), input.data());
  EXPECT_EQ(record.fields[1].text.data(), input.data() + 7);
  EXPECT_EQ(record.scratch, "dou\"bled\"");
}

TEST(Csv, ReadsWithoutAllocating) {
  std::string input;
  for (int i = 0; i < 1000; ++i) input += "cn-shanghai,12,\"5\",\"a \"\"b\"\"\",\"c\n\"\r\n";
  Reader reader;
  Record record;
  std::string_view rest = input;
  rest.remove_prefix(reader.next(rest, true, record).consumed);
  const std::uint64_t before = allocations_on_this_thread();
  std::uint64_t records = 1;
  while (true) {
    const Result result = reader.next(rest, true, record);
    if (result.status != Status::record) break;
    rest.remove_prefix(result.consumed);
    ++records;
  }
  EXPECT_EQ(allocations_on_this_thread() - before, 0U);
  EXPECT_EQ(records, 1000U);
}

TEST(Utf8Prefix, EndsAtTheFirstBadByte) {
  EXPECT_EQ(utf8_prefix(""), 0U);
  EXPECT_EQ(utf8_prefix("上海\n"), 7U);
  EXPECT_EQ(utf8_prefix("a上\xE6\xB5"), 4U);
  EXPECT_EQ(utf8_prefix("a\x80上"), 1U);
  EXPECT_EQ(utf8_prefix("\xF0\x9F\x98\x80\xF5"), 4U);
}

// Inputs made of what matters to the grammar, so that most are near its edges.
std::string random_input(std::mt19937_64& random, const std::vector<std::string>& pieces) {
  std::string input;
  for (std::uint64_t n = random() % 24; n > 0; --n) input += pieces[random() % pieces.size()];
  return input;
}

TEST(CsvProperty, AnyChunkingGivesTheSame) {
  const std::vector<std::string> pieces = {
      "a",      "b",   ",",   ",",  "\"",   "\"",   "\"\"", "\n",           "\r\n", "\r",
      "\"\n\"", ",\"", "\",", "上", "\xFF", "\xE4", "\0"s,  "\xEF\xBB\xBF", "1234", " "};
  for (std::uint64_t seed = 1; seed <= 4000; ++seed) {
    std::mt19937_64 random(seed);
    const std::string input = random_input(random, pieces);
    SCOPED_TRACE("seed " + std::to_string(seed) + ": " + testing::PrintToString(input));
    read_every_way(input, {.field_bytes = 12, .record_bytes = 24, .columns = 6});
    if (HasFailure()) return;
  }
}

struct Rows {
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> cells;
};

// What libcsv makes of it, strict and without its trimming of spaces; nullopt: refused.
std::optional<std::vector<std::vector<std::string>>> read_by_libcsv(const std::string& input) {
  csv_parser parser;
  const unsigned char strict = CSV_STRICT | CSV_STRICT_FINI;
  if (csv_init(&parser, strict) != 0) return std::nullopt;
  csv_set_space_func(&parser, [](unsigned char) { return 0; });
  const auto on_cell = [](void* text, std::size_t size, void* rows) {
    static_cast<Rows*>(rows)->cells.emplace_back(static_cast<const char*>(text), size);
  };
  const auto on_row = [](int, void* rows) {
    auto& made = *static_cast<Rows*>(rows);
    made.rows.push_back(std::move(made.cells));
    made.cells.clear();
  };
  Rows rows;
  const bool good =
      csv_parse(&parser, input.data(), input.size(), on_cell, on_row, &rows) == input.size() &&
      csv_fini(&parser, on_cell, on_row, &rows) == 0;
  csv_free(&parser);
  return good ? std::optional(rows.rows) : std::nullopt;
}

TEST(CsvProperty, AgreesWithLibcsv) {
  const std::vector<std::string> pieces = {"a",      "b",  ",",    ",",      "\"",  "\"\"",
                                           "\n",     "\n", "\r\n", "\"\n\"", ",\"", "\",\"",
                                           "\"\r\n", "上", " ",    "\"x",    "y\""};
  int accepted = 0;
  int refused = 0;
  for (std::uint64_t seed = 1; seed <= 60000; ++seed) {
    std::mt19937_64 random(seed);
    const std::string input = random_input(random, pieces);
    const Reading ours = read_at_once(input);
    const auto theirs = read_by_libcsv(input);
    ++(theirs ? accepted : refused);
    const std::string trace = "seed " + std::to_string(seed) + ": " + testing::PrintToString(input);
    // Only a CR that no LF follows is refused by us and taken as a line end by libcsv.
    const bool bare_cr = ours.fault && ours.fault->complaint.starts_with("a carriage");
    if (!bare_cr) {
      ASSERT_EQ(theirs.has_value(), !ours.fault.has_value()) << trace;
    }
    if (theirs && !ours.fault) {
      ASSERT_EQ(texts(ours), *theirs) << trace;
    }
  }
  EXPECT_GT(accepted, 5000);
  EXPECT_GT(refused, 5000);
}

TEST(CsvProperty, WhatIsAppendedIsReadBack) {
  const std::vector<std::string> pieces = {"a", ",", "\"", "\n",           "\r", " ",
                                           "'", "=", "上", "\xEF\xBB\xBF", ""};
  for (std::uint64_t seed = 1; seed <= 20000; ++seed) {
    std::mt19937_64 random(seed);
    std::vector<std::vector<std::string>> rows(1 + random() % 3);
    const std::size_t columns = 1 + random() % 3;
    std::string text;
    for (auto& row : rows) {
      for (std::size_t i = 0; i < columns; ++i) row.push_back(random_input(random, pieces));
      const std::vector<std::string_view> cells(row.begin(), row.end());
      append_record(text, cells);
    }
    const Reading back = read_at_once(text);
    const std::string trace = "seed " + std::to_string(seed) + ": " + testing::PrintToString(text);
    ASSERT_FALSE(back.fault.has_value()) << trace;
    ASSERT_EQ(texts(back), rows) << trace;
  }
}

}  // namespace
}  // namespace sagorder::csv
