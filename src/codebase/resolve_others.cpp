#include <algorithm>
#include <map>
#include <set>

#include "lex/scanner.hpp"
#include "neurolens/base/file_system.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "resolve.hpp"
#include "standard_modules.hpp"

// JavaScript and TypeScript, Rust, Go, Java.
namespace neurolens::codebase {
namespace {

using Manifests = std::unordered_map<std::string, std::string>;

Target inside(int file) {
  Target t;
  t.file = file;
  return t;
}

Target outside(std::string_view package, bool standard = false) {
  Target t;
  t.package = package;
  t.standard = standard;
  return t;
}

std::string joined(std::string_view folder, std::string_view rest) {
  return join_relative(folder, rest).value_or(std::string(rest));
}

// JSON as configuration files have it: comments and trailing commas become spaces.
std::string plain_json(const std::string& text) {
  std::vector<Segment> segments;
  Scanner scanner(text, lex_table(*language_named("JSON")), &segments, nullptr);
  scanner.run();
  std::string out = text;
  std::vector<bool> quoted(text.size(), false);
  for (const Segment& s : segments) {
    for (std::uint32_t i = s.begin; i < s.end; ++i) {
      if (s.kind == SegmentKind::string)
        quoted[i] = true;
      else if (out[i] != '\n')
        out[i] = ' ';
    }
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out[i] != ',' || quoted[i]) continue;
    const std::size_t next = out.find_first_not_of(" \t\r\n", i + 1);
    if (next != std::string::npos && (out[next] == '}' || out[next] == ']')) out[i] = ' ';
  }
  return out;
}

class ScriptResolver final : public Resolver {
 public:
  ScriptResolver(const TreeView& tree, const Manifests& manifests) : tree_(tree) {
    for (const auto& [path, text] : manifests) {
      const std::string folder(folder_of(path));
      const std::string_view name = file_name(path);
      if (name == "tsconfig.json" || name == "jsconfig.json") {
        if (auto parsed = json::parse(plain_json(text)); parsed.ok()) add_config(folder, *parsed);
      } else if (name == "package.json") {
        auto parsed = json::parse(text);
        if (!parsed.ok()) continue;
        const json::Value* own = parsed->find("name");
        if (own != nullptr && own->as_string() != nullptr) workspaces_[*own->as_string()] = folder;
      }
    }
    std::sort(aliases_.begin(), aliases_.end(), [](const Alias& a, const Alias& b) {
      return a.prefix.size() != b.prefix.size() ? a.prefix.size() > b.prefix.size()
                                                : a.prefix < b.prefix;
    });
  }

  std::string_view ecosystem() const override { return "npm"; }

  std::vector<Target> resolve(std::uint32_t from, const RawImport& import) const override {
    std::string spec = import.target.substr(0, import.target.find_first_of("?"));
    if (spec.empty()) return {};
    const std::string_view folder = folder_of(tree_.paths[from]);
    if (spec.starts_with("./") || spec.starts_with("../") || spec == "." || spec == "..") {
      const auto path = join_relative(folder, spec);
      const int file = path ? probe(*path) : -1;
      if (file >= 0) return {inside(file)};
      Target t;
      t.unresolved = true;
      t.package = spec;
      return {t};
    }
    if (spec.starts_with("node:")) return {outside(spec, true)};
    for (const Alias& alias : aliases_) {
      const bool match = alias.star ? spec.starts_with(alias.prefix) : spec == alias.prefix;
      if (!match ||
          !(alias.scope.empty() || folder == alias.scope || folder.starts_with(alias.scope + "/")))
        continue;
      const std::string path =
          joined("", alias.target + (alias.star ? spec.substr(alias.prefix.size()) : ""));
      if (const int file = probe(path); file >= 0) return {inside(file)};
    }
    if (is_node_builtin(spec)) return {outside(spec.substr(0, spec.find('/')), true)};
    std::size_t slash = spec.find('/');
    if (spec.starts_with('@') && slash != std::string::npos) slash = spec.find('/', slash + 1);
    const std::string name = spec.substr(0, slash);
    if (const auto found = workspaces_.find(name); found != workspaces_.end()) {
      const std::string rest = slash == std::string::npos ? "" : spec.substr(slash + 1);
      for (const std::string& start :
           {joined(found->second, rest),
            joined(found->second, "src/" + (rest.empty() ? "index" : rest)),
            joined(found->second, "lib/" + (rest.empty() ? "index" : rest))}) {
        if (const int file = probe(start); file >= 0) return {inside(file)};
      }
    }
    return {outside(name)};
  }

