#include "neurolens/analyze/critical_path.hpp"

#include <algorithm>

#include "align/plan_view.hpp"

namespace neurolens::analyze {

std::vector<DataflowEdge> dataflow(const run::Run& run) {
  const Lists consumers = links_of(run).consumers;
  std::vector<DataflowEdge> edges;
  edges.reserve(consumers.items.size());
  for (std::uint32_t op = 0; op < run.ops.size(); ++op) {
    for (const auto* to = consumers.first(op); to != consumers.last(op); ++to)
      edges.push_back({run::OpId(op), run::OpId(*to)});
  }
  std::sort(edges.begin(), edges.end());
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
  return edges;
}

std::optional<CriticalPath> critical_path(const run::Run& run, const Summary& summary,
                                          const std::vector<DataflowEdge>& edges) {
  if (edges.empty() || !(summary.total_ns > 0)) return {};
  const std::size_t count = run.ops.size();
  std::vector<double> own(count, 0);
  for (const auto& op : summary.ops) own[op.op.index()] = op.time_ns;
  std::vector<double> finish = own;
  constexpr std::uint32_t kStart = 0xffffffffu;
  std::vector<std::uint32_t> before(count, kStart);
  // Edges are sorted by producer and lead forward, so every producer is final when it is read.
  for (const auto& edge : edges) {
    if (edge.from.value >= edge.to.value) return {};
    const double through = finish[edge.from.index()] + own[edge.to.index()];
    if (through <= finish[edge.to.index()] && before[edge.to.index()] != kStart) continue;
    if (through < finish[edge.to.index()]) continue;
    finish[edge.to.index()] = through;
    before[edge.to.index()] = edge.from.value;
  }
  CriticalPath path;
  const auto last =
      static_cast<std::size_t>(std::max_element(finish.begin(), finish.end()) - finish.begin());
  path.time_ns = finish[last];
  path.total_ns = summary.total_ns;
  for (auto at = static_cast<std::uint32_t>(last); at != kStart; at = before[at])
    path.ops.emplace_back(at);
  std::reverse(path.ops.begin(), path.ops.end());
  return path;
}

}  // namespace neurolens::analyze
