// What the programs here share: full length to measure, --quick to see that they work.
#pragma once

#include <cmath>
#include <string_view>

#include "neurolens/probe/benchmark.hpp"

namespace neurolens::benchmarks {

inline bool is_quick(int argc, char** argv) {
  return argc > 1 && std::string_view(argv[1]) == "--quick";
}

/// Few and short rounds: enough for the code to run and for results to be compared, not for times.
inline probe::BenchmarkOptions options(bool quick, Nanoseconds sample_time) {
  probe::BenchmarkOptions o;
  if (!quick) {
    o.sample_time = sample_time;
    return o;
  }
  o.rounds = 6;
  o.warm_up = 1;
  o.sample_time = Nanoseconds{20'000};
  return o;
}

/// True of every measurement that is one: numbers above zero inside their intervals.
inline bool is_sane(const probe::Comparison& c) {
  const auto sane = [](const probe::Estimate& e) {
    return std::isfinite(e.high) && e.low > 0 && e.low <= e.value && e.value <= e.high;
  };
  for (const probe::Measurement& m : c.measurements) {
    if (!sane(m.ns_per_call)) return false;
  }
  for (const probe::Estimate& e : c.speed_up) {
    if (!sane(e)) return false;
  }
  return !c.measurements.empty();
}

}  // namespace neurolens::benchmarks
