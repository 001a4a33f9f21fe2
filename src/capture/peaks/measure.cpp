#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "kernels.hpp"
#include "neurolens/base/clock.hpp"
#include "neurolens/capture/peaks.hpp"

namespace neurolens::capture {
namespace {

using peaks::ArithmeticKernel;
using peaks::BandwidthKernel;

double seconds_since(Nanoseconds start) {
  return static_cast<double>((system_clock().now() - start).count) * 1e-9;
}

/// The processors this process may use, in order.
std::vector<int> usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    }
  }
  if (cpus.empty()) cpus.push_back(-1);
  return cpus;
}

void pin_to(int cpu) {
  if (cpu < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);  // a refusal costs accuracy, not truth
}

/// f64 arrays of one thread, 64-byte aligned, touched by that thread.
class Arrays {
 public:
  Arrays(std::size_t elements, int count) : elements_(elements) {
    for (int i = 0; i < count; ++i) {
      auto* memory = static_cast<double*>(
          std::aligned_alloc(4096, (elements * sizeof(double) + 4095) / 4096 * 4096));
      if (memory == nullptr) return;
      std::fill_n(memory, elements, 1.0);
      arrays_.emplace_back(memory);
    }
    complete_ = true;
  }
  [[nodiscard]] bool complete() const { return complete_; }
  /// Arrays beyond those allocated repeat the first: kernels do not touch them.
  [[nodiscard]] double* at(std::size_t i) const {
    return arrays_[i < arrays_.size() ? i : 0].get();
  }
  [[nodiscard]] std::size_t elements() const { return elements_; }

 private:
  struct Free {
    void operator()(double* memory) const { std::free(memory); }
  };
  std::size_t elements_;
  std::vector<std::unique_ptr<double, Free>> arrays_;
  bool complete_ = false;
};

std::atomic<double> g_sink;  // keeps results alive

/// Runs `work(repeats)` long enough that clock reading does not matter and returns work per second.
/// `work` returns how much it did (FLOPs or bytes).
double rate_of(const std::function<double(std::int64_t)>& work, std::int64_t repeats) {
  const Nanoseconds start = system_clock().now();
  const double done = work(repeats);
  return done / seconds_since(start);
}

