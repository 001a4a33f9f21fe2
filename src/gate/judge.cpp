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

void silence(Row& row) {
  row.outcome = Outcome::inconclusive;
  row.reason = "The control looks changed: the machine is not steady.";
}

Row judge_metric(const MetricRule& rule, const LiveFindings& live) {
  if (rule.metric == "flops")
    return judge_single(rule.metric, live.flops_ratio, rule.max_regression);
  if (rule.metric == "bytes")
    return judge_single(rule.metric, live.bytes_ratio, rule.max_regression);
  const bool memory = rule.metric == "peak_memory";
  const auto& judged = memory                        ? live.peak_memory
                       : rule.metric == "total_time" ? live.total.judged
                                                     : live.p95;
  Row row = judge_interval(rule.metric, judged, rule.max_regression);
  if (live.total.control_flagged && !memory) silence(row);
  return row;
}

/// The first rule that fits an op decides; nullptr when none does.
const OpRule* rule_for(const Policy& policy, const std::string& name, const std::string& type) {
  for (const auto& rule : policy.ops) {
    if (fits(rule.name, name) && fits(rule.type, type)) return &rule;
  }
  return nullptr;
}

Row judge_op(const OpRule& rule, const std::string& name, const analyze::PairedVerdict& judged,
             bool discovered, double margin) {
  Row row = judge_interval(name, judged, std::max(rule.max_regression, margin));
  if (row.outcome == Outcome::fail && !discovered) {
    row.outcome = Outcome::inconclusive;
    row.reason = "Not significant among so many ops.";
  }
  return row;
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
    const OpRule* rule = rule_for(policy, op.name, op.type);
    if (rule == nullptr || op.time.baseline.value_or(0) < rule->min_share * all) continue;
    result.rows.push_back(
        judge_op(*rule, op.name, op.time.judged, op.discovered, comparison.margin));
  }
  finish(result);
  return result;
}

GateResult judge(const Policy& policy, const LiveFindings& live) {
  GateResult result;
  for (const auto& rule : policy.metrics) result.rows.push_back(judge_metric(rule, live));
  double all = 0;
  for (const auto& op : live.ops) all += op.baseline_ns;
  for (const auto& op : live.ops) {
    if (op.group.baseline.empty() || op.group.candidate.empty()) continue;
    const OpRule* rule = rule_for(policy, op.name, op.type);
    if (rule == nullptr || op.baseline_ns < rule->min_share * all) continue;
    result.rows.push_back(judge_op(*rule, op.name, op.judged, op.discovered, 0));
    if (op.control_flagged) silence(result.rows.back());
  }
  finish(result);
  return result;
}

GateResult confirm(GateResult first, const GateResult& again) {
  for (auto& row : first.rows) {
    if (row.outcome != Outcome::fail) continue;
    const bool confirmed = std::any_of(again.rows.begin(), again.rows.end(), [&](const Row& other) {
      return other.subject == row.subject && other.outcome == Outcome::fail;
    });
    if (confirmed) continue;
    row.outcome = Outcome::inconclusive;
    row.reason = "Fresh launches did not confirm the regression.";
  }
  finish(first);
  return first;
}

int exit_status(const Policy& policy, Outcome outcome) {
  if (outcome == Outcome::pass) return 0;
  return outcome == Outcome::fail ? 1 : policy.inconclusive_status;
}

}  // namespace neurolens::gate
