/// \file
/// Runs one program to its end, with its output in a file.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "neurolens/base/result.hpp"
#include "neurolens/exec/task.hpp"

namespace neurolens::exec::detail {

struct CommandRequest {
  std::vector<std::string> arguments;  ///< Program first; looked up in PATH.
  std::map<std::string, std::string> environment;
  std::string directory;
  std::string log;  ///< Gets standard output and standard error.
  std::string out;  ///< Gets standard output once more, for the value.
};

/// Waits for the end; when the context is cancelled, the whole process group gets SIGTERM and two
/// seconds later SIGKILL. Errors: task_failed (non-zero exit status), crashed (a signal),
/// cancelled, not_found (no such program), io_error.
[[nodiscard]] Status run_command(const CommandRequest& request, const TaskContext& context);

}  // namespace neurolens::exec::detail
