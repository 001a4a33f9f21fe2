#include "neurolens/onnx/cut.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <new>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "convert.hpp"
#include "model_impl.hpp"
#include "proto_io.hpp"

namespace neurolens::onnx {
namespace {

using NameSet = std::unordered_set<std::string_view>;

/// Not computed by a node: a graph's input or an initialiser.
constexpr std::size_t kGiven = 0;
constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();

void set_external(proto::TensorProto& tensor, const std::string& key, const std::string& value) {
  auto* entry = tensor.add_external_data();
  entry->set_key(key);
  entry->set_value(value);
}

/// Name, type and shape of `from`, its content declared to lie elsewhere.
void declare_only(const proto::TensorProto& from, const TensorInfo& info, proto::TensorProto& to) {
  to.set_name(from.name());
  to.set_data_type(from.data_type());
  *to.mutable_dims() = from.dims();
  to.set_data_location(proto::TensorProto_DataLocation_EXTERNAL);
  set_external(to, "location", std::string(kSharedWeightsFile));
  set_external(to, "offset", "0");
  set_external(to, "length", std::to_string(info.size.count));
}

proto::TypeProto observed_type(const ObservedTensor& tensor) {
  proto::TypeProto type;
  auto* out = type.mutable_tensor_type();
  out->set_elem_type(static_cast<std::int32_t>(tensor.type));
  auto* shape = out->mutable_shape();
  for (const std::int64_t dim : tensor.dims) shape->add_dim()->set_dim_value(dim);
  return type;
}

/// Inputs with a default: the one kind of value that nothing reads and that runtimes keep.
void add_padding(std::size_t count, proto::GraphProto& graph) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::string name = fmt::format("neurolens-padding-{}", i);
    auto* value = graph.add_initializer();
    value->set_name(name);
    value->set_data_type(proto::TensorProto_DataType_FLOAT);
    value->add_float_data(0);
    auto* input = graph.add_input();
    input->set_name(name);
    auto* type = input->mutable_type()->mutable_tensor_type();
    type->set_elem_type(proto::TensorProto_DataType_FLOAT);
    type->mutable_shape();
  }
}

/// The parts of a model that are not its graph.
void copy_frame(const proto::ModelProto& from, proto::ModelProto& to) {
  if (from.has_ir_version()) to.set_ir_version(from.ir_version());
  if (from.has_producer_name()) to.set_producer_name(from.producer_name());
  if (from.has_producer_version()) to.set_producer_version(from.producer_version());
  if (from.has_domain()) to.set_domain(from.domain());
  if (from.has_model_version()) to.set_model_version(from.model_version());
  *to.mutable_opset_import() = from.opset_import();
  *to.mutable_metadata_props() = from.metadata_props();
  *to.mutable_functions() = from.functions();
}

}  // namespace

struct Cutter::State {
  const Model* model = nullptr;
  ObservedTensors observed;
  std::vector<NodeId> order;
  std::vector<std::vector<std::string>> reads;  ///< By position in `order`.

  /// When a tensor exists and until when it is needed, in positions of `order` counted from 1.
  struct Life {
    std::size_t born = kNever;
    std::size_t last_read = 0;
  };
  std::unordered_map<std::string_view, Life> lives;
  std::unordered_map<std::string_view, const proto::TypeProto*> declared;
  std::unordered_map<std::string_view, const TensorInfo*> weights;
  NameSet inputs;
  NameSet original_outputs;

  Status index();
  Status index_reads(const Graph& graph);
  void index_declarations(const proto::GraphProto& graph);
  [[nodiscard]] NameSet used_by(std::size_t k, const std::vector<std::string>& outputs) const;
  [[nodiscard]] bool shareable(const TensorInfo& info, const CutOptions& options) const;
  void add_outputs(const std::vector<std::string>& names, proto::GraphProto& graph, Cut& cut) const;
  void add_surroundings(const NameSet& used, std::size_t k, proto::GraphProto& graph) const;
  Status add_weights(const NameSet& used, const CutOptions& options, proto::GraphProto& graph,
                     Cut& cut) const;
  Status settle_tensors(proto::GraphProto& graph, const Cut& cut) const;
};

Status Cutter::State::index() {
  const Graph& graph = model->graph();
  for (const Value& input : graph.inputs) {
    inputs.insert(input.name);
    lives[input.name].born = kGiven;
  }
  for (const TensorInfo& tensor : graph.initializers) {
    weights.emplace(tensor.name, &tensor);
    lives[tensor.name].born = kGiven;
  }
  for (const Value& output : graph.outputs) original_outputs.insert(output.name);
  index_declarations(model->impl().message.graph());
  return index_reads(graph);
}

