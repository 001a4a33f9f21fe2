#include <fmt/format.h>

#include <algorithm>

#include "neurolens/base/text.hpp"
#include "neurolens/exec/graph.hpp"
#include "neurolens/exec/workflow.hpp"

namespace neurolens::exec {
namespace {

std::string seconds(Nanoseconds t) {
  const double s = static_cast<double>(t.count) * 1e-9;
  if (s < 1e-3) return fmt::format("{:.1f} us", s * 1e6);
  if (s < 1) return fmt::format("{:.1f} ms", s * 1e3);
  if (s < 120) return fmt::format("{:.2f} s", s);
  return fmt::format("{:.1f} min", s / 60);
}

bool well(const StepReport& step) {
  return step.state == EndState::done ||
         (step.state == EndState::skipped && step.explanation.ends_with("its condition was false"));
}

}  // namespace

bool WorkflowReport::ok() const {
  return std::all_of(steps.begin(), steps.end(), well);
}

std::string WorkflowReport::text() const {
  std::size_t width = 4;
  for (const StepReport& s : steps)
    width = std::max(width, std::min<std::size_t>(printable(s.id).size(), 48));
  std::string out;
  for (const StepReport& s : steps) {
    std::string note = s.resumed ? "from an earlier run" : printable(s.explanation);
    if (s.attempts > 1) note += fmt::format("{}{} calls", note.empty() ? "" : "; ", s.attempts);
    std::string line = fmt::format("{:<{}}  {:<9}  {:>10}  {}", printable(s.id), width,
                                   to_string(s.state), seconds(s.busy), note);
    while (line.back() == ' ') line.pop_back();
    out += line + "\n";
  }
  out += fmt::format("\n{}: {} of {} steps done", printable(name), run.count(EndState::done),
                     run.tasks);
  for (const EndState state :
       {EndState::failed, EndState::skipped, EndState::cancelled, EndState::timed_out}) {
    if (run.count(state) > 0) {
      out += fmt::format(", {} {}", run.count(state),
                         state == EndState::timed_out ? "timed out" : to_string(state));
    }
  }
  if (resumed > 0) out += fmt::format(" ({} in an earlier run)", resumed);
  out += fmt::format(
      "\nserial {}, wall {} on {} workers: {:.2f}x; critical path {} (at most {:.2f}x)\n",
      seconds(run.work), seconds(run.wall), run.workers, run.parallelism(), seconds(run.span),
      run.most_parallelism());
  std::string path;
  for (const std::string& id : critical_path) path += (path.empty() ? "" : " -> ") + printable(id);
  if (!path.empty()) out += "critical path: " + path + "\n";
  return out;
}

std::string WorkflowReport::json() const {
  neurolens::json::Writer w({2});
  w.begin_object();
  w.member("workflow", name).member("ok", ok());
  w.member("tasks", run.tasks)
      .member("workers", std::uint64_t{run.workers})
      .member("resumed", resumed);
  for (std::size_t s = 0; s < kEndStates; ++s)
    w.member(to_string(static_cast<EndState>(s)), run.ended[s]);
  w.member("serial_ns", run.work).member("wall_ns", run.wall).member("critical_path_ns", run.span);
  w.member("speed_up", run.parallelism());
  w.key("critical_path").begin_array();
  for (const std::string& id : critical_path) w.value(id);
  w.end_array();
  w.key("steps").begin_array();
  for (const StepReport& s : steps) {
    w.begin_object();
    w.member("id", s.id).member("state", to_string(s.state)).member("resumed", s.resumed);
    w.member("calls", std::uint64_t{s.attempts})
        .member("begin_ns", s.begin)
        .member("busy_ns", s.busy);
    w.member("value", s.value);
    w.key("explanation");
    if (s.explanation.empty()) {
      w.null();
    } else {
      w.value(s.explanation);
    }
    w.key("log");
    if (s.log.empty()) {
      w.null();
    } else {
      w.value(s.log);
    }
    w.end_object();
  }
  w.end_array();
  w.end_object();
  return std::move(w).take() + "\n";
}

Result<WorkflowReport> run_steps(Executor& executor, const std::vector<SimpleStep>& steps,
                                 bool parallel, const RunOptions& options) {
  Graph graph;
  std::vector<Handle<void>> handles;
  for (const SimpleStep& step : steps) {
    handles.push_back(graph.add(TaskSpec(step.name),
                                [&step](TaskContext& context) { return step.function(context); }));
    if (!parallel && handles.size() > 1) graph.precede(handles[handles.size() - 2], handles.back());
  }
  NEUROLENS_ASSIGN(const CompiledGraph compiled, std::move(graph).compile());
  GraphRun run(compiled);
  RunOptions wanted = options;
  wanted.record_times = true;
  NEUROLENS_TRY(run.run(executor, wanted));
  WorkflowReport report;
  report.run = run.report();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    StepReport s;
    s.id = run.name(handles[i].task);
    s.state = run.state(handles[i].task);
    const TaskTimes times = run.times(handles[i].task);
    s.begin = times.begin;
    s.busy = times.busy;
    s.attempts = times.calls;
    if (s.state != EndState::done) s.explanation = run.explain(handles[i].task);
    report.steps.push_back(std::move(s));
  }
  for (const TaskId t : report.run.critical_path) report.critical_path.push_back(run.name(t));
  return report;
}

}  // namespace neurolens::exec
