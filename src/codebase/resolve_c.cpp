#include <algorithm>
#include <set>

#include "neurolens/base/file_system.hpp"
#include "neurolens/base/text.hpp"
#include "resolve.hpp"
#include "standard_modules.hpp"

namespace neurolens::codebase {

std::string_view folder_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
}

std::optional<std::string> join_relative(std::string_view folder, std::string_view path) {
  std::vector<std::string_view> parts;
  for (const std::string_view whole : {folder, path}) {
    for (const std::string_view part : split(whole, '/')) {
      if (part.empty() || part == ".") continue;
      if (part != "..") {
        parts.push_back(part);
      } else if (parts.empty()) {
        return std::nullopt;
      } else {
        parts.pop_back();
      }
    }
  }
  std::string out;
  for (const std::string_view part : parts) out.append(out.empty() ? "" : "/").append(part);
  return out;
}

namespace {

struct SearchPath {
  std::vector<std::string> quote, angle;  ///< Relative to the root; folders outside are left out.
};

class CResolver final : public Resolver {
 public:
  CResolver(const TreeView& tree, const CompileDb* db) : tree_(tree) {
    units_of_.resize(tree.paths.size());
    path_of_.assign(tree.paths.size(), -1);
    if (db != nullptr) read(*db);
    guess();
  }

  std::string_view ecosystem() const override { return "c++"; }

  std::vector<Target> resolve(std::uint32_t from, const RawImport& import) const override {
    Target target;
    const bool quoted = import.form == ImportForm::quoted;
    target.exact = path_of_[from] >= 0;
    target.file = target.exact ? search(from, import.target, quoted,
                                        searches_[static_cast<std::size_t>(path_of_[from])])
                               : guessed(from, import.target, quoted, &target);
    if (target.file >= 0) {
      if (target.exact) target.inactive = !confirmed(from, static_cast<std::uint32_t>(target.file));
      return {target};
    }
    target.standard = is_c_standard(import.target) || is_system_header(import.target);
    if (target.standard) {
      target.package = is_c_standard(import.target) ? "standard library" : "system";
    } else if (quoted) {
      target.unresolved = true;  // generated, or on a path that is not known
      target.package = import.target;
    } else {
      target.package = import.target.substr(0, import.target.find('/'));
      if (const auto dot = target.package.find('.'); dot != std::string::npos)
        target.package.resize(dot);
    }
    return {target};
  }

 private:
  std::optional<std::string> inside(const std::string& absolute) const {
    if (absolute == tree_.root) return std::string();
    if (!absolute.starts_with(tree_.root + "/")) return std::nullopt;
    return absolute.substr(tree_.root.size() + 1);
  }

  void read(const CompileDb& db) {
    for (std::uint32_t u = 0; u < db.units.size(); ++u) {
      const CompileUnit& unit = db.units[u];
      SearchPath search;
      for (const std::string& dir : unit.quote_dirs) {
        if (auto in = inside(dir)) search.quote.push_back(std::move(*in));
      }
      for (const std::string& dir : unit.angle_dirs) {
        if (auto in = inside(dir)) search.angle.push_back(std::move(*in));
      }
      searches_.push_back(std::move(search));
      const auto own = inside(unit.file);
      if (own) claim(*own, u, !unit.inputs.empty());
      for (const std::string& input : unit.inputs) {
        if (const auto in = inside(input)) claim(*in, u, true);
      }
    }
    // Headers that no record names: the search path that most units share.
    if (!searches_.empty()) {
      for (const SearchPath& search : searches_) {
        for (const std::string& dir : search.angle) {
          if (std::find(common_.begin(), common_.end(), dir) == common_.end())
            common_.push_back(dir);
        }
      }
    }
  }

