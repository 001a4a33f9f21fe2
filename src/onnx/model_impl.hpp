/// \file
/// What stands behind onnx::Model. Private to this room.
#pragma once

#include <onnx/onnx_pb.h>

#include <string>
#include <vector>

#include "neurolens/onnx/model.hpp"
#include "tensor_data.hpp"

namespace neurolens::onnx {

struct Model::Impl {
  proto::ModelProto message;
  std::string path;
  std::string sha256;
  std::int64_t file_size_bytes = 0;
  bool weights_dropped = false;
  ExternalFolder folder;
  Graph graph;
  std::vector<Function> functions;
  std::vector<OpsetImport> opsets;

  /// Fills graph, functions and opsets from the message, checking its tensors.
  Status materialise();
};

/// True when some initialiser or attribute of `graph` lies in an external file.
[[nodiscard]] bool has_external_data(const Graph& graph);

}  // namespace neurolens::onnx
