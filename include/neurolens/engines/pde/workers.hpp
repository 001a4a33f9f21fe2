/// \file
/// How the engine asks for threads, and how it tells an observer what it is doing.
/// Every solver gives bit-identical results for any number of workers.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include "neurolens/base/progress.hpp"
#include "neurolens/base/units.hpp"

namespace neurolens::pde {

/// Runs one body on several workers. An executor implements this to lend its threads.
class Workers {
 public:
  virtual ~Workers() = default;
  /// REQUIRED. The number of workers, >= 1.
  [[nodiscard]] virtual std::size_t count() const = 0;
  /// REQUIRED. Calls body(0), ..., body(count() - 1) once each, in any order, at the same time or
  /// one after the other starting with any; returns when all have returned. The engine's bodies
  /// take their work from shared counters and never need two of them to run at once. Bodies do not
  /// throw.
  virtual void run(const std::function<void(std::size_t worker)>& body) = 0;
};

/// One worker: the calling thread. Lives as long as the process.
[[nodiscard]] Workers& serial_workers();

/// `count` workers: the caller and count - 1 threads that wait between runs. count = 0: one per
/// processor that this process may use. Not for use by two callers at once.
[[nodiscard]] std::unique_ptr<Workers> make_thread_workers(std::size_t count);

/// What a phase of a solve did, from closed forms: what the arithmetic needs, not what a counter
/// saw.
struct PhaseCost {
  Flops flops;  ///< Floating-point operations; a multiply-add counts 2.
  Bytes
      bytes;  ///< Bytes that must cross between processor and memory when nothing stays in a cache.
};

/// Told when phases begin and end. Calls come from the thread that called the solver, properly
/// nested.
class PhaseObserver {
 public:
  virtual ~PhaseObserver() = default;
  /// REQUIRED. `name` is one of plan, source, boundary, transform, solve, residual, estimate, step,
  /// ...
  virtual void begin(std::string_view name) = 0;
  /// REQUIRED. Ends the phase that began last.
  virtual void end(std::string_view name, PhaseCost cost) = 0;
};

/// Announces a phase for as long as it lives; a null observer costs one comparison.
class Phase {
 public:
  Phase(PhaseObserver* observer, std::string_view name, PhaseCost cost = {})
      : observer_(observer), name_(name), cost_(cost) {
    if (observer_ != nullptr) observer_->begin(name_);
  }
  ~Phase() {
    if (observer_ != nullptr) observer_->end(name_, cost_);
  }
  Phase(const Phase&) = delete;
  Phase& operator=(const Phase&) = delete;
  void add(PhaseCost cost) {
    cost_.flops += cost.flops;
    cost_.bytes += cost.bytes;
  }

 private:
  PhaseObserver* observer_;
  std::string_view name_;
  PhaseCost cost_;
};

/// What every solver takes besides its problem. Nothing is owned; all may be left out.
struct Context {
  Workers* workers = nullptr;         ///< nullptr: serial.
  PhaseObserver* observer = nullptr;  ///< nullptr: silent.
  Attention attention{};              ///< Progress, and a flag that stops long solves.
  [[nodiscard]] Workers& pool() const { return workers != nullptr ? *workers : serial_workers(); }
};

}  // namespace neurolens::pde
