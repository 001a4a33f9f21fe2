/// \file
/// Turns the profiler's events into ops and columns: one value per op and iteration.
/// The runtime writes events when they end, so an iteration is everything up to its "model_run",
/// and the body of a Loop comes before the Loop itself. An op's time is exclusive: what its body
/// took is counted at the body's ops, so that the times of an iteration add up.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "adapters/onnxruntime/trace_reader.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::capture {

/// An op as the events describe it.
struct CollectedOp {
  std::string name;
  std::string type;
  std::string provider;
  std::int64_t node_index = -1;
  std::optional<std::size_t> parent;  ///< The control-flow op whose body it is in.
  std::vector<run::Tensor> inputs;    ///< Types and shapes of its first execution.
  std::vector<run::Tensor> outputs;
  std::optional<std::int64_t> output_bytes;
  std::int64_t thread = 0;
  std::int64_t executions = 0;      ///< In all iterations.
  std::int64_t first_begin_us = 0;  ///< In the iteration in which it was first seen.
  std::int64_t first_iteration = 0;
  bool shapes_vary = false;  ///< Some execution had other shapes than the first.
};

/// One execution of an op within an iteration.
struct Execution {
  std::size_t op = 0;
  std::int64_t begin_us = 0;     ///< Since the begin of the iteration.
  std::int64_t duration_us = 0;  ///< Inclusive.
  std::int64_t thread = 0;
};

/// One iteration as the profiler saw it.
struct CollectedIteration {
  std::int64_t duration_us = 0;       ///< Of the whole call.
  std::vector<Execution> executions;  ///< Empty when not kept.
};

class OpCollector {
 public:
  /// Executions are kept for a timeline until there are `keep_executions` of them.
  explicit OpCollector(std::size_t keep_executions = 200'000) : keep_(keep_executions) {}

  void take(const TraceEvent& event);
  /// Ends a file of `expected` iterations: adds missing ones as lost, drops an unfinished one.
  void end_segment(std::int64_t expected);

  /// Ops with no executions are placeholders: leave them out.
  [[nodiscard]] const std::vector<CollectedOp>& ops() const { return ops_; }
  [[nodiscard]] const std::vector<CollectedIteration>& iterations() const { return iterations_; }
  /// Exclusive nanoseconds of `op` in each iteration, kMissing for lost ones.
  [[nodiscard]] run::Column column(std::size_t op) const;
  [[nodiscard]] std::int64_t lost_iterations() const { return lost_; }
  [[nodiscard]] std::int64_t events_per_iteration() const;

 private:
  struct Pending {
    std::size_t op;
    std::int64_t begin_us, duration_us, thread, exclusive_us;
    bool nested = false;
  };
  std::size_t op_of(const TraceEvent& event);
  std::size_t in_body(std::size_t op, std::size_t parent);
  void finish_iteration(const TraceEvent& run);

  std::size_t keep_;
  std::size_t kept_ = 0;
  std::vector<CollectedOp> ops_;
  std::unordered_map<std::string, std::size_t> by_key_;
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> bodies_;
  std::vector<Pending> pending_;
  std::vector<CollectedIteration> iterations_;
  std::vector<bool> iteration_lost_;
  std::vector<std::size_t> shape_hashes_;  // per op, of its first execution
  std::vector<run::Column> columns_;       // per op; shorter than iterations_ where it did not run
  std::int64_t lost_ = 0;
  std::int64_t segment_start_ = 0;
};

}  // namespace neurolens::capture
