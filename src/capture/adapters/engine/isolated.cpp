// An engine in a process of its own, as backends are.
#include "isolate/isolate.hpp"
#include "neurolens/capture/engine.hpp"

namespace neurolens::capture {

Result<run::Run> profile_engine_isolated(
    const std::string& name,
    const std::function<Result<std::unique_ptr<EngineWorkload>>()>& prepare,
    const EngineOptions& options, const ProgramFacts& facts) {
  CaptureRequest request;
  request.model_path = name;  // for sentences
  request.attention = options.attention;
  return run_isolated(request, [&](const CaptureRequest& here) -> Result<run::Run> {
    NEUROLENS_ASSIGN(const auto workload, prepare());
    EngineOptions inside = options;
    inside.attention = here.attention;
    return profile_engine(*workload, inside, facts);
  });
}

}  // namespace neurolens::capture
