/// \file
/// A directed graph with names, its measures, and its drawings.
/// Measures: fan-in, fan-out; instability = out / (in + out) (R. C. Martin); depth = longest path
/// down in the graph of components; strongly connected components (Tarjan 1972, iterative); per
/// component one shortest cycle (breadth-first from every member); articulation points of the
/// undirected graph (Hopcroft and Tarjan 1973, iterative).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace neurolens::codebase {

/// Edges are sorted and unique per node; self-edges are left out. `weight[i][k]`: how many imports
/// stand behind edge k of node i; `place[i][k]`: "file:line" of the first of them.
struct Graph {
  std::vector<std::string> names;
  std::vector<std::vector<std::uint32_t>> out;
  std::vector<std::vector<std::uint32_t>> weight;
  std::vector<std::vector<std::string>> place;

  [[nodiscard]] std::size_t size() const { return names.size(); }
  /// Position of `to` in out[from], or -1.
  [[nodiscard]] int edge(std::uint32_t from, std::uint32_t to) const;
};

struct GraphMetrics {
  std::vector<std::uint32_t> fan_in;
  std::vector<std::uint32_t> fan_out;
  std::vector<double> instability;       ///< NaN for a node without edges: not defined.
  std::vector<std::uint32_t> depth;      ///< 0 for a node that depends on nothing.
  std::vector<std::uint32_t> component;  ///< Index of the strongly connected component.
  std::vector<std::vector<std::uint32_t>>
      cycles;                               ///< One shortest cycle per component of several nodes.
  std::vector<std::uint32_t> cycle_sizes;   ///< Nodes of that component, beside `cycles`.
  std::vector<std::uint32_t> articulation;  ///< Nodes whose removal splits the graph.
};

/// All measures. O(V + E), and O(V E) within each component for its shortest cycle.
[[nodiscard]] GraphMetrics measure_graph(const Graph& graph);

/// A shortest path from `from` to `to` as nodes, both included; empty when there is none.
[[nodiscard]] std::vector<std::uint32_t> shortest_path(const Graph& graph, std::uint32_t from,
                                                       std::uint32_t to);

/// Drawings: nodes that depend on nothing lie at the bottom. `heat` colours nodes by name, scaled
/// to the largest.
[[nodiscard]] std::string to_dot(const Graph& graph, const GraphMetrics& metrics,
                                 const std::map<std::string, double>& heat = {});
[[nodiscard]] std::string to_mermaid(const Graph& graph, const GraphMetrics& metrics,
                                     const std::map<std::string, double>& heat = {});
[[nodiscard]] std::string to_svg(const Graph& graph, const GraphMetrics& metrics,
                                 const std::map<std::string, double>& heat = {});

}  // namespace neurolens::codebase
