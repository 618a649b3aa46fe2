#include "io/own_file.hpp"

#include <fcntl.h>

#include <array>
#include <filesystem>

#include "engine/result.hpp"
#include "io/batches.hpp"
#include "io/commands.hpp"
#include "io/file.hpp"
#include "io/report_page.hpp"
#include "io/results_file.hpp"

namespace sagorder::io {
namespace {

using namespace std::string_view_literals;

struct Kind {
  const char* option;
  const char* name;
  std::string_view mark;  ///< with which it begins; JSON without its white space
};
constexpr std::array<Kind, 4> kKinds = {{{"--plan", "plan", R"({"sagorder_plan":)"},
                                         {"--summary", "summary", R"({"run_id":")"},
                                         {"--metrics", "metrics file", "# HELP sagorder_"},
                                         {"--output", "report", kReportMark}}};

const Kind& kind_of(OwnFile kind) { return kKinds.at(static_cast<std::size_t>(kind)); }

/// JSON may have been written anew, with other white space.
std::string without_spaces(std::string_view text) {
  std::string all(text);
  std::erase_if(all, [](char each) { return each == ' ' || each == '\n' || each == '\r'; });
  return all;
}

std::string header_of_results() {
  std::string header;
  for (const std::string_view name : kResultColumns) header += std::string(name) + ",";
  header.pop_back();
  return header;
}

/// Without a memory nothing can lie in it.
bool lies_in_memory(const std::string& path) {
  try {
    return absolute(path).starts_with(absolute(Batches::default_directory()) + "/");
  } catch (const BatchesError&) {
    return false;
  }
}

void refuse_to_replace(OwnFile kind, const std::string& path) {
  FileIdentity identity;
  refuse_link(path);
  if (!identity_of(path, identity)) return;
  const std::string begin = beginning_of(path);
  if (begin.empty() || is_own(kind, begin)) return;
  const std::string other = other_file(begin);
  throw Refusal(ExitCode::usage,
                std::string(kind_of(kind).option) + " " + path + ": is there already, and is no " +
                    kind_of(kind).name + " of sagorder" + (other.empty() ? "" : " but " + other) +
                    "; it is left as it is",
                other.empty() ? "name another file, or remove that one" : "name another file");
}

}  // namespace

bool is_own(OwnFile kind, std::string_view begin) {
  const bool json = kind == OwnFile::plan || kind == OwnFile::summary;
  const std::string_view mark = kind_of(kind).mark;
  return json ? without_spaces(begin).starts_with(mark) : begin.starts_with(mark);
}

bool is_results_file(std::string_view begin) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (begin.starts_with(kByteOrderMark)) begin.remove_prefix(kByteOrderMark.size());
  return begin.starts_with(header_of_results()) || begin.starts_with(R"({"Row":)");
}

bool is_database_file(std::string_view begin) { return begin.starts_with("SQLite format 3\0"sv); }

std::string beginning_of(const std::string& path) {
  const Fd file = open_private(path, O_RDONLY);
  std::string begin(kOwnFileBytesSeen, '\0');
  begin.resize(read_full(file, begin.data(), begin.size(), path));
  return begin;
}

std::string other_file(std::string_view begin) {
  for (const OwnFile kind : {OwnFile::plan, OwnFile::summary, OwnFile::metrics, OwnFile::report}) {
    if (is_own(kind, begin)) return std::string("a ") + kind_of(kind).name;
  }
  if (is_database_file(begin)) return "a ledger, or another SQLite database";
  if (begin.starts_with("\x37\x7F\x06\x82"sv) || begin.starts_with("\x37\x7F\x06\x83"sv)) {
    return "the log (-wal) of a ledger or another SQLite database";
  }
  if (is_results_file(begin)) return "the results of a batch";
  const std::string_view line = begin.substr(0, begin.find('\n'));
  const bool orders = line.find("RegionId") != std::string_view::npos &&
                      line.find("UserCount") != std::string_view::npos;
  return orders ? "a file of orders" : "";
}

void refuse_bad_place(OwnFile kind, const std::string& path) {
  const std::string option = kind_of(kind).option;
  if (!std::filesystem::is_directory(directory_of(path))) {
    throw OutputError(option + " " + path + ": there is no directory " + directory_of(path) +
                      "; make it first, or name another place. Nothing was sent");
  }
  if (lies_in_memory(path)) {
    throw OutputError(option + " " + path +
                      ": lies where sagorder remembers what was ordered; write it elsewhere");
  }
  try {
    refuse_to_replace(kind, path);
    const Replacement probe(path);
  } catch (const FileError& error) {
    throw FileError(option + " " + error.what(), error.code());
  }
}

}  // namespace sagorder::io
