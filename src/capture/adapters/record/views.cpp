// Views of a sampled profile: pure functions of its content.
#include <algorithm>
#include <cmath>
#include <map>

#include "neurolens/capture/sampled_profile.hpp"

namespace neurolens::capture {
namespace {

/// Samples whose innermost frame is this node.
std::vector<std::uint64_t> samples_by_node(const SampledProfile& p) {
  std::vector<std::uint64_t> counts(p.nodes.size());
  for (const Sample& s : p.samples) ++counts[s.node.index()];
  return counts;
}

/// Calls `visit(node index)` from the innermost frame outwards.
template <class Visit>
void walk_up(const SampledProfile& p, std::size_t node, Visit visit) {
  for (auto at = static_cast<std::int64_t>(node); at >= 0;
       at = p.nodes[static_cast<std::size_t>(at)].parent) {
    visit(static_cast<std::size_t>(at));
  }
}

std::vector<NamedCost> sorted_costs(const std::map<std::string, std::uint64_t>& counts,
                                    std::uint64_t total) {
  std::vector<NamedCost> costs;
  for (const auto& [name, count] : counts) {
    costs.push_back(
        {name, count, wilson_share(static_cast<double>(count), static_cast<double>(total))});
  }
  std::stable_sort(costs.begin(), costs.end(),
                   [](const NamedCost& a, const NamedCost& b) { return a.samples > b.samples; });
  return costs;
}

/// "a::f(int) const" -> "a::f".
std::string_view without_parameters(std::string_view name) {
  const std::size_t close = name.rfind(')');
  if (close == std::string_view::npos) return name;
  int depth = 0;
  for (std::size_t i = close + 1; i-- > 0;) {
    if (name[i] == ')') ++depth;
    if (name[i] == '(' && --depth == 0) return i == 0 ? name : name.substr(0, i);
  }
  return name;
}

Nanoseconds part_of(Nanoseconds whole, double share) {
  return Nanoseconds{std::llround(static_cast<double>(whole.count) * share)};
}

}  // namespace

Share wilson_share(double part, double total) {
  if (total <= 0) return {};
  constexpr double z = 1.959963984540054;  // two-sided 95 %
  const double p = part / total;
  const double zz = z * z / total;
  const double centre = (p + zz / 2) / (1 + zz);
  const double half = z / (1 + zz) * std::sqrt(p * (1 - p) / total + zz / (4 * total));
  return {p, std::max(0.0, std::min(p, centre - half)), std::min(1.0, std::max(p, centre + half))};
}

std::vector<FunctionCost> function_costs(const SampledProfile& p) {
  std::vector<FunctionCost> costs(p.functions.size());
  std::vector<std::size_t> seen_in(p.functions.size(), p.nodes.size());
  const std::vector<std::uint64_t> counts = samples_by_node(p);
  for (std::size_t n = 0; n < p.nodes.size(); ++n) {
    if (counts[n] == 0) continue;
    costs[p.nodes[n].function.index()].own_samples += counts[n];
    walk_up(p, n, [&](std::size_t at) {
      const std::size_t f = p.nodes[at].function.index();
      if (seen_in[f] == n) return;  // recursion
      seen_in[f] = n;
      costs[f].cumulative_samples += counts[n];
    });
  }
  const auto total = static_cast<double>(p.samples.size());
  for (std::size_t f = 0; f < costs.size(); ++f) {
    FunctionCost& c = costs[f];
    c.function = FunctionId(f);
    c.own = wilson_share(static_cast<double>(c.own_samples), total);
    c.cumulative = wilson_share(static_cast<double>(c.cumulative_samples), total);
    c.own_time = part_of(p.cpu_time, c.own.value);
    c.cumulative_time = part_of(p.cpu_time, c.cumulative.value);
  }
  std::stable_sort(costs.begin(), costs.end(), [](const FunctionCost& a, const FunctionCost& b) {
    return a.own_samples != b.own_samples ? a.own_samples > b.own_samples
                                          : a.cumulative_samples > b.cumulative_samples;
  });
  return costs;
}

std::vector<NamedCost> module_costs(const SampledProfile& p) {
  std::map<std::string, std::uint64_t> counts;
  for (const Sample& s : p.samples) {
    ++counts[p.modules[p.functions[p.nodes[s.node.index()].function.index()].module.index()].path];
  }
  return sorted_costs(counts, p.samples.size());
}

std::vector<NamedCost> thread_costs(const SampledProfile& p) {
  std::map<std::string, std::uint64_t> counts;
  for (const Sample& s : p.samples) {
    const SampledThread& t = p.threads[s.thread.index()];
    ++counts[t.name + " " + std::to_string(t.process_id) + "/" + std::to_string(t.thread_id)];
  }
  return sorted_costs(counts, p.samples.size());
}

std::vector<NamedCost> line_costs(const SampledProfile& p) {
  std::map<std::string, std::uint64_t> counts;
  for (const Sample& s : p.samples) {
    const SampledFunction& f = p.functions[p.nodes[s.node.index()].function.index()];
    if (s.line != 0 && !f.file.empty()) ++counts[f.file + ":" + std::to_string(s.line)];
  }
  return sorted_costs(counts, p.samples.size());
}

std::vector<Edge> call_edges(const SampledProfile& p) {
  const std::vector<std::uint64_t> counts = samples_by_node(p);
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::pair<std::size_t, std::uint64_t>> edges;
  for (std::size_t n = 0; n < p.nodes.size(); ++n) {
    if (counts[n] == 0) continue;
    walk_up(p, n, [&](std::size_t at) {
      const std::int64_t parent = p.nodes[at].parent;
      if (parent < 0) return;
      auto& [seen, samples] =
          edges
              .try_emplace({p.nodes[static_cast<std::size_t>(parent)].function.value,
                            p.nodes[at].function.value},
                           p.nodes.size(), 0)
              .first->second;
      if (seen == n) return;
      seen = n;
      samples += counts[n];
    });
  }
  std::vector<Edge> result;
  for (const auto& [ends, value] : edges) {
    result.push_back({FunctionId(ends.first), FunctionId(ends.second), value.second});
  }
  std::stable_sort(result.begin(), result.end(),
                   [](const Edge& a, const Edge& b) { return a.samples > b.samples; });
  return result;
}

std::vector<FunctionCost> bottlenecks(const SampledProfile& p, double threshold) {
  constexpr double kExplainsNothing = 0.95;  // on nearly every stack ...
  constexpr double kDoesNothing = 0.005;     // ... and never running itself
  std::vector<FunctionCost> result;
  for (const FunctionCost& c : function_costs(p)) {
    if (c.own.value < threshold && c.cumulative.value < threshold) continue;
    if (c.cumulative_samples == 0) continue;
    if (c.cumulative.value >= kExplainsNothing && c.own.value <= kDoesNothing) continue;
    result.push_back(c);
  }
  std::stable_sort(result.begin(), result.end(), [](const FunctionCost& a, const FunctionCost& b) {
    return a.cumulative_samples > b.cumulative_samples;
  });
  return result;
}

FunctionDetail function_detail(const SampledProfile& p, FunctionId function) {
  FunctionDetail detail;
  for (const FunctionCost& c : function_costs(p)) {
    if (c.function == function) detail.cost = c;
  }
  std::map<std::string, std::uint64_t> callers, callees, lines;
  for (const Edge& e : call_edges(p)) {
    if (e.callee == function) callers[p.functions[e.caller.index()].name] += e.samples;
    if (e.caller == function) callees[p.functions[e.callee.index()].name] += e.samples;
  }
  for (const Sample& s : p.samples) {
    if (p.nodes[s.node.index()].function != function || s.line == 0) continue;
    ++lines[p.functions[function.index()].file + ":" + std::to_string(s.line)];
  }
  detail.callers = sorted_costs(callers, p.samples.size());
  detail.callees = sorted_costs(callees, p.samples.size());
  detail.lines = sorted_costs(lines, p.samples.size());
  return detail;
}

std::vector<FunctionId> functions_named(const SampledProfile& p, std::string_view name) {
  std::vector<FunctionId> found;
  for (std::size_t f = 0; f < p.functions.size(); ++f) {
    const std::string_view whole = p.functions[f].name;
    const std::string_view bare = without_parameters(whole);
    const bool scoped = bare.size() > name.size() + 2 && bare.ends_with(name) &&
                        bare.substr(bare.size() - name.size() - 2, 2) == "::";
    if (!name.empty() && (whole == name || bare == name || scoped)) found.emplace_back(f);
  }
  return found;
}

std::vector<FunctionCost> of_module(const SampledProfile& p, std::vector<FunctionCost> costs,
                                    std::string_view module) {
  const auto elsewhere = [&](const FunctionCost& c) {
    const std::string_view path = p.modules[p.functions[c.function.index()].module.index()].path;
    return path != module && path.substr(path.rfind('/') + 1) != module;
  };
  costs.erase(std::remove_if(costs.begin(), costs.end(), elsewhere), costs.end());
  return costs;
}

std::string collapsed_stacks(const SampledProfile& p) {
  const std::vector<std::uint64_t> counts = samples_by_node(p);
  std::map<std::string, std::uint64_t> lines;
  for (std::size_t n = 0; n < p.nodes.size(); ++n) {
    if (counts[n] == 0) continue;
    std::vector<std::size_t> path;
    walk_up(p, n, [&](std::size_t at) { path.push_back(at); });
    std::string line;
    for (std::size_t i = path.size(); i-- > 0;) {
      std::string name = p.functions[p.nodes[path[i]].function.index()].name;
      std::replace(name.begin(), name.end(), ';', ':');
      std::replace(name.begin(), name.end(), '\n', ' ');
      line += (line.empty() ? "" : ";") + name;
    }
    lines[line] += counts[n];
  }
  std::string text;
  for (const auto& [line, count] : lines) text += line + " " + std::to_string(count) + "\n";
  return text;
}

}  // namespace neurolens::capture
