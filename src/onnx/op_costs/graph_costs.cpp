#include <algorithm>
#include <set>
#include <unordered_map>

#include "neurolens/onnx/op_costs.hpp"

namespace neurolens::onnx {
namespace {

/// What is known of the tensors that a graph can see.
class Tensors {
 public:
  explicit Tensors(const ObservedTensors& observed) : observed_(observed) {}

  /// Initialisers of `graph`; those of an inner graph hide outer ones.
  void enter(const Graph& graph) {
    for (const TensorInfo& tensor : graph.initializers) {
      weights_[tensor.name] = {tensor.type, tensor.dims};
    }
  }
  [[nodiscard]] const ObservedTensor* find(const std::string& name) const {
    if (const auto weight = weights_.find(name); weight != weights_.end()) return &weight->second;
    const auto seen = observed_.find(name);
    return seen == observed_.end() ? nullptr : &seen->second;
  }
  [[nodiscard]] bool is_weight(const std::string& name) const { return weights_.contains(name); }

 private:
  const ObservedTensors& observed_;
  std::unordered_map<std::string, ObservedTensor> weights_;
};

template <class Quantity>
void add_known(std::optional<Quantity>& sum, const std::optional<Quantity>& part) {
  if (part) *sum += *part;
}

OpCost zero() {
  OpCost cost;
  cost.matrix_flops = cost.vector_flops = Flops{};
  cost.transcendental_ops = 0;
  cost.weight_bytes = cost.activation_bytes = Bytes{};
  return cost;
}

void add_known(OpCost& sum, const OpCost& part) {
  add_known(sum.matrix_flops, part.matrix_flops);
  add_known(sum.vector_flops, part.vector_flops);
  add_known(sum.transcendental_ops, part.transcendental_ops);
  add_known(sum.weight_bytes, part.weight_bytes);
  add_known(sum.activation_bytes, part.activation_bytes);
}

GraphCosts costs_in(const Graph& graph, Tensors tensors, const ObservedControl& control);

const Graph* body_of(const Node& node, std::string_view attribute) {
  const Attribute* found = node.find(attribute);
  return found != nullptr && found->graphs.size() == 1 ? &found->graphs[0] : nullptr;
}

bool is_control_flow(const Node& node) {
  return node.domain.empty() &&
         (node.op_type == "If" || node.op_type == "Loop" || node.op_type == "Scan");
}

/// The body times its trips; null when trips, or anything in the body, is not known.
OpCost control_cost(const Node& node, const Tensors& tensors, const ControlFlow* seen) {
  OpCost cost;
  cost.formula_id = "control_flow";
  cost.assumptions = "body times the trips that were observed; the branch that ran";
  const bool branch = node.op_type == "If";
  const Graph* body = nullptr;
  if (seen != nullptr) {
    body = body_of(node, !branch ? "body" : seen->then_branch ? "then_branch" : "else_branch");
  }
  if (body == nullptr || seen->trips < 0) return cost;
  const GraphCosts inner = costs_in(*body, tensors, {});
  const std::int64_t trips = branch ? 1 : seen->trips;
  const bool bytes_known = std::all_of(inner.ops.begin(), inner.ops.end(),
                                       [](const OpCost& op) { return op.bytes().has_value(); });
  if (inner.unknown.empty()) {
    cost.matrix_flops = *inner.total.matrix_flops * trips;
    cost.vector_flops = *inner.total.vector_flops * trips;
    cost.transcendental_ops = *inner.total.transcendental_ops * trips;
  }
  if (bytes_known) {
    cost.weight_bytes = *inner.total.weight_bytes * trips;
    cost.activation_bytes = *inner.total.activation_bytes * trips;
  }
  return cost;
}

OpCost node_cost(const Node& node, const Tensors& tensors, const ControlFlow* seen) {
  if (is_control_flow(node)) return control_cost(node, tensors, seen);
  OpContext context;
  for (const std::string& name : node.inputs) {
    context.inputs.push_back(name.empty() ? nullptr : tensors.find(name));
    context.weights.push_back(tensors.is_weight(name));
  }
  for (const std::string& name : node.outputs) {
    context.outputs.push_back(name.empty() ? nullptr : tensors.find(name));
  }
  return op_cost(node, context);
}

void settle(const Graph& graph, GraphCosts& costs) {
  costs.total = zero();
  std::set<std::string> unknown;
  for (std::size_t i = 0; i < costs.ops.size(); ++i) {
    add_known(costs.total, costs.ops[i]);
    if (!costs.ops[i].flops()) unknown.insert(graph.nodes[i].qualified_type());
  }
  costs.unknown.assign(unknown.begin(), unknown.end());
}

GraphCosts costs_in(const Graph& graph, Tensors tensors, const ObservedControl& control) {
  tensors.enter(graph);
  GraphCosts costs;
  costs.ops.reserve(graph.nodes.size());
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto seen = control.find(NodeId(i));
    costs.ops.push_back(
        node_cost(graph.nodes[i], tensors, seen == control.end() ? nullptr : &seen->second));
  }
  settle(graph, costs);
  return costs;
}

}  // namespace

GraphCosts graph_costs(const Graph& graph, const ObservedTensors& observed,
                       const ObservedControl& control) {
  return costs_in(graph, Tensors(observed), control);
}

GraphCosts model_costs(const Model& model, const ObservedTensors& observed,
                       const ObservedControl& control) {
  return graph_costs(model.graph(), observed, control);
}

void take_from_origins(const Graph& graph, GraphCosts& optimised, const GraphCosts& original,
                       const NodeOrigins& origins) {
  for (std::size_t i = 0; i < optimised.ops.size() && i < origins.origins.size(); ++i) {
    const auto& members = origins.origins[i];
    const bool known = std::all_of(members.begin(), members.end(), [&](NodeId id) {
      return id.index() < original.ops.size() && original.ops[id.index()].flops();
    });
    if (members.empty() || !known) continue;
    OpCost sum = zero();
    for (const NodeId id : members) add_known(sum, original.ops[id.index()]);
    OpCost& cost = optimised.ops[i];
    cost.matrix_flops = sum.matrix_flops;
    cost.vector_flops = sum.vector_flops;
    cost.transcendental_ops = sum.transcendental_ops;
    const bool same =
        members.size() == 1 && original.ops[members[0].index()].formula_id == cost.formula_id;
    if (same) continue;
    cost.formula_id = "members";
    cost.assumptions = "the sum of the nodes that it stands for";
  }
  settle(graph, optimised);
}

}  // namespace neurolens::onnx
