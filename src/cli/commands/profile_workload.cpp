// `neurolens profile --workload SPEC`: an engine of neurolens as a Run.
#include "profile_workload.hpp"

#include "common.hpp"
#include "neurolens/workloads/workloads.hpp"

namespace neurolens::cli {

std::string workload_run_path(const std::string& specification) {
  std::string name = specification.substr(0, specification.find('?'));
  for (char& c : name) {
    if (c == ':' || c == '/') c = '-';
  }
  return name + ".run.json";
}

Result<int> profile_workload(Context& context, const WorkloadRequest& request) {
  auto workload = workloads::make(request.specification);
  if (!workload.ok()) return std::move(workload).error().at("--workload");
  capture::ProgramFacts facts = facts_of(context);
  facts.tags = request.tags;
  NEUROLENS_TRY(check_writable(context, request.output));
  capture::EngineOptions options = request.options;
  options.attention = context.attention;
  NEUROLENS_ASSIGN(run::Run measured, capture::profile_engine(**workload, options, facts));
  measured.ceilings = request.ceilings;
  NEUROLENS_TRY(keep_and_show(context, measured, request.output, request.json));
  return kDone;
}

}  // namespace neurolens::cli
