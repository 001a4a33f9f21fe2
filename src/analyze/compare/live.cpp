#include "neurolens/analyze/live.hpp"

#include <cmath>

namespace neurolens::analyze {
namespace {

std::vector<double> log_ratios(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> logs;
  for (std::size_t k = 0; k < a.size() && k < b.size(); ++k)
    logs.push_back(std::log(b[k]) - std::log(a[k]));
  return logs;
}

bool is_change(Verdict verdict) {
  return verdict == Verdict::regressed || verdict == Verdict::improved;
}

}  // namespace

LiveVerdict judge_live(const LiveSamples& samples, double delta, double epsilon) {
  LiveVerdict out;
  const auto blocks = std::ssize(samples.baseline);
  const auto alpha = sequential_alpha(blocks);
  out.look = alpha.has_value();
  const VerdictOptions options{alpha.value_or(0.003), delta, epsilon};
  out.judged = judge_log_ratios(log_ratios(samples.baseline, samples.candidate), options);
  out.control = judge_log_ratios(log_ratios(samples.baseline, samples.control), options);
  out.control_flagged = is_change(out.control.verdict);
  if (!out.look || out.control_flagged) out.judged.verdict = Verdict::inconclusive;
  out.finished = out.judged.verdict != Verdict::inconclusive || blocks >= kMostLiveBlocks;
  return out;
}

}  // namespace neurolens::analyze