  void claim(const std::string& path, std::uint32_t unit, bool recorded) {
    const int file = tree_.find(path);
    if (file < 0) return;
    auto& units = units_of_[static_cast<std::size_t>(file)];
    if (recorded && (units.empty() || units.back() != unit)) units.push_back(unit);
    int& own = path_of_[static_cast<std::size_t>(file)];
    if (own < 0) own = static_cast<int>(unit);
  }

  // Did some compiler run read both? Without any record of `from`, nothing speaks against it.
  bool confirmed(std::uint32_t from, std::uint32_t to) const {
    const auto& a = units_of_[from];
    const auto& b = units_of_[to];
    if (a.empty()) return true;
    std::size_t i = 0, j = 0;
    while (i < a.size() && j < b.size()) {
      if (a[i] == b[j]) return true;
      a[i] < b[j] ? ++i : ++j;
    }
    return false;
  }

  int at(std::string_view folder, const std::string& target) const {
    const auto path = join_relative(folder, target);
    return path ? tree_.find(*path) : -1;
  }

  int search(std::uint32_t from, const std::string& target, bool quoted,
             const SearchPath& path) const {
    if (quoted) {
      if (const int hit = at(folder_of(tree_.paths[from]), target); hit >= 0) return hit;
      for (const std::string& dir : path.quote) {
        if (const int hit = at(dir, target); hit >= 0) return hit;
      }
    }
    for (const std::string& dir : path.angle) {
      if (const int hit = at(dir, target); hit >= 0) return hit;
    }
    return -1;
  }

  // Folders named "include", the root and "src"; all files by their last part.
  void guess() {
    for (const std::string& folder : tree_.folders) {
      const std::string_view name = file_name(folder);
      if (name == "include" || name == "inc" || name == "includes") guessed_.push_back(folder);
    }
    std::sort(guessed_.begin(), guessed_.end(), [](const auto& a, const auto& b) {
      return a.size() != b.size() ? a.size() < b.size() : a < b;
    });
    guessed_.insert(guessed_.begin(), common_.begin(), common_.end());
    for (const char* dir : {"", "src", "source"}) {
      if (*dir == '\0' || tree_.folders.count(dir) != 0) guessed_.emplace_back(dir);
    }
    for (std::uint32_t i = 0; i < tree_.paths.size(); ++i)
      by_name_[file_name(tree_.paths[i])].push_back(i);
  }

  int guessed(std::uint32_t from, const std::string& target, bool quoted, Target* out) const {
    out->exact = false;
    if (quoted) {
      if (const int hit = at(folder_of(tree_.paths[from]), target); hit >= 0) {
        out->exact = true;  // the includer's own folder always comes first
        return hit;
      }
    } else if (is_c_standard(target) || is_system_header(target)) {
      return -1;  // a local file of that name is no reason to think that it is meant
    }
    for (const std::string& dir : guessed_) {
      if (const int hit = at(dir, target); hit >= 0) return hit;
    }
    if (target.find("..") != std::string::npos) return -1;
    // The only file whose path ends so.
    const auto found = by_name_.find(file_name(target));
    if (found == by_name_.end() || (!quoted && target.find('/') == std::string::npos)) return -1;
    int only = -1;
    const std::string end = "/" + target;
    for (const std::uint32_t i : found->second) {
      if (tree_.paths[i] != target && !tree_.paths[i].ends_with(end)) continue;
      if (only >= 0) return -1;
      only = static_cast<int>(i);
    }
    return only;
  }

  const TreeView& tree_;
  std::vector<SearchPath> searches_;
  std::vector<std::vector<std::uint32_t>>
      units_of_;              ///< Ascending; units whose record names the file.
  std::vector<int> path_of_;  ///< Index into searches_; -1: guess.
  std::vector<std::string> common_, guessed_;
  std::unordered_map<std::string_view, std::vector<std::uint32_t>> by_name_;
};

}  // namespace

std::unique_ptr<Resolver> make_c_resolver(const TreeView& tree, const CompileDb* db) {
  return std::make_unique<CResolver>(tree, db);
}

}  // namespace neurolens::codebase
