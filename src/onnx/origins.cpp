#include "neurolens/onnx/origins.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "neurolens/onnx/cut.hpp"

namespace neurolens::onnx {
namespace {

using Index = std::uint32_t;
using Name = std::string_view;

/// The value stays, its form in memory changes.
bool is_relayout(const Node& node) {
  static constexpr std::array<Name, 7> kTypes = {
      "ReorderInput", "ReorderOutput", "Transpose", "Reshape", "Cast", "Squeeze", "Unsqueeze"};
  return std::find(kTypes.begin(), kTypes.end(), node.op_type) != kTypes.end() &&
         !node.inputs.empty() && node.outputs.size() == 1;
}

/// "FusedConv", "NhwcFusedConv" and "QLinearConv" all compute a "Conv".
Name base_type(Name op_type) {
  for (bool shorter = true; shorter;) {
    shorter = false;
    for (const Name prefix :
         {Name("Nhwc"), Name("Fused"), Name("QLinear"), Name("DynamicQuantize")}) {
      if (op_type.size() <= prefix.size() || !op_type.starts_with(prefix)) continue;
      op_type.remove_prefix(prefix.size());
      shorter = true;
    }
  }
  return op_type;
}

/// Without the number that a runtime appends to make a name unique.
Name without_token(Name name) {
  constexpr Name kToken = "_token_";
  const std::size_t at = name.rfind(kToken);
  if (at == Name::npos || at + kToken.size() == name.size()) return name;
  const Name digits = name.substr(at + kToken.size());
  const bool number = digits.find_first_not_of("0123456789") == Name::npos;
  return number ? name.substr(0, at) : name;
}

/// The name of a node without what a runtime appends to it, to make it unique or because it merged
/// two changes of shape.
Name own_name(const Node& node) {
  constexpr Name kMerged = "_new_reshape";
  Name name = without_token(node.name);
  if (name.ends_with(kMerged)) name.remove_suffix(kMerged.size());
  return name;
}

/// The original graph with the indices that the mapping needs.
class Original {
 public:
  explicit Original(const Graph& graph) : graph_(graph), constant_(graph.nodes.size(), false) {
    for (const Value& input : graph.inputs) given_.insert(input.name);
    for (const TensorInfo& tensor : graph.initializers) weights_.insert(tensor.name);
    for (Index i = 0; i < graph.nodes.size(); ++i) {
      const Node& node = graph.nodes[i];
      if (!node.name.empty()) by_name_.emplace(node.name, i);
      for (const std::string& output : node.outputs) {
        if (!output.empty()) producers_.emplace(output, i);
      }
      reads_.push_back(names_read(node));
      for (const std::string& input : reads_.back()) readers_[input].push_back(i);
    }
    // Enough for files in order; another order leaves some constants to be claimed: no harm.
    for (Index i = 0; i < graph.nodes.size(); ++i) constant_[i] = computes_constant(i);
  }

  [[nodiscard]] std::size_t size() const { return graph_.nodes.size(); }
  [[nodiscard]] const Node& node(Index i) const { return graph_.nodes[i]; }
  [[nodiscard]] const std::vector<std::string>& reads(Index i) const { return reads_[i]; }
  [[nodiscard]] bool constant(Index i) const { return constant_[i]; }
  [[nodiscard]] bool has_tensor(Name name) const {
    return producers_.contains(name) || given_.contains(name) || weights_.contains(name);
  }
  [[nodiscard]] std::optional<Index> producer(Name tensor) const {
    const auto found = producers_.find(tensor);
    return found == producers_.end() ? std::nullopt : std::optional(found->second);
  }
  [[nodiscard]] const std::vector<Index>& readers(Name tensor) const {
    static const std::vector<Index> kNone;
    const auto found = readers_.find(tensor);
    return found == readers_.end() ? kNone : found->second;
  }
  [[nodiscard]] std::optional<Index> named(Name node) const {
    const auto found = by_name_.find(node);
    return found == by_name_.end() ? std::nullopt : std::optional(found->second);
  }
  /// The first output that has a name; empty when none has.
  [[nodiscard]] Name result(Index i) const {
    for (const std::string& output : graph_.nodes[i].outputs) {
      if (!output.empty()) return output;
    }
    return {};
  }

