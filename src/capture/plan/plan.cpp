#include "plan/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "adapters/onnxruntime/dtypes.hpp"
#include "neurolens/base/hash.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/onnx/origins.hpp"

namespace neurolens::capture {
namespace {

/// The nodes of a graph and of the bodies inside, in the order of the file.
void flatten_into(const onnx::Graph& graph, std::vector<const onnx::Node*>& out) {
  for (const auto& node : graph.nodes) {
    out.push_back(&node);
    for (const auto& attribute : node.attributes) {
      for (const auto& body : attribute.graphs) flatten_into(body, out);
    }
  }
}
std::vector<const onnx::Node*> flatten(const onnx::Graph& graph) {
  std::vector<const onnx::Node*> out;
  flatten_into(graph, out);
  return out;
}

/// Tells which nodes of the original an executed node stands for.
class Origins {
 public:
  Origins(const onnx::Graph& original, const onnx::Graph& optimised)
      : original_(original),
        optimised_(optimised),
        map_(onnx::map_to_original(original, optimised)) {
    // Bodies keep the names of their tensors; the map treats them as part of the node around them.
    for (const auto* node : flatten(original)) {
      for (const auto& output : node->outputs) producer_.emplace(output, node);
    }
  }
  [[nodiscard]] std::vector<const onnx::Node*> of(const onnx::Node* node) const {
    std::vector<const onnx::Node*> out;
    for (std::size_t i = 0; i < optimised_.nodes.size(); ++i) {
      if (&optimised_.nodes[i] != node) continue;
      for (const auto id : map_.origins[i]) out.push_back(&original_.nodes[id.index()]);
      return out;
    }
    for (const auto& output : node->outputs) {
      const auto hit = producer_.find(output);
      if (hit != producer_.end() && hit->second->op_type == node->op_type) return {hit->second};
    }
    return out;
  }

 private:
  const onnx::Graph& original_;
  const onnx::Graph& optimised_;
  onnx::NodeOrigins map_;
  std::map<std::string, const onnx::Node*> producer_;
};

std::vector<std::size_t> execution_order(const std::vector<CollectedOp>& ops) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (ops[i].executions > 0) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(ops[a].first_iteration, ops[a].first_begin_us) <
           std::pair(ops[b].first_iteration, ops[b].first_begin_us);
  });
  return order;
}

/// The runtime calls a node without a name TYPE_INDEX.
bool is_generated_name(const CollectedOp& op) {
  return op.name == fmt::format("{}_{}", op.type, op.node_index);
}

/// Per op of `order`, its node in the optimised graph. Named nodes by name and type where that is
/// unique; the others by their order among the nodes of their type.
std::vector<const onnx::Node*> match_nodes(const std::vector<CollectedOp>& ops,
                                           const std::vector<std::size_t>& order,
                                           const std::vector<const onnx::Node*>& nodes) {
  using Key = std::pair<std::string, std::string>;
  std::map<Key, std::vector<const onnx::Node*>> available;
  for (const auto* node : nodes) {
    available[{node->op_type, to_valid_utf8(node->name)}].push_back(node);
  }
  std::map<Key, std::vector<std::size_t>> wanted;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const CollectedOp& op = ops[order[i]];
    const Key named{op.type, to_valid_utf8(op.name)};
    const bool known = available.count(named) != 0;
    wanted[known || !is_generated_name(op) ? named : Key{op.type, ""}].push_back(i);
  }
  std::vector<const onnx::Node*> out(order.size(), nullptr);
  for (const auto& [key, places] : wanted) {
    const auto hit = available.find(key);
    if (hit == available.end() || hit->second.size() != places.size()) continue;
    for (std::size_t i = 0; i < places.size(); ++i) out[places[i]] = hit->second[i];
  }
  return out;
}

/// Names from the node, types and shapes from the events. The runtime leaves weights out of its
/// events once it packed them: those come from the graph.
std::vector<run::Tensor> name_inputs(
    const std::vector<run::Tensor>& seen, const onnx::Node& node,
    const std::map<std::string, const onnx::TensorInfo*>& weights) {
  std::vector<run::Tensor> out;
  std::size_t next = 0;
  for (const auto& name : node.inputs) {
    if (name.empty()) continue;
    run::Tensor tensor;
    const auto weight = weights.find(name);
    if (weight != weights.end()) {
      const bool listed =
          next < seen.size() && seen[next].shape && *seen[next].shape == weight->second->dims;
      tensor.dtype = run_dtype(weight->second->type);
      tensor.shape = weight->second->dims;
      if (listed) ++next;
    } else if (next < seen.size()) {
      tensor = seen[next++];
    }
    tensor.name = to_valid_utf8(name);
    out.push_back(std::move(tensor));
  }
  return out;
}

