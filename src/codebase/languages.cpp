#include <algorithm>
#include <array>
#include <string>
#include <unordered_map>
#include <vector>

#include "lex/rules.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/codebase/language.hpp"

// The table of languages; long because there are many.
namespace neurolens::codebase {
namespace {

constexpr auto kProg = LanguageKind::programming;
constexpr auto kBuild = LanguageKind::build;
constexpr auto kMarkup = LanguageKind::markup;
constexpr auto kData = LanguageKind::data;
constexpr auto kProse = LanguageKind::prose;
using F = FunctionStyle;
using L = LexFamily;

struct Row {
  LanguageInfo info;
  LexFamily lex;
  std::string_view extensions;         ///< Separated by spaces, without dots, lower case.
  std::string_view names = {};         ///< Whole file names.
  std::string_view interpreters = {};  ///< What a "#!" line ends in.
};

constexpr std::array kRows{
    Row{{"C", kProg, F::c}, L::c, "c ec pgc"},
    Row{{"C++", kProg, F::c}, L::c, "cpp cc cxx c++ cppm ixx mpp ipp tpp txx inl tcc ii"},
    Row{{"C/C++ Header", kProg, F::c}, L::c, "h hh hpp hxx h++ def inc"},
    Row{{"CUDA", kProg, F::c}, L::c, "cu cuh"},
    Row{{"HIP", kProg, F::c}, L::c, "hip"},
    Row{{"OpenCL", kProg, F::c}, L::c, "cl"},
    Row{{"Objective-C", kProg, F::c}, L::c, "m"},
    Row{{"Objective-C++", kProg, F::c}, L::c, "mm"},
    Row{{"GLSL", kProg, F::c}, L::c, "glsl vert frag comp geom tesc tese hlsl wgsl metal"},
    Row{{"Python", kProg, F::python},
        L::python,
        "py pyw pyi pyx pxd pxi",
        "SConstruct SConscript wscript",
        "python"},
    Row{{"Rust", kProg, F::keyword}, L::rust, "rs"},
    Row{{"Go", kProg, F::keyword}, L::go, "go"},
    Row{{"Java", kProg, F::java}, L::java, "java"},
    Row{{"JavaScript", kProg, F::js}, L::js, "js mjs cjs es6", "Jakefile", "node nodejs"},
    Row{{"JSX", kProg, F::js}, L::js, "jsx"},
    Row{{"TypeScript", kProg, F::js}, L::js, "ts mts cts", "", "deno ts-node"},
    Row{{"TSX", kProg, F::js}, L::js, "tsx"},
    Row{{"C#", kProg, F::java}, L::csharp, "cs csx"},
    Row{{"Swift", kProg, F::keyword}, L::swift, "swift"},
    Row{{"Kotlin", kProg, F::keyword}, L::kotlin, "kt kts ktm"},
    Row{{"Scala", kProg, F::none}, L::scala, "scala sc sbt"},
    Row{{"Dart", kProg, F::java}, L::dart, "dart"},
    Row{{"Groovy", kProg, F::none}, L::groovy, "groovy gradle gvy", "Jenkinsfile", "groovy"},
    Row{{"Zig", kProg, F::none}, L::zig, "zig"},
    Row{{"D", kProg, F::none}, L::d, "d di"},
    Row{{"Ruby", kProg, F::none},
        L::ruby,
        "rb rake gemspec ru podspec",
        "Rakefile Gemfile Vagrantfile Podfile Guardfile",
        "ruby jruby"},
    Row{{"Perl", kProg, F::none}, L::perl, "pl pm t plx", "", "perl"},
    Row{{"PHP", kProg, F::keyword}, L::php, "php php3 php4 php5 phtml", "", "php"},
    Row{{"Shell", kProg, F::none},
        L::shell,
        "sh bash zsh ksh dash ebuild bats",
        ".bashrc .bash_profile .profile .zshrc .zprofile PKGBUILD",
        "sh bash zsh ksh dash ash mksh bats"},
    Row{{"fish", kProg, F::none}, L::hash, "fish", "", "fish"},
    Row{{"PowerShell", kProg, F::none}, L::powershell, "ps1 psm1 psd1", "", "pwsh"},
    Row{{"DOS Batch", kProg, F::none}, L::batch, "bat cmd"},
    Row{{"Lua", kProg, F::none}, L::lua, "lua", "", "lua luajit"},
    Row{{"R", kProg, F::none}, L::r, "r", ".Rprofile", "Rscript"},
    Row{{"Julia", kProg, F::none}, L::julia, "jl", "", "julia"},
    Row{{"MATLAB", kProg, F::none}, L::matlab, "matlab"},
    Row{{"Haskell", kProg, F::none}, L::haskell, "hs lhs hsc", "", "runhaskell"},
    Row{{"Elm", kProg, F::none}, L::elm, "elm"},
    Row{{"OCaml", kProg, F::none}, L::ocaml, "ml mli mll mly"},
    Row{{"F#", kProg, F::none}, L::ocaml, "fs fsi fsx"},
    Row{{"Erlang", kProg, F::none}, L::erlang, "erl hrl", "", "escript"},
    Row{{"Elixir", kProg, F::none}, L::elixir, "ex exs", "", "elixir"},
    Row{{"Lisp", kProg, F::none},
        L::lisp,
        "lisp lsp el scm ss rkt clj cljs cljc edn",
        "",
        "sbcl guile racket"},
    Row{{"Fortran", kProg, F::none}, L::fortran, "f90 f95 f03 f08 f18"},
    Row{{"Fortran 77", kProg, F::none}, L::fortran_fixed, "f for f77 ftn"},
    Row{{"Ada", kProg, F::none}, L::ada, "ada adb ads"},
    Row{{"Pascal", kProg, F::none}, L::pascal, "pas dpr lpr pp"},
    Row{{"Visual Basic", kProg, F::none}, L::vb, "vb bas vbs"},
    Row{{"VHDL", kProg, F::none}, L::vhdl, "vhd vhdl"},
    Row{{"Verilog", kProg, F::none}, L::verilog, "v sv svh vh"},
    Row{{"Solidity", kProg, F::none}, L::solidity, "sol"},
    Row{{"Assembly", kProg, F::none}, L::assembly, "s asm nasm"},
    Row{{"awk", kProg, F::none}, L::awk, "awk", "", "awk gawk mawk"},
    Row{{"Tcl", kProg, F::none}, L::tcl, "tcl tk", "", "tclsh wish"},
    Row{{"sed", kProg, F::none}, L::hash, "sed", "", "sed"},
    Row{{"Vim script", kProg, F::none}, L::vim, "vim", ".vimrc"},
    Row{{"SQL", kProg, F::none}, L::sql, "sql psql ddl"},
    Row{{"Nix", kProg, F::none}, L::nix, "nix"},
    Row{{"CMake", kBuild, F::none}, L::cmake, "cmake", "CMakeLists.txt"},
    Row{{"make", kBuild, F::none},
        L::make,
        "mk mak make",
        "Makefile makefile GNUmakefile Kbuild",
        "make"},
    Row{{"Ninja", kBuild, F::none}, L::hash, "ninja"},
    Row{{"Meson", kBuild, F::none}, L::python, "", "meson.build meson_options.txt"},
    Row{{"Starlark", kBuild, F::none}, L::python, "bzl star bazel", "BUILD WORKSPACE BUCK"},
    Row{{"Dockerfile", kBuild, F::none}, L::dockerfile, "dockerfile", "Dockerfile Containerfile"},
    Row{{"HCL", kBuild, F::none}, L::hcl, "tf hcl tfvars"},
    Row{{"m4", kBuild, F::none}, L::hash, "m4 ac"},
    Row{{"HTML", kMarkup, F::none}, L::html, "html htm xhtml"},
    Row{{"Vuejs Component", kMarkup, F::none}, L::html, "vue svelte"},
    Row{{"XML", kMarkup, F::none},
        L::html,
        "xml xsd xsl xslt xaml csproj vcxproj props targets plist rng"},
    Row{{"SVG", kMarkup, F::none}, L::html, "svg"},
    Row{{"Qt", kMarkup, F::none}, L::html, "ui qrc"},
    Row{{"CSS", kMarkup, F::none}, L::css, "css"},
    Row{{"SCSS", kMarkup, F::none}, L::scss, "scss sass less styl"},
    Row{{"TeX", kMarkup, F::none}, L::tex, "tex sty cls ltx bib"},
    Row{{"Markdown", kProse, F::none}, L::markdown, "md markdown mdx mkd"},
    Row{{"reStructuredText", kProse, F::none}, L::plain, "rst"},
    Row{{"AsciiDoc", kProse, F::none}, L::plain, "adoc asciidoc"},
    Row{{"YAML", kData, F::none}, L::yaml, "yml yaml", ".clang-format .clang-tidy .clangd"},
    Row{{"TOML", kData, F::none}, L::toml, "toml", "Cargo.lock Pipfile poetry.lock uv.lock"},
    Row{{"JSON", kData, F::none},
        L::json,
        "json jsonc json5 webmanifest ipynb geojson",
        ".eslintrc .babelrc"},
    Row{{"INI", kData, F::none}, L::ini, "ini cfg conf properties editorconfig desktop service"},
    Row{{"Protocol Buffers", kData, F::none}, L::proto, "proto"},
    Row{{"Thrift", kData, F::none}, L::proto, "thrift"},
    Row{{"FlatBuffers", kData, F::none}, L::proto, "fbs"},
    Row{{"GraphQL", kData, F::none}, L::graphql, "graphql gql"},
};

struct Index {
  std::array<LanguageInfo, kRows.size()> infos;
  std::unordered_map<std::string_view, LanguageId> by_name, by_extension, by_interpreter,
      by_display;
  std::array<LexTable, static_cast<std::size_t>(LexFamily::count_)> tables;
};

const Index& index() {
  static const Index kIndex = [] {
    Index made;
    for (std::size_t i = 0; i < kRows.size(); ++i) {
      const Row& row = kRows[i];
      const LanguageId id(i);
      made.infos[i] = row.info;
      made.by_display.emplace(row.info.name, id);
      const auto add = [id](auto& map, std::string_view words) {
        for (const std::string_view word : split(words, ' ')) {
          if (!word.empty()) map.emplace(word, id);
        }
      };
      add(made.by_extension, row.extensions);
      add(made.by_name, row.names);
      add(made.by_interpreter, row.interpreters);
    }
    for (std::size_t f = 0; f < made.tables.size(); ++f)
      made.tables[f] = make_lex_table(static_cast<LexFamily>(f));
    return made;
  }();
  return kIndex;
}

std::optional<LanguageId> look_up(const std::unordered_map<std::string_view, LanguageId>& map,
                                  std::string_view key) {
  const auto found = map.find(key);
  return found == map.end() ? std::nullopt : std::optional<LanguageId>(found->second);
}

LanguageId named(std::string_view name) {
  return *look_up(index().by_display, name);
}

bool holds(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// Extensions that several languages share: what the content says, or nullopt for "no sign".
std::optional<std::string_view> by_content(std::string_view extension, std::string_view head) {
  if (extension == "m") {
    if (holds(head, "@interface") || holds(head, "@implementation") || holds(head, "#import") ||
        holds(head, "@import")) {
      return "Objective-C";
    }
    if (holds(head, "\n%") || head.starts_with('%') || holds(head, "function ") ||
        holds(head, "endfunction"))
      return "MATLAB";
  }
  if (extension == "ts") {
    if (head.starts_with("<?xml") || holds(head, "<!DOCTYPE TS>") || holds(head, "<TS "))
      return "XML";
    return "TypeScript";
  }
  if (extension == "d") {
    // A depfile: "target: prerequisites" with a continuation.
    if (holds(head, "module ") || holds(head, "import ")) return "D";
    if (holds(head, ".o:") || holds(head, ": \\\n")) return "make";
  }
  if (extension == "t")
    return holds(head, "use ") || holds(head, "perl") ? std::optional<std::string_view>("Perl")
                                                      : "";
  if (extension == "pp")
    return holds(head, "begin") || holds(head, "unit ") ? std::optional<std::string_view>("Pascal")
                                                        : "";
  if (extension == "bas" || extension == "cls")
    return head.starts_with("VERSION") ? std::optional<std::string_view>("Visual Basic")
                                       : std::nullopt;
  if (extension == "def") {
    // Included tables of C and C++; or the list of exports of a Windows library.
    const bool exports = head.starts_with("LIBRARY") || head.starts_with("EXPORTS") || head.empty();
    return exports ? "" : "C/C++ Header";
  }
  if (extension == "inc" && holds(head, "<?php")) return "PHP";
  return std::nullopt;
}

bool shared_extension(std::string_view e) {
  return e == "def" || e == "inc" || e == "m" || e == "ts" || e == "d" || e == "t" || e == "pp" ||
         e == "cls" || e == "bas";
}

std::optional<LanguageId> by_shebang(std::string_view head) {
  if (!head.starts_with("#!")) return std::nullopt;
  std::string_view line =
      head.substr(2, head.find('\n') == std::string_view::npos ? 256 : head.find('\n') - 2);
  for (std::string_view word : split(trim(line), ' ')) {
    word = trim(word);
    if (const auto slash = word.rfind('/'); slash != std::string_view::npos)
      word.remove_prefix(slash + 1);
    if (word.empty() || word == "env" || word.front() == '-' || holds(word, "=")) continue;
    // python3.11 -> python
    while (!word.empty() && ((word.back() >= '0' && word.back() <= '9') || word.back() == '.'))
      word.remove_suffix(1);
    return look_up(index().by_interpreter, word);
  }
  return std::nullopt;
}

std::string_view base_name(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

}  // namespace

std::span<const LanguageInfo> languages() {
  return index().infos;
}
const LanguageInfo& info(LanguageId language) {
  return index().infos[language.index()];
}
std::optional<LanguageId> language_named(std::string_view name) {
  return look_up(index().by_display, name);
}

std::string_view to_string(IdentifiedBy by) {
  constexpr std::array<std::string_view, 4> kNames{"name", "extension", "shebang", "content"};
  return kNames[static_cast<std::size_t>(by)];
}

const LexTable& lex_table(LanguageId language) {
  return index().tables[static_cast<std::size_t>(kRows[language.index()].lex)];
}

bool needs_content(std::string_view path) {
  const std::string_view name = base_name(path);
  if (look_up(index().by_name, name)) return false;
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return true;
  return shared_extension(lower(name.substr(dot + 1)));
}

std::optional<Identification> identify(std::string_view path, std::string_view head) {
  head = head.substr(0, 4096);
  std::string_view name = base_name(path);
  if (const auto id = look_up(index().by_name, name))
    return Identification{*id, IdentifiedBy::name, false};
  // Templates (config.h.in, Makefile.am) are read as what they become.
  bool is_template = false;
  for (const std::string_view suffix : {".in", ".am", ".tmpl", ".template"}) {
    if (name.size() > suffix.size() && name.ends_with(suffix)) {
      name.remove_suffix(suffix.size());
      is_template = true;
      if (const auto id = look_up(index().by_name, name))
        return Identification{*id, IdentifiedBy::name, true};
      break;
    }
  }
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0) {
    if (name.starts_with("Makefile.") || name.starts_with("Dockerfile.")) {
      return Identification{named(name[0] == 'M' ? "make" : "Dockerfile"), IdentifiedBy::name,
                            false};
    }
    if (const auto id = by_shebang(head)) return Identification{*id, IdentifiedBy::shebang, false};
    return std::nullopt;
  }
  const std::string_view exact = name.substr(dot + 1);
  const std::string extension = lower(exact);
  if (name.starts_with("Makefile.") || name.starts_with("Dockerfile.")) {
    return Identification{named(name[0] == 'M' ? "make" : "Dockerfile"), IdentifiedBy::name, false};
  }
  if (exact == "C" || exact == "H")
    return Identification{named(exact == "C" ? "C++" : "C/C++ Header"), IdentifiedBy::extension,
                          is_template};
  if (shared_extension(extension)) {
    const auto language = by_content(extension, head);
    if (language && language->empty()) return std::nullopt;
    if (language) return Identification{named(*language), IdentifiedBy::content, is_template};
    const auto guess = look_up(index().by_extension, extension);
    if (guess) return Identification{*guess, IdentifiedBy::extension, true};
  }
  if (const auto id = look_up(index().by_extension, extension)) {
    return Identification{*id, IdentifiedBy::extension, is_template};
  }
  if (const auto id = by_shebang(head)) return Identification{*id, IdentifiedBy::shebang, false};
  return std::nullopt;
}

}  // namespace neurolens::codebase
