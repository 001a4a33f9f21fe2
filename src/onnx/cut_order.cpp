#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <queue>
#include <unordered_map>

#include "neurolens/base/text.hpp"
#include "neurolens/onnx/cut.hpp"

namespace neurolens::onnx {
namespace {

using Index = std::uint32_t;

/// Which node writes a tensor.
Result<std::unordered_map<std::string_view, Index>> producers_of(const Graph& graph) {
  std::unordered_map<std::string_view, Index> producers;
  for (Index i = 0; i < graph.nodes.size(); ++i) {
    for (const std::string& output : graph.nodes[i].outputs) {
      if (output.empty() || producers.emplace(output, i).second) continue;
      return Error{Errc::invalid_document,
                   fmt::format("Two nodes write the tensor \"{}\"; a tensor has one source.",
                               printable(output)),
                   fmt::format("graph/node[{}]", i)};
    }
  }
  return producers;
}

}  // namespace

Result<std::vector<NodeId>> topological_order(const Graph& graph) {
  NEUROLENS_ASSIGN(const auto producers, producers_of(graph));
  const std::size_t count = graph.nodes.size();
  std::vector<std::vector<Index>> readers(count);
  std::vector<std::size_t> waiting(count, 0);
  for (Index i = 0; i < count; ++i) {
    for (const std::string& name : names_read(graph.nodes[i])) {
      const auto source = producers.find(name);
      if (source == producers.end()) continue;
      readers[source->second].push_back(i);
      ++waiting[i];
    }
  }
  // The smallest index first: a file that is in order comes out as it is.
  std::priority_queue<Index, std::vector<Index>, std::greater<>> ready;
  for (Index i = 0; i < count; ++i) {
    if (waiting[i] == 0) ready.push(i);
  }
  std::vector<NodeId> order;
  order.reserve(count);
  while (!ready.empty()) {
    const Index node = ready.top();
    ready.pop();
    order.emplace_back(node);
    for (const Index reader : readers[node]) {
      if (--waiting[reader] == 0) ready.push(reader);
    }
  }
  if (order.size() == count) return order;
  const auto stuck = std::find_if(waiting.begin(), waiting.end(), [](auto n) { return n > 0; });
  return Error{Errc::invalid_document, "The nodes form a cycle; a graph has none.",
               fmt::format("graph/node[{}]", stuck - waiting.begin())};
}

}  // namespace neurolens::onnx
