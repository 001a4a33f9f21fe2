/// \file
/// Which module a file belongs to.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/json.hpp"

namespace neurolens::codebase {

/// A module and the files that are its own.
struct ModuleRule {
  std::string name;
  std::vector<std::string> globs;  ///< See glob_match(); "dir/**" for everything below.
  std::string about;               ///< One line for the system map; empty: its files say it.
};

/// Rules in order: the first whose glob matches names the module. A file that no rule names goes to
/// its top-level folder; below one of the usual containers (src, lib, libs, packages, crates, apps,
/// modules, include) to the folder inside. Files at the root belong to ".".
class ModuleMap {
 public:
  ModuleMap() = default;
  explicit ModuleMap(std::vector<ModuleRule> rules) : rules_(std::move(rules)) {}
  [[nodiscard]] std::string module_of(std::string_view path) const;
  /// True when a rule (and not the folder) names the module.
  [[nodiscard]] bool named(std::string_view path) const;
  [[nodiscard]] const std::vector<ModuleRule>& rules() const { return rules_; }

 private:
  std::vector<ModuleRule> rules_;
};

/// Reads {name: glob or [glob, ...] or {files: ..., about: text}} as in the `modules` key of a
/// contract file. Errors: wrong_type, unknown_key with the place.
[[nodiscard]] Result<ModuleMap> module_map_from(const json::Value& object);

}  // namespace neurolens::codebase
