/// \file
/// The pieces from which graph.hpp makes task wrappers: result slots, arguments, and the wrapper
/// itself. Users of the library do not need it.
#pragma once

#include <array>
#include <atomic>
#include <concepts>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include "neurolens/exec/async.hpp"
#include "neurolens/exec/codec.hpp"
#include "neurolens/exec/node.hpp"
#include "neurolens/exec/task.hpp"

namespace neurolens::exec {

/// What became of a dependency, for functions that asked for it with maybe().
template <class T>
struct Ended {
  EndState state = EndState::done;
  const T* value = nullptr;          ///< nullptr unless done.
  const TaskError* error = nullptr;  ///< nullptr when done, or skipped because of another task.
};

/// Results of several tasks, in the order in which they were gathered.
template <class T>
class Gathered {
 public:
  Gathered(std::byte* slots, std::span<const std::uint32_t> offsets)
      : slots_(slots), offsets_(offsets) {}
  [[nodiscard]] std::size_t size() const { return offsets_.size(); }
  [[nodiscard]] const T& operator[](std::size_t i) const;

 private:
  std::byte* slots_;
  std::span<const std::uint32_t> offsets_;
};

namespace detail {

/// Memory of one result. readers == 0: no value.
template <class T>
struct Slot {
  std::atomic<std::uint32_t> readers;
  alignas(T) std::byte storage[sizeof(T)];

