#include "adapters/onnxruntime/feeds.hpp"
#include "adapters/onnxruntime/library.hpp"
#include "adapters/onnxruntime/measure.hpp"
#include "neurolens/capture/live.hpp"
#include "neurolens/onnx/model.hpp"

namespace neurolens::capture {
namespace {

/// What an iteration needs, kept alive together.
struct Prepared {
  ort::RuntimeSession session;
  ort::FeedSet feeds;
};

}  // namespace

Result<Workload> model_workload(const CaptureRequest& request) {
  NEUROLENS_ASSIGN(const auto library, ort::Library::open(request.ort_library));
  onnx::LoadOptions load;
  load.keep_weights = false;
  NEUROLENS_ASSIGN(const auto model, onnx::Model::load(request.model_path, load));
  NEUROLENS_ASSIGN(auto session, ort::RuntimeSession::create(library, request.model_path,
                                                             ort::settings_of(request)));
  NEUROLENS_ASSIGN(auto feeds, ort::prepare_feeds(library, session, &model.graph(), request));
  auto prepared = std::make_shared<Prepared>(Prepared{std::move(session), std::move(feeds.set)});
  return Workload([prepared]() -> Result<Nanoseconds> {
    NEUROLENS_ASSIGN(const auto timing, prepared->session.run(prepared->feeds));
    return timing.duration;
  });
}

}  // namespace neurolens::capture
