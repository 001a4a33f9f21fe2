/// \file
/// The output folder of a matrix: which execution it holds, and what failed in it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "neurolens/base/file_system.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/bench/config.hpp"

namespace neurolens::bench {

class Folder {
 public:
  /// Begins an execution, or finds the one that is there. Errors: as run_matrix().
  static Result<Folder> open(FileSystem& files, const std::string& path, const Config& config,
                             bool resume);
  [[nodiscard]] const std::string& bench_id() const { return bench_id_; }

  /// Keeps the reason durably.
  Status add_failure(const std::string& cell_key, const Error& error);
  /// Those of earlier executions. Lines that are torn are left out.
  Result<std::vector<std::pair<std::string, Error>>> failures();

 private:
  Folder(FileSystem& files, std::string path, std::string bench_id)
      : files_(&files), path_(std::move(path)), bench_id_(std::move(bench_id)) {}
  FileSystem* files_;
  std::string path_;
  std::string bench_id_;
};

}  // namespace neurolens::bench
