/// \file
/// A folder of results of finished tasks, so that a run that was killed does not start from
/// nothing. Every entry is one file named by a SHA-256 of the task's code version, path and
/// arguments. Files appear whole or not at all and carry a checksum: a damaged one counts as
/// absent.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "neurolens/base/result.hpp"

namespace neurolens {
class FileSystem;
}
namespace neurolens::exec {

/// Results on disk. Thread-safe; several processes may use one folder.
class CheckpointStore {
 public:
  /// Makes the folder. `files` must outlive the store. Errors: as FileSystem::make_directories.
  [[nodiscard]] static Result<std::unique_ptr<CheckpointStore>> open(FileSystem& files,
                                                                     std::string folder);

  /// The bytes kept under `key`; nullopt when there are none or they are damaged.
  [[nodiscard]] std::optional<std::string> find(const std::string& key);
  /// Keeps `bytes` durably. A failure (disk full) does not stop the run; see trouble().
  void keep(const std::string& key, std::string_view bytes);

  /// Results found and results kept since opening.
  [[nodiscard]] std::uint64_t found() const noexcept { return found_.load(); }
  [[nodiscard]] std::uint64_t kept() const noexcept { return kept_.load(); }
  /// The first failure to keep a result; OK when there was none.
  [[nodiscard]] Status trouble() const;

 private:
  CheckpointStore(FileSystem& files, std::string folder);
  [[nodiscard]] std::string path_of(const std::string& key) const;

  FileSystem& files_;
  std::string folder_;
  std::atomic<std::uint64_t> found_{0};
  std::atomic<std::uint64_t> kept_{0};
  mutable std::mutex mutex_;
  Status trouble_;
};

}  // namespace neurolens::exec
