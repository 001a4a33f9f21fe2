#include "measure/state.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

#include "neurolens/base/text.hpp"

namespace neurolens::capture {
namespace {

constexpr std::int64_t kStealPeriodNs = 10'000'000;
constexpr double kNoises = 5;  // a normal error exceeds it once in three million

/// Root mean square of the absences below zero, which do not exist.
double absence_noise(const run::Iterations& iterations) {
  double sum = 0;
  double count = 0;
  for (std::size_t i = 0; i < iterations.duration_ns.size(); ++i) {
    const auto absent = static_cast<double>(iterations.duration_ns[i] - iterations.cpu_time_ns[i]);
    if (absent >= 0) continue;
    sum += absent * absent;
    count += 1;
  }
  return count > 0 ? std::sqrt(sum / count) : 0;
}

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  return value;
}

}  // namespace

StateSampler::StateSampler()
    : stat_(open("/proc/stat", O_RDONLY | O_CLOEXEC)),
      frequency_(
          open("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", O_RDONLY | O_CLOEXEC)),
      last_steal_(steal()) {}

StateSampler::~StateSampler() {
  if (stat_ >= 0) close(stat_);
  if (frequency_ >= 0) close(frequency_);
}

StateSampler::Counters StateSampler::read() {
  Counters out;
  rusage usage{};
  timespec cpu{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    out.involuntary_switches = usage.ru_nivcsw;
    out.page_faults = usage.ru_minflt + usage.ru_majflt;
  }
  if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0) {
    out.cpu_time_ns = std::int64_t{cpu.tv_sec} * 1'000'000'000 + cpu.tv_nsec;
  }
  return out;
}

std::optional<std::int64_t> StateSampler::steal() const {
  if (stat_ < 0) return std::nullopt;
  char text[512];
  const auto got = pread(stat_, text, sizeof text, 0);
  if (got <= 0) return std::nullopt;
  // "cpu  user nice system idle iowait irq softirq steal ...", in clock ticks, summed over
  // processors.
  std::string_view line(text, static_cast<std::size_t>(got));
  line = line.substr(0, line.find('\n'));
  int field = -1;
  for (const auto word : split(line, ' ')) {
    if (word.empty()) continue;
    if (++field == 8) {
      static const std::int64_t kTickNs =
          1'000'000'000 / std::max<std::int64_t>(sysconf(_SC_CLK_TCK), 1);
      const auto ticks = number(word);
      return ticks ? std::optional(*ticks * kTickNs) : std::nullopt;
    }
  }
  return std::nullopt;
}

std::int64_t StateSampler::frequency() const {
  if (frequency_ < 0) return run::kMissing;
  char text[32];
  const auto got = pread(frequency_, text, sizeof text, 0);
  if (got <= 0) return run::kMissing;
  const auto khz = number(std::string_view(text, static_cast<std::size_t>(got)));
  return khz ? *khz * 1000 : run::kMissing;
}

void StateSampler::begin() {
  before_ = read();
}
void StateSampler::end() {
  after_ = read();
}

StateSampler::Difference StateSampler::difference(Nanoseconds now) {
  Difference out;
  out.cpu_time_ns = after_.cpu_time_ns - before_.cpu_time_ns;
  out.involuntary_switches = after_.involuntary_switches - before_.involuntary_switches;
  out.page_faults = after_.page_faults - before_.page_faults;
  if (now.count < next_steal_ns_) return out;
  next_steal_ns_ = now.count + kStealPeriodNs;
  if (const auto stolen = steal()) {
    if (last_steal_) out.steal_ns = std::max<std::int64_t>(*stolen - *last_steal_, 0);
    last_steal_ = stolen;
  }
  out.frequency_hz = frequency();
  return out;
}

void append(run::Iterations& iterations, Nanoseconds begin, Nanoseconds duration, bool observed,
            bool warmup, const StateSampler::Difference& state) {
  iterations.begin_ns.push_back(begin.count);
  iterations.duration_ns.push_back(duration.count);
  iterations.observed.push_back(observed ? 1 : 0);
  iterations.warmup.push_back(warmup ? 1 : 0);
  iterations.cpu_time_ns.push_back(state.cpu_time_ns);
  iterations.steal_ns.push_back(state.steal_ns);
  iterations.involuntary_switches.push_back(state.involuntary_switches);
  iterations.page_faults.push_back(state.page_faults);
  iterations.frequency_hz.push_back(state.frequency_hz);
}

bool mark_disturbed(run::Iterations& iterations, std::int64_t threads, double wanted) {
  const std::size_t count = iterations.duration_ns.size();
  iterations.disturbed.assign(count, 0);
  const double noise = absence_noise(iterations);
  std::size_t marked = 0;
  std::size_t window = 0;  // first iteration since the last reading of the steal counter
  for (std::size_t i = 0; i < count; ++i) {
    const auto duration = iterations.duration_ns[i];
    bool bad = false;
    const auto absent = duration - iterations.cpu_time_ns[i];
    if (threads == 1) {
      bad = static_cast<double>(absent) >
            std::max(wanted * static_cast<double>(duration), kNoises * noise);
    } else {
      bad = iterations.involuntary_switches[i] > 1 + duration / 1'000'000;
    }
    if (bad) iterations.disturbed[i] = 1;
    if (iterations.steal_ns[i] == run::kMissing) continue;
    const auto span = iterations.begin_ns[i] + duration - iterations.begin_ns[window];
    if (static_cast<double>(iterations.steal_ns[i]) >
        wanted * static_cast<double>(std::max(span, kStealPeriodNs))) {
      std::fill(iterations.disturbed.begin() + static_cast<std::ptrdiff_t>(window),
                iterations.disturbed.begin() + static_cast<std::ptrdiff_t>(i) + 1, std::uint8_t{1});
    }
    window = i + 1;
  }
  std::array<std::size_t, 2> left{};  // unobserved and observed ones that stay
  std::array<std::size_t, 2> had{};
  for (std::size_t i = 0; i < count; ++i) {
    marked += iterations.disturbed[i];
    if (iterations.warmup[i] != 0) continue;
    const std::size_t kind = iterations.observed[i] != 0 ? 1 : 0;
    ++had[kind];
    if (iterations.disturbed[i] == 0) ++left[kind];
  }
  const bool a_kind_is_gone = (had[0] > 0 && left[0] == 0) || (had[1] > 0 && left[1] == 0);
  if (2 * marked <= count && !a_kind_is_gone) return true;
  std::fill(iterations.disturbed.begin(), iterations.disturbed.end(), std::uint8_t{0});
  return false;
}

}  // namespace neurolens::capture
