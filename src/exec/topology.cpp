#include "neurolens/exec/topology.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace neurolens::exec {
namespace {

std::string named(const NameOf& name_of, std::uint32_t task) {
  return name_of ? fmt::format("\"{}\"", name_of(task)) : fmt::format("task {}", task);
}

Status check_edges(std::uint32_t tasks, std::span<const Edge> edges) {
  if (tasks > kMostTasks) {
    return Error{
        Errc::out_of_range, fmt::format("{} tasks; a graph can have {}.", tasks, kMostTasks), {}};
  }
  if (edges.size() > 0xFFFF'FFFFu) {
    return Error{Errc::out_of_range,
                 fmt::format("{} dependencies; a graph can have 4294967295.", edges.size()),
                 {}};
  }
  for (const Edge& edge : edges) {
    if (edge.from >= tasks || edge.to >= tasks) {
      return Error{
          Errc::out_of_range,
          fmt::format("A dependency goes from task {} to task {}, but there are only {} tasks.",
                      edge.from, edge.to, tasks),
          {}};
    }
  }
  return {};
}

// Walks the tasks that a topological sort could not reach, depth first, until a path meets itself.
// `counts[t] > 0` marks those tasks. Iterative: the path is an explicit stack.
std::string describe_cycle(std::span<const std::uint32_t> offsets,
                           std::span<const std::uint32_t> successors,
                           std::span<const std::uint32_t> counts, const NameOf& name_of) {
  constexpr std::uint8_t kNew = 0, kOnPath = 1, kFinished = 2;
  struct Step {
    std::uint32_t task;
    std::uint32_t next;
  };
  std::vector<std::uint8_t> mark(counts.size(), kNew);
  std::vector<Step> path;
  for (std::uint32_t start = 0; start < counts.size(); ++start) {
    if (counts[start] == 0 || mark[start] != kNew) continue;
    path.push_back({start, offsets[start]});
    mark[start] = kOnPath;
    while (!path.empty()) {
      Step& top = path.back();
      if (top.next == offsets[top.task + 1]) {
        mark[top.task] = kFinished;
        path.pop_back();
        continue;
      }
      const std::uint32_t to = successors[top.next++];
      if (counts[to] == 0 || mark[to] == kFinished) continue;
      if (mark[to] == kNew) {
        mark[to] = kOnPath;
        path.push_back({to, offsets[to]});
        continue;
      }
      auto begin =
          std::find_if(path.begin(), path.end(), [&](const Step& s) { return s.task == to; });
      constexpr std::ptrdiff_t kShown = 40;
      std::string text;
      const auto length = path.end() - begin;
      for (auto it = begin; it != path.end(); ++it) {
        if (length > kShown && it - begin == kShown / 2) {
          text += fmt::format("... {} more ... -> ", length - kShown);
          it += length - kShown;
        }
        text += named(name_of, it->task) + " -> ";
      }
      return text + named(name_of, to);
    }
  }
  return {};
}

// Length in tasks of the longest path from each task to an end, given a topological order.
std::vector<std::uint32_t> levels(std::span<const std::uint32_t> order,
                                  std::span<const std::uint32_t> offsets,
                                  std::span<const std::uint32_t> successors) {
  std::vector<std::uint32_t> level(order.size(), 1);
  for (std::size_t i = order.size(); i-- > 0;) {
    const std::uint32_t task = order[i];
    std::uint32_t longest = 0;
    for (std::uint32_t e = offsets[task]; e < offsets[task + 1]; ++e) {
      longest = std::max(longest, level[successors[e]]);
    }
    level[task] = longest + 1;
  }
  return level;
}

}  // namespace

