/// \file
/// Everything that one file tells: what the inventory, the graph and the map are made of.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "imports.hpp"
#include "neurolens/base/progress.hpp"
#include "neurolens/codebase/inventory.hpp"
#include "neurolens/codebase/measure.hpp"
#include "neurolens/codebase/walk.hpp"

namespace neurolens::exec {
class Executor;
}
namespace neurolens::codebase {

struct FileFacts {
  bool source = false;  ///< False: no known language; nothing below but error is set.
  LanguageId language;
  IdentifiedBy by = IdentifiedBy::extension;
  FileClass kind = FileClass::source;
  std::uint64_t size_bytes = 0;  ///< 0 when taken from the cache: see WalkedFile.
  Measured measured;
  std::vector<RawImport> imports;
  std::string summary;  ///< First sentence of the file's documentation.
  bool entry_point = false;
  int error = 0;  ///< errno when the file could not be read.
};

struct FactsWanted {
  bool functions = true;
  bool imports = true;
};

/// Facts of `bytes` as a file named `path` (relative to the root). Pure.
[[nodiscard]] FileFacts facts_of(std::string_view path, std::string_view bytes,
                                 const FactsWanted& wanted);

/// True for a path below a folder that by custom holds other people's code.
[[nodiscard]] bool is_vendored(std::string_view path);

struct FactsTable {
  std::vector<FileFacts> facts;  ///< Beside Walk::files.
  std::uint64_t read = 0;        ///< Files opened.
  std::uint64_t cached = 0;      ///< Files taken from the cache.
  std::uint64_t bytes_read = 0;
};

class FactCache;

/// Collects facts slice by slice, so that those of a million files need not be in memory together.
class FactCollector {
 public:
  /// `workers`: 0 for one per processor. With a cache file, only what changed (path, size, time,
  /// inode) is opened. A broken cache is ignored.
  FactCollector(std::string root, const FactsWanted& wanted, unsigned workers,
                const std::string& cache);
  ~FactCollector();
  FactCollector(const FactCollector&) = delete;
  FactCollector& operator=(const FactCollector&) = delete;

  /// Facts of consecutive files of a walk, in parallel. `done`: share of the walk before them, for
  /// progress. Errors: cancelled; those of writing the cache.
  [[nodiscard]] Result<FactsTable> collect(std::span<const WalkedFile> files, double done,
                                           const Attention& attention);
  /// Call after the last slice: brings the cache up to date. Errors: those of writing it.
  [[nodiscard]] Status finish();

 private:
  std::string root_;
  FactsWanted wanted_;
  std::unique_ptr<exec::Executor> executor_;
  std::unique_ptr<FactCache> cache_;
};

/// Facts of every file of `walk` at once; see FactCollector.
[[nodiscard]] Result<FactsTable> collect_facts(const std::string& root, const Walk& walk,
                                               const FactsWanted& wanted, unsigned workers,
                                               const std::string& cache,
                                               const Attention& attention);

}  // namespace neurolens::codebase
