#include "neurolens/base/document.hpp"

#include <gtest/gtest.h>

#include "neurolens/base/yaml.hpp"

namespace neurolens {
namespace {

const DocumentReader kReader("f.yaml");

json::Value value(const char* yaml) {
  return *yaml::parse(std::string("v: ") + yaml)->find("v");
}

TEST(DocumentReader, TakesDurationsAndRatios) {
  EXPECT_EQ(kReader.duration(value("250ms"), "v")->count, 250'000'000);
  EXPECT_EQ(kReader.duration(value("1.5 s"), "v")->count, 1'500'000'000);
  EXPECT_EQ(kReader.duration(value("2"), "v")->count, 2'000'000'000);
  EXPECT_EQ(kReader.duration(value("1h"), "v")->count, 3'600'000'000'000);
  for (const char* bad : {"-1s", "soon", "3 weeks", "[1]", "1e30h"})
    EXPECT_EQ(kReader.duration(value(bad), "v").error().code, Errc::wrong_type) << bad;
  EXPECT_DOUBLE_EQ(*kReader.ratio(value("2%"), "v", 0, 1), 0.02);
  EXPECT_DOUBLE_EQ(*kReader.ratio(value("0.3"), "v", 0, 1), 0.3);
  EXPECT_EQ(kReader.ratio(value("200%"), "v", 0, 1).error().code, Errc::out_of_range);
  EXPECT_EQ(kReader.ratio(value("2 s"), "v", 0, 1).error().code, Errc::wrong_type);
}

TEST(DocumentReader, NamesThePlaceOfWhatIsWrong) {
  const auto tree = yaml::parse("first: 1\nsecond:\n  - 1\n");
  const Status unknown = kReader.known_keys(*tree, {"first", "seconds"});
  EXPECT_EQ(unknown.error().where, "f.yaml: line 2, column 1");  // the key's place, not the value's
  EXPECT_NE(unknown.error().message.find("seconds"), std::string::npos);
  EXPECT_EQ(kReader.integer(*tree->find("second"), "second", 0, 9).error().where,
            "f.yaml: line 3, column 3");
  EXPECT_EQ(kReader.integer(*tree->find("first"), "first", 2, 9).error().code, Errc::out_of_range);
  EXPECT_EQ(*kReader.text(*tree->find("first"), "first"), "1");
  EXPECT_EQ(kReader.texts(value("one"), "v", true)->size(), 1U);
  EXPECT_EQ(kReader.texts(value("one"), "v", false).error().code, Errc::wrong_type);
  EXPECT_EQ(kReader.want_object(value("1"), "A thing").error().code, Errc::wrong_type);
}

}  // namespace
}  // namespace neurolens
