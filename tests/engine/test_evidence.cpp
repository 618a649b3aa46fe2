#include "engine/evidence.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

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

}  // namespace
}  // namespace sagorder
