// Every reader takes time in proportion to its input, also on input made to hurt it. Time is
// counted, not clocked: this program's copy of the readers calls back at every basic block (see
// CMakeLists.txt), and calls of the C library count by the bytes that they walk over, 16 to a step.
#include <gtest/gtest.h>

#include <algorithm>
#include <csetjmp>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "imports.hpp"
#include "lex/scanner.hpp"
#include "neurolens/base/random.hpp"
#include "neurolens/codebase/measure.hpp"

namespace {
volatile std::uint64_t steps = 0;  // the compiler believes that memchr touches nothing
std::uint64_t most_steps = ~std::uint64_t{0};
std::jmp_buf too_many;
}  // namespace

extern "C" {
void* __real_memchr(const void*, int, std::size_t);
void* __real_memcpy(void*, const void*, std::size_t);
void* __real_memmove(void*, const void*, std::size_t);
int __real_memcmp(const void*, const void*, std::size_t);

void __sanitizer_cov_trace_pc() {
  const std::uint64_t now = steps + 1;
  steps = now;
  if (now > most_steps) std::longjmp(too_many, 1);
}
void* __wrap_memchr(const void* p, int c, std::size_t n) {
  void* hit = __real_memchr(p, c, n);
  const auto walked =
      hit != nullptr
          ? static_cast<std::size_t>(static_cast<const char*>(hit) - static_cast<const char*>(p))
          : n;
  steps = steps + walked / 16 + 1;
  return hit;
}
void* __wrap_memcpy(void* to, const void* from, std::size_t n) {
  steps = steps + n / 16 + 1;
  return __real_memcpy(to, from, n);
}
void* __wrap_memmove(void* to, const void* from, std::size_t n) {
  steps = steps + n / 16 + 1;
  return __real_memmove(to, from, n);
}
int __wrap_memcmp(const void* a, const void* b, std::size_t n) {
  steps = steps + n / 16 + 1;
  return __real_memcmp(a, b, n);
}
}

