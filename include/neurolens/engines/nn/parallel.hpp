/// \file
/// How the trainer runs independent tasks: an interface, so that any executor can stand behind it.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace neurolens::nn {

/// Runs tasks 0 .. count-1, in any order and on any threads, and returns when all are done.
class ParallelFor {
 public:
  virtual ~ParallelFor() = default;
  virtual void run(std::int64_t count, void (*task)(void* context, std::int64_t index),
                   void* context) = 0;
  [[nodiscard]] virtual int threads() const = 0;
};

/// On the calling thread.
[[nodiscard]] ParallelFor& serial();
/// `threads` workers (the caller is one of them), parked while idle; no allocation per run. Calls
/// from one thread at a time. Requires threads >= 1.
[[nodiscard]] std::unique_ptr<ParallelFor> make_thread_pool(int threads);

/// run() for a callable.
template <class F>
void parallel_for(ParallelFor& parallel, std::int64_t count, F&& f) {
  parallel.run(
      count,
      [](void* context, std::int64_t index) {
        (*static_cast<std::remove_reference_t<F>*>(context))(index);
      },
      const_cast<void*>(static_cast<const void*>(&f)));
}

}  // namespace neurolens::nn
