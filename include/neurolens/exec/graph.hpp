/// \file
/// Typed task graphs: add functions and say whose results they take; compile once; run often.
///
///   Graph graph;
///   auto rows = graph.input<int>("rows");
///   auto data = graph.add("load", [](int n) { return std::vector<double>(n, 1.0); }, rows);
///   auto sum  = graph.add("sum", [](const std::vector<double>& v) { return total(v); }, data);
///   auto compiled = std::move(graph).compile();          // Result: cycles, duplicate names
///   GraphRun run(compiled.value());
///   run.set(rows, 1000);
///   run.run(executor);
///   run.value(sum);                                      // Result<const double*>
///
/// A function takes its dependencies' results by const reference, in the order in which they were
/// listed; a first parameter TaskContext& is passed when it asks for one. It returns T, void,
/// Result<T>, Status or Async<T>. Throwing or returning an error fails the task, not the program.
/// Results are freed as soon as the last task that reads them is done; results that nobody reads
/// are kept until the next run, and so are those whose readers did not end well.
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "neurolens/exec/graph_parts.hpp"
#include "neurolens/exec/policy.hpp"
#include "neurolens/exec/run.hpp"

namespace neurolens::exec {

class Graph;

/// A task's result, or an input, before it exists. Cheap to copy; belongs to one graph.
template <class T>
struct Handle {
  TaskId task;  ///< Meaningless for inputs.
  detail::Source source;
  std::uint32_t graph = 0;
  /// Handles of tasks can be used where only the order matters.
  operator Handle<void>() const  // NOLINT: conversion is the point
      requires(!std::is_void_v<T>) {
    return {task, source, graph};
  }
};

/// See fallback().
template <class T>
struct FallbackOf {
  Handle<T> handle;
  T value;
};
/// See maybe().
template <class T>
struct MaybeOf {
  Handle<T> handle;
};
/// See gather().
template <class T>
struct GatherOf {
  std::vector<Handle<T>> handles;
};
/// See after() and after_any_end().
struct AfterOf {
  Handle<void> handle;
  EdgeRule rule;
};
/// See when().
struct WhenOf {
  Handle<bool> handle;
};

/// Argument: the result, or `value` when the dependency did not end well.
template <class T, class U>
[[nodiscard]] FallbackOf<T> fallback(Handle<T> handle, U&& value) {
  return {handle, T(std::forward<U>(value))};
}
/// Argument: const Ended<T>& or Ended<T>, telling what became of the dependency. The task runs
/// anyway.
template <class T>
[[nodiscard]] MaybeOf<T> maybe(Handle<T> handle) {
  return {handle};
}
/// Argument: const Gathered<T>&, all results in this order.
template <class T>
[[nodiscard]] GatherOf<T> gather(std::vector<Handle<T>> handles) {
  return {std::move(handles)};
}
/// No argument: the task starts after `handle` has ended well.
template <class T>
[[nodiscard]] AfterOf after(Handle<T> handle) {
  return {handle, EdgeRule::skip};
}
/// No argument: the task starts after `handle` has ended, well or not.
template <class T>
[[nodiscard]] AfterOf after_any_end(Handle<T> handle) {
  return {handle, EdgeRule::run_anyway};
}
/// No argument: the task is skipped when the dependency's result is false.
[[nodiscard]] inline WhenOf when(Handle<bool> handle) {
  return {handle};
}

/// Name and policy of a task; a plain string names it.
struct TaskSpec {
  TaskSpec() = default;
  TaskSpec(const char* task_name) : name(task_name) {}  // NOLINT: conversion is the point
  TaskSpec(std::string task_name) : name(std::move(task_name)) {}  // NOLINT
  TaskSpec(std::string task_name, Policy task_policy)
      : name(std::move(task_name)), policy(std::move(task_policy)) {}
  /// Unique among the tasks of a scope; may be empty: the task is then called "#INDEX".
  std::string name;
  Policy policy;
};

namespace detail {
struct Compiled;

/// Collects nodes, edges and names; the untyped part of Graph.
class Builder {
 public:
  Builder();
  ~Builder();
  Builder(Builder&&) noexcept;
  Builder& operator=(Builder&&) noexcept;

