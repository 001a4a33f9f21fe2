#include "neurolens/analyze/verdict.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "neurolens/analyze/signed_rank.hpp"

namespace neurolens::analyze {
namespace {

Verdict verdict_of(const Interval& interval, const VerdictOptions& options) {
  const double change = std::log1p(options.delta);
  const double same = std::log1p(options.epsilon);
  if (interval.low > change) return Verdict::regressed;
  if (interval.high < -change) return Verdict::improved;
  if (-same < interval.low && interval.high < same) return Verdict::equivalent;
  return Verdict::inconclusive;
}

/// exp, such that opposite logarithms give exact reciprocals: one is the quotient of 1 and the
/// other.
double ratio_of(double log_ratio) {
  return log_ratio >= 0 ? std::exp(log_ratio) : 1 / std::exp(-log_ratio);
}

/// The width of an interval shrinks with the square root of the number of blocks: how many make it
/// so narrow that the verdict at this estimate is settled? nullopt beyond a million: no number of
/// blocks would.
std::optional<std::int64_t> blocks_to_settle(double estimate, double half_width,
                                             std::int64_t blocks, const VerdictOptions& options) {
  const double change = std::log1p(options.delta);
  const double same = std::log1p(options.epsilon);
  const double distance = std::max(std::abs(estimate) - change, same - std::abs(estimate));
  if (!(distance > 0)) return {};
  const double factor = half_width / distance;
  const double needed = std::ceil(static_cast<double>(blocks) * factor * factor);
  if (needed > 1e6) return {};
  return std::max<std::int64_t>(kFewestBlocks, static_cast<std::int64_t>(needed));
}

}  // namespace

std::string_view to_string(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::regressed:
      return "regressed";
    case Verdict::improved:
      return "improved";
    case Verdict::equivalent:
      return "equivalent";
    case Verdict::inconclusive:
      return "inconclusive";
  }
  return "inconclusive";
}

PairedVerdict judge_log_ratios(std::span<const double> log_ratios, const VerdictOptions& options) {
  PairedVerdict result;
  result.blocks = std::ssize(log_ratios);
  const auto shift = hodges_lehmann(log_ratios, options.alpha);
  if (!shift) return result;
  result.ratio = ratio_of(shift->estimate);
  result.p_value = signed_rank_p_value(log_ratios);
  if (!shift->interval) return result;
  result.ratio_low = ratio_of(shift->interval->low);
  result.ratio_high = ratio_of(shift->interval->high);
  const double half_width = (shift->interval->high - shift->interval->low) / 2;
  result.detectable_ratio = std::exp(std::log1p(options.delta) + half_width);
  if (result.blocks >= kFewestBlocks) result.verdict = verdict_of(*shift->interval, options);
  if (result.verdict == Verdict::inconclusive) {
    result.blocks_to_settle = blocks_to_settle(shift->estimate, half_width, result.blocks, options);
  }
  return result;
}

Result<PairedVerdict> judge_pairs(std::span<const double> baseline,
                                  std::span<const double> candidate,
                                  const VerdictOptions& options) {
  if (baseline.size() != candidate.size() || baseline.empty()) {
    return Error{
        Errc::bad_request,
        fmt::format(
            "Pairs are needed, but there are {} values of the baseline and {} of the candidate.",
            baseline.size(), candidate.size()),
        ""};
  }
  if (!(options.alpha > 0 && options.alpha <= 0.25) || !(options.delta > 0) ||
      !(options.epsilon > 0)) {
    return Error{Errc::out_of_range, "alpha must lie in (0, 0.25], delta and epsilon above 0.",
                 "verdict options"};
  }
  std::vector<double> logs;
  logs.reserve(baseline.size());
  for (std::size_t k = 0; k < baseline.size(); ++k) {
    if (!(baseline[k] > 0) || !(candidate[k] > 0) || !std::isfinite(baseline[k]) ||
        !std::isfinite(candidate[k])) {
      return Error{Errc::out_of_range, "Every value must be finite and above 0.",
                   fmt::format("block {}", k)};
    }
    // The difference of logarithms, not the logarithm of the quotient: exactly odd under exchange
    // of the sides.
    logs.push_back(std::log(candidate[k]) - std::log(baseline[k]));
  }
  return judge_log_ratios(logs, options);
}

std::optional<double> sequential_alpha(std::int64_t blocks, std::int64_t planned) {
  if (blocks == planned / 4) return 0.004;
  if (blocks == planned / 2 || blocks == planned) return 0.003;
  return {};
}

}  // namespace neurolens::analyze