// What is allocated is filled, often by code of the library that is not counted otherwise.
[[gnu::noinline]] void* operator new(std::size_t n) {
  steps = steps + n / 16 + 1;
  if (void* p = std::malloc(n)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept {
  std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}

namespace neurolens::codebase {
namespace {

// What a file may be full of. Openers without an end, ends without an opener, and what makes a
// reader look back or ahead.
constexpr std::string_view kUnits[] = {
    "(",
    ")",
    "((",
    "{",
    "}",
    "[",
    "]",
    "<",
    ">",
    "[[",
    "/*",
    "*/",
    "/",
    "//\\\n",
    "# ",
    "#\n",
    "\"",
    "'",
    "`",
    "\\",
    "\\\n",
    "\"\\",
    "\n",
    " ",
    "\t\n",
    "\r",
    "\r\n",
    "\xff",
    "\xc3\xa9",
    "\x01",
    "$",
    "@",
    "%",
    "!",
    "^",
    "|",
    "R\"(",
    "R\"x(",
    "x)\"",
    "1'0",
    "a'b",
    "'a",
    "0x'",
    "u8R\"",
    "r#\"",
    "r###",
    "br\"",
    "b'",
    "\"\\(",
    "\"${",
    "`${",
    "${",
    "$(",
    "\"$(",
    "\"$(\"",
    "$\"{",
    "@\"",
    "\"\"\"",
    "'''",
    "f'{",
    "f\"{x:{",
    "f'''{",
    "f'{f\"{",
    "rb'",
    "--",
    "--[[",
    "[=[",
    "]==]",
    "--[==",
    "{-",
    "-}",
    "(*",
    "*)",
    "#|",
    "|#",
    "#=",
    "=#",
    "/+",
    "<#",
    "#>",
    "%{\n",
    "%q(",
    "%(",
    "%w[",
    " /x",
    "= /",
    "?/",
    "<<A\n",
    "<<-'A'\n",
    "<<<A\n",
    "A\n",
    "<<~A ",
    "<?php ",
    "?>",
    "<!--",
    "-->",
    "=begin\n",
    "=cut\n",
    "=end\n",
    "__END__ \n",
    "$a$",
    "a: |\n",
    "a: |\n b\n",
    " | ",
    "a: '",
    "- \"",
    "#!",
    "#include <a",
    "#include \"a\"\n",
    "#if 0\n",
    "#if 1\n{\n",
    "#if 1\n}\n#else\n",
    "#else\n",
    "#endif\n",
    "#error '\n",
    "#pragma \"\n",
    "#define a \\\n",
    "template<",
    "a<",
    "a::",
    "a.",
    "namespace a{",
    "class A{",
    "struct{",
    "void f(){",
    "void f() ",
    "operator+(",
    "TEST(a, b) {",
    "f(",
    "f(a, ",
    "= [](",
    "[=]{",
    "if (a) ",
    "if (a) {",
    "else if (a) ",
    "for (;;) ",
    "do ",
    "while (a)",
    "switch (a) {",
    "case 1: ",
    "try {",
    "catch (...) {",
    "a && b ",
    "a || b && ",
    "a ? b : ",
    "goto a;",
    "fn f() {",
    "match a {",
    "a => ",
    "() => {",
    "function(){",
    "a = function(){",
    "func f() {",
    "fun f() = ",
    "when (a) {",
    "a -> ",
    "impl A {",
    "use a::{",
    "use a::b::c;",
    "mod a;",
    "import a;",
    "import {a, ",
    "from ",
    "require('a')",
    "export * ",
    "if a: ",
    "if a:\n",
    "def f():\n",
    "class A:\n",
    "lambda: ",
    "import a; ",
    "from . import (",
    "from a import b\n",
    "try: ",
    "async ",
    "match a: ",
    "x if y else ",
    "[x for x in ",
    "not ",
    "package a;",
    "static ",
    "extern \"C\" {",
    "enum {",
};

constexpr std::uint64_t kHopeless = ~std::uint64_t{0} / 4;

// A function of its own: what it holds in registers is not the business of the one that is returned
// to.
__attribute__((noinline)) void read_in_every_way(std::string_view text, LanguageId language) {
  (void)measure(text, language);
  std::vector<Segment> segments;
  Scanner scanner(text, lex_table(language), &segments, nullptr);
  scanner.run();
  (void)find_imports(text, segments, language);
}

// kHopeless above 3,000 steps a byte; the objects on the way are lost then.
std::uint64_t steps_of(std::string_view text, LanguageId language) {
  steps = 0;
  most_steps = 3000 * text.size();
  if (setjmp(too_many) == 0) {
    read_in_every_way(text, language);
  } else {
    steps = kHopeless;
  }
  most_steps = ~std::uint64_t{0};
  return steps;
}

// `size` bytes: half of them `first` over and over, the other half `second`.
std::string repeated(std::string_view first, std::string_view second, std::size_t size) {
  std::string text;
  while (text.size() < size / 2) text += first;
  while (text.size() < size) text += second;
  return text;
}

double growth(std::string_view first, std::string_view second, std::size_t size,
              LanguageId language) {
  const auto once = steps_of(repeated(first, second, size), language);
  if (once == kHopeless) return 4;
  const auto twice = steps_of(repeated(first, second, 2 * size), language);
  return static_cast<double>(twice) / static_cast<double>(std::max<std::uint64_t>(once, 1));
}

// Attempts that come to nothing are bounded in number; only text that is large against that bound
// shows whether they were.
bool linear(std::string_view first, std::string_view second, LanguageId language) {
  return growth(first, second, std::size_t{4} << 10, language) <= 2.15 ||
         growth(first, second, std::size_t{128} << 10, language) <= 2.3;  // 4 for a square
}

std::string shown(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '\n' ? std::string("\\n") : std::string(1, c);
  return out;
}

// One language for each way of reading.
std::vector<LanguageId> representatives() {
  std::vector<LanguageId> out;
  std::set<std::pair<const void*, std::string>> seen;
  for (std::size_t i = 0; i < languages().size(); ++i) {
    const LanguageId id(i);
    const LanguageInfo& about = info(id);
    const bool own_functions = about.functions == FunctionStyle::none;
    if (seen.emplace(&lex_table(id), own_functions ? "" : std::string(about.name)).second)
      out.push_back(id);
  }
  return out;
}

TEST(Steps, ASquareIsSeen) {
  const auto scans = [](std::size_t size) {
    const std::string text(size, 'x');
    std::size_t missed = 0;
    steps = 0;
    for (std::size_t i = 0; i < size; ++i)
      missed += std::memchr(text.data() + i, 'y', size - i) == nullptr ? 1 : 0;
    EXPECT_EQ(missed, size);
    return static_cast<double>(std::uint64_t{steps});
  };
  EXPECT_GT(scans(8192) / scans(4096), 3.0);
}

TEST(Steps, TwiceTheTextTakesTwiceTheSteps) {
  for (const LanguageId language : representatives()) {
    for (const std::string_view unit : kUnits) {
      EXPECT_TRUE(linear(unit, unit, language)) << info(language).name << ": " << shown(unit);
    }
  }
}

// An opener met n times, then what makes the reader search n times.
TEST(Steps, OneHalfDoesNotMakeTheOtherDear) {
  constexpr std::size_t kPairs = 60;
  Random random(7);
  for (const LanguageId language : representatives()) {
    for (std::size_t i = 0; i < kPairs; ++i) {
      const std::string_view a = kUnits[random.below(std::size(kUnits))];
      const std::string_view b = kUnits[random.below(std::size(kUnits))];
      EXPECT_TRUE(linear(a, b, language))
          << info(language).name << ": " << shown(a) << " then " << shown(b);
    }
  }
}

}  // namespace
}  // namespace neurolens::codebase