  void* allocate(std::size_t size, std::size_t align);
  std::uint32_t allocate_slot(std::size_t size, std::size_t align);
  std::uint32_t add_task(TaskRecord record, const NodeOps& ops, std::uint32_t* readers,
                         TaskSpec spec);
  std::uint32_t add_input(std::string name, const NodeOps& ops, const void* node);
  void add_edge(std::uint32_t from, std::uint32_t to, EdgeRule rule);
  void add_reader(std::uint32_t task);
  void check_graph(std::uint32_t graph, std::uint32_t adding);
  void set_coroutine();
  void set_expansion();
  void push_scope(const std::string& name);
  void pop_scope();
  [[nodiscard]] std::uint32_t id() const;
  Result<std::shared_ptr<const Compiled>> compile();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The engine behind a GraphRun.
[[nodiscard]] CorePtr make_graph_core(std::shared_ptr<const Compiled> compiled);
/// Memory of all results of a run.
[[nodiscard]] std::byte* slots_of(const RunCore& core) noexcept;
/// Notes that an input has a value.
void mark_input(RunCore& core, std::uint32_t input) noexcept;
/// Id of the graph that a run belongs to.
[[nodiscard]] std::uint32_t graph_of(const RunCore& core) noexcept;

// Runtime state and functions of fan-outs.
/// Has `element` called for 0 ... count - 1, then the task once more.
void start_expansion(TaskContext& context, std::uint32_t count, void* object,
                     void (*element)(void* object, std::uint32_t index, TaskContext& context));
Outcome report_element(TaskContext& context, std::uint32_t element,
                       std::exception_ptr error) noexcept;

/// Stands for an input among the nodes.
template <class T>
struct InputNode {
  Output<T> output;
};

// map(): the first call spreads the elements, the second gathers what they left.
/// A task that becomes one call per element of a result.
template <class F, class T, class R>
struct MapNode {
  struct State {
    const MapNode* node;
    const std::vector<T>* elements;
    std::vector<std::optional<R>> results;
    std::vector<std::exception_ptr> errors;
  };
  F function;
  Output<std::vector<R>> output;
  std::tuple<ValueArg<std::vector<T>>> args;
  std::array<Source, 0> conditions;
  std::uint32_t state_slot = 0;  // Slot<std::unique_ptr<State>>
  using Raw = std::vector<R>;

  static R call(const F& f, const T& element, TaskContext& context) {
    if constexpr (std::invocable<const F&, TaskContext&, const T&>) {
      return f(context, element);
    } else {
      return f(element);
    }
  }

  Outcome run(TaskContext& context) const {
    std::byte* const slots = Access::slots(context);
    auto& kept = Slot<std::unique_ptr<State>>::at(slots, state_slot);
    if (kept.readers.load(std::memory_order_relaxed) == 0) {
      const std::vector<T>& elements = std::get<0>(args).get(context);
      auto state = std::make_unique<State>();
      state->node = this;
      state->elements = &elements;
      state->results.resize(elements.size());
      state->errors.resize(elements.size());
      if (!elements.empty()) {
        State* const raw = state.get();
        kept.fill(std::move(state), 1);
        start_expansion(context, static_cast<std::uint32_t>(elements.size()), raw, &element);
        return Outcome::suspended;
      }
      kept.fill(std::move(state), 1);
    }
    const std::unique_ptr<State> state = std::move(kept.value());
    kept.drop();
    for (std::size_t i = 0; i < state->errors.size(); ++i) {
      if (state->errors[i]) {
        return report_element(context, static_cast<std::uint32_t>(i), state->errors[i]);
      }
    }
    std::vector<R> all;
    all.reserve(state->results.size());
    for (std::optional<R>& r : state->results) {
      if (!r) return Outcome::cancelled;
      all.push_back(std::move(*r));
    }
    Slot<std::vector<R>>::at(slots, output.slot).fill(std::move(all), output.readers);
    std::get<0>(args).release(slots);
    return Outcome::done;
  }

