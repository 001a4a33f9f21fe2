/// \file
/// A child process that waits at the door until the observer is ready.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "neurolens/base/result.hpp"

namespace neurolens::capture::record_detail {

class Child {
 public:
  Child() = default;
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Forks; the child waits. `environment` is added to this process's own.
  /// Errors: io_error.
  Status prepare(const std::vector<std::string>& command,
                 const std::vector<std::pair<std::string, std::string>>& environment);
  /// Lets it run the program. Errors: not_found, permission_denied: the program cannot be run.
  Status release();
  [[nodiscard]] pid_t pid() const { return pid_; }
  /// True when it has ended; then `status` is what waitpid says.
  bool ended(bool wait, int& status);
  /// Largest resident set in KiB, after the end; of a child of its own when that was larger.
  [[nodiscard]] long peak_resident_kib() const { return peak_resident_kib_; }

 private:
  pid_t pid_ = -1;
  int door_ = -1;    ///< Closing it lets the child in.
  int answer_ = -1;  ///< The child's errno when the program cannot be run.
  bool reaped_ = false;
  int status_ = 0;
  long peak_resident_kib_ = 0;
};

}  // namespace neurolens::capture::record_detail
