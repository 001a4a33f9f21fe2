/// \file
/// Who depends on whom: edges between files with their lines, lifted to packages and modules.
/// Precision. C and C++: exact where compile_commands.json names the search paths, and confirmed by
/// the compiler's own dependency records (depfiles, or Ninja's log of them) where those exist;
/// otherwise from the directives with guessed search paths, and every such edge says so (`exact` is
/// false). Python, JavaScript, TypeScript, Rust, Go, Java: from the import statements by the
/// language's rules of resolution; names made at run time are not seen.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "neurolens/base/progress.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/codebase/graph.hpp"
#include "neurolens/codebase/modules.hpp"
#include "neurolens/codebase/walk.hpp"

namespace neurolens::codebase {

/// When an import takes effect.
enum class ImportKind : std::uint8_t {
  normal,       ///< Whenever the file is loaded or compiled.
  conditional,  ///< Under a condition or in a try block at the top level.
  local,        ///< Inside a function.
  type_only,    ///< For type checkers: TYPE_CHECKING, import type.
  dynamic,      ///< import() expressions.
  inactive,     ///< In code that is compiled out (#if 0, or no depfile knows it).
};
[[nodiscard]] std::string_view to_string(ImportKind kind);

/// Level at which the graph is looked at.
enum class DepsLevel : std::uint8_t { module, package, file };
[[nodiscard]] std::string_view to_string(DepsLevel level);

/// One import statement, resolved inside the tree.
struct FileEdge {
  std::uint32_t from = 0;  ///< Index into DepsReport::files.
  std::uint32_t to = 0;
  std::uint32_t line = 0;  ///< 1-based line in `from`.
  ImportKind kind = ImportKind::normal;
  bool exact = true;  ///< False when search paths were guessed.
};

/// Something outside the tree.
struct ExternalUse {
  std::string package;    ///< What brings it: "numpy", "@scope/name", "serde", "boost", ...
  std::string ecosystem;  ///< "python", "npm", "cargo", "go", "maven", "c++".
  bool standard = false;  ///< Part of the language's own library or runtime.
  std::uint32_t uses = 0;
  std::uint32_t file = 0;  ///< Where it is first used.
  std::uint32_t line = 0;
};

/// A dependency that a manifest declares and no file uses, or the other way round.
struct DeclaredMismatch {
  std::string package;
  std::string ecosystem;
  std::string manifest;  ///< Path of the manifest that declares (or should declare) it.
  std::string where;     ///< "file:line" of the first use, for missing ones.
};

/// Two files or modules that change together.
struct Coupling {
  std::string a, b;
  std::uint32_t together = 0;  ///< Commits that touch both.
  double degree = 0;           ///< together / commits that touch either, in [0, 1].
};

struct DepsFile {
  std::string path;
  std::string language;
  std::string module;
  std::string package;  ///< Folder of the file ("." at the root).
  std::string summary;  ///< First sentence of its documentation; may be empty.
  std::uint64_t code_lines = 0;
  std::uint32_t churn = 0;  ///< Commits that touched it; 0 without history.
  bool entry_point = false;
  bool test = false;  ///< A test by its name or folder.
};

struct DepsRequest {
  std::string root = ".";
  DepsLevel level = DepsLevel::module;
  ModuleMap modules;
  WalkOptions walk;
  /// Threads; 0: one per processor. Results do not depend on it.
  unsigned workers = 0;
  /// compile_commands.json; empty: looked for in the root and below build*/ .
  std::string compile_commands;
  /// Off: edges come from the directives alone, the same on every machine, built or not.
  bool use_compile_commands = true;
  /// Read the git history for churn and change coupling, at most this many commits; 0: do not.
  std::uint32_t history_commits = 2000;
  /// Cache file shared with the inventory; empty: none.
  std::string cache;
};

struct DepsReport {
  std::string root;
  DepsLevel level = DepsLevel::module;
  std::vector<DepsFile> files;           ///< Source files, in path order.
  std::vector<FileEdge> edges;           ///< By (from, line, to).
  Graph graph;                           ///< At `level`; inactive and type-only edges are left out.
  GraphMetrics metrics;                  ///< Of `graph`.
  std::vector<ExternalUse> externals;    ///< By ecosystem, then name.
  std::vector<DeclaredMismatch> unused;  ///< Declared, never imported.
  std::vector<DeclaredMismatch> missing;  ///< Imported, not declared (where a manifest exists).
  std::vector<Coupling> coupling;         ///< Strongest first; at most 50.
  std::vector<std::string>
      unresolved;                  ///< "file:line: target" of relative imports without a target.
  std::vector<std::string> notes;  ///< How exact the edges are, and why.
  bool history = false;            ///< False: there was no git history to read.
};

/// Reads the tree and builds the graph. Errors: those of walk(); parse_error for a broken
/// compile_commands.json. Progress phases: "reading", "resolving", "history". Cancellable.
[[nodiscard]] Result<DepsReport> find_dependencies(const DepsRequest& request,
                                                   const Attention& attention = {});

/// The graph of `report` at another level, with indices into the names that it holds.
[[nodiscard]] Graph graph_at(const DepsReport& report, DepsLevel level);

/// Cost per node name (seconds, percent, commits, ...), laid over a drawing as a colour.
using HeatTable = std::map<std::string, double>;

// Writers; all deterministic.
/// {founding fields: "module": [modules]} beside nodes, edges, cycles, ...; see
/// schema/deps.schema.json.
[[nodiscard]] std::string deps_json(const DepsReport& report, const HeatTable& heat = {});
/// The founding document alone: {module: [modules it depends on]}.
[[nodiscard]] std::string module_dependencies_json(const DepsReport& report);
[[nodiscard]] std::string deps_markdown(const DepsReport& report, const HeatTable& heat = {});
[[nodiscard]] std::string deps_text(const DepsReport& report);

}  // namespace neurolens::codebase
