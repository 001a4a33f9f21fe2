/// \file
/// The time of each kind of part without any profiler.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "adapters/onnxruntime/library.hpp"
#include "graphs.hpp"
#include "neurolens/base/result.hpp"

namespace neurolens::capture::true_cost {

struct PartTruth {
  double ns = 0;
  double error_ns = 0;  ///< Half of the 95 % interval.
};

struct Truth {
  double latency_ns = 0;  ///< Of the case's own graph.
  std::map<std::string, PartTruth> parts;
};

/// Slope of unobserved latency against how many parts of a kind the case's own graph holds, between
/// graphs with more and with fewer of them (so that caches are as they are there). All graphs take
/// turns, are loaded anew several times, and
/// run in a row (see measure/visit.hpp). Errors: those of the runtime.
[[nodiscard]] Result<Truth> truth_of(const std::shared_ptr<const ort::Library>& library,
                                     const Case& one, std::uint64_t seed);

}  // namespace neurolens::capture::true_cost
