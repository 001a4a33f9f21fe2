#include "trend.hpp"

#include "neurolens/analyze/change_points.hpp"

namespace neurolens::cli {

Result<report::History> trend_of(store::Store& store, const store::Filter& filter,
                                 const std::string& metric) {
  report::History trend;
  trend.metric = metric;
  trend.unit = metric == "throughput" ? "per_second" : "ns";
  NEUROLENS_ASSIGN(const auto points, store.history(filter, metric));
  std::vector<double> values;
  for (const auto& p : points) {
    trend.points.push_back({p.run_id, p.created_at, p.value});
    values.push_back(p.value);
  }
  trend.changes = analyze::find_changes(values, {});
  return trend;
}

Result<report::History> trend_of_runs_like(store::Store& store, const run::Run& run) {
  store::Filter filter;
  filter.model = run.workload.name;
  filter.backend = run.software.backend;
  filter.precision = run.software.precision;
  return trend_of(store, filter, "latency");
}

}  // namespace neurolens::cli
