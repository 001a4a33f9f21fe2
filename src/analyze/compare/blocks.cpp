#include "compare/blocks.hpp"

#include <algorithm>

#include "neurolens/analyze/statistics.hpp"

namespace neurolens::analyze {

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

void SettledSamples::op(std::size_t op, std::vector<double>& out) const {
  out.clear();
  if (op >= run_->samples.op_duration_ns.size()) return;
  const run::Column& column = run_->samples.op_duration_ns[op];
  if (column.empty()) return;
  thread_local std::vector<double> present;
  present.clear();
  for (const auto row : rows_) {
    if (column[row] != run::kMissing) present.push_back(static_cast<double>(column[row]));
  }
  if (present.empty()) return;
  const bool complete = present.size() == rows_.size();
  if (complete) out = present;
  const double raw = median_in_place(present);
  const auto& estimate = run_->ops[op].estimate;
  const double scale = estimate && raw > 0 ? static_cast<double>(estimate->time_ns) / raw : 1.0;
  if (complete) {
    for (auto& value : out) value *= scale;
    return;
  }
  for (const auto row : rows_) {
    const auto value = column[row];
    out.push_back(scale * (value == run::kMissing ? raw : static_cast<double>(value)));
  }
}

std::optional<double> SettledSamples::op_time(std::size_t op) const {
  if (run_->ops[op].estimate) return static_cast<double>(run_->ops[op].estimate->time_ns);
  std::vector<double> samples;
  this->op(op, samples);
  if (samples.empty()) return {};
  return median_in_place(samples);
}

void block_medians(const std::vector<double>& samples, std::size_t blocks,
                   std::vector<double>& out) {
  if (samples.size() == blocks) {
    out = samples;
    return;
  }
  out.clear();
  thread_local std::vector<double> work;
  for (std::size_t k = 0; k < blocks; ++k) {
    const auto begin = static_cast<std::ptrdiff_t>(k * samples.size() / blocks);
    const auto end = static_cast<std::ptrdiff_t>((k + 1) * samples.size() / blocks);
    work.assign(samples.begin() + begin, samples.begin() + end);
    out.push_back(median_in_place(work));
  }
}

}  // namespace neurolens::analyze
