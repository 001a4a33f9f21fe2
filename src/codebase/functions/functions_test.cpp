#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "neurolens/codebase/measure.hpp"

namespace neurolens::codebase {
namespace {

// "name first-last cyclomatic/cognitive/nesting/parameters", one function a line.
std::string functions_of(std::string_view language, std::string_view text) {
  const Measured measured = measure(text, *language_named(language));
  std::string out;
  for (const FunctionMetrics& f : measured.functions) {
    out += f.name + " " + std::to_string(f.first_line) + "-" + std::to_string(f.last_line) + " " +
           std::to_string(f.cyclomatic) + "/" + std::to_string(f.cognitive) + "/" +
           std::to_string(f.nesting) + "/" + std::to_string(f.parameters) + "\n";
  }
  if (measured.has(Doubt::unbalanced)) out += "unbalanced\n";
  return out;
}

TEST(FunctionsC, PlainFunctionsAndDeclarations) {
  EXPECT_EQ(functions_of("C",
                         "int declared(int a);\n"
                         "static int x[] = {1, 2};\n"
                         "struct point { int x; int y; };\n"
                         "int f(void) { return 1; }\n"
                         "struct point *g(int a, char *b)\n"
                         "{\n"
                         "  if (a) return 0;\n"
                         "  return 0;\n"
                         "}\n"),
            "f 4-4 1/0/0/0\n"
            "g 5-9 2/1/1/2\n");
}

// The sum-of-primes and get-words examples of the cognitive complexity paper: 7 and 1, where the
// cyclomatic figures are both 4.
TEST(FunctionsC, ThePapersTwoExamplesTellCognitiveFromCyclomatic) {
  EXPECT_EQ(functions_of("Java",
                         "class A {\n"
                         "int sumOfPrimes(int max) {\n"
                         "  int total = 0;\n"
                         "  OUT: for (int i = 1; i <= max; ++i) {\n"
                         "    for (int j = 2; j < i; ++j) {\n"
                         "      if (i % j == 0) {\n"
                         "        continue OUT;\n"
                         "      }\n"
                         "    }\n"
                         "    total += i;\n"
                         "  }\n"
                         "  return total;\n"
                         "}\n"
                         "String getWords(int number) {\n"
                         "  switch (number) {\n"
                         "    case 1:\n"
                         "      return \"one\";\n"
                         "    case 2:\n"
                         "      return \"a couple\";\n"
                         "    case 3:\n"
                         "      return \"a few\";\n"
                         "    default:\n"
                         "      return \"lots\";\n"
                         "  }\n"
                         "}\n"
                         "}\n"),
            "A.sumOfPrimes 2-13 4/7/3/1\n"
            "A.getWords 14-25 4/1/1/1\n");
}

TEST(FunctionsC, ElseIfChainsCostOneEach) {
  EXPECT_EQ(functions_of("C++",
                         "int f(int a) {\n"
                         "  if (a == 1) {\n"
                         "    return 1;\n"
                         "  } else if (a == 2) {\n"
                         "    return 2;\n"
                         "  } else {\n"
                         "    return 3;\n"
                         "  }\n"
                         "}\n"),
            "f 1-9 3/3/1/1\n");
}

TEST(FunctionsC, RunsOfLikeOperatorsCostOne) {
  EXPECT_EQ(functions_of("C++",
                         "bool f(bool a, bool b, bool c) { return a && b && c; }\n"
                         "bool g(bool a, bool b, bool c) { return a && b || c; }\n"
                         "bool h(bool a, bool b, bool c) { return a && (b || c); }\n"
                         "void i(int&& a, Foo && b) { auto&& c = a; use(c and b); }\n"),
            "f 1-1 3/1/0/3\n"
            "g 2-2 3/2/0/3\n"
            "h 3-3 3/2/0/3\n"
            "i 4-4 2/1/0/2\n");
}

TEST(FunctionsC, BodiesWithoutBracesNest) {
  EXPECT_EQ(functions_of("C",
                         "void f(int a) {\n"
                         "  for (int i = 0; i < a; ++i)\n"
                         "    if (i) g(i);\n"
                         "  while (a) --a;\n"
                         "  do { h(); } while (a);\n"
                         "}\n"),
            "f 1-6 4/5/2/1\n");
}

TEST(FunctionsC, ClassesNamespacesConstructorsAndOperators) {
  EXPECT_EQ(functions_of(
                "C++",
                "namespace a::b {\n"
                "class C final : public D<int> {\n"
                " public:\n"
                "  explicit C(int x) : x_(x), y_{x} { init(); }\n"
                "  ~C() override { }\n"
                "  C& operator+=(const C& o) { return *this; }\n"
                "  bool operator()(int i) const noexcept { return i; }\n"
                "  int get() const { return x_; }\n"
                "  C() = default;\n"
                " private:\n"
                "  int x_ = 3;\n"
                "  std::vector<int> v_{1, 2};\n"
                "};\n"
                "template <class T, int N = 3>\n"
                "auto make(T t) -> std::vector<T> { return {t}; }\n"
                "enum class E { one, two };\n"
                "}\n"
                "int a::b::C::other(int, int) const try { return 0; } catch (...) { return 1; }\n"
                "extern \"C\" {\n"
                "void c_function() { }\n"
                "}\n"),
            "a::b::C::C 4-4 1/0/0/1\n"
            "a::b::C::~C 5-5 1/0/0/0\n"
            "a::b::C::operator+= 6-6 1/0/0/1\n"
            "a::b::C::operator() 7-7 1/0/0/1\n"
            "a::b::C::get 8-8 1/0/0/0\n"
            "a::b::make 15-15 1/0/0/1\n"
            "a::b::C::other 18-18 1/0/0/2\n"
            "c_function 20-20 1/0/0/0\n");
}

// The word is further away than any name is long; what was looked at instead lay outside the text.
TEST(FunctionsC, AnOperatorFarBeforeItsGroupIsCalledByTheWord) {
  const std::string far(100, ' ');
  EXPECT_EQ(functions_of("C++", "struct C {\n  operator" + far + "int() const { return 1; }\n};\n"),
            "C::operator 2-2 1/0/0/0\n");
}

TEST(FunctionsC, LambdasBelongToTheirFunctionAndNest) {
  EXPECT_EQ(functions_of("C++",
                         "void f(std::vector<int>& v) {\n"
                         "  std::sort(v.begin(), v.end(), [](int a, int b) {\n"
                         "    if (a) return true;\n"
                         "    return a < b;\n"
                         "  });\n"
                         "  v[0] = 1;\n"
                         "}\n"
                         "auto g = [](int a) { return a ? 1 : 2; };\n"),
            "f 1-7 2/2/2/1\n"
            "g 8-8 2/1/0/1\n");
}

TEST(FunctionsC, BranchesOfThePreprocessorAreBalancedEach) {
  EXPECT_EQ(functions_of("C",
                         "void f(int a) {\n"
                         "#ifdef A\n"
                         "  if (a) {\n"
                         "#else\n"
                         "  if (!a) {\n"
                         "#endif\n"
                         "    g();\n"
                         "  }\n"
                         "}\n"
                         "#define M(x) do { if (x) {\n"
                         "void h(void) {}\n"),
            "f 1-9 3/2/1/1\n"
            "h 11-11 1/0/0/0\n");
}

TEST(FunctionsC, MacrosThatMakeFunctionsKeepTheirArguments) {
  EXPECT_EQ(functions_of("C++", "TEST(Suite, Case) {\n  EXPECT(1);\n}\n"),
            "TEST(Suite, Case) 1-3 1/0/0/2\n");
}

TEST(FunctionsC, RecursionAndGotoCostOne) {
  EXPECT_EQ(
      functions_of(
          "C", "int f(int n) { if (n) return f(n - 1) + f(n - 2); goto end; end: return 0; }\n"),
      "f 1-1 2/3/1/1\n");
}

TEST(FunctionsC, UnclosedBracesAreSaid) {
  EXPECT_EQ(functions_of("C", "void f() {\n"), "f 1-2 1/0/0/0\nunbalanced\n");
}

TEST(FunctionsPython, NestingDefinitionsAndOperators) {
  EXPECT_EQ(functions_of("Python",
                         "import a\n"
                         "class A(B):\n"
                         "    def f(self, x, y=1):\n"
                         "        if x and y and x:\n"
                         "            for i in range(3):\n"
                         "                pass\n"
                         "        elif y or x:\n"
                         "            return 1\n"
                         "        else:\n"
                         "            return 2\n"
                         "    async def g(self):\n"
                         "        return [i for i in self if i]\n"
                         "\n"
                         "def h():\n"
                         "    try:\n"
                         "        return h()\n"
                         "    except (A, B):\n"
                         "        return 1 if a else 2\n"),
            "A.f 3-10 7/7/2/3\n"
            "A.g 11-12 3/0/0/1\n"
            "h 14-18 3/4/1/0\n");
}

TEST(FunctionsPython, NestedFunctionsAndOneLiners) {
  EXPECT_EQ(functions_of("Python",
                         "def f(a,\n"
                         "      b):\n"
                         "    def g(): return 1\n"
                         "    return lambda x: x\n"
                         "def h(): pass\n"),
            "f 1-4 1/0/0/2\n"
            "f.g 3-3 1/0/0/0\n"
            "h 5-5 1/0/0/0\n");
}

TEST(FunctionsPython, MatchStatement) {
  EXPECT_EQ(functions_of("Python",
                         "def f(x):\n"
                         "    match x:\n"
                         "        case 1:\n"
                         "            return 1\n"
                         "        case _:\n"
                         "            return 2\n"
                         "    match = 3\n"),
            "f 1-7 2/1/1/1\n");
}

TEST(FunctionsJs, KeywordsMethodsAndArrows) {
  EXPECT_EQ(functions_of("JavaScript",
                         "function f(a, b) { return a ? b : 0 }\n"
                         "const g = async (x) => {\n"
                         "  return x?.y ?? 1;\n"
                         "};\n"
                         "class A extends B {\n"
                         "  constructor(x) { super(x); }\n"
                         "  get v() { return 1 }\n"
                         "  async *w(a) { for (const b of a) { if (b) { yield b } } }\n"
                         "}\n"
                         "const o = { m(a) { return a || 1 }, n: function (x) { return x } };\n"
                         "list.map(function (x) { if (x) { return 1 } });\n"),
            "f 1-1 2/1/0/2\n"
            "g 2-4 2/1/0/1\n"
            "A.constructor 6-6 1/0/0/1\n"
            "A.v 7-7 1/0/0/0\n"
            "A.w 8-8 3/3/2/1\n"
            "m 10-10 2/1/0/1\n"
            "n 10-10 1/0/0/1\n"
            "<lambda> 11-11 2/1/1/1\n");
}

TEST(FunctionsJs, TypesOfTypeScript) {
  EXPECT_EQ(functions_of("TypeScript",
                         "interface I { a(b: number): void; c?: string }\n"
                         "export class A implements I {\n"
                         "  a(b: number): void { if (b) { log(b) } }\n"
                         "  private c(d?: string): Map<string, number> { return new Map() }\n"
                         "}\n"
                         "export function e<T>(x: T): x is string { return true }\n"),
            "A.a 3-3 2/1/1/1\n"
            "A.c 4-4 1/0/0/1\n"
            "e 6-6 1/0/0/1\n");
}

TEST(FunctionsGo, MethodsLiteralsAndConditions) {
  EXPECT_EQ(functions_of("Go",
                         "package a\n"
                         "type T struct { x int }\n"
                         "func (t *T) Get(a int, b interface{}) (int, error) {\n"
                         "\tif x := a; x > 0 && b != nil {\n"
                         "\t\treturn x, nil\n"
                         "\t}\n"
                         "\tfor i := range t.y {\n"
                         "\t\tgo func() { use(i) }()\n"
                         "\t}\n"
                         "\tswitch a {\n"
                         "\tcase 1:\n"
                         "\tdefault:\n"
                         "\t}\n"
                         "\treturn 0, nil\n"
                         "}\n"
                         "func main() { x := T{x: 1}; _ = x }\n"),
            "Get 3-15 5/4/2/2\n"
            "main 16-16 1/0/0/0\n");
}

TEST(FunctionsRust, MatchArmsImplsAndTraits) {
  EXPECT_EQ(functions_of("Rust",
                         "trait A { fn a(&self); fn b(&self) -> u8 { 1 } }\n"
                         "impl<T> A for B<T> where T: C {\n"
                         "    fn a(&self) {\n"
                         "        match self.x {\n"
                         "            1 => {}\n"
                         "            2 | 3 => f(),\n"
                         "            _ => {}\n"
                         "        }\n"
                         "        if let Some(x) = y && z { loop { break 'o; } }\n"
                         "    }\n"
                         "}\n"
                         "pub fn main() { let p = P { x: 1 }; }\n"),
            "A::b 1-1 1/0/0/1\n"
            "B::a 3-10 6/6/2/1\n"
            "main 12-12 1/0/0/0\n");
}

TEST(FunctionsOther, KotlinSwiftPhpCSharp) {
  EXPECT_EQ(functions_of("Kotlin",
                         "class A {\n fun f(x: Int): Int {\n  if (x > 1) return 2\n  return x\n "
                         "}\n fun g() = 3\n}\n"),
            "A.f 2-5 2/1/1/1\nA.g 6-6 1/0/0/0\n");
  EXPECT_EQ(functions_of("Swift",
                         "class A {\n init(x: Int) { }\n func f() -> Int {\n  guard let y = z else "
                         "{ return 1 }\n  return y\n }\n}\n"),
            "A.init 2-2 1/0/0/1\nA.f 3-6 2/1/1/0\n");
  EXPECT_EQ(functions_of("PHP",
                         "<?php\nclass A {\n public function f($x) {\n  if ($x) { return 1; } "
                         "elseif ($y) { return 2; }\n }\n}\n"),
            "A.f 3-5 3/2/1/1\n");
  EXPECT_EQ(functions_of("C#",
                         "namespace N {\nclass A {\n public int X { get; set; }\n public int "
                         "F(int? a) { return a == null ? 1 : 2; }\n}\n}\n"),
            "N.A.F 4-4 2/1/0/1\n");
}

// Found by lines_fuzz: the line of such a function was that of the one before, or none.
TEST(FunctionsPython, ADefWithoutANameStandsWhereItStands) {
  EXPECT_EQ(functions_of("Python", "\ndef `():\n  pass\n"), " 2-3 1/0/0/0\n");
  EXPECT_EQ(functions_of("Python", "def f(a, b):\n  pass\nasync def ():\n  pass\n"),
            "f 1-2 1/0/0/2\n 3-4 1/0/0/0\n");
}

}  // namespace
}  // namespace neurolens::codebase
