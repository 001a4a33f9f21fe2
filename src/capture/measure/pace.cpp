#include "measure/pace.hpp"

#include <algorithm>

#include "fit/order_statistics.hpp"

namespace neurolens::capture {

bool Pace::finished(std::size_t pairs, std::int64_t elapsed_ns, std::span<const double> latencies,
                    std::int64_t least_ns) {
  if (iterations_) return static_cast<std::int64_t>(pairs) >= *iterations_;
  if (pairs >= 1 && elapsed_ns >= time_limit_.count) return true;
  if (pairs < next_check_ || elapsed_ns < std::min(least_ns, time_limit_.count)) return false;
  next_check_ = pairs + pairs / 8 + 1;
  const auto width = median_interval(latencies).relative_width();
  interval_reached_ = width && *width <= target_;
  return interval_reached_;
}

void Pace::report(const Attention& attention, std::size_t pairs, std::int64_t elapsed_ns) {
  if (elapsed_ns < next_report_ns_) return;
  next_report_ns_ = elapsed_ns + 50'000'000;
  const auto done =
      static_cast<double>(iterations_ ? static_cast<std::int64_t>(pairs) : elapsed_ns);
  const std::int64_t all = iterations_ ? *iterations_ : time_limit_.count;
  attention.report("measuring",
                   std::min(done / static_cast<double>(std::max<std::int64_t>(all, 1)), 1.0));
}

}  // namespace neurolens::capture