  static Slot& at(std::byte* slots, std::uint32_t offset) {
    return *reinterpret_cast<Slot*>(slots + offset);
  }
  static const Slot& at(const std::byte* slots, std::uint32_t offset) {
    return *reinterpret_cast<const Slot*>(slots + offset);
  }
  [[nodiscard]] T& value() { return *std::launder(reinterpret_cast<T*>(storage)); }
  [[nodiscard]] const T& value() const {
    return *std::launder(reinterpret_cast<const T*>(storage));
  }
  template <class U>
  void fill(U&& from, std::uint32_t count) {
    ::new (static_cast<void*>(storage)) T(std::forward<U>(from));
    readers.store(count, std::memory_order_relaxed);
  }
  void release() {  // one reader is done
    if constexpr (!std::is_trivially_destructible_v<T>) {
      if (readers.fetch_sub(1, std::memory_order_acq_rel) == 1) value().~T();
    }
  }
  void drop() {
    if (readers.exchange(0, std::memory_order_relaxed) != 0) value().~T();
  }
};

/// The type of the value inside what a function returns.
template <class R>
struct Unwrap {
  using type = R;
};
/// Result<T> yields T.
template <class T>
struct Unwrap<Result<T>> {
  using type = T;
};
/// Status yields nothing.
template <>
struct Unwrap<Status> {
  using type = void;
};
template <class T>
struct Unwrap<Async<T>> : Unwrap<T> {};

template <class R>
inline constexpr bool is_async = false;
template <class T>
inline constexpr bool is_async<Async<T>> = true;
template <class R>
inline constexpr bool is_result = false;
template <class T>
inline constexpr bool is_result<Result<T>> = true;

// --- arguments: get() for the function, release() after success, reads() for the engine ----------

inline constexpr std::uint32_t kNoTask = 0xFFFF'FFFF;

/// Where an argument comes from.
struct Source {
  std::uint32_t slot = 0;
  std::uint32_t task = kNoTask;  // kNoTask: an input
  std::uint32_t input = kNoTask;
};

/// An argument that is a result.
template <class T>
struct ValueArg {
  Source from;
  const T& get(TaskContext& c) const { return Slot<T>::at(Access::slots(c), from.slot).value(); }
  void release(std::byte* slots) const {
    if (from.task != kNoTask) Slot<T>::at(slots, from.slot).release();
  }
  template <class Visit>
  void reads(Visit&& visit) const {
    visit(from);
  }
};

/// An argument with a substitute.
template <class T>
struct FallbackArg {
  Source from;
  T otherwise;
  const T& get(TaskContext& c) const {
    if (state_of(c, from.task) != EndState::done) return otherwise;
    return Slot<T>::at(Access::slots(c), from.slot).value();
  }
  void release(std::byte* slots) const {
    if (Slot<T>::at(slots, from.slot).readers.load(std::memory_order_relaxed) != 0) {
      Slot<T>::at(slots, from.slot).release();
    }
  }
  template <class Visit>
  void reads(Visit&& visit) const {
    visit(from);
  }
};

/// An argument that tells what became of its task.
template <class T>
struct MaybeArg {
  Source from;
  Ended<T> get(TaskContext& c) const {
    Ended<T> ended;
    ended.state = state_of(c, from.task);
    if (ended.state == EndState::done) {
      ended.value = &Slot<T>::at(Access::slots(c), from.slot).value();
    } else {
      ended.error = error_of(c, from.task);
    }
    return ended;
  }
  void release(std::byte* slots) const {
    if (Slot<T>::at(slots, from.slot).readers.load(std::memory_order_relaxed) != 0) {
      Slot<T>::at(slots, from.slot).release();
    }
  }
  template <class Visit>
  void reads(Visit&& visit) const {
    visit(from);
  }
};

/// Several results as one argument.
template <class T>
struct GatherArg {
  std::vector<std::uint32_t> slots_of;
  std::vector<std::uint32_t> tasks;
  Gathered<T> get(TaskContext& c) const { return Gathered<T>(Access::slots(c), slots_of); }
  void release(std::byte* slots) const {
    for (const std::uint32_t s : slots_of) Slot<T>::at(slots, s).release();
  }
  template <class Visit>
  void reads(Visit&& visit) const {
    for (std::size_t i = 0; i < tasks.size(); ++i) visit(Source{slots_of[i], tasks[i], kNoTask});
  }
};

/// Records "its condition was false" and answers `skipped`.
Outcome report_condition(TaskContext& context) noexcept;

/// A coroutine in flight.
struct InFlight {
  virtual ~InFlight() = default;
  AsyncFrame frame;
  TaskContext context;
};
/// Async mode: keeps or finds the coroutine of the context's task, and leaves it to the reactor.
void keep_in_flight(TaskContext& context, std::shared_ptr<InFlight> state);
[[nodiscard]] std::shared_ptr<InFlight> in_flight(TaskContext& context);
void drop_in_flight(TaskContext& context);
/// True when coroutines are to be suspended; false when they are to be driven to their end here.
[[nodiscard]] bool suspends(const TaskContext& context);
Outcome suspend_until_ready(TaskContext& context, const Wait& wait);
/// Other modes: waits here. False when the task was cancelled or its deadline passed.
[[nodiscard]] bool wait_here(const TaskContext& context, const Wait& wait);

template <class T>
using SlotOf = std::conditional_t<std::is_void_v<T>, char, T>;

/// The result of a task: where it goes and how often it will be read.
template <class T>
struct Output {
  std::uint32_t slot = 0;
  std::uint32_t readers = 0;
};

template <class T, class Raw>
Outcome store_result(const Output<T>& output, TaskContext& context, Raw&& raw) {
  if constexpr (is_result<std::remove_cvref_t<Raw>>) {
    if (!raw.ok()) return report_error(context, std::move(raw).error());
    Slot<T>::at(Access::slots(context), output.slot).fill(std::move(raw).value(), output.readers);
  } else if constexpr (std::is_same_v<std::remove_cvref_t<Raw>, Status>) {
    if (!raw.ok()) return report_error(context, std::move(raw).error());
  } else {
    Slot<T>::at(Access::slots(context), output.slot).fill(std::forward<Raw>(raw), output.readers);
  }
  return Outcome::done;
}

template <class F, class... Args>
decltype(auto) call_function(const F& function, TaskContext& context, const Args&... args) {
  if constexpr (std::invocable<const F&, TaskContext&, decltype(args.get(context))...>) {
    return function(context, args.get(context)...);
  } else {
    static_assert(
        std::invocable<const F&, decltype(args.get(context))...>,
        "the function does not take the results of the listed dependencies (in this order, by "
        "value or const reference), or is not const (a mutable lambda)");
    return function(args.get(context)...);
  }
}

/// The wrapper of one task: function, arguments, result.
template <class F, class T, std::size_t kConditions, class... Args>
struct Node {
  [[no_unique_address]] F function;
  Output<T> output;
  [[no_unique_address]] std::tuple<Args...> args;
  [[no_unique_address]] std::array<Source, kConditions> conditions;

  using Raw = decltype(call_function(std::declval<const F&>(), std::declval<TaskContext&>(),
                                     std::declval<const Args&>()...));
  decltype(auto) invoke(TaskContext& context) const {
    return std::apply(
        [&](const Args&... arg) -> decltype(auto) {
          return call_function(function, context, arg...);
        },
        args);
  }

  struct Flight : InFlight {
    std::optional<Raw> coroutine;
  };

  Outcome run(TaskContext& context) const {
    for (const Source& condition : conditions) {
      if (!Slot<bool>::at(Access::slots(context), condition.slot).value()) {
        return report_condition(context);
      }
    }
    Outcome outcome = Outcome::done;
    if constexpr (is_async<Raw>) {
      outcome = run_coroutine(context);
    } else if constexpr (std::is_void_v<Raw>) {
      invoke(context);
    } else {
      outcome = store_result<T>(output, context, invoke(context));
    }
    if (outcome == Outcome::done) {
      std::apply([&](const auto&... arg) { (arg.release(Access::slots(context)), ...); }, args);
    }
    return outcome;
  }

