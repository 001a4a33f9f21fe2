/// \file
/// What a model says it computes: plain values, made once when the model is read.
/// Names are as in the file: any bytes, so pass them through neurolens::printable() before showing
/// them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/strong_id.hpp"
#include "neurolens/base/units.hpp"
#include "neurolens/onnx/types.hpp"

namespace neurolens::onnx {

struct Graph;

/// Position of a node in Graph::nodes.
using NodeId = StrongId<struct NodeTag>;

/// What a tensor is, without its content.
struct TensorInfo {
  std::string name;
  DType type = DType::undefined;
  std::vector<std::int64_t> dims;  ///< All >= 0.
  Bytes size;                      ///< Of the packed content; strings count their lengths.
  bool external = false;           ///< Content lies in a file beside the model.
  bool sparse = false;             ///< Stored as values and indices; `size` counts both.
};

/// What an attribute holds; numbers as in ONNX.
enum class AttributeKind : std::uint8_t {
  unknown,  ///< Empty, a reference to a function's attribute, or newer than this program.
  integer,
  real,
  text,
  integers,
  reals,
  texts,
  tensor,
  tensors,
  graph,
  graphs,
  sparse_tensor,
  type,
};

/// One attribute; the member that `kind` names is filled, the others are empty.
struct Attribute {
  std::string name;
  AttributeKind kind = AttributeKind::unknown;
  std::int64_t integer = 0;
  float real = 0;
  std::string text;
  std::vector<std::int64_t> integers;
  std::vector<float> reals;
  std::vector<std::string> texts;
  std::vector<TensorInfo> tensors;  ///< kind tensor (one), tensors, sparse_tensor (one).
  std::vector<Graph> graphs;        ///< kind graph (one), graphs.
};

/// One operation.
struct Node {
  std::string name;     ///< May be empty and need not be unique.
  std::string op_type;  ///< Such as "Conv".
  std::string domain;   ///< Empty for ONNX's own operators ("ai.onnx" is read as empty).
  std::vector<std::string> inputs;   ///< Tensor names; empty for an optional input left out.
  std::vector<std::string> outputs;  ///< Tensor names; empty for an optional output left out.
  std::vector<Attribute> attributes;

  /// The attribute called `attribute`, nullptr when absent.
  [[nodiscard]] const Attribute* find(std::string_view attribute) const;
  /// Values with their default when absent or of another kind.
  [[nodiscard]] std::int64_t integer_or(std::string_view attribute, std::int64_t fallback) const;
  [[nodiscard]] float real_or(std::string_view attribute, float fallback) const;
  [[nodiscard]] std::string_view text_or(std::string_view attribute,
                                         std::string_view fallback) const;
  /// Empty when absent.
  [[nodiscard]] const std::vector<std::int64_t>& integers(std::string_view attribute) const;
  /// "domain:op_type", without the prefix for ONNX's own domain.
  [[nodiscard]] std::string qualified_type() const;
};

/// A named value and its declared type.
struct Value {
  std::string name;
  TypeInfo type;
};

/// A graph: the model's own, or the body of an If, Loop or Scan.
struct Graph {
  std::string name;
  std::vector<Value> inputs;  ///< As declared: before IR 4 these include the initialisers.
  std::vector<Value> outputs;
  std::vector<Value> values;  ///< Declared types of tensors inside (value_info).
  std::vector<TensorInfo> initializers;
  std::vector<Node> nodes;  ///< In the order of the file.

  /// nullptr when there is none of this name. Linear search.
  [[nodiscard]] const TensorInfo* initializer(std::string_view name) const;
  /// The inputs that a caller must feed: those without an initialiser.
  [[nodiscard]] std::vector<Value> fed_inputs() const;
};

/// A function of the model's own, which nodes of its domain and name call.
struct Function {
  std::string domain;
  std::string name;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::vector<Node> nodes;
};

/// A domain and the version of its operators that the model uses.
struct OpsetImport {
  std::string domain;  ///< Empty for ONNX's own.
  std::int64_t version = 0;
};

/// Names that `node` reads: its inputs and what its subgraphs take from outside. Sorted, unique, no
/// empty name.
[[nodiscard]] std::vector<std::string> names_read(const Node& node);

}  // namespace neurolens::onnx
