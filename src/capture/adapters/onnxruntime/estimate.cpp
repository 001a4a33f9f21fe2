#include "adapters/onnxruntime/estimate.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "adapters/onnxruntime/assemble.hpp"
#include "fit/estimates.hpp"
#include "fit/like_ops.hpp"
#include "fit/order_statistics.hpp"

namespace neurolens::capture::ort {
namespace {

/// Per op the values of the observed iterations that count, without those whose record was lost.
CorrectionInput collect(const run::Run& run) {
  CorrectionInput out;
  const auto& rows = run.samples.iterations;
  out.unobserved_ns = usable_durations(rows, false);
  const auto durations = usable_durations(rows, true);
  const auto positions = usable_samples(rows);
  std::vector<std::size_t> whole;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const bool lost =
        std::any_of(run.samples.op_duration_ns.begin(), run.samples.op_duration_ns.end(),
                    [&](const run::Column& c) { return c[positions[i]] == run::kMissing; });
    if (lost) continue;
    whole.push_back(positions[i]);
    out.observed_ns.push_back(durations[i]);
  }
  for (const auto& column : run.samples.op_duration_ns) {
    auto& values = out.samples_ns.emplace_back();
    for (const auto at : whole) values.push_back(static_cast<double>(column[at]));
  }
  return out;
}

EventShape event_shape(const CollectedOp& op) {
  EventShape out;
  for (const auto* list : {&op.inputs, &op.outputs}) {
    for (const auto& tensor : *list) {
      out.tensors += 1;
      out.dimensions += tensor.shape ? static_cast<double>(tensor.shape->size()) : 0;
    }
  }
  return out;
}

/// Of one iteration, as calibrated.
struct Predicted {
  double events = 0;
  double inside_ns = 0;
};
Predicted predict(const CorrectionInput& input, const Calibration& calibration) {
  Predicted out;
  for (std::size_t i = 0; i < input.shapes.size(); ++i) {
    out.events += input.executions[i];
    out.inside_ns += input.executions[i] * calibration.inside.cost_ns(input.shapes[i]);
  }
  return out;
}

/// Standard error of a median, from its interval.
double error_of(const MedianInterval& interval) {
  if (!interval.low || !interval.high) return interval.median;
  return error_of_interval(*interval.low, *interval.high);
}

/// The scale from what observation adds to a whole iteration; the gain from how well the sums are
/// known.
Plausible plausible(const CorrectionInput& input, const Calibration& calibration) {
  const auto observed = median_interval(input.observed_ns);
  const auto unobserved = median_interval(input.unobserved_ns);
  const Predicted predicted = predict(input, calibration);
  // Observed and unobserved iterations are of different sessions.
  const double luck = calibration.session_luck * unobserved.median * std::sqrt(2.0);
  const double error = std::hypot(error_of(observed), error_of(unobserved), luck);
  Plausible out = expected_scale(observed.median - unobserved.median, error,
                                 predicted.inside_ns + predicted.events * calibration.outside_ns +
                                     calibration.observed_call_ns,
                                 calibration.balance_spread, calibration.scale_spread);
  out.gain_spread = unobserved.median > 0 ? error / unobserved.median : 0;
  return out;
}

void write_ledger(run::Run& run, const CorrectionInput& input, const Calibration& calibration) {
  const auto [events, cost] = predict(input, calibration);
  const double each = events > 0 ? cost / events : calibration.inside.base_ns;
  const double error = 1.96 * calibration.inside.relative_error;
  auto& ledger = run.overhead.ledger;
  ledger.push_back({"op", each, std::max(each * (1 - error), 0.0), each * (1 + error), events});
  ledger.push_back({"between_ops", calibration.outside_ns, std::nullopt, std::nullopt, events});
  ledger.push_back({"call", calibration.observed_call_ns, std::nullopt, std::nullopt, 1.0});
  ledger.push_back({"unobserved_call", input.call_ns, input.call_low_ns, input.call_high_ns, 1.0});
}

void move_to(run::Estimate& estimate, double time_ns) {
  const std::int64_t below = estimate.time_ns - estimate.low_ns.value_or(estimate.time_ns);
  const std::int64_t above = estimate.high_ns.value_or(estimate.time_ns) - estimate.time_ns;
  estimate.time_ns = std::llround(time_ns);
  estimate.low_ns = std::max<std::int64_t>(estimate.time_ns - below, 0);
  estimate.high_ns = estimate.time_ns + above;
}

}  // namespace

