#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "neurolens/base/clock.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/capture/live.hpp"

namespace neurolens::capture {
namespace {

/// Where results go, so that no compiler can leave the work out.
volatile double g_sink = 0;

void arithmetic(std::int64_t steps, std::vector<std::uint64_t>& /*buffer*/) {
  double x = g_sink * 0 + 1.0;
  for (std::int64_t i = 0; i < steps; ++i) x = x * 0.999999 + 1e-6;
  g_sink = x;
}

void memory(std::int64_t steps, std::vector<std::uint64_t>& buffer) {
  constexpr std::size_t kStride = 8;  // one line of a cache
  std::uint64_t sum = 0;
  std::size_t at = 0;
  for (std::int64_t i = 0; i < steps; ++i) {
    sum += buffer[at];
    at += kStride;
    if (at >= buffer.size()) at = 0;
  }
  g_sink = static_cast<double>(sum);
}

void branches(std::int64_t steps, std::vector<std::uint64_t>& buffer) {
  std::uint64_t state = 88172645463325252u;
  std::uint64_t count = 0;
  for (std::int64_t i = 0; i < steps; ++i) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    if ((buffer[state & 1023] & 1) != 0) {
      count += state >> 60;
    } else {
      count ^= state;
    }
  }
  g_sink = static_cast<double>(count);
}

struct Kernel {
  const char* name;
  void (*work)(std::int64_t, std::vector<std::uint64_t>&);
  std::int64_t steps;
};
constexpr Kernel kKernels[] = {{"arithmetic", arithmetic, 100'000},
                               {"memory", memory, 200'000},
                               {"branches", branches, 60'000}};

}  // namespace

std::vector<std::string> kernel_names() {
  std::vector<std::string> names;
  for (const auto& kernel : kKernels) names.emplace_back(kernel.name);
  return names;
}

Result<Workload> kernel_workload(const std::string& name, double work_ratio) {
  if (!(work_ratio > 0 && work_ratio <= 100))
    return Error{Errc::out_of_range, "The work ratio must lie in (0, 100].", name};
  for (const auto& kernel : kKernels) {
    if (name != kernel.name) continue;
    auto buffer = std::make_shared<std::vector<std::uint64_t>>(std::size_t{1} << 15);  // 256 KiB
    std::uint64_t word = 1;
    for (auto& value : *buffer) value = word = word * 6364136223846793005u + 1442695040888963407u;
    for (auto& value : *buffer) value >>= 33;
    const auto steps = std::llround(static_cast<double>(kernel.steps) * work_ratio);
    return Workload([work = kernel.work, buffer, steps]() -> Result<Nanoseconds> {
      const Nanoseconds begin = system_clock().now();
      work(steps, *buffer);
      return system_clock().now() - begin;
    });
  }
  return Error{Errc::not_found, "There is no such kernel." + did_you_mean(name, kernel_names()),
               name};
}

}  // namespace neurolens::capture
