#include "io/results_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "engine/entry.hpp"
#include "io/kill_point.hpp"
#include "io/ledger.hpp"

namespace sagorder::io {
namespace {

constexpr std::size_t kChunkBytes = 256 * 1024;

template <class Act>
auto as_output(Act&& act) {
  try {
    return act();
  } catch (const FileError& error) {
    throw OutputError(error.what());
  }
}

/// Takes the file whose name this still is once it is locked: the run before may have replaced it.
/// @return false: it was replaced meanwhile
bool lock_named(const Fd& file, const std::string& path) {
  if (judge_hold({.locked_by_another = !try_lock(file, path)})) {
    throw LedgerBusy(path + ": another sagorder is writing these results");
  }
  FileIdentity named;
  return identity_of(path, named) && named == identity_of(file, path);
}

}  // namespace

ResultFormat result_format_of(std::string_view path) {
  const bool json = path.ends_with(".jsonl") || path.ends_with(".json");
  return json ? ResultFormat::json_lines : ResultFormat::csv;
}

ResultsFile::ResultsFile(std::string path, std::vector<std::string> input_columns)
    : path_(std::move(path)), format_(result_format_of(path_)), columns_(std::move(input_columns)) {
  ResultWriter(format_, columns_).header(header_);
  as_output([this] {
    do {
      FileIdentity before;
      created_ = !identity_of(path_, before);
      file_ = open_private(path_, O_RDWR | O_CREAT);
    } while (!lock_named(file_, path_));
    kill_point("results:opened");
    if (created_) sync_directory_of(path_);
    known_ = size_of(file_, path_) == 0;
  });
}

ResultsFile::Scan ResultsFile::scan(const std::function<void(const ResultKey&)>& see) {
  return as_output([&] {
    return read_lines([&](const ResultKey& key, bool header, std::string_view) {
      if (!header) see(key);
    });
  });
}

ResultsFile::Scan ResultsFile::read_lines(const SeeLine& see) {
  size_ = 0;
  if (::lseek(file_.get(), 0, SEEK_SET) != 0) throw file_error(path_, "read it", errno);
  const LinesEnd end = for_each_line(file_, path_, ResultScanner(format_, columns_), see);
  size_ = end.bytes;
  Scan scan;
  scan.lines = end.lines;
  return conclude(scan, end.what, end.rest);
}

/// After a power loss a part of the file may be there as zeros, from anywhere in its first line on.
bool ResultsFile::is_torn_by_zeros(std::string_view first_line) const {
  const std::size_t zeros = first_line.find('\0');
  if (zeros == first_line.npos) return false;
  const std::string_view ours = format_ == ResultFormat::csv ? "Row,Status," : "{\"Row\":";
  const std::size_t length = std::min(zeros, ours.size());
  return first_line.substr(0, length) == ours.substr(0, length);
}

ResultsFile::Scan ResultsFile::conclude(Scan scan, ResultScan what, std::string_view rest) {
  scan.content = scan.lines > 0 ? Content::lines : Content::empty;
  if (what == ResultScan::torn) {
    scan.torn_bytes = size_of(file_, path_) - size_;
  } else if (what == ResultScan::not_ours) {
    scan.content = size_ > 0 || is_torn_by_zeros(rest) ? Content::broken : Content::foreign;
  }
  torn_ = scan.torn_bytes;
  known_ = scan.content == Content::empty || scan.content == Content::lines;
  return scan;
}

void ResultsFile::cut_torn_tail() {
  if (torn_ == 0 || !known_) return;
  kill_point("torn:before-cut");
  if (::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0) {
    throw OutputError(file_error(path_, "cut its torn last line", errno).what());
  }
  kill_point("torn:cut");
  torn_ = 0;
}

void ResultsFile::append(std::string_view lines) {
  if (lines.empty()) return;
  // What is there was not read, or is not ours: nothing may be written behind it.
  if (!known_) throw std::logic_error("results appended to a file that was not scanned");
  cut_torn_tail();
  if (size_ > 0 || header_.empty()) {
    write_at_end(lines);
    return;
  }
  scratch_.assign(header_).append(lines);
  write_at_end(scratch_);
}

void ResultsFile::write_at_end(std::string_view bytes) {
  std::uint64_t at = size_;
  kill_point("append:before");
  while (!bytes.empty()) {
    const ssize_t written =
        ::pwrite(file_.get(), bytes.data(), piece_of(bytes.size()), static_cast<off_t>(at));
    kill_point("append:piece");
    if (written > 0) {
      at += static_cast<std::uint64_t>(written);
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (written == 0 || errno != EINTR) {
      const int code = written == 0 ? EIO : errno;
      // Half a line would be cut at the next start anyway; other readers need not see it.
      if (::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0) torn_ = at - size_;
      throw OutputError(file_error(path_, "write to it", code).what());
    }
  }
  size_ = at;
  kill_point("append:after");
}

void ResultsFile::sync() {
  as_output([this] {
    kill_point("results:before-sync");
    sync_file(file_, path_);
    kill_point("results:synced");
    FileIdentity named;
    if (!identity_of(path_, named) || named != identity_of(file_, path_)) {
      throw OutputError(path_ + ": was removed or replaced while running; the ledger has it all, " +
                        "and the same command writes it anew");
    }
  });
}

void ResultsFile::replace_with(const std::function<void(const Sink&)>& fill) {
  as_output([&] {
    Replacement replacement(path_);
    if (!try_lock(replacement.file(), replacement.name())) {
      throw OutputError(replacement.name() + ": is locked by another process");
    }
    std::string pending;
    std::uint64_t size = 0;
    const auto flush = [&] {
      kill_point("rewrite:before-block");
      write_all(replacement.file(), pending, replacement.name());
      size += pending.size();
      pending.clear();
    };
    fill([&](std::string_view lines) {
      if (size + pending.size() == 0) pending = header_;
      pending += lines;
      if (pending.size() >= kChunkBytes) flush();
    });
    flush();
    kill_point("rewrite:before-rename");
    file_ = replacement.take_over();  // the old lock goes with the old descriptor
    kill_point("rewrite:renamed");
    size_ = size;
    torn_ = 0;
    known_ = true;
  });
}

void ResultsFile::rebuild(const std::function<void(const Sink&)>& fill) { replace_with(fill); }

void ResultsFile::rewrite(
    const std::function<Fix(const ResultKey&)>& decide,
    const std::function<void(const ResultKey&, const Cells&, std::string& out)>& replacement) {
  Cells own;
  Cells cells;
  std::string line_after;
  replace_with([&](const Sink& sink) {
    const Scan scan = read_lines([&](const ResultKey& key, bool header, std::string_view line) {
      const Fix fix = header ? Fix::drop : decide(key);
      if (fix == Fix::keep) sink(line);
      if (fix != Fix::replace) return;
      if (!decode_line(format_, columns_, line, own, cells)) {
        throw OutputError(path_ + ": has a line with other columns than its header");
      }
      line_after.clear();
      replacement(key, cells, line_after);
      sink(line_after);
    });
    if (scan.content == Content::broken || scan.content == Content::foreign) {
      throw OutputError(path_ + ": is damaged or not ours; `sagorder run` writes it anew");
    }
  });
}

void ResultsFile::remove_if_unused() {
  if (created_ && known_ && size_ == 0 && torn_ == 0) ::unlink(path_.c_str());
}

}  // namespace sagorder::io
