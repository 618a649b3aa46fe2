#include "io/transcoder.hpp"

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "engine/ascii.hpp"

namespace sagorder::io {
namespace {

constexpr std::string_view kMark = "\xEF\xBB\xBF";  // U+FEFF

// What iconv_open says when it knows no such encoding: POSIX has it as a cast of its own.
// NOLINTNEXTLINE(performance-no-int-to-ptr): see above
bool is_none(iconv_t converter) { return converter == iconv_t(-1); }

}  // namespace

bool is_encoding(const std::string& name) {
  if (name.empty() || name.find('/') != std::string::npos) return false;
  const iconv_t converter = ::iconv_open("UTF-8", name.c_str());
  if (is_none(converter)) return false;
  ::iconv_close(converter);
  return true;
}

bool is_utf8_name(std::string_view name) {
  return equal_ignoring_case(name, "UTF-8") || equal_ignoring_case(name, "UTF8");
}

Transcoder::Transcoder(const std::string& encoding)
    : converter_(::iconv_open("UTF-8", encoding.c_str())) {
  if (is_none(converter_)) throw std::invalid_argument(encoding + ": iconv does not know it");
}

Transcoder::~Transcoder() { ::iconv_close(converter_); }

Transcoder::Step Transcoder::convert(std::string_view bytes, std::span<char> into) {
  char* from = const_cast<char*>(bytes.data());  // iconv's signature; it changes nothing
  std::size_t left = bytes.size();
  char* to = into.data();
  std::size_t room = into.size();
  const std::size_t result = ::iconv(converter_, &from, &left, &to, &room);
  const bool bad = result == static_cast<std::size_t>(-1) && errno == EILSEQ;
  std::size_t made = into.size() - room;
  if (!begun_ && made > 0) {
    begun_ = true;
    if (std::string_view(into.data(), made).starts_with(kMark)) {
      made -= kMark.size();
      std::memmove(into.data(), into.data() + kMark.size(), made);
    }
  }
  return {bytes.size() - left, made, bad};
}

std::size_t Transcoder::finish(std::span<char> into) {
  char* to = into.data();
  std::size_t room = into.size();
  ::iconv(converter_, nullptr, nullptr, &to, &room);
  return into.size() - room;
}

}  // namespace sagorder::io
