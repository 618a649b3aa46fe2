#include "engine/evidence.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sagorder {
namespace {

std::string printable(std::string_view text, std::size_t most = 100) {
  std::string out;
  append_printable(out, text, most, ".");
  return out;
}

std::string redacted(std::string text) {
  redact(text);
  return text;
}

TEST(Evidence, IsPrintable) {
  EXPECT_EQ(printable("a\x1b[31m\x07"
                      "b\tc\r\n\x7f\xC2\x9B"
                      "d"),
            "a.[31m.b c  ..d");
  EXPECT_EQ(printable("a\xFF\xC3(\xED\xA0\x80z"), "a\uFFFD\uFFFD(\uFFFD\uFFFD\uFFFDz");
  EXPECT_EQ(printable("a\u202Eb"), "a.b");
}

TEST(Evidence, IsClippedBetweenCharacters) {
  EXPECT_EQ(printable("xxé", 4), "xxé");
  EXPECT_EQ(printable("xxé", 3), "xx");
  EXPECT_EQ(printable("xxé", 0), "");
}

TEST(Evidence, TheStringToSignIsCutAway) {
  EXPECT_EQ(redacted("no match. server string to sign is:POST&%2F&AccessKeyId%3DLTAI1"),
            "no match. server string to sign ***");
  EXPECT_EQ(redacted("server StringToSign: a canonical request"), "server StringToSign ***");
  EXPECT_EQ(redacted("CanonicalRequest is AccessKeyId=LTAI1"), "CanonicalRequest ***");
  EXPECT_EQ(redacted("a string to sign"), "a string to sign");
}

TEST(Evidence, SecretsAreHiddenWhereverTheyAreNamed) {
  EXPECT_EQ(redacted("?AccessKeyId=LTAI1&Action=X"), "?AccessKeyId=***&Action=X");
  EXPECT_EQ(redacted("{\"AccessKeyId\": \"LTAI1\",\"a\":1}"), "{\"AccessKeyId\": \"***\",\"a\":1}");
  EXPECT_EQ(redacted(R"(accesskeyid\u003dLTAI1\u0026a)"), R"(accesskeyid\u003d***\u0026a)");
  EXPECT_EQ(redacted("SecurityToken%253DCAIS%25252B%26X"), "SecurityToken%253D***%26X");
  EXPECT_EQ(redacted("x-acs-security-token:CAIS+/= next"), "x-acs-security-token:*** next");
  EXPECT_EQ(redacted("<AccessKeyId>LTAI1</AccessKeyId><a/>"), "<AccessKeyId>***</AccessKeyId><a/>");
  EXPECT_EQ(redacted("SignatureNonce=1&Signature=abc%3D"), "SignatureNonce=1&Signature=***");
  const std::string plain =
      R"({"Code":"InvalidAccessKeyId.NotFound","Message":"Specified access key is not found."})";
  EXPECT_EQ(redacted(plain), plain);
}

std::string hidden(const std::vector<std::string>& values, std::string_view text,
                   std::size_t most = 100) {
  std::vector<Secret> secrets;
  for (const std::string& value : values) secrets.emplace_back(value);
  std::string out;
  HiddenValues(std::move(secrets)).append(out, text, most);
  return out;
}

TEST(Evidence, ValuesAreHiddenWhereNothingNamesThem) {
  const std::vector<std::string> values = {"", "abc", "CAIS", "CAIS+/x=="};
  EXPECT_EQ(hidden(values, "The token [CAIS+/x==] is, CAISCAIS"), "The token [***] is, ******");
  EXPECT_EQ(hidden(values, "t=CAIS%2B%2Fx%3D%3D&CAIS%252B%252Fx%253D%253D."), "t=***&***.");
  EXPECT_EQ(hidden(values, R"("CAIS+\/x\u003d\u003D" CAIS\u002B\/x=)"), R"("***" ***\u002B\/x=)");
  EXPECT_EQ(hidden(values, "abc CAI cais CAI"), "abc CAI cais CAI");
  EXPECT_EQ(hidden({}, "CAIS"), "CAIS");
  EXPECT_EQ(hidden({""}, ""), "");
}

TEST(Evidence, ValuesAreHiddenHoweverJsonEscapesThem) {
  const std::string value = R"(CAIS"tok\en)";
  EXPECT_EQ(hidden({value}, R"(CAIS"tok\en)"), "***") << "as it is";
  EXPECT_EQ(hidden({value}, R"(CAIS\"tok\\en)"), "***");
  EXPECT_EQ(hidden({value}, R"(CAIS\u0022tok\u005cen)"), "***");
  EXPECT_EQ(hidden({value}, R"(CAIS\"tok\\\u0065n)"), "***") << "an escape behind a backslash";
  EXPECT_EQ(hidden({R"(ab\\cd)"}, R"(ab\\cd ab\\\\cd)"), "*** ***");
  EXPECT_EQ(hidden({"pub/u"}, R"(p\u0075b\/\u0075 pub\/u)"), "*** ***");
}

TEST(Evidence, AHiddenValueIsNeverCut) {
  for (std::size_t most = 1; most < 12; ++most) {
    EXPECT_EQ(hidden({"CAIStoken"}, "0123CAIStoken89", most).find('C'), std::string::npos) << most;
  }
  EXPECT_EQ(hidden({"CAIStoken"}, "0123CAIStoken89", 8), "0123***8");
}

}  // namespace
}  // namespace sagorder
