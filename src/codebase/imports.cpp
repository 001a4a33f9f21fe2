#include "imports.hpp"

#include <algorithm>
#include <cstring>

#include "functions/tokens.hpp"

namespace neurolens::codebase {
namespace {

std::string unquoted(std::string_view text) {
  while (!text.empty() && text.front() != '"' && text.front() != '\'' && text.front() != '`')
    text.remove_prefix(1);
  if (text.size() < 2) return {};
  return std::string(text.substr(1, text.size() - 2));
}

// ---- C family: directives at the start of a line
// -------------------------------------------------
class CImports {
 public:
  CImports(std::string_view text, std::span<const Segment> segments)
      : text_(text), segments_(segments) {}

  std::vector<RawImport> run() {
    std::size_t line_start = 0;
    for (std::uint32_t line = 1; line_start < text_.size(); ++line) {
      const void* hit = std::memchr(text_.data() + line_start, '\n', text_.size() - line_start);
      const std::size_t stop =
          hit != nullptr ? static_cast<std::size_t>(static_cast<const char*>(hit) - text_.data())
                         : text_.size();
      std::size_t at = line_start;
      while (at < stop && is_blank_byte(text_[at])) ++at;
      if (at < stop && text_[at] == '#' && !inside_segment(at))
        directive(text_.substr(at + 1, stop - at - 1), line);
      line_start = stop + 1;
    }
    return std::move(out_);
  }

 private:
  bool inside_segment(std::size_t at) {
    while (next_ < segments_.size() && segments_[next_].end <= at) ++next_;
    return next_ < segments_.size() && segments_[next_].begin <= at;
  }

  void directive(std::string_view rest, std::uint32_t line) {
    const auto skip = [&rest] {
      while (!rest.empty() && is_blank_byte(rest.front())) rest.remove_prefix(1);
    };
    skip();
    std::size_t size = 0;
    while (size < rest.size() && is_identifier_byte(rest[size])) ++size;
    const std::string_view word = rest.substr(0, size);
    rest.remove_prefix(size);
    skip();
    if (word.starts_with("if")) {
      dead_.push_back(false);
      mark(word == "if" && rest.substr(0, 1) == "0" &&
           (rest.size() < 2 || !is_identifier_byte(rest[1])));
    } else if (word == "else" || word == "elif") {
      if (!dead_.empty()) mark(false);
    } else if (word == "endif") {
      if (dead_.empty()) return;
      mark(false);
      dead_.pop_back();
    } else if (word == "include" || word == "include_next" || word == "import") {
      if (rest.size() < 2 || (rest.front() != '"' && rest.front() != '<')) return;
      const std::size_t close = rest.find(rest.front() == '<' ? '>' : '"', 1);
      if (close == std::string_view::npos) return;
      RawImport made;
      made.form = rest.front() == '<' ? ImportForm::angled : ImportForm::quoted;
      made.kind = dead_count_ > 0 ? ImportKind::inactive : ImportKind::normal;
      made.line = line;
      made.target = rest.substr(1, close - 1);
      out_.push_back(std::move(made));
    }
  }

  // Marks the innermost branch as dead or alive.
  void mark(bool dead) {
    dead_count_ += (dead ? 1u : 0u) - (dead_.back() ? 1u : 0u);
    dead_.back() = dead;
  }

  std::string_view text_;
  std::span<const Segment> segments_;
  std::size_t next_ = 0;
  std::vector<bool> dead_;
  std::size_t dead_count_ = 0;  ///< Of dead_, the true ones.
  std::vector<RawImport> out_;
};

// ---- Languages read token by token
// ---------------------------------------------------------------
class TokenImports {
 public:
  TokenImports(std::string_view text, std::span<const Segment> segments, LanguageId language,
               bool newlines)
      : tokens_(text, segments, WordTable::of(language), {false, newlines}) {
    advance();
  }

 protected:
  void advance() { tokens_.next(&token_); }
  bool ended() const { return token_.kind == TokenKind::end; }
  bool at_word(std::string_view text) const {
    return token_.kind == TokenKind::word && token_.text == text;
  }
  bool at_name() const { return token_.kind == TokenKind::word; }
  bool at_string() const { return token_.kind == TokenKind::string; }
  RawImport& add(ImportForm form, ImportKind kind, std::uint32_t line, std::string target) {
    RawImport made;
    made.form = form;
    made.kind = kind;
    made.line = line;
    made.target = std::move(target);
    out_.push_back(std::move(made));
    return out_.back();
  }

