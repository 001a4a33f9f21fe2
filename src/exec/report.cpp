// Answers after a run: states, causes, explanations, the report.
#include <fmt/format.h>

#include <algorithm>

#include "engine.hpp"
#include "neurolens/exec/run.hpp"
#include "run_core.hpp"

namespace neurolens::exec {

double RunReport::parallelism() const {
  return wall.count > 0 ? static_cast<double>(work.count) / static_cast<double>(wall.count) : 0.0;
}
double RunReport::most_parallelism() const {
  return span.count > 0 ? static_cast<double>(work.count) / static_cast<double>(span.count) : 0.0;
}
double RunReport::overhead() const {
  const double paid = static_cast<double>(wall.count) * workers;
  return paid > 0 ? (paid - static_cast<double>(work.count)) / paid : 0.0;
}

namespace detail {

std::string Compiled::name(std::uint32_t task) const {
  const auto it = names.find(task);
  return it != names.end() ? it->second : fmt::format("#{}", task);
}

EndState RunCore::state(std::uint32_t task) const noexcept {
  const auto decode = [](auto value) {
    using Cell = decltype(value);
    return (value & kPoison<Cell>) != 0 ? static_cast<EndState>(value & ~kPoison<Cell>)
                                        : EndState::done;
  };
  if (narrow_ != nullptr) {
    return decode(std::atomic_ref<std::uint8_t>(narrow_[task]).load(std::memory_order_relaxed));
  }
  return decode(std::atomic_ref<std::uint32_t>(wide_[task]).load(std::memory_order_relaxed));
}

const TaskError* RunCore::error(std::uint32_t task) const noexcept {
  const std::lock_guard lock(errors_->mutex);
  const auto it = errors_->map.find(task);
  return it != errors_->map.end() ? &it->second : nullptr;
}

std::size_t RunCore::bytes() const noexcept {
  const std::size_t cells = compiled_->topology->tasks();
  return cells * (narrow_ != nullptr ? 1 : 4) + times.capacity() * sizeof(TaskTimes) +
         policy_states_.capacity() * sizeof(PolicyState) + sizeof(RunCore);
}

// One pass over all edges makes the lists of all tasks that did not end well.
const std::vector<Edge>& RunCore::causes_of(std::uint32_t task) const {
  const std::lock_guard lock(causes_mutex_);
  if (!causes_built_) {
    const Topology& topology = *compiled_->topology;
    for (std::uint32_t t = 0; t < topology.tasks() && !topology.offsets().empty(); ++t) {
      if (state(t) == EndState::done) continue;
      for (std::uint32_t e = topology.offsets()[t]; e < topology.offsets()[t + 1]; ++e) {
        const EdgeRule rule = topology.rules().empty() ? EdgeRule::skip : topology.rules()[e];
        const std::uint32_t to = topology.successors()[e] & ~Topology::kOnly;
        if (rule == EdgeRule::skip) causes_[to].push_back({t, to, rule});
      }
    }
    causes_built_ = true;
  }
  return causes_[task];
}

std::vector<TaskId> RunCore::causes(std::uint32_t task) const {
  std::vector<TaskId> out;
  if (state(task) == EndState::done) return out;
  for (const Edge& edge : causes_of(task)) {
    if (out.empty() || out.back().value != edge.from) out.emplace_back(edge.from);
  }
  return out;
}

std::string RunCore::explain(std::uint32_t task) const {
  if (state(task) == EndState::done) return fmt::format("{} is done", compiled_->name(task));
  std::vector<std::uint32_t> chain{task};
  for (std::vector<TaskId> next = causes(task); !next.empty(); next = causes(chain.back())) {
    chain.push_back(next.front().value);
  }
  constexpr std::size_t kShown = 6;
  std::string text;
  for (std::size_t i = 0; i < chain.size(); ++i) {
    if (chain.size() > kShown && i == kShown / 2) {
      const std::size_t left_out = chain.size() - kShown;
      text += fmt::format("... {} more ..., because ", left_out);
      i += left_out;
    }
    const std::uint32_t t = chain[i];
    const EndState end = state(t);
    text += compiled_->name(t);
    text += end == EndState::timed_out ? " timed out"
            : end == EndState::failed  ? " failed"
                                       : fmt::format(" was {}", to_string(end));
    if (const TaskError* e = error(t)) {
      text += e->type.empty() ? fmt::format(": {}", e->error.message)
                              : fmt::format(": {}: {}", e->type, e->error.message);
      if (e->attempts > 1) text += fmt::format(" ({} attempts)", e->attempts);
    }
    const std::size_t others = causes(t).size();
    if (others > 1) text += fmt::format(" (1 of {} causes)", others);
    if (i + 1 < chain.size()) text += " because ";
  }
  return text;
}

void RunCore::finish_report(Nanoseconds wall, std::uint32_t workers) {
  report = RunReport{};
  report.tasks = compiled_->topology->tasks();
  report.workers = workers;
  report.wall = wall;
  std::uint64_t bad = 0;
  for (std::size_t s = 1; s < kEndStates; ++s) {
    report.ended[s] = not_done_[s].load(std::memory_order_relaxed);
    bad += report.ended[s];
  }
  report.ended[0] = report.tasks - bad;
  report.times_recorded = options_.record_times;
  if (options_.record_times) build_critical_path();
}

void RunCore::build_critical_path() {
  const Topology& topology = *compiled_->topology;
  const std::uint32_t n = topology.tasks();
  for (const TaskTimes& t : times) report.work += t.busy;
  if (n == 0) return;
  // Longest path by busy time, forwards in topological order.
  std::vector<std::int64_t> begin(n, 0);
  std::vector<std::uint32_t> before(n, kNone);
  std::vector<std::uint32_t> order;
  if (topology.offsets().empty()) {
    order.resize(n);
    for (std::uint32_t t = 0; t < n; ++t) order[t] = t;
  } else {
    std::vector<std::uint32_t> left(n, 0);
    for (const std::uint32_t s : topology.successors()) ++left[s & ~Topology::kOnly];
    order.assign(topology.roots().begin(), topology.roots().end());
    order.reserve(n);
    for (std::size_t i = 0; i < order.size(); ++i) {
      const std::uint32_t t = order[i];
      const std::int64_t end = begin[t] + times[t].busy.count;
      for (std::uint32_t e = topology.offsets()[t]; e < topology.offsets()[t + 1]; ++e) {
        const std::uint32_t to = topology.successors()[e] & ~Topology::kOnly;
        if (before[to] == kNone || end > begin[to]) {
          begin[to] = end;
          before[to] = t;
        }
        if (--left[to] == 0) order.push_back(to);
      }
    }
  }
  std::uint32_t last = order.front();
  for (const std::uint32_t t : order) {
    if (begin[t] + times[t].busy.count > begin[last] + times[last].busy.count) last = t;
  }
  report.span = Nanoseconds{begin[last] + times[last].busy.count};
  for (std::uint32_t t = last; t != kNone; t = before[t]) report.critical_path.emplace_back(t);
  std::reverse(report.critical_path.begin(), report.critical_path.end());
}

void CoreDeleter::operator()(RunCore* core) const noexcept {
  delete core;
}

CorePtr make_flat_core(std::shared_ptr<const Topology> topology, const void* object,
                       UniformCall call) {
  auto compiled = std::make_shared<Compiled>();
  compiled->topology = std::move(topology);
  compiled->uniform = call;
  compiled->object = object;
  return CorePtr(new RunCore(std::move(compiled)));
}

}  // namespace detail

Run::Run(detail::CorePtr core) : core_(std::move(core)) {}
Run::~Run() = default;
Run::Run(Run&&) noexcept = default;
Run& Run::operator=(Run&&) noexcept = default;

Status Run::run(Executor& executor, const RunOptions& options) {
  return core_->run(executor, options);
}
const RunReport& Run::report() const noexcept {
  return core_->report;
}
EndState Run::state(TaskId task) const noexcept {
  return core_->state(task.value);
}
const TaskError* Run::error(TaskId task) const noexcept {
  return core_->error(task.value);
}
std::vector<TaskId> Run::causes(TaskId task) const {
  return core_->causes(task.value);
}
std::string Run::explain(TaskId task) const {
  return core_->explain(task.value);
}
std::string Run::name(TaskId task) const {
  return core_->compiled().name(task.value);
}
std::size_t Run::bytes() const noexcept {
  return core_->bytes();
}

std::vector<TaskId> Run::ended(EndState state) const {
  std::vector<TaskId> out;
  const std::uint32_t n = core_->compiled().topology->tasks();
  for (std::uint32_t t = 0; t < n; ++t) {
    if (core_->state(t) == state) out.emplace_back(t);
  }
  return out;
}

Status Run::status() const {
  const std::uint64_t bad = core_->report.tasks - core_->report.count(EndState::done);
  if (bad == 0) return {};
  const std::uint32_t n = core_->compiled().topology->tasks();
  for (std::uint32_t t = 0; t < n; ++t) {
    if (core_->state(t) == EndState::done) continue;
    const std::string more = bad > 1 ? fmt::format(" ({} more did not end well)", bad - 1) : "";
    return Error{Errc::task_failed, core_->explain(t) + more + ".", {}};
  }
  return {};
}

TaskTimes Run::times(TaskId task) const noexcept {
  return task.index() < core_->times.size() ? core_->times[task.index()] : TaskTimes{};
}

}  // namespace neurolens::exec