  static void element(void* object, std::uint32_t index, TaskContext& context) {
    State& state = *static_cast<State*>(object);
    if (context.cancelled()) return;
    try {
      state.results[index].emplace(call(state.node->function, (*state.elements)[index], context));
    } catch (...) {
      state.errors[index] = std::current_exception();
    }
  }
};

}  // namespace detail

/// A compiled graph; immutable, cheap to copy, safe to share between threads and runs.
class CompiledGraph {
 public:
  [[nodiscard]] const Topology& topology() const;
  [[nodiscard]] std::string name(TaskId task) const;
  /// Memory of the compiled graph, closures included.
  [[nodiscard]] std::size_t bytes() const;
  [[nodiscard]] const std::shared_ptr<const detail::Compiled>& data() const { return data_; }

 private:
  friend class Graph;
  explicit CompiledGraph(std::shared_ptr<const detail::Compiled> data) : data_(std::move(data)) {}
  std::shared_ptr<const detail::Compiled> data_;
};

/// Builds a graph. Mistakes (duplicate names, handles of another graph, cycles) are kept and
/// reported by compile(). Not thread-safe.
class Graph {
 public:
  /// Prefix "NAME/" for tasks added while it lives: sub-graphs are functions that add tasks to a
  /// graph.
  class Scope {
   public:
    Scope(Graph& graph, const std::string& name) : graph_(graph) {
      graph_.builder_.push_scope(name);
    }
    ~Scope() { graph_.builder_.pop_scope(); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Graph& graph_;
  };
  [[nodiscard]] Scope scope(const std::string& name) { return Scope(*this, name); }

  /// A value that every run is given from outside.
  template <class T>
  [[nodiscard]] Handle<T> input(std::string name) {
    using N = detail::InputNode<T>;
    auto* const node = ::new (builder_.allocate(sizeof(N), alignof(N))) N{};
    node->output = {slot<T>(), 1};
    static const detail::NodeOps kOps = [] {
      detail::NodeOps ops;
      detail::fill_result_ops<N, T>(ops);
      return ops;
    }();
    const std::uint32_t index = builder_.add_input(std::move(name), kOps, node);
    return {{}, {node->output.slot, detail::kNoTask, index}, builder_.id()};
  }

  /// Adds a task; `dependencies` are handles, fallback(), maybe(), gather(), after(), when().
  template <class F, class... D>
  requires(!std::convertible_to<F, TaskSpec>) auto add(F function, D... dependencies) {
    return add(TaskSpec(), std::move(function), std::move(dependencies)...);
  }
  template <class F, class... D>
  auto add(TaskSpec spec, F function, D... dependencies) {
    return std::apply(
        [&](auto&&... args) {
          return add_node(
              std::move(spec), std::move(function),
              std::make_index_sequence<(std::size_t{0} + ... + std::is_same_v<D, WhenOf>)>(),
              std::tie(dependencies...), std::move(args)...);
        },
        std::tuple_cat(to_arg(dependencies)...));
  }

  /// A task for every element of a result, at run time: Handle<vector<R>>, in the order of
  /// elements. `function(element)` or `function(TaskContext&, element)`. The first failing element
  /// (by index) fails the whole.
  template <class F, class T>
  auto map(TaskSpec spec, F function, Handle<std::vector<T>> elements) {
    if constexpr (std::invocable<const F&, TaskContext&, const T&>) {
      using R = std::remove_cvref_t<std::invoke_result_t<const F&, TaskContext&, const T&>>;
      return map_as<R>(std::move(spec), std::move(function), elements);
    } else {
      using R = std::remove_cvref_t<std::invoke_result_t<const F&, const T&>>;
      return map_as<R>(std::move(spec), std::move(function), elements);
    }
  }

  /// Combines results pairwise in a tree that depends on their number only: the same bits for every
  /// number of workers. Requires at least one handle. `op(const T&, const T&) -> T`.
  template <class T, class Op>
  [[nodiscard]] Handle<T> reduce(std::vector<Handle<T>> handles, Op op) {
    while (handles.size() > 1) {
      std::vector<Handle<T>> next;
      for (std::size_t i = 0; i + 1 < handles.size(); i += 2) {
        next.push_back(add(op, handles[i], handles[i + 1]));
      }
      if (handles.size() % 2 == 1) next.push_back(handles.back());
      handles = std::move(next);
    }
    return handles.front();
  }

