/// \file
/// Makes small ONNX models from nothing: the graphs of known cost that calibrate the ledger, and
/// those of tests and benchmarks. Writes the protobuf wire format directly; it knows only what
/// these graphs need.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace neurolens::capture {

using AttributeValue = std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>>;

struct NodeSpec {
  std::string op_type;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::string name;
  std::string domain;
  std::vector<std::pair<std::string, AttributeValue>> attributes;
};

/// An input or output of the graph. A dimension of -1 is left open.
struct ValueSpec {
  std::string name;
  std::int32_t dtype = 1;  ///< TensorProto.DataType; 1 is float32.
  std::vector<std::int64_t> dims;
};

struct InitializerSpec {
  std::string name;
  std::int32_t dtype = 1;
  std::vector<std::int64_t> dims;
  std::string bytes;  ///< Row-major, little-endian.
};

struct ModelSpec {
  std::string name = "graph";
  std::int64_t opset = 13;
  std::vector<NodeSpec> nodes;
  std::vector<ValueSpec> inputs;
  std::vector<ValueSpec> outputs;
  std::vector<InitializerSpec> initializers;
};

/// A float32 initialiser with small deterministic values around zero (`scale` is their bound).
[[nodiscard]] InitializerSpec random_weights(std::string name, std::vector<std::int64_t> dims,
                                             std::uint64_t seed, float scale = 0.1F);

/// The serialised ModelProto.
[[nodiscard]] std::string encode(const ModelSpec& model);

}  // namespace neurolens::capture