 private:
  [[nodiscard]] bool computes_constant(Index i) const {
    return std::all_of(reads_[i].begin(), reads_[i].end(), [&](const std::string& name) {
      const auto source = producer(name);
      return source ? constant_[*source] : weights_.contains(name);
    });
  }

  const Graph& graph_;
  std::vector<bool> constant_;
  std::vector<std::vector<std::string>> reads_;
  std::unordered_set<Name> given_;
  std::unordered_set<Name> weights_;
  std::unordered_map<Name, Index> producers_;
  std::unordered_map<Name, std::vector<Index>> readers_;
  std::unordered_map<Name, Index> by_name_;
};

class Mapper {
 public:
  Mapper(const Graph& original, const Graph& optimised)
      : original_(original), optimised_(optimised), owned_(original.nodes.size(), false) {}

  NodeOrigins map() {
    const auto order = topological_order(optimised_);
    NodeOrigins result;
    result.origins.resize(optimised_.nodes.size());
    name_tensors();
    look_behind_relayouts();
    for (std::size_t position = 0; position < optimised_.nodes.size(); ++position) {
      const std::size_t i = order.ok() ? order.value()[position].index() : position;
      result.origins[i] = claim(optimised_.nodes[i]);
    }
    for (Index i = 0; i < original_.size(); ++i) {
      if (!owned_[i]) result.unclaimed.emplace_back(i);
    }
    return result;
  }

 private:
  /// Tensors that kept their name stand for themselves.
  void name_tensors() {
    const auto keep = [&](Name name) {
      if (!name.empty() && original_.has_tensor(name)) stands_for_.emplace(name, name);
    };
    for (const Value& input : optimised_.inputs) keep(input.name);
    for (const TensorInfo& tensor : optimised_.initializers) keep(tensor.name);
    for (const Node& node : optimised_.nodes) {
      for (const std::string& output : node.outputs) {
        keep(output);
        if (stands_for_.contains(output)) materialised_.insert(output);
      }
    }
    // A split puts parts in the place of nodes, and calls their tensors like those nodes.
    for (const Node& node : optimised_.nodes) {
      if (!is_relayout(node) || stands_for_.contains(node.outputs[0])) continue;
      const auto replaced = original_.named(node.outputs[0]);
      if (!replaced || original_.result(*replaced).empty()) continue;
      stands_for_.emplace(node.outputs[0], original_.result(*replaced));
      materialised_.insert(original_.result(*replaced));
    }
  }

  /// What goes into an added change of layout is what comes out of it.
  void look_behind_relayouts() {
    for (auto node = optimised_.nodes.rbegin(); node != optimised_.nodes.rend(); ++node) {
      if (!is_relayout(*node) || stands_for_.contains(node->inputs[0])) continue;
      const Name output = counterpart(node->outputs[0]);
      const auto source = original_.producer(output);
      if (!source || original_.node(*source).op_type == node->op_type) continue;
      stands_for_.emplace(node->inputs[0], output);
    }
  }

  [[nodiscard]] Name counterpart(Name tensor) const {
    const auto found = stands_for_.find(tensor);
    return found == stands_for_.end() ? Name{} : found->second;
  }

  std::vector<NodeId> claim(const Node& node) {
    if (is_relayout(node)) {
      const Name input = counterpart(node.inputs[0]);
      const bool unknown = counterpart(node.outputs[0]).empty() && !original_.named(own_name(node));
      if (unknown && !input.empty()) stands_for_.emplace(node.outputs[0], input);
      if (!input.empty() && counterpart(node.outputs[0]) == input) return {};
    }
    if (!node.outputs.empty() && counterpart(node.outputs[0]).empty()) {
      const Name found = find_counterpart(node);
      if (!found.empty()) {
        stands_for_.emplace(node.outputs[0], found);
        materialised_.insert(found);
      }
    }
    return take_between(node);
  }