void Cutter::State::index_declarations(const proto::GraphProto& graph) {
  for (const auto* list : {&graph.output(), &graph.input(), &graph.value_info()}) {
    for (const proto::ValueInfoProto& value : *list) {
      if (value.has_type()) declared.emplace(value.name(), &value.type());
    }
  }
}

Status Cutter::State::index_reads(const Graph& graph) {
  std::unordered_set<std::string_view> made_by_nodes;
  for (const Node& node : graph.nodes)
    made_by_nodes.insert(node.outputs.begin(), node.outputs.end());
  std::vector<bool> seen(graph.nodes.size(), false);
  reads.reserve(order.size());
  for (std::size_t position = 0; position < order.size(); ++position) {
    const NodeId id = order[position];
    const bool valid = id.index() < graph.nodes.size() && !seen[id.index()];
    if (!valid || order.size() != graph.nodes.size()) {
      return Error{Errc::bad_request, "The order must name every node of the graph once.", {}};
    }
    seen[id.index()] = true;
    reads.push_back(names_read(graph.nodes[id.index()]));
    for (const std::string& name : reads.back()) {
      const auto life = lives.find(name);
      const bool exists = life != lives.end() && life->second.born <= position;
      if (exists) {
        life->second.last_read = position + 1;
      } else if (made_by_nodes.contains(name)) {
        return Error{
            Errc::bad_request,
            "The order places a node before one that it reads from; give a topological one.",
            fmt::format("graph/node[{}]", id.value)};
      }
    }
    for (const std::string& name : graph.nodes[id.index()].outputs) {
      if (!name.empty()) lives[name].born = position + 1;
    }
  }
  return {};
}

NameSet Cutter::State::used_by(std::size_t k, const std::vector<std::string>& outputs) const {
  NameSet used(outputs.begin(), outputs.end());
  for (std::size_t position = 0; position < k; ++position) {
    used.insert(reads[position].begin(), reads[position].end());
  }
  return used;
}

bool Cutter::State::shareable(const TensorInfo& info, const CutOptions& options) const {
  if (info.sparse || info.type == DType::string || info.size < options.share_from) return false;
  // From IR 4 on an initialiser that is an input, too, is a default: the runtime must hold it.
  return model->ir_version() < 4 || !inputs.contains(info.name);
}

void Cutter::State::add_outputs(const std::vector<std::string>& names, proto::GraphProto& graph,
                                Cut& cut) const {
  for (const std::string& name : names) {
    proto::ValueInfoProto& output = *graph.add_output();
    output.set_name(name);
    const auto seen = observed.find(name);
    const auto said = declared.find(name);
    const bool keep_declared = said != declared.end() && original_outputs.contains(name);
    if (seen != observed.end() && !keep_declared) {
      *output.mutable_type() = observed_type(seen->second);
    } else if (said != declared.end()) {
      *output.mutable_type() = *said->second;
    }
    cut.outputs.push_back({name, output.has_type() ? convert_type(output.type()) : TypeInfo{}});
  }
}

/// Inputs, declared types and annotations that still have a meaning.
void Cutter::State::add_surroundings(const NameSet& used, std::size_t k,
                                     proto::GraphProto& graph) const {
  const proto::GraphProto& from = model->impl().message.graph();
  NameSet outputs;
  for (const auto& output : graph.output()) outputs.insert(output.name());
  for (const auto& input : from.input()) {
    // Without its initialiser an input would have to be fed.
    if (!weights.contains(input.name()) || used.contains(input.name())) *graph.add_input() = input;
  }
  const auto present = [&](const std::string& name) {
    const auto life = lives.find(name);
    return life != lives.end() && life->second.born <= k &&
           (life->second.born != kGiven || used.contains(name));
  };
  for (const auto& value : from.value_info()) {
    if (present(value.name()) && !outputs.contains(value.name())) *graph.add_value_info() = value;
  }
  for (const auto& annotation : from.quantization_annotation()) {
    if (present(annotation.tensor_name())) *graph.add_quantization_annotation() = annotation;
  }
}

Status Cutter::State::add_weights(const NameSet& used, const CutOptions& options,
                                  proto::GraphProto& graph, Cut& cut) const {
  const proto::GraphProto& from = model->impl().message.graph();
  std::int64_t embedded_bytes = 0;
  for (const proto::TensorProto& tensor : from.initializer()) {
    if (!used.contains(tensor.name())) continue;
    const TensorInfo& info = *weights.at(tensor.name());
    if (options.weights == CutWeights::shared && shareable(info, options)) {
      declare_only(tensor, info, *graph.add_initializer());
      cut.shared_weights.push_back(tensor.name());
      continue;
    }
    embedded_bytes += info.size.count;
    if (embedded_bytes > kMessageLimitBytes) return too_large_error(model->path(), embedded_bytes);
    *graph.add_initializer() = tensor;
  }
  for (const proto::SparseTensorProto& tensor : from.sparse_initializer()) {
    if (used.contains(tensor.values().name())) *graph.add_sparse_initializer() = tensor;
  }
  return {};
}

