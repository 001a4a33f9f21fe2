#include "plan/costs.hpp"

#include <cmath>
#include <functional>

#include "adapters/onnxruntime/dtypes.hpp"
#include "neurolens/onnx/op_costs.hpp"
#include "neurolens/onnx/origins.hpp"

namespace neurolens::capture {
namespace {

/// The events list what was written, in the order of the node; an output left out is not listed.
std::size_t observe_node(const onnx::Node& node, const CollectedOp& op,
                         onnx::ObservedTensors& observed) {
  std::vector<const std::string*> names;
  for (const auto& name : node.outputs) {
    if (!name.empty()) names.push_back(&name);
  }
  if (names.size() != op.outputs.size()) return 0;
  std::size_t added = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const run::Tensor& tensor = op.outputs[i];
    if (!tensor.dtype || !tensor.shape) continue;
    observed.insert_or_assign(*names[i],
                              onnx::ObservedTensor{onnx_dtype(*tensor.dtype), *tensor.shape});
    ++added;
  }
  return added;
}

bool is_control_flow(const onnx::Node& node) {
  return node.domain.empty() &&
         (node.op_type == "If" || node.op_type == "Loop" || node.op_type == "Scan");
}

void collect_weights(const onnx::Graph& graph, onnx::ObservedTensors& out) {
  for (const auto& tensor : graph.initializers) {
    out.insert_or_assign(tensor.name, onnx::ObservedTensor{tensor.type, tensor.dims});
  }
  for (const auto& node : graph.nodes) {
    for (const auto& attribute : node.attributes) {
      for (const auto& body : attribute.graphs) collect_weights(body, out);
    }
  }
}

/// Of a node in a body, whose names may come from every graph around it.
onnx::OpCost cost_in_body(const onnx::Node& node, const onnx::ObservedTensors& observed,
                          const onnx::ObservedTensors& weights) {
  const auto find = [](const onnx::ObservedTensors& in, const std::string& name) {
    const auto hit = in.find(name);
    return hit == in.end() ? nullptr : &hit->second;
  };
  onnx::OpContext context;
  for (const auto& name : node.inputs) {
    const auto* weight = find(weights, name);
    context.weights.push_back(weight != nullptr);
    context.inputs.push_back(weight != nullptr ? weight : find(observed, name));
  }
  for (const auto& name : node.outputs) context.outputs.push_back(find(observed, name));
  return onnx::op_cost(node, context);
}

onnx::OpCost nothing_of_its_own() {
  onnx::OpCost cost;
  cost.matrix_flops = cost.vector_flops = Flops{};
  cost.transcendental_ops = 0;
  cost.weight_bytes = cost.activation_bytes = Bytes{};
  cost.formula_id = "control_flow";
  return cost;
}

run::Cost per_iteration(const onnx::OpCost& cost, double executions) {
  const auto times = [&](std::int64_t count) {
    // Exact for what runs once; beyond 2^53 the product is rounded anyway.
    return executions == 1
               ? count
               : static_cast<std::int64_t>(std::llround(static_cast<double>(count) * executions));
  };
  run::Cost out;
  if (cost.matrix_flops) out.matrix_flops = times(cost.matrix_flops->count);
  if (cost.vector_flops) out.vector_flops = times(cost.vector_flops->count);
  if (cost.transcendental_ops) out.transcendental_flops = times(*cost.transcendental_ops);
  if (cost.activation_bytes) out.activation_bytes = times(cost.activation_bytes->count);
  if (cost.weight_bytes) out.weight_bytes = times(cost.weight_bytes->count);
  if (!cost.formula_id.empty()) out.formula_id = cost.formula_id;
  return out;
}

}  // namespace

void observe_outputs(const Plan& plan, const OpCollector& collector,
                     onnx::ObservedTensors& observed) {
  for (std::size_t i = 0; i < plan.nodes.size(); ++i) {
    if (plan.nodes[i] != nullptr)
      observe_node(*plan.nodes[i], collector.ops()[plan.collected[i]], observed);
  }
}

std::size_t observe_original(const OpCollector& collector, const onnx::Graph& original,
                             onnx::ObservedTensors& observed) {
  std::vector<const onnx::Node*> numbered;
  onnx::ObservedTensors found;
  for (const auto& node : original.nodes) {
    if (node.op_type != "Constant" || !node.domain.empty()) {
      numbered.push_back(&node);
      continue;
    }
    const auto* value = node.find("value");
    if (value == nullptr || value->tensors.size() != 1 || node.outputs.empty()) continue;
    found[node.outputs[0]] = {value->tensors[0].type, value->tensors[0].dims};
  }
  for (const auto& op : collector.ops()) {
    const auto index = static_cast<std::size_t>(op.node_index);
    // Nodes beyond the file's were added: casts, the insides of functions.
    if (op.executions == 0 || op.parent || op.node_index < 0 || index >= numbered.size()) continue;
    const onnx::Node& node = *numbered[index];
    if (node.op_type != op.type) return 0;
    observe_node(node, op, found);
  }
  for (auto& [name, tensor] : found) observed.insert_or_assign(name, std::move(tensor));
  return found.size();
}

void fill_costs(Plan& plan, const OpCollector& collector, const ObservedGraphs& seen) {
  const onnx::Graph& graph = *seen.optimised;
  onnx::GraphCosts costs = onnx::graph_costs(graph, *seen.tensors);
  if (seen.original != nullptr) {
    const onnx::GraphCosts before = onnx::graph_costs(*seen.original, *seen.original_tensors);
    onnx::take_from_origins(graph, costs, before, onnx::map_to_original(*seen.original, graph));
  }
  onnx::ObservedTensors weights;
  collect_weights(graph, weights);
  const std::less<const onnx::Node*> before;
  const onnx::Node* const begin = graph.nodes.data();
  const onnx::Node* const end = begin + graph.nodes.size();
  for (std::size_t i = 0; i < plan.ops.size(); ++i) {
    const onnx::Node* node = plan.nodes[i];
    const auto executions = plan.ops[i].executions_per_iteration;
    if (node == nullptr || !executions || collector.ops()[plan.collected[i]].shapes_vary) continue;
    const bool on_top = !before(node, begin) && before(node, end);
    const onnx::OpCost cost = is_control_flow(*node) ? nothing_of_its_own()
                              : on_top ? costs.ops[static_cast<std::size_t>(node - begin)]
                                       : cost_in_body(*node, *seen.tensors, weights);
    plan.ops[i].cost = per_iteration(cost, *executions);
  }
}

}  // namespace neurolens::capture
