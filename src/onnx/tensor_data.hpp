/// \file
/// Content of TensorProto messages: size, checks, packed bytes, external files. Private to this
/// room.
#pragma once

#include <onnx/onnx_pb.h>

#include <map>
#include <string>

#include "neurolens/base/result.hpp"
#include "neurolens/onnx/graph.hpp"

namespace neurolens::onnx {

namespace proto = ::onnx;

/// A piece of a file beside the model.
struct ExternalPiece {
  std::string path;
  std::int64_t offset_bytes = 0;
  std::int64_t length_bytes = 0;
};

/// Finds external data below one folder and refuses what lies elsewhere.
/// A path is accepted when, with all symbolic links resolved, it lies in the folder that the caller
/// named the model by, or in the folder of the file that the model's name is a link to (so that
/// stores which link a model and its data into a folder work).
class ExternalFolder {
 public:
  ExternalFolder() = default;
  /// `model_path` may be empty when the model came from memory; then `folder` alone counts. Both
  /// empty: every external tensor is refused.
  ExternalFolder(const std::string& folder, const std::string& model_path);

  /// Where the content of `tensor` lies; `size_bytes` is what its dimensions ask for (-1: not
  /// known). Errors: bad_request outside of the folder, not_found, invalid_document.
  [[nodiscard]] Result<ExternalPiece> locate(const proto::TensorProto& tensor,
                                             std::int64_t size_bytes);

 private:
  [[nodiscard]] Result<std::string> resolve(const std::string& location,
                                            const std::string& tensor) const;

  std::string folder_;
  std::string real_folder_;
  std::string linked_folder_;
  std::map<std::string, std::pair<std::string, std::int64_t>> known_;  ///< location -> path, size
};

/// Facts about `tensor`, after checking that its content fits its dimensions.
/// Errors: invalid_document, and those of ExternalFolder::locate.
[[nodiscard]] Result<TensorInfo> inspect_tensor(const proto::TensorProto& tensor,
                                                ExternalFolder& folder);

/// The content in packed form. The tensor passed inspect_tensor(). Errors: those of reading its
/// file.
[[nodiscard]] Result<Tensor> unpack_tensor(const proto::TensorProto& tensor,
                                           ExternalFolder& folder);

/// Moves the content of an external tensor into the message. No effect on others.
Status inline_external(proto::TensorProto& tensor, ExternalFolder& folder);

}  // namespace neurolens::onnx
