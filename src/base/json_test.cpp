#include "neurolens/base/json.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "neurolens/base/yaml.hpp"

namespace neurolens::json {
namespace {

TEST(JsonWriter, KeepsOrderAndShortestNumbers) {
  Writer w;
  w.begin_object()
      .member("z", 1)
      .member("a", 0.1)
      .key("list")
      .begin_array()
      .value(true)
      .null()
      .end_array();
  w.key("n").numbers(std::vector<std::int64_t>{1, -2, 3});
  w.member("missing", std::optional<double>{}).end_object();
  EXPECT_EQ(std::move(w).take(),
            R"({"z":1,"a":0.1,"list":[true,null],"n":[1,-2,3],"missing":null})");
}

TEST(JsonWriter, IndentsAndLeavesEmptyThingsOnOneLine) {
  Writer w({2});
  w.begin_object()
      .key("a")
      .begin_array()
      .value(1)
      .end_array()
      .key("b")
      .begin_object()
      .end_object()
      .end_object();
  EXPECT_EQ(std::move(w).take(), "{\n  \"a\": [\n    1\n  ],\n  \"b\": {}\n}");
}

TEST(JsonWriter, NeverWritesWhatJsonCannotSay) {
  Writer w;
  w.begin_array()
      .value(std::numeric_limits<double>::quiet_NaN())
      .value("a\"\\\n\x01\xff")
      .end_array();
  EXPECT_EQ(std::move(w).take(), "[null,\"a\\\"\\\\\\n\\u0001\xef\xbf\xbd\"]");
}

TEST(JsonReader, ReadsEveryTypeAndRoundTrips) {
  const std::string text = R"({"a":[1,-1,18446744073709551615,0.5,"x",true,null],"b":{}})";
  const auto tree = parse(text);
  ASSERT_TRUE(tree.ok()) << tree.error();
  Writer w;
  w.value(tree.value());
  EXPECT_EQ(std::move(w).take(), text);
}

TEST(JsonReader, NamesThePlaceOfAFault) {
  const auto broken = parse("{\"a\": 1,\n \"b\": tru}");
  ASSERT_FALSE(broken.ok());
  EXPECT_EQ(broken.error().code, Errc::parse_error);
  EXPECT_NE(broken.error().where.find("line 2"), std::string::npos) << broken.error();
  EXPECT_EQ(parse("").error().code, Errc::parse_error);
  // Words that begin like literals, at every depth: the search for the place must not throw.
  for (const char* text : {"[nx]", "{\"a\":[{\"b\":nul}]}", "[tru]", "{\"a\":[1,nan]}"}) {
    EXPECT_EQ(parse(text).error().code, Errc::parse_error) << text;
  }
  EXPECT_EQ(parse(R"({"a":1,"a":2})").error().code, Errc::parse_error);
  EXPECT_FALSE(parse(std::string(5000, '[') + std::string(5000, ']')).ok());
}

TEST(Yaml, GivesTheSameTreeWithPlaces) {
  const auto tree = yaml::parse("a: 1\nb:\n  - x\n  - \"1\"\n  - 2.5\n  - true\n  - ~\n");
  ASSERT_TRUE(tree.ok()) << tree.error();
  Writer w;
  w.value(tree.value());
  EXPECT_EQ(std::move(w).take(), R"({"a":1,"b":["x","1",2.5,true,null]})");
  EXPECT_EQ(tree->find("b")->as_array()->at(1).line, 4);
}

TEST(Yaml, RefusesFaultsWithTheirPlace) {
  EXPECT_EQ(yaml::parse("a: [1, 2").error().code, Errc::parse_error);
  EXPECT_EQ(yaml::parse("a: 1\na: 2\n").error().where, "line 2, column 1");
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string p = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + p;
    for (int k = 0; k < 9; ++k) bomb += "," + p;
    bomb += "]\n";
  }
  EXPECT_EQ(yaml::parse(bomb).error().code, Errc::parse_error);
}

}  // namespace
}  // namespace neurolens::json
