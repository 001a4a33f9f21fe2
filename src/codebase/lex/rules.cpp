#include "lex/rules.hpp"

#include <utility>

#include "lex/hooks.hpp"

// A long switch of tables: splitting it would only hide that each family is one list.
namespace neurolens::codebase {
namespace {

using Rules = std::vector<Rule>;
constexpr RuleKind kLine = RuleKind::line_comment;
constexpr RuleKind kBlock = RuleKind::block_comment;
constexpr RuleKind kString = RuleKind::string;
constexpr RuleKind kHook = RuleKind::hook;

Rule hook(std::string_view open, Hook function, unsigned flags = 0, std::string_view close = {}) {
  return {open, kHook, close, flags, function};
}

Rules operator+(Rules a, const Rules& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Rules slashes(unsigned block_flags = 0) {
  return {{"//", kLine}, {"/*", kBlock, "*/", block_flags}};
}
Rules javadoc(unsigned block_flags = 0) {
  return {{"/**", kBlock, "*/", kDoc | block_flags}, {"/***", kBlock, "*/", block_flags}};
}
Rules line_docs() {
  return {{"///", kLine, {}, kDoc}, {"////", kLine}};
}
Rules quotes() {
  return {{"\"", kString, "\"", kEscapes}, {"'", kString, "'", kEscapes}};
}
Rules hashes(unsigned flags = 0) {
  return {{"#", kLine, {}, flags}};
}

Rules c_family() {
  return {{"//", kLine, {}, kContinues},
          {"///", kLine, {}, kDoc | kContinues},
          {"//!", kLine, {}, kDoc | kContinues},
          {"////", kLine, {}, kContinues},
          {"/*", kBlock, "*/"},
          {"/**", kBlock, "*/", kDoc},
          {"/*!", kBlock, "*/", kDoc},
          {"/***", kBlock, "*/"},
          hook("\"", &hooks::c_string),
          hook("'", &hooks::c_quote),
          hook("#", &hooks::c_directive)};
}

Rules javascript() {
  return slashes() + javadoc() + quotes() +
         Rules{hook("`", &hooks::js_template), hook("{", &hooks::js_brace),
               hook("}", &hooks::js_brace), hook("/", &hooks::js_slash),
               hook("#!", &hooks::js_hashbang)};
}

Rules rust() {
  return slashes(kNests) + javadoc(kNests) + line_docs() +
         Rules{{"//!", kLine, {}, kDoc},
               {"/*!", kBlock, "*/", kDoc | kNests},
               {"\"", kString, "\"", kEscapes | kMultiLine},
               hook("'", &hooks::rust_quote),
               hook("r", &hooks::rust_raw),
               hook("br", &hooks::rust_raw),
               hook("cr", &hooks::rust_raw)};
}

Rules python() {
  Rules rules =
      hashes() + Rules{hook("\"", &hooks::python_string), hook("'", &hooks::python_string)};
  for (const char* mark : {":", "\\"}) rules.push_back(hook(mark, &hooks::python_mark));
  return rules;
}

Rules shell() {
  return hashes(kBoundary) + Rules{hook("\"", &hooks::shell_string), hook("'", &hooks::shell_quote),
                                   hook("<<", &hooks::shell_here),
                                   hook("((", &hooks::shell_arithmetic),
                                   hook("\\", &hooks::skip_escaped)};
}

Rules ruby() {
  return hashes(kBoundary) + Rules{{"=begin", kBlock, "\n=end", kDoc | kColumnZero | kWholeLines},
                                   {"\"", kString, "\"", kEscapes | kMultiLine},
                                   {"'", kString, "'", kEscapes | kMultiLine},
                                   {"`", kString, "`", kEscapes | kMultiLine},
                                   hook("<<", &hooks::ruby_here),
                                   hook("%", &hooks::ruby_percent),
                                   hook("/", &hooks::ruby_slash),
                                   hook("?", &hooks::skip_escaped, kBoundary),
                                   hook("__END__", &hooks::rest_is_comment)};
}

Rules perl() {
  Rules rules =
      hashes(kBoundary) + quotes() +
      Rules{hook("<<", &hooks::ruby_here), hook("\\", &hooks::skip_escaped),
            hook("__END__", &hooks::rest_is_comment), hook("__DATA__", &hooks::rest_is_comment)};
  for (const char* pod :
       {"=pod", "=head", "=over", "=item", "=back", "=begin", "=for", "=encoding", "=cut"}) {
    rules.push_back({pod, kBlock, "\n=cut", kDoc | kColumnZero | kWholeLines});
  }
  return rules;
}

Rules php() {
  return Rules{hook("//", &hooks::php_comment),
               hook("#", &hooks::php_comment),
               {"/*", kBlock, "*/"},
               {"\"", kString, "\"", kEscapes | kMultiLine},
               {"'", kString, "'", kEscapes | kMultiLine},
               hook("<<<", &hooks::php_here),
               hook("?>", &hooks::php_close)} +
         javadoc();
}

Rules triple(std::string_view quote, unsigned flags) {
  return {{quote, kString, quote, flags | kMultiLine}};
}

Rules rules_of(LexFamily family) {
  switch (family) {
    case LexFamily::c:
    case LexFamily::count_:
      return c_family();
    case LexFamily::java:
      return slashes() + javadoc() + quotes() + triple("\"\"\"", kEscapes);
    case LexFamily::csharp:
      return slashes() + javadoc() + line_docs() +
             Rules{{"'", kString, "'", kEscapes},
                   hook("\"", &hooks::csharp_string),
                   hook("@", &hooks::csharp_string),
                   hook("$", &hooks::csharp_string),
                   hook("#", &hooks::c_directive)};
    case LexFamily::js:
      return javascript();
    case LexFamily::css:
      return Rules{{"/*", kBlock, "*/"}} + quotes();
    case LexFamily::scss:
      return slashes() + line_docs() + quotes();
    case LexFamily::go:
      return slashes() + quotes() + triple("`", 0);
    case LexFamily::rust:
      return rust();
    case LexFamily::kotlin:
      return slashes(kNests) + javadoc(kNests) + triple("\"\"\"", 0) +
             Rules{{"'", kString, "'", kEscapes}, hook("\"", &hooks::interpolated, kEscapes, "\"")};
    case LexFamily::swift:
      return slashes(kNests) + javadoc(kNests) + line_docs() +
             Rules{hook("\"", &hooks::swift_string), hook("#", &hooks::swift_string)};
    case LexFamily::scala:
      return slashes(kNests) + javadoc(kNests) + triple("\"\"\"", 0) +
             Rules{{"\"", kString, "\"", kEscapes}, hook("'", &hooks::char_or_prime)};
    case LexFamily::dart:
      return slashes(kNests) + javadoc(kNests) + line_docs() + triple("\"\"\"", kEscapes) +
             triple("'''", kEscapes) +
             Rules{hook("\"", &hooks::interpolated, kEscapes, "\""), {"'", kString, "'", kEscapes}};
    case LexFamily::zig:
      return Rules{{"//", kLine},
                   {"///", kLine, {}, kDoc},
                   {"//!", kLine, {}, kDoc},
                   {"////", kLine},
                   {"\\\\", kString, "\n"}} +
             quotes();
    case LexFamily::d:
      return slashes() + javadoc() + line_docs() +
             Rules{{"/+", kBlock, "+/", kNests},
                   {"/++", kBlock, "+/", kNests | kDoc},
                   {"\"", kString, "\"", kEscapes | kMultiLine},
                   {"`", kString, "`", kMultiLine},
                   {"r\"", kString, "\"", kMultiLine},
                   {"'", kString, "'", kEscapes}};
    case LexFamily::groovy:
      return slashes() + javadoc() + quotes() + triple("\"\"\"", kEscapes) +
             triple("'''", kEscapes) + Rules{hook("#!", &hooks::js_hashbang)};
    case LexFamily::json:
      return slashes() + Rules{{"\"", kString, "\"", kEscapes}};
    case LexFamily::proto:
      return slashes() + quotes();
    case LexFamily::hcl:
      return slashes() + hashes() +
             Rules{{"\"", kString, "\"", kEscapes}, hook("<<", &hooks::shell_here)};
    case LexFamily::verilog:
    case LexFamily::solidity:
      return slashes() + javadoc() + line_docs() + Rules{{"\"", kString, "\"", kEscapes}};
    case LexFamily::python:
      return python();
    case LexFamily::shell:
      return shell();
    case LexFamily::ruby:
      return ruby();
    case LexFamily::perl:
      return perl();
    case LexFamily::php:
      return php();
    case LexFamily::hash:
    case LexFamily::tcl:
      return hashes(kBoundary) +
             Rules{{"\"", kString, "\"", kEscapes | kMultiLine}, hook("\\", &hooks::skip_escaped)};
    case LexFamily::awk:
      return hashes() + Rules{{"\"", kString, "\"", kEscapes}, hook("/", &hooks::js_slash)};
    case LexFamily::make:
      return hashes(kLineStart | kContinues);
    case LexFamily::cmake:
      return hashes() + Rules{hook("#[", &hooks::long_bracket, 0, "comment"),
                              hook("[", &hooks::long_bracket),
                              {"\"", kString, "\"", kEscapes | kMultiLine},
                              hook("\\", &hooks::skip_escaped)};
    case LexFamily::yaml:
      return hashes(kBoundary) + Rules{hook("|", &hooks::yaml_block), hook(">", &hooks::yaml_block),
                                       hook("\"", &hooks::yaml_quote),
                                       hook("'", &hooks::yaml_quote)};
    case LexFamily::toml:
      return hashes() + triple("\"\"\"", kEscapes) + triple("'''", 0) +
             Rules{{"\"", kString, "\"", kEscapes}, {"'", kString, "'"}};
    case LexFamily::ini:
      return {{";", kLine, {}, kLineStart},
              {"#", kLine, {}, kLineStart},
              {"!", kLine, {}, kColumnZero}};
    case LexFamily::dockerfile:
      return Rules{{"#", kLine, {}, kLineStart}, hook("<<", &hooks::shell_here)};
    case LexFamily::r:
      return hashes() + Rules{{"#'", kLine, {}, kDoc},
                              {"\"", kString, "\"", kEscapes | kMultiLine},
                              {"'", kString, "'", kEscapes | kMultiLine},
                              {"`", kString, "`"}};
    case LexFamily::julia:
      return hashes() + triple("\"\"\"", kEscapes) +
             Rules{{"#=", kBlock, "=#", kNests},
                   {"\"", kString, "\"", kEscapes | kMultiLine},
                   hook("'", &hooks::char_or_prime)};
    case LexFamily::elixir:
      return hashes() + triple("\"\"\"", kEscapes) + triple("'''", kEscapes) +
             Rules{{"@doc \"\"\"", kBlock, "\"\"\"", kDoc},
                   {"@moduledoc \"\"\"", kBlock, "\"\"\"", kDoc},
                   {"\"", kString, "\"", kEscapes | kMultiLine},
                   {"'", kString, "'", kEscapes}};
    case LexFamily::powershell:
      return hashes(kBoundary) + Rules{{"<#", kBlock, "#>"},
                                       {"@\"", kString, "\n\"@", kMultiLine},
                                       {"@'", kString, "\n'@", kMultiLine},
                                       {"\"", kString, "\"", kMultiLine | kDoubles},
                                       {"'", kString, "'", kMultiLine | kDoubles}};
    case LexFamily::nix:
      return hashes() + Rules{{"/*", kBlock, "*/"},
                              {"\"", kString, "\"", kEscapes | kMultiLine},
                              {"''", kString, "''", kMultiLine}};
    case LexFamily::lua:
      return Rules{{"--", kLine},
                   {"---", kLine, {}, kDoc},
                   {"----", kLine},
                   {"#!", kLine, {}, kColumnZero},
                   hook("--[", &hooks::long_bracket, 0, "comment"),
                   hook("[", &hooks::long_bracket)} +
             quotes();
    case LexFamily::sql:
      return {{"--", kLine},
              {"/*", kBlock, "*/", kNests},
              {"'", kString, "'", kMultiLine | kDoubles},
              {"\"", kString, "\"", kMultiLine | kDoubles},
              hook("$", &hooks::postgres_dollar)};
    case LexFamily::haskell:
      return {hook("--", &hooks::haskell_dashes),
              {"{-", kBlock, "-}", kNests},
              {"{-|", kBlock, "-}", kNests | kDoc},
              {"\"", kString, "\"", kEscapes},
              hook("'", &hooks::char_or_prime)};
    case LexFamily::ada:
    case LexFamily::vhdl:
      return {{"--", kLine}, {"\"", kString, "\"", kDoubles}, hook("'", &hooks::char_or_prime)};
    case LexFamily::elm:
      return Rules{{"--", kLine},
                   {"{-", kBlock, "-}", kNests},
                   {"\"", kString, "\"", kEscapes},
                   hook("'", &hooks::char_or_prime)} +
             triple("\"\"\"", kEscapes);
    case LexFamily::ocaml:
      return {{"(*", kBlock, "*)", kNests},
              {"(**", kBlock, "*)", kNests | kDoc},
              {"\"", kString, "\"", kEscapes | kMultiLine},
              hook("'", &hooks::char_or_prime)};
    case LexFamily::pascal:
      return {
          {"//", kLine}, {"{", kBlock, "}"}, {"(*", kBlock, "*)"}, {"'", kString, "'", kDoubles}};
    case LexFamily::lisp:
      return {{";", kLine},
              {"#|", kBlock, "|#", kNests},
              {"\"", kString, "\"", kEscapes | kMultiLine},
              hook("\\", &hooks::skip_escaped),
              hook("?", &hooks::skip_escaped, kBoundary)};
    case LexFamily::fortran:
      return {{"!", kLine}, {"'", kString, "'", kDoubles}, {"\"", kString, "\"", kDoubles}};
    case LexFamily::fortran_fixed:
      return {{"!", kLine},
              {"'", kString, "'", kDoubles},
              {"\"", kString, "\"", kDoubles},
              hook("C", &hooks::fortran_column),
              hook("c", &hooks::fortran_column),
              hook("*", &hooks::fortran_column)};
    case LexFamily::matlab:
      return {{"%", kLine},
              {"%{\n", kBlock, "%}", kLineStart},
              {"#", kLine, {}, kLineStart},
              {"\"", kString, "\"", kDoubles}};
    case LexFamily::erlang:
      return {{"%", kLine},
              {"\"", kString, "\"", kEscapes | kMultiLine},
              {"'", kString, "'", kEscapes},
              hook("$", &hooks::skip_escaped)};
    case LexFamily::tex:
      return {{"%", kLine},
              {"\\begin{comment}", kBlock, "\\end{comment}"},
              hook("\\", &hooks::skip_escaped)};
    case LexFamily::html:
      return {{"<!--", kBlock, "-->"}};
    case LexFamily::markdown:
      return {{"<!--", kBlock, "-->", kLineStart}};
    case LexFamily::plain:
      return {{"\x01", kHook, {}, 0, [](Scanner&, const Rule&) { return false; }}};
    case LexFamily::assembly:
      return {{"//", kLine},
              {"/*", kBlock, "*/"},
              {";", kLine, {}, kLineStart},
              {"#", kLine, {}, kLineStart},
              {"@", kLine, {}, kLineStart},
              {"\"", kString, "\"", kEscapes}};
    case LexFamily::batch:
      return {{"rem", kLine, {}, kLineStart | kWord},
              {"@rem", kLine, {}, kLineStart | kWord},
              {"::", kLine, {}, kLineStart}};
    case LexFamily::vb:
      return {{"'", kLine},
              {"'''", kLine, {}, kDoc},
              {"rem", kLine, {}, kLineStart | kWord},
              {"\"", kString, "\"", kDoubles}};
    case LexFamily::vim:
      return {{"\"", kLine, {}, kLineStart}};
    case LexFamily::graphql:
      return hashes() + Rules{{"\"\"\"", kBlock, "\"\"\"", kDoc}, {"\"", kString, "\"", kEscapes}};
  }
  return {};
}

}  // namespace

LexTable make_lex_table(LexFamily family) {
  const std::string_view sometimes = family == LexFamily::python ? ":"
                                     : family == LexFamily::js   ? "{}"
                                                                 : "";
  LexTable table = compile_rules(rules_of(family), sometimes);
  if (family == LexFamily::python) {
    table.start_hook = &hooks::python_start;
    table.line_hook = &hooks::python_line;
    table.counts_brackets = true;
    for (const char bracket : {'(', ')', '[', ']', '{', '}'}) {
      table.interesting.add(bracket);
      table.always.add(bracket);
    }
  }
  if (family == LexFamily::php) table.start_hook = &hooks::php_start;
  for (const LexFamily here : {LexFamily::shell, LexFamily::ruby, LexFamily::perl, LexFamily::php,
                               LexFamily::hcl, LexFamily::dockerfile}) {
    if (family == here) table.newline_hook = &hooks::here_bodies;
  }
  return table;
}

}  // namespace neurolens::codebase
