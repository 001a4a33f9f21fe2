#include "inputs/value_rules.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <set>
#include <string_view>

namespace neurolens::capture {
namespace {

using Dims = std::vector<std::int64_t>;

/// What a rule looks at: the op, and the sizes around it.
struct Site {
  const onnx::Node& node;
  const ShapeTable& shapes;
  std::size_t position;  // of the input that is asked about
  std::int64_t length;   // elements of that input; -1 when not known

  [[nodiscard]] std::optional<Dims> in(std::size_t index) const {
    return index < node.inputs.size() ? shapes.dims(node.inputs[index]) : std::nullopt;
  }
  [[nodiscard]] std::optional<Dims> out(std::size_t index = 0) const {
    return index < node.outputs.size() ? shapes.dims(node.outputs[index]) : std::nullopt;
  }
  /// Size of input `index` along `axis` (negative counts from the end), or `fallback`.
  [[nodiscard]] std::int64_t size(const std::optional<Dims>& dims, std::int64_t axis,
                                  std::int64_t fallback) const {
    if (!dims) return fallback;
    const auto rank = static_cast<std::int64_t>(dims->size());
    if (axis < 0) axis += rank;
    if (axis < 0 || axis >= rank) return fallback;
    const auto size = (*dims)[static_cast<std::size_t>(axis)];
    return size > 0 ? size : fallback;
  }
};

using Rule = std::function<std::optional<ValueRule>(const Site&)>;

ValueRule below(std::int64_t bound) {
  return {0, static_cast<double>(std::max<std::int64_t>(bound, 1)), {}};
}
ValueRule exactly(std::vector<double> values) {
  return {0, 1, std::move(values)};
}
ValueRule exactly(const Dims& values) {
  return {0, 1, std::vector<double>(values.begin(), values.end())};
}
ValueRule counting(std::int64_t count) {
  std::vector<double> values(static_cast<std::size_t>(std::max<std::int64_t>(count, 1)));
  std::iota(values.begin(), values.end(), 0.0);
  return exactly(std::move(values));
}
bool complete(const std::optional<Dims>& dims) {
  return dims && std::all_of(dims->begin(), dims->end(), [](std::int64_t d) { return d >= 0; });
}
Rule always(ValueRule rule) {
  return [rule](const Site&) { return std::optional(rule); };
}
const ValueRule kPositive{0.1, 1, {}};

ValueRule index_along_axis(const Site& site) {
  return below(site.size(site.in(0), site.node.integer_or("axis", 0), 1));
}

/// Coordinates of GatherND and ScatterND: the smallest of the indexed sizes bounds them all.
ValueRule coordinates(const Site& site) {
  const auto data = site.in(0);
  const auto indices = site.in(1);
  if (!data || !indices || indices->empty()) return below(1);
  const auto first = site.node.integer_or("batch_dims", 0);
  std::int64_t bound = 1 << 30;
  for (std::int64_t i = first; i < first + std::max<std::int64_t>(indices->back(), 1); ++i) {
    bound = std::min(bound, site.size(data, i, 1));
  }
  return below(bound);
}

/// The output's declared shape, or ones.
ValueRule output_shape(const Site& site) {
  const auto out = site.out();
  if (complete(out) && (site.length < 0 || static_cast<std::int64_t>(out->size()) == site.length))
    return exactly(*out);
  return exactly(std::vector<double>{1});
}

ValueRule reshape_target(const Site& site) {
  const auto out = site.out();
  const auto count = [](const Dims& dims) {
    return std::accumulate(dims.begin(), dims.end(), std::int64_t{1}, std::multiplies<>());
  };
  const auto in = site.in(0);
  const bool fits = complete(out) && (!complete(in) || count(*in) == count(*out)) &&
                    (site.length < 0 || static_cast<std::int64_t>(out->size()) == site.length);
  if (fits) return exactly(*out);
  std::vector<double> target(static_cast<std::size_t>(std::max<std::int64_t>(site.length, 1)), 1);
  target[0] = -1;
  return exactly(std::move(target));
}

/// out / in per dimension (Tile, Resize scales), or ones.
ValueRule output_over_input(const Site& site) {
  const auto in = site.in(0);
  const auto out = site.out();
  if (!complete(in) || !complete(out) || in->size() != out->size())
    return exactly(std::vector<double>{1});
  std::vector<double> ratio;
  for (std::size_t i = 0; i < in->size(); ++i) {
    ratio.push_back((*in)[i] == 0 ? 1
                                  : static_cast<double>((*out)[i]) / static_cast<double>((*in)[i]));
  }
  return exactly(std::move(ratio));
}

ValueRule pads(const Site& site) {
  const auto in = site.in(0);
  const auto out = site.out();
  std::vector<double> values(static_cast<std::size_t>(std::max<std::int64_t>(site.length, 1)), 0);
  if (complete(in) && complete(out) && in->size() == out->size() &&
      values.size() == 2 * in->size()) {
    for (std::size_t i = 0; i < in->size(); ++i) {
      values[in->size() + i] = static_cast<double>(std::max<std::int64_t>((*out)[i] - (*in)[i], 0));
    }
  }
  return exactly(std::move(values));
}

ValueRule slice_ends(const Site& site) {
  const auto out = site.out();
  const auto in = site.in(0);
  std::vector<double> ends;
  for (std::int64_t i = 0; i < std::max<std::int64_t>(site.length, 1); ++i) {
    ends.push_back(
        static_cast<double>(std::max<std::int64_t>(site.size(out, i, site.size(in, i, 1)), 1)));
  }
  return exactly(std::move(ends));
}

ValueRule squeeze_axes(const Site& site) {
  std::vector<double> axes;
  if (const auto in = site.in(0)) {
    for (std::size_t i = 0; i < in->size() && static_cast<std::int64_t>(axes.size()) <
                                                  std::max<std::int64_t>(site.length, 1);
         ++i) {
      if ((*in)[i] == 1) axes.push_back(static_cast<double>(i));
    }
  }
  if (axes.empty()) axes.push_back(0);
  return exactly(std::move(axes));
}

/// Axes that are reduced: those where the output shrinks, or the first ones.
ValueRule reduced_axes(const Site& site) {
  const auto in = site.in(0);
  const auto out = site.out();
  std::vector<double> axes;
  if (in && out && in->size() == out->size()) {
    for (std::size_t i = 0; i < in->size(); ++i) {
      if ((*in)[i] != (*out)[i]) axes.push_back(static_cast<double>(i));
    }
  }
  if (static_cast<std::int64_t>(axes.size()) == site.length) return exactly(std::move(axes));
  return counting(site.length);
}

/// As in Site::size(), but a size of 0 is a size.
std::int64_t exact_size(const std::optional<Dims>& dims, std::int64_t axis) {
  if (!dims) return -1;
  if (axis < 0) axis += static_cast<std::int64_t>(dims->size());
  if (axis < 0 || axis >= static_cast<std::int64_t>(dims->size())) return -1;
  return (*dims)[static_cast<std::size_t>(axis)];
}

ValueRule split_sizes(const Site& site) {
  const auto axis = site.node.integer_or("axis", 0);
  const auto total = exact_size(site.in(0), axis);
  const auto count = std::max<std::int64_t>(site.length, 1);
  Dims parts;
  for (std::size_t i = 0; i < site.node.outputs.size(); ++i) {
    parts.push_back(exact_size(site.out(i), axis));
  }
  const bool known = std::none_of(parts.begin(), parts.end(), [](std::int64_t p) { return p < 0; });
  const auto sum = std::accumulate(parts.begin(), parts.end(), std::int64_t{0});
  if (known && sum == total && static_cast<std::int64_t>(parts.size()) == count) {
    return exactly(parts);
  }
  const auto whole = std::max<std::int64_t>(total, total < 0 ? count : 0);
  parts.assign(static_cast<std::size_t>(count), whole / count);
  parts.back() += whole % count;
  return exactly(parts);
}

ValueRule roi(const Site& site) {
  std::vector<double> values(static_cast<std::size_t>(std::max<std::int64_t>(site.length, 2)), 0);
  std::fill(values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end(), 1);
  return exactly(std::move(values));
}

ValueRule class_label(const Site& site) {
  return below(site.size(site.in(0), 1, 1));
}

ValueRule full_length(const Site& site) {
  const auto axis = site.node.op_type == "ReverseSequence" ? site.node.integer_or("time_axis", 0)
                                                           : site.node.integer_or("layout", 0);
  return exactly(std::vector<double>{static_cast<double>(site.size(site.in(0), axis, 1))});
}

/// A block of Col2Im that fits the declared output.
ValueRule column_block(const Site& site) {
  const auto in = site.in(0);
  const auto out = site.out();
  std::vector<double> block(static_cast<std::size_t>(std::max<std::int64_t>(site.length, 1)), 1);
  if (complete(in) && complete(out) && in->size() > 1 && out->size() > 1 && (*out)[1] > 0) {
    block.back() = static_cast<double>((*in)[1] / (*out)[1]);
  }
  return exactly(std::move(block));
}

ValueRule trailing_output(const Site& site) {
  const auto out = site.out();
  const auto length = static_cast<std::size_t>(std::max<std::int64_t>(site.length, 1));
  if (!complete(out) || out->size() < length) return exactly(std::vector<double>{1});
  return exactly(Dims(out->end() - static_cast<std::ptrdiff_t>(length), out->end()));
}

ValueRule cropped_shape(const Site& site) {
  const auto& axes = site.node.integers("axes");
  if (axes.empty()) return output_shape(site);
  Dims sizes;
  for (const auto axis : axes) sizes.push_back(site.size(site.out(), axis, 1));
  return exactly(sizes);
}

/// Every op whose inputs bind each other; (op, input) -> rule. The domain does not matter: the
/// names below mean the same in every one that has them.
const std::map<std::pair<std::string_view, std::size_t>, Rule>& rules() {
  static const std::map<std::pair<std::string_view, std::size_t>, Rule> kRules = [] {
    std::map<std::pair<std::string_view, std::size_t>, Rule> r;
    const auto one = [](double value) { return always(exactly(std::vector<double>{value})); };
    for (const char* op : {"Gather", "GatherElements", "ScatterElements", "Scatter"})
      r[{op, 1}] = index_along_axis;
    for (const char* op : {"GatherND", "ScatterND"}) r[{op, 1}] = coordinates;
    r[{"EmbedLayerNormalization", 0}] = [](const Site& s) { return below(s.size(s.in(2), 0, 1)); };
    r[{"EmbedLayerNormalization", 1}] = [](const Site& s) { return below(s.size(s.in(4), 0, 1)); };
    r[{"EmbedLayerNormalization", 7}] = one(1);
    r[{"OneHot", 1}] = [](const Site& s) {
      return exactly(std::vector<double>{
          static_cast<double>(s.size(s.out(), s.node.integer_or("axis", -1), 2))});
    };
    r[{"TopK", 1}] = [](const Site& s) {
      return exactly(std::vector<double>{
          static_cast<double>(s.size(s.out(), s.node.integer_or("axis", -1), 1))});
    };
    r[{"Reshape", 1}] = reshape_target;
    for (const char* op : {"Expand", "AffineGrid"}) r[{op, 1}] = output_shape;
    r[{"ConstantOfShape", 0}] = output_shape;
    r[{"MaxUnpool", 2}] = output_shape;
    r[{"Tile", 1}] = output_over_input;
    r[{"Upsample", 1}] = output_over_input;
    r[{"Resize", 1}] = [](const Site& s) {
      return s.node.inputs.size() == 2 ? output_over_input(s) : roi(s);
    };
    r[{"Resize", 2}] = output_over_input;
    r[{"Resize", 3}] = output_shape;
    r[{"Pad", 1}] = pads;
    r[{"Pad", 3}] = [](const Site& s) { return counting(s.length); };
    r[{"CenterCropPad", 1}] = cropped_shape;
    r[{"Slice", 1}] = one(0);
    r[{"Slice", 2}] = slice_ends;
    r[{"Slice", 3}] = [](const Site& s) { return counting(s.length); };
    r[{"Slice", 4}] = one(1);
    r[{"Unsqueeze", 1}] = [](const Site& s) { return counting(s.length); };
    r[{"Squeeze", 1}] = squeeze_axes;
    for (const char* op :
         {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
          "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"}) {
      r[{op, 1}] = reduced_axes;
    }
    r[{"Split", 1}] = split_sizes;
    r[{"SplitToSequence", 1}] = [](const Site& s) {
      return s.length <= 1 ? exactly(std::vector<double>{1}) : split_sizes(s);
    };
    r[{"Range", 0}] = one(0);
    r[{"Range", 1}] = [](const Site& s) {
      return exactly(std::vector<double>{static_cast<double>(s.size(s.out(), 0, 4))});
    };
    r[{"Range", 2}] = one(1);
    for (const char* op : {"CumSum", "CumProd", "Trilu", "SequenceAt", "SequenceErase"})
      r[{op, 1}] = one(0);
    r[{"SequenceInsert", 2}] = one(0);
    r[{"NonMaxSuppression", 2}] = one(3);
    r[{"NonMaxSuppression", 3}] = one(0.5);
    r[{"NonMaxSuppression", 4}] = one(0);
    r[{"Loop", 0}] = one(3);
    r[{"Loop", 1}] = one(1);
    r[{"Clip", 1}] = one(-0.5);
    r[{"Clip", 2}] = one(0.5);
    r[{"Dropout", 1}] = one(0.5);
    r[{"Dropout", 2}] = one(0);
    r[{"BatchNormalization", 4}] = always(kPositive);
    for (const char* op : {"Sqrt", "Log", "Reciprocal"}) r[{op, 0}] = always(kPositive);
    for (const char* op : {"LSTM", "GRU", "RNN"}) r[{op, 4}] = full_length;
    r[{"ReverseSequence", 1}] = full_length;
    for (const char* op : {"SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"})
      r[{op, 1}] = class_label;
    for (const char* op : {"QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul"})
      r[{op, 1}] = always(kPositive);
    for (const char* op : {"QLinearConv", "QLinearMatMul"}) {
      r[{op, 4}] = always(kPositive);
      r[{op, 6}] = always(kPositive);
    }
    for (const char* op : {"Div", "Mod"}) r[{op, 1}] = always({1, 5, {}});
    r[{"Pow", 1}] = always({0, 3, {}});
    r[{"RoiAlign", 2}] = [](const Site& s) { return below(s.size(s.in(0), 0, 1)); };
    for (const char* op : {"HannWindow", "HammingWindow", "BlackmanWindow"}) {
      r[{op, 0}] = [](const Site& s) {
        return exactly(std::vector<double>{static_cast<double>(s.size(s.out(), 0, 10))});
      };
    }
    r[{"MelWeightMatrix", 0}] = one(8);
    r[{"MelWeightMatrix", 1}] = one(16);
    r[{"MelWeightMatrix", 2}] = one(8192);
    r[{"MelWeightMatrix", 3}] = one(0);
    r[{"MelWeightMatrix", 4}] = one(4096);
    r[{"DFT", 1}] = [](const Site& s) {
      return exactly(std::vector<double>{
          static_cast<double>(s.size(s.in(0), s.node.integer_or("axis", 1), 1))});
    };
    r[{"DFT", 2}] = one(1);
    r[{"STFT", 1}] = one(8);
    r[{"STFT", 3}] = one(16);
    r[{"Col2Im", 1}] = trailing_output;
    r[{"Col2Im", 2}] = column_block;
    for (const char* op : {"RotaryEmbedding"}) {
      r[{op, 1}] = [](const Site& s) { return below(s.size(s.in(2), 0, 1)); };
      r[{op, 3}] = [](const Site& s) { return below(s.size(s.in(1), 0, 1)); };
    }
    r[{"GroupQueryAttention", 5}] = [](const Site& s) {
      return exactly(std::vector<double>{static_cast<double>(s.size(s.in(0), 1, 1) - 1)});
    };
    r[{"GroupQueryAttention", 6}] = [](const Site& s) {
      return exactly(std::vector<double>{static_cast<double>(s.size(s.in(0), 1, 1))});
    };
    return r;
  }();
  return kRules;
}

/// Ops that hand the values of input 0 on.
bool passes_through(std::string_view op) {
  static const std::set<std::string_view> kOps{
      "Cast",     "Identity", "Reshape",   "Unsqueeze",
      "Squeeze",  "Flatten",  "Transpose", "Expand",
      "Slice",    "Tile",     "Concat",    "Split",
      "CastLike", "Gather",   "Optional",  "OptionalGetElement"};
  return kOps.count(op) != 0;
}

class Search {
 public:
  explicit Search(const ShapeTable& shapes) : shapes_(shapes) {}

