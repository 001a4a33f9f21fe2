#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "neurolens/analyze/live.hpp"
#include "neurolens/analyze/signed_rank.hpp"
#include "neurolens/analyze/statistics.hpp"

namespace neurolens::analyze {
namespace {

Status check(const OpBlocks& blocks, const run::Run& run, const char* side) {
  for (const auto& block : blocks) {
    if (block.size() != run.ops.size())
      return Error{Errc::bad_request,
                   fmt::format("A launch of the {} had {} ops where its plan has {}.", side,
                               block.size(), run.ops.size()),
                   ""};
  }
  return {};
}

/// Sum over the ops of a group, per block.
std::vector<double> sums(const OpBlocks& blocks, const std::vector<run::OpId>& ops) {
  std::vector<double> out(blocks.size(), 0.0);
  for (std::size_t k = 0; k < blocks.size(); ++k) {
    for (const auto op : ops) out[k] += blocks[k][op.index()];
  }
  return out;
}

PairedVerdict judge(const std::vector<double>& a, const std::vector<double>& b,
                    const VerdictOptions& options) {
  std::vector<double> logs;
  for (std::size_t k = 0; k < a.size() && k < b.size(); ++k) {
    if (a[k] > 0 && b[k] > 0) logs.push_back(std::log(b[k]) - std::log(a[k]));
  }
  return judge_log_ratios(logs, options);
}

bool is_change(Verdict verdict) {
  return verdict == Verdict::regressed || verdict == Verdict::improved;
}

std::uint32_t longest(const OpBlocks& blocks, const std::vector<run::OpId>& ops) {
  std::uint32_t best = ops[0].value;
  double most = -1;
  for (const auto op : ops) {
    const double time = median_of(sums(blocks, {op}));
    if (time > most) {
      most = time;
      best = op.value;
    }
  }
  return best;
}

/// A verdict on one op of many also has to survive the number of ops.
void discover(std::vector<LiveOp>& ops, double q) {
  std::vector<double> p_values;
  std::vector<LiveOp*> judged;
  for (auto& op : ops) {
    if (!op.judged.p_value) continue;
    p_values.push_back(*op.judged.p_value);
    judged.push_back(&op);
  }
  const auto found = benjamini_hochberg(p_values, q);
  for (std::size_t i = 0; i < judged.size(); ++i) {
    judged[i]->discovered = found[i];
    if (is_change(judged[i]->judged.verdict) && (!found[i] || judged[i]->control_flagged))
      judged[i]->judged.verdict = Verdict::inconclusive;
  }
}

}  // namespace

Result<std::vector<LiveOp>> judge_live_ops(const run::Run& a, const run::Run& b,
                                           const OpBlocks& baseline, const OpBlocks& candidate,
                                           const OpBlocks& control, double delta, double epsilon,
                                           double q) {
  NEUROLENS_TRY(check(baseline, a, "baseline"));
  NEUROLENS_TRY(check(control, a, "control"));
  NEUROLENS_TRY(check(candidate, b, "candidate"));
  const VerdictOptions options{0.01, delta, epsilon};
  std::vector<LiveOp> out;
  for (auto& group : align(a, b).groups) {
    LiveOp op;
    const bool added = group.baseline.empty();
    const auto named =
        added ? longest(candidate, group.candidate) : longest(baseline, group.baseline);
    op.name = (added ? b : a).ops[named].name;
    op.type = (added ? b : a).ops[named].type;
    const auto x = sums(baseline, group.baseline);
    const auto y = sums(candidate, group.candidate);
    op.baseline_ns = median_of(x);
    op.candidate_ns = median_of(y);
    if (!added && !group.candidate.empty()) {
      op.judged = judge(x, y, options);
      op.control_flagged = is_change(judge(x, sums(control, group.baseline), options).verdict);
    }
    op.group = std::move(group);
    out.push_back(std::move(op));
  }
  discover(out, q);
  const auto moved = [](const LiveOp& op) { return std::abs(op.candidate_ns - op.baseline_ns); };
  std::stable_sort(out.begin(), out.end(),
                   [&](const auto& x, const auto& y) { return moved(x) > moved(y); });
  return out;
}

}  // namespace neurolens::analyze
