/// \file
/// What a project declares that it depends on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace neurolens::codebase {

struct Declared {
  std::string package;  ///< As the manifest spells it.
  std::string ecosystem;
  std::string manifest;      ///< Path of the file.
  bool development = false;  ///< Needed to build or test only: not reported as unused.
};

/// True for a file name that declares dependencies (or settles how imports resolve).
[[nodiscard]] bool is_manifest(std::string_view path);
/// pyproject.toml, requirements*.txt, setup.cfg, package.json, Cargo.toml, go.mod.
[[nodiscard]] std::vector<Declared> declared_in(std::string_view path, const std::string& text);
/// Does a use of `imported` need `declared`? Knows that names are written in several ways (a-b,
/// a_b), and the well-known distributions that are imported under another name.
[[nodiscard]] bool same_package(std::string_view ecosystem, std::string_view declared,
                                std::string_view imported);

}  // namespace neurolens::codebase
