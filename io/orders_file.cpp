#include "io/orders_file.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <utility>
#include <vector>

#include "engine/dialect.hpp"
#include "engine/wording.hpp"

namespace sagorder::io {
namespace {

constexpr int kSpoolLookMs = 50;  // while nothing comes
constexpr std::string_view kStandardInput = "standard input";
constexpr std::size_t kNamesMax = 1000;  // of a directory, looked at for a name that was meant
constexpr std::size_t kOneLetterIn = 4;  // of them may differ
constexpr std::string_view kTwoDelimiters =
    "its header can be read with more than one delimiter; say --delimiter comma, semicolon or tab";

EVP_MD_CTX* begun(EVP_MD_CTX* context) {
  if (context == nullptr || EVP_DigestInit_ex(context, EVP_sha256(), nullptr) != 1) {
    throw InputError("OpenSSL offers no SHA-256 for the input");
  }
  return context;
}

void add(EVP_MD_CTX* context, std::string_view bytes) {
  if (EVP_DigestUpdate(context, bytes.data(), bytes.size()) != 1) {
    throw InputError("OpenSSL failed to hash the input");
  }
}

std::array<unsigned char, 32> finish(EVP_MD_CTX* context) {
  std::array<unsigned char, 32> digest{};
  if (EVP_DigestFinal_ex(context, digest.data(), nullptr) != 1) {
    throw InputError("OpenSSL failed to hash the input");
  }
  return digest;
}

std::string hex_of(const std::array<unsigned char, 32>& digest) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const unsigned char byte : digest) {
    hex += kDigits[byte >> 4U];
    hex += kDigits[byte & 15U];
  }
  return hex;
}

std::string spool_directory_or_default(const std::string& directory) {
  return directory.empty() ? temporary_directory() : directory;
}

Fd duplicate_of_standard_input() {
  Fd stream(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
  if (!stream.open()) throw InputError(file_error(kStandardInput, "read it", errno).what());
  return stream;
}

/// Whether there is something to read of it, or its end, before it is time to look up.
bool is_readable_soon(const Fd& stream) {
  pollfd source{stream.get(), POLLIN, 0};
  const int ready = ::poll(&source, 1, kSpoolLookMs);
  return ready > 0 || (ready < 0 && errno != EINTR);
}

/// What is there; nothing: the end.
std::size_t read_some(const Fd& stream, std::string& into, std::string_view name) {
  for (;;) {
    const ssize_t got = ::read(stream.get(), into.data(), into.size());
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) throw file_error(name, "read it", errno);
  }
}

void rewind_file(const Fd& file, std::string_view name) {
  if (::lseek(file.get(), 0, SEEK_SET) != 0) {
    throw InputError(file_error(name, "go back to its start", errno).what());
  }
}

/// The nearest name beside the one that is not there, if one is near.
std::string advice_for_missing(const std::string& path) {
  const std::filesystem::path wanted(path);
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator each(directory_of(path), error), end;
       !error && each != end && names.size() < kNamesMax; each.increment(error)) {
    names.push_back(each->path().filename().string());
  }
  const std::string name = wanted.filename().string();
  const std::vector<std::string_view> views(names.begin(), names.end());
  const std::string_view near = nearest(name, views, kOneLetterIn);
  if (near.empty()) return "name a CSV file of orders, or - for standard input";
  return "did you mean " + (wanted.parent_path() / near).string() + "?";
}

}  // namespace

OrdersFile::OrdersFile(std::string path, const std::string& spool_directory, Watch watch,
                       Reading reading)
    : name_(std::move(path)),
      watch_(std::move(watch)),
      reading_(std::move(reading)),
      delimiter_(reading_.delimiter) {
  try {
    if (name_ == "-") {
      name_ = kStandardInput;
      spool(duplicate_of_standard_input(), spool_directory);
    } else {
      file_ = open_to_read(name_);
    }
    size_ = size_at_opening_ = size_of(file_, name_);
  } catch (const FileError& error) {
    throw InputError(error.what(), error.code() == ENOENT ? advice_for_missing(name_) : "");
  }
  begin_pass();
}

OrdersFile::OrdersFile(std::string name, Fd stream, const std::string& spool_directory,
                       Reading reading)
    : name_(std::move(name)), reading_(std::move(reading)), delimiter_(reading_.delimiter) {
  try {
    spool(stream, spool_directory);
    size_ = size_at_opening_ = size_of(file_, name_);
  } catch (const FileError& error) {
    throw InputError(error.what());
  }
  begin_pass();
}

void OrdersFile::spool(const Fd& stream, const std::string& directory) {
  const std::string where = spool_directory_or_default(directory);
  file_ = open_unnamed(where);
  std::string bytes(kBlockBytes, '\0');
  while (true) {
    do {
      if (watch_) watch_(0, 0);
    } while (!is_readable_soon(stream));
    const std::size_t got = read_some(stream, bytes, name_);
    if (got == 0) break;
    write_all(file_, std::string_view(bytes).substr(0, got), where + " (copy of standard input)");
  }
}

void OrdersFile::begin_pass() {
  rewind_file(file_, name_);
  reader_ = csv::Reader({}, delimiter_.value_or(csv::Delimiter::comma));
  decoder_.reset();
  buffer_.clear();
  begin_ = 0;
  next_block_ = 0;
  raw_last_ = false;
  last_ = false;
  over_ = false;
  comparing_ = !sha256_.empty();
  if (comparing_) return;
  blocks_.clear();
  whole_.reset(begun(EVP_MD_CTX_new()));
  whole_file_.reset(begun(EVP_MD_CTX_new()));
  block_.reset(EVP_MD_CTX_new());
}

