#include "engine/xml.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace sagorder {
namespace {

/// The root's name; empty: not read.
std::string root(std::string_view xml) {
  XmlReader reader;
  Fields fields;
  return std::string(reader.read(xml, fields));
}

TEST(Xml, SoundXmlIsRead) {
  const auto placed = [](const std::string& inside) {
    return "<CreateSmartAccessGatewaySoftwareResponse>" + inside +
           "</CreateSmartAccessGatewaySoftwareResponse>";
  };
  for (const std::string& body : std::vector<std::string>{
           placed("<OrderId>12</OrderId>"),
           placed("<OrderId>\n  12\t</OrderId>"),
           placed("<OrderId><![CDATA[12]]></OrderId>"),
           placed("<OrderId>&#49;&#x32;</OrderId>"),
           placed("<!-- a - b --><OrderId>12</OrderId><!-- -->"),
           placed("<OrderId>12</OrderId><Message/><RequestId />"),
           placed("<OrderId>12</OrderId><Data><A><B/>text</A><!-- c --></Data>"),
           placed("<OrderId a='1' b:c = \"2\">12</OrderId >"),
           "<?xml version=\"1.0\"?>\n<!-- c -->\n" + placed("<OrderId>12</OrderId>") +
               "\n<!-- c -->\n",
       }) {
    XmlReader reader;
    Fields fields;
    EXPECT_EQ(reader.read(body, fields), "CreateSmartAccessGatewaySoftwareResponse") << body;
    EXPECT_EQ(fields.order_id.type, FieldType::text) << body;
    EXPECT_EQ(fields.order_id.text, "12") << body;
  }
  XmlReader reader;
  Fields fields;
  EXPECT_EQ(
      reader.read("<Error><Message>&lt;a&gt; &quot;b&quot; &apos;c&apos; &#233;&#x963F;&#x1F600;"
                  "<![CDATA[ <&> ]]></Message><Code>X</Code></Error>",
                  fields),
      "Error");
  EXPECT_EQ(fields.message.text, "<a> \"b\" 'c' é阿😀 <&>");
}

TEST(Xml, AnElementWithElementsOrCommentsIsNoText) {
  for (const char* inside : {"X<!-- c -->", "X<b/>", "X<b>Y</b>", "<b>X</b>"}) {
    XmlReader reader;
    Fields fields;
    const std::string xml = "<Error><Code>" + std::string(inside) + "</Code></Error>";
    EXPECT_EQ(reader.read(xml, fields), "Error") << inside;
    EXPECT_EQ(fields.code.type, FieldType::other) << inside;
  }
}

TEST(Xml, ANameTwiceIsNotRead) {
  EXPECT_EQ(root("<Error><Code>A</Code><code>A</code></Error>"), "");
  EXPECT_EQ(root("<Error><a/><a/></Error>"), "");
  EXPECT_EQ(root("<Error><a><b/><b/></a></Error>"), "Error");  // nested ones are skipped
}

TEST(Xml, UnsoundXmlIsNotRead) {
  const auto error = [](const std::string& inside) { return "<Error>" + inside + "</Error>"; };
  const std::string code = "<Code>X</Code>";
  std::string deep;
  for (int i = 0; i < 40; ++i) deep += "<a>";
  for (int i = 0; i < 40; ++i) deep += "</a>";
  std::string very_deep;
  for (int i = 0; i < 100'000; ++i) very_deep += "<a>";
  ASSERT_EQ(root(error(code)), "Error");
  for (const std::string& body : std::vector<std::string>{
           "<Error>" + code,
           error(code) + "x",
           error(code) + error(code),
           error(code) + "<!-- ",
           "<Error>" + code + "</error>",
           "<Error>" + code + "</Errors>",
           "x" + error(code),
           error("<Code>X"),
           error("<Code>X</Message>"),
           error("<Code>X</Code"),
           error("<Code"),
           error(code + "text"),
           error(code + "&amp;"),
           error("<Code>&unknown;</Code>"),
           error("<Code>X&</Code>"),
           error("<Code>X&amp</Code>"),
           error("<Code>&#0;</Code>"),
           error("<Code>&#xD800;</Code>"),
           error("<Code>&#x110000;</Code>"),
           error("<Code>&#99999999999;</Code>"),
           error("<Code>&#-1;</Code>"),
           error("<Code>]]></Code>"),
           error("<Code><![CDATA[X</Code>"),
           error("< Code>X</Code>"),
           error("<1Code>X</1Code>"),
           error("<Code a>X</Code>"),
           error("<Code a=b>X</Code>"),
           error("<Code a='b>X</Code>"),
           error("<Code a='<'>X</Code>"),
           error("<Code a='1'b='2'>X</Code>"),
           error(code + "<a -- />"),
           error(code + "<!-- -- -->"),
           error(code + "<!-- --->"),
           error(code + "<a><b></a></b>"),
           error(code + deep),
           error(code + very_deep),
           error(code + "<?pi ?>"),
           error(code + "\x01"),
           error(code + "<Message>\xFF</Message>"),
           "<?xml version='1.0'" + error(code),
           "<!DOCTYPE Error>" + error(code),
           "<!DOCTYPE Error [<!ENTITY a 'X'>]><Error><Code>&a;</Code></Error>",
           "<",
           "<Error",
       }) {
    EXPECT_EQ(root(body), "") << body.substr(0, 80);
  }
}

}  // namespace
}  // namespace sagorder