  /// `second` starts after `first` has ended well, or at all (run_anyway).
  void precede(Handle<void> first, Handle<void> second, EdgeRule rule = EdgeRule::skip) {
    builder_.check_graph(first.graph, second.task.value);
    builder_.check_graph(second.graph, second.task.value);
    builder_.add_edge(first.task.value, second.task.value, rule);
  }
  /// The result stays until the next run, even when tasks read it.
  template <class T>
  void keep(Handle<T> handle) {
    builder_.add_reader(handle.task.value);
  }

  /// Errors: bad_request      a cycle (it is printed), or a handle that belongs to another graph;
  ///         duplicate_name   two tasks with the same path (both are named).
  [[nodiscard]] Result<CompiledGraph> compile() && {
    auto data = builder_.compile();
    if (!data.ok()) return std::move(data).error();
    return CompiledGraph(std::move(data).value());
  }

 private:
  template <class T>
  std::uint32_t slot() {
    static_assert(alignof(T) <= alignof(std::max_align_t),
                  "results with wider alignment need a pointer");
    return builder_.allocate_slot(sizeof(detail::Slot<T>), alignof(detail::Slot<T>));
  }

  template <class T>
  static auto to_arg(const Handle<T>& h) {
    if constexpr (std::is_void_v<T>) {
      return std::tuple<>();
    } else {
      return std::tuple(detail::ValueArg<T>{h.source});
    }
  }
  template <class T>
  static auto to_arg(const FallbackOf<T>& d) {
    return std::tuple(detail::FallbackArg<T>{d.handle.source, d.value});
  }
  template <class T>
  static auto to_arg(const MaybeOf<T>& d) {
    return std::tuple(detail::MaybeArg<T>{d.handle.source});
  }
  template <class T>
  static auto to_arg(const GatherOf<T>& d) {
    detail::GatherArg<T> arg;
    for (const Handle<T>& h : d.handles) {
      arg.slots_of.push_back(h.source.slot);
      arg.tasks.push_back(h.source.task);
    }
    return std::tuple(std::move(arg));
  }
  static auto to_arg(const AfterOf&) { return std::tuple<>(); }
  static auto to_arg(const WhenOf&) { return std::tuple<>(); }

  template <class T>
  void link(const Handle<T>& h, std::uint32_t task, EdgeRule rule, bool reads) {
    builder_.check_graph(h.graph, task);
    if (h.source.input != detail::kNoTask) return;  // inputs are there before the run
    builder_.add_edge(h.task.value, task, rule);
    if (reads) builder_.add_reader(h.task.value);
  }
  template <class T>
  void connect(const Handle<T>& h, std::uint32_t task) {
    link(h, task, EdgeRule::skip, !std::is_void_v<T>);
  }
  template <class T>
  void connect(const FallbackOf<T>& d, std::uint32_t task) {
    link(d.handle, task, EdgeRule::run_anyway, true);
  }
  template <class T>
  void connect(const MaybeOf<T>& d, std::uint32_t task) {
    link(d.handle, task, EdgeRule::run_anyway, true);
  }
  template <class T>
  void connect(const GatherOf<T>& d, std::uint32_t task) {
    for (const Handle<T>& h : d.handles) link(h, task, EdgeRule::skip, true);
  }
  void connect(const AfterOf& d, std::uint32_t task) { link(d.handle, task, d.rule, false); }
  void connect(const WhenOf& d, std::uint32_t task) { link(d.handle, task, EdgeRule::skip, false); }

  static void collect(const WhenOf& d, detail::Source* all, std::size_t& count) {
    all[count++] = d.handle.source;
  }
  template <class D>
  static void collect(const D&, detail::Source*, std::size_t&) {}

