#include "engine/dialect.hpp"

#include <gtest/gtest.h>

#include <string>

namespace sagorder {
namespace {

using namespace std::string_view_literals;
using What = DelimiterSeen::What;

TEST(Encoding, IsToldByAMarkOrByChineseOfGb2312) {
  struct Case {
    std::string_view bytes;
    std::string_view encoding;
  };
  for (const auto& [bytes, encoding] : std::initializer_list<Case>{
           {"", ""},
           {"RegionId,Period\n", ""},
           {"\xEF\xBB\xBFRegionId\n", ""},
           {"\xE4\xB8\x8A\xE6\xB5\xB7", ""},  // UTF-8
           {"\xFF\xFER\0"sv, "UTF-16LE"},
           {"\xFE\xFF\0R"sv, "UTF-16BE"},
           {"\xFF\xFE\0\0R\0\0\0"sv, ""},  // UTF-32
           {"\0\0\xFE\xFF\0\0\0R"sv, ""},
           {"R\0e\0"sv, ""},  // no mark: nothing is guessed
           {"\x84\x31\x95\x33Note", "GB18030"},
           {"Note\n\xC9\xCF\xBA\xA3\n", "GB18030"},                  // Shanghai
           {"Note\n\xC9\xCF\xA3\xA8\xBA\xA3\xA3\xA9\n", "GB18030"},  // with wide parentheses
           {"Note\n\xA3\xA8\n", ""},                                 // punctuation alone
           {"Note\nM\xFCller\n", ""},                                // Latin-1
           {"Note\n\xC9\x40\n", ""},                                 // Big5, or GBK beyond GB2312
           {"Note\n\xA4\xCB\xA4\xDB\n", ""},                         // kana of EUC-JP
           {"Note\n\xE4\xB8\n", ""},                                 // UTF-8 that is cut
           {"Note\n\xC9\xCF\xBA", "GB18030"},                        // cut
           {"Note\n\xC9\xCF\n\xE9", "GB18030"}}) {
    EXPECT_EQ(encoding_of(bytes), encoding) << bytes;
  }
}

TEST(Encoding, ALookThatCutsACharacterOfUtf8SeesUtf8) {
  std::string text(kDialectBytes - 2, 'x');
  text += "\xE4\xB8";
  EXPECT_EQ(encoding_of(text), "");
}

DelimiterSeen seen(std::string_view header) { return delimiter_of(header, true); }

TEST(Delimiter, IsTheOneThatMakesColumnsOfParameters) {
  EXPECT_EQ(seen("RegionId,Period,UserCount\n").delimiter, csv::Delimiter::comma);
  EXPECT_EQ(seen("RegionId;Period;UserCount\n").delimiter, csv::Delimiter::semicolon);
  EXPECT_EQ(seen("\xEF\xBB\xBF\"RegionId\"\t\"Period\"\n").delimiter, csv::Delimiter::tab);
  EXPECT_EQ(seen("Note;UserCount\n").delimiter, csv::Delimiter::semicolon);
  // Nothing to go by, or nothing that fits: the comma, whose complaints are the usual ones.
  for (const char* const header :
       {"", "\n", "UserCount\n", "regionid;period\n", "\"open;RegionId"}) {
    EXPECT_EQ(seen(header).delimiter, csv::Delimiter::comma) << header;
    EXPECT_EQ(seen(header).what, What::known) << header;
  }
}

TEST(Delimiter, OthersWithinACellSayNothing) {
  EXPECT_EQ(seen("RegionId,Period,\"a;Period\"\n").delimiter, csv::Delimiter::comma);
  EXPECT_EQ(seen("RegionId,Period,Note;remark\n").delimiter, csv::Delimiter::comma);
  EXPECT_EQ(seen("RegionId;Period;Note, remark\n").delimiter, csv::Delimiter::semicolon);
}

TEST(Delimiter, TwoThatFitAreAmbiguous) {
  EXPECT_EQ(seen("RegionId;Period,UserCount\n").what, What::ambiguous);
  EXPECT_EQ(seen("RegionId,Period\tUserCount\n").what, What::ambiguous);
}

TEST(Delimiter, AnyCuttingSeesTheSame) {
  for (const std::string_view header :
       {"RegionId;Period;\"a\n,b\"\ncn,5;6\n"sv, "RegionId;Period,UserCount\n1;2,3\n"sv}) {
    const DelimiterSeen whole = seen(header);
    for (std::size_t size = 0; size < header.size(); ++size) {
      const DelimiterSeen part = delimiter_of(header.substr(0, size), false);
      if (part.what == What::need_more) continue;
      EXPECT_EQ(part.what, whole.what) << size;
      EXPECT_EQ(part.delimiter, whole.delimiter) << size;
    }
  }
}

}  // namespace
}  // namespace sagorder
