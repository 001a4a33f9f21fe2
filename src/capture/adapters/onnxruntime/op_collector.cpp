#include "adapters/onnxruntime/op_collector.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <string_view>

namespace neurolens::capture {
namespace {

bool has_body(std::string_view op_type) {
  static constexpr std::array<std::string_view, 8> kTypes{
      "If",         "Loop", "Scan", "BeamSearch", "Sampling", "GreedySearch", "WhisperBeamSearch",
      "SequenceMap"};
  return std::find(kTypes.begin(), kTypes.end(), op_type) != kTypes.end();
}

std::size_t hash_of_shapes(const TraceEvent& event) {
  const std::hash<std::string_view> hash;
  return hash(event.array("input_type_shape")) * 31 + hash(event.array("output_type_shape"));
}

}  // namespace

std::size_t OpCollector::op_of(const TraceEvent& event) {
  // Names need not be unique, node indices are so within one graph only: together they name an op
  // of a graph; in_body() tells apart those of different bodies.
  const std::string_view index =
      event.text("node_index").empty() ? event.text("exec_plan_index") : event.text("node_index");
  std::string key(event.node_name());
  key += '\x1f';
  key += index;
  key += '\x1f';
  key += event.text("op_name");
  const auto [found, fresh] = by_key_.emplace(std::move(key), ops_.size());
  if (fresh) {
    CollectedOp op;
    op.name = event.node_name();
    op.type = event.text("op_name");
    op.provider = event.text("provider");
    op.node_index =
        event.number("node_index").value_or(event.number("exec_plan_index").value_or(-1));
    op.inputs = parse_type_shapes(event.array("input_type_shape"));
    op.outputs = parse_type_shapes(event.array("output_type_shape"));
    op.output_bytes = event.number("output_size");
    op.thread = event.thread;
    op.first_begin_us = event.begin_us;
    op.first_iteration = static_cast<std::int64_t>(iterations_.size());
    ops_.push_back(std::move(op));
    columns_.emplace_back();
    shape_hashes_.push_back(hash_of_shapes(event));
  } else if (hash_of_shapes(event) != shape_hashes_[found->second]) {
    ops_[found->second].shapes_vary = true;
  }
  return found->second;
}

std::size_t OpCollector::in_body(std::size_t op, std::size_t parent) {
  const auto [found, fresh] = bodies_.emplace(std::pair(op, parent), ops_.size());
  if (fresh) {
    CollectedOp copy = ops_[op];
    copy.parent = parent;
    copy.executions = 0;
    ops_.push_back(std::move(copy));
    columns_.emplace_back();
    shape_hashes_.push_back(shape_hashes_[op]);
  }
  if (ops_[op].shapes_vary) ops_[found->second].shapes_vary = true;
  return found->second;
}

void OpCollector::take(const TraceEvent& event) {
  if (event.kind == TraceEvent::Kind::session) {
    if (event.name == "model_run") finish_iteration(event);
    return;
  }
  if (!event.is_op()) return;
  // A body's events end before those of the op that runs it. They were filed as if they stood
  // alone; now that the parent is known they move below it.
  Pending mine{op_of(event), event.begin_us,    event.duration_us,
               event.thread, event.duration_us, false};
  if (has_body(event.text("op_name"))) {
    for (auto child = pending_.rbegin(); child != pending_.rend(); ++child) {
      if (child->begin_us < event.begin_us) break;
      if (child->nested) continue;
      child->nested = true;
      mine.exclusive_us -= child->duration_us;
      child->op = in_body(child->op, mine.op);
    }
    mine.exclusive_us = std::max<std::int64_t>(mine.exclusive_us, 0);
  }
  pending_.push_back(mine);
}

void OpCollector::finish_iteration(const TraceEvent& run) {
  CollectedIteration iteration;
  iteration.duration_us = run.duration_us;
  const std::size_t row = iterations_.size();
  const bool keep = kept_ + pending_.size() <= keep_;
  for (const auto& one : pending_) {
    auto& column = columns_[one.op];
    column.resize(std::max(column.size(), row + 1), 0);
    column[row] += one.exclusive_us * 1000;
    ++ops_[one.op].executions;
    if (keep) {
      iteration.executions.push_back({one.op,
                                      std::max<std::int64_t>(one.begin_us - run.begin_us, 0),
                                      one.duration_us, one.thread});
    }
  }
  if (keep) kept_ += pending_.size();
  pending_.clear();
  iterations_.push_back(std::move(iteration));
  iteration_lost_.push_back(false);
}

void OpCollector::end_segment(std::int64_t expected) {
  pending_.clear();
  const auto have = static_cast<std::int64_t>(iterations_.size()) - segment_start_;
  for (std::int64_t i = have; i < expected; ++i) {
    iterations_.emplace_back();
    iteration_lost_.push_back(true);
    ++lost_;
  }
  segment_start_ = static_cast<std::int64_t>(iterations_.size());
}

run::Column OpCollector::column(std::size_t op) const {
  run::Column out = columns_[op];
  out.resize(iterations_.size(), 0);
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (iteration_lost_[i]) out[i] = run::kMissing;
  }
  return out;
}

std::int64_t OpCollector::events_per_iteration() const {
  std::int64_t executions = 0;
  for (const auto& op : ops_) executions += op.executions;
  const auto good = static_cast<std::int64_t>(iterations_.size()) - lost_;
  return good == 0 ? 0 : executions / good + 2;
}

}  // namespace neurolens::capture