  void visit(const onnx::Graph& graph, const std::string& tensor, int depth, bool reshaped) {
    if (depth > kDepth || !seen_.emplace(&graph, tensor).second) return;
    for (const auto& node : graph.nodes) {
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        if (node.inputs[i] == tensor) consume(graph, node, i, depth, reshaped);
      }
      for (const auto& attribute : node.attributes) {
        for (const auto& body : attribute.graphs) visit(body, tensor, depth + 1, reshaped);
      }
    }
  }
  [[nodiscard]] std::optional<ValueRule> rule() const { return rule_; }

 private:
  static constexpr int kDepth = 12;

  void consume(const onnx::Graph& graph, const onnx::Node& node, std::size_t position, int depth,
               bool reshaped) {
    const auto hit = rules().find({node.op_type, position});
    if (hit != rules().end()) {
      const auto dims = shapes_.dims(node.inputs[position]);
      std::int64_t length = -1;
      if (complete(dims))
        length = std::accumulate(dims->begin(), dims->end(), std::int64_t{1}, std::multiplies<>());
      if (auto found = hit->second(Site{node, shapes_, position, length})) merge(*found, reshaped);
    }
    if (passes_through(node.op_type) && (position == 0 || node.op_type == "Concat")) {
      const bool changes = reshaped || node.op_type == "Concat" || node.op_type == "Slice" ||
                           node.op_type == "Gather";
      for (const auto& output : node.outputs) {
        if (!output.empty()) visit(graph, output, depth + 1, changes);
      }
    }
  }