void estimate_observed(run::Run& run) {
  const auto good = usable_samples(run.samples.iterations);
  for (std::size_t op = 0; op < run.ops.size(); ++op) {
    const auto& column = run.samples.op_duration_ns[op];
    std::vector<double> values;
    for (const auto k : good) {
      if (k < column.size() && column[k] != run::kMissing)
        values.push_back(static_cast<double>(column[k]));
    }
    if (values.empty()) continue;
    const auto interval = median_interval(values);
    run::Estimate estimate;
    estimate.time_ns = std::llround(interval.median);
    if (interval.low && interval.high) {
      estimate.low_ns = std::min<std::int64_t>(std::llround(*interval.low), estimate.time_ns);
      estimate.high_ns = std::max<std::int64_t>(std::llround(*interval.high), estimate.time_ns);
    }
    estimate.raw_time_ns = estimate.time_ns;
    estimate.method = "observed";
    run.ops[op].estimate = estimate;
  }
}

void estimate_by_ledger(run::Run& run, const Plan& plan, const OpCollector& ops,
                        const Calibration& calibration, std::uint64_t seed) {
  CorrectionInput input = collect(run);
  for (std::size_t i = 0; i < plan.collected.size(); ++i) {
    input.shapes.push_back(event_shape(ops.ops()[plan.collected[i]]));
    input.executions.push_back(run.ops[i].executions_per_iteration.value_or(1));
  }
  input.ledger = calibration.inside;
  const double buffer = run.ops.size() > 1 ? calibration.buffer_ns : 0;
  input.call_ns = calibration.call_ns + buffer;
  input.call_low_ns = calibration.call_low_ns + buffer;
  input.call_high_ns = calibration.call_high_ns + buffer;
  input.seed = seed;
  write_ledger(run, input, calibration);
  if (input.observed_ns.empty() || input.unobserved_ns.empty()) return;
  input.plausible = plausible(input, calibration);
  const CorrectionResult result = estimate_corrected(input);
  for (std::size_t i = 0; i < run.ops.size(); ++i) {
    const TimeInterval& one = result.ops[i];
    run::Estimate estimate;
    estimate.time_ns = std::llround(one.time_ns);
    estimate.low_ns = std::min<std::int64_t>(std::llround(one.low_ns), estimate.time_ns);
    estimate.high_ns = std::max<std::int64_t>(std::llround(one.high_ns), estimate.time_ns);
    estimate.raw_time_ns = std::llround(one.raw_ns);
    estimate.method = "corrected";
    run.ops[i].estimate = estimate;
  }
  run.notes.push_back(
      fmt::format("{:.1f} us of a call belong to no op (binding inputs and outputs); the ops add "
                  "up to the rest.",
                  input.call_ns / 1000));
}

Belief belief_of(const run::Estimate& estimate) {
  return {static_cast<double>(estimate.time_ns),
          error_of_interval(static_cast<double>(estimate.low_ns.value_or(estimate.time_ns)),
                            static_cast<double>(estimate.high_ns.value_or(estimate.time_ns)))};
}

std::string work_of(const run::Op& op) {
  if (!op.attributes_hash || op.outputs.empty()) return {};
  std::string out =
      fmt::format("{}|{}|{}|{}|{}", op.type, op.domain.value_or(""), op.provider.value_or(""),
                  *op.attributes_hash, op.executions_per_iteration.value_or(1));
  for (const auto* list : {&op.inputs, &op.outputs}) {
    out += '>';
    for (const auto& tensor : *list) {
      if (!tensor.dtype || !tensor.shape) return {};
      out += fmt::format("|{} {}", *tensor.dtype, fmt::join(*tensor.shape, "x"));
    }
  }
  return out;
}

void share_among_like_ops(run::Run& run) {
  std::map<std::string, std::vector<std::size_t>> groups;
  for (std::size_t i = 0; i < run.ops.size(); ++i) {
    if (!run.ops[i].estimate) continue;
    if (auto work = work_of(run.ops[i]); !work.empty()) groups[std::move(work)].push_back(i);
  }
  std::map<std::size_t, double> shared;
  double before = 0;
  double after = 0;
  for (const auto& [work, members] : groups) {
    if (members.size() < 2) continue;
    std::vector<Belief> beliefs;
    for (const auto i : members) beliefs.push_back(belief_of(*run.ops[i].estimate));
    const auto times = times_of_like_ops(beliefs);
    for (std::size_t k = 0; k < members.size(); ++k) {
      shared[members[k]] = times[k];
      before += beliefs[k].time_ns;
      after += times[k];
    }
  }
  if (after <= 0) return;
  for (const auto& [i, time] : shared) move_to(*run.ops[i].estimate, time * before / after);
}

}  // namespace neurolens::capture::ort
