#include "neurolens/probe/benchmark.hpp"

#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <numeric>

#include "neurolens/base/json.hpp"
#include "neurolens/base/random.hpp"
#include "neurolens/probe/timer.hpp"

namespace neurolens::probe {
namespace {

double median(const std::vector<double>& sorted) {
  const std::size_t n = sorted.size();
  return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
}

/// How far from each end the order statistics lie that hold the median with the given confidence:
/// the largest k with P(Binomial(n, 1/2) < k) <= (1 - confidence) / 2.
std::size_t interval_depth(std::size_t n, double confidence) {
  const double tail = (1 - confidence) / 2;
  double term = std::exp(-static_cast<double>(n) * std::log(2.0));
  double sum = 0;
  for (std::size_t k = 0; k < n / 2; ++k) {
    sum += term;
    if (sum > tail) return k;
    term *= static_cast<double>(n - k) / static_cast<double>(k + 1);
  }
  return n / 2;
}

Estimate estimate(std::vector<double> values, double confidence) {
  std::sort(values.begin(), values.end());
  // k values may lie below the interval: it begins at the k-th, counted from 1, or at the first.
  const std::size_t depth = std::max<std::size_t>(interval_depth(values.size(), confidence), 1) - 1;
  return {median(values), values[depth], values[values.size() - 1 - depth]};
}

/// Calls per batch so that one takes at least the sample time.
std::uint64_t calibrate(const Batch& batch, Nanoseconds sample_time) {
  std::uint64_t calls = 1;
  for (;;) {
    const Timer timer;
    batch.run(calls);
    const std::int64_t ns = timer.elapsed().count;
    if (ns >= sample_time.count || calls > (std::uint64_t{1} << 40)) return calls;
    const double growth =
        ns <= 0 ? 100 : 1.2 * static_cast<double>(sample_time.count) / static_cast<double>(ns);
    calls =
        static_cast<std::uint64_t>(static_cast<double>(calls) * std::clamp(growth, 1.5, 100.0)) + 1;
  }
}

Status check(const std::vector<Batch>& batches, const BenchmarkOptions& o) {
  if (batches.empty()) return Error{Errc::bad_request, "There is nothing to measure.", ""};
  if (o.rounds < 6 || o.rounds > 100'000 || o.warm_up > 1000) {
    return Error{Errc::bad_request, "Rounds lie in [6, 100000], warm-up rounds in [0, 1000].", ""};
  }
  if (o.sample_time.count < 1000 || o.sample_time.count > 10'000'000'000) {
    return Error{Errc::bad_request, "The sample time lies in [1 us, 10 s].", ""};
  }
  if (!(o.confidence > 0.5 && o.confidence < 1)) {
    return Error{Errc::bad_request, "The confidence lies in (0.5, 1).", ""};
  }
  return {};
}

void shuffle(std::vector<std::size_t>& order, Random& random) {
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
}

std::string format(const char* pattern, double a, double b, double c) {
  char text[96];
  std::snprintf(text, sizeof text, pattern, a, b, c);
  return text;
}

}  // namespace

Result<Comparison> measure_batches(const std::vector<Batch>& batches,
                                   const BenchmarkOptions& options) {
  NEUROLENS_TRY(check(batches, options));
  Comparison result;
  for (const Batch& batch : batches) {
    Measurement m;
    m.name = batch.name;
    m.calls_per_sample = calibrate(batch, options.sample_time);
    result.measurements.push_back(std::move(m));
  }
  std::vector<std::size_t> order(batches.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  Random random(options.seed);
  for (std::uint32_t round = 0; round < options.warm_up + options.rounds; ++round) {
    shuffle(order, random);
    for (const std::size_t i : order) {
      Measurement& m = result.measurements[i];
      const Timer timer;
      batches[i].run(m.calls_per_sample);
      const auto ns = static_cast<double>(timer.elapsed().count);
      if (round >= options.warm_up)
        m.samples_ns.push_back(ns / static_cast<double>(m.calls_per_sample));
    }
  }
  for (std::size_t i = 0; i < batches.size(); ++i) {
    Measurement& m = result.measurements[i];
    m.ns_per_call = estimate(m.samples_ns, options.confidence);
    const InstructionCounter counter;
    const auto before = counter.count();
    if (before) {
      batches[i].run(m.calls_per_sample);
      m.instructions_per_call =
          static_cast<double>(*counter.count() - *before) / static_cast<double>(m.calls_per_sample);
    }
    std::vector<double> ratios;
    for (std::size_t r = 0; r < m.samples_ns.size(); ++r) {
      ratios.push_back(result.measurements[0].samples_ns[r] / std::max(m.samples_ns[r], 1e-6));
    }
    result.speed_up.push_back(i == 0 ? Estimate{1, 1, 1}
                                     : estimate(std::move(ratios), options.confidence));
  }
  for (std::size_t i = 1; i < result.speed_up.size(); ++i) {
    const std::size_t best = result.winner.value_or(0);
    if (result.speed_up[i].low > 1 && result.speed_up[i].value > result.speed_up[best].value)
      result.winner = i;
  }
  const bool all_slower =
      result.speed_up.size() > 1 && std::all_of(result.speed_up.begin() + 1, result.speed_up.end(),
                                                [](const Estimate& e) { return e.high < 1; });
  if (!result.winner && all_slower) result.winner = 0;
  return result;
}

std::string Comparison::report() const {
  std::size_t width = 4;
  for (const Measurement& m : measurements) width = std::max(width, m.name.size());
  std::string text;
  for (std::size_t i = 0; i < measurements.size(); ++i) {
    const Measurement& m = measurements[i];
    text += m.name + std::string(width - m.name.size(), ' ');
    text += format("  %10.2f ns  [%.2f, %.2f]", m.ns_per_call.value, m.ns_per_call.low,
                   m.ns_per_call.high);
    if (i > 0)
      text += format("  %.3fx  [%.3f, %.3f]", speed_up[i].value, speed_up[i].low, speed_up[i].high);
    if (winner == i) text += "  fastest";
    text += '\n';
  }
  if (measurements.size() > 1 && !winner)
    text += "The data cannot tell which one is the fastest.\n";
  return text;
}

std::string Comparison::json() const {
  json::Writer out;
  const auto put = [&out](std::string_view name, const Estimate& e) {
    out.key(name).begin_object();
    out.member("value", e.value).member("low", e.low).member("high", e.high).end_object();
  };
  out.begin_object().key("measurements").begin_array();
  for (std::size_t i = 0; i < measurements.size(); ++i) {
    const Measurement& m = measurements[i];
    out.begin_object().member("name", m.name);
    put("ns_per_call", m.ns_per_call);
    put("speed_up_ratio", speed_up[i]);
    out.member("calls_per_sample", m.calls_per_sample);
    out.member("instructions_per_call", m.instructions_per_call);
    out.key("samples_ns").numbers(m.samples_ns);
    out.end_object();
  }
  out.end_array().key("winner");
  winner ? out.value(measurements[*winner].name) : out.null();
  out.end_object();
  return std::move(out).take();
}

InstructionCounter::InstructionCounter() noexcept {
  perf_event_attr attr;
  std::memset(&attr, 0, sizeof attr);
  attr.size = sizeof attr;
  attr.type = PERF_TYPE_HARDWARE;
  attr.config = PERF_COUNT_HW_INSTRUCTIONS;
  attr.exclude_kernel = 1;
  attr.exclude_hv = 1;
  fd_ = static_cast<int>(syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
}

InstructionCounter::~InstructionCounter() {
  if (fd_ >= 0) close(fd_);
}

std::optional<std::uint64_t> InstructionCounter::count() const noexcept {
  std::uint64_t value = 0;
  if (fd_ < 0 || read(fd_, &value, sizeof value) != sizeof value) return std::nullopt;
  return value;
}

}  // namespace neurolens::probe
