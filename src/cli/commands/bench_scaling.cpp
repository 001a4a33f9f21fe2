#include "bench_scaling.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>

namespace neurolens::cli {
namespace {

struct Series {
  std::string name;
  std::vector<analyze::ScalingPoint> points;       ///< Every launch.
  std::map<double, std::vector<double>> by_place;  ///< Logarithms of the values at one x.

  void add(double x, double y) {
    points.push_back({x, y});
    by_place[x].push_back(std::log(y));
  }
  /// Geometric mean at the place.
  [[nodiscard]] double level(double x) const {
    double sum = 0;
    for (const double v : by_place.at(x)) sum += v;
    return std::exp(sum / static_cast<double>(by_place.at(x).size()));
  }
  [[nodiscard]] std::vector<double> places() const {
    std::vector<double> list;
    for (const auto& [x, values] : by_place) list.push_back(x);
    return list;
  }
};

/// What the other axes say, for people.
std::string series_name(const BenchSummary& summary, const BenchRow& row, const std::string& axis) {
  std::string name;
  for (const auto& other : summary.varied) {
    if (other == axis) continue;
    name += (name.empty() ? "" : " ") + other + "=" + row.axis(other);
  }
  return name.empty() ? "all" : name;
}

/// Rows that differ in `axis` only, in the order of the rows.
std::vector<Series> series_over(const BenchSummary& summary, const std::string& axis,
                                bool throughput) {
  std::vector<Series> all;
  for (const auto& row : summary.rows) {
    const std::string text = row.axis(axis);
    char* end = nullptr;
    const double x = std::strtod(text.c_str(), &end);
    if (!(x > 0) || *end != '\0') continue;
    const std::string name = series_name(summary, row, axis);
    auto it = std::find_if(all.begin(), all.end(), [&](const Series& s) { return s.name == name; });
    if (it == all.end()) it = all.insert(all.end(), Series{name, {}, {}});
    for (const double ns : row.launches_ns) {
      if (ns > 0) it->add(x, throughput ? 1e9 * row.batch_size.value_or(1) / ns : ns);
    }
  }
  std::erase_if(all, [](const Series& s) { return s.by_place.size() < 2; });
  return all;
}

ThreadSeries threads_of(const Series& s, std::optional<double> cores) {
  ThreadSeries out{s.name, s.places(), {}, {}, {}, {}};
  for (const double n : out.threads) {
    if (cores && n > *cores) out.beyond_cores.push_back(n);
  }
  for (const double n : out.threads) out.speedup.push_back(s.level(n) / s.level(out.threads[0]));
  if (auto law = analyze::fit_usl(s.points); law.ok()) out.law = std::move(law).value();
  if (out.threads[0] == 1) {
    const double n = out.threads.back();
    out.serial_ratio = (1 / out.speedup.back() - 1 / n) / (1 - 1 / n);
  }
  return out;
}

SizeSeries size_of(const Series& s, const std::string& axis) {
  SizeSeries out{axis, s.name, s.places(), 0, {}};
  if (auto fit = analyze::fit_exponent(s.points); fit.ok()) {
    out.exponent = fit->exponent;
    out.interval = fit->exponent_interval;
  } else {
    const double first = out.sizes.front();
    const double last = out.sizes.back();
    out.exponent = std::log(s.level(last) / s.level(first)) / std::log(last / first);
  }
  return out;
}

}  // namespace

BenchScaling scaling_of(const BenchSummary& summary) {
  BenchScaling out;
  for (const auto& s : series_over(summary, "threads", true))
    out.threads.push_back(threads_of(s, summary.cores));
  for (const auto& axis : summary.axes) {
    // Numbers only: other options of engines are no sizes, which series_over() finds out.
    if (axis != "batch" && axis != "sequence" && !axis.starts_with("options.")) continue;
    for (const auto& s : series_over(summary, axis, false)) out.sizes.push_back(size_of(s, axis));
  }
  return out;
}

}  // namespace neurolens::cli
