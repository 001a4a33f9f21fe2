/// \file
/// What the preloaded memory library leaves behind, see src/probe/memory/preload.cpp.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "neurolens/base/result.hpp"
#include "neurolens/capture/sampled_profile.hpp"

namespace neurolens::capture::record_detail {

class MemoryFiles {
 public:
  MemoryFiles() = default;
  ~MemoryFiles();
  MemoryFiles(const MemoryFiles&) = delete;
  MemoryFiles& operator=(const MemoryFiles&) = delete;

  /// Finds the library (`library` or the default places) and makes a private folder.
  /// Errors: unavailable with the place to put it.
  Status prepare(const std::string& library);
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> environment() const;
  /// All processes together. Errors: invalid_document; unavailable when no process wrote anything
  /// (a statically linked program, or one that was killed).
  Result<MemoryProfile> read();

 private:
  std::string library_;
  std::string folder_;
};

/// Adds one process's file to `profile`. Errors: invalid_document.
Status add_memory_text(const std::string& text, MemoryProfile& profile);

}  // namespace neurolens::capture::record_detail
