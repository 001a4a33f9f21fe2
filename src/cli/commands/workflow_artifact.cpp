#include "workflow_artifact.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "neurolens/base/clock.hpp"
#include "neurolens/base/hash.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/capture/host.hpp"

namespace neurolens::cli {
namespace {

/// Steps that overlap in time go to rows of their own, as few as can be.
class Rows {
 public:
  std::int64_t place(std::int64_t begin, std::int64_t end) {
    for (std::size_t row = 0; row < busy_until_.size(); ++row) {
      if (busy_until_[row] <= begin) {
        busy_until_[row] = end;
        return static_cast<std::int64_t>(row);
      }
    }
    busy_until_.push_back(end);
    return static_cast<std::int64_t>(busy_until_.size()) - 1;
  }
  [[nodiscard]] std::size_t count() const { return busy_until_.size(); }

 private:
  std::vector<std::int64_t> busy_until_;
};

void add_timeline(const std::vector<const exec::StepReport*>& steps, run::Run& run) {
  std::vector<std::size_t> order(steps.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return steps[a]->begin < steps[b]->begin; });
  struct Event {
    std::int64_t row, op, begin, duration;
  };
  std::vector<Event> events;
  Rows rows;
  for (const std::size_t i : order) {
    const std::int64_t begin = steps[i]->begin.count, busy = steps[i]->busy.count;
    events.push_back({rows.place(begin, begin + busy), static_cast<std::int64_t>(i), begin, busy});
  }
  run::Timeline timeline;
  for (std::size_t row = 0; row < rows.count(); ++row)
    timeline.tracks.push_back(
        {fmt::format("row {}", row + 1), "async", std::nullopt, std::nullopt});
  for (const run::Op& op : run.ops) timeline.names.push_back(op.name);
  for (const Event& event : events) {
    timeline.track.push_back(event.row);
    timeline.name.push_back(event.op);
    timeline.op.push_back(event.op);
    timeline.begin_ns.push_back(event.begin);
    timeline.duration_ns.push_back(event.duration);
  }
  if (!events.empty()) run.timeline = std::move(timeline);
}

}  // namespace

run::Run workflow_to_run(const exec::WorkflowReport& report, const std::string& file,
                         const std::vector<std::string>& argv) {
  run::Run run;
  run.run_id = make_uuid();
  run.created_at = to_rfc3339(system_clock().wall());
  run.neurolens_version = NEUROLENS_VERSION;
  run.host = capture::read_host().facts;
  run.software.backend = "exec";
  run.software.backend_version = NEUROLENS_VERSION;
  run.software.threads_between = report.run.workers;
  run.workload.kind = "program";
  run.workload.name = to_valid_utf8(report.name);
  run.workload.path = to_valid_utf8(file);
  run.config.command = argv;
  run.config.method = "observed";
  run::Iterations& rows = run.samples.iterations;
  rows.begin_ns = {0};
  rows.duration_ns = {report.run.wall.count};
  rows.observed = {1};
  rows.warmup = {0};
  rows.disturbed = {0};
  std::vector<const exec::StepReport*> ran;
  for (const exec::StepReport& step : report.steps) {
    const std::string id = to_valid_utf8(step.id);
    if (step.resumed) {
      run.notes.push_back(fmt::format("Step {} ended in an earlier run.", id));
      continue;
    }
    if (step.state != exec::EndState::done)
      run.notes.push_back(fmt::format("Step {}: {}. {}", id, to_string(step.state),
                                      to_valid_utf8(step.explanation)));
    if (step.attempts == 0) continue;  // skipped: it took no time
    run::Op op;
    op.name = id;
    op.type = id.substr(0, id.find('['));  // instances of a matrix are of one type
    op.phase = "other";
    op.executions_per_iteration = step.attempts;
    run::Estimate estimate;
    estimate.time_ns = step.busy.count;
    estimate.raw_time_ns = step.busy.count;
    estimate.method = "observed";
    op.estimate = estimate;
    run.samples.op_duration_ns.push_back({step.busy.count});
    run.ops.push_back(std::move(op));
    ran.push_back(&step);
  }
  run.notes.push_back(fmt::format(
      "Steps overlap: together they took {:.2f} s in {:.2f} s; the longest chain of steps that "
      "wait for each other took {:.2f} s.",
      static_cast<double>(report.run.work.count) * 1e-9,
      static_cast<double>(report.run.wall.count) * 1e-9,
      static_cast<double>(report.run.span.count) * 1e-9));
  add_timeline(ran, run);
  return run;
}

}  // namespace neurolens::cli
