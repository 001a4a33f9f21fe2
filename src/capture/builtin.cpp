// The one list of adapters; runs when a caller says so, not before main().
#include "neurolens/capture/adapter.hpp"

namespace neurolens::capture {

// One factory per adapter folder, always linked. Without the headers of a backend the folder's
// stub.cpp supplies the factory, and its probe() says what is missing.
std::unique_ptr<const Adapter> make_onnxruntime();

Status add_builtin(AdapterRegistry& registry) {
  for (const auto make : {&make_onnxruntime}) {
    if (Status added = registry.add(make()); !added.ok()) return added;
  }
  return {};
}

}  // namespace neurolens::capture
