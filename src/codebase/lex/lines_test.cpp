#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "neurolens/base/random.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/codebase/measure.hpp"
#include "source_dir.hpp"

namespace neurolens::codebase {
namespace {

struct Case {
  std::string file, language, title, options;
  std::string kinds;
  std::vector<std::string> lines;
};

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::vector<Case> load(const std::string& name) {
  std::vector<Case> cases;
  const std::string text =
      read(std::string(NEUROLENS_SOURCE_DIR) + "/src/codebase/testdata/lines/" + name);
  for (const std::string_view line : split(text, '\n')) {
    if (line.starts_with("## ")) {
      const std::string head(line.substr(3));
      const auto colon = head.find(": ");
      Case made{name, head.substr(0, colon), head.substr(colon + 2), "", "", {}};
      if (const auto open = made.language.find(" ["); open != std::string::npos) {
        made.options = made.language.substr(open + 2, made.language.size() - open - 3);
        made.language.resize(open);
      }
      cases.push_back(made);
    } else if (line.size() >= 2 && line[1] == '|') {
      cases.back().kinds.push_back(line[0]);
      cases.back().lines.emplace_back(line.substr(2));
    }
  }
  return cases;
}

void put16(char32_t unit, bool big, std::string* out) {
  const char low = static_cast<char>(unit & 0xff);
  const char high = static_cast<char>(unit >> 8);
  out->push_back(big ? high : low);
  out->push_back(big ? low : high);
}

// Decodes the test file's UTF-8 (at most three bytes a character) and encodes it anew.
std::string recode(const std::string& utf8, const std::string& encoding) {
  std::string out;
  if (encoding == "utf16le") out = "\xff\xfe";
  if (encoding == "utf16be") out = "\xfe\xff";
  if (encoding == "utf32le") out = std::string("\xff\xfe\0\0", 4);
  for (std::size_t i = 0; i < utf8.size();) {
    const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(utf8[i + k]); };
    char32_t code = byte(0);
    const std::size_t size = code < 0x80 ? 1 : code < 0xe0 ? 2 : 3;
    if (size == 2) code = (code & 0x1f) << 6 | (byte(1) & 0x3fu);
    if (size == 3) code = (code & 0x0f) << 12 | (byte(1) & 0x3fu) << 6 | (byte(2) & 0x3fu);
    put16(code, encoding == "utf16be", &out);
    if (encoding == "utf32le") put16(0, false, &out);
    i += size;
  }
  return out;
}

std::string source_of(const Case& c) {
  const auto has = [&](std::string_view option) { return c.options == option; };
  const std::string end = has("crlf") ? "\r\n" : has("cr") ? "\r" : "\n";
  std::string text;
  for (std::size_t i = 0; i < c.lines.size(); ++i) {
    text += c.lines[i];
    if (i + 1 < c.lines.size() || !has("open")) text += end;
  }
  if (has("bom")) text = "\xef\xbb\xbf" + text;
  if (c.options.starts_with("utf")) text = recode(text, c.options);
  return text;
}

class Lines : public ::testing::TestWithParam<const char*> {};

TEST_P(Lines, EveryLineOfTheHardCasesHasTheKindThatItsLanguageGivesIt) {
  const std::vector<Case> cases = load(GetParam());
  ASSERT_FALSE(cases.empty());
  for (const Case& c : cases) {
    const auto language = language_named(c.language);
    ASSERT_TRUE(language) << c.language;
    const std::string text = source_of(c);
    EXPECT_EQ(line_kinds(text, *language), c.kinds) << c.language << ": " << c.title;
    const Measured measured = measure(text, *language);
    EXPECT_EQ(measured.lines.total, c.kinds.size()) << c.title;
    EXPECT_EQ(measured.lines.code,
              static_cast<std::uint64_t>(std::count(c.kinds.begin(), c.kinds.end(), 'c')))
        << c.title;
    EXPECT_EQ(measured.lines.doc,
              static_cast<std::uint64_t>(std::count(c.kinds.begin(), c.kinds.end(), 'd')))
        << c.title;
    EXPECT_EQ(measured.lines.total,
              measured.lines.code + measured.lines.comment + measured.lines.blank);
  }
}
INSTANTIATE_TEST_SUITE_P(Corpus, Lines,
                         ::testing::Values("c_family.txt", "script.txt", "data.txt"));

TEST(LinesCorpus, HoldsAtLeast150Cases) {
  EXPECT_GE(load("c_family.txt").size() + load("script.txt").size() + load("data.txt").size(),
            150u);
}

TEST(Measure, EmptyFileHasNoLines) {
  EXPECT_EQ(measure("", *language_named("C++")).lines, LineCounts{});
  EXPECT_EQ(measure("\n", *language_named("C++")).lines.blank, 1u);
}

TEST(Measure, BytesWithNulsAreBinaryAndNotCounted) {
  const std::string bytes(
      "\x7f"
      "ELF\0\0\0\1\2\3 text\n",
      16);
  const Measured m = measure(bytes, *language_named("C++"));
  EXPECT_TRUE(m.binary);
  EXPECT_EQ(m.lines.total, 0u);
}

TEST(Measure, DoubtsLowerTheConfidenceAndSayWhy) {
  const auto cpp = *language_named("C++");
  EXPECT_EQ(measure("int a;\n", cpp).confidence(), 1.0);
  const Measured open = measure("/* open\n", cpp);
  EXPECT_TRUE(open.has(Doubt::open_comment));
  EXPECT_LT(open.confidence(), 1.0);
  EXPECT_TRUE(measure("char* a = \"x\n", cpp).has(Doubt::open_string));
  EXPECT_TRUE(measure("void f() {\n", cpp).has(Doubt::unbalanced));
  EXPECT_TRUE(measure(std::string("\xff\xfe"
                                  "a\0b",
                                  5),
                      cpp)
                  .has(Doubt::bad_encoding));
}

// Whatever the bytes, every line end is counted once and the sweep ends.
TEST(Measure, RandomBytesOfMarksKeepTheNumberOfLines) {
  const std::string_view alphabet = "/*\"'`#\n\\{}()[]<>=-%$RrfE |:;!?+~a1 \n";
  for (std::size_t l = 0; l < languages().size(); ++l) {
    Random random(7, l);
    for (int round = 0; round < 60; ++round) {
      std::string text;
      for (std::uint64_t i = random.below(300); i > 0; --i)
        text += alphabet[random.below(alphabet.size())];
      const auto ends = static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
      const std::uint64_t expected = ends + (!text.empty() && text.back() != '\n' ? 1 : 0);
      const Measured m = measure(text, LanguageId(l));
      ASSERT_EQ(m.lines.total, expected) << languages()[l].name << "\n" << text;
      ASSERT_EQ(m.lines.total, m.lines.code + m.lines.comment + m.lines.blank);
    }
  }
}

TEST(Identify, NameExtensionShebangAndContent) {
  const auto name = [](std::string_view path, std::string_view head = "") -> std::string {
    const auto found = identify(path, head);
    return found ? std::string(info(found->language).name) : "";
  };
  EXPECT_EQ(name("a/CMakeLists.txt"), "CMake");
  EXPECT_EQ(name("Makefile"), "make");
  EXPECT_EQ(name("x.hpp"), "C/C++ Header");
  EXPECT_EQ(name("X.C"), "C++");
  EXPECT_EQ(name("x.c"), "C");
  EXPECT_EQ(name("a.PY"), "Python");
  EXPECT_EQ(name("run", "#!/usr/bin/env -S python3.11 -u\n"), "Python");
  EXPECT_EQ(name("run", "#!/bin/bash\n"), "Shell");
  EXPECT_EQ(name("run", "plain"), "");
  EXPECT_EQ(name("x.m", "#import <A/A.h>\n"), "Objective-C");
  EXPECT_EQ(name("x.m", "% comment\n"), "MATLAB");
  EXPECT_EQ(name("x.ts", "<?xml version='1.0'?>"), "XML");
  EXPECT_EQ(name("x.ts", "const a = 1"), "TypeScript");
  EXPECT_EQ(name("errors.def", "ROW(a, 1)\n"), "C/C++ Header");
  EXPECT_EQ(name("x.def", "EXPORTS\n"), "");
  EXPECT_EQ(name("x.inc", "<?php\n"), "PHP");
  EXPECT_EQ(name("config.h.in"), "C/C++ Header");
  EXPECT_EQ(name("photo.png"), "");
  EXPECT_EQ(name(".gitignore"), "");
  EXPECT_TRUE(identify("config.h.in", "")->ambiguous);
  EXPECT_TRUE(needs_content("run"));
  EXPECT_FALSE(needs_content("a.cpp"));
}

TEST(Identify, EveryExtensionAndNameBelongsToOneLanguage) {
  for (std::size_t i = 0; i < languages().size(); ++i) {
    EXPECT_EQ(language_named(languages()[i].name), LanguageId(i))
        << "two rows named " << languages()[i].name;
  }
}

}  // namespace
}  // namespace neurolens::codebase