void name_outputs(std::vector<run::Tensor>& seen, const onnx::Node& node) {
  std::vector<std::string> names;
  for (const auto& name : node.outputs) {
    if (!name.empty()) names.push_back(to_valid_utf8(name));
  }
  if (names.size() != seen.size()) return;
  for (std::size_t i = 0; i < names.size(); ++i) seen[i].name = names[i];
}

void collect_weights(const onnx::Graph& graph,
                     std::map<std::string, const onnx::TensorInfo*>& out) {
  for (const auto& tensor : graph.initializers) out.emplace(tensor.name, &tensor);
  for (const auto& node : graph.nodes) {
    for (const auto& attribute : node.attributes) {
      for (const auto& body : attribute.graphs) collect_weights(body, out);
    }
  }
}

run::Op make_op(const CollectedOp& op, std::int64_t iterations) {
  run::Op out;
  out.name = to_valid_utf8(op.name);
  out.type = to_valid_utf8(op.type);
  out.inputs = op.inputs;
  out.outputs = op.outputs;
  if (!op.provider.empty()) out.provider = to_valid_utf8(op.provider);
  out.thread = op.thread;
  if (iterations > 0) {
    out.executions_per_iteration =
        static_cast<double>(op.executions) / static_cast<double>(iterations);
  }
  out.memory_bytes = op.output_bytes;
  return out;
}

std::string describe_attribute(const onnx::Attribute& attribute) {
  std::string out = fmt::format("{}:{}:{}:{}:{}", attribute.name, static_cast<int>(attribute.kind),
                                attribute.integer, shortest(attribute.real), attribute.text);
  for (const auto value : attribute.integers) out += fmt::format(",{}", value);
  for (const auto value : attribute.reals) out += "," + shortest(value);
  for (const auto& value : attribute.texts) out += fmt::format(",{}:{}", value.size(), value);
  for (const auto& tensor : attribute.tensors) {
    out += fmt::format(",{}[{}]", onnx::to_string(tensor.type), fmt::join(tensor.dims, "x"));
  }
  for (const auto& body : attribute.graphs) out += fmt::format(",graph of {}", body.nodes.size());
  return out;
}

}  // namespace

std::string attributes_hash(const onnx::Node& node) {
  std::vector<std::string> lines;
  for (const auto& attribute : node.attributes) lines.push_back(describe_attribute(attribute));
  std::sort(lines.begin(), lines.end());
  return sha256(fmt::format("{}", fmt::join(lines, "\n")));
}

Plan build_plan(const OpCollector& collector, const onnx::Graph* optimised,
                const onnx::Graph* original) {
  Plan plan;
  const auto& ops = collector.ops();
  plan.collected = execution_order(ops);
  const auto good =
      static_cast<std::int64_t>(collector.iterations().size()) - collector.lost_iterations();
  for (const auto index : plan.collected) plan.ops.push_back(make_op(ops[index], good));
  plan.nodes.assign(plan.ops.size(), nullptr);
  if (optimised == nullptr) {
    plan.notes.emplace_back(
        "The runtime did not write its optimised model: tensor names, attributes and original "
        "nodes are not known.");
    return plan;
  }
  plan.nodes = match_nodes(ops, plan.collected, flatten(*optimised));
  std::map<std::string, const onnx::TensorInfo*> weights;
  collect_weights(*optimised, weights);
  std::size_t unmatched = 0;
  for (std::size_t i = 0; i < plan.ops.size(); ++i) {
    if (plan.nodes[i] == nullptr) {
      ++unmatched;
      continue;
    }
    plan.ops[i].domain = plan.nodes[i]->domain;
    plan.ops[i].attributes_hash = attributes_hash(*plan.nodes[i]);
    plan.ops[i].inputs = name_inputs(plan.ops[i].inputs, *plan.nodes[i], weights);
    name_outputs(plan.ops[i].outputs, *plan.nodes[i]);
  }
  if (unmatched > 0) {
    plan.notes.push_back(
        fmt::format("{} of {} executed ops could not be found in the optimised model.", unmatched,
                    plan.ops.size()));
  }
  if (original != nullptr) {
    const Origins origins(*original, *optimised);
    for (std::size_t i = 0; i < plan.ops.size(); ++i) {
      if (plan.nodes[i] == nullptr) continue;
      for (const auto* node : origins.of(plan.nodes[i])) {
        plan.ops[i].original_nodes.push_back(
            {to_valid_utf8(node->name), to_valid_utf8(node->op_type)});
      }
    }
  }
  return plan;
}

}  // namespace neurolens::capture
