/// \file
/// A policy and a comparison in, pass or fail out.
///
/// A rule fails when the whole interval of its ratio lies above the limit, passes when the whole
/// interval lies at or below it, and is undecided otherwise. Metrics with one value per Run (peak
/// memory, FLOPs, bytes, the 95th percentile) have no interval: their ratio alone decides. The
/// limit of a time in stored Runs is never below the comparison's margin, because nothing smaller
/// can be told from luck.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/analyze/compare.hpp"
#include "neurolens/analyze/live.hpp"
#include "neurolens/base/result.hpp"

namespace neurolens::gate {

/// What a rule came to.
enum class Outcome : std::uint8_t { pass, fail, inconclusive };
/// "pass", "fail", "inconclusive".
[[nodiscard]] std::string_view to_string(Outcome outcome) noexcept;

/// A limit on one metric.
struct MetricRule {
  /// "total_time", "p95_time", "peak_memory", "flops" or "bytes".
  std::string metric = "total_time";
  double max_regression = 0.05;  ///< ratio - 1, >= 0.
};

/// A limit on every op whose name and type fit.
struct OpRule {
  std::string name = "*";  ///< '*' stands for any text, '?' for any character.
  std::string type = "*";
  double max_regression = 0.10;
  double min_share = 0.01;  ///< Ops with a smaller share of the baseline's op time are left alone.
};

/// What is allowed.
struct Policy {
  std::vector<MetricRule> metrics{MetricRule{}};
  std::vector<OpRule> ops;
  /// Exit status of an inconclusive gate: 0 (pass), 1 (fail), or 2 to tell it from both.
  int inconclusive_status = 0;
};

/// Reads a policy (YAML; docs/guides/comparing.md shows one). Errors: parse_error, unknown_key,
/// wrong_type, out_of_range, with line and column.
[[nodiscard]] Result<Policy> parse_policy(std::string_view yaml);

/// "5%", "5 %" or "0.05". Errors: out_of_range.
[[nodiscard]] Result<double> parse_ratio(std::string_view text, std::string_view where);

/// One judged rule.
struct Row {
  std::string subject;  ///< Metric, or the op's name.
  std::optional<double> ratio;
  std::optional<double> ratio_low;
  std::optional<double> ratio_high;
  double limit = 1;  ///< Ratio that must not be exceeded.
  Outcome outcome = Outcome::inconclusive;
  std::string reason;  ///< One sentence.
};

/// The whole answer.
struct GateResult {
  Outcome outcome = Outcome::pass;
  std::vector<Row> rows;    ///< Failures first.
  std::string certificate;  ///< What the self-test found on this machine; empty when not known.
};

/// Judges a comparison. Pure.
[[nodiscard]] GateResult judge(const Policy& policy, const analyze::Comparison& comparison);

/// What a live comparison measured, metric by metric.
struct LiveFindings {
  analyze::LiveVerdict total;
  analyze::PairedVerdict p95;          ///< Of each process's samples.
  analyze::PairedVerdict peak_memory;  ///< Of each process.
  std::optional<double> flops_ratio;   ///< Of the plans; nullopt when not collected.
  std::optional<double> bytes_ratio;
  std::vector<analyze::LiveOp> ops;
};

/// Judges live findings. A flagged control makes every rule of a time inconclusive. Pure.
[[nodiscard]] GateResult judge(const Policy& policy, const LiveFindings& live);
/// A failure counts when it happened twice: rows of `first` that fail but do not fail in `again`
/// (measured with launches of its own) become inconclusive.
[[nodiscard]] GateResult confirm(GateResult first, const GateResult& again);
/// Exit status by the policy: 0, 1 or 2.
[[nodiscard]] int exit_status(const Policy& policy, Outcome outcome);

/// For CI: a Markdown table, and a JUnit file with a test case per rule (inconclusive ones are
/// skipped).
[[nodiscard]] std::string to_markdown(const GateResult& result);
[[nodiscard]] std::string to_junit(const GateResult& result);
/// One JSON document, see schema/gate.schema.json.
[[nodiscard]] std::string to_json(const GateResult& result);

}  // namespace neurolens::gate
