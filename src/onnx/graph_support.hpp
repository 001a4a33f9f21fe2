/// \file
/// Graphs in one line, for tests: "Add a,b -> c".
#pragma once

#include <onnx/onnx_pb.h>

#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/text.hpp"
#include "neurolens/onnx/model.hpp"
#include "test_support.hpp"

namespace neurolens::onnx::testing_support {

/// "Op x,y -> z": a node; "_" stands for an optional name left out; "domain:Op" sets the domain.
inline void add_node(proto::GraphProto& graph, const std::string& text,
                     const std::string& name = {}) {
  proto::NodeProto& node = *graph.add_node();
  std::istringstream words(text);
  std::string op;
  std::string inputs;
  std::string arrow;
  std::string outputs;
  words >> op >> inputs;
  if (inputs == "->") {
    inputs.clear();
    words >> outputs;
  } else {
    words >> arrow >> outputs;
  }
  const std::size_t colon = op.find(':');
  if (colon != std::string::npos) node.set_domain(op.substr(0, colon));
  node.set_op_type(colon == std::string::npos ? op : op.substr(colon + 1));
  node.set_name(name);
  const auto each = [](const std::string& list, const auto& add) {
    if (list.empty()) return;
    for (const std::string_view word : split(list, ',')) add(word == "_" ? "" : std::string(word));
  };
  each(inputs, [&](const std::string& input) { node.add_input(input); });
  each(outputs, [&](const std::string& output) { node.add_output(output); });
}

inline void add_weight(proto::GraphProto& graph, const std::string& name, std::int64_t elements) {
  proto::TensorProto& tensor = *graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(proto::TensorProto_DataType_FLOAT);
  tensor.add_dims(elements);
  tensor.set_raw_data(std::string(static_cast<std::size_t>(elements) * 4, '\x01'));
}

/// A model with float inputs and outputs of shape [2] and the nodes of `lines`.
inline proto::ModelProto graph_model(const std::vector<std::string>& inputs,
                                     const std::vector<std::string>& lines,
                                     const std::vector<std::string>& outputs) {
  proto::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(17);
  proto::GraphProto& graph = *model.mutable_graph();
  graph.set_name("test");
  for (const std::string& name : inputs) set_tensor_type(*graph.add_input(), name, {2});
  for (const std::string& line : lines) add_node(graph, line);
  for (const std::string& name : outputs) set_tensor_type(*graph.add_output(), name, {2});
  return model;
}

inline Model parsed(const proto::ModelProto& message) {
  Result<Model> model = Model::parse(message.SerializeAsString());
  EXPECT_TRUE(model.ok()) << model.error();
  return std::move(model).value();
}

}  // namespace neurolens::onnx::testing_support
