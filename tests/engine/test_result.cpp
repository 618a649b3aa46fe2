#include "engine/result.hpp"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <chrono>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "engine/expect.hpp"
#include "tests/engine/allocations.hpp"

namespace sagorder {
namespace {

using namespace std::string_literals;
using Strings = std::vector<std::string>;

constexpr WallTime kAt{std::chrono::sys_days(std::chrono::year(2026) / 2 / 3) +
                       std::chrono::hours(4) + std::chrono::minutes(5) + seconds(6) +
                       milliseconds(7)};
constexpr std::string_view kHeader =
    "Row,Status,OrderId,SmartAGId,RequestId,Code,Message,HttpStatus,Attempts,LatencyMs,FinishedAt";

Cells cells_of(const Strings& texts) {
  Cells cells;
  for (const std::string& text : texts) cells.push_back(text);
  return cells;
}

Record placed_record() {
  Record record;
  record.kind = RecordKind::placed;
  record.row = Row{7};
  record.attempt = Attempt{2};
  record.at = kAt;
  record.http_status = 200;
  record.latency = milliseconds(321);
  record.order_id = "202778336800296";
  record.sag_id = "sag-gnhe6";
  record.request_id = "B35789C0";
  return record;
}

std::string line_of(ResultFormat format, const Record& record, const Strings& columns,
                    const Strings& cells) {
  std::string out;
  ResultWriter(format, columns).line(record, Attempt{2}, cells_of(cells), out);
  return out;
}

/// The one line's input cell as it stands in the file.
std::string cell_in(ResultFormat format, const std::string& cell) {
  const std::string line = line_of(format, placed_record(), {"C"}, {cell});
  const bool csv = format == ResultFormat::csv;
  const std::string_view before = csv ? ".007Z," : "\"C\":";
  const std::size_t after = csv ? 1 : 2;  // the line end; and a brace
  const std::size_t at = line.find(before) + before.size();
  return line.substr(at, line.size() - at - after);
}

TEST(ResultWriter, WritesCsv) {
  std::string out;
  const ResultWriter writer(ResultFormat::csv, {"RegionId", "Note, \"long\"", "=cmd"});
  writer.header(out);
  EXPECT_EQ(out, std::string(kHeader) + ",RegionId,\"Note, \"\"long\"\"\",'=cmd\n");
  out.clear();
  writer.line(placed_record(), Attempt{2}, cells_of({"cn-shanghai", "a\nb", ""}), out);
  EXPECT_EQ(out,
            "7,placed,202778336800296,sag-gnhe6,B35789C0,,,200,2,321,2026-02-03T04:05:06.007Z,"
            "cn-shanghai,\"a\nb\",\n");
}

TEST(ResultWriter, WritesJsonLines) {
  std::string out;
  const ResultWriter writer(ResultFormat::json_lines, {"RegionId", "N\"o\\te"});
  writer.header(out);
  EXPECT_EQ(out, "");
  writer.line(placed_record(), Attempt{2}, cells_of({"cn-shanghai", "=a\n"}), out);
  EXPECT_EQ(out,
            R"({"Row":7,"Status":"placed","OrderId":"202778336800296","SmartAGId":"sag-gnhe6",)"
            R"("RequestId":"B35789C0","Code":"","Message":"","HttpStatus":200,"Attempts":2,)"
            R"("LatencyMs":321,"FinishedAt":"2026-02-03T04:05:06.007Z","RegionId":"cn-shanghai",)"
            R"("N\"o\\te":"=a\n"})"
            "\n");
}

TEST(ResultWriter, WritesEveryOutcome) {
  Record record = placed_record();
  const auto start = [&](RecordKind kind) {
    record.kind = kind;
    return line_of(ResultFormat::csv, record, {}, {}).substr(0, 11);
  };
  EXPECT_EQ(start(RecordKind::placed), "7,placed,20");
  EXPECT_EQ(start(RecordKind::resolved_placed), "7,placed,20");
  EXPECT_EQ(start(RecordKind::rejected), "7,rejected,");
  EXPECT_EQ(start(RecordKind::in_doubt), "7,in_doubt,");
  for (const RecordKind kind : {RecordKind::intent, RecordKind::not_executed, RecordKind::replay,
                                RecordKind::resolved_not_placed}) {
    EXPECT_THROW(start(kind), BrokenPromise);
  }
  EXPECT_THROW(line_of(ResultFormat::csv, placed_record(), {"A"}, {}), BrokenPromise);
}

