#include "neurolens/codebase/graph.hpp"

#include <algorithm>
#include <limits>

namespace neurolens::codebase {
namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

// Tarjan without recursion. Components are numbered in reverse topological order.
std::uint32_t components(const Graph& g, std::vector<std::uint32_t>* component) {
  const auto n = static_cast<std::uint32_t>(g.size());
  component->assign(n, kNone);
  std::vector<std::uint32_t> index(n, kNone), low(n, 0), stack;
  struct Visit {
    std::uint32_t node;
    std::size_t edge;
  };
  std::vector<Visit> visits;
  std::uint32_t next = 0, count = 0;
  for (std::uint32_t start = 0; start < n; ++start) {
    if (index[start] != kNone) continue;
    visits.push_back({start, 0});
    while (!visits.empty()) {
      const std::uint32_t v = visits.back().node;
      if (visits.back().edge == 0) {
        index[v] = low[v] = next++;
        stack.push_back(v);
      }
      bool descended = false;
      while (visits.back().edge < g.out[v].size()) {
        const std::uint32_t w = g.out[v][visits.back().edge++];
        if (index[w] == kNone) {
          visits.push_back({w, 0});
          descended = true;
          break;
        }
        if ((*component)[w] == kNone) low[v] = std::min(low[v], index[w]);
      }
      if (descended) continue;
      if (low[v] == index[v]) {
        std::uint32_t w = kNone;
        do {
          w = stack.back();
          stack.pop_back();
          (*component)[w] = count;
        } while (w != v);
        ++count;
      }
      visits.pop_back();
      if (!visits.empty()) low[visits.back().node] = std::min(low[visits.back().node], low[v]);
    }
  }
  return count;
}

// A shortest cycle through members of `component` that starts at `start`, shorter than `limit`.
std::vector<std::uint32_t> cycle_from(const Graph& g, const std::vector<std::uint32_t>& component,
                                      std::uint32_t start, std::size_t limit,
                                      std::vector<std::uint32_t>* parent) {
  std::vector<std::uint32_t> queue{start}, touched{start};
  std::vector<std::uint32_t> found;
  std::size_t level_end = 1, depth = 1;
  for (std::size_t head = 0; head < queue.size() && depth < limit && found.empty(); ++head) {
    if (head == level_end) {
      level_end = queue.size();
      if (++depth >= limit) break;
    }
    const std::uint32_t v = queue[head];
    for (const std::uint32_t w : g.out[v]) {
      if (component[w] != component[start]) continue;
      if (w == start) {
        for (std::uint32_t u = v; u != start; u = (*parent)[u]) found.push_back(u);
        found.push_back(start);
        std::reverse(found.begin(), found.end());
        break;
      }
      if ((*parent)[w] != kNone) continue;
      (*parent)[w] = v;
      touched.push_back(w);
      queue.push_back(w);
    }
  }
  for (const std::uint32_t v : touched) (*parent)[v] = kNone;
  return found;
}

void find_cycles(const Graph& g, std::uint32_t count, GraphMetrics* m) {
  std::vector<std::vector<std::uint32_t>> members(count);
  for (std::uint32_t v = 0; v < g.size(); ++v) members[m->component[v]].push_back(v);
  std::vector<std::uint32_t> parent(g.size(), kNone);
  struct Found {
    std::vector<std::uint32_t> cycle;
    std::uint32_t size;
  };
  std::vector<Found> all;
  for (const auto& nodes : members) {
    if (nodes.size() < 2) continue;
    std::vector<std::uint32_t> best;
    for (const std::uint32_t v : nodes) {
      const std::size_t limit = best.empty() ? nodes.size() + 1 : best.size();
      auto cycle = cycle_from(g, m->component, v, limit, &parent);
      if (!cycle.empty() && (best.empty() || cycle.size() < best.size())) best = std::move(cycle);
      if (best.size() == 2) break;  // none is shorter
    }
    all.push_back({std::move(best), static_cast<std::uint32_t>(nodes.size())});
  }
  std::stable_sort(all.begin(), all.end(), [](const Found& a, const Found& b) {
    return a.size != b.size ? a.size > b.size : a.cycle < b.cycle;
  });
  for (Found& f : all) {
    m->cycles.push_back(std::move(f.cycle));
    m->cycle_sizes.push_back(f.size);
  }
}

void find_depths(const Graph& g, std::uint32_t count, GraphMetrics* m) {
  // Component numbers grow against the edges, so lower ones are finished first.
  std::vector<std::vector<std::uint32_t>> members(count);
  for (std::uint32_t v = 0; v < g.size(); ++v) members[m->component[v]].push_back(v);
  std::vector<std::uint32_t> depth(count, 0);
  for (std::uint32_t c = 0; c < count; ++c) {
    for (const std::uint32_t v : members[c]) {
      for (const std::uint32_t w : g.out[v]) {
        if (m->component[w] != c) depth[c] = std::max(depth[c], depth[m->component[w]] + 1);
      }
    }
  }
  for (std::uint32_t v = 0; v < g.size(); ++v) m->depth[v] = depth[m->component[v]];
}

void find_articulation(const Graph& g, GraphMetrics* m) {
  const auto n = static_cast<std::uint32_t>(g.size());
  std::vector<std::vector<std::uint32_t>> near(n);
  for (std::uint32_t v = 0; v < n; ++v) {
    for (const std::uint32_t w : g.out[v]) {
      near[v].push_back(w);
      near[w].push_back(v);
    }
  }
  for (auto& list : near) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
  }
  std::vector<std::uint32_t> seen(n, kNone), low(n, 0), from(n, kNone);
  std::vector<std::size_t> edge(n, 0);
  std::vector<bool> cut(n, false);
  std::uint32_t next = 0;
  for (std::uint32_t root = 0; root < n; ++root) {
    if (seen[root] != kNone) continue;
    std::uint32_t children = 0;
    std::vector<std::uint32_t> path{root};
    seen[root] = low[root] = next++;
    while (!path.empty()) {
      const std::uint32_t v = path.back();
      if (edge[v] < near[v].size()) {
        const std::uint32_t w = near[v][edge[v]++];
        if (seen[w] == kNone) {
          seen[w] = low[w] = next++;
          from[w] = v;
          path.push_back(w);
          if (v == root) ++children;
        } else if (w != from[v]) {
          low[v] = std::min(low[v], seen[w]);
        }
        continue;
      }
      path.pop_back();
      if (path.empty()) break;
      const std::uint32_t parent = path.back();
      low[parent] = std::min(low[parent], low[v]);
      if (parent != root && low[v] >= seen[parent]) cut[parent] = true;
    }
    if (children > 1) cut[root] = true;
  }
  for (std::uint32_t v = 0; v < n; ++v) {
    if (cut[v]) m->articulation.push_back(v);
  }
}

}  // namespace

