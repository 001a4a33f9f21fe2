#include "plan/origins.hpp"

#include <algorithm>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace neurolens::capture {
namespace {

constexpr std::string_view kBlockedSuffix = "_nchwc";

void flatten_into(const onnx::Graph& graph, const onnx::Node* owner, std::vector<FlatNode>& out) {
  for (const auto& node : graph.nodes) {
    out.push_back({&node, owner});
    for (const auto& attribute : node.attributes) {
      for (const auto& body : attribute.graphs) flatten_into(body, &node, out);
    }
  }
}

/// ONNX Runtime names a node in its blocked layout after the tensor that it produced before.
std::string_view blocked_tensor(const onnx::Node& node) {
  const std::string_view name = node.name;
  if (node.domain != "com.microsoft.nchwc" || name.size() <= kBlockedSuffix.size()) return {};
  if (name.substr(name.size() - kBlockedSuffix.size()) != kBlockedSuffix) return {};
  return name.substr(0, name.size() - kBlockedSuffix.size());
}

bool converts_layout(const onnx::Node& node) {
  return node.op_type == "ReorderInput" || node.op_type == "ReorderOutput";
}

class Mapper {
 public:
  Mapper(const std::vector<const onnx::Node*>& executed, const std::vector<FlatNode>& original)
      : executed_(executed), original_(original), owner_(original.size()) {
    for (std::size_t i = 0; i < original.size(); ++i) {
      for (const auto& output : original[i].node->outputs) {
        if (!output.empty()) producer_.emplace(output, i);
      }
    }
    for (const auto* node : executed) {
      if (node == nullptr) continue;
      for (const auto& output : node->outputs) boundary_.insert(output);
      if (const auto tensor = blocked_tensor(*node); !tensor.empty())
        boundary_.insert(std::string(tensor));
    }
  }

  std::vector<std::vector<std::size_t>> run() {
    // Nodes that changed the layout keep the names of others' tensors: they come last.
    for (const bool layout : {false, true}) {
      for (std::size_t i = 0; i < executed_.size(); ++i) {
        if (executed_[i] != nullptr && converts_layout(*executed_[i]) == layout) claim(i);
      }
    }
    adopt();
    std::vector<std::vector<std::size_t>> out(executed_.size());
    for (std::size_t i = 0; i < owner_.size(); ++i) {
      if (owner_[i] && original_[i].node->op_type != "Constant") out[*owner_[i]].push_back(i);
    }
    return out;
  }

 private:
  void claim(std::size_t op) {
    const onnx::Node& node = *executed_[op];
    const auto tensor = blocked_tensor(node);
    if (!tensor.empty()) {
      // In the blocked layout only a convolution takes its neighbours in, and those that come after
      // it.
      const bool walk = node.op_type == "Conv";
      walk_back(std::string(tensor), op, walk, true);
      return;
    }
    for (const auto& output : node.outputs) walk_back(output, op, !converts_layout(node), true);
  }

  void walk_back(const std::string& tensor, std::size_t op, bool further, bool first) {
    std::vector<std::pair<std::string, bool>> stack{{tensor, first}};
    while (!stack.empty()) {
      const auto [name, start] = stack.back();
      stack.pop_back();
      if (!start && boundary_.count(name) != 0) continue;
      const auto hit = producer_.find(name);
      if (hit == producer_.end() || owner_[hit->second]) continue;
      owner_[hit->second] = op;
      if (!further) continue;
      for (const auto& input : original_[hit->second].node->inputs) {
        if (!input.empty()) stack.emplace_back(input, false);
      }
    }
  }

  /// Nodes left over, in order: each goes to the op behind the last of its inputs.
  void adopt() {
    for (std::size_t i = 0; i < original_.size(); ++i) {
      if (owner_[i]) continue;
      std::optional<std::size_t> last;
      for (const auto& input : original_[i].node->inputs) {
        const auto hit = producer_.find(input);
        if (hit == producer_.end() || hit->second == i || !owner_[hit->second]) continue;
        last = std::max(last.value_or(0), *owner_[hit->second]);
      }
      owner_[i] = last;
    }
  }

  const std::vector<const onnx::Node*>& executed_;
  const std::vector<FlatNode>& original_;
  std::vector<std::optional<std::size_t>> owner_;
  std::unordered_map<std::string, std::size_t> producer_;
  std::unordered_set<std::string> boundary_;
};

}  // namespace

std::vector<FlatNode> flatten(const onnx::Graph& graph) {
  std::vector<FlatNode> out;
  flatten_into(graph, nullptr, out);
  return out;
}

std::vector<std::vector<std::size_t>> find_origins(const std::vector<const onnx::Node*>& executed,
                                                   const std::vector<FlatNode>& original) {
  return Mapper(executed, original).run();
}

}  // namespace neurolens::capture
