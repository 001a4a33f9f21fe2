/// \file
/// Graphs whose tasks share one function of the task's number: the cheapest kind, for millions of
/// small tasks. Failures are handled as everywhere: an exception or a returned error fails that
/// task, its dependents are skipped, the others run.
#pragma once

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

#include "neurolens/exec/run.hpp"

namespace neurolens::exec {

namespace detail {

using UniformCall = Outcome (*)(const void* function, TaskContext& context);

template <class F>
Outcome call_flat(const void* object, TaskContext& context) {
  const F& function = *static_cast<const F*>(object);
  try {
    using Returned = decltype([&] {
      if constexpr (std::invocable<const F&, TaskContext&>) {
        return function(context);
      } else {
        return function(context.task().value);
      }
    }());
    if constexpr (std::is_same_v<Returned, Status>) {
      Status status;
      if constexpr (std::invocable<const F&, TaskContext&>) {
        status = function(context);
      } else {
        status = function(context.task().value);
      }
      if (!status.ok()) return report_error(context, std::move(status).error());
    } else if constexpr (std::invocable<const F&, TaskContext&>) {
      function(context);
    } else {
      function(context.task().value);
    }
    return Outcome::done;
  } catch (...) {
    return report_exception(context);
  }
}

/// The engine behind a FlatRun. `object` must outlive it.
[[nodiscard]] CorePtr make_flat_core(std::shared_ptr<const Topology> topology, const void* object,
                                     UniformCall call);

}  // namespace detail

/// A function of a task's number: `void f(uint32_t)`, `Status f(uint32_t)`, or either with
/// TaskContext&.
template <class F>
concept FlatFunction =
    std::invocable<const F&, std::uint32_t> || std::invocable<const F&, TaskContext&>;

/// Runs `function` once for every task of `topology`, in an order that respects it.
/// The function is called from several threads at once.
template <FlatFunction F>
class FlatRun : public Run {
 public:
  FlatRun(std::shared_ptr<const Topology> topology, F function)
      : FlatRun(std::move(topology), std::make_unique<const F>(std::move(function))) {}

 private:
  FlatRun(std::shared_ptr<const Topology> topology, std::unique_ptr<const F> function)
      : Run(detail::make_flat_core(std::move(topology), function.get(), &detail::call_flat<F>)),
        function_(std::move(function)) {}
  std::unique_ptr<const F> function_;
};

}  // namespace neurolens::exec
