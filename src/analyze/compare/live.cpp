#include "neurolens/analyze/live.hpp"

#include <algorithm>
#include <cmath>

namespace neurolens::analyze {
namespace {

std::vector<double> log_ratios(std::span<const double> a, std::span<const double> b) {
  std::vector<double> logs;
  for (std::size_t k = 0; k < a.size() && k < b.size(); ++k)
    logs.push_back(std::log(b[k]) - std::log(a[k]));
  return logs;
}

bool is_change(Verdict verdict) {
  return verdict == Verdict::regressed || verdict == Verdict::improved;
}

/// Mean absolute difference between all pairs of values, scaled to the standard deviation of a
/// normal distribution.
double gini_deviation(const std::vector<double>& values) {
  double sum = 0;
  double count = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      sum += std::abs(values[i] - values[j]);
      ++count;
    }
  }
  return sum / count * std::sqrt(std::acos(-1.0)) / 2;
}

}  // namespace

LiveVerdict judge_live(const LiveSamples& samples, double delta, double epsilon,
                       std::int64_t planned) {
  LiveVerdict out;
  const auto blocks = std::ssize(samples.baseline);
  const auto alpha = sequential_alpha(blocks, planned);
  out.look = alpha.has_value();
  const VerdictOptions options{alpha.value_or(0.003), delta, epsilon};
  out.judged = judge_log_ratios(log_ratios(samples.baseline, samples.candidate), options);
  out.control = judge_log_ratios(log_ratios(samples.baseline, samples.control), options);
  out.control_flagged = is_change(out.control.verdict);
  if (!out.look || out.control_flagged) out.judged.verdict = Verdict::inconclusive;
  out.finished = out.judged.verdict != Verdict::inconclusive || blocks >= planned;
  return out;
}

std::optional<double> spread_of(std::span<const double> a, std::span<const double> b) {
  const auto logs = log_ratios(a, b);
  if (logs.size() < 3) return {};
  return gini_deviation(logs);
}

std::optional<double> process_spread_of(std::span<const double> a_first,
                                        std::span<const double> b_first,
                                        std::span<const double> a_second,
                                        std::span<const double> b_second) {
  const auto first = log_ratios(a_first, b_first);
  const auto second = log_ratios(a_second, b_second);
  if (first.size() != second.size() || first.size() < 4) return {};
  // Var(x + y) - Var(x - y) = 4 Cov(x, y), with deviations that outliers do not rule; a ratio has
  // two processes in it.
  std::vector<double> sum;
  std::vector<double> difference;
  for (std::size_t k = 0; k < first.size(); ++k) {
    sum.push_back(first[k] + second[k]);
    difference.push_back(first[k] - second[k]);
  }
  const double s = gini_deviation(sum);
  const double d = gini_deviation(difference);
  return std::sqrt(std::max(0.0, (s * s - d * d) / 8));
}

LivePlan plan_live(double spread, double delta, double effect) {
  constexpr double kLastLook = 2.748;  // z of alpha .003
  constexpr double kPower = 1.282;     // z of 90 %
  constexpr double kEfficiency = 0.955;
  constexpr double kBeyond = 1e6;
  const double distance = std::log1p(effect) - std::log1p(delta);
  const double root = (kLastLook + kPower) * spread / std::max(distance, 1e-9);
  const double needed = std::min(kBeyond, std::ceil(root * root / kEfficiency));
  LivePlan plan;
  plan.needed = std::max<std::int64_t>(kFewestBlocks, static_cast<std::int64_t>(needed));
  plan.blocks = std::clamp((plan.needed + 3) / 4 * 4, kUsualBlocks, kMostLiveBlocks);
  return plan;
}

}  // namespace neurolens::analyze
