#include "adapters/onnxruntime/feeds.hpp"

#include <fmt/format.h>

#include <map>

#include "inputs/generate.hpp"
#include "inputs/value_rules.hpp"
#include "neurolens/base/text.hpp"

namespace neurolens::capture::ort {
namespace {

constexpr std::size_t kSequenceLength = 3;
constexpr std::int64_t kMapEntries = 3;

using Given = std::map<std::string, onnx::Tensor>;

Result<Given> read_given(const std::vector<Port>& ports, const CaptureRequest& request) {
  Given out;
  for (const auto& [name, path] : request.inputs) {
    NEUROLENS_ASSIGN(auto tensor, read_input_file(path));
    for (const auto& port : ports) {
      if (port.name != name) continue;
      const onnx::TypeInfo* type = tensor_inside(port.type);
      if (type == nullptr || port.type.kind == onnx::TypeKind::sequence) {
        return Error{Errc::wrong_type,
                     fmt::format("Input \"{}\" is a {}; a file can only hold a tensor.",
                                 printable(name), printable(onnx::describe(port.type))),
                     path};
      }
      if (type->element != tensor.type) {
        return Error{Errc::wrong_type,
                     fmt::format("Input \"{}\" needs elements of type {}, but the file holds {}.",
                                 printable(name), onnx::to_string(type->element),
                                 onnx::to_string(tensor.type)),
                     path};
      }
    }
    out.emplace(name, std::move(tensor));
  }
  return out;
}

/// One value for one input; `dims` are those of the tensor inside.
class Filler {
 public:
  Filler(const CaptureRequest& request, const Given& given, Filling filling)
      : request_(request), given_(given), filling_(filling) {}

  Result<Feed> fill(const Port& port, std::size_t index, const std::vector<std::int64_t>& dims,
                    const std::optional<ValueRule>& rule) const {
    Feed feed;
    if (const auto hit = given_.find(port.name); hit != given_.end()) {
      feed.tensors.push_back(hit->second);
      return feed;
    }
    const onnx::TypeInfo* type = &port.type;
    if (type->kind == onnx::TypeKind::optional && !type->inner.empty()) type = &type->inner.front();
    const std::uint64_t seed = request_.seed * 0x9E3779B97F4A7C15ULL + index;
    if (type->kind == onnx::TypeKind::tensor) {
      NEUROLENS_ASSIGN(auto tensor,
                       generate_tensor(port.name, type->element, dims, rule, filling_, seed));
      feed.tensors.push_back(std::move(tensor));
      return feed;
    }
    if (type->kind == onnx::TypeKind::sequence && !type->inner.empty() &&
        type->inner.front().is_tensor()) {
      feed.kind = onnx::TypeKind::sequence;
      for (std::size_t i = 0; i < kSequenceLength; ++i) {
        NEUROLENS_ASSIGN(auto tensor, generate_tensor(port.name, type->inner.front().element, dims,
                                                      rule, filling_, seed + 1000 * i));
        feed.tensors.push_back(std::move(tensor));
      }
      return feed;
    }
    if (type->kind == onnx::TypeKind::map && !type->inner.empty() &&
        type->inner.front().is_tensor()) {
      feed.kind = onnx::TypeKind::map;
      const ValueRule keys{0, 1, {0, 1, 2}};
      for (const auto element : {type->key, type->inner.front().element}) {
        NEUROLENS_ASSIGN(auto tensor,
                         generate_tensor(port.name, element, {kMapEntries}, keys, filling_, seed));
        feed.tensors.push_back(std::move(tensor));
      }
      return feed;
    }
    return Error{Errc::refused,
                 fmt::format("Input \"{}\" is a {}, which neurolens cannot feed.",
                             printable(port.name), printable(onnx::describe(port.type))),
                 {}};
  }

 private:
  const CaptureRequest& request_;
  const Given& given_;
  Filling filling_;
};

std::string shapes_text(const std::vector<Port>& ports, const ResolvedShapes& shapes) {
  std::string out;
  for (std::size_t i = 0; i < ports.size() && i < 8; ++i) {
    out += fmt::format("{}{}={}", i == 0 ? "" : ", ", printable(ports[i].name),
                       describe_dims(shapes.dims[i]));
  }
  return out;
}

}  // namespace

Result<PreparedFeeds> prepare_feeds(const std::shared_ptr<const Library>& library,
                                    RuntimeSession& session, const onnx::Graph* graph,
                                    const CaptureRequest& request) {
  const auto& ports = session.inputs();
  std::vector<InputSpec> specs;
  for (const auto& port : ports) specs.push_back({port.name, port.type});
  NEUROLENS_ASSIGN(const auto given, read_given(ports, request));
  std::map<std::string, std::vector<std::int64_t>> given_dims;
  for (const auto& [name, tensor] : given) given_dims[name] = tensor.dims;

  PreparedFeeds out;
  NEUROLENS_ASSIGN(out.shapes, resolve_shapes(specs, request, given_dims));
  std::vector<std::optional<ValueRule>> rules(ports.size());
  if (graph != nullptr) {
    const ShapeTable table(*graph, specs, out.shapes);
    for (std::size_t i = 0; i < ports.size(); ++i)
      rules[i] = value_rule(*graph, table, ports[i].name);
  }
  std::optional<Error> first;
  for (const Filling filling : {Filling::generated, Filling::zeros, Filling::ones}) {
    const Filler filler(request, given, filling);
    std::vector<Feed> feeds;
    for (std::size_t i = 0; i < ports.size(); ++i) {
      NEUROLENS_ASSIGN(auto feed, filler.fill(ports[i], i, out.shapes.dims[i], rules[i]));
      feeds.push_back(std::move(feed));
    }
    NEUROLENS_ASSIGN(out.set, FeedSet::create(library, ports, std::move(feeds)));
    const auto trial = session.run(out.set);
    if (trial.ok()) {
      if (filling != Filling::generated) {
        out.notes.push_back(
            fmt::format("The runtime refused the generated inputs ({}); integers without a known "
                        "meaning were set to {}.",
                        first->message, filling == Filling::zeros ? 0 : 1));
      }
      return out;
    }
    if (!first) first = trial.error();
    if (ports.empty()) break;
  }
  first->message = fmt::format(
      "The runtime refused the inputs ({}): {} Give --shape or --input if that is not what the "
      "model wants.",
      shapes_text(ports, out.shapes), first->message);
  return *first;
}

}  // namespace neurolens::capture::ort