/// Repeats that take about `round_ms`.
std::int64_t calibrate(const std::function<double(std::int64_t)>& work, int round_ms) {
  std::int64_t repeats = 1;
  while (true) {
    const Nanoseconds start = system_clock().now();
    work(repeats);
    const double elapsed = seconds_since(start);
    const double wanted = round_ms * 1e-3;
    if (elapsed >= wanted / 4)
      return std::max<std::int64_t>(
          1, static_cast<std::int64_t>(static_cast<double>(repeats) * wanted / elapsed));
    repeats *= elapsed < wanted / 64 ? 16 : 4;
  }
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

using Multiplications = std::uint64_t (*)(std::int64_t);

/// Cycles per second of the calling core while it does what `multiplications` does.
double clock_now(Multiplications multiplications) {
  const auto work = [multiplications](std::int64_t repeats) {
    g_sink = static_cast<double>(multiplications(repeats * 1024));
    return static_cast<double>(repeats * 1024) * peaks::kMultiplyCycles;
  };
  return rate_of(work, 200);
}

/// What one figure is made of: one value per round.
struct Rounds {
  std::vector<double> rates;     ///< Over all threads, per second.
  std::vector<double> clock_hz;  ///< Of the first thread.
};

/// Runs rounds on `threads` threads that start each round together. `make` builds the work of one
/// thread on that thread; an empty function when memory ran out, then the result is nullopt.
using MakeWork = std::function<std::function<double(std::int64_t)>()>;
std::optional<Rounds> rounds_on_threads(
    const MakeWork& make, int threads, const PeaksOptions& options,
    Multiplications multiplications = peaks::dependent_multiplications) {
  const std::vector<int> cpus = usable_cpus();
  std::barrier sync(threads);
  std::vector<std::vector<double>> rates(static_cast<std::size_t>(threads));
  Rounds result;
  std::atomic<std::int64_t> repeats{0};
  std::atomic<bool> failed{false};
  const auto body = [&](int index) {
    pin_to(cpus[static_cast<std::size_t>(index) % cpus.size()]);
    const auto work = make();
    if (!work) failed = true;
    sync.arrive_and_wait();
    if (failed) return;
    if (index == 0) repeats = calibrate(work, options.round_ms);
    for (int round = 0; round < options.rounds; ++round) {
      sync.arrive_and_wait();
      rates[static_cast<std::size_t>(index)].push_back(rate_of(work, repeats));
      if (index == 0) result.clock_hz.push_back(clock_now(multiplications));
    }
  };
  std::vector<std::thread> pool;
  for (int i = 0; i < threads; ++i) pool.emplace_back(body, i);
  for (auto& thread : pool) thread.join();
  if (failed) return {};
  result.rates.resize(static_cast<std::size_t>(options.rounds));
  for (const auto& of_thread : rates) {
    for (std::size_t r = 0; r < of_thread.size(); ++r) result.rates[r] += of_thread[r];
  }
  return result;
}

Peak to_peak(std::string name, std::string unit, const Rounds& rounds, int threads) {
  const auto [low, high] = std::minmax_element(rounds.rates.begin(), rounds.rates.end());
  return {std::move(name),
          std::move(unit),
          median(rounds.rates),
          *low,
          *high,
          threads,
          static_cast<std::int64_t>(median(rounds.clock_hz)),
          0};
}

/// A level of the memory hierarchy and the bytes that one thread moves in it.
struct Level {
  std::string name;
  std::int64_t bytes;
};

std::vector<Level> memory_levels(const run::Host& host, const PeaksOptions& options, int threads) {
  const std::int64_t quarter = host.memory_bytes.value_or(std::int64_t{4} << 30) / 4;
  const std::int64_t most = options.most_memory ? options.most_memory->count : quarter;
  std::vector<Level> levels;
  std::int64_t last = 0;
  for (const auto& cache : host.caches) {
    if (cache.type == "instruction" || cache.size_bytes <= 0) continue;
    // A cache shared by all threads is divided among them; the largest share worth filling is 64
    // MiB, beyond which a virtual machine rarely owns what its cache descriptor promises.
    const bool shared = cache.instances.value_or(1) < threads;
    const std::int64_t own =
        std::min(cache.size_bytes / 2 / (shared ? threads : 1), std::int64_t{64} << 20);
    levels.push_back({fmt::format("l{}", cache.level), std::min(own, most / threads)});
    last = std::max(last, cache.size_bytes);
  }
  if (last == 0) last = 32 << 20;
  levels.push_back({"dram", std::min(4 * last * 3, most) / threads});
  return levels;
}

class Measurement {
 public:
  Measurement(const run::Host& host, const PeaksOptions& options, const Attention& attention)
      : host_(host), options_(options), attention_(attention) {}

  Result<Peaks> run(int all) {
    Peaks result;
    result.cpu_model = host_.cpu_model;
    result.threads = all;
    result.created_at = to_rfc3339(system_clock().wall());
    const auto arithmetic = peaks::arithmetic_kernels();
    const auto bandwidth = peaks::bandwidth_kernels();
    const std::vector<int> counts = all > 1 ? std::vector<int>{1, all} : std::vector<int>{1};
    total_ = counts.size() * arithmetic.size();
    for (const int threads : counts)
      total_ += memory_levels(host_, options_, threads).size() * bandwidth.size();
    for (const int threads : counts) {
      for (const auto& kernel : arithmetic) {
        const std::string name = fmt::format("fma_{}_{}", kernel.type, kernel.level);
        if (!wanted(name)) continue;
        NEUROLENS_ASSIGN(result.peaks.emplace_back(), measure(kernel, threads));
      }
    }
    for (const int threads : counts) {
      for (const auto& level : memory_levels(host_, options_, threads)) {
        for (const auto& kernel : bandwidth) {
          if (!wanted(fmt::format("{}_{}", kernel.kind, level.name))) continue;
          NEUROLENS_ASSIGN(result.peaks.emplace_back(), measure(kernel, level, threads));
        }
      }
    }
    if (result.peaks.empty()) {
      return Error{Errc::not_found,
                   fmt::format("No ceiling has \"{}\" in its name.", options_.only), "peaks"};
    }
    return result;
  }

 private:
  Result<Peak> measure(const ArithmeticKernel& kernel, int threads) {
    const std::string name =
        fmt::format("fma_{}_{}_{}", kernel.type, kernel.level, threads == 1 ? "1t" : "all");
    NEUROLENS_TRY(announce());
    const auto make = [&]() -> std::function<double(std::int64_t)> {
      return [&](std::int64_t repeats) {
        constexpr std::int64_t kLoops = 4096;
        g_sink = kernel.run(repeats * kLoops);
        return static_cast<double>(repeats * kLoops) * kernel.flops_per_loop;
      };
    };
    const auto rounds = rounds_on_threads(make, threads, options_, kernel.multiplications);
    return to_peak(name, kernel.integer ? "ops_per_second" : "flops_per_second", *rounds, threads);
  }

  Result<Peak> measure(const BandwidthKernel& kernel, const Level& level, int threads) {
    const std::string name =
        fmt::format("{}_{}_{}", kernel.kind, level.name, threads == 1 ? "1t" : "all");
    NEUROLENS_TRY(announce());
    const auto make = [&]() -> std::function<double(std::int64_t)> {
      constexpr std::size_t kGrain = 64;
      const auto bytes =
          static_cast<std::size_t>(level.bytes) / static_cast<std::size_t>(kernel.arrays);
      const std::size_t elements = std::max(kGrain, bytes / sizeof(double) / kGrain * kGrain);
      auto arrays = std::make_shared<Arrays>(elements, kernel.arrays);
      if (!arrays->complete()) return nullptr;
      return [&kernel, arrays](std::int64_t repeats) {
        for (std::int64_t r = 0; r < repeats; ++r) {
          // Source and destination of the one-array kernels are the same array.
          g_sink = kernel.run(arrays->at(0), arrays->at(kernel.arrays == 1 ? 0 : 1), arrays->at(2),
                              arrays->elements());
        }
        return static_cast<double>(repeats) * static_cast<double>(arrays->elements()) *
               kernel.bytes_per_element;
      };
    };
    const auto rounds = rounds_on_threads(make, threads, options_);
    if (!rounds) {
      return Error{Errc::out_of_memory,
                   "There is not enough memory for arrays larger than the last cache.", name};
    }
    Peak peak = to_peak(name, "bytes_per_second", *rounds, threads);
    peak.working_set_bytes = level.bytes;
    return peak;
  }

  [[nodiscard]] bool wanted(const std::string& name) const {
    return name.find(options_.only) != std::string::npos;
  }

  Status announce() {
    if (attention_.cancelled())
      return Error{Errc::cancelled, "Measuring the ceilings was stopped; nothing was kept.",
                   "peaks"};
    attention_.report("measuring ceilings",
                      static_cast<double>(done_++) / static_cast<double>(total_));
    return {};
  }

  const run::Host& host_;
  PeaksOptions options_;
  Attention attention_;
  std::size_t done_ = 0;
  std::size_t total_ = 1;
};

}  // namespace

Result<Peaks> measure_peaks(const run::Host& host, const PeaksOptions& options,
                            const Attention& attention) {
  if (options.rounds < 3 || options.round_ms < 1 || options.threads < 0 ||
      (options.most_memory && options.most_memory->count <= 0)) {
    return Error{
        Errc::out_of_range,
        "Measuring needs at least 3 rounds of at least 1 ms and a positive number of threads.",
        "peaks"};
  }
  const int all = options.threads > 0 ? options.threads : static_cast<int>(usable_cpus().size());
  return Measurement(host, options, attention).run(all);
}

}  // namespace neurolens::capture