  template <class F, std::size_t... I, class Dependencies, class... Args>
  auto add_node(TaskSpec spec, F function, std::index_sequence<I...>, Dependencies dependencies,
                Args... args) {
    // What the function returns decides what the result is.
    using Probe = detail::Node<F, char, sizeof...(I), Args...>;
    using T = typename detail::Unwrap<std::remove_cvref_t<typename Probe::Raw>>::type;
    using N = detail::Node<F, T, sizeof...(I), Args...>;
    std::array<detail::Source, sizeof...(I)> conditions{};
    std::size_t count = 0;
    std::apply([&](auto&... d) { (collect(d, conditions.data(), count), ...); }, dependencies);
    constexpr bool kStateless =
        std::is_empty_v<F> && std::is_void_v<T> && sizeof...(Args) == 0 && sizeof...(I) == 0;
    std::uint32_t* readers = nullptr;
    std::uint32_t slot_offset = 0;
    const void* where = nullptr;
    if constexpr (kStateless) {
      static const N kNode{std::move(function), {}, {}, {}};  // one object serves all such tasks
      where = &kNode;
    } else {
      if constexpr (!std::is_void_v<T>) slot_offset = slot<T>();
      auto* const node = ::new (builder_.allocate(sizeof(N), alignof(N)))
          N{std::move(function),
            {slot_offset, 0},
            std::tuple<Args...>(std::move(args)...),
            conditions};
      where = node;
      if constexpr (!std::is_void_v<T>) readers = &node->output.readers;
    }
    const std::uint32_t task = builder_.add_task({&detail::call_node<N>, where},
                                                 detail::ops_of<N, T>(), readers, std::move(spec));
    if constexpr (detail::is_async<typename N::Raw>) builder_.set_coroutine();
    std::apply([&](auto&... d) { (connect(d, task), ...); }, dependencies);
    return Handle<T>{TaskId{task}, {slot_offset, task, detail::kNoTask}, builder_.id()};
  }

  template <class R, class F, class T>
  Handle<std::vector<R>> map_as(TaskSpec spec, F function, Handle<std::vector<T>> elements) {
    using N = detail::MapNode<F, T, R>;
    const std::uint32_t slot_offset = slot<std::vector<R>>();
    auto* const node = ::new (builder_.allocate(sizeof(N), alignof(N)))
        N{std::move(function),
          {slot_offset, 0},
          {{elements.source}},
          {},
          slot<std::unique_ptr<typename N::State>>()};
    const std::uint32_t task =
        builder_.add_task({&detail::call_node<N>, node}, detail::ops_of<N, std::vector<R>>(),
                          &node->output.readers, std::move(spec));
    builder_.set_expansion();
    connect(elements, task);
    return {TaskId{task}, {slot_offset, task, detail::kNoTask}, builder_.id()};
  }

  detail::Builder builder_;
};

/// A run of a typed graph: inputs in, results out.
class GraphRun : public Run {
 public:
  explicit GraphRun(const CompiledGraph& graph) : Run(detail::make_graph_core(graph.data())) {}

  /// Gives an input its value; it stays for later runs until it is set again. Not during a run.
  template <class T>
  void set(Handle<T> input, std::type_identity_t<T> value) {
    auto& slot = detail::Slot<T>::at(detail::slots_of(core()), input.source.slot);
    slot.drop();
    slot.fill(std::move(value), 1);
    detail::mark_input(core(), input.source.input);
  }
  /// The result; nullptr when the task did not end `done` or the result was freed after its last
  /// reader. Valid until the next run.
  template <class T>
  [[nodiscard]] const T* find(Handle<T> handle) const {
    if (handle.graph != detail::graph_of(core()) || state(handle.task) != EndState::done)
      return nullptr;
    const auto& slot = detail::Slot<T>::at(detail::slots_of(core()), handle.source.slot);
    return slot.readers.load(std::memory_order_relaxed) != 0 ? &slot.value() : nullptr;
  }
  /// The same with a reason. Errors: task_failed (with the chain of causes), not_found (freed; use
  /// Graph::keep).
  template <class T>
  [[nodiscard]] Result<const T*> value(Handle<T> handle) const {
    if (const T* found = find(handle)) return found;
    return missing(handle.task);
  }

 private:
  [[nodiscard]] Error missing(TaskId task) const;
};

}  // namespace neurolens::exec