 private:
  struct Alias {
    std::string scope, prefix, target;
    bool star = false;
  };

  void add_config(const std::string& folder, const json::Value& config) {
    const json::Value* options = config.find("compilerOptions");
    if (options == nullptr) return;
    const json::Value* base_url = options->find("baseUrl");
    const bool has_base = base_url != nullptr && base_url->as_string() != nullptr;
    const std::string base = has_base ? joined(folder, *base_url->as_string()) : folder;
    if (const json::Value* paths = options->find("paths");
        paths != nullptr && paths->as_object() != nullptr) {
      for (const auto& [pattern, targets] : *paths->as_object()) {
        if (targets.as_array() == nullptr) continue;
        for (const json::Value& target : *targets.as_array()) {
          if (target.as_string() == nullptr) continue;
          std::string to = joined(base, *target.as_string());
          const bool star = pattern.ends_with('*') && to.ends_with('*');
          if (star) to.pop_back();
          aliases_.push_back(
              {folder, star ? pattern.substr(0, pattern.size() - 1) : pattern, to + "", star});
          if (star && target.as_string()->ends_with("/*"))
            aliases_.back().target = to + (to.empty() || to.ends_with('/') ? "" : "/");
        }
      }
    }
    if (has_base) aliases_.push_back({folder, "", base.empty() ? "" : base + "/", true});
  }

  int probe(const std::string& path) const {
    if (const int file = tree_.find(path); file >= 0) return file;
    static constexpr std::string_view kEnds[] = {".ts",  ".tsx", ".d.ts", ".mts",  ".cts", ".js",
                                                 ".jsx", ".mjs", ".cjs",  ".json", ".vue"};
    for (const std::string_view end : kEnds) {
      if (const int file = tree_.find(path + std::string(end)); file >= 0) return file;
    }
    // TypeScript writes the name of what will be emitted.
    for (const auto& [js, ts] : {std::pair{".js", ".ts"},
                                 {".js", ".tsx"},
                                 {".mjs", ".mts"},
                                 {".cjs", ".cts"},
                                 {".jsx", ".tsx"}}) {
      if (!path.ends_with(js)) continue;
      if (const int file =
              tree_.find(path.substr(0, path.size() - std::string_view(js).size()) + ts);
          file >= 0)
        return file;
    }
    for (const std::string_view end : kEnds) {
      const std::string index = (path.empty() ? "index" : path + "/index") + std::string(end);
      if (const int file = tree_.find(index); file >= 0) return file;
    }
    return -1;
  }

  const TreeView& tree_;
  std::vector<Alias> aliases_;
  std::map<std::string, std::string> workspaces_;
};

// ---- Rust
// ----------------------------------------------------------------------------------------
class RustResolver final : public Resolver {
 public:
  RustResolver(const TreeView& tree, const Manifests& manifests) : tree_(tree) {
    for (const auto& [path, text] : manifests) {
      if (file_name(path) != "Cargo.toml") continue;
      bool package = false;
      for (std::string_view line : split(text, '\n')) {
        line = trim(line);
        if (line.starts_with('[')) package = line == "[package]";
        if (!package || !line.starts_with("name")) continue;
        const auto open = line.find('"');
        const auto close = line.rfind('"');
        if (open == std::string_view::npos || close <= open) continue;
        std::string name(line.substr(open + 1, close - open - 1));
        std::replace(name.begin(), name.end(), '-', '_');
        crates_[name] = joined(folder_of(path), "src");
      }
    }
  }

  std::string_view ecosystem() const override { return "cargo"; }