Result<Topology> Topology::compile(std::uint32_t tasks, std::span<const Edge> edges,
                                   const NameOf& name_of) {
  NEUROLENS_TRY(check_edges(tasks, edges));
  Topology out;
  out.tasks_ = tasks;
  out.depth_ = tasks > 0 ? 1 : 0;
  if (edges.empty()) return out;

  const bool has_rules = std::any_of(edges.begin(), edges.end(),
                                     [](const Edge& e) { return e.rule != EdgeRule::skip; });
  out.offsets_.assign(std::size_t{tasks} + 1, 0);
  std::vector<std::uint32_t> counts(tasks, 0);
  for (const Edge& edge : edges) {
    ++out.offsets_[edge.from + 1];
    ++counts[edge.to];
  }
  for (std::uint32_t t = 0; t < tasks; ++t) out.offsets_[t + 1] += out.offsets_[t];
  out.successors_.resize(edges.size());
  if (has_rules) out.rules_.resize(edges.size());
  {
    std::vector<std::uint32_t> cursor(out.offsets_.begin(), out.offsets_.end() - 1);
    for (const Edge& edge : edges) {
      const std::uint32_t at = cursor[edge.from]++;
      out.successors_[at] = edge.to;
      if (has_rules) out.rules_[at] = edge.rule;
    }
  }

  // Topological order (Kahn); what is left over lies on or behind a cycle.
  std::vector<std::uint32_t> order;
  order.reserve(tasks);
  std::uint32_t most = 0;
  for (std::uint32_t t = 0; t < tasks; ++t) {
    most = std::max(most, counts[t]);
    if (counts[t] == 0) order.push_back(t);
  }
  out.roots_ = order;
  std::vector<std::uint32_t> left = counts;
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (std::uint32_t e = out.offsets_[order[i]]; e < out.offsets_[order[i] + 1]; ++e) {
      if (--left[out.successors_[e]] == 0) order.push_back(out.successors_[e]);
    }
  }
  if (order.size() != tasks) {
    return Error{Errc::bad_request,
                 fmt::format("The dependencies form a cycle: {}. Remove one of these dependencies.",
                             describe_cycle(out.offsets_, out.successors_, left, name_of)),
                 {}};
  }

  // Critical path first: the successor with the longest way to go heads its row.
  left.clear();
  left.shrink_to_fit();
  const std::vector<std::uint32_t> level = levels(order, out.offsets_, out.successors_);
  out.depth_ = *std::max_element(level.begin(), level.end());
  for (std::uint32_t t = 0; t < tasks; ++t) {
    const std::uint32_t begin = out.offsets_[t];
    const std::uint32_t end = out.offsets_[t + 1];
    if (end - begin < 2) continue;
    if (has_rules) {
      std::vector<std::pair<std::uint32_t, EdgeRule>> row;
      for (std::uint32_t e = begin; e < end; ++e)
        row.emplace_back(out.successors_[e], out.rules_[e]);
      std::stable_sort(row.begin(), row.end(), [&](const auto& a, const auto& b) {
        return level[a.first] > level[b.first];
      });
      for (std::uint32_t e = begin; e < end; ++e) {
        std::tie(out.successors_[e], out.rules_[e]) = row[e - begin];
      }
    } else {
      std::stable_sort(out.successors_.begin() + begin, out.successors_.begin() + end,
                       [&](std::uint32_t a, std::uint32_t b) { return level[a] > level[b]; });
    }
  }
  std::stable_sort(out.roots_.begin(), out.roots_.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return level[a] > level[b]; });
  for (std::uint32_t& s : out.successors_) {
    if (counts[s] == 1) s |= kOnly;
  }
  out.find_links();
  if (most <= 0x7F) {
    out.narrow_.assign(counts.begin(), counts.end());
  } else {
    out.wide_ = std::move(counts);
  }
  return out;
}

void Topology::find_links() {
  const auto link = [this](std::uint32_t task) {
    const std::uint32_t e = offsets_[task];
    const bool one = offsets_[task + 1] - e == 1 && (successors_[e] & kOnly) != 0;
    return one ? successors_[e] & ~kOnly : kNoLink;
  };
  std::uint32_t count = 0;
  for (std::uint32_t t = 0; t < tasks_; ++t) count += link(t) != kNoLink ? 1 : 0;
  if (count < tasks_ / 2) return;
  links_.resize(tasks_);
  for (std::uint32_t t = 0; t < tasks_; ++t) links_[t] = link(t);
}

std::size_t Topology::bytes() const noexcept {
  return offsets_.capacity() * 4 + successors_.capacity() * 4 + rules_.capacity() +
         roots_.capacity() * 4 + links_.capacity() * 4 + narrow_.capacity() + wide_.capacity() * 4;
}

std::vector<Edge> Topology::predecessors(std::uint32_t task) const {
  std::vector<Edge> found;
  if (offsets_.empty()) return found;
  for (std::uint32_t t = 0; t < tasks_; ++t) {
    for (std::uint32_t e = offsets_[t]; e < offsets_[t + 1]; ++e) {
      if ((successors_[e] & ~kOnly) != task) continue;
      found.push_back({t, task, rules_.empty() ? EdgeRule::skip : rules_[e]});
    }
  }
  return found;
}

}  // namespace neurolens::exec
