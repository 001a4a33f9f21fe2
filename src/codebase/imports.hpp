/// \file
/// What a file says that it depends on, as written: no file system, no resolution.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lex/scanner.hpp"
#include "neurolens/codebase/deps.hpp"

namespace neurolens::codebase {

/// How `RawImport::target` is to be read.
enum class ImportForm : std::uint8_t {
  quoted,       ///< #include "target"
  angled,       ///< #include <target>
  python,       ///< import target
  python_from,  ///< from [.]*level target import names
  script,       ///< a JavaScript specifier
  rust_path,    ///< use a::b
  rust_mod,     ///< mod a;
  go,           ///< import "path"
  java,         ///< import a.b.C; or a.b.*
  java_package  ///< package a.b;
};

struct RawImport {
  ImportForm form = ImportForm::quoted;
  ImportKind kind = ImportKind::normal;
  std::uint32_t line = 0;
  std::uint8_t level = 0;  ///< Leading dots of a relative Python import.
  std::string target;
  std::vector<std::string> names;  ///< Of a Python from-import.
};

/// The imports of one scanned text, in order. Languages that have none here give an empty list.
[[nodiscard]] std::vector<RawImport> find_imports(std::string_view text,
                                                  std::span<const Segment> segments,
                                                  LanguageId language);

}  // namespace neurolens::codebase
