/// \file
/// From ONNX's messages to the plain values of graph.hpp, checking tensors on the way. Private.
#pragma once

#include <onnx/onnx_pb.h>

#include "neurolens/base/result.hpp"
#include "neurolens/onnx/graph.hpp"
#include "tensor_data.hpp"

namespace neurolens::onnx {

[[nodiscard]] TypeInfo convert_type(const proto::TypeProto& type);

/// Errors: invalid_document and those of external data, with "graph/node[3]/attribute[0]" in
/// `where`.
[[nodiscard]] Result<Graph> convert_graph(const proto::GraphProto& graph, ExternalFolder& folder);
[[nodiscard]] Result<Function> convert_function(const proto::FunctionProto& function,
                                                ExternalFolder& folder);

/// "ai.onnx" is another spelling of the empty domain.
[[nodiscard]] std::string normal_domain(const std::string& domain);

/// Calls `visit` (TensorProto& -> Status) for every tensor in `graph`, subgraphs included.
template <class Visit>
Status for_each_tensor(proto::GraphProto& graph, const Visit& visit) {
  for (proto::TensorProto& tensor : *graph.mutable_initializer()) NEUROLENS_TRY(visit(tensor));
  for (proto::SparseTensorProto& sparse : *graph.mutable_sparse_initializer()) {
    NEUROLENS_TRY(visit(*sparse.mutable_values()));
    NEUROLENS_TRY(visit(*sparse.mutable_indices()));
  }
  for (proto::NodeProto& node : *graph.mutable_node()) {
    for (proto::AttributeProto& attribute : *node.mutable_attribute()) {
      if (attribute.has_t()) NEUROLENS_TRY(visit(*attribute.mutable_t()));
      for (proto::TensorProto& tensor : *attribute.mutable_tensors()) NEUROLENS_TRY(visit(tensor));
      if (attribute.has_g()) NEUROLENS_TRY(for_each_tensor(*attribute.mutable_g(), visit));
      for (proto::GraphProto& body : *attribute.mutable_graphs())
        NEUROLENS_TRY(for_each_tensor(body, visit));
    }
  }
  return {};
}

}  // namespace neurolens::onnx
