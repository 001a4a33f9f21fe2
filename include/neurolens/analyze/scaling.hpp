/// \file
/// How performance grows with threads and with size.
///
/// Threads: Gunther's Universal Scalability Law, throughput X(N) = lambda N / (1 + sigma (N-1) +
/// kappa N (N-1)). N/X is linear in (1/lambda, sigma/lambda, kappa/lambda): a least-squares fit
/// with non-negative coefficients, weighted for relative errors. Size: time = c n^p, a
/// least-squares line through logarithms. Intervals are percentile bootstraps over points'
/// residuals.
#pragma once

#include <cstdint>
#include <span>

#include "neurolens/analyze/statistics.hpp"
#include "neurolens/base/result.hpp"

namespace neurolens::analyze {

/// One measured point.
struct ScalingPoint {
  double x = 0;  ///< Threads, or size.
  double y = 0;  ///< Throughput, or time. > 0.
};

/// The fitted law of threads.
struct UslFit {
  double lambda = 0;        ///< Throughput of one thread, in the unit of the points.
  double sigma = 0;         ///< Contention, >= 0: the serial share.
  double kappa = 0;         ///< Coherence cost, >= 0: what makes it fall again.
  Interval sigma_interval;  ///< 95 %.
  Interval kappa_interval;
  /// Threads with the highest throughput; infinity when kappa is 0.
  double best_threads = 0;
};

/// Errors: too_few_samples below 3 different thread counts; out_of_range for a value not > 0. Same
/// seed, same result.
[[nodiscard]] Result<UslFit> fit_usl(std::span<const ScalingPoint> points, std::uint64_t seed = 1);

/// The fitted law of size: y = c x^p.
struct ExponentFit {
  double coefficient = 0;      ///< c
  double exponent = 0;         ///< p
  Interval exponent_interval;  ///< 95 %.
};

/// Errors: too_few_samples below 3 different sizes; out_of_range for a value not > 0.
[[nodiscard]] Result<ExponentFit> fit_exponent(std::span<const ScalingPoint> points,
                                               std::uint64_t seed = 1);

}  // namespace neurolens::analyze
