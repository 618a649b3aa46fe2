// The input as it is on the disk to UTF-8 text, as a stream of pieces of bounded size: unpacked if
// it is packed, then converted if it is of another encoding.
//
// Pulled, not pushed: a small packed block may hold much text, and no more of it is made than is
// asked for. Whatever the pieces that bytes come in, the text is the same, and so is the place of
// what is bad in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/csv.hpp"
#include "io/transcoder.hpp"
#include "io/unpacker.hpp"

namespace sagorder::io {

/// Of a packed input: some 600 million rows. A few bytes can unpack to more than any disk holds.
inline constexpr std::uint64_t kUnpackedBytesMax = 16ULL << 30;

inline constexpr std::size_t kTextBytesMin = 64;

class Decoder {
 public:
  /// @param encoding of --encoding; empty: by what the first bytes show
  explicit Decoder(std::string encoding, std::uint64_t unpacked_most = kUnpackedBytesMax);

  /// Whether text of these bytes is the bytes themselves, so that no Decoder is needed.
  /// @param bytes the file's first: kDialectBytes, unless it has fewer
  static bool is_plain(std::string_view bytes, const std::string& encoding);

  /// The next bytes of the file.
  void give(std::string_view bytes, bool last);

  enum class What : std::uint8_t {
    text,        ///< some was appended; ask again
    wants_more,  ///< bytes: give them
    end,
    bad,  ///< `complaint` and `at`; all text before it was taken
  };
  /// Appends at most `most` bytes of text. @param most kTextBytesMin or more
  What take(std::string& text, std::size_t most);

  /// Place in the text of what is bad, which is also where the text ends.
  [[nodiscard]] csv::Position at() const { return at_; }
  [[nodiscard]] const std::string& complaint() const { return complaint_; }

  [[nodiscard]] Packing packing() const { return packing_; }
  /// Empty: UTF-8.
  [[nodiscard]] const std::string& encoding() const { return encoding_; }

 private:
  bool unpack();  // false: nothing more can be done with the bytes there are
  bool look();    // at the first unpacked bytes
  std::size_t convert(char* into, std::size_t room);
  void count(std::string_view text);
  What fail(std::string complaint);
  [[nodiscard]] bool no_more() const;  // unpacked bytes will come

  const std::uint64_t unpacked_most_;
  Packing packing_ = Packing::none;
  std::string encoding_;
  bool looked_ = false;
  std::unique_ptr<Unpacker> unpacker_;
  std::unique_ptr<Transcoder> transcoder_;
  std::string raw_;  // given, and not taken yet
  std::size_t raw_begin_ = 0;
  bool raw_last_ = false;
  bool begun_ = false;  // the packing is known
  std::string unpacked_;
  std::size_t unpacked_begin_ = 0;
  std::uint64_t unpacked_bytes_ = 0;  // in all
  bool finished_ = false;             // the transcoder has given what it held
  std::size_t mark_left_ = 0;         // bytes of a byte order mark that are still to be passed
  csv::Position at_;
  std::string complaint_;
};

}  // namespace sagorder::io