  Outcome run_coroutine(TaskContext& context) const {
    std::shared_ptr<InFlight> kept = in_flight(context);
    if (kept == nullptr) {
      auto fresh = std::make_shared<Flight>();
      fresh->context = context;  // the worker's own will serve other tasks meanwhile
      fresh->coroutine.emplace(invoke(fresh->context));
      fresh->coroutine->begin(fresh->frame);
      kept = fresh;
    }
    Flight& flight = static_cast<Flight&>(*kept);
    for (;;) {
      flight.frame.wait = {};
      flight.frame.current.resume();
      if (flight.coroutine->done()) break;
      if (suspends(context)) {
        keep_in_flight(context, std::move(kept));
        return suspend_until_ready(context, flight.frame.wait);
      }
      if (!wait_here(flight.context, flight.frame.wait)) return Outcome::cancelled;
    }
    drop_in_flight(context);
    if constexpr (std::is_void_v<typename Raw::value_type>) {
      flight.coroutine->await_resume();
      return Outcome::done;
    } else {
      return store_result<T>(output, context, flight.coroutine->await_resume());
    }
  }
};

template <class N>
Outcome call_node(const void* node, TaskContext& context) {
  try {
    return static_cast<const N*>(node)->run(context);
  } catch (...) {
    if constexpr (is_async<typename N::Raw>) drop_in_flight(context);
    return report_exception(context);
  }
}

/// The cold operations of a result of type T; N provides `output`.
template <class N, class T>
void fill_result_ops(NodeOps& ops) {
  if constexpr (!std::is_void_v<T>) {
    ops.type_name = typeid(T).name();
    if constexpr (!std::is_trivially_destructible_v<T>) {
      ops.destroy_result = [](const void* node, std::byte* slots) {
        Slot<T>::at(slots, static_cast<const N*>(node)->output.slot).drop();
      };
    }
    if constexpr (Encodable<T>) {
      ops.encode = [](const void* node, const std::byte* slots, std::string& out) {
        Codec<T>::write(Slot<T>::at(slots, static_cast<const N*>(node)->output.slot).value(), out);
      };
      ops.decode = [](const void* node, std::byte* slots, std::string_view bytes) {
        std::optional<T> value = Codec<T>::read(bytes);
        if (!value) return false;
        const Output<T>& output = static_cast<const N*>(node)->output;
        Slot<T>::at(slots, output.slot).fill(std::move(*value), output.readers);
        return true;
      };
    }
  } else {
    ops.type_name = "v";
    ops.encode = [](const void*, const std::byte*, std::string&) {};
    ops.decode = [](const void*, std::byte*, std::string_view) { return true; };
  }
}

/// Calls `visit` with every source that a node reads.
template <class N>
void visit_sources(const N& node, auto&& visit) {
  std::apply([&](const auto&... arg) { (arg.reads(visit), ...); }, node.args);
  for (const Source& condition : node.conditions) visit(condition);
}

template <class N, class T>
const NodeOps& ops_of() {
  static const NodeOps kOps = [] {
    NodeOps ops;
    if constexpr (!std::is_trivially_destructible_v<N>) {
      ops.destroy_node = [](void* node) { static_cast<N*>(node)->~N(); };
    }
    fill_result_ops<N, T>(ops);
    ops.release = [](const void* node, std::byte* slots) {
      std::apply([&](const auto&... arg) { (arg.release(slots), ...); },
                 static_cast<const N*>(node)->args);
    };
    ops.reads = [](const void* node, std::vector<std::uint32_t>& tasks) {
      visit_sources(*static_cast<const N*>(node), [&](const Source& s) {
        if (s.task != kNoTask) tasks.push_back(s.task);
      });
    };
    ops.reads_inputs = [](const void* node, std::vector<std::uint32_t>& inputs) {
      visit_sources(*static_cast<const N*>(node), [&](const Source& s) {
        if (s.input != kNoTask) inputs.push_back(s.input);
      });
    };
    if constexpr (requires(N n) { n.state_slot; }) {  // a fan-out that was cancelled half-way
      ops.abandon = [](const void* node, TaskContext& context) {
        using State = typename N::State;
        Slot<std::unique_ptr<State>>::at(Access::slots(context),
                                         static_cast<const N*>(node)->state_slot)
            .drop();
      };
    }
    if constexpr (requires { typename N::Flight; }) {
      if constexpr (is_async<typename N::Raw>) {
        ops.abandon = [](const void*, TaskContext& context) { drop_in_flight(context); };
      }
    }
    return ops;
  }();
  return kOps;
}

}  // namespace detail

template <class T>
const T& Gathered<T>::operator[](std::size_t i) const {
  return detail::Slot<T>::at(slots_, offsets_[i]).value();
}

}  // namespace neurolens::exec
