/// \file
/// A folder for temporary files that goes away with everything in it.
#pragma once

#include <string>

#include "neurolens/base/result.hpp"

namespace neurolens::capture {

class WorkFolder {
 public:
  /// Below `parent`, or below ${TMPDIR:-/tmp} when that is empty. Errors: io_error, no_space,
  /// permission_denied.
  static Result<WorkFolder> make(const std::string& parent);
  WorkFolder(WorkFolder&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  WorkFolder& operator=(WorkFolder&&) = delete;
  ~WorkFolder();
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  explicit WorkFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace neurolens::capture
