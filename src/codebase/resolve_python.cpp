#include <algorithm>
#include <set>

#include "neurolens/base/text.hpp"
#include "resolve.hpp"
#include "standard_modules.hpp"

namespace neurolens::codebase {
namespace {

std::string slashed(std::string_view dotted) {
  std::string out(dotted);
  std::replace(out.begin(), out.end(), '.', '/');
  return out;
}

std::string under(std::string_view folder, std::string_view rest) {
  return folder.empty() ? std::string(rest)
         : rest.empty() ? std::string(folder)
                        : std::string(folder) + "/" + std::string(rest);
}

class PythonResolver final : public Resolver {
 public:
  explicit PythonResolver(const TreeView& tree) : tree_(tree) {
    std::set<std::string> roots;
    for (std::size_t i = 0; i < tree.paths.size(); ++i) {
      if (!tree.paths[i].ends_with(".py")) continue;
      std::string_view folder = folder_of(tree.paths[i]);
      for (std::string_view at = folder; !at.empty(); at = folder_of(at))
        python_folders_.emplace(at);
      if (!is_package(folder)) continue;
      while (!folder.empty() && is_package(folder)) folder = folder_of(folder);
      roots.emplace(folder);
    }
    for (const char* usual : {"", "src", "lib", "python"}) {
      if (*usual == '\0' || tree.folders.count(usual) != 0) roots_.push_back({usual, true});
    }
    for (const std::string& root : roots) {
      const bool known = std::any_of(roots_.begin(), roots_.end(),
                                     [&](const Root& r) { return r.folder == root; });
      if (!known) roots_.push_back({root, false});
    }
  }

  std::string_view ecosystem() const override { return "python"; }

  std::vector<Target> resolve(std::uint32_t from, const RawImport& import) const override {
    if (import.form == ImportForm::python) return {absolute(from, import.target)};
    std::string base;
    if (import.level > 0) {
      std::string_view folder = folder_of(tree_.paths[from]);
      for (int up = 1; up < import.level; ++up) {
        if (folder.empty()) return {lost(import)};
        folder = folder_of(folder);
      }
      base = under(folder, slashed(import.target));
      return from_names(base, import, lost(import));
    }
    const auto found = locate(from, import.target);
    if (!found) return {outside(import.target)};
    return from_names(*found, import, outside(import.target));
  }

 private:
  struct Root {
    std::string folder;
    bool loose;  ///< Plain modules in it can be imported too, not only packages.
  };

  bool is_package(std::string_view folder) const {
    return tree_.find(under(folder, "__init__.py")) >= 0 ||
           tree_.find(under(folder, "__init__.pyi")) >= 0;
  }

  /// The file of the module at `path` (without extension): a package before a module.
  int module_file(const std::string& path) const {
    for (const char* suffix : {"/__init__.py", ".py", "/__init__.pyi", ".pyi", ".pyx"}) {
      const std::string file =
          path.empty() && suffix[0] == '/' ? std::string(suffix + 1) : path + suffix;
      if (const int hit = tree_.find(file); hit >= 0) return hit;
    }
    return -1;
  }

  static Target lost(const RawImport& import) {
    Target t;
    t.unresolved = true;
    t.package = std::string(import.level, '.') + import.target;
    return t;
  }
  static Target outside(std::string_view dotted) {
    Target t;
    t.package = dotted.substr(0, dotted.find('.'));
    t.standard = is_python_standard(t.package);
    return t;
  }
  static Target inside(int file) {
    Target t;
    t.file = file;
    return t;
  }

  /// Path (without extension) of an absolute module name, or nullopt when it is not of this tree.
  std::optional<std::string> locate(std::uint32_t from, std::string_view dotted) const {
    const std::string path = slashed(dotted);
    const std::string first = path.substr(0, path.find('/'));
    const std::string_view own = folder_of(tree_.paths[from]);
    std::vector<Root> roots;
    if (!is_package(own))
      roots.push_back({std::string(own), true});  // a script's folder comes first
    roots.insert(roots.end(), roots_.begin(), roots_.end());
    for (const Root& root : roots) {
      const std::string top = under(root.folder, first);
      const int top_file = module_file(top);
      const bool package = is_package(top);
      if (top_file >= 0 && (package || root.loose)) {
        const bool itself = static_cast<std::uint32_t>(top_file) == from && path == first;
        if (!itself) return under(root.folder, path);
      }
      // A namespace package: weaker than anything installed, so the whole name has to be there.
      const std::string whole = under(root.folder, path);
      const bool space =
          top_file < 0 && root.loose && has_python(top) && !is_python_standard(first);
      if (space && (module_file(whole) >= 0 || has_python(whole))) return whole;
    }
    // The root is a package itself, and its modules call each other by its name.
    const bool own_name = is_package("") && first == tree_.root.substr(tree_.root.rfind('/') + 1);
    if (own_name) return path == first ? std::string() : path.substr(first.size() + 1);
    return std::nullopt;
  }

  // A folder counts as a namespace package when Python files lie below it.
  bool has_python(const std::string& folder) const { return python_folders_.count(folder) != 0; }

  Target absolute(std::uint32_t from, std::string_view dotted) const {
    const auto path = locate(from, dotted);
    if (!path) return outside(dotted);
    // a.b.c where c is no file (an extension, an attribute): the deepest module that is one.
    std::string at = *path;
    for (std::size_t parts =
             static_cast<std::size_t>(std::count(dotted.begin(), dotted.end(), '.')) + 1;
         parts > 0; --parts) {
      if (const int file = module_file(at); file >= 0) return inside(file);
      at = std::string(folder_of(at));
    }
    return outside(dotted);
  }

  /// Does the package's __init__ bind `name` itself, to something other than its submodule?
  bool reexports(int init, const std::string& name, const std::string& base) const {
    if (init < 0) return false;
    for (const RawImport& import : tree_.facts[static_cast<std::size_t>(init)]->imports) {
      if (import.form != ImportForm::python_from) continue;
      if (std::find(import.names.begin(), import.names.end(), name) == import.names.end()) continue;
      // "from . import name" binds the submodule; "from .name import name" hides it.
      const bool same = import.level == 1 && import.target.empty();
      if (!same || module_file(under(base, name)) < 0) return true;
    }
    return false;
  }

  std::vector<Target> from_names(const std::string& base, const RawImport& import,
                                 const Target& otherwise) const {
    const int module = module_file(base);
    const bool package =
        module < 0 ||
        std::string_view(tree_.paths[static_cast<std::size_t>(module)]).find("__init__.py") !=
            std::string_view::npos;
    std::vector<Target> out;
    bool need_module = import.names.empty();
    for (const std::string& name : import.names) {
      const int file = package && name != "*" ? module_file(under(base, name)) : -1;
      if (file >= 0 && !reexports(module, name, base)) {
        out.push_back(inside(file));
      } else {
        need_module = true;
      }
    }
    if (need_module && module >= 0) out.push_back(inside(module));
    if (out.empty()) out.push_back(otherwise);
    return out;
  }

  const TreeView& tree_;
  std::vector<Root> roots_;
  std::unordered_set<std::string> python_folders_;
};

}  // namespace

std::unique_ptr<Resolver> make_python_resolver(const TreeView& tree) {
  return std::make_unique<PythonResolver>(tree);
}

}  // namespace neurolens::codebase