  Tokens tokens_;
  Token token_;
  std::vector<RawImport> out_;
};

class PythonImports : TokenImports {
 public:
  PythonImports(std::string_view text, std::span<const Segment> segments, LanguageId language)
      : TokenImports(text, segments, language, true) {}

  std::vector<RawImport> run() {
    bool fresh = true;
    int depth = 0;
    while (!ended()) {
      if (token_.kind == TokenKind::newline) {
        if (depth == 0) fresh = true;
        advance();
        continue;
      }
      if (fresh && depth == 0) {
        fresh = false;
        while (!blocks_.empty() && blocks_.back().indent >= token_.column) blocks_.pop_back();
        column_ = token_.column;
        if (statement()) {
          fresh = false;
          continue;
        }
      } else if (token_.is(';') && depth == 0) {
        advance();
        if (statement()) continue;
        continue;
      } else if (token_.is(':') && depth == 0 && open_block_) {
        open_block_ = false;
        advance();
        if (token_.kind != TokenKind::newline && statement()) continue;  // if x: import y
        continue;
      }
      if (token_.is('(') || token_.is('[') || token_.is('{')) ++depth;
      if (token_.is(')') || token_.is(']') || token_.is('}')) depth = std::max(0, depth - 1);
      advance();
    }
    return std::move(out_);
  }

 private:
  struct Block {
    std::uint32_t indent;
    ImportKind kind;  ///< Of an import inside, the blocks around it taken along.
  };

  ImportKind kind() const { return blocks_.empty() ? ImportKind::normal : blocks_.back().kind; }

  void push(ImportKind own) {
    const ImportKind around = kind();
    const bool outer = around == ImportKind::local ||
                       (own != ImportKind::local &&
                        (own == ImportKind::normal || around == ImportKind::type_only));
    blocks_.push_back({column_, outer ? around : own});
  }

  // At the first token of a statement. True when it was an import (then consumed).
  bool statement() {
    if (!at_name()) return false;
    if (at_word("import")) {
      import_names();
      return true;
    }
    if (at_word("from")) return from_import();
    const bool async = at_word("async");
    if (async) advance();
    if (at_word("def") || at_word("lambda")) return block(ImportKind::local);
    if (at_word("class")) return block(ImportKind::normal);
    if (at_word("if") || at_word("elif")) {
      advance();
      bool type_checking = at_word("TYPE_CHECKING");
      if (at_word("typing") || at_word("t")) {
        advance();
        if (token_.is('.')) advance();
        type_checking = at_word("TYPE_CHECKING");
      }
      push(type_checking ? ImportKind::type_only : ImportKind::conditional);
      open_block_ = true;
      return false;
    }
    for (const char* word : {"else", "try", "except", "finally", "while", "for", "match", "case"}) {
      if (at_word(word)) return block(ImportKind::conditional);
    }
    if (at_word("with")) return block(ImportKind::normal);
    return false;
  }

  bool block(ImportKind kind) {
    push(kind);
    open_block_ = true;
    return false;
  }

  std::string dotted() {
    std::string name;
    while (at_name() || token_.is('.')) {
      if (at_name() && !name.empty() && name.back() != '.') break;
      name += at_name() ? std::string(token_.text) : ".";
      advance();
    }
    return name;
  }

  void skip_alias() {
    if (!at_word("as")) return;
    advance();
    if (at_name()) advance();
  }

  void import_names() {
    const std::uint32_t line = token_.line;
    advance();
    while (at_name()) {
      std::string name = dotted();
      if (!name.empty()) add(ImportForm::python, kind(), line, std::move(name));
      skip_alias();
      if (!token_.is(',')) break;
      advance();
    }
  }

