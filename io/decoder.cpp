#include "io/decoder.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/ascii.hpp"
#include "engine/dialect.hpp"

namespace sagorder::io {
namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;  // unpacked at a time
constexpr std::size_t kHeldMax = 64;            // bytes that a stateful encoding may hold back
constexpr std::string_view kMark = "\xEF\xBB\xBF";

/// `UTF-16` says nothing of the order of bytes; the mark does.
bool wants_mark(std::string_view encoding) {
  return equal_ignoring_case(encoding, "UTF-16") || equal_ignoring_case(encoding, "UTF16");
}

}  // namespace

Decoder::Decoder(std::string encoding, std::uint64_t unpacked_most)
    : unpacked_most_(unpacked_most), encoding_(std::move(encoding)) {}

bool Decoder::is_plain(std::string_view bytes, const std::string& encoding) {
  if (packing_of(bytes) != Packing::none) return false;
  return encoding.empty() ? encoding_of(bytes.substr(0, kDialectBytes)).empty()
                          : is_utf8_name(encoding);
}

void Decoder::give(std::string_view bytes, bool last) {
  raw_.erase(0, raw_begin_);
  raw_begin_ = 0;
  raw_ += bytes;
  raw_last_ = last;
}

Decoder::What Decoder::take(std::string& text, std::size_t most) {
  for (;;) {
    if (!complaint_.empty()) return What::bad;
    const std::size_t before = text.size();
    text.resize(before + most);
    const std::size_t made = looked_ ? convert(text.data() + before, most) : 0;
    text.resize(before + made);
    if (made > 0) {
      count(std::string_view(text).substr(before));
      return What::text;
    }
    if (!complaint_.empty() || unpack()) continue;
    if (!raw_last_) return What::wants_more;
    if (unpacker_ && !unpacker_->is_whole()) {
      return fail("its " + std::string(name_of(packing_)) +
                  " data ends early; copy the file again");
    }
    if (unpacked_begin_ < unpacked_.size()) return fail("the file ends within a character");
    if (!transcoder_ || std::exchange(finished_, true)) return What::end;
    text.resize(before + kHeldMax);
    text.resize(before + transcoder_->finish({text.data() + before, kHeldMax}));
    if (text.size() > before) return What::text;
  }
}

/// @return bytes of text made
std::size_t Decoder::convert(char* into, std::size_t room) {
  const std::string_view bytes = std::string_view(unpacked_).substr(unpacked_begin_);
  if (!transcoder_) {
    const std::size_t count = std::min(bytes.size(), room);
    std::memcpy(into, bytes.data(), count);
    unpacked_begin_ += count;
    return count;
  }
  const Transcoder::Step step = transcoder_->convert(bytes, {into, room});
  unpacked_begin_ += step.taken;
  if (step.bad)
    complaint_ = "no character of " + encoding_ + "; name the right one with --encoding";
  return step.made;
}

bool Decoder::unpack() {
  const std::string_view raw = std::string_view(raw_).substr(raw_begin_);
  if (!begun_) {
    constexpr std::size_t kMagicBytes = 4;
    if (raw.size() < kMagicBytes && !raw_last_) return false;
    begun_ = true;
    packing_ = packing_of(raw);
    unpacker_ = make_unpacker(packing_);
  }
  unpacked_.erase(0, unpacked_begin_);
  unpacked_begin_ = 0;
  const std::size_t held = unpacked_.size();
  std::size_t taken = std::min(raw.size(), kPieceBytes);
  if (unpacker_) {
    unpacked_.resize(held + kPieceBytes);
    Unpacker::Step step = unpacker_->unpack(raw, {unpacked_.data() + held, kPieceBytes});
    unpacked_.resize(held + step.made);
    taken = step.taken;
    complaint_ = std::move(step.complaint);
    unpacked_bytes_ += step.made;
    if (unpacked_bytes_ > unpacked_most_) {
      fail("it unpacks to more than " + std::to_string(unpacked_most_) + " bytes; split the file");
    }
  } else {
    unpacked_ += raw.substr(0, taken);
  }
  raw_begin_ += taken;
  const bool moved = taken > 0 || unpacked_.size() > held;
  return look() || moved;
}

/// @return something was found out
bool Decoder::look() {
  if (looked_ || !begun_) return false;
  if (unpacked_.size() < kDialectBytes && !no_more() && complaint_.empty()) return false;
  looked_ = true;
  const std::string_view first = std::string_view(unpacked_).substr(0, kDialectBytes);
  const std::string_view seen = encoding_of(first);
  if (encoding_.empty() || wants_mark(encoding_)) {
    const bool marked = seen.starts_with("UTF-16");
    if (!encoding_.empty() && !marked) {
      fail("no byte order mark at its beginning; say --encoding UTF-16LE or UTF-16BE");
      return true;
    }
    encoding_ = seen;
  } else if (is_utf8_name(encoding_)) {
    encoding_.clear();
  }
  if (!encoding_.empty()) {
    transcoder_ = std::make_unique<Transcoder>(encoding_);
  } else if (first.starts_with(kMark)) {
    mark_left_ = kMark.size();
  }
  return true;
}

bool Decoder::no_more() const { return raw_last_ && raw_begin_ == raw_.size(); }

/// Moves the place behind the text. A byte order mark has no place.
void Decoder::count(std::string_view text) {
  const std::size_t mark = std::min(mark_left_, text.size());
  mark_left_ -= mark;
  text.remove_prefix(mark);
  at_.line += static_cast<std::uint64_t>(std::ranges::count(text, '\n'));
  const std::size_t end = text.rfind('\n');
  at_.column = end == std::string_view::npos ? at_.column + text.size() : text.size() - end;
}

Decoder::What Decoder::fail(std::string complaint) {
  complaint_ = std::move(complaint);
  return What::bad;
}

}  // namespace sagorder::io
