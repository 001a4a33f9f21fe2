/// \file
/// The measurement: observed and unobserved iterations of one model, interleaved in random order.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/onnxruntime/feeds.hpp"
#include "adapters/onnxruntime/op_collector.hpp"
#include "adapters/onnxruntime/runtime_session.hpp"
#include "neurolens/capture/host.hpp"
#include "neurolens/capture/request.hpp"

namespace neurolens::capture::ort {

struct Measurement {
  run::Iterations iterations;
  OpCollector ops;
  std::vector<onnx::TypeInfo> output_types;  ///< Of the model's outputs, as they came out.
  std::string optimised_path;                ///< Of the optimised model; empty when not written.
  ProcessMemory before;                      ///< Before the model was loaded.
  ProcessMemory peak;                        ///< After unobserved warm-up: the model alone.
  std::int64_t events_lost = 0;
  std::int64_t warmup = 0;    ///< Pairs that were kept apart.
  bool machine_busy = false;  ///< Over half of the iterations were disturbed.
  bool interval_reached = false;
  std::optional<std::string> stopped;  ///< Why it ended early.
  std::vector<std::string> notes;
};

/// `feeds` were accepted by `unobserved`, whose session stays in use. Temporary files go to
/// `folder`. Errors: refused, cancelled (before the first measured pair), and those of reading the
/// profile.
Result<Measurement> measure(const std::shared_ptr<const Library>& library,
                            RuntimeSession& unobserved, const FeedSet& feeds,
                            const CaptureRequest& request, const std::string& folder,
                            bool control_flow, std::size_t nodes);

/// The settings of a session for `request`, without profiler.
[[nodiscard]] SessionSettings settings_of(const CaptureRequest& request);

}  // namespace neurolens::capture::ort
