#include "fit/estimates.hpp"

#include <algorithm>
#include <cmath>

#include "fit/order_statistics.hpp"
#include "neurolens/base/random.hpp"

namespace neurolens::capture {
namespace {

constexpr int kReplicates = 200;
constexpr std::size_t kRowsUsed = 300;
/// The call may not take more of the latency than this: its calibration is of another, tiny model.
constexpr double kLargestCallShare = 0.5;

std::vector<std::size_t> every(std::vector<std::size_t> rows, std::size_t at_most) {
  if (rows.size() <= at_most) return rows;
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < at_most; ++i) out.push_back(rows[i * rows.size() / at_most]);
  return out;
}

class Estimator {
 public:
  explicit Estimator(const CorrectionInput& input)
      : in_(input),
        rows_(every(calm_positions(input.observed_ns), kRowsUsed)),
        random_(input.seed, /*stream=*/7) {
    for (std::size_t op = 0; op < in_.shapes.size(); ++op) {
      cost_.push_back(in_.ledger.cost_ns(in_.shapes[op]) * in_.executions[op]);
    }
  }

  CorrectionResult run() {
    CorrectionResult out;
    const std::vector<double> raw = means(rows_);
    out.target_ns = target(median(in_.unobserved_ns), in_.call_ns);
    const Corrected best = correct(raw, cost_, out.target_ns, in_.plausible);
    out.scale = best.scale;
    out.gain = best.gain;
    for (std::size_t op = 0; op < raw.size(); ++op)
      out.ops.push_back({best.time_ns[op], 0, 0, raw[op]});
    add_intervals(out);
    return out;
  }

 private:
  static double target(double latency, double call) {
    return latency - std::clamp(call, 0.0, kLargestCallShare * latency);
  }

  [[nodiscard]] std::vector<double> means(const std::vector<std::size_t>& rows) const {
    std::vector<double> out(in_.samples_ns.size(), 0);
    if (rows.empty()) return out;
    for (std::size_t op = 0; op < out.size(); ++op) {
      for (const auto row : rows) out[op] += in_.samples_ns[op][row];
      out[op] /= static_cast<double>(rows.size());
    }
    return out;
  }

  double resampled_latency() {
    const auto count = std::min(in_.unobserved_ns.size(), kRowsUsed);
    std::vector<double> values(count);
    for (auto& value : values) value = in_.unobserved_ns[random_.below(in_.unobserved_ns.size())];
    return median_of(values);
  }

  void add_intervals(CorrectionResult& out) {
    std::vector<std::vector<double>> replicates(out.ops.size());
    std::vector<std::size_t> rows(rows_.size());
    std::vector<double> cost(cost_.size());
    for (int i = 0; i < kReplicates && !in_.unobserved_ns.empty(); ++i) {
      for (auto& row : rows) row = rows_[random_.below(rows_.size())];
      for (std::size_t op = 0; op < cost.size(); ++op) {
        cost[op] = cost_[op] * std::exp(in_.ledger.relative_error * random_.normal());
      }
      const double call =
          in_.call_low_ns + (in_.call_high_ns - in_.call_low_ns) * random_.uniform();
      Plausible plausible = in_.plausible;
      plausible.scale *= std::exp(plausible.scale_spread * random_.normal());
      const double latency =
          resampled_latency() * std::exp(plausible.gain_spread * random_.normal());
      const Corrected one = correct(means(rows), cost, target(latency, call), plausible);
      for (std::size_t op = 0; op < cost.size(); ++op) replicates[op].push_back(one.time_ns[op]);
    }
    for (std::size_t op = 0; op < out.ops.size(); ++op) {
      auto& estimate = out.ops[op];
      estimate.low_ns = estimate.high_ns = estimate.time_ns;
      if (replicates[op].empty()) continue;
      estimate.low_ns = std::min(quantile(replicates[op], 0.025), estimate.time_ns);
      estimate.high_ns = std::max(quantile(replicates[op], 0.975), estimate.time_ns);
    }
  }

  const CorrectionInput& in_;
  std::vector<std::size_t> rows_;
  std::vector<double> cost_;
  Random random_;
};

}  // namespace

std::vector<std::size_t> calm_positions(const std::vector<double>& durations) {
  std::vector<std::size_t> out;
  if (durations.empty()) return out;
  std::vector<double> sorted = durations;
  const double limit = quantile(sorted, 0.75);
  for (std::size_t i = 0; i < durations.size(); ++i) {
    if (durations[i] <= limit) out.push_back(i);
  }
  return out;
}

double quantile(std::vector<double>& values, double p) {
  std::sort(values.begin(), values.end());
  const double at = p * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  if (below + 1 >= values.size()) return values.back();
  const double rest = at - static_cast<double>(below);
  return values[below] * (1 - rest) + values[below + 1] * rest;
}

CorrectionResult estimate_corrected(const CorrectionInput& input) {
  return Estimator(input).run();
}

}  // namespace neurolens::capture
