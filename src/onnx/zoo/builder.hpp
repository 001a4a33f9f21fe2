/// \file
/// Makes a model graph node by node and streams its weights. Private to this room.
#pragma once

#include <onnx/onnx_pb.h>

#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "neurolens/base/progress.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/onnx/graph.hpp"
#include "weights.hpp"

namespace neurolens::onnx::zoo {

/// Name of a tensor in the graph.
using Name = std::string;

struct Attr {
  std::string_view name;
  std::variant<std::int64_t, float, std::string_view, std::vector<std::int64_t>> value;
};

inline Attr ints(std::string_view name, std::vector<std::int64_t> values) {
  return {name, std::move(values)};
}
inline Attr integer(std::string_view name, std::int64_t value) {
  return {name, value};
}
inline Attr real(std::string_view name, float value) {
  return {name, value};
}
inline Attr text(std::string_view name, std::string_view value) {
  return {name, value};
}

/// One graph under construction. Node names follow the habit of PyTorch's exporter:
/// "/layer1.0/conv1/Conv", tensor "/layer1.0/conv1/Conv_output_0".
class GraphBuilder {
 public:
  explicit GraphBuilder(std::string name);

  Name input(const std::string& name, DType type, const std::vector<Dim>& dims);
  /// Declares that the graph gives `tensor`, under the name `name`.
  void output(const std::string& name, const Name& tensor, DType type,
              const std::vector<Dim>& dims);

  /// A float32 initialiser, filled at write().
  Name weight(const std::string& name, std::vector<std::int64_t> dims, Fill fill);
  /// Initialisers with content of their own.
  Name int64s(const std::string& name, const std::vector<std::int64_t>& values,
              std::vector<std::int64_t> dims);
  Name booleans(const std::string& name, std::string values, std::vector<std::int64_t> dims);
  /// Constant nodes, as exporters write small numbers.
  Name scalar(float value);
  Name scalar_int64(std::int64_t value);
  Name vector_int64(const std::vector<std::int64_t>& values);

  /// Adds a node and returns its (first) output. `scope` is the path of the layer, without slashes
  /// at its ends.
  Name node(std::string_view op, const std::string& scope, std::initializer_list<Name> inputs,
            std::initializer_list<Attr> attributes = {}, int outputs = 1);

  /// Weights that are trained: what the model's publication counts.
  [[nodiscard]] std::int64_t parameters() const;
  [[nodiscard]] const std::vector<Value>& inputs() const { return inputs_; }
  [[nodiscard]] const std::vector<Value>& outputs() const { return outputs_; }

  using Sink = std::function<Status(std::string_view)>;
  /// Streams the model; returns the number of bytes. Errors: those of `sink`, cancelled.
  [[nodiscard]] Result<std::int64_t> write(std::uint64_t seed, const Sink& sink,
                                           const Attention& attention) const;

 private:
  struct Initializer {
    ::onnx::TensorProto head;  ///< Without content.
    std::string content;       ///< Literal, or empty when `fill` says how.
    Fill fill;
    std::int64_t bytes = 0;
  };
  ::onnx::NodeProto& add_node(std::string_view op, const std::string& scope);
  Name literal(const std::string& name, DType type, std::vector<std::int64_t> dims,
               std::string content);

  ::onnx::GraphProto graph_;
  std::vector<Initializer> initializers_;
  std::vector<Value> inputs_;
  std::vector<Value> outputs_;
  std::map<std::string, int> used_;  ///< Node name -> how often.
};

}  // namespace neurolens::onnx::zoo
