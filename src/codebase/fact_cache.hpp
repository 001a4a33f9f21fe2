/// \file
/// Facts kept from run to run, keyed by path, size, modification time and inode. One file, written
/// atomically; anything odd about it (another version, a torn end) makes it count as empty.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "facts.hpp"

namespace neurolens::codebase {

class FactCache {
 public:
  /// Reads the file. A cache made with fewer facts than `wanted` is not used.
  void load(const std::string& path, const FactsWanted& wanted);
  /// True and *facts filled when the file is known and unchanged. Thread-safe.
  [[nodiscard]] bool take(const WalkedFile& file, FileFacts* facts) const;
  [[nodiscard]] std::size_t size() const { return index_.size(); }
  static Status save(const std::string& path, const Walk& walk, const std::vector<FileFacts>& facts,
                     const FactsWanted& wanted);

 private:
  struct Slot {
    std::uint64_t size = 0, inode = 0;
    std::int64_t modified = 0;
    std::string_view record;
  };
  std::string bytes_;
  std::unordered_map<std::string_view, Slot> index_;
};

}  // namespace neurolens::codebase
