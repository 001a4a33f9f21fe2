/// \file
/// Trends over a store for reports.
#pragma once

#include <string>

#include "neurolens/report/findings.hpp"
#include "neurolens/store/store.hpp"

namespace neurolens::cli {

/// Values of `metric` ("latency", "throughput", "op:NAME") over the Runs that match, oldest first,
/// with their change points. Errors: unknown_metric.
Result<report::History> trend_of(store::Store& store, const store::Filter& filter,
                                 const std::string& metric);

/// The latency of Runs like this one: same workload, backend and precision.
Result<report::History> trend_of_runs_like(store::Store& store, const run::Run& run);

}  // namespace neurolens::cli
