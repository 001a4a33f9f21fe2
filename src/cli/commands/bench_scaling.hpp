/// \file
/// How the cells of a matrix grow with threads and with size. Cells that differ in one axis only
/// form a series.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench_rows.hpp"
#include "neurolens/analyze/scaling.hpp"

namespace neurolens::cli {

/// Throughput over threads in one series.
struct ThreadSeries {
  std::string series;  ///< Values of the other axes that vary.
  std::vector<double> threads;
  std::vector<double> speedup;  ///< Throughput relative to the fewest threads.
  /// Universal Scalability Law; from 3 thread counts on.
  std::optional<analyze::UslFit> law;
  /// Share of the work that did not become faster (Karp and Flatt 1990), from 1 and the most
  /// threads; negative where the speed-up is more than linear.
  std::optional<double> serial_ratio;
  /// Those of `threads` that exceed the cores: what they show is how threads take turns, and a law
  /// fitted through them mixes that with how the program scales.
  std::vector<double> beyond_cores;
};

/// Latency over a size in one series: time = c size^p.
struct SizeSeries {
  std::string axis;  ///< "batch" or "sequence".
  std::string series;
  std::vector<double> sizes;
  double exponent = 0;
  std::optional<analyze::Interval> interval;  ///< 95 %, from 3 sizes on.
};

struct BenchScaling {
  std::vector<ThreadSeries> threads;
  std::vector<SizeSeries> sizes;
};

/// Series with at least two measured values of their axis. Every launch is a point. A thread count
/// of 0 (the backend chooses) belongs to no series. Same rows, same answer.
[[nodiscard]] BenchScaling scaling_of(const BenchSummary& summary);

}  // namespace neurolens::cli
