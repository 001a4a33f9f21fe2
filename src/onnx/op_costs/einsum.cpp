#include "op_costs/einsum.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "neurolens/base/text.hpp"

namespace neurolens::onnx::costs {
namespace {

using Labels = std::set<char>;

double space(const Labels& labels, const std::map<char, std::int64_t>& sizes) {
  double size = 1;
  for (const char label : labels) size *= static_cast<double>(sizes.at(label));
  return size;
}

struct Equation {
  std::vector<std::string> terms;
  Labels result;
};

bool parse_equation(std::string_view text, Equation& equation) {
  std::string dense(text);
  dense.erase(std::remove(dense.begin(), dense.end(), ' '), dense.end());
  const std::size_t arrow = dense.find("->");
  if (dense.empty() || dense.find('.') != std::string::npos) return false;
  const std::string left = dense.substr(0, arrow);
  for (const std::string_view term : split(left, ',')) equation.terms.emplace_back(term);
  if (arrow != std::string::npos) {
    const std::string right = dense.substr(arrow + 2);
    equation.result.insert(right.begin(), right.end());
    return true;
  }
  for (const char label : left) {  // implied: what appears once
    if (label != ',' && std::count(left.begin(), left.end(), label) == 1) {
      equation.result.insert(label);
    }
  }
  return true;
}

}  // namespace

bool count_einsum(std::string_view text, const std::vector<Dims>& operands, Count& count) {
  Equation equation;
  if (!parse_equation(text, equation) || equation.terms.size() != operands.size()) return false;
  std::map<char, std::int64_t> sizes;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if (equation.terms[i].size() != operands[i].size()) return false;
    for (std::size_t d = 0; d < operands[i].size(); ++d) {
      std::int64_t& size = sizes.try_emplace(equation.terms[i][d], 1).first->second;
      size = std::max(size, operands[i][d]);
    }
  }
  Labels left(equation.terms[0].begin(), equation.terms[0].end());
  if (operands.size() == 1) {
    const bool sums = std::any_of(left.begin(), left.end(),
                                  [&](char label) { return !equation.result.contains(label); });
    if (sums) count.vector = space(left, sizes);
    return true;
  }
  for (std::size_t i = 1; i < operands.size(); ++i) {
    Labels both = left;
    both.insert(equation.terms[i].begin(), equation.terms[i].end());
    Labels needed = equation.result;  // by the result and by the operands to come
    for (std::size_t j = i + 1; j < operands.size(); ++j) {
      needed.insert(equation.terms[j].begin(), equation.terms[j].end());
    }
    Labels kept;
    std::set_intersection(both.begin(), both.end(), needed.begin(), needed.end(),
                          std::inserter(kept, kept.end()));
    if (kept.size() < both.size()) {
      count.matrix += 2 * space(both, sizes);
    } else {
      count.vector += space(both, sizes);  // products without a sum
    }
    left = std::move(kept);
  }
  return true;
}

}  // namespace neurolens::onnx::costs
