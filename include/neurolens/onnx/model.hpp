/// \file
/// Reading and writing ONNX models of any opset.
/// The whole message is kept, so fields that are newer than this program survive a round trip.
/// Weights in external files are found, checked and refused when they lie outside of the model's
/// folder. Limits: a single file holds at most 2 GiB (a bound of protobuf itself).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/file_system.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/onnx/graph.hpp"
#include "neurolens/onnx/types.hpp"

namespace neurolens::onnx {

/// What loading keeps.
struct LoadOptions {
  /// False drops the content of initialisers once it was checked: what is left is the graph, a few
  /// hundred kilobytes; tensor(), serialize() and save() then answer bad_request for them.
  bool keep_weights = true;
};

/// How a model becomes bytes.
struct SerializeOptions {
  /// Puts the content of external files into the message, so that it needs no folder.
  bool inline_external = true;
};

/// An ONNX model. Move-only; clone() copies. Const members are safe to call from several threads.
class Model {
 public:
  /// Reads the file at `path`, following symbolic links.
  /// Memory: once the size of the file (streamed, not read as a whole first).
  /// Errors, each with the file and the place in it:
  ///   not_found, permission_denied, io_error  the file or an external file cannot be read;
  ///   bad_request       a directory, or an external file outside of the model's folder;
  ///   parse_error       empty, truncated, damaged, or not an ONNX model (known formats are named);
  ///   invalid_document  well-formed, but without a graph or with a tensor whose content does not
  ///   fit
  ///                     its dimensions;
  ///   too_large         2 GiB or more.
  [[nodiscard]] static Result<Model> load(const std::string& path, const LoadOptions& options = {});
  /// The same from memory. `name` stands for the file in errors; external data is looked for in
  /// `folder`, and refused when that is empty.
  [[nodiscard]] static Result<Model> parse(std::string_view bytes,
                                           const std::string& name = "model",
                                           const std::string& folder = {},
                                           const LoadOptions& options = {});

  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;
  ~Model();
  /// A deep copy, weights included.
  [[nodiscard]] Model clone() const;

  /// Path that load() was given; the name that parse() was given.
  [[nodiscard]] const std::string& path() const;
  /// SHA-256 of the file (without external files), 64 hexadecimal digits.
  [[nodiscard]] const std::string& content_hash() const;
  /// Bytes of the file, and of the external data that it refers to.
  [[nodiscard]] Bytes file_size() const;
  [[nodiscard]] Bytes external_size() const;

  [[nodiscard]] std::int64_t ir_version() const;
  [[nodiscard]] std::string producer() const;  ///< "pytorch 2.1.0"; empty when not stated.
  [[nodiscard]] const std::vector<OpsetImport>& opset_imports() const;
  /// Version of the operator set imported for `domain`.
  [[nodiscard]] std::optional<std::int64_t> opset(std::string_view domain = "") const;
  /// Valid as long as the model lives and is not moved from.
  [[nodiscard]] const Graph& graph() const;
  [[nodiscard]] const std::vector<Function>& functions() const;

  /// Elements in initialisers of floating or at most 8-bit integer type, subgraphs included; not
  /// counted are running means and variances of BatchNormalization (they are not trained), and
  /// constants in nodes. This is how published parameter counts are made.
  [[nodiscard]] std::int64_t parameter_count() const;
  /// Bytes of all initialisers, subgraphs included.
  [[nodiscard]] Bytes weight_size() const;

  /// Content of the main graph's initialiser, or of the Constant node's tensor, called `name`.
  /// Errors: not_found; bad_request when the weights were dropped; io_error for an external file.
  [[nodiscard]] Result<Tensor> tensor(std::string_view name) const;

  /// The model as bytes, for a session that is created in memory.
  /// Errors: too_large at 2 GiB or more; bad_request when the weights were dropped; those of
  /// reading external files.
  [[nodiscard]] Result<std::string> serialize(const SerializeOptions& options = {}) const;
  /// Writes one file, external data inlined, that appears complete or not at all.
  /// Errors: as serialize(), and those of writing.
  Status save(const std::string& path, FileSystem& files = system_files()) const;

  /// For the files of this room only: the message behind the model.
  struct Impl;
  [[nodiscard]] const Impl& impl() const { return *impl_; }
  explicit Model(std::unique_ptr<Impl> impl);

 private:
  std::unique_ptr<Impl> impl_;
};

/// Reads a serialised TensorProto, the form of ONNX's test data (`input_0.pb`).
/// Errors: those of reading a file; parse_error; invalid_document when content and dimensions
/// differ.
[[nodiscard]] Result<Tensor> load_tensor(const std::string& path);

}  // namespace neurolens::onnx
