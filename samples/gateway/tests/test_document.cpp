#include "document.hpp"

#include <gtest/gtest.h>

namespace gateway {
namespace {

std::string written(Format format) {
  std::string out;
  Document document(format, "Answer", out);
  document.text("A", "x\"<&");
  document.open("Data");
  document.number("N", -5);
  document.truth("T", true);
  document.items("List", "Item", std::vector<int>{1, 2},
                 [&](int element) { document.number("I", element); });
  document.items("None", "Item", std::vector<int>{}, [](int) {});
  document.close();
  document.text("Z", "");
  document.finish();
  return out;
}

TEST(Document, InJson) {
  EXPECT_EQ(written(Format::json),
            R"({"A":"x\"<&","Data":{"N":-5,"T":true,"List":{"Item":[{"I":1},{"I":2}]},)"
            R"("None":{"Item":[]}},"Z":""})");
}

TEST(Document, InXml) {
  EXPECT_EQ(written(Format::xml),
            "<?xml version='1.0' encoding='UTF-8'?><Answer><A>x\"&lt;&amp;</A><Data><N>-5</N>"
            "<T>true</T><List><Item><I>1</I></Item><Item><I>2</I></Item></List><None></None></Data>"
            "<Z></Z></Answer>");
}

}  // namespace
}  // namespace gateway