  bool from_import() {
    const std::uint32_t line = token_.line;
    advance();
    std::uint8_t level = 0;
    while (token_.is('.')) {
      ++level;
      advance();
    }
    std::string target = at_word("import") ? std::string() : dotted();
    if (!at_word("import")) return false;  // "from" as a name: yield from
    advance();
    const bool parens = token_.is('(');
    if (parens) advance();
    std::vector<std::string> names;
    while (!ended()) {
      if (token_.kind == TokenKind::newline) {
        if (!parens) break;
        advance();
        continue;
      }
      if (at_name()) {
        names.emplace_back(token_.text);
        advance();
        skip_alias();
      } else if (token_.is('*')) {
        names.emplace_back("*");
        advance();
      } else if (token_.is(',')) {
        advance();
      } else {
        if (parens && token_.is(')')) advance();
        break;
      }
    }
    RawImport& made = add(ImportForm::python_from, kind(), line, std::move(target));
    made.level = level;
    made.names = std::move(names);
    return true;
  }

  std::vector<Block> blocks_;
  std::uint32_t column_ = 0;
  bool open_block_ = false;
};

class ScriptImports : TokenImports {
 public:
  ScriptImports(std::string_view text, std::span<const Segment> segments, LanguageId language)
      : TokenImports(text, segments, language, false) {}

  std::vector<RawImport> run() {
    bool member = false;
    int depth = 0;
    while (!ended()) {
      if (token_.is('{') || token_.is('(')) ++depth;
      if (token_.is('}') || token_.is(')')) --depth;
      if (!member && at_word("import")) {
        statement(depth, true);
      } else if (!member && at_word("export") && depth == 0) {
        statement(depth, false);
      } else if (!member && at_word("require")) {
        const std::uint32_t line = token_.line;
        advance();
        if (token_.is('(')) {
          advance();
          ++depth;
          if (at_string())
            add(ImportForm::script, depth > 1 ? ImportKind::local : ImportKind::normal, line,
                unquoted(token_.text));
        }
        member = false;
      } else {
        member = token_.is('.');
        advance();
      }
    }
    return std::move(out_);
  }

 private:
  void statement(int depth, bool import) {
    const std::uint32_t line = token_.line;
    advance();
    if (import && token_.is('(')) {
      advance();
      if (at_string()) add(ImportForm::script, ImportKind::dynamic, line, unquoted(token_.text));
      return;
    }
    if (import && at_string()) {
      add(ImportForm::script, ImportKind::normal, line, unquoted(token_.text));
      advance();
      return;
    }
    if (import && token_.is('.')) return;  // import.meta
    bool type_only = false;
    if (at_word("type")) {
      type_only = true;
      advance();
    }
    if (!import && !token_.is('*') && !token_.is('{')) return;
    (void)depth;
    // Names, braces and commas up to: from "x".
    for (int i = 0; i < 4096 && !ended(); ++i) {
      if (at_word("from")) {
        advance();
        if (!at_string()) continue;
        add(ImportForm::script, type_only ? ImportKind::type_only : ImportKind::normal, line,
            unquoted(token_.text));
        advance();
        return;
      }
      const bool part = at_name() || token_.is('{') || token_.is('}') || token_.is(',') ||
                        token_.is('*') || at_string();
      if (!part) return;
      if (i > 0 && (at_word("import") || at_word("export"))) return;
      advance();
    }
  }
};

class RustImports : TokenImports {
 public:
  RustImports(std::string_view text, std::span<const Segment> segments, LanguageId language)
      : TokenImports(text, segments, language, false) {}

  std::vector<RawImport> run() {
    int depth = 0;
    int function_depth = -1;
    bool in_function = false;
    while (!ended()) {
      if (token_.is(Word::function)) in_function = true;
      if (token_.is(';') && function_depth < 0) in_function = false;
      if (token_.is('{')) {
        ++depth;
        if (in_function && function_depth < 0) function_depth = depth;
      }
      if (token_.is('}')) {
        if (depth == function_depth) {
          function_depth = -1;
          in_function = false;
        }
        --depth;
      }
      const ImportKind kind = function_depth >= 0 ? ImportKind::local : ImportKind::normal;
      const std::uint32_t line = token_.line;
      if (at_word("use")) {
        advance();
        tree("", kind, line, 0);
      } else if (at_word("mod")) {
        advance();
        const std::string name(at_name() ? token_.text : std::string_view{});
        advance();
        if (token_.is(';')) add(ImportForm::rust_mod, kind, line, name);
      } else if (at_word("extern")) {
        advance();
        if (!at_word("crate")) continue;
        advance();
        if (at_name()) add(ImportForm::rust_path, kind, line, "::" + std::string(token_.text));
      } else if (at_word("crate") || at_word("super")) {
        std::string path(token_.text);
        advance();
        bool more = false;
        while (token_.is(':', ':')) {
          advance();
          if (!at_name()) break;
          path += "::" + std::string(token_.text);
          more = true;
          advance();
        }
        if (more) add(ImportForm::rust_path, kind, line, path);
      } else {
        advance();
      }
    }
    return std::move(out_);
  }

