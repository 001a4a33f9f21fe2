/// \file
/// A run of a workflow as a Run: steps become ops, their times a timeline.
#pragma once

#include <string>
#include <vector>

#include "neurolens/exec/workflow.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::cli {

/// `file` is the workflow as the user named it. Steps taken over from an earlier run did not run
/// here: they are named in the notes. The result passes run::validate().
[[nodiscard]] run::Run workflow_to_run(const exec::WorkflowReport& report, const std::string& file,
                                       const std::vector<std::string>& argv);

}  // namespace neurolens::cli
