#include "functions/words.hpp"

#include <initializer_list>
#include <string>

#include "neurolens/base/text.hpp"

namespace neurolens::codebase {
namespace {

// Groups of languages, as bits.
constexpr unsigned kC = 1, kJava = 2, kCs = 4, kJs = 8, kRust = 16, kGo = 32, kKotlin = 64,
                   kSwift = 128, kPhp = 256, kPy = 512, kDart = 1024;
constexpr unsigned kParens = kC | kJava | kCs | kJs | kPhp | kDart;
constexpr unsigned kBraces = kParens | kRust | kGo | kKotlin | kSwift;

struct Row {
  Word word;
  unsigned groups;
  std::string_view words;
};

constexpr std::array kRows{
    Row{Word::branch, kBraces | kPy, "if"},
    Row{Word::branch, kSwift, "guard"},
    Row{Word::else_, kBraces | kPy, "else"},
    Row{Word::elif, kPhp, "elseif"},
    Row{Word::elif, kPy, "elif"},
    Row{Word::loop, kBraces | kPy, "for"},
    Row{Word::loop, kCs | kPhp, "foreach"},
    Row{Word::loop, kRust, "loop"},
    Row{Word::while_, kBraces | kPy, "while"},
    Row{Word::do_, kParens | kKotlin, "do"},
    Row{Word::do_, kSwift, "repeat"},
    Row{Word::choose, kC | kJava | kCs | kJs | kGo | kSwift | kPhp | kDart, "switch"},
    Row{Word::choose, kRust | kPhp, "match"},
    Row{Word::choose, kKotlin, "when"},
    Row{Word::choose, kGo, "select"},
    Row{Word::case_, kC | kJava | kCs | kJs | kGo | kSwift | kPhp | kDart, "case"},
    Row{Word::handler, kParens | kKotlin | kSwift, "catch"},
    Row{Word::handler, kPy, "except"},
    Row{Word::try_, kParens | kKotlin | kPy, "try finally"},
    Row{Word::logical_and, kC | kPy | kPhp, "and"},
    Row{Word::logical_or, kC | kPy | kPhp, "or"},
    Row{Word::jump, kC | kCs | kGo | kPhp, "goto"},
    Row{Word::leave, kBraces, "break continue"},
    Row{Word::scope, kC, "class struct union namespace"},
    Row{Word::scope, kJava, "class interface record"},
    Row{Word::scope, kCs, "class interface record struct namespace"},
    Row{Word::scope, kJs, "class interface namespace module"},
    Row{Word::scope, kRust, "struct trait impl mod union"},
    Row{Word::scope, kKotlin, "class interface object"},
    Row{Word::scope, kSwift, "class struct protocol extension actor"},
    Row{Word::scope, kPhp, "class interface trait namespace"},
    Row{Word::scope, kDart, "class mixin extension"},
    Row{Word::scope, kPy, "class"},
    Row{Word::enum_, kC | kCs | kJs, "enum"},
    Row{Word::scope, kJava | kRust | kSwift | kPhp | kDart, "enum"},
    Row{Word::function, kRust, "fn"},
    Row{Word::function, kGo | kSwift, "func"},
    Row{Word::function, kSwift, "init subscript"},
    Row{Word::function, kKotlin, "fun"},
    Row{Word::function, kJs | kPhp, "function"},
    Row{Word::function, kPy, "def"},
    Row{Word::operator_, kC | kCs, "operator"},
    Row{Word::template_, kC, "template"},
    Row{Word::extern_, kC, "extern"},
    Row{Word::new_, kC | kJava | kCs | kJs | kPhp, "new"},
    Row{Word::special, kC,
        "alignas __attribute__ __attribute __declspec decltype noexcept throw requires asm __asm__ "
        "static_assert "
        "sizeof explicit typeof __typeof__ alignof"},
    Row{Word::qualifier, kC,
        "const volatile override final mutable restrict constexpr inline static virtual"},
    Row{Word::qualifier, kJava | kCs, "throws where final static public private protected"},
    Row{Word::return_, kBraces | kPy, "return throw"},
    Row{Word::return_, kPy | kJs, "yield await"},
    Row{Word::lambda, kPy, "lambda"},
    Row{Word::soft, kPy, "match case async"},
    Row{Word::other, kC,
        "co_return co_await co_yield delete typedef using typename goto auto concept"},
    Row{Word::other, kJava | kCs | kDart,
        "using lock fixed checked unchecked synchronized assert super this base"},
    Row{Word::other, kJs, "with typeof super import await of in"},
    Row{Word::other, kPhp, "array list isset unset empty declare use"},
    Row{Word::other, kKotlin, "constructor"},
};

unsigned group_of(std::string_view language) {
  if (language == "Java") return kJava;
  if (language == "C#") return kCs;
  if (language == "Dart") return kDart;
  if (language == "Rust") return kRust;
  if (language == "Go") return kGo;
  if (language == "Kotlin") return kKotlin;
  if (language == "Swift") return kSwift;
  if (language == "PHP") return kPhp;
  if (language == "Python") return kPy;
  return language == "JavaScript" || language == "JSX" || language == "TypeScript" ||
                 language == "TSX"
             ? kJs
             : kC;
}

// Classes whose words act where they stand; the others matter to what follows them, if at all.
std::uint32_t delivered_classes(unsigned group) {
  std::uint32_t bits = 0;
  const auto add = [&bits](std::initializer_list<Word> words) {
    for (const Word word : words) bits |= 1u << static_cast<unsigned>(word);
  };
  add({Word::branch,      Word::else_,      Word::elif,      Word::loop,      Word::while_,
       Word::do_,         Word::choose,     Word::case_,     Word::handler,   Word::try_,
       Word::logical_and, Word::logical_or, Word::jump,      Word::leave,     Word::scope,
       Word::enum_,       Word::function,   Word::operator_, Word::template_, Word::extern_});
  if (group == kJava || group == kPhp) add({Word::new_});
  if (group == kJava) add({Word::return_});
  if (group == kPy) add({Word::lambda, Word::soft});
  return bits;
}

}  // namespace

WordTable::WordTable(unsigned group) : delivered_(delivered_classes(group)) {
  std::string delivered;
  for (const Row& row : kRows) {
    if ((row.groups & group) == 0) continue;
    for (const std::string_view text : split(row.words, ' ')) {
      if (delivers(row.word)) (delivered += text) += ' ';
      lengths_[static_cast<unsigned char>(text.front())] |= 1u << text.size();
      std::size_t at = slot(text);
      while (!entries_[at].text.empty() && entries_[at].text != text) at = (at + 1) % kSlots;
      if (entries_[at].text.empty()) entries_[at] = {text, head_of(text, text.size()), row.word};
    }
  }
  pairs_ = letter_pairs(delivered);
}

const WordTable& WordTable::of(LanguageId language) {
  static const std::array<WordTable, 11> kTables{WordTable(1u),   WordTable(2u),   WordTable(4u),
                                                 WordTable(8u),   WordTable(16u),  WordTable(32u),
                                                 WordTable(64u),  WordTable(128u), WordTable(256u),
                                                 WordTable(512u), WordTable(1024u)};
  return kTables[static_cast<std::size_t>(__builtin_ctz(group_of(info(language).name)))];
}

}  // namespace neurolens::codebase
