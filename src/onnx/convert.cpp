#include "convert.hpp"

#include <fmt/format.h>

#include <utility>

#include "neurolens/base/text.hpp"

namespace neurolens::onnx {
namespace {

std::vector<Dim> convert_shape(const proto::TensorShapeProto& shape) {
  std::vector<Dim> dims;
  dims.reserve(static_cast<std::size_t>(shape.dim_size()));
  for (const auto& dim : shape.dim()) {
    Dim out;
    // Exporters write -1 for "not known"; a negative size is never one.
    if (dim.has_dim_value() && dim.dim_value() >= 0) out.value = dim.dim_value();
    if (dim.has_dim_param()) out.symbol = dim.dim_param();
    dims.push_back(std::move(out));
  }
  return dims;
}

template <class TensorType>
void fill_tensor_type(const TensorType& from, TypeKind kind, TypeInfo& to) {
  to.kind = kind;
  to.element = static_cast<DType>(from.elem_type());
  if (from.has_shape()) to.shape = convert_shape(from.shape());
}

Value convert_value(const proto::ValueInfoProto& value) {
  return {value.name(), value.has_type() ? convert_type(value.type()) : TypeInfo{}};
}

Result<TensorInfo> convert_sparse(const proto::SparseTensorProto& sparse, ExternalFolder& folder) {
  NEUROLENS_ASSIGN(TensorInfo info, inspect_tensor(sparse.values(), folder));
  NEUROLENS_ASSIGN(const TensorInfo indices, inspect_tensor(sparse.indices(), folder));
  info.dims.assign(sparse.dims().begin(), sparse.dims().end());
  if (!element_count(info.dims)) {
    return Error{Errc::invalid_document,
                 fmt::format("The tensor \"{}\" has a negative dimension or too many elements.",
                             printable(info.name)),
                 {}};
  }
  info.size += indices.size;
  info.external = info.external || indices.external;
  info.sparse = true;
  return info;
}

/// Models before IR 2 leave the type out: it follows from what is present.
proto::AttributeProto_AttributeType type_of(const proto::AttributeProto& attribute) {
  if (attribute.type() != proto::AttributeProto_AttributeType_UNDEFINED) return attribute.type();
  if (!attribute.ref_attr_name().empty()) return attribute.type();
  if (attribute.has_t()) return proto::AttributeProto_AttributeType_TENSOR;
  if (attribute.has_g()) return proto::AttributeProto_AttributeType_GRAPH;
  if (attribute.has_s()) return proto::AttributeProto_AttributeType_STRING;
  if (attribute.has_f()) return proto::AttributeProto_AttributeType_FLOAT;
  if (attribute.has_i()) return proto::AttributeProto_AttributeType_INT;
  if (attribute.ints_size() > 0) return proto::AttributeProto_AttributeType_INTS;
  if (attribute.floats_size() > 0) return proto::AttributeProto_AttributeType_FLOATS;
  if (attribute.strings_size() > 0) return proto::AttributeProto_AttributeType_STRINGS;
  return attribute.type();
}

/// Puts `place` in front of the place that `error` already names.
Error below(Error error, std::string place) {
  error.where = std::move(place) + error.where;
  return error;
}

Status fill_tensors(const proto::AttributeProto& from, ExternalFolder& folder, Attribute& to) {
  for (const auto& tensor : from.tensors()) {
    NEUROLENS_ASSIGN(TensorInfo info, inspect_tensor(tensor, folder));
    to.tensors.push_back(std::move(info));
  }
  if (from.has_t()) {
    NEUROLENS_ASSIGN(TensorInfo info, inspect_tensor(from.t(), folder));
    to.tensors.push_back(std::move(info));
  }
  if (from.has_sparse_tensor()) {
    NEUROLENS_ASSIGN(TensorInfo info, convert_sparse(from.sparse_tensor(), folder));
    to.tensors.push_back(std::move(info));
  }
  return {};
}

Status fill_graphs(const proto::AttributeProto& from, ExternalFolder& folder, Attribute& to) {
  if (from.has_g()) {
    NEUROLENS_ASSIGN(Graph body, convert_graph(from.g(), folder));
    to.graphs.push_back(std::move(body));
  }
  for (const auto& graph : from.graphs()) {
    NEUROLENS_ASSIGN(Graph body, convert_graph(graph, folder));
    to.graphs.push_back(std::move(body));
  }
  return {};
}

AttributeKind kind_of(proto::AttributeProto_AttributeType type) {
  switch (type) {
    case proto::AttributeProto_AttributeType_INT:
      return AttributeKind::integer;
    case proto::AttributeProto_AttributeType_FLOAT:
      return AttributeKind::real;
    case proto::AttributeProto_AttributeType_STRING:
      return AttributeKind::text;
    case proto::AttributeProto_AttributeType_INTS:
      return AttributeKind::integers;
    case proto::AttributeProto_AttributeType_FLOATS:
      return AttributeKind::reals;
    case proto::AttributeProto_AttributeType_STRINGS:
      return AttributeKind::texts;
    case proto::AttributeProto_AttributeType_TENSOR:
      return AttributeKind::tensor;
    case proto::AttributeProto_AttributeType_TENSORS:
      return AttributeKind::tensors;
    case proto::AttributeProto_AttributeType_GRAPH:
      return AttributeKind::graph;
    case proto::AttributeProto_AttributeType_GRAPHS:
      return AttributeKind::graphs;
    case proto::AttributeProto_AttributeType_SPARSE_TENSOR:
      return AttributeKind::sparse_tensor;
    case proto::AttributeProto_AttributeType_TYPE_PROTO:
      return AttributeKind::type;
    default:
      return AttributeKind::unknown;
  }
}

Result<Attribute> convert_attribute(const proto::AttributeProto& from, ExternalFolder& folder) {
  Attribute to;
  to.name = from.name();
  to.kind = kind_of(type_of(from));
  to.integer = from.i();
  to.real = from.f();
  to.text = from.s();
  to.integers.assign(from.ints().begin(), from.ints().end());
  to.reals.assign(from.floats().begin(), from.floats().end());
  to.texts.assign(from.strings().begin(), from.strings().end());
  NEUROLENS_TRY(fill_tensors(from, folder, to));
  NEUROLENS_TRY(fill_graphs(from, folder, to));
  return to;
}

Result<Node> convert_node(const proto::NodeProto& from, ExternalFolder& folder) {
  Node to;
  to.name = from.name();
  to.op_type = from.op_type();
  to.domain = normal_domain(from.domain());
  to.inputs.assign(from.input().begin(), from.input().end());
  to.outputs.assign(from.output().begin(), from.output().end());
  to.attributes.reserve(static_cast<std::size_t>(from.attribute_size()));
  for (int i = 0; i < from.attribute_size(); ++i) {
    Result<Attribute> attribute = convert_attribute(from.attribute(i), folder);
    if (!attribute) return below(std::move(attribute).error(), fmt::format("/attribute[{}]", i));
    to.attributes.push_back(std::move(attribute).value());
  }
  return to;
}

Status convert_nodes(const google::protobuf::RepeatedPtrField<proto::NodeProto>& from,
                     ExternalFolder& folder, std::vector<Node>& to) {
  to.reserve(static_cast<std::size_t>(from.size()));
  for (int i = 0; i < from.size(); ++i) {
    Result<Node> node = convert_node(from.Get(i), folder);
    if (!node) return below(std::move(node).error(), fmt::format("/node[{}]", i));
    to.push_back(std::move(node).value());
  }
  return {};
}

}  // namespace

std::string normal_domain(const std::string& domain) {
  return domain == "ai.onnx" ? std::string{} : domain;
}

TypeInfo convert_type(const proto::TypeProto& type) {
  TypeInfo out;
  switch (type.value_case()) {
    case proto::TypeProto::kTensorType:
      fill_tensor_type(type.tensor_type(), TypeKind::tensor, out);
      break;
    case proto::TypeProto::kSparseTensorType:
      fill_tensor_type(type.sparse_tensor_type(), TypeKind::sparse_tensor, out);
      break;
    case proto::TypeProto::kSequenceType:
      out.kind = TypeKind::sequence;
      out.inner.push_back(convert_type(type.sequence_type().elem_type()));
      break;
    case proto::TypeProto::kOptionalType:
      out.kind = TypeKind::optional;
      out.inner.push_back(convert_type(type.optional_type().elem_type()));
      break;
    case proto::TypeProto::kMapType:
      out.kind = TypeKind::map;
      out.key = static_cast<DType>(type.map_type().key_type());
      out.inner.push_back(convert_type(type.map_type().value_type()));
      break;
    case proto::TypeProto::kOpaqueType:
      out.kind = TypeKind::opaque;
      break;
    case proto::TypeProto::VALUE_NOT_SET:
      break;
  }
  return out;
}

Result<Graph> convert_graph(const proto::GraphProto& from, ExternalFolder& folder) {
  Graph to;
  to.name = from.name();
  for (const auto& value : from.input()) to.inputs.push_back(convert_value(value));
  for (const auto& value : from.output()) to.outputs.push_back(convert_value(value));
  for (const auto& value : from.value_info()) to.values.push_back(convert_value(value));
  to.initializers.reserve(static_cast<std::size_t>(from.initializer_size()));
  for (int i = 0; i < from.initializer_size(); ++i) {
    Result<TensorInfo> info = inspect_tensor(from.initializer(i), folder);
    if (!info) return below(std::move(info).error(), fmt::format("/initializer[{}]", i));
    to.initializers.push_back(std::move(info).value());
  }
  for (int i = 0; i < from.sparse_initializer_size(); ++i) {
    Result<TensorInfo> info = convert_sparse(from.sparse_initializer(i), folder);
    if (!info) return below(std::move(info).error(), fmt::format("/sparse_initializer[{}]", i));
    to.initializers.push_back(std::move(info).value());
  }
  NEUROLENS_TRY(convert_nodes(from.node(), folder, to.nodes));
  return to;
}

Result<Function> convert_function(const proto::FunctionProto& from, ExternalFolder& folder) {
  Function to;
  to.domain = normal_domain(from.domain());
  to.name = from.name();
  to.inputs.assign(from.input().begin(), from.input().end());
  to.outputs.assign(from.output().begin(), from.output().end());
  NEUROLENS_TRY(convert_nodes(from.node(), folder, to.nodes));
  return to;
}

}  // namespace neurolens::onnx
