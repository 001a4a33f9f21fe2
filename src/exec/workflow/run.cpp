// Carrying a workflow out: every step is a task of a typed graph; the journal remembers what
// finished.
#include <algorithm>

#include "journal.hpp"
#include "neurolens/base/file_system.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/exec/graph.hpp"
#include "neurolens/exec/probe_observer.hpp"
#include "state.hpp"
#include "step.hpp"

namespace neurolens::exec {

namespace {

/// The probe and the caller's observer, who may not be there.
class Observers final : public TaskObserver {
 public:
  Observers(const CompiledGraph& graph, TaskObserver* other) : probe_(graph), other_(other) {}
  void begin(TaskId task, std::uint32_t worker, std::uint32_t attempt, Nanoseconds now) override {
    if (other_ != nullptr) other_->begin(task, worker, attempt, now);
    probe_.begin(task, worker, attempt, now);
  }
  void end(TaskId task, std::uint32_t worker, Outcome outcome, Nanoseconds now) override {
    probe_.end(task, worker, outcome, now);
    if (other_ != nullptr) other_->end(task, worker, outcome, now);
  }

 private:
  ProbeObserver probe_;
  TaskObserver* other_;
};

class Runner {
 public:
  Runner(const Workflow::State& state, FileSystem& files, const WorkflowOptions& options)
      : state_(state), files_(files), options_(options) {}

  Result<WorkflowReport> run(Executor& executor) {
    directory_ = options_.state_directory;
    if (const std::size_t at = directory_.find("NAME"); at != std::string::npos) {
      directory_.replace(at, 4, state_.definition.name);
    }
    NEUROLENS_TRY(files_.make_directories(join_path(directory_, "logs")));
    NEUROLENS_ASSIGN(journal_, detail::Journal::open(files_, join_path(directory_, "journal.jsonl"),
                                                     options_.resume));
    NEUROLENS_TRY(make_output_directories());
    Graph graph;
    for (const std::uint32_t i : detail::order_of(state_)) add(graph, i);
    for (const Edge& e : state_.edges) {
      graph.precede(handles_[e.from], handles_[e.to], e.rule);
    }
    NEUROLENS_ASSIGN(const CompiledGraph compiled, std::move(graph).compile());
    GraphRun run(compiled);
    Observers observers(compiled, options_.observer);
    RunOptions wanted;
    wanted.mode = options_.mode;
    wanted.record_times = true;
    wanted.tokens = state_.definition.tokens;
    wanted.attention = options_.attention;
    wanted.control = options_.control;
    wanted.observer = &observers;
    wanted.seed = options_.seed;
    wanted.shared_bytes = Bytes{64 << 20};
    NEUROLENS_TRY(run.run(executor, wanted));
    return report(run);
  }

 private:
  void add(Graph& graph, std::uint32_t index) {
    const StepInstance& s = state_.steps[index];
    handles_.resize(state_.steps.size());
    // The values a step refers to, each once.
    std::vector<std::uint32_t> needed;
    const auto note = [&](const Template& t) {
      for (const TextPart& p : t) {
        if (p.kind == TextPart::Kind::value)
          needed.insert(needed.end(), p.steps.begin(), p.steps.end());
      }
    };
    for (const Template& t : s.words) note(t);
    for (const Template& t : s.templates) note(t);
    for (const auto& [k, t] : s.environment) note(t);
    for (const auto& [k, t] : s.outputs) note(t);
    note(s.directory);
    if (s.condition) note(*s.condition);
    std::sort(needed.begin(), needed.end());
    needed.erase(std::unique(needed.begin(), needed.end()), needed.end());
    std::vector<Handle<StepValue>> values;
    for (const std::uint32_t n : needed) values.push_back(handles_[n]);
    TaskSpec spec(s.id, state_.definition.steps[s.definition].policy);
    handles_[index] = graph.add(
        std::move(spec),
        [this, index, needed](TaskContext& context, const Gathered<StepValue>& gathered) {
          std::map<std::uint32_t, const StepValue*> known;
          for (std::size_t i = 0; i < needed.size(); ++i) known[needed[i]] = &gathered[i];
          return detail::run_step({state_, files_, options_, directory_, *journal_}, index, context,
                                  known);
        },
        gather(std::move(values)));
    graph.keep(handles_[index]);
  }

  Status make_output_directories() {
    for (const StepInstance& s : state_.steps) {
      for (const auto& [name, path] : s.outputs) {
        const bool known = std::all_of(path.begin(), path.end(), [](const TextPart& p) {
          return p.kind == TextPart::Kind::literal || p.kind == TextPart::Kind::directory;
        });
        if (!known) continue;
        std::string text;
        for (const TextPart& p : path)
          text += p.kind == TextPart::Kind::literal ? p.text : directory_;
        NEUROLENS_TRY(files_.make_directories(
            parent_path(join_path(detail::literal_text(s.directory), text))));
      }
    }
    return {};
  }

  [[nodiscard]] WorkflowReport report(const GraphRun& run) const {
    WorkflowReport out;
    out.name = state_.definition.name;
    out.run = run.report();
    std::vector<std::vector<std::string>> after = predecessors();
    for (std::size_t i = 0; i < state_.steps.size(); ++i) {
      const TaskId task = handles_[i].task;
      StepReport step;
      step.id = state_.steps[i].id;
      step.after = std::move(after[i]);
      step.state = run.state(task);
      const TaskTimes times = run.times(task);
      step.begin = times.begin;
      step.busy = times.busy;
      step.attempts = times.calls;
      if (const StepValue* value = run.find(handles_[i])) {
        step.value = value->text;
        step.resumed = value->resumed;
        if (value->resumed) {
          ++out.resumed;
          step.busy = Nanoseconds{value->busy_ns};
        }
      }
      if (step.state != EndState::done) step.explanation = run.explain(task);
      const bool is_command = state_.definition.steps[state_.steps[i].definition].function.empty();
      if (is_command && times.calls > 0) {
        step.log = join_path(join_path(directory_, "logs"), detail::file_id(step.id)) + ".log";
      }
      out.steps.push_back(std::move(step));
    }
    for (const TaskId t : out.run.critical_path) out.critical_path.push_back(run.name(t));
    return out;
  }

  [[nodiscard]] std::vector<std::vector<std::string>> predecessors() const {
    std::vector<Edge> edges = state_.edges;
    std::sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) {
      return std::pair(a.to, a.from) < std::pair(b.to, b.from);
    });
    std::vector<std::vector<std::string>> after(state_.steps.size());
    for (std::size_t i = 0; i < edges.size(); ++i) {
      const bool twice =
          i > 0 && edges[i - 1].to == edges[i].to && edges[i - 1].from == edges[i].from;
      if (!twice) after[edges[i].to].push_back(state_.steps[edges[i].from].id);
    }
    return after;
  }

  const Workflow::State& state_;
  FileSystem& files_;
  const WorkflowOptions& options_;
  std::string directory_;
  std::unique_ptr<detail::Journal> journal_;
  std::vector<Handle<StepValue>> handles_;
};

}  // namespace

Result<WorkflowReport> Workflow::run(Executor& executor, FileSystem& files,
                                     const WorkflowOptions& options) const {
  if (options.mode == Mode::async) {
    return Error{Errc::bad_request, "A workflow runs in threads, in processes or serially.", {}};
  }
  return Runner(*state_, files, options).run(executor);
}

}  // namespace neurolens::exec
