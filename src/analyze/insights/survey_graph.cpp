// Facts from the dataflow: chains that could be one op, conversions that undo each other, work that
// is done twice or needs no input.
#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "align/plan_view.hpp"
#include "neurolens/analyze/critical_path.hpp"
#include "scene.hpp"

namespace neurolens::analyze {
namespace {

bool is_element_wise(std::string_view type) {
  static constexpr std::array<std::string_view, 34> kTypes{
      "Add",         "Sub",        "Mul",
      "Div",         "Relu",       "LeakyRelu",
      "PRelu",       "Clip",       "Sigmoid",
      "Tanh",        "Gelu",       "FastGelu",
      "QuickGelu",   "BiasGelu",   "Erf",
      "Exp",         "Log",        "Sqrt",
      "Pow",         "Abs",        "Neg",
      "Elu",         "Selu",       "Softplus",
      "HardSigmoid", "HardSwish",  "Mish",
      "Where",       "Not",        "And",
      "Cast",        "Reciprocal", "BatchNormalization",
      "Silu"};
  return std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

bool can_lead(std::string_view type) {
  static constexpr std::array<std::string_view, 8> kTypes{
      "Conv",        "ConvTranspose",      "Gemm",    "MatMul",
      "FusedMatMul", "LayerNormalization", "Softmax", "MatMulInteger"};
  return is_element_wise(type) || std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

/// Conversions that turn back what a producer of the paired type did.
bool turns_back(std::string_view producer, std::string_view consumer) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kPairs{
      {{"Transpose", "Transpose"},
       {"Cast", "Cast"},
       {"DequantizeLinear", "QuantizeLinear"},
       {"QuantizeLinear", "DequantizeLinear"},
       {"ReorderOutput", "ReorderInput"},
       {"ReorderInput", "ReorderOutput"}}};
  return std::find(kPairs.begin(), kPairs.end(), std::pair(producer, consumer)) != kPairs.end();
}

class GraphSurvey {
 public:
  GraphSurvey(const InsightInput& input, Surroundings& out)
      : run_(input.run),
        summary_(input.summary),
        links_(links_of(input.run)),
        ops_(static_cast<std::uint32_t>(run_.ops.size())),
        edges_(input.edges),
        out_(out),
        time_(run_.ops.size()) {
    for (const auto& op : summary_.ops) time_[op.op.index()] = op.time_ns;
  }

  void all() {
    if (links_.consumers.items.empty()) return;  // no names, no graph
    chains();
    for (std::uint32_t op = 0; op < ops_; ++op) {
      const auto* first = links_.producers.first(op);
      if (first == links_.producers.last(op)) continue;
      const run::Op& producer = run_.ops[*first];
      out_.ops[op].producer_name = producer.name;
      out_.ops[op].undoes_producer =
          links_.producers.last(op) - first == 1 && consumers(*first) == 1 &&
          turns_back(producer.type, run_.ops[op].type) && shape_survives(*first, op);
    }
    duplicates();
    constants();
    const auto path = critical_path(run_, summary_, edges_ != nullptr ? *edges_ : dataflow(run_));
    if (path && path->time_ns > 0) out_.run.parallelism = path->total_ns / path->time_ns;
  }

 private:
  [[nodiscard]] std::size_t consumers(std::uint32_t op) const {
    return static_cast<std::size_t>(links_.consumers.last(op) - links_.consumers.first(op));
  }

  /// Two transposes or casts only cancel when what comes out has the type and shape that went in.
  [[nodiscard]] bool shape_survives(std::uint32_t producer, std::uint32_t consumer) const {
    const auto& in = run_.ops[producer].inputs;
    const auto& out = run_.ops[consumer].outputs;
    return !in.empty() && !out.empty() && in[0].shape && in[0].shape == out[0].shape &&
           in[0].dtype == out[0].dtype;
  }

  /// Follows single consumers that are element-wise; only the head of a chain is marked.
  void chains() {
    std::vector<bool> member(ops_);
    for (std::uint32_t head = 0; head < ops_; ++head) {
      if (member[head] || !can_lead(run_.ops[head].type)) continue;
      OpFacts& facts = out_.ops[head];
      facts.chain_text = run_.ops[head].type;
      std::uint32_t at = head;
      while (consumers(at) == 1) {
        const std::uint32_t next = *links_.consumers.first(at);
        if (next <= at || member[next] || !is_element_wise(run_.ops[next].type)) break;
        if (run_.ops[next].provider != run_.ops[head].provider) break;
        member[next] = true;
        at = next;
        ++facts.chain_length;
        facts.chain_ns += time_[next];
        if (facts.chain_length <= 8) facts.chain_text += " > " + run_.ops[next].type;
      }
    }
  }

  void duplicates() {
    std::unordered_map<std::string, std::uint32_t> seen;
    for (std::uint32_t op = 0; op < ops_; ++op) {
      const run::Op& row = run_.ops[op];
      if (!row.attributes_hash || row.inputs.empty() || row.type.starts_with("Random")) continue;
      std::string key = row.type + '\n' + *row.attributes_hash;
      bool named = true;
      for (const auto& input : row.inputs) {
        named = named && input.name && !input.name->empty();
        if (input.name) key += '\n' + *input.name;
      }
      if (!named) continue;
      const auto [first, added] = seen.try_emplace(std::move(key), op);
      if (!added) out_.ops[op].duplicate_of = run_.ops[first->second].name;
    }
  }

  void constants() {
    std::unordered_set<std::string_view> varying;
    for (const auto& input : run_.workload.inputs) {
      if (!input.name) return;
      varying.insert(*input.name);
    }
    // Without an op that reads an input of the workload the names do not tell what varies.
    if (!std::any_of(run_.ops.begin(), run_.ops.end(), [&](const auto& op) {
          return std::any_of(op.inputs.begin(), op.inputs.end(), [&](const auto& input) {
            return input.name && varying.contains(*input.name);
          });
        }))
      return;
    for (std::uint32_t op = 0; op < ops_; ++op) {
      const run::Op& row = run_.ops[op];
      bool constant = !row.inputs.empty() && !row.outputs.empty();
      for (const auto& input : row.inputs)
        constant = constant && input.name && !varying.contains(*input.name);
      if (constant) {
        out_.ops[op].constant = true;
        out_.run.constant_ns += time_[op];
        ++out_.run.constant_count;
        continue;
      }
      for (const auto& output : row.outputs) {
        if (output.name) varying.insert(*output.name);
      }
    }
  }

  const run::Run& run_;
  const Summary& summary_;
  Links links_;
  std::uint32_t ops_;
  const std::vector<DataflowEdge>* edges_;
  Surroundings& out_;
  std::vector<double> time_;
};

}  // namespace

void survey_graph(const InsightInput& input, Surroundings& out) {
  GraphSurvey(input, out).all();
}

}  // namespace neurolens::analyze
