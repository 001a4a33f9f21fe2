#include "compare/blocks.hpp"

#include <algorithm>

namespace neurolens::analyze {
namespace {

double median_of(std::vector<double>& values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*std::max_element(values.begin(), middle) + *middle) / 2;
}

}  // namespace

SettledSamples::SettledSamples(const run::Run& run) : run_(&run) {
  const auto& iterations = run.samples.iterations;
  std::uint32_t row = 0;
  for (std::size_t i = 0; i < iterations.observed.size(); ++i) {
    if (iterations.observed[i] == 0) continue;
    if (iterations.warmup[i] == 0 && iterations.disturbed[i] == 0) rows_.push_back(row);
    ++row;
  }
}

std::vector<double> SettledSamples::iterations(bool observed) const {
  const auto& rows = run_->samples.iterations;
  std::vector<double> out;
  for (std::size_t i = 0; i < rows.duration_ns.size(); ++i) {
    if ((rows.observed[i] != 0) != observed || rows.warmup[i] != 0 || rows.disturbed[i] != 0)
      continue;
    out.push_back(static_cast<double>(rows.duration_ns[i]));
  }
  return out;
}

std::vector<double> SettledSamples::op(std::size_t op) const {
  if (op >= run_->samples.op_duration_ns.size()) return {};
  const run::Column& column = run_->samples.op_duration_ns[op];
  if (column.empty()) return {};
  std::vector<double> out;
  std::vector<double> present;
  out.reserve(rows_.size());
  present.reserve(rows_.size());
  for (const auto row : rows_) {
    const auto value = column[row];
    out.push_back(value == run::kMissing ? -1 : static_cast<double>(value));
    if (value != run::kMissing) present.push_back(static_cast<double>(value));
  }
  if (present.empty()) return {};
  const double raw = median_of(present);
  const auto& estimate = run_->ops[op].estimate;
  const double scale = estimate && raw > 0 ? static_cast<double>(estimate->time_ns) / raw : 1.0;
  for (auto& value : out) value = scale * (value < 0 ? raw : value);
  return out;
}

std::optional<double> SettledSamples::op_time(std::size_t op) const {
  if (run_->ops[op].estimate) return static_cast<double>(run_->ops[op].estimate->time_ns);
  auto samples = this->op(op);
  if (samples.empty()) return {};
  return median_of(samples);
}

std::vector<double> block_medians(const std::vector<double>& samples, std::size_t blocks) {
  std::vector<double> out;
  std::vector<double> work;
  out.reserve(blocks);
  for (std::size_t k = 0; k < blocks; ++k) {
    const auto begin = static_cast<std::ptrdiff_t>(k * samples.size() / blocks);
    const auto end = static_cast<std::ptrdiff_t>((k + 1) * samples.size() / blocks);
    work.assign(samples.begin() + begin, samples.begin() + end);
    out.push_back(median_of(work));
  }
  return out;
}

}  // namespace neurolens::analyze
