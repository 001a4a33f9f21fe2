/// \file
/// A function of this process as a Run: an engine that is called again and again and says which
/// phase it is in.
/// Method: iterations with and without the recorder take turns in a seeded random order; the cost
/// of announcing a phase is calibrated on this machine and taken off, apart for the part that falls
/// inside the phase's own interval and the part that falls into what surrounds it. Precision: about
/// a clock reading (25 ns) per phase. Limits: phases are told by one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/clock.hpp"
#include "neurolens/base/progress.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/base/units.hpp"
#include "neurolens/capture/record.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::capture {

/// Work of a phase by closed form. All 0: not known; else a 0 says that there is none of that kind.
struct PhaseWork {
  std::int64_t matrix_flops = 0;  ///< In products of matrices; a multiply-add counts 2.
  std::int64_t vector_flops = 0;  ///< Elsewhere.
  std::int64_t bytes = 0;         ///< Least traffic with memory, without that of weights.
  std::int64_t weight_bytes = 0;  ///< Least traffic of weights, their gradients and moments.
};

/// Takes down phases of one iteration at a time. Not thread-safe; phases nest properly.
class PhaseRecorder {
 public:
  explicit PhaseRecorder(Clock& clock);

  void begin(std::string_view name);
  /// Ends the phase that began last.
  void end(const PhaseWork& work = {});
  /// A phase that the engine timed itself; it lies inside the phase that is open.
  void leaf(std::string_view name, Nanoseconds begin, Nanoseconds duration,
            const PhaseWork& work = {});

  struct Event {
    std::size_t phase = 0;  ///< Index into names().
    Nanoseconds begin;      ///< On the recorder's clock.
    Nanoseconds duration;
    Nanoseconds own;  ///< Without the phases inside.
    std::size_t depth = 0;
    std::uint32_t inside = 0;  ///< Phases that began directly in it through begin().
    bool timed = true;         ///< False for leaf(): it cost no clock readings.
    PhaseWork work;
  };
  [[nodiscard]] const std::vector<Event>& events() const { return events_; }
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  /// Forgets the events, keeps the names.
  void clear();

 private:
  struct Open {
    std::size_t phase;
    Nanoseconds begin;
    std::int64_t inside_ns = 0;
    std::uint32_t inside = 0;
  };
  std::size_t index_of(std::string_view name);

  Clock& clock_;
  std::vector<std::string> names_;
  std::vector<Open> open_;
  std::vector<Event> events_;
};

/// What a Run says about an engine and its settings.
struct EngineFacts {
  std::string name;  ///< "pde:poisson".
  std::optional<std::string> precision;
  std::int64_t threads = 1;
  std::optional<std::int64_t> batch_size;
  std::optional<std::int64_t> parameters;
  std::map<std::string, std::string> options;      ///< Every setting, defaults included.
  std::map<std::string, std::string> phase_kinds;  ///< Phase name -> run::Op::phase.
};

/// Something that can run again and again, always doing the same work.
class EngineWorkload {
 public:
  virtual ~EngineWorkload() = default;
  /// REQUIRED. One iteration; tells `recorder` its phases unless that is null.
  virtual Status iterate(PhaseRecorder* recorder) = 0;
  /// REQUIRED. May be asked before and after iterations.
  [[nodiscard]] virtual EngineFacts facts() const = 0;
};

struct EngineOptions {
  /// Pairs of iterations, observed and not; empty: until the median is known to
  /// `target_interval_ratio` or `time_limit` has passed, at least 10.
  std::optional<std::int64_t> iterations;
  std::optional<std::int64_t> warmup;  ///< Pairs before these; empty: 5, at most 1 s.
  double target_interval_ratio = 0.01;
  Nanoseconds time_limit{10'000'000'000};
  std::uint64_t seed = 1;  ///< Of the order within pairs.
  Attention attention;
};

/// Measures. The Run passes run::validate(); it is partial when cancelled half way.
/// Errors: those of iterate(), with the iteration; cancelled before anything was measured.
[[nodiscard]] Result<run::Run> profile_engine(EngineWorkload& workload,
                                              const EngineOptions& options,
                                              const ProgramFacts& facts,
                                              Clock& clock = system_clock());

/// The same in a process of its own, where `prepare` is called too: memory is that of this workload
/// alone, and a crash is an error that names `name`. Errors besides: crashed, timed_out,
/// out_of_memory.
[[nodiscard]] Result<run::Run> profile_engine_isolated(
    const std::string& name,
    const std::function<Result<std::unique_ptr<EngineWorkload>>()>& prepare,
    const EngineOptions& options, const ProgramFacts& facts);

}  // namespace neurolens::capture
