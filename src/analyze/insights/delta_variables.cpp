// delta.*: against the baseline. In scope delta a group of aligned ops, in scope run the whole. All
// are null without a baseline.
#include "variables.hpp"

namespace neurolens::analyze {
namespace {

using T = RuleType;
constexpr unsigned kBoth = kInRun | kInDelta;

/// The change that the scene speaks of; nullptr without a baseline.
const Change* change(const Scene& s) {
  if (s.change != nullptr) return &s.change->time;
  return s.input->comparison != nullptr ? &s.input->comparison->total : nullptr;
}

const PairedVerdict* judged(const Scene& s) {
  const Change* found = change(s);
  return found != nullptr && found->judged.blocks > 0 ? &found->judged : nullptr;
}

RuleValue time_lost(const Scene& s) {
  if (s.change != nullptr) return value_of(lost_ns(*s.change));
  const Change* found = change(s);
  if (found == nullptr || !found->baseline || !found->candidate) return {};
  return *found->candidate - *found->baseline;
}

RuleValue threads_ratio(const Scene& s) {
  if (s.input->baseline == nullptr) return {};
  const auto before = s.input->baseline->software.threads;
  const auto after = s.input->run.software.threads;
  if (!before || !after) return {};
  return part_of(static_cast<double>(*after), static_cast<double>(*before));
}

/// Speed-up over the ratio of threads: 1 when threads scale.
RuleValue thread_efficiency(const Scene& s) {
  const RuleValue threads = threads_ratio(s);
  const Comparison* c = s.input->comparison;
  const auto* ratio = std::get_if<double>(&threads);
  if (ratio == nullptr || c == nullptr || c->total.judged.blocks == 0) return {};
  return part_of(1 / c->total.judged.ratio, *ratio);
}

RuleValue count_of(const Scene& s, GroupKind kind) {
  if (s.input->comparison == nullptr) return {};
  double count = 0;
  for (const auto& op : s.input->comparison->ops) count += op.group.kind == kind ? 1 : 0;
  return count;
}

RuleValue time_of(const Scene& s, GroupKind kind) {
  if (s.input->comparison == nullptr) return {};
  double time = 0;
  for (const auto& op : s.input->comparison->ops) {
    if (op.group.kind == kind) time += lost_ns(op).value_or(0);
  }
  return time;
}

RuleValue what_differs(const Scene& s) {
  if (s.input->comparison == nullptr) return {};
  double count = 0;
  for (const auto& d : s.input->comparison->differences) count += d.blocking ? 1 : 0;
  return count;
}

// One row a name; see Variable.
// clang-format off
const Variable kTable[] = {
    {"delta.name", kInDelta, T::text, "text", "op", [](const Scene& s) -> RuleValue { return std::string_view(s.change->name); }},
    {"delta.type", kInDelta, T::text, "text", "type", [](const Scene& s) -> RuleValue { return std::string_view(s.change->type); }},
    {"delta.kind", kInDelta, T::text, "text", "alignment", [](const Scene& s) -> RuleValue { return to_string(s.change->group.kind); }},
    {"delta.discovered", kInDelta, T::boolean, "none", "stands the test against many comparisons", [](const Scene& s) -> RuleValue { return s.change->discovered; }},
    {"delta.verdict", kBoth, T::text, "text", "verdict", [](const Scene& s) -> RuleValue {
       const auto* j = judged(s);
       return j != nullptr ? RuleValue(to_string(j->verdict)) : RuleValue(); }},
    {"delta.ratio", kBoth, T::number, "factor", "time against the baseline", [](const Scene& s) -> RuleValue {
       const auto* j = judged(s);
       return j != nullptr ? RuleValue(j->ratio) : RuleValue(); }},
    {"delta.ratio_low", kBoth, T::number, "factor", "lower end of the ratio", [](const Scene& s) {
       const auto* j = judged(s);
       return j != nullptr ? value_of(j->ratio_low) : RuleValue(); }},
    {"delta.ratio_high", kBoth, T::number, "factor", "upper end of the ratio", [](const Scene& s) {
       const auto* j = judged(s);
       return j != nullptr ? value_of(j->ratio_high) : RuleValue(); }},
    {"delta.detectable_ratio", kBoth, T::number, "factor", "smallest slow-down that would show", [](const Scene& s) {
       const auto* j = judged(s);
       return j != nullptr ? value_of(j->detectable_ratio) : RuleValue(); }},
    {"delta.blocks_to_settle", kBoth, T::number, "count", "blocks that would settle it", [](const Scene& s) {
       const auto* j = judged(s);
       return j != nullptr ? value_of(j->blocks_to_settle) : RuleValue(); }},
    {"delta.baseline_ns", kBoth, T::number, "ns", "time before", [](const Scene& s) {
       const auto* c = change(s);
       return c != nullptr ? value_of(c->baseline) : RuleValue(); }},
    {"delta.candidate_ns", kBoth, T::number, "ns", "time now", [](const Scene& s) {
       const auto* c = change(s);
       return c != nullptr ? value_of(c->candidate) : RuleValue(); }},
    {"delta.lost_ns", kBoth, T::number, "ns", "time lost", time_lost},
    {"delta.flops_ratio", kBoth, T::number, "factor", "work against the baseline", [](const Scene& s) {
       if (s.change != nullptr) return value_of(s.change->flops_ratio);
       return s.input->comparison != nullptr ? value_of(s.input->comparison->flops_ratio) : RuleValue(); }},
    {"delta.bytes_ratio", kBoth, T::number, "factor", "traffic against the baseline", [](const Scene& s) {
       if (s.change != nullptr) return value_of(s.change->bytes_ratio);
       return s.input->comparison != nullptr ? value_of(s.input->comparison->bytes_ratio) : RuleValue(); }},
    {"delta.memory_ratio", kBoth, T::number, "factor", "peak memory against the baseline", [](const Scene& s) {
       return s.input->comparison != nullptr ? value_of(s.input->comparison->memory_ratio) : RuleValue(); }},
    {"delta.margin", kBoth, T::number, "ratio", "luck of two launches", [](const Scene& s) -> RuleValue {
       return s.input->comparison != nullptr ? RuleValue(s.input->comparison->margin) : RuleValue(); }},
    {"delta.threads_ratio", kInRun, T::number, "factor", "threads against the baseline", threads_ratio},
    {"delta.thread_efficiency", kInRun, T::number, "ratio", "speed-up per added thread", thread_efficiency},
    {"delta.added_count", kInRun, T::number, "count", "ops only here", [](const Scene& s) { return count_of(s, GroupKind::added); }},
    {"delta.added_ns", kInRun, T::number, "ns", "time of ops only here", [](const Scene& s) { return time_of(s, GroupKind::added); }},
    {"delta.removed_count", kInRun, T::number, "count", "ops only in the baseline", [](const Scene& s) { return count_of(s, GroupKind::removed); }},
    {"delta.blocking_count", kInRun, T::number, "count", "differences that forbid a comparison", what_differs},
};
// clang-format on

}  // namespace

std::span<const Variable> delta_variables() {
  return kTable;
}

}  // namespace neurolens::analyze
