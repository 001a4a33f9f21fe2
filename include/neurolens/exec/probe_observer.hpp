/// \file
/// Shows tasks to the probe: every call of a task function becomes a scope named after its task, on
/// the thread that ran it.
#pragma once

#include <memory>

#include "neurolens/exec/graph.hpp"
#include "neurolens/exec/observer.hpp"

namespace neurolens::exec {

/// Set as RunOptions::observer. While the probe does not record, a call costs two branches on top
/// of what any observer costs (two clock readings). Tasks without a name share the scope "task".
/// Safe to use from several runs of the same graph at once.
class ProbeObserver final : public TaskObserver {
 public:
  /// Copies the names of `graph`.
  explicit ProbeObserver(const CompiledGraph& graph);
  ~ProbeObserver() override;
  void begin(TaskId task, std::uint32_t worker, std::uint32_t attempt, Nanoseconds now) override;
  void end(TaskId task, std::uint32_t worker, Outcome outcome, Nanoseconds now) override;

 private:
  struct Sites;
  std::unique_ptr<Sites> sites_;
};

}  // namespace neurolens::exec
