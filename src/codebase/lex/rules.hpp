/// \file
/// The rule sets that languages share. One function per family; see languages.cpp for who uses
/// which.
#pragma once

#include <vector>

#include "lex/scanner.hpp"

namespace neurolens::codebase {

/// Names a family of lexical rules.
enum class LexFamily : std::uint8_t {
  c,
  java,
  csharp,
  js,
  css,
  scss,
  go,
  rust,
  kotlin,
  swift,
  scala,
  dart,
  zig,
  d,
  groovy,
  json,
  proto,
  hcl,
  verilog,
  python,
  shell,
  ruby,
  perl,
  php,
  hash,
  make,
  cmake,
  yaml,
  toml,
  ini,
  dockerfile,
  r,
  julia,
  elixir,
  powershell,
  nix,
  tcl,
  lua,
  sql,
  haskell,
  ada,
  vhdl,
  elm,
  ocaml,
  pascal,
  lisp,
  fortran,
  fortran_fixed,
  matlab,
  erlang,
  tex,
  html,
  markdown,
  plain,
  assembly,
  batch,
  vb,
  vim,
  graphql,
  solidity,
  awk,
  count_
};

/// The compiled table of a family. `line_hook` and friends included.
[[nodiscard]] LexTable make_lex_table(LexFamily family);

}  // namespace neurolens::codebase