/// Moves what lies in external files into the cut, and finds content that was dropped at loading.
Status Cutter::State::settle_tensors(proto::GraphProto& graph, const Cut& cut) const {
  const Model::Impl& impl = model->impl();
  const NameSet shared(cut.shared_weights.begin(), cut.shared_weights.end());
  ExternalFolder folder = impl.folder;
  Status settled = for_each_tensor(graph, [&](proto::TensorProto& tensor) -> Status {
    if (shared.contains(tensor.name())) return {};
    NEUROLENS_TRY(inline_external(tensor, folder));
    if (impl.weights_dropped && !inspect_tensor(tensor, folder).ok()) {
      return Error{Errc::bad_request,
                   "The cut needs a weight that was dropped at loading; load the model with them.",
                   {}};
    }
    return {};
  });
  if (!settled.ok()) return std::move(settled).error().at(impl.path);
  return {};
}

Cutter::Cutter(std::unique_ptr<State> state) : state_(std::move(state)) {}
Cutter::Cutter(Cutter&&) noexcept = default;
Cutter& Cutter::operator=(Cutter&&) noexcept = default;
Cutter::~Cutter() = default;

Result<Cutter> Cutter::create(const Model& model, ObservedTensors observed,
                              std::vector<NodeId> order) {
  auto state = std::make_unique<State>();
  state->model = &model;
  state->observed = std::move(observed);
  Result<std::vector<NodeId>> natural = topological_order(model.graph());
  if (!natural.ok()) return std::move(natural).error().at(model.path());
  state->order = order.empty() ? std::move(natural).value() : std::move(order);
  if (Status done = state->index(); !done.ok()) return std::move(done).error().at(model.path());
  return Cutter(std::move(state));
}

const std::vector<NodeId>& Cutter::order() const {
  return state_->order;
}

std::vector<std::string> Cutter::frontier(std::size_t k) const {
  std::vector<std::string> names;
  const Graph& graph = state_->model->graph();
  NameSet taken;
  for (const Value& output : graph.outputs) {
    const auto life = state_->lives.find(output.name);
    const bool exists = life != state_->lives.end() && life->second.born <= k;
    if (exists && taken.insert(output.name).second) names.push_back(output.name);
  }
  for (std::size_t position = 0; position < k; ++position) {
    for (const std::string& name : graph.nodes[state_->order[position].index()].outputs) {
      if (name.empty() || state_->lives.at(name).last_read <= k) continue;
      if (taken.insert(name).second) names.push_back(name);
    }
  }
  return names;
}

Result<Cut> Cutter::prefix(std::size_t k, const CutOptions& options) const {
  const std::size_t count = state_->order.size();
  if (k < 1 || k > count) {
    return Error{Errc::out_of_range, fmt::format("A prefix holds 1 to {} nodes, not {}.", count, k),
                 state_->model->path()};
  }
  const std::vector<std::string> outputs = frontier(k);
  if (outputs.empty()) {
    return Error{Errc::bad_request,
                 fmt::format("The first {} nodes give nothing that is read later.", k),
                 state_->model->path()};
  }
  try {
    Cut cut;
    const proto::ModelProto& from = state_->model->impl().message;
    proto::ModelProto message;
    copy_frame(from, message);
    proto::GraphProto& graph = *message.mutable_graph();
    graph.set_name(from.graph().name());
    const NameSet used = state_->used_by(k, outputs);
    state_->add_outputs(outputs, graph, cut);
    state_->add_surroundings(used, k, graph);
    for (std::size_t position = 0; position < k; ++position) {
      cut.nodes.push_back(state_->order[position]);
      *graph.add_node() = from.graph().node(static_cast<int>(cut.nodes.back().value));
    }
    NEUROLENS_TRY(state_->add_weights(used, options, graph, cut));
    if (state_->model->ir_version() >= 4) add_padding(options.padding, graph);
    NEUROLENS_TRY(state_->settle_tensors(graph, cut));
    const std::size_t size = message.ByteSizeLong();
    if (size > static_cast<std::size_t>(kMessageLimitBytes)) {
      return too_large_error(state_->model->path(), static_cast<std::int64_t>(size));
    }
    cut.bytes = message.SerializePartialAsString();
    return cut;
  } catch (const std::bad_alloc&) {
    return Error{Errc::out_of_memory, "There is not enough memory for this cut; free some.",
                 state_->model->path()};
  }
}

}  // namespace neurolens::onnx
