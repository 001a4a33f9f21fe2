// Reading only what may matter comes to the same as reading everything.
#include "functions/skim.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "functions/functions.hpp"
#include "functions/tokens.hpp"
#include "neurolens/base/random.hpp"
#include "neurolens/codebase/measure.hpp"

namespace neurolens::codebase {
namespace {

struct Text {
  std::string text;
  std::vector<Segment> segments;
  LanguageId language;
};

Text scanned(std::string_view language, std::string text) {
  Text made{std::move(text), {}, *language_named(language)};
  Scanner scanner(made.text, lex_table(made.language), &made.segments, nullptr);
  scanner.run();
  return made;
}

std::string functions_of(const Text& t, bool every) {
  bool balanced = true;
  std::string out;
  for (const FunctionMetrics& f :
       find_functions(t.text, t.segments, t.language, &balanced, every)) {
    out += f.name;
    for (const std::uint32_t x :
         {f.first_line, f.last_line, f.cyclomatic, f.cognitive, f.nesting, f.parameters})
      out += " " + std::to_string(x);
    out += "\n";
  }
  return out + (balanced ? "" : "unbalanced\n");
}

// Words, operators and marks of all languages, thrown together with a seed.
std::string noise(std::uint64_t seed, std::size_t pieces) {
  static const std::vector<std::string> kPieces{"if",
                                                "else",
                                                "for",
                                                "while",
                                                "switch",
                                                "case",
                                                "catch",
                                                "class",
                                                "struct",
                                                "def",
                                                "lambda",
                                                "return",
                                                "function",
                                                "fn",
                                                "func",
                                                "fun",
                                                "async",
                                                "match",
                                                "when",
                                                "template",
                                                "operator",
                                                "namespace",
                                                "enum",
                                                "const",
                                                "name",
                                                "x",
                                                "a_longer_name",
                                                "1.5",
                                                "1..n",
                                                "0x1f.e",
                                                ".5",
                                                "(",
                                                ")",
                                                "(",
                                                ")",
                                                "{",
                                                "}",
                                                "{",
                                                "}",
                                                "[",
                                                "]",
                                                "[[",
                                                ",",
                                                ";",
                                                ":",
                                                "::",
                                                ":::",
                                                "=",
                                                "==",
                                                "===",
                                                "=>",
                                                "->",
                                                "-->",
                                                "<",
                                                ">",
                                                "<=",
                                                "&&",
                                                "&",
                                                "||",
                                                "|",
                                                "?",
                                                "?:",
                                                "??",
                                                "?.",
                                                "...",
                                                "+",
                                                "++",
                                                "!",
                                                "!=",
                                                "\\\n",
                                                "\\\r\n",
                                                "\n",
                                                "\n",
                                                "\n    ",
                                                "\n  ",
                                                "\n\t",
                                                " ",
                                                " ",
                                                " ",
                                                "  ",
                                                "\"s\"",
                                                "'c'",
                                                "/* c */",
                                                "// c\n",
                                                "# c\n",
                                                "\n#if 1\n",
                                                "\n#else\n",
                                                "\n#endif\n",
                                                "\n#define A \\\n b\n",
                                                "\n#define B 1\n",
                                                "\xc3\xa9",
                                                "$",
                                                "`t${",
                                                "}`",
                                                "~",
                                                "@",
                                                "%"};
  Random random(seed);
  std::string out;
  for (std::size_t i = 0; i < pieces; ++i) out += kPieces[random.below(kPieces.size())];
  return out;
}

const std::vector<std::string_view> kLanguages{
    "C",      "C++",   "Java", "C#",   "JavaScript", "Rust",  "Go",
    "Kotlin", "Swift", "PHP",  "Dart", "TypeScript", "Python"};

TEST(Skim, FindsTheSameFunctionsAsEveryToken) {
  std::size_t found = 0;
  for (const std::string_view language : kLanguages) {
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
      const Text t = scanned(language, noise(seed, 20 + seed % 200));
      const std::string all = functions_of(t, true);
      ASSERT_EQ(functions_of(t, false), all) << language << " seed " << seed << "\n" << t.text;
      found += static_cast<std::size_t>(std::count(all.begin(), all.end(), '\n'));
    }
  }
  EXPECT_GT(found, 3000u);  // there was something to agree about
}

// Two readers of tokens that share nothing but the words and the operators.
TEST(Skim, DeliversWhatTheTokenReaderDoes) {
  for (const std::string_view language : {"C", "Python", "JavaScript"}) {
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
      const Text t = scanned(language, noise(1000 + seed, 20 + seed % 100));
      const bool python = language == "Python";
      SkimRules rules;
      rules.every = true;
      rules.line_starts = python;
      rules.directives = false;
      Skim skim(t.text, t.segments, WordTable::of(t.language), rules);
      Tokens tokens(t.text, t.segments, WordTable::of(t.language), {false, python});
      Token token;
      bool fresh = true;
      SkimToken last;
      while (true) {
        const SkimToken& skimmed = skim.next(0);
        tokens.next(&token);
        for (; token.kind == TokenKind::newline; tokens.next(&token)) fresh = true;
        ASSERT_EQ(skimmed.kind, token.kind) << t.text;
        if (token.kind == TokenKind::end) break;
        ASSERT_EQ(skimmed.op, token.op) << t.text;
        if (token.kind == TokenKind::word) {
          ASSERT_EQ(skimmed.text, token.text);
          ASSERT_EQ(skimmed.word, token.word);
        }
        if (token.kind == TokenKind::op) {
          ASSERT_EQ(skimmed.meaning, token.meaning);
          if (!python) {
            ASSERT_EQ(skim.space_before(), token.space_before) << t.text;
          }
        }
        if (token.kind != TokenKind::string) {
          ASSERT_EQ(skim.line_of(skimmed), token.line) << t.text;
        }
        if (python) {
          ASSERT_EQ(skimmed.first_on_line, fresh) << t.text;
          if (fresh) {
            ASSERT_EQ(skimmed.column, token.column) << t.text;
          }
        }
        ASSERT_EQ(skim.previous().op, last.op);
        ASSERT_EQ(skim.previous().kind, last.kind);
        ASSERT_EQ(skim.offset(), tokens.offset());
        last = skimmed;
        fresh = false;
      }
    }
  }
}

