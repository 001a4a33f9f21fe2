#include "adapters/onnxruntime/original.hpp"

#include <unistd.h>

#include "adapters/onnxruntime/measure.hpp"
#include "adapters/onnxruntime/op_collector.hpp"
#include "adapters/onnxruntime/trace_reader.hpp"
#include "plan/costs.hpp"

namespace neurolens::capture::ort {

onnx::ObservedTensors observed_feeds(const FeedSet& feeds) {
  onnx::ObservedTensors out;
  for (std::size_t i = 0; i < feeds.ports().size() && i < feeds.feeds().size(); ++i) {
    const Feed& feed = feeds.feeds()[i];
    if (feed.kind != onnx::TypeKind::tensor || feed.tensors.size() != 1) continue;
    out[feeds.ports()[i].name] = {feed.tensors[0].type, feed.tensors[0].dims};
  }
  return out;
}

Status run_original(const std::shared_ptr<const Library>& library, const CaptureRequest& request,
                    const FeedSet& feeds, const std::string& folder, const onnx::Graph& original,
                    onnx::ObservedTensors& observed) {
  SessionSettings settings = settings_of(request);
  settings.optimisation = OptLevel::none;
  settings.profile_prefix = folder + "/original";
  NEUROLENS_ASSIGN(auto session, RuntimeSession::create(library, request.model_path, settings));
  const auto timing = session.run(feeds);
  NEUROLENS_ASSIGN(const auto path, session.end_profiling());
  OpCollector ops(0);
  const auto reader = read_trace(path, [&](const TraceEvent& event) { ops.take(event); });
  unlink(path.c_str());
  if (!timing.ok()) return timing.error();
  if (!reader.ok()) return reader.error();
  if (observe_original(ops, original, observed) == 0 && !original.nodes.empty()) {
    return Error{Errc::refused, "the runtime's nodes are not those of the file.", {}};
  }
  return {};
}

}  // namespace neurolens::capture::ort
