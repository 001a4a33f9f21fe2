/// \file
/// What sampling a program yields, and the views that people ask for.
/// A sample is one look at one running thread. Shares carry Wilson's 95 % interval for a proportion
/// (Wilson, 1927): the samples are treated as independent, which periodic sampling approximates
/// unless the program is in step with the sampling clock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/strong_id.hpp"
#include "neurolens/base/units.hpp"

namespace neurolens::capture {

using FunctionId = StrongId<struct SampledFunctionTag>;
using ModuleId = StrongId<struct SampledModuleTag>;
using SampledThreadId = StrongId<struct SampledThreadTag>;
using NodeId = StrongId<struct SampledNodeTag>;

/// An executable or shared object; "[kernel]", "[vdso]" and "[unknown]" are modules too.
struct SampledModule {
  std::string path;
  std::string build_id;  ///< Hexadecimal; empty when there is none.
};

struct SampledFunction {
  std::string
      name;  ///< Demangled. Without symbols: "[module+0xOFFSET]" of the function's first byte.
  ModuleId module;
  std::string file;  ///< Of its definition or use; empty when not known.
  bool kernel = false;
};

/// A thread that was sampled.
struct SampledThread {
  std::int64_t process_id = 0;
  std::int64_t thread_id = 0;
  std::string name;
};

/// A call stack as a tree: a node is a function called from its parent. The root calls nothing.
struct SampledNode {
  std::int64_t parent =
      -1;  ///< Index of the caller's node; -1 at the outermost frame. Less than its own index.
  FunctionId function;
  bool inlined = false;  ///< The compiler put this call into its caller.
};

struct Sample {
  Nanoseconds time;  ///< CLOCK_MONOTONIC.
  SampledThreadId thread;
  NodeId node;              ///< Innermost frame.
  std::uint32_t line = 0;   ///< Source line of the innermost frame, 0: not known.
  std::int64_t weight = 1;  ///< Nanoseconds (software clock) or cycles since the previous sample.
};

struct SampledProfile {
  std::vector<SampledModule> modules;
  std::vector<SampledFunction> functions;
  std::vector<SampledThread> threads;
  std::vector<SampledNode> nodes;
  std::vector<Sample> samples;
  std::string clock;       ///< "cycles" or "cpu-clock": what paced the samples.
  double rate_hz = 0;      ///< Asked for.
  Nanoseconds duration;    ///< Wall clock from start to end.
  Nanoseconds cpu_time;    ///< samples / rate: an estimate.
  std::uint64_t lost = 0;  ///< Records that the kernel dropped, as it counted them.
  std::uint64_t truncated =
      0;  ///< Stacks deeper than what was copied, or without unwinding tables.
  bool kernel_visible =
      false;  ///< False: time in the kernel shows up in the function that called it.
};

/// A share with its interval: low <= value <= high, all in [0, 1].
struct Share {
  double value = 0, low = 0, high = 1;
};
/// Wilson's interval; `total` 0 gives [0, 1].
[[nodiscard]] Share wilson_share(double part, double total);

struct FunctionCost {
  FunctionId function;
  std::uint64_t own_samples = 0;          ///< The function itself was running.
  std::uint64_t cumulative_samples = 0;   ///< It was on the stack; recursion counts once.
  Share own, cumulative;                  ///< Of all samples.
  Nanoseconds own_time, cumulative_time;  ///< Share of cpu_time.
};
/// Every function, largest own share first.
[[nodiscard]] std::vector<FunctionCost> function_costs(const SampledProfile& profile);

/// Samples that fell to one name: a module, a thread, a line.
struct NamedCost {
  std::string name;
  std::uint64_t samples = 0;
  Share share;
};
/// Own samples by module, thread ("name pid/tid") or "file:line".
[[nodiscard]] std::vector<NamedCost> module_costs(const SampledProfile& profile);
[[nodiscard]] std::vector<NamedCost> thread_costs(const SampledProfile& profile);
[[nodiscard]] std::vector<NamedCost> line_costs(const SampledProfile& profile);

struct Edge {
  FunctionId caller, callee;
  std::uint64_t samples = 0;  ///< With this call on the stack; recursion counts once.
};
/// Who calls whom, most samples first.
[[nodiscard]] std::vector<Edge> call_edges(const SampledProfile& profile);

/// Everything about one function. Shares are of all samples.
struct FunctionDetail {
  FunctionCost cost;
  std::vector<NamedCost> callers, callees;  ///< Samples with that call on the stack.
  std::vector<NamedCost> lines;             ///< "file:line" where its own samples fell.
};
[[nodiscard]] FunctionDetail function_detail(const SampledProfile& profile, FunctionId function);

/// Functions that a person means by `name`: the whole name, or without parameters, or without the
/// leading scopes either ("relax" finds "grid::relax(int)").
[[nodiscard]] std::vector<FunctionId> functions_named(const SampledProfile& profile,
                                                      std::string_view name);

/// The same functions without those of other modules. `module` is a path or its last part.
[[nodiscard]] std::vector<FunctionCost> of_module(const SampledProfile& profile,
                                                  std::vector<FunctionCost> costs,
                                                  std::string_view module);

/// Functions whose own or cumulative share is at least `threshold` (in [0, 1]); outermost frames
/// that explain nothing (their share is nearly all of it and they do nothing themselves: _start,
/// main, a thread's entry) are left out. Largest cumulative share first.
[[nodiscard]] std::vector<FunctionCost> bottlenecks(const SampledProfile& profile,
                                                    double threshold);

/// "outer;inner;innermost COUNT" lines, sorted: what flame graph tools read.
[[nodiscard]] std::string collapsed_stacks(const SampledProfile& profile);

/// What an allocation call stack did over the whole run.
struct MemorySite {
  std::vector<FunctionId> stack;  ///< Outermost first.
  std::uint64_t allocations = 0;  ///< Estimated where stacks were sampled.
  Bytes allocated, live, peak;    ///< Same; `live` is what was never freed: leaked at exit.
};
struct MemoryProfile {
  std::vector<SampledModule> modules;
  std::vector<SampledFunction> functions;
  std::uint64_t allocations = 0, releases = 0;  ///< Exact.
  Bytes allocated, live_at_exit, peak;          ///< Exact.
  std::vector<MemorySite> sites;                ///< Most bytes first.
};

}  // namespace neurolens::capture
