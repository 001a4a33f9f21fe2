#include "workflow_artifact.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

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

/// The steps that ran in this run, in the order in which they began: what a step waits for comes
/// before it. Notes say what became of the others.
std::vector<const exec::StepReport*> steps_that_ran(const exec::WorkflowReport& report,
                                                    run::Run& run) {
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
    if (step.attempts > 0) ran.push_back(&step);  // a skipped one took no time
  }
  std::stable_sort(ran.begin(), ran.end(),
                   [](const auto* a, const auto* b) { return a->begin < b->begin; });
  return ran;
}

/// Dependencies are told as dataflow: every step writes what is named after it.
run::Op op_of(const exec::StepReport& step, const std::set<std::string>& ids) {
  run::Op op;
  op.name = to_valid_utf8(step.id);
  op.type = op.name.substr(0, op.name.find('['));  // instances of a matrix are of one type
  op.phase = "other";
  op.executions_per_iteration = step.attempts;
  op.outputs.push_back({op.name, std::nullopt, std::nullopt});
  for (const std::string& before : step.after) {
    const std::string id = to_valid_utf8(before);
    if (ids.contains(id)) op.inputs.push_back({id, std::nullopt, std::nullopt});
  }
  run::Estimate estimate;
  estimate.time_ns = step.busy.count;
  estimate.raw_time_ns = step.busy.count;
  estimate.method = "observed";
  op.estimate = estimate;
  return op;
}

std::string seconds(Nanoseconds t) {
  return fmt::format("{:.2f} s", static_cast<double>(t.count) * 1e-9);
}

void add_parallelism(const exec::WorkflowReport& report, run::Run& run) {
  const exec::RunReport& r = report.run;
  run.notes.push_back(fmt::format(
      "Parallelism: the steps together took {} (work) and were done after {} on {} workers: "
      "{:.2f}x. The longest chain of steps that wait for each other took {} (span), so that no "
      "number of workers could give more than {:.2f}x.",
      seconds(r.work), seconds(r.wall), r.workers, r.parallelism(), seconds(r.span),
      r.most_parallelism()));
  std::string path;
  for (const std::string& id : report.critical_path)
    path += (path.empty() ? "" : " -> ") + to_valid_utf8(id);
  if (!path.empty()) run.notes.push_back("Critical path: " + path + ".");
}

void add_timeline(const std::vector<const exec::StepReport*>& steps, run::Run& run) {
  struct Event {
    std::int64_t row, op, begin, duration;
  };
  std::vector<Event> events;
  Rows rows;
  for (std::size_t i = 0; i < steps.size(); ++i) {
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
  run.config.options["workers"] = std::to_string(report.run.workers);
  const std::vector<const exec::StepReport*> ran = steps_that_ran(report, run);
  std::set<std::string> ids;
  for (const exec::StepReport* step : ran) ids.insert(to_valid_utf8(step->id));
  for (const exec::StepReport* step : ran) {
    run.samples.op_duration_ns.push_back({step->busy.count});
    run.ops.push_back(op_of(*step, ids));
  }
  add_parallelism(report, run);
  add_timeline(ran, run);
  return run;
}

}  // namespace neurolens::cli
