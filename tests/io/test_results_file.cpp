#include "io/results_file.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <utility>

#include "io/ledger.hpp"
#include "tests/io/temporary_directory.hpp"

namespace sagorder::io {
namespace {

using Content = ResultsFile::Content;
using Fix = ResultsFile::Fix;
const std::vector<std::string> kColumns = {"RegionId", "Note"};

Record placed(std::uint64_t row) {
  Record record;
  record.kind = RecordKind::placed;
  record.row = Row{row};
  record.attempt = Attempt{1};
  record.order_id = std::to_string(20'000 + row);
  record.http_status = 200;
  return record;
}

Cells cells_of(std::uint64_t row) {
  Cells cells;
  cells.push_back("cn-shanghai");
  cells.push_back("=\"a\"\nrow, " + std::to_string(row));
  return cells;
}

std::string line_of(ResultFormat format, std::uint64_t row) {
  std::string line;
  ResultWriter(format, kColumns).line(placed(row), Attempt{1}, cells_of(row), line);
  return line;
}

std::string header_of(ResultFormat format) {
  std::string header;
  ResultWriter(format, kColumns).header(header);
  return header;
}

struct Seen {
  ResultsFile::Scan scan;
  std::vector<std::uint64_t> rows;
};

Seen scan(ResultsFile& file) {
  Seen seen;
  seen.scan = file.scan([&](const ResultKey& key) { seen.rows.push_back(key.row.value); });
  return seen;
}

class ResultsFileOf : public testing::TestWithParam<const char*> {
 protected:
  [[nodiscard]] std::string path() const { return directory / GetParam(); }
  [[nodiscard]] ResultFormat format() const { return result_format_of(GetParam()); }
  [[nodiscard]] std::string line(std::uint64_t row) const { return line_of(format(), row); }
  [[nodiscard]] std::string header() const { return header_of(format()); }
  TemporaryDirectory directory;
};
INSTANTIATE_TEST_SUITE_P(BothFormats, ResultsFileOf, testing::Values("r.csv", "r.jsonl"),
                         [](const auto& chosen) { return std::string(chosen.param).substr(2); });

TEST(ResultsFile, FormatIsByTheExtension) {
  EXPECT_EQ(result_format_of("a.jsonl"), ResultFormat::json_lines);
  EXPECT_EQ(result_format_of("a.csv.json"), ResultFormat::json_lines);
  EXPECT_EQ(result_format_of("a.csv"), ResultFormat::csv);
  EXPECT_EQ(result_format_of("json"), ResultFormat::csv);
}

TEST_P(ResultsFileOf, AppendsAndReadsBack) {
  {
    ResultsFile file(path(), kColumns);
    EXPECT_TRUE(file.created());
    EXPECT_EQ(mode_of(path()), 0600U);
    file.append(line(2) + line(1));
    file.append("");
    file.append(line(3));
    file.sync();
  }
  EXPECT_EQ(content_of(path()), header() + line(2) + line(1) + line(3));
  ResultsFile file(path(), kColumns);
  EXPECT_FALSE(file.created());
  const Seen seen = scan(file);
  EXPECT_EQ(seen.scan.content, Content::lines);
  EXPECT_EQ(seen.scan.lines, 3U);
  EXPECT_EQ(seen.scan.torn_bytes, 0U);
  EXPECT_EQ(seen.rows, (std::vector<std::uint64_t>{2, 1, 3}));
  file.append(line(4));
  EXPECT_EQ(content_of(path()), header() + line(2) + line(1) + line(3) + line(4));
}

TEST_P(ResultsFileOf, IsReadInChunks) {
  {
    ResultsFile file(path(), kColumns);
    std::string lines;
    for (std::uint64_t row = 1; row <= 20'000; ++row) lines += line(row);
    ASSERT_GT(lines.size(), 1'000'000U);
    file.append(lines);
  }
  ResultsFile file(path(), kColumns);
  const Seen seen = scan(file);
  ASSERT_EQ(seen.rows.size(), 20'000U);
  EXPECT_EQ(seen.rows.back(), 20'000U);
  EXPECT_EQ(seen.scan.content, Content::lines);
}

TEST_P(ResultsFileOf, TornTailIsCutWhereverItTore) {
  const std::string whole = header() + line(1) + line(2);
  const std::string last = line(3);
  for (std::size_t kept = 1; kept < last.size(); ++kept) {
    put(path(), whole + last.substr(0, kept));
    ResultsFile file(path(), kColumns);
    const Seen seen = scan(file);
    ASSERT_EQ(seen.rows.size(), 2U) << kept;
    EXPECT_EQ(seen.scan.torn_bytes, kept);
    EXPECT_EQ(seen.scan.content, Content::lines);
    file.cut_torn_tail();
    ASSERT_EQ(content_of(path()), whole) << kept;
    file.append(last);
    ASSERT_EQ(content_of(path()), whole + last) << kept;
  }
}

TEST_P(ResultsFileOf, TornFirstWriteIsOurs) {
  const std::string start = (header() + line(1)).substr(0, 7);
  put(path(), start);
  ResultsFile file(path(), kColumns);
  const Seen seen = scan(file);
  EXPECT_EQ(seen.scan.content, Content::empty);
  EXPECT_EQ(seen.scan.torn_bytes, 7U);
  file.append(line(1));
  EXPECT_EQ(content_of(path()), header() + line(1));
}

TEST_P(ResultsFileOf, ForeignFileIsNotTouched) {
  for (const std::string& text :
       {std::string("a shopping list"), std::string("Row,Status\n1,placed\n"),
        std::string("{\"name\":1}\n"), header_of(ResultFormat::csv).substr(0, 20) + "x\n"}) {
    put(path(), text);
    ResultsFile file(path(), kColumns);
    EXPECT_EQ(scan(file).scan.content, Content::foreign) << text;
    file.cut_torn_tail();
    EXPECT_THROW(file.append(line(1)), std::logic_error);
    EXPECT_EQ(content_of(path()), text);
  }
}

TEST_P(ResultsFileOf, BrokenInTheMiddleIsToBeRebuilt) {
  for (const std::string& damage : {std::string(4096, '\0'), std::string("nonsense\n")}) {
    put(path(), header() + line(1) + damage + line(2));
    ResultsFile file(path(), kColumns);
    const Seen seen = scan(file);
    EXPECT_EQ(seen.scan.content, Content::broken);
    EXPECT_EQ(seen.rows, std::vector<std::uint64_t>{1});
    EXPECT_THROW(file.append(line(3)), std::logic_error);
    file.rebuild([&](const ResultsFile::Sink& sink) {
      sink(line(1));
      sink(line(2));
    });
    EXPECT_EQ(content_of(path()), header() + line(1) + line(2));
    file.append(line(3));
    EXPECT_EQ(content_of(path()), header() + line(1) + line(2) + line(3));
  }
}

// A power loss leaves a part of the first line, and zeros; what somebody else began does not.
TEST_P(ResultsFileOf, ZerosInTheFirstLineAreDamage) {
  const std::string first = (header() + line(1)).substr(0, (header() + line(1)).find('\n'));
  for (std::size_t kept = 0; kept <= first.size(); ++kept) {
    put(path(), first.substr(0, kept) + std::string(4096, '\0') + "\n" + line(2));
    ResultsFile file(path(), kColumns);
    EXPECT_EQ(scan(file).scan.content, Content::broken) << kept;
  }
  for (const char* begun : {"Rows", "{\"Rom\":1", "hello"}) {
    put(path(), begun + std::string(4096, '\0') + "\n");
    ResultsFile file(path(), kColumns);
    EXPECT_EQ(scan(file).scan.content, Content::foreign) << begun;
  }
}

TEST_P(ResultsFileOf, IsNotAppendedToUnread) {
  put(path(), header() + line(1));
  ResultsFile file(path(), kColumns);
  EXPECT_THROW(file.append(line(2)), std::logic_error);
}

TEST_P(ResultsFileOf, RewritesLineByLine) {
  ResultsFile file(path(), kColumns);
  file.append(line(1) + line(2) + line(3) + line(4));
  const ResultWriter writer(format(), kColumns);
  file.rewrite(
      [](const ResultKey& key) {
        if (key.row.value == 2) return Fix::drop;
        return key.row.value == 3 ? Fix::replace : Fix::keep;
      },
      [&](const ResultKey& key, const Cells& cells, std::string& out) {
        EXPECT_EQ(key.row.value, 3U);
        EXPECT_EQ(key.order_id, "20003");
        Record other = placed(3);
        other.order_id = "777";
        writer.line(other, Attempt{1}, cells, out);
      });
  std::string replaced = line(3);
  replaced.replace(replaced.find("20003"), 5, "777");
  EXPECT_EQ(content_of(path()), header() + line(1) + replaced + line(4));
  EXPECT_EQ(directory.entries(), 1U);
  file.append(line(5));
  EXPECT_EQ(content_of(path()), header() + line(1) + replaced + line(4) + line(5));
}

TEST_P(ResultsFileOf, RewriteThatFailsChangesNothing) {
  ResultsFile file(path(), kColumns);
  file.append(line(1) + line(2));
  const auto fail = [](const ResultKey&) -> Fix { throw OutputError("interrupted"); };
  EXPECT_THROW(file.rewrite(fail, {}), OutputError);
  EXPECT_EQ(content_of(path()), header() + line(1) + line(2));
  EXPECT_EQ(directory.entries(), 1U);
}

int exit_code_of_another(const std::string& path) {
  const pid_t child = ::fork();
  if (child == 0) {
    int code = 0;
    try {
      ResultsFile file(path, kColumns);
    } catch (const LedgerBusy&) {
      code = 75;
    } catch (...) {
      code = 1;
    }
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}

TEST_P(ResultsFileOf, IsHeldByOneProcess) {
  {
    ResultsFile file(path(), kColumns);
    EXPECT_EQ(exit_code_of_another(path()), 75);
    file.append(line(1));
    file.rebuild([&](const ResultsFile::Sink& sink) { sink(line(1)); });
    EXPECT_EQ(exit_code_of_another(path()), 75) << "the new file is locked too";
  }
  EXPECT_EQ(exit_code_of_another(path()), 0);
}

TEST_P(ResultsFileOf, FailedAppendLeavesWholeLines) {
  ResultsFile file(path(), kColumns);
  file.append(line(1));
  const std::string before = content_of(path());
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{before.size() + 30, limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto complaint = complaint_of<OutputError>([&] { file.append(line(2)); });
  ::setrlimit(RLIMIT_FSIZE, &limit);
  ::signal(SIGXFSZ, handler);
  EXPECT_TRUE(has(complaint, path())) << complaint;
  EXPECT_TRUE(has(complaint, "cannot write")) << complaint;
  EXPECT_EQ(content_of(path()), before);
  file.append(line(2));
  EXPECT_EQ(content_of(path()), before + line(2));
}

TEST_P(ResultsFileOf, NoticesThatItWasRemoved) {
  ResultsFile file(path(), kColumns);
  file.append(line(1));
  std::filesystem::remove(path());
  EXPECT_TRUE(has(complaint_of<OutputError>([&] { file.sync(); }), "removed"));
}

TEST_P(ResultsFileOf, UnusedOneIsRemoved) {
  ResultsFile(path(), kColumns).remove_if_unused();
  EXPECT_FALSE(std::filesystem::exists(path()));
  put(path(), "");
  ResultsFile(path(), kColumns).remove_if_unused();
  EXPECT_TRUE(std::filesystem::exists(path())) << "it was there before";
  std::filesystem::remove(path());
  ResultsFile file(path(), kColumns);
  file.append(line(1));
  file.remove_if_unused();
  EXPECT_TRUE(std::filesystem::exists(path()));
}

TEST_P(ResultsFileOf, IsNotWrittenThroughALink) {
  put(directory / "target", "");
  std::filesystem::create_symlink("target", path());
  EXPECT_TRUE(
      has(complaint_of<OutputError>([&] { ResultsFile file(path(), kColumns); }), "symbolic link"));
}

}  // namespace
}  // namespace sagorder::io