  /// Two consumers: the values must suit both.
  void merge(const ValueRule& other, bool reshaped) {
    // A list of exact values means nothing to a piece of it.
    if (reshaped && other.exact.size() > 1) return;
    if (!rule_ || (rule_->exact.empty() && !other.exact.empty())) {
      rule_ = other;
    } else if (rule_->exact.empty()) {
      rule_->low = std::max(rule_->low, other.low);
      rule_->high = std::max(rule_->low + 1e-3, std::min(rule_->high, other.high));
    }
  }

  const ShapeTable& shapes_;
  std::set<std::pair<const onnx::Graph*, std::string>> seen_;
  std::optional<ValueRule> rule_;
};

}  // namespace

ShapeTable::ShapeTable(const onnx::Graph& graph, const std::vector<InputSpec>& inputs,
                       const ResolvedShapes& shapes) {
  const auto declared = [&](const std::vector<onnx::Value>& values) {
    for (const auto& value : values) {
      if (!value.type.shape) continue;
      Dims dims;
      for (const auto& dim : *value.type.shape) {
        const auto symbol = shapes.symbols.find(dim.symbol);
        dims.push_back(dim.fixed()                      ? *dim.value
                       : symbol != shapes.symbols.end() ? symbol->second
                                                        : -1);
      }
      dims_[value.name] = std::move(dims);
    }
  };
  declared(graph.values);
  declared(graph.outputs);
  for (const auto& tensor : graph.initializers) dims_[tensor.name] = tensor.dims;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].type.is_tensor()) dims_[inputs[i].name] = shapes.dims[i];
  }
}

std::optional<Dims> ShapeTable::dims(const std::string& tensor) const {
  const auto hit = dims_.find(tensor);
  return hit == dims_.end() ? std::nullopt : std::optional(hit->second);
}

std::optional<ValueRule> value_rule(const onnx::Graph& graph, const ShapeTable& shapes,
                                    const std::string& input) {
  Search search(shapes);
  search.visit(graph, input, 0, false);
  return search.rule();
}

}  // namespace neurolens::capture
