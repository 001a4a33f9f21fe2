/// \file
/// The part of `profile` that runs an engine of neurolens itself.
#pragma once

#include <string>
#include <vector>

#include "command.hpp"
#include "neurolens/capture/engine.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::cli {

struct WorkloadRequest {
  std::string specification;
  std::string output;
  capture::EngineOptions options;
  std::vector<run::Ceiling> ceilings;
  std::map<std::string, std::string> tags;
  bool json = false;
};

Result<int> profile_workload(Context& context, const WorkloadRequest& request);

/// "pde:poisson?n=80" -> "pde-poisson.run.json".
[[nodiscard]] std::string workload_run_path(const std::string& specification);


}  // namespace neurolens::cli
