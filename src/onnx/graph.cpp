#include "neurolens/onnx/graph.hpp"

#include <set>
#include <unordered_set>

namespace neurolens::onnx {
namespace {

/// Adds what `graph` takes from outside to `names`.
void collect_outer_names(const Graph& graph, std::set<std::string>& names) {
  std::unordered_set<std::string_view> own;
  for (const Value& input : graph.inputs) own.insert(input.name);
  for (const TensorInfo& tensor : graph.initializers) own.insert(tensor.name);
  const auto read = [&](const std::string& name) {
    if (!name.empty() && !own.contains(name)) names.insert(name);
  };
  for (const Node& node : graph.nodes) {
    for (const std::string& name : names_read(node)) read(name);
    own.insert(node.outputs.begin(), node.outputs.end());
  }
  // A branch of an If may pass an outer value straight through.
  for (const Value& output : graph.outputs) read(output.name);
}

}  // namespace

const Attribute* Node::find(std::string_view attribute) const {
  for (const Attribute& candidate : attributes) {
    if (candidate.name == attribute) return &candidate;
  }
  return nullptr;
}

std::int64_t Node::integer_or(std::string_view attribute, std::int64_t fallback) const {
  const Attribute* found = find(attribute);
  return found != nullptr && found->kind == AttributeKind::integer ? found->integer : fallback;
}

float Node::real_or(std::string_view attribute, float fallback) const {
  const Attribute* found = find(attribute);
  return found != nullptr && found->kind == AttributeKind::real ? found->real : fallback;
}

std::string_view Node::text_or(std::string_view attribute, std::string_view fallback) const {
  const Attribute* found = find(attribute);
  return found != nullptr && found->kind == AttributeKind::text ? std::string_view(found->text)
                                                                : fallback;
}

const std::vector<std::int64_t>& Node::integers(std::string_view attribute) const {
  static const std::vector<std::int64_t> kNone;
  const Attribute* found = find(attribute);
  return found != nullptr ? found->integers : kNone;
}

std::string Node::qualified_type() const {
  return domain.empty() ? op_type : domain + ":" + op_type;
}

const TensorInfo* Graph::initializer(std::string_view wanted) const {
  for (const TensorInfo& tensor : initializers) {
    if (tensor.name == wanted) return &tensor;
  }
  return nullptr;
}

std::vector<Value> Graph::fed_inputs() const {
  std::unordered_set<std::string_view> have;
  for (const TensorInfo& tensor : initializers) have.insert(tensor.name);
  std::vector<Value> fed;
  for (const Value& input : inputs) {
    if (!have.contains(input.name)) fed.push_back(input);
  }
  return fed;
}

std::vector<std::string> names_read(const Node& node) {
  std::set<std::string> names;
  for (const std::string& input : node.inputs) {
    if (!input.empty()) names.insert(input);
  }
  for (const Attribute& attribute : node.attributes) {
    for (const Graph& body : attribute.graphs) collect_outer_names(body, names);
  }
  return {names.begin(), names.end()};
}

}  // namespace neurolens::onnx