  /// Owns what lies between the counterparts of the inputs and those of the outputs.
  std::vector<NodeId> take_between(const Node& node) {
    std::unordered_set<Name> inputs;
    for (const std::string& name : names_read(node)) inputs.insert(counterpart(name));
    std::vector<NodeId> taken;
    std::vector<Name> open;
    const auto take = [&](Index i) {
      owned_[i] = true;
      taken.emplace_back(i);
      for (const std::string& name : original_.reads(i)) open.push_back(name);
    };
    for (const std::string& output : node.outputs) {
      const auto source = original_.producer(counterpart(output));
      if (source && !owned_[*source] && !inputs.contains(counterpart(output))) take(*source);
    }
    while (!open.empty()) {
      const Name tensor = open.back();
      open.pop_back();
      if (inputs.contains(tensor) || materialised_.contains(tensor)) continue;
      const auto source = original_.producer(tensor);
      if (source && !owned_[*source] && !original_.constant(*source)) take(*source);
    }
    std::sort(taken.begin(), taken.end());
    return taken;
  }

  /// The tensor that the first output of `node`, whose name is new, stands for; empty: not found.
  [[nodiscard]] Name find_counterpart(const Node& node) const {
    Name start = by_node_name(node);
    if (start.empty()) start = by_structure(node);
    return start.empty() ? start : past_epilogue(node, start);
  }

  [[nodiscard]] Name by_node_name(const Node& node) const {
    Name name = own_name(node);
    constexpr Name kBlocked = "_nchwc";
    constexpr Name kFused = "fused ";
    if (name.ends_with(kBlocked)) {
      const Name tensor = name.substr(0, name.size() - kBlocked.size());
      if (original_.producer(tensor)) return tensor;
    }
    if (name.starts_with(kFused)) name.remove_prefix(kFused.size());
    // "/layer/MatMul/MatMulAddFusion": the longest part that names a node.
    while (!name.empty()) {
      if (const auto found = original_.named(name)) return original_.result(*found);
      const std::size_t cut = name.find_last_of("/_");
      if (cut == Name::npos) break;
      name = name.substr(0, cut);
    }
    return {};
  }

  [[nodiscard]] Name by_structure(const Node& node) const {
    if (node.inputs.empty()) return {};
    for (const Index reader : original_.readers(counterpart(node.inputs[0]))) {
      const Node& candidate = original_.node(reader);
      if (owned_[reader] || candidate.op_type != base_type(node.op_type)) continue;
      const bool same_window =
          candidate.integers("kernel_shape") == node.integers("kernel_shape") &&
          candidate.integers("strides") == node.integers("strides");
      const Name result = original_.result(reader);
      if (same_window && !materialised_.contains(result)) return result;
    }
    return {};
  }

  /// Convolutions take a sum and an activation with them that come after what they are named for,
  /// products a bias.
  [[nodiscard]] Name past_epilogue(const Node& node, Name tensor) const {
    if (node.op_type == "Gemm" && node.inputs.size() > 2) {
      const auto product = original_.producer(tensor);
      return product && original_.node(*product).op_type == "MatMul"
                 ? past(tensor, "Add", counterpart(node.inputs[2]))
                 : tensor;
    }
    if (node.inputs.size() > 3 && !node.inputs[3].empty()) {
      tensor = past(tensor, "Add", counterpart(node.inputs[3]));
    }
    const Name activation = node.text_or("activation", "");
    const auto source = original_.producer(tensor);
    const bool already = source && original_.node(*source).op_type == activation;
    return activation.empty() || already ? tensor : past(tensor, activation, {});
  }

  /// The result of the only node of this type that reads `tensor` (and `other`); else `tensor`.
  [[nodiscard]] Name past(Name tensor, Name op_type, Name other) const {
    Name result = tensor;
    for (const Index reader : original_.readers(tensor)) {
      const auto& reads = original_.reads(reader);
      const bool reads_other =
          other.empty() || std::find(reads.begin(), reads.end(), other) != reads.end();
      if (original_.node(reader).op_type != op_type || !reads_other || owned_[reader]) continue;
      if (result != tensor) return tensor;
      result = original_.result(reader);
    }
    return result;
  }

  Original original_;
  const Graph& optimised_;
  std::vector<bool> owned_;
  std::unordered_map<Name, Name> stands_for_;  ///< Tensor of the optimised graph -> original.
  /// Tensors of the original that the optimised graph computes under some name.
  std::unordered_set<Name> materialised_;
};

}  // namespace

NodeOrigins map_to_original(const Graph& original, const Graph& optimised) {
  return Mapper(original, optimised).map();
}

}  // namespace neurolens::onnx