void OrdersFile::rewind() { begin_pass(); }

OrdersFile::Step OrdersFile::next(csv::Record& record) {
  while (!over_) {
    const std::string_view unread = std::string_view(buffer_).substr(begin_);
    // Nothing is judged before there is something to judge: an empty first block is no end.
    csv::Result result{csv::Status::need_more, 0, {}, {}};
    if (!unread.empty() || last_) {
      if (delimiter_ || find_delimiter(unread)) {
        result = reader_.next(unread, last_, record);
      } else if (over_) {
        break;
      }
    }
    begin_ += result.consumed;
    if (result.status == csv::Status::record) return {What::record, {}};
    if (result.status == csv::Status::bad) return close(What::bad, result);
    if (result.status == csv::Status::end) return close(What::end, {});
    const Filled filled = fill();
    if (filled == Filled::changed) return close(What::changed, {});
    if (filled == Filled::undecodable) {
      return close(What::bad, {csv::Status::bad, 0, decoder_->at(), decoder_->complaint()});
    }
  }
  return final_;
}

/// @return false: it is not known yet, or never (then the pass is over)
bool OrdersFile::find_delimiter(std::string_view unread) {
  const DelimiterSeen seen = delimiter_of(unread, last_);
  if (seen.what == DelimiterSeen::What::known) {
    delimiter_ = seen.delimiter;
    reader_ = csv::Reader({}, seen.delimiter);
  } else if (seen.what == DelimiterSeen::What::ambiguous) {
    close(What::bad, {csv::Status::bad, 0, {1, 1}, kTwoDelimiters});
  }
  return delimiter_.has_value();
}

std::string OrdersFile::recognised() const {
  std::string text;
  const auto add = [&](std::string_view what) {
    if (!what.empty()) text.append(text.empty() ? "" : ", ").append(what);
  };
  if (decoder_) {
    add(name_of(decoder_->packing()));
    if (reading_.encoding.empty()) add(decoder_->encoding());
  }
  if (!reading_.delimiter && delimiter_ == csv::Delimiter::semicolon)
    add("semicolons between columns");
  if (!reading_.delimiter && delimiter_ == csv::Delimiter::tab) add("tabs between columns");
  return text;
}

OrdersFile::Step OrdersFile::close(What what, const csv::Result& bad) {
  if (what == What::end && !comparing_) {
    sha256_ = hex_of(finish(whole_.get()));
    if (decoder_) file_sha256_ = hex_of(finish(whole_file_.get()));
  }
  over_ = true;
  final_ = {what, bad};
  return final_;
}

OrdersFile::Filled OrdersFile::fill() {
  buffer_.erase(0, begin_);
  begin_ = 0;
  if (decoder_) return fill_decoded();
  const std::size_t held = buffer_.size();
  const bool first = next_block_ == 0;
  if (!read_block(buffer_)) return Filled::changed;
  const std::string_view block = std::string_view(buffer_).substr(held);
  if (first && !Decoder::is_plain(block, reading_.encoding)) {
    decoder_.emplace(reading_.encoding);
    decoder_->give(block, raw_last_);
    if (!comparing_) add(whole_file_.get(), block);
    buffer_.clear();
    return fill_decoded();
  }
  if (!comparing_) add(whole_.get(), block);
  last_ = raw_last_;
  return Filled::more;
}

OrdersFile::Filled OrdersFile::fill_decoded() {
  const std::size_t held = buffer_.size();
  for (;;) {
    switch (decoder_->take(buffer_, kBlockBytes)) {
      case Decoder::What::text:
        if (!comparing_) add(whole_.get(), std::string_view(buffer_).substr(held));
        return Filled::more;
      case Decoder::What::wants_more:
        raw_.clear();
        if (!read_block(raw_)) return Filled::changed;
        decoder_->give(raw_, raw_last_);
        if (!comparing_) add(whole_file_.get(), raw_);
        continue;
      case Decoder::What::end:
        last_ = true;
        return Filled::more;
      case Decoder::What::bad:
        return Filled::undecodable;
    }
  }
}

bool OrdersFile::read_block(std::string& into) {
  if (watch_) {
    const std::uint64_t bytes = std::uint64_t{next_block_} * kBlockBytes;
    watch_(bytes, std::max<std::uint64_t>({bytes, size_at_opening_, 1}));
  }
  const std::size_t held = into.size();
  into.resize(held + kBlockBytes);
  try {
    into.resize(held + read_full(file_, into.data() + held, kBlockBytes, name_));
    const std::string_view block = std::string_view(into).substr(held);
    return comparing_ ? is_as_before(block) : take(block);
  } catch (const FileError& error) {
    throw InputError(error.what());
  }
}

OrdersFile::Digest OrdersFile::digest_of(std::string_view block) {
  add(begun(block_.get()), block);
  return finish(block_.get());
}

bool OrdersFile::take(std::string_view block) {
  raw_last_ = block.size() < kBlockBytes;
  if (next_block_++ == 0) size_ = 0;
  size_ += block.size();
  if (!block.empty()) blocks_.push_back(digest_of(block));
  return true;
}

bool OrdersFile::is_as_before(std::string_view block) {
  const std::uint64_t begin = std::uint64_t{next_block_} * kBlockBytes;
  const std::uint64_t expected = std::min<std::uint64_t>(kBlockBytes, size_ - begin);
  if (block.size() != expected) return false;
  if (!block.empty() && digest_of(block) != blocks_[next_block_]) return false;
  ++next_block_;
  raw_last_ = begin + expected == size_;
  char more = 0;
  return !raw_last_ || read_full(file_, &more, 1, name_) == 0;
}

}  // namespace sagorder::io
