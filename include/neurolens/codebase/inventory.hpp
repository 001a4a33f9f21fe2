/// \file
/// What is in a source tree: lines, functions and complexity per file, module and language.
/// Generated, vendored and binary files are counted apart from the team's own source.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/clock.hpp"
#include "neurolens/base/progress.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/codebase/measure.hpp"
#include "neurolens/codebase/modules.hpp"
#include "neurolens/codebase/walk.hpp"

namespace neurolens::codebase {

enum class FileClass : std::uint8_t {
  source,     ///< The team's own.
  generated,  ///< Says so in its first comment, or by a name that only generators use.
  vendored,   ///< Below a folder for other people's code.
  binary,     ///< A source name with binary content.
};
/// The name that reports use.
[[nodiscard]] std::string_view to_string(FileClass kind);

enum class InventoryGroup : std::uint8_t { module, language, file };

struct InventoryRequest {
  std::string root = ".";
  ModuleMap modules;
  WalkOptions walk;
  /// Measure functions as well; off is about twice as fast.
  bool functions = true;
  /// Longest and most complex functions to keep, >= 0.
  std::size_t top = 20;
  /// Threads; 0: one per processor. Results do not depend on it.
  unsigned workers = 0;
  /// Cache file; empty: none. See collect: a second run opens only what changed.
  std::string cache;
};

/// Sums over functions; all zero where none were measured.
struct FunctionTotals {
  std::uint64_t count = 0;
  std::uint64_t lines = 0;
  std::uint64_t cyclomatic = 0;
  std::uint64_t cognitive = 0;
  std::uint32_t max_cyclomatic = 0;
  std::uint32_t max_cognitive = 0;
  std::uint32_t max_nesting = 0;
  std::uint32_t max_length = 0;

  void add(const FunctionMetrics& function);
  FunctionTotals& operator+=(const FunctionTotals& other);
};

/// One source file, about 200 bytes plus its path.
struct FileRow {
  std::string path;
  LanguageId language;
  FileClass kind = FileClass::source;
  IdentifiedBy by = IdentifiedBy::extension;
  Encoding encoding = Encoding::utf8;
  std::uint16_t doubts = 0;
  double confidence = 1.0;
  std::uint64_t size_bytes = 0;
  LineCounts lines;
  FunctionTotals functions;
};

/// Counts of one module or language.
struct GroupRow {
  std::string name;
  std::uint64_t files = 0;
  std::uint64_t size_bytes = 0;
  LineCounts lines;
  FunctionTotals functions;
};

/// A function and where it stands.
struct RankedFunction {
  std::string path;
  FunctionMetrics metrics;
};

struct Inventory {
  std::string root_path;
  std::string timestamp;                 ///< RFC 3339, UTC.
  std::vector<FileRow> files;            ///< Every file of a known language, in path order.
  std::vector<GroupRow> modules;         ///< Own source only; by name.
  std::vector<GroupRow> languages;       ///< Own source only; most code first.
  GroupRow whole;                        ///< Own source only.
  GroupRow generated, vendored, binary;  ///< Set apart.
  std::vector<RankedFunction> top;       ///< Highest cognitive complexity first.
  std::uint64_t other_files = 0;         ///< Of no known language.
  std::uint64_t ignored = 0, links = 0, loops = 0;
  std::vector<Unreadable> unreadable;
  bool functions_measured = true;
  std::uint64_t files_read = 0, files_cached = 0, bytes_read = 0;
  ModuleMap module_map;  ///< As requested.
};

/// Reads the tree. Errors: those of walk(); cancelled. Progress phase: "reading".
[[nodiscard]] Result<Inventory> take_inventory(const InventoryRequest& request,
                                               Clock& clock = system_clock(),
                                               const Attention& attention = {});

/// The document of schema/inventory.schema.json: the founding fields (timestamp, root_path,
/// modules, summary) and more beside them.
[[nodiscard]] std::string inventory_json(const Inventory& inventory);
/// Tables for people. `top`: rows of the file table and of the functions.
[[nodiscard]] std::string inventory_markdown(const Inventory& inventory, InventoryGroup by,
                                             std::size_t top = 20);
[[nodiscard]] std::string inventory_text(const Inventory& inventory, InventoryGroup by,
                                         std::size_t top = 20);

}  // namespace neurolens::codebase
