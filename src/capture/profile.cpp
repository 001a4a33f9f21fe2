#include "neurolens/capture/profile.hpp"

#include <fmt/format.h>

#include "isolate/isolate.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/capture/adapter.hpp"
#include "neurolens/capture/host.hpp"

namespace neurolens::capture {
namespace {

Result<run::Run> profile_here(const CaptureRequest& request) {
  AdapterRegistry registry;
  NEUROLENS_TRY(add_builtin(registry));
  const Adapter* adapter = registry.find(request.adapter);
  if (adapter == nullptr) {
    std::vector<std::string> names;
    for (const auto* one : registry.all()) names.emplace_back(one->name());
    return Error{Errc::not_found,
                 fmt::format("There is no adapter called \"{}\".{}", printable(request.adapter),
                             did_you_mean(request.adapter, names)),
                 {}};
  }
  NEUROLENS_ASSIGN(const auto session, adapter->open(request));
  NEUROLENS_TRY(session->start());
  NEUROLENS_TRY(session->stop());
  return session->drain();
}

}  // namespace

Result<run::Run> profile_model(const CaptureRequest& request) {
  if (!request.isolated) return profile_here(request);
  return run_isolated(request, profile_here);
}

}  // namespace neurolens::capture
