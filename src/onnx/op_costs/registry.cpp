#include <functional>
#include <map>
#include <unordered_set>
#include <utility>

#include "neurolens/base/text.hpp"
#include "op_costs/formula.hpp"

namespace neurolens::onnx {
namespace costs {
namespace {

constexpr std::pair<std::string_view, std::string_view> kDomains[] = {
    {"ms:", "com.microsoft:"},
    {"nchwc:", "com.microsoft.nchwc:"},
    {"nhwc:", "com.ms.internal.nhwc:"},
};

std::string qualified(std::string_view short_name) {
  for (const auto& [prefix, domain] : kDomains) {
    if (!short_name.starts_with(prefix)) continue;
    return std::string(domain) + std::string(short_name.substr(prefix.size()));
  }
  return std::string(short_name);
}

std::vector<const Formula*> all_formulas() {
  std::vector<const Formula*> all;
  for (const auto table : {elementwise_formulas(), movement_formulas(), matrix_formulas(),
                           attention_formulas(), reduction_formulas(), quantized_formulas()}) {
    for (const Formula& formula : table) all.push_back(&formula);
  }
  return all;
}

std::map<std::string, const Formula*, std::less<>> make_index() {
  std::map<std::string, const Formula*, std::less<>> index;
  for (const Formula* formula : all_formulas()) {
    for (const std::string_view name : split(formula->operators, ' ')) {
      index.emplace(qualified(name), formula);
    }
  }
  return index;
}

std::optional<Bytes> bytes_of(const ObservedTensor* tensor) {
  if (tensor == nullptr) return std::nullopt;
  const auto count = element_count(tensor->dims);
  return count ? packed_size(tensor->type, *count) : std::nullopt;
}

/// Sums that become null with the first part that is not known.
void add(std::optional<Bytes>& sum, const std::optional<Bytes>& part) {
  if (sum && part) {
    *sum += *part;
  } else {
    sum.reset();
  }
}

void add_traffic(const View& view, Traffic traffic, OpCost& cost) {
  cost.weight_bytes = Bytes{};
  cost.activation_bytes = Bytes{};
  if (traffic == Traffic::none) return;
  const Node& node = view.node();
  std::unordered_set<std::string_view> seen;
  for (std::size_t i = 0; i < node.inputs.size() && traffic != Traffic::written; ++i) {
    if (node.inputs[i].empty() || !seen.insert(node.inputs[i]).second) continue;
    const bool only_taken = traffic == Traffic::taken && i == 0;
    add(view.weight(i) ? cost.weight_bytes : cost.activation_bytes,
        bytes_of(only_taken ? view.out(0) : view.in(i)));
  }
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (!node.outputs[i].empty()) add(cost.activation_bytes, bytes_of(view.out(i)));
  }
}

std::string describe_traffic(Traffic traffic) {
  switch (traffic) {
    case Traffic::none:
      return "0";
    case Traffic::taken:
      return "what is taken, twice, + the other inputs";
    case Traffic::written:
      return "out";
    case Traffic::all:
      break;
  }
  return "in + out";
}

}  // namespace

double product(std::span<const std::int64_t> dims) {
  double size = 1;
  for (const std::int64_t dim : dims) size *= static_cast<double>(dim);
  return size;
}

const Formula* find_formula(std::string_view name) {
  static const auto index = make_index();
  const auto found = index.find(name);
  return found == index.end() ? nullptr : found->second;
}

}  // namespace costs

std::optional<Flops> OpCost::flops() const {
  if (!matrix_flops || !vector_flops) return std::nullopt;
  return *matrix_flops + *vector_flops;
}

std::optional<Bytes> OpCost::bytes() const {
  if (!weight_bytes || !activation_bytes) return std::nullopt;
  return *weight_bytes + *activation_bytes;
}

OpCost op_cost(const Node& node, const OpContext& context) {
  OpCost cost;
  const costs::Formula* formula = costs::find_formula(node.qualified_type());
  if (formula == nullptr) return cost;
  const costs::View view(node, context);
  cost.formula_id = formula->id;
  cost.assumptions = formula->assumptions;
  costs::Count count;
  constexpr double kLargest = 4e18;
  if (formula->count(view, *formula, count) && count.matrix < kLargest && count.vector < kLargest) {
    cost.matrix_flops = Flops{static_cast<std::int64_t>(count.matrix)};
    cost.vector_flops = Flops{static_cast<std::int64_t>(count.vector)};
    cost.transcendental_ops = static_cast<std::int64_t>(count.transcendental);
  }
  costs::add_traffic(view, formula->traffic, cost);
  return cost;
}

std::vector<OpFormula> op_formulas() {
  std::vector<OpFormula> out;
  for (const costs::Formula* formula : costs::all_formulas()) {
    OpFormula entry{std::string(formula->id),
                    std::string(formula->flops),
                    costs::describe_traffic(formula->traffic),
                    std::string(formula->assumptions),
                    {}};
    const bool per_element = formula->flops.ends_with(" N") || formula->flops == "N";
    if (formula->transcendental > 0 && per_element) {
      entry.flops += formula->transcendental > 1
                         ? ", " + shortest(formula->transcendental) + " N transcendental"
                         : ", N transcendental";
    }
    for (const std::string_view name : split(formula->operators, ' ')) {
      entry.operators.push_back(costs::qualified(name));
    }
    out.push_back(std::move(entry));
  }
  return out;
}

}  // namespace neurolens::onnx