  std::vector<Target> resolve(std::uint32_t from, const RawImport& import) const override {
    const Place place = place_of(tree_.paths[from]);
    if (import.form == ImportForm::rust_mod) {
      const int file = child(place, import.target);
      if (file >= 0) return {inside(file)};
      Target t;
      t.unresolved = true;
      t.package = "mod " + import.target;
      return {t};
    }
    std::string path = import.target;
    const bool global = path.starts_with("::");
    if (global) path = path.substr(2);
    std::vector<std::string> parts;
    for (std::size_t at = 0; at <= path.size();) {
      const std::size_t next = std::min(path.find("::", at), path.size());
      parts.push_back(path.substr(at, next - at));
      at = next + 2;
    }
    const std::string& first = parts.front();
    if (!global && (first == "crate" || first == "self" || first == "super")) {
      std::vector<std::string> at = first == "crate" ? std::vector<std::string>{} : place.module;
      std::size_t next = 1;
      if (first == "super" && !at.empty()) at.pop_back();
      while (next < parts.size() && parts[next] == "super") {
        if (!at.empty()) at.pop_back();
        ++next;
      }
      return here(from, place, at, parts, next);
    }
    if (first == "std" || first == "core" || first == "alloc" || first == "proc_macro" ||
        first == "test")
      return {outside(first, true)};
    if (!global && child(place, first) >= 0) return here(from, place, place.module, parts, 0);
    if (const auto found = crates_.find(first); found != crates_.end()) {
      Place other;
      other.source = found->second;
      return here(from, other, {}, parts, 1);
    }
    if (!first.empty() && first[0] >= 'A' && first[0] <= 'Z')
      return {};  // an enum or type of this file
    return {outside(first)};
  }

 private:
  struct Place {
    std::string source;               ///< The crate's source folder.
    std::string root_file;            ///< Set for src/bin/x.rs, tests/x.rs: a crate of its own.
    std::vector<std::string> module;  ///< Path within the crate.
  };

  Place place_of(std::string_view path) const {
    Place place;
    // The innermost "src" folder beside a manifest; tests, examples and benches are crates of their
    // own.
    std::string best;
    for (const auto& [name, source] : crates_) {
      if (path.starts_with(source + "/") && source.size() >= best.size()) best = source;
    }
    if (best.empty()) best = std::string(folder_of(path));
    place.source = best;
    std::string_view rest = path.substr(best.empty() ? 0 : best.size() + 1);
    if (rest.ends_with(".rs")) rest.remove_suffix(3);
    for (const std::string_view part : split(rest, '/')) place.module.emplace_back(part);
    if (!place.module.empty() && (place.module.back() == "mod" || place.module.back() == "lib" ||
                                  place.module.back() == "main")) {
      place.module.pop_back();
    }
    return place;
  }

  int module_file(const Place& place, const std::vector<std::string>& module) const {
    std::string path = place.source;
    for (const std::string& part : module) path = path.empty() ? part : path + "/" + part;
    if (module.empty()) {
      for (const char* name : {"lib.rs", "main.rs"}) {
        if (const int file = tree_.find(joined(path, name)); file >= 0) return file;
      }
      return -1;
    }
    if (const int file = tree_.find(path + ".rs"); file >= 0) return file;
    return tree_.find(path + "/mod.rs");
  }

  int child(const Place& place, const std::string& name) const {
    std::vector<std::string> module = place.module;
    module.push_back(name);
    return module_file(place, module);
  }

  // The deepest module that a path reaches; what is left names an item in it.
  std::vector<Target> here(std::uint32_t from, const Place& place, std::vector<std::string> at,
                           const std::vector<std::string>& parts, std::size_t next) const {
    int file = module_file(place, at);
    for (; next < parts.size(); ++next) {
      at.push_back(parts[next]);
      const int deeper = module_file(place, at);
      if (deeper < 0) break;
      file = deeper;
    }
    if (file < 0 || static_cast<std::uint32_t>(file) == from) return {};
    return {inside(file)};
  }