TEST(ResultWriter, WritesWhatWasNeverSent) {
  std::string csv;
  std::string json;
  ResultWriter(ResultFormat::csv, {"A"}).invalid(Row{3}, "no, \"x\"", kAt, cells_of({"x"}), csv);
  ResultWriter(ResultFormat::json_lines, {"A"}).invalid(Row{3}, "no", kAt, cells_of({"x"}), json);
  EXPECT_EQ(csv, "3,invalid,,,,,\"no, \"\"x\"\"\",,0,0,2026-02-03T04:05:06.007Z,x\n");
  EXPECT_EQ(json,
            R"({"Row":3,"Status":"invalid","OrderId":"","SmartAGId":"","RequestId":"","Code":"",)"
            R"("Message":"no","HttpStatus":null,"Attempts":0,"LatencyMs":0,)"
            R"("FinishedAt":"2026-02-03T04:05:06.007Z","A":"x"})"
            "\n");
}

TEST(ResultWriter, DefusesWhatASpreadsheetWouldRun) {
  const auto cell = [](const std::string& text) { return cell_in(ResultFormat::csv, text); };
  for (const std::string text :
       {"=1+1", "+1", "-5", "@SUM(A1)", "\tx", "＝1", "＋1", "－1", "＠x"}) {
    EXPECT_EQ(cell(text), "'" + text);
    EXPECT_NE(cell_in(ResultFormat::json_lines, text).front(), '\'') << text;
  }
  EXPECT_EQ(cell("=HYPERLINK(\"x\",\"y\")"), "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\"");
  EXPECT_EQ(cell("\r=1"), "\"'\r=1\"");
  EXPECT_EQ(cell("\n=1"), "\"'\n=1\"");
  for (const std::string text : {"", "a=1", "5-6", "'=1", " x", "上"}) EXPECT_EQ(cell(text), text);
}

TEST(ResultWriter, DefusesTheServersText) {
  Record record = placed_record();
  record.order_id = "=1";
  record.sag_id = "+1";
  record.request_id = "@x";
  record.code = "-1";
  record.message = "=cmd|' /C calc'!A0";
  EXPECT_EQ(line_of(ResultFormat::csv, record, {}, {}).substr(0, 51),
            "7,placed,'=1,'+1,'@x,'-1,'=cmd|' /C calc'!A0,200,2,");
}