// The masks of whatever vectors this processor has, against one byte after the other.
TEST(CodeMasks, AreThoseOfEachByte) {
  StopSet stops;
  stops.groups.add(0, {0x8, 0x9}, {0x2});
  stops.groups.add(4, {0x6, 0xc}, {0x2, 0x7});
  stops.groups.add(7, {0xa}, {0x3});
  stops.always = 1;
  stops.kinds = {16, 0, 128};
  stops.doubled = 16;
  const LetterPairs pairs = letter_pairs("if else while do switch case catch try and or goto");
  Random random(7);
  for (int round = 0; round < 200; ++round) {
    std::string text;
    while (text.size() < 65) text += static_cast<char>(random.below(round % 2 == 0 ? 256 : 128));
    CodeMasks masks;
    code_masks_function()(text.data(), stops, pairs, &masks);
    for (unsigned i = 0; i < 64; ++i) {
      const char c = text[i], next = text[i + 1];
      const auto bit = [i](std::uint64_t mask) { return (mask >> i & 1) != 0; };
      const ByteClass kind = class_of(c);
      ASSERT_EQ(bit(masks.words), kind >= ByteClass::word);
      ASSERT_EQ(bit(masks.digits), kind == ByteClass::digit);
      ASSERT_EQ(bit(masks.blanks), kind == ByteClass::space || kind == ByteClass::newline);
      ASSERT_EQ(bit(masks.newlines), c == '\n');
      ASSERT_EQ(bit(masks.dots), c == '.');
      ASSERT_EQ(bit(masks.slashes), c == '\\');
      ASSERT_EQ(bit(masks.commas), c == ',');
      ASSERT_EQ(bit(masks.equals), c == '=');
      ASSERT_EQ(bit(masks.pairs), pairs.may_be(c, next));
      const bool same = c == next;
      const unsigned groups = stops.groups.of(c) & (same ? 0xffu : ~16u);
      ASSERT_EQ(bit(masks.always), (groups & stops.always) != 0);
      for (std::size_t k = 0; k < StopSet::kKinds; ++k)
        ASSERT_EQ(bit(masks.kinds[k]), (groups & stops.kinds[k]) != 0);
    }
  }
}

TEST(LetterPairs, LetEveryWordIn) {
  const std::string words =
      "if else elif for while do switch match case catch try and or goto break";
  const LetterPairs pairs = letter_pairs(words);
  for (const char* w : {"if", "else", "elif", "for", "while", "do", "switch", "match", "case",
                        "catch", "try", "and", "or", "goto", "break"})
    EXPECT_TRUE(pairs.may_be(w[0], w[1])) << w;
  EXPECT_FALSE(pairs.may_be('x', 'y'));
  EXPECT_FALSE(pairs.may_be('z', 'f'));
}

}  // namespace
}  // namespace neurolens::codebase
