/// \file
/// From a measurement to a Run.
#pragma once

#include "adapters/onnxruntime/measure.hpp"
#include "neurolens/onnx/model.hpp"
#include "neurolens/run/types.hpp"
#include "plan/plan.hpp"

namespace neurolens::capture::ort {

/// Everything that is known before estimates are made: who, where, what, samples, timeline,
/// overhead.
[[nodiscard]] run::Run assemble(const CaptureRequest& request, const Host& host,
                                const Library& library, const onnx::Model& model,
                                const RuntimeSession& session, const PreparedFeeds& feeds,
                                const Measurement& measured, const Plan& plan);

/// Rows of `iterations` that count: neither warm-up nor disturbed, observed or not.
[[nodiscard]] std::vector<std::size_t> usable_rows(const run::Iterations& iterations,
                                                   bool observed);

/// Duration of those rows.
[[nodiscard]] std::vector<double> usable_durations(const run::Iterations& iterations,
                                                   bool observed);

/// Positions among the observed iterations (the rows of op columns) that count.
[[nodiscard]] std::vector<std::size_t> usable_samples(const run::Iterations& iterations);

}  // namespace neurolens::capture::ort