  const TreeView& tree_;
  std::map<std::string, std::string> crates_;  ///< Name -> source folder.
};

// ---- Go
// ------------------------------------------------------------------------------------------
class GoResolver final : public Resolver {
 public:
  GoResolver(const TreeView& tree, const Manifests& manifests) {
    for (const auto& [path, text] : manifests) {
      if (file_name(path) != "go.mod") continue;
      for (std::string_view line : split(text, '\n')) {
        line = trim(line);
        if (line.starts_with("module "))
          modules_.emplace_back(std::string(trim(line.substr(7))), std::string(folder_of(path)));
        if (line.starts_with("require ")) line = trim(line.substr(8));
        const auto space = line.find(' ');
        if (space != std::string_view::npos && line.find('.') < space)
          required_.emplace(line.substr(0, space));
      }
    }
    std::sort(modules_.begin(), modules_.end(),
              [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
    for (std::uint32_t i = 0; i < tree.paths.size(); ++i) {
      const std::string_view path = tree.paths[i];
      if (!path.ends_with(".go") || path.ends_with("_test.go")) continue;
      const auto [at, fresh] = first_.emplace(folder_of(path), i);
      if (!fresh && file_name(path) == "doc.go") at->second = i;
    }
  }

  std::string_view ecosystem() const override { return "go"; }

  std::vector<Target> resolve(std::uint32_t, const RawImport& import) const override {
    for (const auto& [name, folder] : modules_) {
      if (import.target != name && !import.target.starts_with(name + "/")) continue;
      const std::string path = joined(folder, import.target.substr(name.size()));
      const auto found = first_.find(path);
      if (found != first_.end()) return {inside(static_cast<int>(found->second))};
      Target t;
      t.unresolved = true;
      t.package = import.target;
      return {t};
    }
    const std::string first = import.target.substr(0, import.target.find('/'));
    if (first.find('.') == std::string::npos) return {outside(first, true)};
    for (std::string at = import.target; !at.empty(); at = std::string(folder_of(at))) {
      if (required_.count(at) != 0) return {outside(at)};
    }
    // host/owner/name
    std::size_t cut = 0;
    for (int i = 0; i < 3 && cut != std::string::npos; ++i)
      cut = import.target.find('/', cut + (i > 0 ? 1 : 0));
    return {outside(import.target.substr(0, cut))};
  }

 private:
  std::vector<std::pair<std::string, std::string>> modules_;
  std::set<std::string, std::less<>> required_;
  std::map<std::string, std::uint32_t, std::less<>>
      first_;  ///< Folder -> the file that stands for the package.
};

// ---- Java
// ----------------------------------------------------------------------------------------
class JavaResolver final : public Resolver {
 public:
  explicit JavaResolver(const TreeView& tree) {
    for (std::uint32_t i = 0; i < tree.paths.size(); ++i) {
      if (!tree.paths[i].ends_with(".java")) continue;
      std::string package;
      for (const RawImport& import : tree.facts[i]->imports) {
        if (import.form == ImportForm::java_package) package = import.target;
      }
      const std::string_view name = file_name(tree.paths[i]);
      classes_[package + "." + std::string(name.substr(0, name.size() - 5))] = i;
      packages_[package].push_back(i);
    }
  }

  std::string_view ecosystem() const override { return "maven"; }

  std::vector<Target> resolve(std::uint32_t from, const RawImport& import) const override {
    if (import.form == ImportForm::java_package) return {};
    std::string name = import.target;
    if (name.ends_with(".*")) {
      name.resize(name.size() - 2);
      if (const auto found = packages_.find(name); found != packages_.end()) {
        std::vector<Target>
            out;  // which of its classes are used is not known: all of them, and said so
        for (const std::uint32_t file : found->second) {
          if (file == from) continue;
          out.push_back(inside(static_cast<int>(file)));
          out.back().exact = found->second.size() == 1;
        }
        return out;
      }
    }
    for (std::string at = name; at.find('.') != std::string::npos;
         at.resize(at.rfind('.'))) {  // inner classes
      if (const auto found = classes_.find(at); found != classes_.end())
        return {inside(static_cast<int>(found->second))};
    }
    if (name.starts_with("java.") || name.starts_with("javax.") || name.starts_with("jdk."))
      return {outside("java", true)};
    // A package by custom is two or three parts of lower case.
    std::string package;
    int parts = 0;
    for (const std::string_view part : split(name, '.')) {
      if (parts == 3 || part.empty() || (part[0] >= 'A' && part[0] <= 'Z')) break;
      package += (package.empty() ? "" : ".") + std::string(part);
      ++parts;
    }
    return {outside(package)};
  }

 private:
  std::unordered_map<std::string, std::uint32_t> classes_;
  std::unordered_map<std::string, std::vector<std::uint32_t>> packages_;
};

}  // namespace

std::unique_ptr<Resolver> make_script_resolver(const TreeView& tree, const Manifests& manifests) {
  return std::make_unique<ScriptResolver>(tree, manifests);
}
std::unique_ptr<Resolver> make_rust_resolver(const TreeView& tree, const Manifests& manifests) {
  return std::make_unique<RustResolver>(tree, manifests);
}
std::unique_ptr<Resolver> make_go_resolver(const TreeView& tree, const Manifests& manifests) {
  return std::make_unique<GoResolver>(tree, manifests);
}
std::unique_ptr<Resolver> make_java_resolver(const TreeView& tree) {
  return std::make_unique<JavaResolver>(tree);
}

}  // namespace neurolens::codebase
