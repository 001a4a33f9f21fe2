/// \file
/// Runs a function over 0 .. count-1 on several threads. Narrow on purpose: the scheduler behind it
/// can change without a caller noticing, because results are stored by index.
#pragma once

#include <cstddef>
#include <functional>

namespace neurolens::codebase {

/// Calls `work(i)` once for every i < count, from at most `workers` threads (0: one per processor).
/// Returns when all are done. `work` must not throw and must be safe to call concurrently.
void parallel_for(std::size_t count, unsigned workers,
                  const std::function<void(std::size_t)>& work);

}  // namespace neurolens::codebase
