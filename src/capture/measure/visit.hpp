/// \file
/// How often to run a model in a row when several take turns.
///
/// Taking turns keeps drift out of comparisons, but the first iterations after another model find
/// its data in the caches, not their own: a model with 1 MiB of weights took 93 us in turns of one
/// iteration and 62 us in a row (2 MiB of cache per core). Users run a model in a row. So a turn
/// begins with iterations that do not count. Pure functions.
#pragma once

#include <cstdint>

namespace neurolens::capture {

/// One turn of one model.
struct Visit {
  int settle = 0;  ///< Iterations that only bring the caches back.
  int timed = 1;   ///< Iterations that count.
};

/// The turn of a model whose iteration takes `latency_ns`. Settling lasts as long as reading a
/// private cache anew (2 MiB at 10 GB/s: 200 us), at most 4 iterations, and is a fifth of the turn.
/// An iteration of 20 ms or more moves more data than any cache holds privately: it counts at once.
[[nodiscard]] constexpr Visit visit_for(double latency_ns) {
  constexpr double kRefillNs = 200'000;
  constexpr double kLongNs = 20'000'000;
  constexpr int kMostSettling = 4;
  if (latency_ns >= kLongNs) return {0, 1};
  int settle = 1;
  while (settle < kMostSettling && settle * latency_ns < kRefillNs) ++settle;
  return {settle, 4 * settle};
}

}  // namespace neurolens::capture