int Graph::edge(std::uint32_t from, std::uint32_t to) const {
  const auto& list = out[from];
  const auto at = std::lower_bound(list.begin(), list.end(), to);
  return at != list.end() && *at == to ? static_cast<int>(at - list.begin()) : -1;
}

GraphMetrics measure_graph(const Graph& g) {
  GraphMetrics m;
  const std::size_t n = g.size();
  m.fan_in.assign(n, 0);
  m.fan_out.assign(n, 0);
  m.depth.assign(n, 0);
  for (std::size_t v = 0; v < n; ++v) {
    m.fan_out[v] = static_cast<std::uint32_t>(g.out[v].size());
    for (const std::uint32_t w : g.out[v]) ++m.fan_in[w];
  }
  for (std::size_t v = 0; v < n; ++v) {
    const double sum = double(m.fan_in[v]) + double(m.fan_out[v]);
    m.instability.push_back(sum > 0 ? m.fan_out[v] / sum
                                    : std::numeric_limits<double>::quiet_NaN());
  }
  const std::uint32_t count = components(g, &m.component);
  find_depths(g, count, &m);
  find_cycles(g, count, &m);
  find_articulation(g, &m);
  return m;
}

std::vector<std::uint32_t> shortest_path(const Graph& g, std::uint32_t from, std::uint32_t to) {
  std::vector<std::uint32_t> parent(g.size(), kNone), queue{from};
  for (std::size_t head = 0; head < queue.size(); ++head) {
    for (const std::uint32_t w : g.out[queue[head]]) {
      if (w == from || parent[w] != kNone) continue;
      parent[w] = queue[head];
      if (w == to) {
        std::vector<std::uint32_t> path;
        for (std::uint32_t v = to; v != from; v = parent[v]) path.push_back(v);
        path.push_back(from);
        std::reverse(path.begin(), path.end());
        return path;
      }
      queue.push_back(w);
    }
  }
  return {};
}

}  // namespace neurolens::codebase
