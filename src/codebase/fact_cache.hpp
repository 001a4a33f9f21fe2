/// \file
/// Facts kept from run to run, keyed by path, size, modification time and inode. One file, written
/// atomically; anything odd about it (another version, a torn end) makes it count as empty.
/// Method: records lie in the order of the walk, so that old cache, tree and new cache are merged
/// in one pass: memory does not grow with the number of files, and a tree that did not change costs
/// no writing at all.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "facts.hpp"
#include "file_bytes.hpp"
#include "neurolens/base/file_system.hpp"
#include "neurolens/base/hash.hpp"

namespace neurolens::codebase {

/// Order of the walk: part by part of the path.
[[nodiscard]] bool walks_before(std::string_view a, std::string_view b);

class FactCache {
 public:
  /// Opens the file for reading. A cache made with fewer facts than `wanted` counts as empty; what
  /// one with more facts holds is kept up: *wanted grows.
  void open(const std::string& path, FactsWanted* wanted);

  /// What is known of one file: both empty when it is new or has changed.
  struct Known {
    std::string_view entry;   ///< All that the cache holds of it.
    std::string_view record;  ///< Of that, the facts; see decode().
  };
  /// Looks up the next files of the walk. Call with consecutive slices.
  [[nodiscard]] std::vector<Known> match(std::span<const WalkedFile> files);
  /// True and *facts filled. Thread-safe.
  [[nodiscard]] static bool decode(std::string_view record, FileFacts* facts);
  /// Carries the slice that match() saw last over to the new cache. `known`: with those emptied
  /// that did not decode. Errors: those of writing.
  Status append(std::span<const WalkedFile> files, std::span<const FileFacts> facts,
                std::span<const Known> known);
  /// Puts the new cache in place when anything changed. Errors: those of writing.
  Status finish();

 private:
  struct Entry {
    std::string_view bytes, name, record;
    std::uint64_t size = 0, inode = 0;
    std::int64_t modified = 0;
  };
  bool read_entry();
  Status start_writing();
  Status write(std::string_view bytes);
  Status flush();

  std::string path_;
  FactsWanted wanted_;
  FileBytes file_;
  std::string_view body_;   ///< The old cache: facts wanted, then entries.
  std::size_t cursor_ = 0;  ///< Behind entry_.
  bool have_entry_ = false;
  Entry entry_;                      ///< The next one that no file has claimed.
  std::size_t copied_ = 0;           ///< The new cache starts like the old one, up to here.
  std::unique_ptr<OutputFile> out_;  ///< Set from the first difference on.
  std::string buffer_;
  Sha256 digest_;
};

}  // namespace neurolens::codebase
