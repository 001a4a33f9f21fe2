/// \file
/// The short way: run a list of functions, apply one function to a list, loop, sweep a grid.
/// Every call returns partial results: what failed is named, the rest is there.
#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "neurolens/base/json.hpp"
#include "neurolens/exec/flat.hpp"
#include "neurolens/exec/graph.hpp"

namespace neurolens::exec {

/// What became of one function or element.
template <class R>
struct TaskResult {
  TaskId id;  ///< Index in the list.
  EndState state = EndState::done;
  std::optional<R> value;          ///< Set when done.
  std::optional<TaskError> error;  ///< Set when the task has an error of its own.
  TaskTimes times;                 ///< Zeroes unless RunOptions::record_times.

  [[nodiscard]] bool success() const { return state == EndState::done; }
};

/// Results of a list, and what the run came to.
template <class R>
struct ParallelResults {
  std::vector<TaskResult<R>> results;  ///< In the order of the list.
  RunReport report;
};

namespace detail {

template <class R>
ParallelResults<R> collect_results(GraphRun& run, const std::vector<Handle<R>>& handles) {
  ParallelResults<R> all;
  all.report = run.report();
  all.results.reserve(handles.size());
  for (std::size_t i = 0; i < handles.size(); ++i) {
    TaskResult<R> r;
    r.id = TaskId{i};
    r.state = run.state(handles[i].task);
    if (const R* value = run.find(handles[i])) r.value = *value;
    if (const TaskError* error = run.error(handles[i].task)) r.error = *error;
    r.times = run.times(handles[i].task);
    all.results.push_back(std::move(r));
  }
  return all;
}

}  // namespace detail

/// Runs all `functions`, `policy` applied to each. Each is called with `arguments` (const
/// references). Errors: as Run::run; that functions failed is told in the results.
template <class F, class... A>
[[nodiscard]] auto execute_parallel(Executor& executor, const std::vector<F>& functions,
                                    const RunOptions& options = {}, const Policy& policy = {},
                                    const A&... arguments) {
  using Raw = std::invoke_result_t<const F&, const A&...>;
  using R = typename detail::Unwrap<std::remove_cvref_t<Raw>>::type;
  static_assert(!std::is_void_v<R>, "use run() of a FlatRun for functions without a result");
  Graph graph;
  std::vector<Handle<R>> handles;
  for (const F& function : functions) {
    handles.push_back(graph.add(TaskSpec("", policy),
                                [&function, &arguments...] { return function(arguments...); }));
  }
  using All = Result<ParallelResults<R>>;
  Result<CompiledGraph> compiled = std::move(graph).compile();
  if (!compiled.ok()) return All(std::move(compiled).error());
  GraphRun run(compiled.value());
  if (Status status = run.run(executor, options); !status.ok())
    return All(std::move(status).error());
  return All(detail::collect_results<R>(run, handles));
}

/// Applies `function` to every element. As execute_parallel otherwise.
template <class F, class T>
[[nodiscard]] auto map(Executor& executor, const F& function, const std::vector<T>& elements,
                       const RunOptions& options = {}, const Policy& policy = {}) {
  const auto bind = [&function](const T& element) {
    return [&function, &element] { return function(element); };
  };
  std::vector<decltype(bind(elements.front()))> calls;
  calls.reserve(elements.size());
  for (const T& element : elements) calls.push_back(bind(element));
  return execute_parallel(executor, calls, options, policy);
}

/// Calls `body(begin, end)` for consecutive pieces of [0, count), each of `grain` indices (the last
/// may be shorter). The pieces do not depend on the number of workers. Requires grain >= 1 and
/// count / grain <= kMostTasks. OK when every piece ended well, else the first failure.
template <class F>
[[nodiscard]] Status parallel_for(Executor& executor, std::size_t count, std::size_t grain,
                                  const F& body, const RunOptions& options = {}) {
  const auto pieces = static_cast<std::uint32_t>((count + grain - 1) / grain);
  Result<Topology> topology = Topology::compile(pieces, {});
  if (!topology.ok()) return std::move(topology).error();
  FlatRun run(std::make_shared<const Topology>(std::move(topology).value()),
              [&](std::uint32_t piece) {
                const std::size_t begin = piece * grain;
                body(begin, std::min(count, begin + grain));
              });
  NEUROLENS_TRY(run.run(executor, options));
  return run.status();
}

// --- parameter sweeps ---------------------------------------------------------------------------

/// One parameter and the values it takes.
struct Axis {
  std::string name;
  std::vector<json::Value> values;
};
/// Values of `first`, `first` + step, ... as an axis; count >= 0.
[[nodiscard]] Axis range_axis(std::string name, double first, double step, std::size_t count);

/// One combination of values.
class Point {
 public:
  Point(std::span<const Axis> axes, std::size_t index) : axes_(axes), index_(index) {}
  /// Position in the grid: the last axis runs fastest.
  [[nodiscard]] std::size_t index() const { return index_; }
  /// Value of an axis; null value when there is no such axis.
  [[nodiscard]] const json::Value& operator[](std::string_view axis) const;
  /// The value as a number; NaN when it is none.
  [[nodiscard]] double number(std::string_view axis) const;

 private:
  std::span<const Axis> axes_;
  std::size_t index_;
};

/// Results of a sweep: axes, measures (null where the point failed), state, error.
struct Table {
  std::vector<std::string> columns;
  std::vector<std::vector<json::Value>> rows;
  RunReport report;

  /// RFC 4180, with a header line. Null is empty.
  [[nodiscard]] std::string csv() const;
  /// Aligned columns for a terminal. Null is "-".
  [[nodiscard]] std::string text() const;
  /// An array of objects.
  [[nodiscard]] std::string json() const;
};

/// Evaluates `function` at every point of the grid; it returns one number per name in `measures`.
/// Errors: bad_request for an empty axis or a name used twice, too_large for over 10 million
/// points, else as Run::run. A failing point is a row with its state and error.
[[nodiscard]] Result<Table> sweep(
    Executor& executor, std::vector<Axis> axes, std::vector<std::string> measures,
    std::function<Result<std::vector<double>>(const Point&, TaskContext&)> function,
    const RunOptions& options = {}, const Policy& policy = {});

}  // namespace neurolens::exec
