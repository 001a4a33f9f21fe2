/// \file
/// The languages that the inventory knows, and which of them a file is written in.
/// Method: the file's name, then its longest known extension, then the interpreter line, then - for
/// the few extensions that several languages share - marks in the first bytes of the content.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "neurolens/base/strong_id.hpp"

namespace neurolens::codebase {

/// Index into languages().
using LanguageId = StrongId<struct LanguageTag>;

/// What a language is for; totals can be split by it.
enum class LanguageKind : std::uint8_t { programming, build, markup, data, prose };

/// How functions of a language are found and measured.
enum class FunctionStyle : std::uint8_t {
  none,     ///< Functions are not measured.
  c,        ///< C, C++, CUDA, Objective-C: a body is a brace after a parameter list.
  java,     ///< Java, C#, Dart, Scala: methods in classes.
  js,       ///< JavaScript, TypeScript: keyword, methods, arrows.
  keyword,  ///< Go, Rust, Kotlin, Swift, PHP: a keyword starts a function.
  python,   ///< Indentation.
};

struct LanguageInfo {
  std::string_view name;  ///< Display name and JSON value, such as "C++".
  LanguageKind kind = LanguageKind::programming;
  FunctionStyle functions = FunctionStyle::none;
};

/// All known languages, in a fixed order. Lives as long as the process.
[[nodiscard]] std::span<const LanguageInfo> languages();
[[nodiscard]] const LanguageInfo& info(LanguageId language);
/// By display name, exact; nullopt when unknown.
[[nodiscard]] std::optional<LanguageId> language_named(std::string_view name);

/// What the decision rests on, surest first.
enum class IdentifiedBy : std::uint8_t { name, extension, shebang, content };
[[nodiscard]] std::string_view to_string(IdentifiedBy by);

struct Identification {
  LanguageId language;
  IdentifiedBy by = IdentifiedBy::extension;
  /// The extension belongs to several languages and the content did not settle it.
  bool ambiguous = false;
};

/// True when the name alone cannot settle the language: pass the first bytes of the content as
/// well.
[[nodiscard]] bool needs_content(std::string_view path);

/// The language of a file. `head`: its first bytes (up to a few KiB are looked at; may be empty).
/// nullopt when it is no source file that is known. Pure, thread-safe.
[[nodiscard]] std::optional<Identification> identify(std::string_view path, std::string_view head);

}  // namespace neurolens::codebase
