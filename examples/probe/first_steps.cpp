// Instruments a small program, records it, and reads the trace back.
#include <cmath>
#include <cstdio>
#include <thread>
#include <vector>

#include "neurolens/probe/probe.hpp"
#include "neurolens/probe/trace.hpp"

namespace probe = neurolens::probe;

double relax(std::vector<double>& grid) {
  NEUROLENS_NAMED_SCOPE(scope, "relax");
  NEUROLENS_VALUE(scope, "bytes", static_cast<std::int64_t>(grid.size() * sizeof(double)));
  double change = 0;
  for (std::size_t i = 1; i + 1 < grid.size(); ++i) {
    const double next = 0.5 * (grid[i - 1] + grid[i + 1]);
    change += std::abs(next - grid[i]);
    grid[i] = next;
  }
  return change;
}

int main(int argc, char** argv) {
  const char* path = argc > 1 ? argv[1] : "first_steps.nlp";
  if (const auto started = probe::start({.path = path}); !started.ok()) {
    std::fprintf(stderr, "%s\n", started.error().text().c_str());
    return 3;
  }
  auto timed = probe::profile("relax", &relax);
  std::vector<double> grid(10'000, 0.0);
  grid.front() = 1;
  std::thread helper([] {
    NEUROLENS_THREAD_NAME("helper");
    NEUROLENS_SCOPE("help");
  });
  for (int i = 0; i < 20; ++i) {
    NEUROLENS_ITERATION("sweep", i);
    NEUROLENS_COUNTER("change", timed(grid));
  }
  helper.join();
  const auto report = probe::stop();
  if (!report.ok()) return 3;
  std::printf("%s", probe::default_registry().report().c_str());
  probe::TraceInfo info;
  const auto summary = probe::summarize_trace(path, &info);
  if (!summary.ok()) return 3;
  for (const auto& s : *summary) {
    std::printf("%-8s %llu times\n", info.sites[s.site.index()].name.c_str(),
                static_cast<unsigned long long>(s.count));
  }
  return info.complete && report->lost == 0 ? 0 : 1;
}