 private:
  static constexpr std::size_t kLongestPath = 1024;

  // One branch of a use tree: a::b::{c, d}, a::*, a as b.
  void tree(std::string path, ImportKind kind, std::uint32_t line, int depth) {
    if (token_.is(':', ':')) advance();
    while (at_name()) {
      if (at_word("as")) {
        advance();
        if (at_name()) advance();
        break;
      }
      // No real path is longer; unbounded, a tree of many leaves would repeat it for each.
      if (path.size() < kLongestPath) path += (path.empty() ? "" : "::") + std::string(token_.text);
      advance();
      if (!token_.is(':', ':')) {
        if (at_word("as")) continue;
        break;
      }
      advance();
    }
    if (token_.is('{') && depth < 32) {
      advance();
      while (!ended() && !token_.is('}')) {
        const std::size_t before = tokens_.offset();
        tree(path, kind, line, depth + 1);
        if (token_.is(',')) advance();
        if (tokens_.offset() == before && !token_.is('}')) advance();
      }
      if (token_.is('}')) advance();
      return;
    }
    if (token_.is('*')) advance();
    if (!path.empty()) add(ImportForm::rust_path, kind, line, path);
  }
};

class GoJavaImports : TokenImports {
 public:
  GoJavaImports(std::string_view text, std::span<const Segment> segments, LanguageId language)
      : TokenImports(text, segments, language, false) {}

  std::vector<RawImport> run_go() {
    while (!ended()) {
      if (at_word("func") || at_word("type") || at_word("var")) break;  // imports stand first
      if (!at_word("import")) {
        advance();
        continue;
      }
      advance();
      const bool group = token_.is('(');
      if (group) advance();
      while (!ended() && !token_.is(')')) {
        if (at_word("import") || at_word("func") || at_word("type") || at_word("var") ||
            at_word("const"))
          break;
        if (at_string())
          add(ImportForm::go, ImportKind::normal, token_.line, unquoted(token_.text));
        advance();
        if (!group && !out_.empty()) break;
      }
    }
    return std::move(out_);
  }

  std::vector<RawImport> run_java() {
    while (!ended()) {
      if (at_word("class") || at_word("interface") || at_word("enum") || at_word("record")) break;
      const bool package = at_word("package");
      if (!package && !at_word("import")) {
        advance();
        continue;
      }
      const std::uint32_t line = token_.line;
      advance();
      bool is_static = false;
      if (at_word("static")) {
        is_static = true;
        advance();
      }
      std::string name;
      while (at_name() || token_.is('.') || token_.is('*')) {
        name += at_name() ? std::string(token_.text) : token_.is('.') ? "." : "*";
        advance();
      }
      if (is_static) {
        const auto dot = name.rfind('.');
        if (dot != std::string::npos) name.resize(dot);
      }
      add(package ? ImportForm::java_package : ImportForm::java, ImportKind::normal, line,
          std::move(name));
    }
    return std::move(out_);
  }
};

}  // namespace

std::vector<RawImport> find_imports(std::string_view text, std::span<const Segment> segments,
                                    LanguageId language) {
  const LanguageInfo& about = info(language);
  switch (about.functions) {
    case FunctionStyle::c:
      return CImports(text, segments).run();
    case FunctionStyle::python:
      return PythonImports(text, segments, language).run();
    case FunctionStyle::js:
      return ScriptImports(text, segments, language).run();
    default:
      break;
  }
  if (about.name == "Rust") return RustImports(text, segments, language).run();
  if (about.name == "Go") return GoJavaImports(text, segments, language).run_go();
  if (about.name == "Java") return GoJavaImports(text, segments, language).run_java();
  return {};
}

}  // namespace neurolens::codebase
