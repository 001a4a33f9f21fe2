/// \file
/// From an import as written to the file that it means, by each language's rules. Resolvers see the
/// list of files and what each file says, never the file system (but for manifests, given as text).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "compile_db.hpp"
#include "facts.hpp"

namespace neurolens::codebase {

/// What resolvers work on. Paths are relative to the root.
struct TreeView {
  std::string root;  ///< Absolute, normalised.
  std::vector<std::string_view> paths;
  std::vector<const FileFacts*> facts;
  std::unordered_map<std::string_view, std::uint32_t> by_path;
  std::unordered_set<std::string> folders;  ///< Every folder that holds a file, and its parents.

  [[nodiscard]] int find(std::string_view path) const {
    const auto found = by_path.find(path);
    return found == by_path.end() ? -1 : static_cast<int>(found->second);
  }
};

struct Target {
  int file = -1;        ///< Inside the tree, or
  std::string package;  ///< outside: what brings it.
  bool standard = false;
  bool exact = true;
  bool unresolved = false;  ///< Should be inside (a relative import) and is not.
  bool inactive = false;
};

class Resolver {
 public:
  virtual ~Resolver() = default;
  /// REQUIRED. Targets of one import of file `from`. Thread-safe.
  [[nodiscard]] virtual std::vector<Target> resolve(std::uint32_t from,
                                                    const RawImport& import) const = 0;
  /// REQUIRED. "python", "npm", ...
  [[nodiscard]] virtual std::string_view ecosystem() const = 0;
};

// Each returns an object that keeps references to the view (and the database), which must outlive
// it.
std::unique_ptr<Resolver> make_c_resolver(const TreeView& tree, const CompileDb* db);
std::unique_ptr<Resolver> make_python_resolver(const TreeView& tree);
std::unique_ptr<Resolver> make_script_resolver(
    const TreeView& tree, const std::unordered_map<std::string, std::string>& manifests);
std::unique_ptr<Resolver> make_rust_resolver(
    const TreeView& tree, const std::unordered_map<std::string, std::string>& manifests);
std::unique_ptr<Resolver> make_go_resolver(
    const TreeView& tree, const std::unordered_map<std::string, std::string>& manifests);
std::unique_ptr<Resolver> make_java_resolver(const TreeView& tree);

/// Folder of a relative path: "" at the root, else without a trailing '/'.
[[nodiscard]] std::string_view folder_of(std::string_view path);
/// "a/b" + "../c" -> "a/c"; "" + "x" -> "x". nullopt when it leads out of the root.
[[nodiscard]] std::optional<std::string> join_relative(std::string_view folder,
                                                       std::string_view path);

}  // namespace neurolens::codebase
