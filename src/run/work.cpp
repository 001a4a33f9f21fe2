#include "neurolens/run/work.hpp"

namespace neurolens::run {
namespace {

std::optional<std::int64_t> both(const std::optional<std::int64_t>& a,
                                 const std::optional<std::int64_t>& b) {
  return a && b ? std::optional(*a + *b) : std::nullopt;
}

std::optional<double> total(const Run& run, std::optional<std::int64_t> (*of)(const Cost&)) {
  double sum = 0;
  for (const auto& op : run.ops) {
    const auto one = of(op.cost);
    if (!one) return {};
    sum += static_cast<double>(*one);
  }
  return sum;
}

}  // namespace

std::optional<std::int64_t> flops_of(const Cost& cost) {
  return both(cost.matrix_flops, cost.vector_flops);
}

std::optional<std::int64_t> bytes_of(const Cost& cost) {
  return both(cost.activation_bytes, cost.weight_bytes);
}

std::optional<double> flops_of(const Run& run) {
  return total(run, &flops_of);
}

std::optional<double> bytes_of(const Run& run) {
  return total(run, &bytes_of);
}

}  // namespace neurolens::run
