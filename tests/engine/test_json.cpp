#include "engine/json.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sagorder {
namespace {

/// The OrderId's text; nullopt: not read.
std::optional<std::string> read(std::string_view json) {
  JsonReader reader;
  Fields fields;
  if (!reader.read(json, fields)) return std::nullopt;
  return std::string(fields.order_id.text);
}

TEST(Json, FieldsHaveTypesAndTexts) {
  JsonReader reader;
  Fields fields;
  ASSERT_TRUE(reader.read(
      R"({"OrderId": 203783300920296 ,"SmartAGId":"s\u0061g","code":null,"Message":{"Code":"X"}})",
      fields));
  EXPECT_EQ(fields.order_id.type, FieldType::number);
  EXPECT_EQ(fields.order_id.text, "203783300920296");
  EXPECT_EQ(fields.sag_id.type, FieldType::text);
  EXPECT_EQ(fields.sag_id.text, "sag");
  EXPECT_EQ(fields.code.type, FieldType::other);
  EXPECT_EQ(fields.message.type, FieldType::other);
  EXPECT_EQ(fields.request_id.type, FieldType::absent);
  EXPECT_EQ(fields.count, 4U);
}

TEST(Json, ANameTwiceIsNotRead) {
  EXPECT_EQ(read(R"({"OrderId":"1","orderid":"1"})"), std::nullopt);
  EXPECT_EQ(read(R"({"OrderId":"1","x":1,"x":1})"), std::nullopt);
  EXPECT_EQ(read(R"({"OrderId":"1","x":{"a":1,"a":1}})"), "1");  // nested ones are skipped
}

TEST(Json, SoundJsonIsReadWhateverElseIsInIt) {
  for (const char* body : {
           R"({"OrderId":"1","x":{"a":[1,{"b":null}],"c":true},"y":-1.5e300,"z":"\u00e9\n"})",
           R"({"OrderId":"1","big":123456789012345678901234567890,"neg":-99999999999999999999})",
           R"({"OrderId":"1","x":[],"y":{},"z":[[],[{}]]})",
           R"({"OrderId":"1","Success":false})",
           R"({"OrderId":"1","RequestId":null,"Message":null,"SmartAGId":7})",
           " \r\n\t{ \"OrderId\" : \"1\" } \r\n\t ",
       }) {
    EXPECT_EQ(read(body), "1") << body;
  }
}

TEST(Json, UnsoundJsonIsNotRead) {
  const std::string nul("{\"OrderId\":\"1\"\0}", 16);
  const std::string nul_behind("{\"OrderId\":\"1\"}\0", 16);
  const std::string deep =
      "{\"OrderId\":\"1\",\"x\":" + std::string(40, '[') + std::string(40, ']') + "}";
  const std::string very_deep = "{\"OrderId\":\"1\",\"x\":" + std::string(100'000, '[');
  for (const std::string& body : std::vector<std::string>{"",
                                                          " ",
                                                          "{",
                                                          "}",
                                                          "[]",
                                                          "null",
                                                          "1",
                                                          "\"OrderId\"",
                                                          "OrderId=1",
                                                          "OK",
                                                          R"({"OrderId":"1"}})",
                                                          R"({"OrderId":"1"}{})",
                                                          R"({"OrderId":"1"} x)",
                                                          R"({"OrderId":"1"},)",
                                                          R"({"OrderId":"1",})",
                                                          R"({,"OrderId":"1"})",
                                                          R"({"OrderId" "1"})",
                                                          R"({"OrderId":"1" "x":1})",
                                                          R"({OrderId:"1"})",
                                                          R"({'OrderId':'1'})",
                                                          R"({"OrderId":"1"} // c)",
                                                          R"({"OrderId":"1","x":tru})",
                                                          R"({"OrderId":"1","x":nulll})",
                                                          R"({"OrderId":"1","x":[1,]})",
                                                          R"({"OrderId":"1","x":[1})",
                                                          R"({"OrderId":"1","x":{"a"}})",
                                                          R"({"OrderId":"1","x":[}]})",
                                                          R"({"OrderId":"1","x":1.})",
                                                          R"({"OrderId":"1","x":.5})",
                                                          R"({"OrderId":"1","x":1e})",
                                                          R"({"OrderId":"1","x":-})",
                                                          R"({"OrderId":"1","x":00})",
                                                          R"({"OrderId":"1","x":"\x"})",
                                                          R"({"OrderId":"1","x":"\ud800"})",
                                                          "{\"OrderId\":\"1\",\"x\":\"\xFF\"}",
                                                          "{\"OrderId\":\"1\",\"x\":\"\n\"}",
                                                          nul,
                                                          nul_behind,
                                                          deep,
                                                          very_deep}) {
    EXPECT_EQ(read(body), std::nullopt) << body.substr(0, 80);
  }
}

}  // namespace
}  // namespace sagorder
