#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <string_view>
#include <utility>

#include "make_run.hpp"
#include "neurolens/analyze/align.hpp"
#include "neurolens/analyze/compare.hpp"
#include "neurolens/analyze/fingerprint.hpp"
#include "neurolens/base/clock.hpp"

namespace {

using namespace neurolens;

constexpr int kRounds = 3;

/// Wall-clock and processor time of a piece of work: on a busy machine they differ.
struct Spent {
  double wall_s = 1e300;
  double processor_s = 1e300;
};

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// The smallest of some rounds, each from its call to the end of its result's life.
Spent spent_on(const auto& work) {
  Spent least;
  for (int round = 0; round < kRounds; ++round) {
    const auto begin = system_clock().now();
    const double before = processor_seconds();
    work();
    least.processor_s = std::min(least.processor_s, processor_seconds() - before);
    const auto wall = static_cast<double>((system_clock().now() - begin).count) * 1e-9;
    least.wall_s = std::min(least.wall_s, wall);
  }
  return least;
}

run::Run sample(std::size_t ops, std::uint64_t seed, bool rename) {
  auto run =
      test_support::make_run({.ops = ops, .iterations = 40, .seed = seed, .timeline = false});
  if (!rename) return run;
  for (auto& op : run.ops) {
    op.name = "x" + op.name;
    for (auto& node : op.original_nodes) node.name = "y" + node.name;
    for (auto* list : {&op.inputs, &op.outputs}) {
      for (auto& tensor : *list) *tensor.name = "z" + *tensor.name;
    }
  }
  return run;
}

/// Every 50th op is taken out, its reader reads what it read; its samples go with it.
void take_out(run::Run& run) {
  std::vector<run::Op> ops;
  std::vector<run::Column> columns;
  std::string skipped;
  for (std::size_t i = 0; i < run.ops.size(); ++i) {
    run::Op& op = run.ops[i];
    if (!skipped.empty()) op.inputs[0].name = std::exchange(skipped, "");
    if (i % 50 == 25) {
      skipped = *op.inputs[0].name;
      continue;
    }
    ops.push_back(std::move(op));
    columns.push_back(std::move(run.samples.op_duration_ns[i]));
  }
  run.ops = std::move(ops);
  run.samples.op_duration_ns = std::move(columns);
}

std::int64_t peak_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

}  // namespace

int main(int argc, char** argv) {
  bool edited = false;
  fmt::print("{:>9} {:>8} {:>8} {:>14} {:>8} {:>9} {:>9} {:>9}\n", "ops", "align s", "compare",
             "2 fingerprints", "together", "processor", "Runs MiB", "peak MiB");
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "edited") {
      edited = true;
      continue;
    }
    const auto ops = static_cast<std::size_t>(std::atoll(argv[i]));
    const auto a = sample(ops, 1, false);
    auto b = sample(ops, 2, true);
    if (edited) take_out(b);
    const auto held = peak_mib();
    bool fine = true;
    const auto aligned =
        spent_on([&] { fine &= analyze::align(a, b).links.size() == b.ops.size(); });
    const auto compared = spent_on([&] { fine &= analyze::compare(a, b).ok(); });
    const auto printed = spent_on([&] {
      const auto x = analyze::take_fingerprint(a);
      const auto y = analyze::take_fingerprint(b);
      fine &= x.ok() && y.ok() && analyze::similarity(*x, *y) > 0.5;
    });
    fmt::print("{:>9} {:>8.3f} {:>8.3f} {:>14.3f} {:>8.3f} {:>9.3f} {:>9} {:>9}\n", ops,
               aligned.wall_s, compared.wall_s, printed.wall_s, compared.wall_s + printed.wall_s,
               compared.processor_s + printed.processor_s, held, peak_mib());
    if (!fine) return 1;
  }
  return 0;
}
