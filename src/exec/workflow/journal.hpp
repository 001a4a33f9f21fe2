/// \file
/// Which steps have finished: a file that grows by one line a step, each durable before the step
/// counts as finished. A line that a kill tore is ignored.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "neurolens/base/file_system.hpp"
#include "neurolens/base/result.hpp"

namespace neurolens::exec::detail {

struct JournalEntry {
  std::string key;  ///< Hash of what the step was asked to do.
  std::string value;
  Nanoseconds busy;
};

class Journal {
 public:
  /// Reads what is there when `resume`, else begins anew. Errors: as FileSystem.
  [[nodiscard]] static Result<std::unique_ptr<Journal>> open(FileSystem& files,
                                                             const std::string& path, bool resume);
  /// The entry of a step whose key is `key`.
  [[nodiscard]] std::optional<JournalEntry> find(const std::string& step,
                                                 const std::string& key) const;
  /// Adds durably. Thread-safe.
  Status add(const std::string& step, const JournalEntry& entry);

 private:
  std::map<std::string, JournalEntry> old_;
  std::mutex mutex_;
  std::unique_ptr<OutputFile> file_;
};

}  // namespace neurolens::exec::detail
