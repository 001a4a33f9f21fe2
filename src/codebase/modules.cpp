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
  const auto place = [](const json::Value& v) { return "line " + std::to_string(v.line); };
  const json::Object* members = object.as_object();
  if (members == nullptr) {
    return Error{Errc::wrong_type, "modules must be an object of names with globs.", place(object)};
  }
  std::vector<ModuleRule> rules;
  for (const auto& [name, value] : *members) {
    ModuleRule rule{name, {}};
    if (const std::string* glob = value.as_string()) {
      rule.globs.push_back(*glob);
    } else if (const json::Array* globs = value.as_array()) {
      for (const json::Value& item : *globs) {
        if (item.as_string() == nullptr)
          return Error{Errc::wrong_type, "A glob must be a string.", place(item)};
        rule.globs.push_back(*item.as_string());
      }
    } else {
      return Error{Errc::wrong_type, "Module " + name + " needs a glob or a list of globs.",
                   place(value)};
    }
    rules.push_back(std::move(rule));
  }
  return ModuleMap(std::move(rules));
}

}  // namespace neurolens::codebase
