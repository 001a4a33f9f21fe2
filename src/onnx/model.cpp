#include "neurolens/onnx/model.hpp"

#include <fmt/format.h>

#include <new>
#include <unordered_set>
#include <utility>

#include "convert.hpp"
#include "damage.hpp"
#include "model_impl.hpp"
#include "neurolens/base/text.hpp"
#include "proto_io.hpp"

namespace neurolens::onnx {
namespace {

/// Calls `visit` with `graph` and every graph inside it.
template <class Visit>
void for_each_graph(const Graph& graph, const Visit& visit) {
  visit(graph);
  for (const Node& node : graph.nodes) {
    for (const Attribute& attribute : node.attributes) {
      for (const Graph& body : attribute.graphs) for_each_graph(body, visit);
    }
  }
}

bool counts_as_parameter(DType type) {
  switch (type) {
    case DType::int8:
    case DType::uint8:
    case DType::int4:
    case DType::uint4:
    case DType::int2:
    case DType::uint2:
      return true;
    default:
      return is_floating(type);
  }
}

std::int64_t parameters_of(const Graph& graph) {
  std::unordered_set<std::string_view> running;
  for (const Node& node : graph.nodes) {
    if (node.op_type != "BatchNormalization" || !node.domain.empty() || node.inputs.size() < 5)
      continue;
    running.insert(node.inputs[3]);
    running.insert(node.inputs[4]);
  }
  std::int64_t count = 0;
  for (const TensorInfo& tensor : graph.initializers) {
    if (!counts_as_parameter(tensor.type) || running.contains(tensor.name)) continue;
    count += element_count(tensor.dims).value_or(0);
  }
  return count;
}

/// An empty message parses; so does much that is no model. A graph and a version say that it is
/// one.
bool looks_like_a_model(const proto::ModelProto& message) {
  return message.has_graph() && (message.has_ir_version() || message.opset_import_size() > 0);
}

Error missing_graph(const std::string& path) {
  return Error{Errc::invalid_document, "The model holds no graph; export it again.", path};
}

Error out_of_memory(const std::string& path) {
  return Error{Errc::out_of_memory,
               "There is not enough memory for this model; free some, or use a smaller one.", path};
}

void drop_weights(proto::ModelProto& message) {
  constexpr std::size_t kSmallBytes =
      4096;  // shapes, axes and scales stay: they are part of the graph
  (void)for_each_tensor(*message.mutable_graph(), [](proto::TensorProto& tensor) {
    if (tensor.ByteSizeLong() > kSmallBytes) {
      tensor.clear_raw_data();
      tensor.clear_float_data();
      tensor.clear_int32_data();
      tensor.clear_int64_data();
      tensor.clear_double_data();
      tensor.clear_uint64_data();
      tensor.clear_string_data();
    }
    return Status{};
  });
}

Result<Model> finish(std::unique_ptr<Model::Impl> impl, const LoadOptions& options) {
  if (Status done = impl->materialise(); !done.ok()) return std::move(done).error().at(impl->path);
  if (!options.keep_weights) {
    drop_weights(impl->message);
    impl->weights_dropped = true;
  }
  return Model(std::move(impl));
}

Result<Model> load_file(const std::string& path, const LoadOptions& options) {
  auto impl = std::make_unique<Model::Impl>();
  impl->path = path;
  NEUROLENS_ASSIGN(FileFacts facts, parse_file(path, impl->message));
  if (!facts.well_formed || facts.size_bytes == 0 || !looks_like_a_model(impl->message)) {
    NEUROLENS_ASSIGN(const std::string bytes, read_range(path, 0, facts.size_bytes));
    if (facts.well_formed && impl->message.has_ir_version() && foreign_format(bytes).empty()) {
      return missing_graph(path);
    }
    return explain_damage(bytes, path);
  }
  impl->sha256 = std::move(facts.sha256);
  impl->file_size_bytes = facts.size_bytes;
  impl->folder = ExternalFolder(parent_path(path), path);
  return finish(std::move(impl), options);
}

Result<Model> parse_bytes(std::string_view bytes, const std::string& name,
                          const std::string& folder, const LoadOptions& options) {
  if (bytes.size() > static_cast<std::size_t>(kMessageLimitBytes)) {
    return too_large_error(name, static_cast<std::int64_t>(bytes.size()));
  }
  auto impl = std::make_unique<Model::Impl>();
  impl->path = name;
  const bool well_formed = parse_quietly(bytes, impl->message);
  if (!well_formed || bytes.empty() || !looks_like_a_model(impl->message)) {
    if (well_formed && impl->message.has_ir_version() && foreign_format(bytes).empty())
      return missing_graph(name);
    return explain_damage(bytes, name);
  }
  impl->sha256 = sha256(bytes);
  impl->file_size_bytes = static_cast<std::int64_t>(bytes.size());
  impl->folder = ExternalFolder(folder, {});
  return finish(std::move(impl), options);
}

const proto::TensorProto* find_constant(const proto::NodeProto& node, std::string_view name) {
  if (node.op_type() != "Constant" || node.output_size() != 1 || node.output(0) != name)
    return nullptr;
  for (const auto& attribute : node.attribute()) {
    if (attribute.name() == "value" && attribute.has_t()) return &attribute.t();
  }
  return nullptr;
}

const proto::TensorProto* find_tensor(const proto::GraphProto& graph, std::string_view name) {
  for (const auto& tensor : graph.initializer()) {
    if (tensor.name() == name) return &tensor;
  }
  for (const auto& node : graph.node()) {
    if (const proto::TensorProto* found = find_constant(node, name)) return found;
  }
  return nullptr;
}

Error weights_dropped_error(const std::string& path) {
  return Error{Errc::bad_request, "The model was loaded without its weights; load it with them.",
               path};
}

/// True when nothing of `tensor` is stored though its dimensions ask for content.
bool content_missing(const proto::TensorProto& tensor) {
  ExternalFolder none;
  return !inspect_tensor(tensor, none).ok() &&
         tensor.data_location() != proto::TensorProto_DataLocation_EXTERNAL;
}

Result<proto::ModelProto> inlined(const Model::Impl& impl) {
  proto::ModelProto message = impl.message;
  ExternalFolder folder = impl.folder;
  Status done = for_each_tensor(
      *message.mutable_graph(),
      [&](proto::TensorProto& tensor) -> Status { return inline_external(tensor, folder); });
  if (!done.ok()) return std::move(done).error().at(impl.path);
  return message;
}

}  // namespace

bool has_external_data(const Graph& graph) {
  bool found = false;
  for_each_graph(graph, [&](const Graph& each) {
    for (const TensorInfo& tensor : each.initializers) found = found || tensor.external;
    for (const Node& node : each.nodes) {
      for (const Attribute& attribute : node.attributes) {
        for (const TensorInfo& tensor : attribute.tensors) found = found || tensor.external;
      }
    }
  });
  return found;
}

Status Model::Impl::materialise() {
  opsets.clear();
  functions.clear();
  for (const auto& import : message.opset_import()) {
    opsets.push_back({normal_domain(import.domain()), import.version()});
  }
  Result<Graph> converted = convert_graph(message.graph(), folder);
  if (!converted) {
    Error error = std::move(converted).error();
    error.where = "graph" + error.where;
    return error;
  }
  graph = std::move(converted).value();
  for (int i = 0; i < message.functions_size(); ++i) {
    Result<Function> function = convert_function(message.functions(i), folder);
    if (!function) {
      Error error = std::move(function).error();
      error.where = fmt::format("functions[{}]{}", i, error.where);
      return error;
    }
    functions.push_back(std::move(function).value());
  }
  return {};
}

Result<Model> Model::load(const std::string& path, const LoadOptions& options) {
  try {
    return load_file(path, options);
  } catch (const std::bad_alloc&) {
    return out_of_memory(path);
  }
}

Result<Model> Model::parse(std::string_view bytes, const std::string& name,
                           const std::string& folder, const LoadOptions& options) {
  try {
    return parse_bytes(bytes, name, folder, options);
  } catch (const std::bad_alloc&) {
    return out_of_memory(name);
  }
}

Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;
Model::~Model() = default;
Model Model::clone() const {
  return Model(std::make_unique<Impl>(*impl_));
}

const std::string& Model::path() const {
  return impl_->path;
}
const std::string& Model::content_hash() const {
  return impl_->sha256;
}
Bytes Model::file_size() const {
  return Bytes{impl_->file_size_bytes};
}

Bytes Model::external_size() const {
  Bytes total;
  for_each_graph(impl_->graph, [&](const Graph& graph) {
    for (const TensorInfo& tensor : graph.initializers) {
      if (tensor.external) total += tensor.size;
    }
  });
  return total;
}

std::int64_t Model::ir_version() const {
  return impl_->message.ir_version();
}

std::string Model::producer() const {
  const proto::ModelProto& message = impl_->message;
  if (message.producer_version().empty()) return message.producer_name();
  return message.producer_name() + " " + message.producer_version();
}

const std::vector<OpsetImport>& Model::opset_imports() const {
  return impl_->opsets;
}

std::optional<std::int64_t> Model::opset(std::string_view domain) const {
  for (const OpsetImport& import : impl_->opsets) {
    if (import.domain == domain) return import.version;
  }
  return std::nullopt;
}

const Graph& Model::graph() const {
  return impl_->graph;
}
const std::vector<Function>& Model::functions() const {
  return impl_->functions;
}

std::int64_t Model::parameter_count() const {
  std::int64_t count = 0;
  for_each_graph(impl_->graph, [&](const Graph& graph) { count += parameters_of(graph); });
  return count;
}

Bytes Model::weight_size() const {
  Bytes total;
  for_each_graph(impl_->graph, [&](const Graph& graph) {
    for (const TensorInfo& tensor : graph.initializers) total += tensor.size;
  });
  return total;
}

Result<Tensor> Model::tensor(std::string_view name) const {
  const proto::TensorProto* found = find_tensor(impl_->message.graph(), name);
  if (found == nullptr) {
    return Error{Errc::not_found,
                 fmt::format("The model has no constant called \"{}\".", printable(name)),
                 impl_->path};
  }
  if (impl_->weights_dropped && content_missing(*found)) return weights_dropped_error(impl_->path);
  ExternalFolder folder = impl_->folder;
  return unpack_tensor(*found, folder);
}

Result<std::string> Model::serialize(const SerializeOptions& options) const {
  if (impl_->weights_dropped) return weights_dropped_error(impl_->path);
  const bool inlining = options.inline_external && has_external_data(impl_->graph);
  const std::int64_t estimate = impl_->file_size_bytes + (inlining ? external_size().count : 0);
  if (estimate > kMessageLimitBytes) return too_large_error(impl_->path, estimate);
  if (!inlining) return impl_->message.SerializePartialAsString();
  NEUROLENS_ASSIGN(const proto::ModelProto message, inlined(*impl_));
  return message.SerializePartialAsString();
}

Status Model::save(const std::string& path, FileSystem& files) const {
  if (impl_->weights_dropped) return weights_dropped_error(impl_->path);
  NEUROLENS_ASSIGN(const std::unique_ptr<OutputFile> file, files.create_atomic(path));
  if (has_external_data(impl_->graph)) {
    const std::int64_t estimate = impl_->file_size_bytes + external_size().count;
    if (estimate > kMessageLimitBytes) return too_large_error(impl_->path, estimate);
    NEUROLENS_ASSIGN(const proto::ModelProto message, inlined(*impl_));
    NEUROLENS_TRY(write_message(message, *file, path));
  } else {
    NEUROLENS_TRY(write_message(impl_->message, *file, path));
  }
  return file->commit();
}

Result<Tensor> load_tensor(const std::string& path) {
  proto::TensorProto message;
  NEUROLENS_ASSIGN(const FileFacts facts, parse_file(path, message));
  if (!facts.well_formed || !message.has_data_type()) {
    return Error{Errc::parse_error,
                 "This is no serialised ONNX tensor; give an .npy file or a TensorProto.", path};
  }
  ExternalFolder none;
  if (const auto info = inspect_tensor(message, none); !info.ok()) return info.error().at(path);
  return unpack_tensor(message, none);
}

}  // namespace neurolens::onnx
