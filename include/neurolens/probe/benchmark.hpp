/// \file
/// Timing functions against each other so that the answer survives an argument.
/// Method: batches are sized so that one takes at least `sample_time`; candidates take turns within
/// each round in random order, after a warm-up, so that drift of the machine meets all alike.
/// Medians carry the distribution-free interval between order statistics (binomial); a speed-up is
/// the median of the ratios baseline / candidate taken round by round, with the same kind of
/// interval. Precision: about 1 % on a quiet machine with 31 rounds. Limits: a call below about 2
/// ns is dominated by the loop around it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "neurolens/base/result.hpp"
#include "neurolens/base/units.hpp"

namespace neurolens::probe {

/// Makes the compiler believe that `value` is used, and that memory changed.
template <class T>
inline void do_not_optimize(const T& value) {
  if constexpr (std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(void*)) {
    asm volatile("" : : "r,m"(value) : "memory");
  } else {
    asm volatile("" : : "m"(value) : "memory");
  }
}

struct BenchmarkOptions {
  /// Rounds that count, in [6, 100,000]. More rounds narrow the intervals.
  std::uint32_t rounds = 31;
  /// Rounds before them that do not count, in [0, 1,000].
  std::uint32_t warm_up = 3;
  /// Least length of one batch, in [1 us, 10 s].
  Nanoseconds sample_time{500'000};
  /// Coverage of the intervals, in (0.5, 1).
  double confidence = 0.95;
  /// Two floating-point results agree when they differ by at most this share of the larger one.
  double relative_tolerance = 0;
  /// Seed of the order within rounds.
  std::uint64_t seed = 1;
};

/// A value with its interval: low <= value <= high.
struct Estimate {
  double value = 0, low = 0, high = 0;
};

struct Measurement {
  std::string name;
  Estimate ns_per_call;  ///< Median over rounds.
  std::uint64_t calls_per_sample = 0;
  std::vector<double> samples_ns;  ///< Per call, by round.
  /// Instructions per call in user space; nullopt where the processor's counters are out of reach.
  std::optional<double> instructions_per_call;
};

struct Comparison {
  std::vector<Measurement> measurements;  ///< In the order given; the first is the baseline.
  /// baseline / candidate per candidate: above 1 the candidate is faster. The first is exactly 1.
  std::vector<Estimate> speed_up;
  /// Index of the fastest whose speed-up interval excludes 1; nullopt when none stands out.
  std::optional<std::size_t> winner;

  /// A table for people.
  [[nodiscard]] std::string report() const;
  /// {"measurements": [...], "winner": name or null}
  [[nodiscard]] std::string json() const;
};

/// Something to time: `run(n)` makes n calls.
struct Batch {
  std::string name;
  std::function<void(std::uint64_t)> run;
};

/// Times batches against each other. Errors: bad_request (none, or an option outside its range).
/// An exception of a batch passes through.
[[nodiscard]] Result<Comparison> measure_batches(const std::vector<Batch>& batches,
                                                 const BenchmarkOptions& options = {});

/// Times one function. `benchmark("dot", [&] { return dot(a, b); })`
template <class Function>
[[nodiscard]] Result<Measurement> benchmark(std::string name, Function&& function,
                                            const BenchmarkOptions& options = {}) {
  const auto run = [&function](std::uint64_t calls) {
    for (std::uint64_t i = 0; i < calls; ++i) {
      if constexpr (std::is_void_v<std::invoke_result_t<Function&>>) {
        function();
        asm volatile("" : : : "memory");
      } else {
        do_not_optimize(function());
      }
    }
  };
  NEUROLENS_ASSIGN(Comparison comparison, measure_batches({{std::move(name), run}}, options));
  return std::move(comparison.measurements[0]);
}

/// One implementation of a function with this signature.
template <class Signature>
struct Candidate;
template <class R, class... Args>
struct Candidate<R(Args...)> {
  static_assert(!std::is_void_v<R>, "results are compared: return one");
  std::string name;
  std::function<R(Args...)> once;
  std::function<void(std::uint64_t, Args...)> many;

  /// The loop is compiled around the function itself, so that it can be inlined.
  template <class Function>
  Candidate(std::string its_name, Function function)
      : name(std::move(its_name)),
        once(function),
        many([function](std::uint64_t calls, Args... args) {
          for (std::uint64_t i = 0; i < calls; ++i) do_not_optimize(function(args...));
        }) {}
};

/// Whether two results agree; overload in your type's namespace for your own types.
template <class T>
bool results_agree(const T& a, const T& b, double relative_tolerance) {
  if constexpr (std::is_floating_point_v<T>) {
    if (a == b || (std::isnan(a) && std::isnan(b))) return true;
    return std::abs(a - b) <= relative_tolerance * std::max(std::abs(a), std::abs(b));
  } else {
    return a == b;
  }
}
template <class T>
bool results_agree(const std::vector<T>& a, const std::vector<T>& b, double relative_tolerance) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!results_agree(a[i], b[i], relative_tolerance)) return false;
  }
  return true;
}

/// Checks that all candidates return the same for `args`, then times them; the first is the
/// baseline. Errors: check_failed (names the candidate that disagrees), bad_request.
/// `compare_performance<double(int)>({{"plain", f}, {"fast", g}}, {}, 1000)`
template <class Signature, class... Given>
[[nodiscard]] Result<Comparison> compare_performance(
    const std::vector<Candidate<Signature>>& candidates, const BenchmarkOptions& options,
    const Given&... args) {
  std::vector<Batch> batches;
  if (candidates.empty()) return Error{Errc::bad_request, "There is nothing to compare.", ""};
  const auto expected = candidates[0].once(args...);
  for (const auto& candidate : candidates) {
    if (!results_agree(candidate.once(args...), expected, options.relative_tolerance)) {
      return Error{Errc::check_failed,
                   "Its result differs from that of " + candidates[0].name + ".", candidate.name};
    }
    batches.push_back({candidate.name, [&candidate, &args...](std::uint64_t calls) {
                         candidate.many(calls, args...);
                       }});
  }
  return measure_batches(batches, options);
}

/// User-space instructions of the calling thread, from the processor's counters.
class InstructionCounter {
 public:
  InstructionCounter() noexcept;
  ~InstructionCounter();
  InstructionCounter(const InstructionCounter&) = delete;
  InstructionCounter& operator=(const InstructionCounter&) = delete;
  /// Since construction; nullopt where the counters are out of reach (most virtual machines, or
  /// kernel.perf_event_paranoid above 2).
  [[nodiscard]] std::optional<std::uint64_t> count() const noexcept;

 private:
  int fd_ = -1;
};

}  // namespace neurolens::probe
