/// \file
/// Measured time laid over a source tree: which file, package or module costs what.
#pragma once

#include <string>

#include "command.hpp"
#include "neurolens/codebase/deps.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::cli {

struct Heat {
  codebase::HeatTable table;  ///< Node name -> percent of the samples.
  double outside_ratio = 0;   ///< Share of samples that no file of the tree has any part in.
};

/// Each sample of the Run's stacks counts for the innermost frame whose source file lies below
/// `root`: time in the C library, called from a module, is that module's. Names of nodes are those
/// of `level` and `modules`.
/// Errors: check_failed when the Run has no stacks, or none with a file below `root`.
Result<Heat> heat_of(const run::Run& run, const std::string& root, codebase::DepsLevel level,
                     const codebase::ModuleMap& modules);

/// The hottest nodes as a short table for a terminal.
[[nodiscard]] std::string heat_text(const Heat& heat, std::size_t rows);

}  // namespace neurolens::cli
