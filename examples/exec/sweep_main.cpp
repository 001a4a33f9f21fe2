// A numerical parameter sweep in parallel: heat in a rod, for grids of resolutions and step sizes.
// Explicit steps are stable up to r = k h^-2 = 1/2. The table shows where they blow up, as a failed
// point beside its healthy neighbours, and that the error falls with h squared.
#include <cmath>
#include <cstdio>
#include <numbers>
#include <vector>

#include "neurolens/exec/parallel.hpp"

using namespace neurolens;

// u_t = u_xx on [0, 1], zero at both ends, u = sin(pi x) at the start: u = exp(-pi^2 t) sin(pi x).
static Result<std::vector<double>> heat(const exec::Point& point, exec::TaskContext& context) {
  const auto cells = static_cast<std::size_t>(point.number("cells"));
  const double r = point.number("r");
  const double end = 0.1;
  const double h = 1.0 / static_cast<double>(cells);
  const auto steps = static_cast<std::size_t>(std::ceil(end / (r * h * h)));
  const double k = end / static_cast<double>(steps) / (h * h);
  std::vector<double> u(cells + 1);
  for (std::size_t i = 0; i <= cells; ++i)
    u[i] = std::sin(std::numbers::pi * static_cast<double>(i) * h);
  std::vector<double> next = u;
  for (std::size_t s = 0; s < steps; ++s) {
    if (context.cancelled()) return Error{Errc::cancelled, "Stopped.", {}};
    for (std::size_t i = 1; i < cells; ++i) next[i] = u[i] + k * (u[i - 1] - 2 * u[i] + u[i + 1]);
    u.swap(next);
    if (!(std::abs(u[cells / 2]) < 10)) {
      return Error{Errc::check_failed, "The solution grew without bound.", {}};
    }
  }
  double worst = 0;
  for (std::size_t i = 0; i <= cells; ++i) {
    const double exact = std::exp(-std::numbers::pi * std::numbers::pi * end) *
                         std::sin(std::numbers::pi * static_cast<double>(i) * h);
    worst = std::max(worst, std::abs(u[i] - exact));
  }
  return std::vector<double>{static_cast<double>(steps), worst};
}

int main() {
  exec::Executor executor;
  exec::Axis cells{"cells", {}};
  for (const std::int64_t n : {50, 100, 200}) cells.values.emplace_back(json::Value::Data(n));
  exec::RunOptions options;
  options.record_times = true;
  const auto table = exec::sweep(executor, {cells, exec::range_axis("r", 0.2, 0.2, 3)},
                                 {"steps", "error"}, heat, options);
  if (!table.ok()) {
    std::fprintf(stderr, "%s\n", table.error().text().c_str());
    return 1;
  }
  std::printf("%s\n%u workers, %.2fx\n", table->text().c_str(), table->report.workers,
              table->report.parallelism());
  // The three points with r = 0.6 are unstable; the others are not.
  return table->report.count(exec::EndState::failed) == 3 ? 0 : 1;
}
