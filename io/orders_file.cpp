#include "io/orders_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <utility>
#include <vector>

#include "engine/wording.hpp"

namespace sagorder::io {
namespace {

constexpr std::string_view kStandardInput = "standard input";
constexpr std::size_t kNamesMax = 1000;  // of a directory, looked at for a name that was meant
constexpr std::size_t kOneLetterIn = 4;  // of them may differ

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

OrdersFile::OrdersFile(std::string path, const std::string& spool_directory, Watch watch)
    : name_(std::move(path)), watch_(std::move(watch)) {
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

OrdersFile::OrdersFile(std::string name, Fd stream, const std::string& spool_directory)
    : name_(std::move(name)) {
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
    if (watch_) watch_(0, 0);
    const std::size_t got = read_full(stream, bytes.data(), bytes.size(), name_);
    if (got == 0) break;
    write_all(file_, std::string_view(bytes).substr(0, got), where + " (copy of standard input)");
  }
}

void OrdersFile::begin_pass() {
  rewind_file(file_, name_);
  reader_ = csv::Reader{};
  buffer_.clear();
  begin_ = 0;
  next_block_ = 0;
  last_ = false;
  over_ = false;
  comparing_ = !sha256_.empty();
  if (comparing_) return;
  blocks_.clear();
  whole_.reset(begun(EVP_MD_CTX_new()));
  block_.reset(EVP_MD_CTX_new());
}

void OrdersFile::rewind() { begin_pass(); }

OrdersFile::Step OrdersFile::next(csv::Record& record) {
  while (!over_) {
    const std::string_view unread = std::string_view(buffer_).substr(begin_);
    // Nothing is judged before there is something to judge: an empty first block is no end.
    const csv::Result result = unread.empty() && !last_
                                   ? csv::Result{csv::Status::need_more, 0, {}, {}}
                                   : reader_.next(unread, last_, record);
    begin_ += result.consumed;
    if (result.status == csv::Status::record) return {What::record, {}};
    if (result.status == csv::Status::bad) return close(What::bad, result);
    if (result.status == csv::Status::end) return close(What::end, {});
    if (!fill()) return close(What::changed, {});
  }
  return final_;
}

OrdersFile::Step OrdersFile::close(What what, const csv::Result& bad) {
  if (what == What::end && !comparing_) sha256_ = hex_of(finish(whole_.get()));
  over_ = true;
  final_ = {what, bad};
  return final_;
}

bool OrdersFile::fill() {
  if (watch_) {
    const std::uint64_t bytes = std::uint64_t{next_block_} * kBlockBytes;
    watch_(bytes, std::max<std::uint64_t>({bytes, size_at_opening_, 1}));
  }
  buffer_.erase(0, begin_);
  begin_ = 0;
  const std::size_t held = buffer_.size();
  buffer_.resize(held + kBlockBytes);
  try {
    buffer_.resize(held + read_full(file_, buffer_.data() + held, kBlockBytes, name_));
    const std::string_view block = std::string_view(buffer_).substr(held);
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
  last_ = block.size() < kBlockBytes;
  if (next_block_++ == 0) size_ = 0;
  size_ += block.size();
  add(whole_.get(), block);
  if (!block.empty()) blocks_.push_back(digest_of(block));
  return true;
}

bool OrdersFile::is_as_before(std::string_view block) {
  const std::uint64_t begin = std::uint64_t{next_block_} * kBlockBytes;
  const std::uint64_t expected = std::min<std::uint64_t>(kBlockBytes, size_ - begin);
  if (block.size() != expected) return false;
  if (!block.empty() && digest_of(block) != blocks_[next_block_]) return false;
  ++next_block_;
  last_ = begin + expected == size_;
  char more = 0;
  return !last_ || read_full(file_, &more, 1, name_) == 0;
}

}  // namespace sagorder::io