TEST(ResultWriter, NeverWritesWhatIsNotText) {
  for (const ResultFormat format : {ResultFormat::csv, ResultFormat::json_lines}) {
    const auto cell = [&](const std::string& text) {
      const std::string written = cell_in(format, text);
      return format == ResultFormat::csv ? written : written.substr(1, written.size() - 2);
    };
    EXPECT_EQ(cell("a\xFF"
                   "b"),
              "a\xEF\xBF\xBD"
              "b");
    EXPECT_EQ(cell("\xE4\xB8"), "\xEF\xBF\xBD");
    EXPECT_EQ(cell("x\x80\x80上"), "x\xEF\xBF\xBD上");
    EXPECT_EQ(cell("\xED\xA0\x80"), "\xEF\xBF\xBD");
  }
  EXPECT_EQ(cell_in(ResultFormat::csv, "a\0b"s),
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(cell_in(ResultFormat::json_lines, "a\0\x1f\b\"\\\r\n\t\x7f"s),
            "\"a\\u0000\\u001f\\u0008\\\"\\\\\\r\\n\\t\x7f\"");
}

TEST(ResultWriter, TamesTheServersText) {
  Record record = placed_record();
  record.kind = RecordKind::rejected;
  record.code = "Bad\x1b[2J";
  record.message = "a\r\nb\0c\x7f\xC2\x9B\xC2\xA0\xFF"s;
  const std::string tamed = "Bad [2J,\"a  b c  \xC2\xA0\xEF\xBF\xBD\",200";
  EXPECT_NE(line_of(ResultFormat::csv, record, {}, {}).find(tamed), std::string::npos);
  EXPECT_NE(line_of(ResultFormat::json_lines, record, {}, {})
                .find("\"Bad [2J\",\"Message\":\"a  b c  \xC2\xA0\xEF\xBF\xBD\""),
            std::string::npos);
}

TEST(ResultWriter, NoLineIsTooLongToBeReadBack) {
  Record record = placed_record();
  for (std::string* text : {&record.sag_id, &record.request_id, &record.code, &record.message}) {
    text->assign(1'000'000, '"');
  }
  // The widest input: a whole record of bytes that take six each, under a header of the same.
  Strings columns;
  Strings cells;
  for (std::size_t i = 0; i < 8; ++i) {
    columns.push_back(std::string(csv::kFieldBytesMax - 1, '\x01') + static_cast<char>('a' + i));
    cells.emplace_back(csv::kFieldBytesMax, '\x01');
  }
  for (const ResultFormat format : {ResultFormat::csv, ResultFormat::json_lines}) {
    std::string file;
    ResultWriter(format, columns).header(file);
    file += line_of(format, record, columns, cells);
    ResultScanner scanner(format, columns);
    ResultKey key;
    std::size_t at = 0;
    std::size_t lines = 0;
    while (at < file.size()) {
      const auto step = scanner.next(std::string_view(file).substr(at), true, key);
      ASSERT_EQ(step.what, ResultScan::line);
      ASSERT_LE(step.consumed, kResultLineBytesMax);
      at += step.consumed;
      ++lines;
    }
    EXPECT_EQ(lines, format == ResultFormat::csv ? 2U : 1U);
  }
}

TEST(ResultWriter, WritesWithoutAllocating) {
  const Cells cells = cells_of({"cn-shanghai", "=a,\"b\"", "上海\xFF"});
  Record record = placed_record();
  record.message = "a message\nof \"two\" lines, longer than any small string";
  for (const ResultFormat format : {ResultFormat::csv, ResultFormat::json_lines}) {
    const ResultWriter writer(format, {"A", "B", "C"});
    std::string out;
    writer.line(record, Attempt{1}, cells, out);
    out.reserve(101 * out.size());
    const std::uint64_t before = allocations_on_this_thread();
    for (int i = 0; i < 50; ++i) {
      writer.line(record, Attempt{1}, cells, out);
      writer.invalid(Row{1}, "why", kAt, cells, out);
    }
    EXPECT_EQ(allocations_on_this_thread() - before, 0U);
  }
}

TEST(ResultStatus, BelongsToSettledStates) {
  EXPECT_EQ(status_of(State::pending), std::nullopt);
  EXPECT_EQ(status_of(State::intended), std::nullopt);
  EXPECT_EQ(status_of(State::placed), ResultStatus::placed);
  EXPECT_EQ(status_of(State::rejected), ResultStatus::rejected);
  EXPECT_EQ(status_of(State::in_doubt), ResultStatus::in_doubt);
  EXPECT_EQ(name_of(ResultStatus::in_doubt), "in_doubt");
  EXPECT_EQ(name_of(ResultStatus::invalid), "invalid");
}

// --- Reading back ---

struct Scan {
  std::vector<std::string> keys;  ///< `row status order_id`
  ResultScan how = ResultScan::end;
  std::size_t kept = 0;  ///< bytes of whole lines
  std::size_t headers = 0;
  bool operator==(const Scan&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Scan& scan) {
  return out << testing::PrintToString(scan.keys) << " ended as " << static_cast<int>(scan.how)
             << " after " << scan.kept;
}

/// Offers `cut` bytes first, then all; 0: one more byte at a time.
Scan scan_cut(std::string_view file, ResultFormat format, const Strings& columns, std::size_t cut) {
  ResultScanner scanner(format, columns);
  ResultKey key;
  Scan scan;
  std::size_t seen = cut == 0 ? 1 : cut;
  while (true) {
    seen = std::min(seen, file.size());
    const bool last = seen == file.size();
    const std::string offer(file.substr(scan.kept, seen - scan.kept));
    const auto step = scanner.next(offer, last, key);
    if (step.need_more) {
      EXPECT_FALSE(last);
      if (last) return scan;
      seen = cut == 0 ? seen + 1 : file.size();
      continue;
    }
    scan.how = step.what;
    if (step.what != ResultScan::line) return scan;
    scan.kept += step.consumed;
    scan.headers += step.header ? 1 : 0;
    if (step.header) continue;
    scan.keys.push_back(std::to_string(key.row.value) + " " + std::string(name_of(key.status)) +
                        " " + key.order_id);
  }
}

Scan scan_every_way(std::string_view file, ResultFormat format, const Strings& columns) {
  const Scan whole = scan_cut(file, format, columns, std::max<std::size_t>(file.size(), 1));
  for (std::size_t cut = 0; cut < file.size(); ++cut) {
    EXPECT_EQ(scan_cut(file, format, columns, cut), whole) << "cut at " << cut;
  }
  return whole;
}

std::string file_of(ResultFormat format, const Strings& columns, const Strings& cells) {
  std::string file;
  const ResultWriter writer(format, columns);
  writer.header(file);
  Record record = placed_record();
  writer.line(record, Attempt{1}, cells_of(cells), file);
  record.kind = RecordKind::in_doubt;
  record.row = Row{12};
  record.order_id.clear();
  record.http_status = 0;
  writer.line(record, Attempt{1}, cells_of(cells), file);
  writer.invalid(Row{1}, "Period is \"0\"\nand so on", kAt, cells_of(cells), file);
  return file;
}

TEST(ResultScanner, ReadsBackWhatWasWritten) {
  for (const ResultFormat format : {ResultFormat::csv, ResultFormat::json_lines}) {
    const Strings columns = {"RegionId", "N,o\"te\\"};
    const std::string file = file_of(format, columns, {"=\n\"x\"", "上\\"});
    const Scan scan = scan_every_way(file, format, columns);
    EXPECT_EQ(scan.keys, (Strings{"7 placed 202778336800296", "12 in_doubt ", "1 invalid "}));
    EXPECT_EQ(scan.how, ResultScan::end);
    EXPECT_EQ(scan.kept, file.size());
    EXPECT_EQ(scan.headers, format == ResultFormat::csv ? 1U : 0U);
  }
}

TEST(ResultScanner, AnEmptyFileHasNothing) {
  for (const ResultFormat format : {ResultFormat::csv, ResultFormat::json_lines}) {
    ResultScanner scanner(format, {"A"});
    ResultKey key;
    EXPECT_TRUE(scanner.next("", false, key).need_more);
    const auto step = scanner.next("", true, key);
    EXPECT_EQ(step.what, ResultScan::end);
    EXPECT_FALSE(step.need_more);
  }
}

TEST(ResultScanner, WhereverAFileIsTornTheWholeLinesCount) {
  const Strings columns = {"RegionId", "Note"};
  for (const ResultFormat format : {ResultFormat::csv, ResultFormat::json_lines}) {
    const std::string file = file_of(format, columns, {"cn", "a\n\"b\"\n上"});
    const Scan whole = scan_every_way(file, format, columns);
    for (std::size_t size = 1; size < file.size(); ++size) {
      const Scan torn = scan_every_way(file.substr(0, size), format, columns);
      const bool at_a_line = torn.kept == size;
      ASSERT_EQ(torn.how, at_a_line ? ResultScan::end : ResultScan::torn) << size;
      ASSERT_LE(torn.kept, size);
      ASSERT_EQ(torn.keys, Strings(whole.keys.begin(),
                                   whole.keys.begin() + static_cast<long>(torn.keys.size())));
    }
  }
}

TEST(ResultScanner, RefusesFilesThatAreNotOurs) {
  const auto how = [](std::string_view file, ResultFormat format) {
    return scan_every_way(file, format, {"A"}).how;
  };
  const std::string header = std::string(kHeader) + ",A\n";
  const std::string good = "7,placed,1,,,,,200,1,3,2026-02-03T04:05:06.007Z,x\n";
  ASSERT_EQ(how(header + good, ResultFormat::csv), ResultScan::end);
  const std::vector<std::string> not_csv = {
      "hello",
      "hello\n",
      "{\"Row\":1}\n",
      std::string(kHeader) + "\n",
      std::string(kHeader) + ",B\n",
      std::string(kHeader) + ",A,B\n",
      std::string(kHeader) + ",A\r\n",
      "Row,Status,OrderIdx",
      "\0\0\0"s,
      good,
      header + header,
      header + "0,placed,1,,,,,200,1,3,t,x\n",
      header + "07,placed,1,,,,,200,1,3,t,x\n",
      header + "7,done,1,,,,,200,1,3,t,x\n",
      header + "7,placed,1,,,,,200,1,3,t\n",
      header + "7,placed,1,,,,,200,1,3,t,x,y\n",
      header + "7,placed,1,,,,,200,1,3,t,x\"\n",
      header + "\0\0\0\0"s,
      header + "18446744073709551616,placed,1,,,,,200,1,3,t,x\n",
      header + "-7,placed,,,,,,,,,,\n"};
  for (const std::string& file : not_csv) {
    EXPECT_EQ(how(file, ResultFormat::csv), ResultScan::not_ours) << file;
  }
  std::string json;
  ResultWriter(ResultFormat::json_lines, {"A"})
      .line(placed_record(), Attempt{1}, cells_of({"x"}), json);
  ASSERT_EQ(how(json, ResultFormat::json_lines), ResultScan::end);
  const std::vector<std::string> not_json = {"hello",
                                             "hello\n",
                                             "{}\n",
                                             "[1]\n",
                                             "\n",
                                             "{\"Row\":1}\n",
                                             "{\"row",
                                             "\0\0"s,
                                             header,
                                             json + "\n",
                                             json.substr(0, json.size() - 1) + "\r\n",
                                             json.substr(0, json.size() - 2) + ",\"B\":\"x\"}\n",
                                             "{\"Row\":0" + json.substr(8),
                                             "{\"Row\":07" + json.substr(8),
                                             "{\"Row\":\"7\"" + json.substr(8),
                                             " " + json};
  for (const std::string& file : not_json) {
    EXPECT_EQ(how(file, ResultFormat::json_lines), ResultScan::not_ours) << file;
  }
}

// --- Properties ---

std::string random_text(std::mt19937_64& random) {
  static const Strings kPieces = {
      "a",  "b",  "1",    ",",    "\"",   "\n",  "\r",   "\r\n", "'",        "=", "-", "\t", "\\",
      "上", "＝", "\xFF", "\xC2", "\x80", "\0"s, "\x1b", "\x7f", "\xC2\x9B", " ", "{", "}",  ":"};
  std::string text;
  for (std::uint64_t n = random() % 8; n > 0; --n) text += kPieces[random() % kPieces.size()];
  return text;
}

Record random_record(std::mt19937_64& random) {
  constexpr RecordKind kKinds[] = {RecordKind::placed, RecordKind::rejected, RecordKind::in_doubt,
                                   RecordKind::resolved_placed};
  Record record = placed_record();
  record.kind = kKinds[random() % 4];
  record.row = Row{1 + random() % 1000};
  record.http_status = random() % 2 == 0 ? 0 : 503;
  record.order_id = random() % 2 == 0 ? "" : std::to_string(random());
  for (std::string* text : {&record.sag_id, &record.request_id, &record.code, &record.message}) {
    *text = random_text(random);
  }
  return record;
}

// What a CSV reader finds in a cell: defused, and text.
std::string as_read(const std::string& cell) {
  std::string read;
  for (std::size_t at = 0; at < cell.size();) {
    const std::size_t good = csv::utf8_prefix(std::string_view(cell).substr(at));
    for (const char c : cell.substr(at, good)) {
      if (c == '\0') {
        read += "\xEF\xBF\xBD";
      } else {
        read += c;
      }
    }
    at += good;
    if (at == cell.size()) break;
    read += "\xEF\xBF\xBD";
    ++at;
    while (at < cell.size() && (static_cast<unsigned char>(cell[at]) & 0xC0U) == 0x80U) ++at;
  }
  for (const std::string_view start : {"=", "+", "-", "@", "\t", "\r", "\n", "＝"}) {
    if (cell.starts_with(start)) return "'" + read;
  }
  return read;
}

TEST(ResultProperty, ACsvLineReadBackHasTheSameCells) {
  for (std::uint64_t seed = 1; seed <= 5000; ++seed) {
    std::mt19937_64 random(seed);
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Record record = random_record(random);
    const Strings cells = {random_text(random), random_text(random)};
    const std::string line = line_of(ResultFormat::csv, record, {"A", "B"}, cells);
    csv::Reader reader;
    csv::Record read;
    const csv::Result result = reader.next(line, true, read);
    ASSERT_EQ(result.status, csv::Status::record) << result.complaint << '\n' << line;
    ASSERT_EQ(result.consumed, line.size());
    ASSERT_EQ(read.fields.size(), 13U);
    ASSERT_EQ(read.fields[2].text, record.order_id);
    ASSERT_EQ(read.fields[11].text, as_read(cells[0]));
    ASSERT_EQ(read.fields[12].text, as_read(cells[1]));
  }
}

TEST(ResultProperty, AJsonLineIsJson) {
  simdjson::dom::parser parser;
  for (std::uint64_t seed = 1; seed <= 5000; ++seed) {
    std::mt19937_64 random(seed);
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Record record = random_record(random);
    const std::string cell = random_text(random);
    const std::string line = line_of(ResultFormat::json_lines, record, {"A\"\n"}, {cell});
    ASSERT_EQ(line.find('\n'), line.size() - 1);
    simdjson::dom::object object;
    ASSERT_EQ(parser.parse(line).get(object), simdjson::SUCCESS) << line;
    ASSERT_EQ(object.size(), 12U);
    std::string_view text;
    ASSERT_EQ(object["OrderId"].get(text), simdjson::SUCCESS);
    ASSERT_EQ(text, record.order_id);
    std::uint64_t row = 0;
    ASSERT_EQ(object["Row"].get(row), simdjson::SUCCESS);
    ASSERT_EQ(row, record.row.value);
    ASSERT_EQ(object["HttpStatus"].is_null(), record.http_status == 0);
    if (csv::utf8_prefix(cell) == cell.size()) {
      std::string_view read;
      for (const auto member : object) {
        if (member.key == "A\"\n") read = member.value.get_string().value();
      }
      ASSERT_EQ(read, cell);
    }
  }
}

TEST(ResultProperty, AWrittenFileScansToTheSameKeysAtEveryCut) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    for (const ResultFormat format : {ResultFormat::csv, ResultFormat::json_lines}) {
      std::mt19937_64 random(seed);
      SCOPED_TRACE("seed " + std::to_string(seed));
      const Strings columns = {"A" + random_text(random), "B" + random_text(random)};
      const ResultWriter writer(format, columns);
      std::string file;
      Strings keys;
      writer.header(file);
      for (std::uint64_t n = random() % 5; n > 0; --n) {
        const Record record = random_record(random);
        writer.line(record, Attempt{1}, cells_of({random_text(random), random_text(random)}), file);
        const bool placed =
            record.kind == RecordKind::placed || record.kind == RecordKind::resolved_placed;
        keys.push_back(std::to_string(record.row.value) + " " +
                       (placed ? "placed" : std::string(name_of(record.kind))) + " " +
                       record.order_id);
      }
      const Scan scan = scan_every_way(file, format, columns);
      ASSERT_EQ(scan.keys, keys);
      ASSERT_EQ(scan.how, ResultScan::end);
      if (HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace sagorder
