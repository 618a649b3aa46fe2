// Text of another encoding to UTF-8, as a stream, by glibc's iconv.
#pragma once

#include <iconv.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace sagorder::io {

/// A name that iconv knows as an encoding to read. Names with a slash are none: iconv takes what
/// stands behind one as leave to drop or to replace characters.
bool is_encoding(const std::string& name);

/// `UTF-8`, `utf8`: nothing is to be done.
bool is_utf8_name(std::string_view name);

class Transcoder {
 public:
  struct Step {
    std::size_t taken = 0;
    std::size_t made = 0;
    bool bad = false;  ///< behind what was taken stands no character of the encoding
  };

  /// Throws std::invalid_argument if it is no encoding.
  explicit Transcoder(const std::string& encoding);
  ~Transcoder();
  Transcoder(const Transcoder&) = delete;
  Transcoder& operator=(const Transcoder&) = delete;

  /// Takes whole characters as long as there is room. What it leaves is either for the next call,
  /// with more behind it, or `bad`. A byte order mark at the beginning is no text.
  Step convert(std::string_view bytes, std::span<char> into);

  /// At the end: what a stateful encoding still holds. @return bytes made
  std::size_t finish(std::span<char> into);

 private:
  iconv_t converter_;
  bool begun_ = false;
};

}  // namespace sagorder::io
