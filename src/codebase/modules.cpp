#include "neurolens/codebase/modules.hpp"

#include <algorithm>
#include <array>

#include "neurolens/codebase/walk.hpp"

namespace neurolens::codebase {
namespace {

const ModuleRule* rule_for(const std::vector<ModuleRule>& rules, std::string_view path) {
  for (const ModuleRule& rule : rules) {
    for (const std::string& glob : rule.globs) {
      if (glob_match(glob, path)) return &rule;
    }
  }
  return nullptr;
}

std::string place_of(const json::Value& v) {
  return "line " + std::to_string(v.line);
}

Status read_globs(const json::Value& value, ModuleRule* rule) {
  if (const std::string* glob = value.as_string()) {
    rule->globs.push_back(*glob);
    return {};
  }
  const json::Array* globs = value.as_array();
  if (globs == nullptr)
    return Error{Errc::wrong_type, "Module " + rule->name + " needs a glob or a list of globs.",
                 place_of(value)};
  for (const json::Value& item : *globs) {
    if (item.as_string() == nullptr)
      return Error{Errc::wrong_type, "A glob must be a string.", place_of(item)};
    rule->globs.push_back(*item.as_string());
  }
  return {};
}

}  // namespace

std::string ModuleMap::module_of(std::string_view path) const {
  if (const ModuleRule* rule = rule_for(rules_, path)) return rule->name;
  static constexpr std::array<std::string_view, 8> kContainers{
      "src", "lib", "libs", "packages", "crates", "apps", "modules", "include"};
  const std::size_t first = path.find('/');
  if (first == std::string_view::npos) return ".";
  const std::string_view top = path.substr(0, first);
  if (std::find(kContainers.begin(), kContainers.end(), top) == kContainers.end())
    return std::string(top);
  const std::size_t second = path.find('/', first + 1);
  return std::string(second == std::string_view::npos ? top : path.substr(0, second));
}

bool ModuleMap::named(std::string_view path) const {
  return rule_for(rules_, path) != nullptr;
}

Result<ModuleMap> module_map_from(const json::Value& object) {
  const json::Object* members = object.as_object();
  if (members == nullptr) {
    return Error{Errc::wrong_type, "modules must be an object of names with globs.",
                 place_of(object)};
  }
  std::vector<ModuleRule> rules;
  for (const auto& [name, value] : *members) {
    ModuleRule rule{name, {}, {}};
    if (value.as_object() == nullptr) {
      NEUROLENS_TRY(read_globs(value, &rule));
    } else {
      for (const auto& [key, inner] : *value.as_object()) {
        if (key == "files") {
          NEUROLENS_TRY(read_globs(inner, &rule));
        } else if (key != "about") {
          return Error{Errc::unknown_key,
                       "Unknown key \"" + key + "\"; a module has files and about.",
                       place_of(inner)};
        } else if (inner.as_string() == nullptr) {
          return Error{Errc::wrong_type, "\"about\" must be a text.", place_of(inner)};
        } else {
          rule.about = *inner.as_string();
        }
      }
    }
    rules.push_back(std::move(rule));
  }
  return ModuleMap(std::move(rules));
}

}  // namespace neurolens::codebase
