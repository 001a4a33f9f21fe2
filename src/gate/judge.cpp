#include <fmt/format.h>

#include <algorithm>

#include "neurolens/gate/gate.hpp"

namespace neurolens::gate {
namespace {

/// '*' any text, '?' any character. Linear with one backtracking point.
bool fits(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || (pattern[p] == text[t] && pattern[p] != '*'))) {
      ++p, ++t;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

Row judge_interval(std::string subject, const analyze::PairedVerdict& judged, double limit) {
  Row row{std::move(subject),    {}, judged.ratio_low, judged.ratio_high, 1 + limit,
          Outcome::inconclusive, ""};
  if (judged.blocks > 0) row.ratio = judged.ratio;
  if (judged.blocks < analyze::kFewestBlocks || !row.ratio_low) {
    row.reason = fmt::format("{} blocks are too few for a verdict.", judged.blocks);
  } else if (*row.ratio_low > row.limit) {
    row.outcome = Outcome::fail;
    row.reason = fmt::format("At least {:.1f} % slower; {:.3g} % are allowed.",
                             100 * (*row.ratio_low - 1), 100 * limit);
  } else if (*row.ratio_high <= row.limit) {
    row.outcome = Outcome::pass;
    row.reason =
        fmt::format("At most {:.3f}x; {:.3g} % are allowed.", *row.ratio_high, 100 * limit);
  } else {
    row.reason = fmt::format("The limit of {:.3g} % lies within the interval.", 100 * limit);
  }
  return row;
}

Row judge_single(std::string subject, const std::optional<double>& ratio, double limit) {
  Row row{std::move(subject), ratio, {}, {}, 1 + limit, Outcome::inconclusive, ""};
  if (!ratio) {
    row.reason = "Not collected in both Runs.";
    return row;
  }
  row.outcome = *ratio > row.limit ? Outcome::fail : Outcome::pass;
  row.reason =
      fmt::format("{:.3f}x, one value per Run; {:.3g} % are allowed.", *ratio, 100 * limit);
  return row;
}

void finish(GateResult& result) {
  const auto rank = [](Outcome o) {
    return o == Outcome::fail ? 0 : (o == Outcome::inconclusive ? 1 : 2);
  };
  std::stable_sort(result.rows.begin(), result.rows.end(),
                   [&](const auto& x, const auto& y) { return rank(x.outcome) < rank(y.outcome); });
  result.outcome = result.rows.empty() ? Outcome::pass : result.rows.front().outcome;
}

Row judge_metric(const MetricRule& rule, const analyze::Comparison& c) {
  if (rule.metric == "total_time")
    return judge_interval(rule.metric, c.total.judged, std::max(rule.max_regression, c.margin));
  if (rule.metric == "p95_time") {
    const auto ratio =
        c.tail.baseline && c.tail.candidate ? std::optional(c.tail.judged.ratio) : std::nullopt;
    return judge_single(rule.metric, ratio, std::max(rule.max_regression, c.margin));
  }
  if (rule.metric == "peak_memory")
    return judge_single(rule.metric, c.memory_ratio, rule.max_regression);
  if (rule.metric == "flops") return judge_single(rule.metric, c.flops_ratio, rule.max_regression);
  return judge_single(rule.metric, c.bytes_ratio, rule.max_regression);
}

}  // namespace

std::string_view to_string(Outcome outcome) noexcept {
  switch (outcome) {
    case Outcome::pass:
      return "pass";
    case Outcome::fail:
      return "fail";
    case Outcome::inconclusive:
      return "inconclusive";
  }
  return "inconclusive";
}

GateResult judge(const Policy& policy, const analyze::Comparison& comparison) {
  GateResult result;
  for (const auto& rule : policy.metrics) result.rows.push_back(judge_metric(rule, comparison));
  double all = 0;
  for (const auto& op : comparison.ops) all += op.time.baseline.value_or(0);
  for (const auto& op : comparison.ops) {
    if (op.group.baseline.empty() || op.group.candidate.empty()) continue;
    for (const auto& rule : policy.ops) {
      if (!fits(rule.name, op.name) || !fits(rule.type, op.type)) continue;
      if (op.time.baseline.value_or(0) < rule.min_share * all) break;
      Row row =
          judge_interval(op.name, op.time.judged, std::max(rule.max_regression, comparison.margin));
      if (row.outcome == Outcome::fail && !op.discovered) {
        row.outcome = Outcome::inconclusive;
        row.reason = "Not significant among so many ops.";
      }
      result.rows.push_back(std::move(row));
      break;  // the first rule that fits an op decides
    }
  }
  finish(result);
  return result;
}

GateResult judge(double max_regression, const analyze::PairedVerdict& live, bool control_flagged) {
  GateResult result;
  result.rows.push_back(judge_interval("total_time", live, max_regression));
  if (control_flagged) {
    result.rows[0].outcome = Outcome::inconclusive;
    result.rows[0].reason = "The control looks changed: the machine is not steady.";
  }
  finish(result);
  return result;
}

int exit_status(const Policy& policy, Outcome outcome) {
  if (outcome == Outcome::pass) return 0;
  return outcome == Outcome::fail ? 1 : policy.inconclusive_status;
}

}  // namespace neurolens::gate
