#include "io/decoder.hpp"

#include <gtest/gtest.h>
#include <iconv.h>
#include <zlib.h>
#include <zstd.h>

#include <random>
#include <stdexcept>
#include <string>

namespace sagorder::io {
namespace {

using What = Decoder::What;

std::string gzip(std::string_view text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string packed(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(packed.size() - stream.avail_out);
  deflateEnd(&stream);
  return packed;
}

std::string zstd(std::string_view text) {
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 3));
  return packed;
}

std::string encoded(const std::string& encoding, std::string text) {
  const iconv_t converter = ::iconv_open(encoding.c_str(), "UTF-8");
  std::string out(4 * text.size() + 16, '\0');
  char* from = text.data();
  std::size_t left = text.size();
  char* to = out.data();
  std::size_t room = out.size();
  if (::iconv(converter, &from, &left, &to, &room) == static_cast<std::size_t>(-1)) {
    throw std::runtime_error("cannot encode as " + encoding);
  }
  ::iconv(converter, nullptr, nullptr, &to, &room);
  ::iconv_close(converter);
  out.resize(out.size() - room);
  return out;
}

struct Decoded {
  std::string text;
  What end = What::text;
  std::uint64_t line = 0;
  std::uint64_t column = 0;
  std::string complaint;
  std::string encoding;
  bool operator==(const Decoded&) const = default;
};

/// @param piece, room return how much is given and asked for at a time
template <class Piece, class Room>
Decoded decode(std::string_view bytes, const std::string& encoding, Piece piece, Room room,
               std::uint64_t most = kUnpackedBytesMax) {
  Decoder decoder(encoding, most);
  Decoded decoded;
  bool given_all = false;
  for (;;) {
    decoded.end = decoder.take(decoded.text, room());
    if (decoded.end == What::text) continue;
    if (decoded.end != What::wants_more) break;
    if (given_all) throw std::logic_error("more is wanted than there is");
    const std::string_view next = bytes.substr(0, piece());
    bytes.remove_prefix(next.size());
    given_all = bytes.empty();
    decoder.give(next, given_all);
  }
  if (decoded.end == What::bad) {
    decoded.line = decoder.at().line;
    decoded.column = decoder.at().column;
    decoded.complaint = decoder.complaint();
  }
  decoded.encoding = decoder.encoding();
  return decoded;
}

Decoded decode_whole(std::string_view bytes, const std::string& encoding = "",
                     std::uint64_t most = kUnpackedBytesMax) {
  return decode(
      bytes, encoding, [] { return std::string_view::npos; }, [] { return 256U * 1024; }, most);
}

const std::string kText =
    "RegionId,Period,UserCount,Note\r\ncn-shanghai,12,5,\"上海，浦东\n第二行\"\ncn-beijing,1,5,"
    "北京\n";

std::string with_mark(const std::string& mark, const std::string& bytes) { return mark + bytes; }

TEST(Decoder, RecognisesWhatItIsGiven) {
  for (const auto& [bytes, encoding] : std::initializer_list<std::pair<std::string, std::string>>{
           {kText, ""},
           {with_mark("\xFF\xFE", encoded("UTF-16LE", kText)), "UTF-16LE"},
           {with_mark("\xFE\xFF", encoded("UTF-16BE", kText)), "UTF-16BE"},
           {encoded("GB18030", kText), "GB18030"}}) {
    for (const std::string& packed : {bytes, gzip(bytes), zstd(bytes)}) {
      const Decoded decoded = decode_whole(packed);
      EXPECT_EQ(decoded.end, What::end) << encoding << decoded.complaint;
      EXPECT_EQ(decoded.text, kText) << encoding;
      EXPECT_EQ(decoded.encoding, encoding);
    }
    EXPECT_EQ(Decoder::is_plain(bytes, ""), encoding.empty());
    EXPECT_FALSE(Decoder::is_plain(gzip(bytes), ""));
    EXPECT_FALSE(Decoder::is_plain(zstd(bytes), ""));
  }
}

TEST(Decoder, IsToldWhatCannotBeRecognised) {
  EXPECT_EQ(decode_whole(encoded("UTF-16LE", kText), "UTF-16LE").text, kText);
  EXPECT_EQ(decode_whole(encoded("UTF-16BE", kText), "utf-16be").text, kText);
  EXPECT_EQ(decode_whole(encoded("BIG5", "a,上海\n"), "BIG5").text, "a,上海\n");
  EXPECT_EQ(decode_whole(encoded("ISO-2022-JP", "a,上海\n"), "ISO-2022-JP").text, "a,上海\n");
  EXPECT_EQ(decode_whole("M\xFCller", "LATIN1").text, "Müller");
  EXPECT_EQ(decode_whole(encoded("GB18030", kText), "UTF-8").text, encoded("GB18030", kText));
  EXPECT_TRUE(Decoder::is_plain(encoded("GB18030", kText), "utf-8"));
  EXPECT_FALSE(Decoder::is_plain(kText, "LATIN1"));
  const Decoded unordered = decode_whole(encoded("UTF-16LE", kText), "UTF-16");
  EXPECT_EQ(unordered.end, What::bad);
  EXPECT_NE(unordered.complaint.find("--encoding UTF-16LE"), std::string::npos);
  EXPECT_EQ(decode_whole("\xFF\xFE" + encoded("UTF-16LE", kText), "UTF-16").text, kText);
}

TEST(Decoder, AMarkOfUtf8IsText) {
  EXPECT_EQ(decode_whole(gzip("\xEF\xBB\xBF" + kText)).text, "\xEF\xBB\xBF" + kText);
}

/// Whatever is given and asked for at a time, the text and the complaint are the same.
void expect_same_in_pieces(std::string_view bytes, const std::string& encoding) {
  const Decoded whole = decode_whole(bytes, encoding);
  std::mt19937 random(7);
  for (const std::size_t most : {1U, 2U, 3U, 7U, 50U, 5'000U}) {
    const Decoded pieces = decode(
        bytes, encoding, [&] { return 1 + random() % most; },
        [&] { return kTextBytesMin + random() % most; });
    EXPECT_EQ(pieces.text, whole.text) << most;
    EXPECT_TRUE(pieces == whole) << most << " " << pieces.complaint << " " << whole.complaint;
  }
}

TEST(Decoder, AnyChunkingGivesTheSame) {
  std::string text = kText;
  for (int i = 0; i < 300; ++i) text += "cn-shanghai,1,5,上海" + std::to_string(i) + "\n";
  for (const std::string& bytes :
       {text, "\xFF\xFE" + encoded("UTF-16LE", text), "\xFE\xFF" + encoded("UTF-16BE", text),
        encoded("GB18030", text)}) {
    expect_same_in_pieces(bytes, "");
    expect_same_in_pieces(gzip(bytes) + gzip(bytes), "");
    expect_same_in_pieces(zstd(bytes) + zstd(bytes), "");
    expect_same_in_pieces(gzip(bytes).substr(0, 200), "");
    expect_same_in_pieces(zstd(bytes) + "more", "");
    expect_same_in_pieces(bytes.substr(0, bytes.size() - 2) + "\xFF", "");
  }
  expect_same_in_pieces(encoded("ISO-2022-JP", "a,上海\n"), "ISO-2022-JP");
  expect_same_in_pieces("", "");
  expect_same_in_pieces("", "GB18030");
}

TEST(Decoder, SaysWhereTheTextEnds) {
  const Decoded bad = decode_whole(encoded("GB18030", "a,上\nb,海") + "\xFF,c\n", "GB18030");
  EXPECT_EQ(bad.end, What::bad);
  EXPECT_EQ(bad.text, "a,上\nb,海");
  EXPECT_EQ(bad.line, 2U);
  EXPECT_EQ(bad.column, 6U);
  EXPECT_NE(bad.complaint.find("GB18030"), std::string::npos);
  const Decoded half = decode_whole(
      "\xFF\xFE"
      "a",
      "");
  EXPECT_EQ(half.complaint, "the file ends within a character");
  const std::string packed = gzip("\xEF\xBB\xBF" + kText + kText);
  const Decoded cut = decode_whole(packed.substr(0, packed.size() - 4));
  EXPECT_EQ(cut.end, What::bad);
  EXPECT_NE(cut.complaint.find("gzip data ends early"), std::string::npos) << cut.complaint;
  EXPECT_EQ(cut.line, 9U);
  EXPECT_EQ(cut.column, 1U);
  const Decoded cut_first = decode_whole(gzip("\xEF\xBB\xBF"
                                              "ab")
                                             .substr(0, 17));
  EXPECT_LE(cut_first.column, 3U);
}

TEST(Decoder, DamageAndWhatFollowsIsBad) {
  std::string damaged = gzip(kText);
  damaged[damaged.size() - 6] ^= 1;  // of the checksum
  EXPECT_EQ(decode_whole(damaged).end, What::bad);
  EXPECT_EQ(decode_whole(gzip(kText) + "x").end, What::bad);
  EXPECT_EQ(decode_whole(zstd(kText) + "x").end, What::bad);
  EXPECT_EQ(decode_whole("\x28\xB5\x2F\xFD????????").end, What::bad);
  EXPECT_EQ(decode_whole("\x1F\x8B\x08").end, What::bad);
}

TEST(Decoder, UnpackedTextHasALimit) {
  const std::string text(1'000'000, 'x');
  for (const std::string& packed : {gzip(text), zstd(text)}) {
    EXPECT_EQ(decode_whole(packed, "", text.size()).end, What::end);
    const Decoded decoded = decode_whole(packed, "", text.size() - 1);
    EXPECT_EQ(decoded.end, What::bad);
    EXPECT_NE(decoded.complaint.find("999999 bytes"), std::string::npos) << decoded.complaint;
  }
}

TEST(Transcoder, KnowsEncodingsAndNoLeaveToDropCharacters) {
  EXPECT_TRUE(is_encoding("GB18030"));
  EXPECT_TRUE(is_encoding("utf-8"));
  for (const char* const wrong : {"", "GB18030//IGNORE", "UTF-8//TRANSLIT", "no-such"}) {
    EXPECT_FALSE(is_encoding(wrong)) << wrong;
  }
  EXPECT_THROW(Transcoder("no-such"), std::invalid_argument);
}

}  // namespace
}  // namespace sagorder::io
